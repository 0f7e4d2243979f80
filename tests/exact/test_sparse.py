"""`Exact` over sparse matrices against float64 products, and its life."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from vecrecall.csr import MOST_COLUMNS
from vecrecall.errors import CorruptIndexError, IndexFileError
from vecrecall.exact.index import Exact
from vecrecall.exact.sparse import SparseExact
from vecrecall.hits import Hits
from vecrecall.loading import load

F = np.float32


def matrix(n: int, columns: int, seed: int, *, share: float = 0.1, ties: bool = False) -> sp.csr_array:
    """Rows with negative weights, some of them empty; with ties, most products are equal to another."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(-3, 4, (n, columns)) if ties else rng.normal(size=(n, columns))
    dense = np.where(rng.random((n, columns)) < share, dense, 0)
    dense[rng.random(n) < 0.1] = 0
    return sp.csr_array(dense.astype(F))


X, Q = matrix(300, 40, 0), matrix(20, 40, 1, share=0.2)


def same(a: Hits, b: Hits) -> bool:
    return a.ids.tolist() == b.ids.tolist() and a.distances.tobytes() == b.distances.tobytes()


def slow(X: sp.csr_array, Q: sp.csr_array, k: int, left_out: Any = None) -> tuple[list, list, list]:
    """(slots, scores, how many share a column) by float64 sums in the order of columns; -1, -inf where missing."""
    slots, scores, shared = [], [], []
    rows = [dict(zip(X.indices[a:b].tolist(), X.data[a:b].tolist())) for a, b in zip(X.indptr, X.indptr[1:])]
    for i, (a, b) in enumerate(zip(Q.indptr, Q.indptr[1:])):
        query = sorted(zip(Q.indices[a:b].tolist(), Q.data[a:b].tolist()))
        found = []
        for slot, row in enumerate(rows):
            terms = [w * row[c] for c, w in query if c in row]
            if terms:
                found.append((-float(F(sum(terms))), slot))
        shared.append(len(found))
        found = sorted(pair for pair in found if left_out is None or pair[1] != left_out[i])[:k]
        slots.append([slot for _, slot in found] + [-1] * (k - len(found)))
        scores.append([-score for score, _ in found] + [-np.inf] * (k - len(found)))
    return slots, scores, shared


def is_exact(hits: Hits, expected: tuple[list, list, list]) -> bool:
    slots, scores, shared = expected
    return hits.ids.tolist() == slots and hits.scores.tolist() == scores and list(hits.evals) == shared  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 40), columns=st.integers(1, 30), seed=st.integers(0, 2**32),
    share=st.sampled_from([0.0, 0.1, 0.9]), ties=st.booleans(), k=st.integers(1, 50),
)  # fmt: skip
def test_answers_are_those_of_float64_with_ties_by_insertion(
    n: int, columns: int, seed: int, share: float, ties: bool, k: int
) -> None:
    X, Q = matrix(n, columns, seed, share=share, ties=ties), matrix(7, columns, seed + 1, share=0.5, ties=ties)
    index = Exact.build(X)
    index.check()
    assert is_exact(index.search(Q, k), slow(X, Q, k))
    if n:
        assert is_exact(index.search(X, k, exclude_self=True), slow(X, X, k, range(n)))


def test_scores_are_those_of_scipy_to_the_last_bit_but_one() -> None:
    index = Exact.build(X)
    hits = index.search(Q, 300)
    products = (Q.astype(float) @ X.astype(float).T).toarray()
    for i in range(20):
        found = hits.ids[i][hits.ids[i] >= 0]
        shared = np.flatnonzero(((abs(Q[[i]]) @ abs(X).T).toarray() > 0)[0])
        assert sorted(found.tolist()) == shared.tolist() and hits.evals[i] == len(shared)
        np.testing.assert_allclose(hits.scores[i, : len(found)], products[i, found], rtol=2e-7, atol=1e-12)
        assert (np.diff(hits.scores[i, : len(found)]) <= 0).all()


def test_equal_scores_stand_in_the_order_of_insertion_for_every_k() -> None:
    rng = np.random.default_rng(5)
    dense = np.zeros((400, 3), F)
    dense[:, 0] = rng.choice([0, 0.5, 1, -0.5], 400)
    dense[:, 1] = dense[:, 0] * -1  # sums of exactly zero, and of minus zero
    X, Q = sp.csr_array(dense), sp.csr_array(np.array([[1, 1, 0], [2, 0, 0], [-1, -1, 9]], F))
    index = Exact.build(X)
    for k in (1, 2, 30, 399, 400, 401):
        assert is_exact(index.search(Q, k), slow(X, Q, k))
    assert not np.signbit(index.search(Q[[0]], 400).scores[0, :10]).any()


def test_threads_and_parts_give_the_same_bytes() -> None:
    whole = Exact.build(X)
    hits = whole.search(Q, 10, threads=1)
    assert same(hits, whole.search(Q, 10, threads=2)) and same(hits, whole.search(Q, 10))
    parts = Exact.build(X[:0])
    for lo, hi in [(0, 1), (1, 2), (2, 90), (90, 90), (90, 300)]:
        parts.add(X[lo:hi])
        parts.check()
        assert len(parts) == hi
        assert is_exact(parts.search(Q, 5), slow(X[:hi], Q, 5))  # the lists are made anew
    assert same(hits, parts.search(Q, 10))
    for i in (0, 7):
        one = whole.search(sp.csr_array(Q[[i]]), 10)
        assert one.ids.tolist() == hits.ids[[i]].tolist()


@pytest.mark.parametrize("columns", [65_536, 65_537, 10**6, MOST_COLUMNS])
def test_huge_vocabularies_cost_what_occurs_in_them(columns: int) -> None:
    named = np.unique(np.concatenate([np.arange(30) * (columns // 31), [columns - 1]]))
    small = matrix(80, len(named), 3, share=0.2)
    large = sp.csr_array((small.data, named[small.indices], small.indptr), shape=(80, columns))
    queries = matrix(10, len(named), 4, share=0.3)
    asked = sp.csr_array((queries.data, named[queries.indices], queries.indptr), shape=(10, columns))
    index = Exact.build(large)
    assert index.dim == columns and is_exact(index.search(asked, 6), slow(small, queries, 6))
    index.check()
    elsewhere = {int(c): 1.0 for c in (1, 2, columns - 2)}  # columns that no row has, before, between, behind
    assert index.search(elsewhere, 2).ids.tolist() == [-1, -1]
    assert index.memory()["lists"] < 10**6
    empty = Exact.build(sp.csr_array((4, columns)))
    assert empty.search(asked, 2).ids.tolist() == [[-1, -1]] * 10


def test_one_query_in_every_form_gives_one_answer() -> None:
    index, dense = Exact.build(X), Q[[3]].toarray()[0]
    batch = index.search(sp.csr_array(Q[[3]]), 5)
    columns = np.flatnonzero(dense)
    for one in (
        dict(zip(columns.tolist(), dense[columns].tolist())),
        (columns, dense[columns]),
        (columns[::-1].tolist(), dense[columns][::-1].tolist()),
        sp.coo_array(dense),
        sp.dok_array(dense),
    ):
        hits = index.search(one, 5)
        assert hits.ids.shape == (5,) and hits.ids.tolist() == batch.ids[0].tolist()
        assert hits.distances.tobytes() == batch.distances.tobytes() and hits.evals == batch.evals[0]
    for nothing in ({}, ([], []), {3: 0.0}, sp.coo_array(np.zeros(40))):
        hits = index.search(nothing, 2)
        assert hits.ids.tolist() == [-1, -1] and hits.evals == 0 and (hits.scores == -np.inf).all()
    none = index.search(Q[:0], 3)
    assert none.ids.shape == (0, 3)


def test_weights_of_all_sizes_are_summed_in_float64() -> None:
    rows = [[3e38, -3e38, 1], [1e-45, 0, 0], [1e-30, 1e-30, 0], [3e38, 3e38, 0]]
    index = Exact.build(sp.csr_array(np.array(rows, F)))
    hits = index.search({0: 1.0, 1: 1.0, 2: 1.0}, 4)
    assert hits.ids.tolist() == [3, 0, 2, 1] and hits.scores.tolist()[:2] == [np.inf, 1.0]
    hits = index.search({0: 1e-45, 1: 1e-45}, 4)  # products that are no float32
    assert hits.ids.tolist() == [3, 0, 1, 2] and hits.scores[0] > 0 and not hits.scores[1:].any()
    hits = index.search({0: -3e38}, 4)
    assert hits.ids.tolist() == [1, 2, 0, 3] and hits.scores.tolist()[2:] == [-np.inf] * 2


def test_ids_are_the_callers() -> None:
    plain = Exact.build(X).search(Q, 5)
    names = [f"row {i}" for i in range(300)]
    named = Exact.build(X, ids=names).search(Q, 5)
    assert named.ids.tolist() == [[names[i] if i >= 0 else None for i in row] for row in plain.ids.tolist()]
    index = Exact.build(X[:200], ids=np.arange(200) + 1000)
    index.add(X[200:], ids=range(5, 105))
    slots = np.concatenate([np.arange(200) + 1000, np.arange(5, 105), [-1]])
    assert index.search(Q, 5).ids.tolist() == slots[plain.ids].tolist()


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("kind", ["range", "int64", "str"])
def test_a_saved_index_comes_back(tmp_path: Path, kind: str, mmap: bool) -> None:
    ids = {"range": None, "int64": range(1000, 1300), "str": [f"é{i}" for i in range(300)]}[kind]
    more = {"range": None, "int64": [7], "str": ["x"]}[kind]
    index = Exact.build(X, ids=ids)
    index.save(tmp_path / "i.vr")
    loaded = load(tmp_path / "i.vr", mmap=mmap, verify=True)
    assert isinstance(loaded, SparseExact) and repr(loaded) == repr(index) and "float32" in repr(index)
    assert same(loaded.search(Q), index.search(Q))
    loaded.save(tmp_path / "j.vr")
    assert (tmp_path / "i.vr").read_bytes() == (tmp_path / "j.vr").read_bytes()
    for either in (index, loaded):
        either.add(X[[5]] * 3, ids=more)
        either.check()
    assert same(loaded.search(Q), index.search(Q)) and len(loaded) == 301
    empty = Exact.build(X[:0])
    empty.save(tmp_path / "e.vr")
    empty = load(tmp_path / "e.vr", mmap=mmap, verify=True)  # type: ignore[assignment]
    assert (empty.search(Q, 2).ids == -1).all() and empty.dim == 40
    empty.add(X)
    assert same(empty.search(Q, 2), Exact.build(X).search(Q, 2))


def test_a_damaged_file_is_an_error_or_answers_the_same(tmp_path: Path) -> None:
    small = matrix(6, 8, 2, share=0.4)
    index, asked = Exact.build(small), matrix(4, 8, 3, share=0.6)
    index.save(tmp_path / "i.vr")
    raw, path = (tmp_path / "i.vr").read_bytes(), tmp_path / "bad.vr"
    answers = index.search(asked, 3)
    for i in range(len(raw)):
        path.write_bytes(raw[:i] + bytes([raw[i] ^ 4]) + raw[i + 1 :])
        try:
            assert same(load(path, verify=True).search(asked, 3), answers)  # type: ignore[attr-defined]
        except IndexFileError as error:
            assert str(path) in str(error)
        try:  # without checksums: an error or some answer, never a crash
            load(path, verify=False).search(asked, 3)  # type: ignore[attr-defined]
        except IndexFileError:
            pass
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(IndexFileError):
        load(path, verify=False)


def test_the_callers_memory_is_neither_kept_nor_changed() -> None:
    mine = sp.csr_array((X.data.copy(), X.indices.copy(), X.indptr.copy()), shape=X.shape)
    index = Exact.build(mine)
    more = mine[:10].copy()
    index.add(more)
    expected = index.search(Q)
    for given_matrix in (mine, more):
        given_matrix.data[:] = 0
        given_matrix.indices[:] = 0
    assert same(index.search(Q), expected)
    index._lists = None
    assert same(index.search(Q), expected)
    index.check()


FAILS: list[tuple[Any, Any, type[Exception]]] = [
    (np.zeros((2, 40)), [8, 9], TypeError),
    (X[:2, :39], [8, 9], ValueError),
    (sp.csr_array(np.full((2, 40), np.nan)), [8, 9], ValueError),
    (X[:2], [8], ValueError),
    (X[:2], [8, 8], ValueError),
    (X[:2], [8, 7], ValueError),
    (X[:2], ["a", "b"], TypeError),
    (X[:2], None, ValueError),
]


@pytest.mark.parametrize(("more", "ids", "error"), FAILS)
def test_a_failed_add_changes_nothing(more: Any, ids: Any, error: type[Exception]) -> None:
    index = Exact.build(X[:2], ids=[5, 7])
    answers = index.search(Q, 3)
    with pytest.raises(error):
        index.add(more, ids=ids)
    assert len(index) == 2 and same(index.search(Q, 3), answers)
    index.add(X[2:3], ids=[8])
    index.check()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metric": "l2"}, ValueError, r"metric is 'l2', expected 'ip' for a sparse matrix; scale its rows .*toarray"),
        ({"metric": "cosine"}, ValueError, "metric is 'cosine', expected 'ip' for a sparse matrix"),
        ({"keep": "float16"}, ValueError, "keep is 'float16', expected one of 'auto', 'float32'"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"ids": [1]}, ValueError, "ids holds 1 ids, expected one for each of the 300 rows"),
    ],
)
def test_wrong_build_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Exact.build(X, **options)
    assert Exact.build(X, metric="ip", keep="float32").metric == "ip"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 0}, ValueError, "k is 0, expected an integer of at least 1"),
        ({"k": 2.0}, TypeError, "k is 2.0"),
        ({"threads": -1}, ValueError, "threads is -1"),
        ({"Q": Q[:, :5]}, ValueError, "Q has 5 columns, the index holds vectors of 40"),
        ({"Q": Q.toarray()}, TypeError, "Q is a ndarray, expected a scipy sparse matrix"),
        ({"Q": {40: 1.0}}, ValueError, "Q has column 40, expected 0 to 39"),
        ({"exclude_self": True}, ValueError, "Q holds 20 vectors, expected all 300 of the index in order"),
        ({"Q": {1: 1.0}, "exclude_self": True}, ValueError, "Q holds 1 vectors, expected all 300"),
    ],
)
def test_wrong_search_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Exact.build(X).search(**{"Q": Q, **options})


def test_check_names_what_is_broken() -> None:
    index = Exact.build(X)
    index._csr.values[3] = np.nan
    with pytest.raises(CorruptIndexError, match="rows are not in order: columns ascend, values are"):
        index.check()
    index = Exact.build(X)
    index._csr = index._csr.rows(0, 200)
    with pytest.raises(CorruptIndexError, match="there are 200 rows, expected 300"):
        index.check()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_searches_and_adds() -> None:
    index = Exact.build(X)
    expected = index.search(Q, 3, threads=2)
    child = os.fork()
    if child == 0:
        ok = same(index.search(Q, 3, threads=2), expected)
        index.add(X)
        os._exit(7 if ok and len(index) == 600 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert len(index) == 300
