"""Sparse matrices and queries of every format against dictionaries of exact sums."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from vecrecall.csr import MOST_COLUMNS, Csr, as_csr, as_sparse_queries

FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]
DTYPES = [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, float]
F = np.float32


def parts_of(matrix: Any) -> dict[str, Any]:
    """Everything a sparse matrix holds, for comparison: bytes, dtypes and what it says of itself."""
    names = ("indptr", "indices", "data", "row", "col", "rows", "offsets")
    held: dict[str, Any] = {}
    for name in names:
        array = getattr(matrix, name, None)
        if isinstance(array, np.ndarray):
            held[name] = (array.dtype, array.tolist() if array.dtype == object else array.tobytes())
    return held | {"shape": matrix.shape, "items": dict(matrix) if matrix.format == "dok" else None}


def expected_rows(n: int, entries: list[tuple[int, int, Any]]) -> list[list[tuple[int, float]]]:
    """Rows of (column, sum), exact and then rounded; without zeros."""
    sums: list[dict[int, Fraction]] = [{} for _ in range(n)]
    for row, column, value in entries:
        sums[row][column] = sums[row].get(column, Fraction(0)) + Fraction(value)
    return [[(c, float(F(float(v)))) for c, v in sorted(row.items()) if F(float(v)) != 0] for row in sums]


def rows_of(csr: Csr) -> list[list[tuple[int, float]]]:
    assert csr.indptr.dtype == np.int64 and csr.columns.dtype == np.int32 and csr.values.dtype == np.float32
    assert csr.in_order()
    ends = csr.indptr.tolist()
    pairs = list(zip(csr.columns.tolist(), csr.values.tolist(), strict=True))
    return [pairs[a:b] for a, b in zip(ends, ends[1:], strict=False)]


@st.composite
def matrices(draw: st.DrawFn) -> tuple[Any, list[list[tuple[int, float]]]]:
    """(a matrix of some format, what its rows hold). Entries come in any order, twice, as zeros, and cancel."""
    n, dim = draw(st.integers(0, 5)), draw(st.sampled_from([1, 3, 8]))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind == "b":
        values = st.booleans()
    elif dtype.kind in "iu":
        values = st.integers(max(np.iinfo(dtype).min, -(2**40)), min(np.iinfo(dtype).max, 2**40))
    else:
        values = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 1e-46, 1e-40, 3e7]) | st.floats(-1e6, 1e6, width=32)
    cell = st.tuples(st.integers(0, max(n - 1, 0)), st.integers(0, dim - 1), values)
    entries = draw(st.lists(cell, max_size=20 if n else 0))
    kind = draw(st.sampled_from(FORMATS))
    twice = draw(st.booleans()) and kind in ("csr", "csc", "coo") and dtype.kind != "b"
    if twice:
        if dtype.kind == "f":  # float64 adds such values without rounding, in whatever order
            entries = [(r, c, round(v * 2**20) / 2**20) for r, c, v in entries]
        entries += draw(st.lists(st.sampled_from(entries), max_size=4)) if entries else []
        if dtype.kind != "u":
            most = np.inf if dtype.kind == "f" else np.iinfo(dtype).max
            entries += [(r, c, -v) for r, c, v in entries[:3] if -v <= most]
    else:
        entries = list({(r, c): (r, c, v) for r, c, v in entries}.values())
    data = np.array([v for *_, v in entries], dtype)
    rows, columns = (np.array([e[i] for e in entries], np.int32) for i in (0, 1))
    exact = [(r, c, v.item()) for (r, c, _), v in zip(entries, data, strict=True)]
    shape, as_matrix = (n, dim), draw(st.booleans())
    if kind in ("csr", "csc"):  # made by hand, or duplicates would be added and columns sorted
        major, minor, n_major = (rows, columns, n) if kind == "csr" else (columns, rows, dim)
        order = np.argsort(major, kind="stable")
        ends = np.searchsorted(major[order], np.arange(n_major + 1)).astype(np.int32)
        make = {"csr": (sp.csr_array, sp.csr_matrix), "csc": (sp.csc_array, sp.csc_matrix)}[kind][as_matrix]
        return make((data[order], minor[order], ends), shape=shape), expected_rows(n, exact)
    coo = (sp.coo_matrix if as_matrix else sp.coo_array)((data, (rows, columns)), shape=shape)
    return coo if kind == "coo" else coo.asformat(kind), expected_rows(n, exact)


@settings(max_examples=250, deadline=None)
@given(matrices())
def test_every_format_and_type_gives_the_same_rows_and_stays_as_it_was(drawn: tuple[Any, Any]) -> None:
    matrix, expected = drawn
    before = parts_of(matrix)
    csr = as_csr(matrix)
    assert rows_of(csr) == expected and (csr.n, csr.dim) == matrix.shape
    queries, single = as_sparse_queries(matrix, matrix.shape[1])
    assert rows_of(queries) == expected and not single
    assert parts_of(matrix) == before


@pytest.mark.parametrize("make", [sp.csr_array, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize(("values", "total"), [
    (np.array([100, 100], np.int8), 200.0),
    (np.array([200, 100], np.uint8), 300.0),
    (np.array([2**31 - 1, 1], np.int32), 2.0**31),
    (np.array([1e8, 1, -1e8], np.float32), 1.0),
    (np.array([3e38, 3e38, -3e38], np.float32), float(F(3e38))),
    (np.array([True, True]), 2.0),
])  # fmt: skip
def test_values_of_one_column_are_added_in_float64(make: Any, values: np.ndarray, total: float) -> None:
    m = len(values)
    ends = np.array([0, m])
    if make is sp.coo_array:
        matrix = make((values, (np.zeros(m, int), np.zeros(m, int))), shape=(1, 1))
    else:
        matrix = make((values, np.zeros(m, int), ends), shape=(1, 1))
    assert rows_of(as_csr(matrix)) == [[(0, total)]]


def test_a_matrix_that_says_it_is_sorted_is_not_believed() -> None:
    matrix = sp.csr_array((np.array([1.0, 2, 4]), np.array([3, 1, 3]), np.array([0, 3])), shape=(1, 5))
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    assert rows_of(as_csr(matrix)) == [[(1, 2.0), (3, 5.0)]]
    assert matrix.indices.tolist() == [3, 1, 3]


def test_rows_may_be_empty_anywhere_and_columns_may_fall_from_one_row_to_the_next() -> None:
    ends = np.array([0, 0, 0, 2, 2, 3, 3])
    matrix = sp.csr_array((np.array([1.0, 2, 3]), np.array([3, 4, 0]), ends), shape=(6, 5))
    assert rows_of(as_csr(matrix)) == [[], [], [(3, 1.0), (4, 2.0)], [], [(0, 3.0)], []]
    assert rows_of(as_csr(sp.csr_array((0, 5)))) == [] and rows_of(as_csr(sp.csr_array((2, 5)))) == [[], []]


def test_what_rounds_to_zero_is_dropped_and_the_greatest_column_is_kept() -> None:
    last = MOST_COLUMNS - 1
    matrix = sp.csr_array((np.array([1e-50, 2.0, 0.0, 3.0]), np.array([0, 7, 9, last]), np.array([0, 4])),
                          shape=(1, MOST_COLUMNS))  # fmt: skip
    assert rows_of(as_csr(matrix)) == [[(7, 2.0), (last, 3.0)]]


def test_slices_copies_and_what_follows() -> None:
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((9, 6)) < 0.4, rng.normal(size=(9, 6)), 0).astype(F)
    csr = as_csr(sp.csr_array(dense))
    everything = rows_of(csr)
    for lo, hi in ((0, 9), (2, 5), (4, 4), (8, 9)):
        part = csr.rows(lo, hi)
        assert rows_of(part) == everything[lo:hi] and np.shares_memory(part.values, csr.values) == (part.indptr[-1] > 0)
        assert rows_of(part.followed_by(csr.rows(0, 3))) == everything[lo:hi] + everything[:3]
    copy = csr.copied()
    assert rows_of(copy) == everything
    for part in ("indptr", "columns", "values"):
        assert not np.shares_memory(getattr(copy, part), getattr(csr, part))


BROKEN = {
    "columns descend": ([0, 2], [3, 1], [1, 1]),
    "a column twice": ([0, 2], [3, 3], [1, 1]),
    "a column out of range": ([0, 2], [3, 5], [1, 1]),
    "a negative column": ([0, 2], [-1, 3], [1, 1]),
    "a zero": ([0, 2], [1, 3], [1, 0]),
    "not a number": ([0, 2], [1, 3], [1, np.nan]),
    "infinite": ([0, 2], [1, 3], [-np.inf, 1]),
    "an end beyond": ([0, 3], [1, 3], [1, 1]),
    "an end before": ([0, 1], [1, 3], [1, 1]),
    "a start that is not 0": ([1, 2], [1, 3], [1, 1]),
    "ends that fall": ([0, 2, 1, 2], [1, 3], [1, 1]),
    "more columns than values": ([0, 2], [1, 3], [1]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_out_of_order_is_seen(name: str) -> None:
    indptr, columns, values = BROKEN[name]
    assert not Csr(np.array(indptr), np.array(columns, np.int32), np.array(values, F), 5).in_order()
    assert Csr(np.array([0, 2]), np.array([1, 3], np.int32), np.array([1, -1], F), 5).in_order()


def csr_of(columns: list[int], values: list[Any], dim: int = 5) -> sp.csr_array:
    return sp.csr_array((np.array(values), np.array(columns), np.array([0, len(columns)])), shape=(1, dim))


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (np.eye(3), TypeError, "D is a ndarray, expected a scipy sparse matrix; give scipy.sparse.csr_array(D)"),
    ([[1.0]], TypeError, "D is a list, expected a scipy sparse matrix; give"),
    (sp.coo_array(np.ones(4)), ValueError, "D has shape (4,), expected (n, columns)"),
    (sp.csr_array((3, 0)), ValueError, "D has shape (3, 0), expected (n, columns) with 1 to 2**31 columns"),
    (sp.coo_array((1, MOST_COLUMNS + 1)), ValueError, "expected (n, columns) with 1 to 2**31 columns"),
    (csr_of([1], [1j]), TypeError, "D has dtype complex128, expected real numbers; convert it with D.astype("),
    (csr_of([1, 3], [1.0, np.nan]), ValueError, "D row 0, column 3 is nan, expected finite weights"),
    (csr_of([1, 3], [1.0, -np.inf]), ValueError, "D row 0, column 3 is -inf, expected finite weights"),
    (csr_of([3, 1], [1.0, 1e39]), ValueError, "D row 0, column 1 is 1e+39, which overflows float32; scale the weights"),
    (csr_of([2, 2], [3e38, 3e38]), ValueError, "D row 0, column 2 is 6e+38, which overflows float32"),
    (sp.csr_array(np.diag([1.0, 1, np.inf, 1])), ValueError, "D row 2, column 2 is inf"),
]


@pytest.mark.parametrize(("matrix", "error", "message"), REFUSED)
def test_wrong_matrices_are_refused(matrix: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        as_csr(matrix)


def test_the_place_of_a_wrong_value_is_named_behind_empty_rows_and_by_the_callers_name() -> None:
    ends = np.array([0, 0, 2, 2, 2, 3])
    matrix = sp.csr_array((np.array([1.0, 2, np.nan]), np.array([3, 4, 0]), ends), shape=(5, 5))
    with pytest.raises(ValueError, match="^X row 4, column 0 is nan"):
        as_csr(matrix, name="X")
    with pytest.raises(ValueError, match="^Q has 5 columns, the index holds vectors of 7; encode both with the same"):
        as_csr(matrix, name="Q", dim=7)


@pytest.mark.parametrize(("columns", "ends"), [([5], [0, 1]), ([-1], [0, 1]), ([0, 1, 2], [0, 3, 1, 3])])
def test_a_matrix_whose_own_indices_are_wrong_is_refused(columns: list[int], ends: list[int]) -> None:
    """Scipy makes such matrices without a word; what kernels do with them is worse than an error."""
    matrix = sp.csr_array((np.ones(len(columns)), np.array(columns), np.array(ends)), shape=(len(ends) - 1, 5))
    with pytest.raises(ValueError, match="^D "):
        as_csr(matrix)


def test_one_query_in_every_form_is_the_same_row() -> None:
    expected = [[(0, 1.5), (4, -2.0)]]
    dense = np.array([1.5, 0, 0, 0, -2.0])
    forms = [
        sp.coo_array(dense),
        sp.dok_array(dense),
        sp.coo_array((np.array([-1.0, 1.5, -1.0]), (np.array([4, 0, 4]),)), shape=(5,)),
        {4: -2.0, 0: 1.5, 2: 0.0},
        {np.int64(4): F(-2), 0: 1.5},
        ([4, 0], [-2.0, 1.5]),
        ([4, 0, 4, 1], [-1.0, 1.5, -1.0, 0.0]),
        (np.array([0, 4], np.uint64), np.array([1.5, -2], np.float16)),
        (np.array([0, 4, 3, 3], np.uint8), [1.5, -2, 7, -7]),
        ((0, 4), (1.5, -2.0)),
    ]
    for form in forms:
        row, single = as_sparse_queries(form, 5)
        assert rows_of(row) == expected and single and row.dim == 5, form
    for empty in ({}, ([], []), sp.coo_array(np.zeros(5)), {3: 0.0}, (np.empty(0, int), np.empty(0))):
        row, single = as_sparse_queries(empty, 5)
        assert rows_of(row) == [[]] and single
    batch, single = as_sparse_queries(sp.csr_array(dense[None]), 5)
    assert rows_of(batch) == expected and not single


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([1.0, -1.0, 0.0, 0.1, 1e8, -1e8, 1e-50])), max_size=12))
def test_weights_of_one_column_of_a_query_are_added(pairs: list[tuple[int, float]]) -> None:
    columns, weights = [c for c, _ in pairs], [w for _, w in pairs]
    row, _ = as_sparse_queries((columns, weights), 7)
    sums = np.zeros(7)
    for c, w in pairs:
        sums[c] += w
    got = dict(rows_of(row)[0])
    for c in range(7):  # sums of float64, in an order that is not promised
        assert got.get(c, 0.0) == pytest.approx(sums[c], rel=1e-6, abs=1e-7)
    by_name, _ = as_sparse_queries(dict(pairs), 7)
    assert rows_of(by_name) == expected_rows(1, [(0, c, w) for c, w in dict(pairs).items()])


REFUSED_QUERIES: list[tuple[Any, type[Exception], str]] = [
    (np.ones(5), TypeError, "Q is a ndarray, expected a scipy sparse matrix, or for one query {column: weight} or"),
    ([1.0, 2.0], TypeError, "Q is a list, expected"),
    (([1], [2.0], [3]), TypeError, "Q is a tuple, expected"),
    (None, TypeError, "Q is a NoneType, expected"),
    (([1, 2], [1.0]), ValueError, "Q has columns (2,) and weights (1,), expected as many of both"),
    (([[1, 2]], [[1.0, 2.0]]), ValueError, "Q has columns (1, 2) and weights (1, 2), expected as many of both"),
    ({"token": 1.0}, TypeError, "expected integers; map tokens to columns first"),
    ({1.5: 1.0}, TypeError, "Q has columns of float64, expected integers"),
    ({True: 1.0}, TypeError, "Q has columns of bool, expected integers"),
    ({2**70: 1.0}, TypeError, "Q has columns of object, expected integers"),
    ({1: "heavy"}, TypeError, "expected real numbers"),
    ({1: 1j}, TypeError, "Q has weights of complex128, expected real numbers"),
    ({1: None}, TypeError, "Q has weights of object, expected real numbers"),
    ({5: 1.0}, ValueError, "Q has column 5, expected 0 to 4"),
    ({0: 1.0, -1: 1.0}, ValueError, "Q has column -1, expected 0 to 4"),
    ({2**63: 1.0}, ValueError, "Q has column 9223372036854775808, expected 0 to 4"),
    ({3: np.nan}, ValueError, "Q row 0, column 3 is nan, expected finite weights"),
    ({3: 1e39}, ValueError, "Q row 0, column 3 is 1e+39, which overflows float32"),
    (sp.coo_array(np.ones(4)), ValueError, "Q has 4 columns, the index holds vectors of 5"),
    (sp.csr_array(np.ones((2, 6))), ValueError, "Q has 6 columns, the index holds vectors of 5"),
]


@pytest.mark.parametrize(("query", "error", "message"), REFUSED_QUERIES)
def test_wrong_queries_are_refused(query: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        as_sparse_queries(query, 5)


@pytest.mark.parametrize("query", [(3, 2.0), (np.int64(3), np.float32(2)), (3, [2.0])])
def test_bare_numbers_in_place_of_lists_are_refused_in_words(query: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="^Q "):
        as_sparse_queries(query, 5)
