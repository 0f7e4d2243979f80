"""The life of an `Exact`: build, add, search, save, load, check."""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from vecrecall.errors import CorruptIndexError, IndexFileError
from vecrecall.exact.index import Exact
from vecrecall.hits import Hits
from vecrecall.loading import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype(np.float32)
Q = RNG.normal(size=(9, 6)).astype(np.float32)


def same(a: Hits, b: Hits) -> bool:
    return a.ids.tolist() == b.ids.tolist() and a.distances.tobytes() == b.distances.tobytes()


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (RNG.integers(0, 256, (20, 3)), "uint8"),
        (RNG.integers(-100, 100, (20, 3)), "float16"),
        (X.astype(np.float16), "float16"),
        (X.astype(ml_dtypes.bfloat16) * 1e6, "float32"),
        (X, "float32"),
        (X.astype(np.float64), "float32"),
    ],
)
def test_rows_are_kept_as_narrow_as_nothing_is_lost(given: np.ndarray, dtype: str) -> None:
    index = Exact.build(given)
    assert f"rows kept as {dtype}" in repr(index)
    assert index.memory()["rows"] == given.size * np.dtype(dtype).itemsize
    wide = Exact.build(given, keep="float32")
    queries = given[:5].astype(np.float32)
    assert same(index.search(queries, 4), wide.search(queries, 4))
    index.check()


def test_keep_refuses_a_loss_and_holds_for_added_rows() -> None:
    with pytest.raises(ValueError, match="keep is 'uint8', but X needs float32"):
        Exact.build(X, keep="uint8")
    index = Exact.build([[1, 2]], keep="float16")
    with pytest.raises(ValueError, match="keep is 'float16', but X needs float32"):
        index.add([[0.1, 0]])
    assert len(index) == 1


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_adding_in_parts_is_building_at_once(metric: str) -> None:
    whole = Exact.build(X, metric=metric)
    parts = Exact.build(X[:0], metric=metric)
    for lo, hi in [(0, 1), (1, 2), (2, 90), (90, 90), (90, 200)]:
        parts.add(X[lo:hi])
        parts.check()
    assert same(whole.search(Q), parts.search(Q))
    assert whole.search(Q).ids.dtype == np.int64 and len(parts) == 200


def test_added_rows_may_widen_the_kept_ones() -> None:
    index = Exact.build([[1, 2], [3, 4]])
    for more, dtype in [([[5, 6]], "uint8"), ([[0.5, 6]], "float16"), ([[0.1, 6]], "float32"), ([[1, 1]], "float32")]:
        index.add(more)
        assert f"kept as {dtype}" in repr(index)
    assert index.search([0.1, 6], 1).distances[0] == 0
    assert index.search([3, 4], 1).ids[0] == 1


def test_many_small_adds_copy_the_rows_a_few_times_only() -> None:
    index, buffers = Exact.build(X[:1]), set()
    for i in range(1, 200):
        index.add(X[i : i + 1])
        buffers.add(index._rows.__array_interface__["data"][0])
    assert len(buffers) <= 9
    assert same(index.search(Q), Exact.build(X).search(Q))


def test_the_callers_memory_is_not_kept() -> None:
    mine = X.copy()
    index = Exact.build(mine)
    mine[:] = 0
    assert same(index.search(Q), Exact.build(X).search(Q))


def test_ids_are_the_callers() -> None:
    names = [f"row {i}" for i in range(200)]
    numbers = Exact.build(X).search(Q, 3)
    text = Exact.build(X, ids=names).search(Q, 3)
    assert text.ids.tolist() == [[names[i] for i in row] for row in numbers.ids]
    index = Exact.build(X[:2], ids=[70, 7])
    index.add(X[2:4], ids=[3, -5])
    assert index.search(X[[3, 0]], 1).ids.tolist() == [[-5], [70]]
    assert Exact.build(X[:1], ids=["a"]).search(Q[0], 3).ids.tolist() == ["a", None, None]


FAILS: list[tuple[Any, Any, type[Exception]]] = [
    (np.full((2, 6), np.nan), [8, 9], ValueError),
    (np.zeros((2, 5)), [8, 9], ValueError),
    (X[:2], [8], ValueError),
    (X[:2], [8, 8], ValueError),
    (X[:2], [8, 7], ValueError),
    (X[:2], ["a", "b"], TypeError),
    (X[:2], None, ValueError),
    ("x", None, TypeError),
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


def test_the_shape_of_an_answer_follows_the_query() -> None:
    index = Exact.build(X)
    one, batch, none = index.search(Q[0], 3), index.search(Q[:1], 3), index.search(Q[:0], 3)
    assert one.ids.shape == (3,) and one.evals == 200 and one.counts == 3
    assert batch.ids.shape == (1, 3) and batch.evals.tolist() == [200]  # type: ignore[union-attr]
    assert none.ids.shape == none.distances.shape == (0, 3) and len(none) == 0
    assert same(index.search(Q[0].tolist(), 3), one)


def test_more_neighbours_than_rows_leave_places_missing() -> None:
    hits = Exact.build(X[:3]).search(Q, 5)
    assert (hits.counts == 3).all() and (hits.ids[:, 3:] == -1).all() and np.isinf(hits.distances[:, 3:]).all()


def test_an_empty_index_answers_nothing(tmp_path: Path) -> None:
    index = Exact.build(np.empty((0, 6)), metric="cosine")
    index.save(tmp_path / "i.vr")
    for empty in (index, load(tmp_path / "i.vr", verify=True)):
        hits = empty.search(Q, 2)  # type: ignore[attr-defined]
        assert (hits.counts == 0).all() and (hits.ids == -1).all() and len(empty) == 0 and empty.dim == 6
        empty.add(X)  # type: ignore[attr-defined]
        assert same(empty.search(Q, 2), Exact.build(X, metric="cosine").search(Q, 2))  # type: ignore[attr-defined]


def test_exclude_self_goes_by_number_not_by_distance() -> None:
    index = Exact.build(np.array([[0, 0], [0, 0], [3, 4]]))
    assert index.search([[0, 0], [0, 0], [3, 4]], 3, exclude_self=True).ids.tolist() == [
        [1, 2, -1],
        [0, 2, -1],
        [0, 1, -1],
    ]
    big = Exact.build(X)
    assert (big.search(X, 4, exclude_self=True).ids == big.search(X, 5).ids[:, 1:]).all()
    for bad in (X[:5], X[0]):
        with pytest.raises(ValueError, match="expected all 200 of the index in order"):
            big.search(bad, 3, exclude_self=True)


def test_zero_vectors_under_cosine_are_at_one_with_one_warning() -> None:
    rows = np.vstack([np.zeros((2, 6)), X[:3]])
    with pytest.warns(UserWarning, match="^2 zero row vectors under metric 'cosine'") as caught:
        index = Exact.build(rows, metric="cosine")
    assert len(caught) == 1 and caught[0].filename == __file__
    with pytest.warns(UserWarning, match="^1 zero query vector under") as caught:
        hits = index.search(np.vstack([np.zeros(6), X[0]]), 5)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert hits.ids[0].tolist() == [0, 1, 2, 3, 4] and (hits.distances[0] == 1).all()
    assert (hits.distances[1][np.isin(hits.ids[1], [0, 1])] == 1).all() and hits.ids[1, 0] == 2
    with pytest.warns(UserWarning, match="^1 zero row vector under"):
        index.add(np.zeros((1, 6)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            index.add(np.zeros((1, 6)))
        assert len(index) == 6
        Exact.build(rows).search(np.zeros(6))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metric": "L2"}, ValueError, "metric is 'L2', expected one of 'l2', 'ip', 'cosine'"),
        ({"keep": "int8"}, ValueError, "keep is 'int8', expected one of 'auto'"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"ids": [1]}, ValueError, "ids holds 1 ids, expected one for each of the 200 rows"),
    ],
)
def test_wrong_build_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Exact.build(X, **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 0}, ValueError, "k is 0, expected an integer of at least 1"),
        ({"k": 2.0}, TypeError, "k is 2.0"),
        ({"threads": -1}, ValueError, "threads is -1"),
        ({"Q": Q[:, :5]}, ValueError, "Q has 5 columns, the index holds vectors of 6"),
        ({"Q": np.full((2, 6), np.nan)}, ValueError, "Q row 0, column 0 is nan"),
    ],
)
def test_wrong_search_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Exact.build(X).search(**{"Q": Q, **options})


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("kind", ["range", "int64", "str"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_a_saved_index_comes_back(tmp_path: Path, dtype: str, kind: str, mmap: bool) -> None:
    rows = (X * 20 + 100).astype(np.uint8) if dtype == "uint8" else X.astype(dtype)
    ids = {"range": None, "int64": range(1000, 1200), "str": [f"é{i}" for i in range(200)]}[kind]
    more = {"range": None, "int64": [7], "str": ["x"]}[kind]
    index = Exact.build(rows, metric="ip", ids=ids)
    index.save(tmp_path / "i.vr")
    loaded = load(tmp_path / "i.vr", mmap=mmap, verify=True)
    assert isinstance(loaded, Exact) and repr(loaded).splitlines()[0] == repr(index).splitlines()[0]
    assert same(loaded.search(Q), index.search(Q))
    loaded.save(tmp_path / "j.vr")
    assert (tmp_path / "i.vr").read_bytes() == (tmp_path / "j.vr").read_bytes()
    for either in (index, loaded):
        either.add(X[:1] * 3, ids=more)
        either.check()
    assert same(loaded.search(Q), index.search(Q))
    assert same(load(tmp_path / "i.vr").search(Q), load(tmp_path / "j.vr").search(Q))  # type: ignore[attr-defined]


def test_a_damaged_index_is_an_error_or_answers_the_same(tmp_path: Path) -> None:
    index = Exact.build(X[:4], ids=["a", "b", "c", "d"])
    index.save(tmp_path / "i.vr")
    raw, path = (tmp_path / "i.vr").read_bytes(), tmp_path / "bad.vr"
    answers = index.search(Q, 3)
    for i in range(len(raw)):
        path.write_bytes(raw[:i] + bytes([raw[i] ^ 4]) + raw[i + 1 :])
        try:
            assert same(load(path, verify=True).search(Q, 3), answers)  # type: ignore[attr-defined]
        except IndexFileError as error:
            assert str(path) in str(error)
        try:  # without checksums: an error or some answer, never a crash
            load(path, verify=False).search(Q, 3)  # type: ignore[attr-defined]
        except IndexFileError:
            pass
        path.write_bytes(raw[:i])
        with pytest.raises(IndexFileError):
            load(path, verify=False)


def test_check_names_what_is_broken() -> None:
    index = Exact.build(X[:3].copy())
    index._rows[1, 2] = np.nan
    with pytest.raises(CorruptIndexError, match="row 1, column 2 is nan"):
        index.check()
    index = Exact.build(X[:3])
    index._rows = index._rows[:2]
    with pytest.raises(CorruptIndexError, match=r"rows have shape \(2, 6\), expected \(3, 6\)"):
        index.check()


def test_threads_search_while_rows_are_added() -> None:
    index, wrong = Exact.build(X[:1], ids=[0]), []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            hits = index.search(X[0], 2, threads=1)
            if hits.ids[0] != 0 or hits.evals < hits.counts:
                wrong.append(hits)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(1, 200):
        index.add(X[i : i + 1], ids=[i])
    stop.set()
    for thread in threads:
        thread.join(10)
    assert wrong == [] and same(index.search(Q), Exact.build(X).search(Q))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_searches_and_adds() -> None:
    index = Exact.build(X)
    expected = index.search(Q, 3, threads=2)
    child = os.fork()
    if child == 0:
        ok = same(index.search(Q, 3, threads=2), expected)
        index.add(X)
        os._exit(7 if ok and len(index) == 400 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert len(index) == 200


def test_real_sentence_embeddings_match_float64(wordnet: Any) -> None:
    rows, queries = wordnet.documents, wordnet.queries[:50]
    hits = Exact.build(rows, metric="cosine").search(queries, 10)
    X, Q = rows.astype(np.float64), queries.astype(np.float64)
    X, Q = (A / np.linalg.norm(A, axis=1, keepdims=True) for A in (X, Q))
    true = np.sort(1 - Q @ X.T, axis=1)[:, :10]
    np.testing.assert_allclose(hits.distances, true, rtol=1e-6, atol=1e-15)
