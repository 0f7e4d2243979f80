"""Odd inputs, ordinary answers: the tables of what is accepted and what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from vecrecall.errors import VecrecallError
from vecrecall.sparse.index import SparseIndex

HUGE = 2**31
Rows = Callable[..., sp.csr_array]
Digest = Callable[[SparseIndex], dict[str, str]]
LAYOUTS = ("impact", "blocked")
laid_out = pytest.mark.parametrize("layout", LAYOUTS)


@pytest.fixture(scope="module")
def D(rows: Rows) -> sp.csr_array:
    return rows(300, 40, 6)


@pytest.fixture(scope="module")
def Q(rows: Rows) -> sp.csr_array:
    return rows(20, 40, 5, seed=1)


def frozen(M: sp.csr_array) -> sp.csr_array:
    """The same matrix in memory that nobody may write to."""
    M = M.copy()
    for part in (M.data, M.indices, M.indptr):
        part.flags.writeable = False
    return M


def shuffled(M: sp.csr_array) -> sp.csr_array:
    """Columns of every row in another order, and said to be sorted."""
    order = np.concatenate([np.arange(hi - 1, lo - 1, -1) for lo, hi in zip(M.indptr, M.indptr[1:])]).astype(int)
    M = sp.csr_array((M.data[order], M.indices[order], M.indptr), shape=M.shape)
    M.has_sorted_indices = True
    return M


def halved(M: sp.csr_array) -> sp.csr_array:
    """Each entry twice with half of its weight."""
    return sp.csr_array(
        (np.repeat(M.data / 2, 2), np.repeat(M.indices, 2), 2 * M.indptr), shape=M.shape
    )  # fmt: skip


def with_zeros(M: sp.csr_array) -> sp.csr_array:
    """Zeros of either sign in all places that have no entry."""
    dense = M.toarray()
    dense = np.where(dense == 0, np.where(np.arange(dense.shape[1]) % 2, 0.0, -0.0), dense).astype(np.float32)
    indices = np.tile(np.arange(dense.shape[1]), dense.shape[0])
    return sp.csr_array((dense.reshape(-1), indices, np.arange(dense.shape[0] + 1) * dense.shape[1]), shape=M.shape)


def cancelling(M: sp.csr_array) -> sp.csr_array:
    """One column more a row, with two entries that add up to nothing."""
    parts = M.tocoo()
    n = M.shape[0]
    row, one = np.arange(n), np.full(n, 3.0)
    entries = np.concatenate([parts.data, one, -one]), (
        np.concatenate([parts.coords[0], row, row]), np.concatenate([parts.coords[1], row * 0 + 39, row * 0 + 39]),
    )  # fmt: skip
    return sp.coo_array(entries, shape=M.shape)


def long_indices(M: sp.csr_array) -> sp.csr_array:
    M = M.copy()
    M.indices, M.indptr = M.indices.astype(np.int64), M.indptr.astype(np.int64)
    return M


FORMS: dict[str, Callable[[sp.csr_array], Any]] = {
    "csr_matrix": sp.csr_matrix,
    "csc": lambda M: M.tocsc(),
    "coo": lambda M: M.tocoo(),
    "lil": lambda M: M.tolil(),
    "dok": lambda M: M.todok(),
    "dia": lambda M: M.todia(),
    "bsr": lambda M: M.tobsr(),
    "float64": lambda M: M.astype(np.float64),
    "int64 indices": long_indices,
    "read-only": frozen,
    "columns unsorted": shuffled,
    "columns twice": halved,
    "explicit zeros": with_zeros,
    "entries that cancel": cancelling,
    "a slice of a larger matrix": lambda M: sp.vstack([M, M], format="csr")[M.shape[0] :],
}


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@laid_out
@pytest.mark.parametrize("name", FORMS)
def test_a_matrix_of_any_form_builds_adds_and_asks_the_same(
    name: str, layout: str, D: sp.csr_array, Q: sp.csr_array, digest: Digest, same: Callable
) -> None:
    D, Q = D[:, :40].copy(), Q.copy()
    D.data[D.indices == 39] = Q.data[Q.indices == 39] = 0
    D.eliminate_zeros()
    Q.eliminate_zeros()
    convert = FORMS[name]
    plain = SparseIndex.build(D[:200], layout=layout)
    other = SparseIndex.build(convert(D[:200]), layout=layout)
    plain.add(D[200:])
    other.add(convert(D[200:]))
    assert digest(plain) == digest(other)
    for exact in (False, True):
        assert same(plain.search(Q, k=7, exact=exact), other.search(convert(Q), k=7, exact=exact))
        for i in (0, 5):
            alone = other.search(convert(Q[[i]]), k=7, exact=exact)
            assert alone.ids.shape == (1, 7) and same(plain.search(Q[[i]], k=7, exact=exact), alone)


@pytest.mark.parametrize(
    "dtype", [bool, np.uint8, np.int8, np.int32, np.int64, np.uint64, np.float16, np.float64, ">f4"]
)
def test_numbers_of_any_type_are_rounded_to_float32(
    dtype: Any, D: sp.csr_array, Q: sp.csr_array, exactly: Callable, same: Callable
) -> None:
    if dtype in (np.float16, ">f4"):  # scipy itself has no arithmetic for them
        rows, queries = D.copy(), Q.copy()
        rows.data, queries.data = D.data.astype(dtype), Q.data.astype(dtype)
    else:
        rows, queries = (3 * D).astype(dtype), (3 * Q).astype(dtype)
    index = SparseIndex.build(rows)
    index.check()
    plain, asked = D.copy(), Q.copy()
    plain.data, asked.data = rows.data.astype(np.float32), queries.data.astype(np.float32)
    plain.eliminate_zeros()
    asked.eliminate_zeros()
    exactly(index, plain, asked, (1, 10, 300))
    assert same(index.search(queries), SparseIndex.build(plain).search(asked))
    assert ("equal weights" in repr(index)) == (dtype is bool)


@laid_out
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257])
def test_collections_of_any_length_are_searched(n: int, layout: str, rows: Rows, exactly: Callable) -> None:
    D, Q = rows(n, 30, 5, seed=n), rows(5, 30, 5, seed=1)
    index = SparseIndex.build(D, layout=layout)
    index.check()
    exactly(index, D, Q, (1, 10, n + 1))
    index.add(D)
    index.check()
    exactly(index, sp.vstack([D, D], format="csr"), Q, (1, 10, 2 * n + 1))


@laid_out
@pytest.mark.parametrize("columns", [1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 70_000, HUGE - 1, HUGE])
def test_vocabularies_of_any_size_are_searched(columns: int, layout: str, rows: Rows, exactly: Callable) -> None:
    D = sp.csr_array(rows(200, columns, 4, signed=True))
    last = sp.csr_array((np.float32([0.5, 2]), np.int32([0, columns - 1]), [0, 1, 2]), shape=(2, columns))
    D, Q = sp.vstack([D, last], format="csr"), sp.vstack([rows(4, columns, 4, seed=1), last], format="csr")
    index = SparseIndex.build(D, layout=layout)
    index.check()
    assert index.dim == columns
    exactly(index, D, Q, (1, 10, 202))
    assert index.memory()["postings"] < 10**8 and index.memory()["scratch"] < 10**8


@laid_out
def test_rows_without_entries_are_kept_and_no_answer_to_any_query(layout: str, D: sp.csr_array) -> None:
    gaps = sp.vstack([sp.csr_array((3, 40)), D[:50], sp.csr_array((9, 40)), D[50:60], sp.csr_array((1, 40))])
    filled = np.flatnonzero(np.diff(gaps.tocsr().indptr))
    index = SparseIndex.build(gaps, layout=layout)
    index.check()
    assert len(index) == 73
    everything = sp.csr_array(np.ones((1, 40), np.float32))
    for exact in (False, True):
        hits = index.search(everything, k=73, exact=exact)
        assert np.sort(hits.ids[0, : hits.counts[0]]).tolist() == filled.tolist()
    for empty in (sp.csr_array((20, 40)), sp.csr_array((20, 40), dtype=bool), 0 * D[:20]):
        index = SparseIndex.build(empty, layout=layout)
        index.check()
        assert len(index) == 20 and index.nnz == 0
        assert index.search(everything, k=3).counts.tolist() == [0]
        index.add(D[:5])
        index.delete([2])
        index.check()
        assert index.search(everything, k=9, exact=True).counts == (np.diff(D[:5].indptr) > 0).sum()
        index.compact()
        index.check()


@laid_out
@pytest.mark.parametrize("columns", [40, HUGE])
def test_no_queries_and_no_documents_give_no_answers(columns: int, layout: str, rows: Rows) -> None:
    nothing, D, Q = sp.csr_array((0, columns), dtype=np.float32), rows(30, columns, 4), rows(5, columns, 4, seed=1)
    for exact in (False, True):
        hits = SparseIndex.build(D, layout=layout).search(nothing, k=3, exact=exact)
        assert hits.ids.shape == hits.distances.shape == (0, 3) and len(hits) == 0 and hits.evals.shape == (0,)
        empty = SparseIndex.build(nothing, layout=layout)
        assert (len(empty), empty.dim, empty.n_segments, empty.nnz) == (0, columns, 0, 0)
        for queries in (Q, Q[[0]], nothing):
            hits = empty.search(queries, k=4, exact=exact)
            assert (hits.counts == 0).all() and (hits.ids == -1).all() and np.isinf(hits.distances).all()
            assert (hits.evals == 0).all()
        one = empty.search({0: 1.0}, k=4, exact=exact)
        assert one.counts == 0 and one.ids.tolist() == [-1] * 4 and one.evals == 0
    empty.check()
    repr(empty)
    empty.delete([])
    empty.compact()
    empty.add(nothing)
    empty.add(D)
    empty.check()
    assert empty.search(Q, k=4).ids.tolist() == SparseIndex.build(D, layout=layout).search(Q, k=4).ids.tolist()


def test_the_callers_memory_is_neither_changed_nor_kept(D: sp.csr_array, Q: sp.csr_array) -> None:
    for convert in (lambda M: M.copy(), shuffled, halved, with_zeros, sp.csr_matrix):
        rows, queries = convert(D), convert(Q)
        parts = [getattr(M, name) for M in (rows, queries) for name in ("data", "indices", "indptr")]
        before = [part.copy() for part in parts]
        index = SparseIndex.build(rows, keep="f32")
        index.add(rows[:9])
        hits = index.search(queries)
        for i in range(5):
            index.search(queries[[i]])
        assert all(a.tobytes() == b.tobytes() and a.dtype == b.dtype for a, b in zip(before, parts))
        rows.data[:], rows.indices[:] = 7, 0
        index.check()
        assert index.search(Q).ids.tolist() == hits.ids.tolist()
    mapping = {3: 1.0, 1: 0.0, 2: -1}
    index.search(mapping)
    assert mapping == {3: 1.0, 1: 0.0, 2: -1} and list(mapping) == [3, 1, 2]


def forms_of(row: sp.csr_array) -> dict[str, Any]:
    """One query in every form that may be given for one query."""
    columns, weights = row.indices, row.data
    back = columns[::-1].copy(), weights[::-1].copy()
    return {
        "mapping": dict(zip(columns.tolist(), weights.tolist())),
        "mapping of numpy numbers": dict(zip(columns, weights)),
        "unsorted mapping": dict(zip(back[0].tolist(), back[1].tolist())),
        "columns and weights": (columns, weights),
        "lists": (columns.tolist(), weights.tolist()),
        "unsorted": back,
        "int64 columns": (columns.astype(np.int64), weights),
        "unsigned columns": (columns.astype(np.uint16), weights.astype(np.float64)),
        "columns twice": (np.tile(columns, 2), np.tile(weights / 2, 2)),
        "zeros": (np.append(columns, np.setdiff1d(np.arange(40), columns)[:3]), np.append(weights, [0, 0, -0.0])),
        "one dimension": sp.coo_array((weights, (columns,)), shape=(40,)),
        "one dimension, csr": sp.csr_array(row.toarray()[0]),
        "dok": sp.dok_array(row.toarray()[0]),
    }


@laid_out
@pytest.mark.parametrize("form", forms_of(sp.csr_array(np.ones((1, 40), np.float32))))
@pytest.mark.parametrize("exact", [False, True])
def test_one_query_of_any_form_gives_one_answer(
    exact: bool, form: str, layout: str, D: sp.csr_array, Q: sp.csr_array
) -> None:
    index = SparseIndex.build(D, layout=layout)
    expected = index.search(Q, k=5, exact=exact)
    for i in range(6):
        hits = index.search(forms_of(Q[[i]])[form], k=5, exact=exact)
        assert hits.ids.shape == (5,) and isinstance(hits.evals, int) and isinstance(hits.counts, int)
        assert hits.ids.tolist() == expected.ids[i].tolist()
        assert hits.distances.tobytes() == expected.distances[i].tobytes()


@laid_out
@pytest.mark.parametrize("exact", [False, True])
def test_answer_i_belongs_to_query_i_also_where_some_are_empty(
    exact: bool, layout: str, D: sp.csr_array, Q: sp.csr_array, same: Callable
) -> None:
    index = SparseIndex.build(D, layout=layout)
    empty = sp.csr_array((1, 40), dtype=np.float32)
    batch = sp.vstack([empty, Q[:3], empty, empty, *[Q] * 8, empty], format="csr")  # more than a slice
    numbers = [-1, 0, 1, 2, -1, -1, *list(range(20)) * 8, -1]
    hits, expected = index.search(batch, k=4, exact=exact), index.search(Q, k=4, exact=exact)
    for row, number in enumerate(numbers):
        if number < 0:
            assert hits.counts[row] == 0 and hits.ids[row].tolist() == [-1] * 4 and hits.evals[row] == 0
        else:
            assert hits.ids[row].tolist() == expected.ids[number].tolist() and hits.evals[row] == expected.evals[number]
    for nothing in (empty, {}, ([], []), {3: 0.0}, sp.coo_array((40,)), {3: 1e-60}):
        hits = index.search(nothing, k=4, exact=exact)
        assert np.sum(hits.counts) == 0 and (hits.ids == -1).all()


def test_scratch_is_clean_after_queries_that_are_refused(D: sp.csr_array, Q: sp.csr_array, same: Callable) -> None:
    index = SparseIndex.build(D)
    expected = [index.search(Q[[i]], k=5) for i in range(8)]
    for bad in (np.nan, np.inf):
        for i in range(8):
            wrong = Q[[i]].copy()
            if wrong.nnz:
                wrong.data[-1] = bad
                with pytest.raises(ValueError, match="Q row 0, column"):
                    index.search(wrong)
            assert same(index.search(Q[[i]], k=5), expected[i])
    for i in range(8):  # columns out of order are seen on the way too
        assert same(index.search(shuffled(Q[[i]]), k=5), expected[i])


def entries(value: float, column: int = 2, dtype: Any = np.float64) -> sp.csr_array:
    """Rows 0 to 3, of which row 2 holds a value."""
    data = np.array([1, 2, 3, value, 5], dtype)
    return sp.csr_array((data, [0, 1, 0, column, 1], [0, 1, 2, 4, 5]), shape=(4, 40))


REFUSED = [
    ("NaN", lambda: entries(np.nan), ValueError, "row 2, column 2 is nan, expected finite weights"),
    ("infinity", lambda: entries(-np.inf, 17), ValueError, "row 2, column 17 is -inf, expected finite weights"),
    ("float32 NaN", lambda: entries(np.nan, dtype=np.float32), ValueError, "row 2, column 2 is nan"),
    ("overflow", lambda: entries(1e39), ValueError, r"row 2, column 2 is 1e\+39, which overflows float32; scale the"),
    ("dense", lambda: np.ones((4, 40)), TypeError, "is a ndarray, expected a scipy sparse matrix"),
    ("matrix", lambda: np.matrix(np.ones((4, 40))), TypeError, "is a matrix, expected a scipy sparse matrix"),
    ("list", lambda: [[1.0] * 40], TypeError, "is a list, expected a scipy sparse matrix"),
    ("None", lambda: None, TypeError, "is a NoneType, expected a scipy sparse matrix"),
    ("complex", lambda: sp.csr_array(np.eye(40) * 1j), TypeError, "has dtype complex128, expected real numbers"),
    ("no columns", lambda: sp.csr_array((4, 0)), ValueError, r"has shape \(4, 0\), expected|has 0 columns"),
    ("too many", lambda: sp.coo_array((4, HUGE + 1)), ValueError, r"1 to 2\*\*31 columns|has 2147483649 columns"),
]
refused = pytest.mark.parametrize(("matrix", "error", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])


@refused
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_documents_that_cannot_be_right_are_refused_by_builds_and_adds(
    matrix: Callable, error: type, words: str, D: sp.csr_array, undamaged: Callable
) -> None:
    with pytest.raises(error, match=f"^D .*({words})"):
        SparseIndex.build(matrix())
    index = SparseIndex.build(D)
    undamaged(index)
    with pytest.raises(error, match=f"^D .*({words})"):
        index.add(matrix())


@refused
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_queries_that_cannot_be_right_are_refused_and_the_next_ones_answered(
    matrix: Callable, error: type, words: str, D: sp.csr_array, Q: sp.csr_array, same: Callable
) -> None:
    index = SparseIndex.build(D)
    before = index.search(Q)
    for exact in (False, True):
        with pytest.raises(error, match=f"^Q .*({words})"):
            index.search(matrix(), exact=exact)
        assert same(index.search(Q), before)


def test_a_matrix_of_one_dimension_is_one_query_and_no_documents(D: sp.csr_array) -> None:
    with pytest.raises(ValueError, match=r"D has shape \(40,\), expected \(n, columns\)"):
        SparseIndex.build(sp.coo_array(np.ones(40)))


REFUSED_QUERIES = [
    ({40: 1.0}, ValueError, "Q has column 40, expected 0 to 39"),
    ({3: 1.0, -1: 1.0}, ValueError, "Q has column -1, expected 0 to 39"),
    (([1, 2**40], [1.0, 2.0]), ValueError, "Q has column 1099511627776, expected 0 to 39"),
    (([1, 2], [1.0]), ValueError, r"Q has columns \(2,\) and weights \(1,\), expected as many of both"),
    (([[1, 2]], [[1.0, 2.0]]), ValueError, r"Q has columns \(1, 2\) and weights"),
    (([1.0, 2.0], [1.0, 2.0]), TypeError, "Q has columns of float64, expected integers; map tokens to columns first"),
    ({"dog": 1.0}, TypeError, "Q has columns of .*, expected integers; map tokens to columns first"),
    (([True, False], [1.0, 2.0]), TypeError, "Q has columns of bool, expected integers"),
    ({3: "a"}, TypeError, "Q has weights of .*, expected real numbers"),
    ({3: 1j}, TypeError, "Q has weights of complex128, expected real numbers"),
    ({3: float("nan")}, ValueError, "Q row 0, column 3 is nan, expected finite weights"),
    ({3: 1.0, 7: float("inf")}, ValueError, "Q row 0, column 7 is inf, expected finite weights"),
    ({3: 1e39}, ValueError, r"Q row 0, column 3 is 1e\+39, which overflows float32"),
    (([5, 5], [3e38, 3e38]), ValueError, "Q row 0, column 5 is .*, which overflows float32"),
    (sp.coo_array(np.ones(41)), ValueError, "Q has 41 columns, the index holds vectors of 40; encode"),
    (sp.csr_array(np.ones((1, 39), np.float32)), ValueError, "Q has 39 columns, the index holds vectors of 40"),
    (sp.csr_array(np.ones((3, 41))), ValueError, "Q has 41 columns, the index holds vectors of 40"),
    ((1, 2, 3), TypeError, "Q is a tuple, expected a scipy sparse matrix, or for one query {column: weight} or"),
    ("dog", TypeError, "Q is a str, expected"),
    (3, TypeError, "Q is a int, expected"),
]


@pytest.mark.parametrize(("query", "error", "words"), REFUSED_QUERIES, ids=[q[2][:40] for q in REFUSED_QUERIES])
@pytest.mark.parametrize("n", [0, 300])
def test_one_query_that_cannot_be_right_is_refused(
    n: int, query: Any, error: type, words: str, D: sp.csr_array, Q: sp.csr_array, same: Callable
) -> None:
    index = SparseIndex.build(D[:n])
    before = index.search(Q)
    for exact in (False, True):
        with pytest.raises(error, match=words):
            index.search(query, exact=exact)
    assert same(index.search(Q), before)


def misnumbered(column: int, n: int = 1) -> sp.csr_array:
    """A matrix that names a column it does not have: scipy lets it pass."""
    parts = np.ones(2, np.float32), np.array([1, column], np.int32), np.array([0] + [2] * n, np.int32)
    return sp.csr_array(parts, shape=(n, 40))


@pytest.mark.parametrize("column", [40, 41, 10**9, -1, -(10**9)])
def test_a_matrix_that_names_a_column_it_does_not_have_is_refused(
    column: int, D: sp.csr_array, Q: sp.csr_array, in_child: Callable
) -> None:
    def refuses(call: Callable[[], Any]) -> bool:
        try:
            call()
        except (ValueError, VecrecallError) as error:
            return str(column) in str(error)
        return False

    index = SparseIndex.build(D)
    expected = index.search(Q).ids.tolist()
    for call in (
        lambda: index.search(misnumbered(column)), lambda: index.search(misnumbered(column, 3)),
        lambda: index.search(misnumbered(column), exact=True), lambda: SparseIndex.build(misnumbered(column, 3)),
        lambda: SparseIndex.build(D).add(misnumbered(column)),
    ):  # fmt: skip
        assert in_child(lambda call=call: refuses(call))
    assert index.search(Q).ids.tolist() == expected


def test_ordinary_and_empty_rows_give_no_warning(D: sp.csr_array, Q: sp.csr_array) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows in (D, D[:0], sp.csr_array((5, 40)), sp.csr_array((5, HUGE)), D * np.float32(1e-42)):
            for layout in LAYOUTS:
                index = SparseIndex.build(rows, layout=layout)
                index.check()
                index.search({0: 1.0}, exact=True)
                index.search({0: 1.0})


@laid_out
@pytest.mark.parametrize("keep", ["f24", "f32"])
def test_scores_beyond_float32_are_infinite_and_of_either_sign(keep: str, layout: str) -> None:
    D = sp.csr_array(np.float32([[1e30, 2], [3e38, 1], [0, 4], [-3e38, 4]]))
    index = SparseIndex.build(D, keep=keep, layout=layout)
    for k in (1, 2, 4):
        hits = index.search({0: 1e30, 1: 1.0}, k=k, exact=True)
        assert hits.ids.tolist() == [0, 1, 2, 3][:k]
        assert hits.scores.tolist() == [np.inf, np.inf, 4, -np.inf][:k]


@pytest.mark.parametrize("given", [{"layout": "impact"}, {"layout": "blocked"}, {"layout": "impact", "alpha": 0.5}])
def test_a_bound_beyond_float32_excludes_no_document(given: dict[str, Any]) -> None:
    """The codes of a row whose weights are far apart tell nothing of the product with its smallest."""
    docs = np.array([[1e-3, 2.8e36], [3e16, 2e22], *([1.0, 2.0 + i] for i in range(10))])
    hits = SparseIndex.build(sp.csr_array(docs), keep="f32", **given).search({0: 3e19}, k=1, exact=True)
    assert hits.ids.tolist() == [1] and hits.scores == pytest.approx(9e35)


def test_what_stands_behind_the_last_entry_of_a_row_is_no_part_of_it(D: sp.csr_array) -> None:
    """scipy leaves such room where entries were removed, until prune() is called."""
    index = SparseIndex.build(D)
    for n in (0, 1, 2, 3):
        entries = np.float32([1, 2, 9]), np.int32([0, 3, 7]), np.int32([0, 3])
        row = sp.csr_array(entries, shape=(1, D.shape[1]))
        row.indptr[1] = n
        pruned = row.copy()
        pruned.prune()
        for kwargs in ({}, {"exact": True}):
            hits, expected = index.search(row, 5, **kwargs), index.search(pruned, 5, **kwargs)
            assert hits.ids.tolist() == expected.ids.tolist()
            assert hits.distances.tolist() == expected.distances.tolist()
