"""Forward rows: weights come back as near as is promised, and parts are cut and joined as lists are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from vecrecall.csr import Csr, as_csr
from vecrecall.sparse.rows import Parts, Rows, joined, parted, taken
from vecrecall.sparse.weights import table_of
from vecrecall.threads import Workers

F = np.float32
NEAR = 1e-6  # relative error of both planes
KEEPS = pytest.mark.parametrize("keep", ["f24", "f32"])
GREATEST, LEAST = float(np.finfo(F).max), float(np.finfo(F).smallest_subnormal)
CALLER = Workers(1)

powers = st.integers(-149, 127).map(lambda e: float(F(2.0**e)))
neighbours = st.tuples(powers, st.sampled_from([0.0, np.inf])).map(lambda p: float(np.nextafter(F(p[0]), F(p[1]))))
sizes = (
    st.floats(LEAST, 2.0**127, width=32)  # what is greater has a test of its own
    | powers
    | neighbours
    | st.sampled_from([LEAST, 1.0, float(np.finfo(F).tiny)])
    | st.floats(0.5, 2.0, width=32)
).filter(lambda x: 0 < x <= 2.0**127)


@pytest.fixture(params=[1, 2])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    with Workers(request.param) as made:
        yield made


def csr_of(rows: list[list[float]], dim: int = 0, columns: list[list[int]] | None = None) -> Csr:
    """Rows of weights, in columns 0, 1, 2, ... or in those given."""
    lengths = [len(row) for row in rows]
    named = columns or [list(range(length)) for length in lengths]
    return Csr(
        np.cumsum([0, *lengths]), np.array([c for row in named for c in row], np.int32),
        np.array([w for row in rows for w in row], F), dim or max([1, *lengths]),
    )  # fmt: skip


def random_csr(n: int, dim: int, seed: int, *, signed: bool = False, equal: float | None = None) -> Csr:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, min(dim, 12) + 1, n)
    columns = [np.sort(rng.choice(dim, m, replace=False)) for m in lengths]
    values = (rng.gamma(2, 1, lengths.sum()) + 0.01) * 10.0 ** np.repeat(rng.integers(-30, 30, n), lengths)
    if signed:
        values *= rng.choice([-1, 1], len(values))
    if equal is not None:
        values[:] = equal
    flat = np.concatenate([*columns, np.empty(0, int)]).astype(np.int32)
    return Csr(np.concatenate([[0], np.cumsum(lengths)]), flat, values.astype(F), dim)


def columns_of(rows: Rows) -> np.ndarray:
    """Columns as the matrix numbers them."""
    return rows.unpacked()[0] if rows.terms is None else rows.terms[rows.unpacked()[0]]


def assert_near(weights: np.ndarray, csr: Csr, signed: bool, within: float = 1.0) -> None:
    """As near as :mod:`vecrecall.sparse.weights` says; within: how many roundings there were."""
    true, got = csr.values.astype(np.float64), weights.astype(np.float64)
    table = table_of(signed)
    lengths = np.diff(csr.indptr)
    greatest = np.repeat(
        [np.abs(true[a:b]).max(initial=0) for a, b in zip(csr.indptr, csr.indptr[1:], strict=False)], lengths
    )
    assert np.isfinite(got).all() and (np.sign(got) == np.sign(true)).all()
    apart = np.abs(got - true)
    bottom = 2 * table.tiny / 65536 * greatest + LEAST  # its scale is at most twice the greatest weight
    near = within * (NEAR * np.abs(true) + np.where(np.abs(true) > 2 * table.tiny * greatest, 0, bottom))
    assert (apart <= near).all(), (true[apart > near], got[apart > near])


@KEEPS
@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.tuples(sizes, st.booleans()), max_size=6), max_size=4), st.booleans(), st.booleans())
def test_any_float32_comes_back_as_near_as_is_promised(
    keep: str, drawn: list[list[tuple[float, bool]]], signed: bool, alone: bool
) -> None:
    """Denormals, the greatest numbers, powers of two and their neighbours; alone: one size a row."""
    rows = [[-w if minus and signed else w for w, minus in (row[:1] if alone else row)] for row in drawn]
    csr = csr_of([[*row, 1.0, 0.75] for row in rows] if not alone else [*rows, [1.0, 0.75]])
    got = parted(csr, keep, CALLER).packed(CALLER)
    assert got.signed == bool((csr.values < 0).any()) and got.n == csr.n and got.nnz == len(csr.values)
    np.testing.assert_array_equal(got.unpacked()[0], csr.columns)
    np.testing.assert_array_equal(got.indptr(), csr.indptr)
    if keep == "f32":
        assert got.weights().tobytes() == csr.values.tobytes()
    else:
        assert_near(got.weights(), csr, got.signed)


def test_the_greatest_weight_of_a_row_may_be_any_power_of_two_or_its_neighbour() -> None:
    powers = F(2.0) ** np.arange(-149, 128, dtype=np.float64)
    tops = np.concatenate([powers, np.nextafter(powers.astype(F), F(0)), np.nextafter(powers.astype(F), F(np.inf))])
    tops = tops[tops > 0].astype(F)
    for signs in (1, -1):
        rows = [[float(top), float(signs * top * F(0.7)) or LEAST, float(top * F(2.0**-13)) or LEAST] for top in tops]
        csr = csr_of(rows)
        got = parted(csr, "f24", CALLER).packed(CALLER)
        assert_near(got.weights(), csr, got.signed)
        exponents = (got.heads[:-1] & 0xFFFF) - 32768  # the greatest weight is in (1/2, 1] of its scale
        scaled = np.abs(tops.astype(np.float64)) * 2.0 ** -exponents.astype(np.float64)
        assert (scaled > 0.5).all() and (scaled <= 1).all()


@pytest.mark.parametrize("greatest", [GREATEST, float(np.nextafter(F(GREATEST), F(0))), GREATEST * (1 - 4e-7)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_greatest_numbers_stay_finite(greatest: float, sign: int) -> None:
    csr = csr_of([[sign * greatest, 1.0], [greatest / 2, 3.0]])
    weights = parted(csr, "f24", CALLER).packed(CALLER).weights()
    assert np.isfinite(weights).all(), weights
    assert_near(weights, csr, sign < 0)


@KEEPS
@pytest.mark.parametrize("equal", [1.0, -2.5, 1e-40, GREATEST])
def test_equal_weights_take_no_planes(keep: str, equal: float, workers: Workers) -> None:
    csr = random_csr(300, 50, 0, equal=equal)
    rows = parted(csr, keep, workers).packed(workers)
    assert rows.residuals is None and not rows.coded and rows.signed == (equal < 0)
    assert len(rows.entries) == 2 * rows.nnz and rows.weights().tobytes() == csr.values.tobytes()
    np.testing.assert_array_equal(rows.unpacked()[0], csr.columns)
    assert rows.nbytes() == rows.heads.nbytes + rows.entries.nbytes
    other = csr.followed_by(csr_of([[equal, equal * 2 if equal != GREATEST else 1.0]], csr.dim))
    assert parted(other, keep, workers).packed(workers).coded


@KEEPS
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("dim", "name_bytes"), [(50, 2), (65_536, 2), (65_537, 2), (10**6, 2), (2**31, 2)])
def test_rows_are_packed_and_unpacked(dim: int, name_bytes: int, signed: bool, keep: str, workers: Workers) -> None:
    csr = random_csr(1500, min(dim, 2000), 1, signed=signed)
    if dim > 2000:
        csr = Csr(csr.indptr, (csr.columns.astype(np.int64) * (dim // 2000) + dim - 1 - 1999 * (dim // 2000))
                  .astype(np.int32), csr.values, dim)  # fmt: skip
        assert csr.columns.max() == dim - 1 and csr.columns.min() >= 0
    rows = parted(csr, keep, workers).packed(workers)
    assert (rows.terms is None) == (dim <= 65_536) and rows.column_bytes == name_bytes
    assert rows.n_terms == (dim if dim <= 65_536 else len(np.unique(csr.columns)))
    np.testing.assert_array_equal(columns_of(rows), csr.columns)
    np.testing.assert_array_equal(rows.indptr(), csr.indptr)
    assert len(rows.entries) == rows.nnz * rows.entry_bytes == rows.nnz * (name_bytes + 1)
    if keep == "f32":
        assert rows.weights().tobytes() == csr.values.tobytes()
    else:
        assert_near(rows.weights(), csr, signed)
    columns, weights = rows.contents()
    assert columns.tobytes() == rows.unpacked()[0].tobytes() and weights.tobytes() == rows.weights().tobytes()


def test_more_terms_than_16_bits_can_name_are_named_by_32() -> None:
    n, dim = 70_000, 200_000
    rng = np.random.default_rng(0)
    columns = np.sort(rng.choice(dim, n, replace=False)).astype(np.int32)
    columns[-1] = dim - 1
    values = (rng.gamma(2, 1, n) + 0.01).astype(F)
    csr = Csr(np.arange(0, n + 1, 7), columns, values, dim)
    rows = parted(csr, "f24", CALLER).packed(CALLER)
    assert rows.column_bytes == 4 and rows.n_terms == n and rows.entry_bytes == 5 and len(rows.entries) == 5 * n
    np.testing.assert_array_equal(columns_of(rows), columns)
    assert_near(rows.weights(), csr, False)
    some = taken(rows, np.array([9_999, 0, 5])).packed(CALLER)
    assert some.column_bytes == 2 and some.n_terms == 21
    np.testing.assert_array_equal(columns_of(some), np.concatenate([columns[-7:], columns[:7], columns[35:42]]))


def test_an_entry_is_laid_out_as_it_is_said() -> None:
    csr = csr_of([[1.0, 0.5], [], [2.0]], 70_000, [[258, 69_999], [], [1]])
    rows = parted(csr, "f24", CALLER).packed(CALLER)
    codes = rows.unpacked()[1]
    assert rows.terms is not None and rows.terms.tolist() == [1, 258, 69_999]
    assert rows.entries.tolist() == [1, 0, 2, 0, codes[0], codes[1], 0, 0, codes[2]]
    assert codes[0] == codes[2] == 255 and (rows.heads >> 16).tolist() == [0, 2, 2, 3]


def weights_by_row(parts: Parts) -> list[dict[int, float]]:
    rows = parts.packed(CALLER)
    columns, weights, ends = columns_of(rows).tolist(), rows.weights().tolist(), rows.indptr().tolist()
    return [dict(zip(columns[a:b], weights[a:b], strict=True)) for a, b in zip(ends, ends[1:], strict=False)]


KINDS: dict[str, dict[str, Any]] = {"plain": {}, "signed": {"signed": True}, "equal": {"equal": 1.5}}


@KEEPS
@pytest.mark.parametrize("dim", [40, 100_000])
@pytest.mark.parametrize("kind", KINDS)
def test_parts_are_taken_chosen_and_emptied_as_lists_are(kind: str, dim: int, keep: str) -> None:
    csr, rng = random_csr(60, dim, 3, **KINDS[kind]), np.random.default_rng(1)
    parts = parted(csr, keep, CALLER)
    rows = parts.packed(CALLER)
    listed = weights_by_row(parts)
    assert [len(row) for row in listed] == np.diff(csr.indptr).tolist()
    places = rng.permutation(60)
    assert weights_by_row(taken(rows, places)) == [listed[i] for i in places]
    assert weights_by_row(taken(rows, places[:7])) == [listed[i] for i in places[:7]]
    assert weights_by_row(taken(rows, np.array([3, 3]))) == [listed[3], listed[3]]
    for mask in (rng.random(60) < 0.5, np.zeros(60, bool), np.ones(60, bool)):
        chosen = parts.chosen(mask)
        assert chosen.n == mask.sum() and weights_by_row(chosen) == [row for row, kept in zip(listed, mask) if kept]
        emptied = parts.emptied(mask)
        assert emptied.n == 60 and weights_by_row(emptied) == [{} if dead else row for row, dead in zip(listed, mask)]
    assert weights_by_row(parts) == listed  # nothing changed in place


@KEEPS
@pytest.mark.parametrize("kinds", [("plain", "plain"), ("signed", "signed"), ("equal", "equal"), ("plain", "signed"),
                                   ("equal", "plain"), ("signed", "equal", "plain")])  # fmt: skip
def test_joined_parts_are_their_rows_one_after_another(kinds: tuple[str, ...], keep: str) -> None:
    made = [random_csr(20 + i, 40, i, **KINDS[kind]) for i, kind in enumerate(kinds)]
    empty = csr_of([[], []], 40)
    parts = [parted(csr, keep, CALLER) for csr in (empty, *made, empty)]
    together = joined(parts, keep, CALLER)
    whole = empty
    for csr in (*made, empty):
        whole = whole.followed_by(csr)
    rows = together.packed(CALLER)
    assert together.n == whole.n and rows.signed == ("signed" in kinds) and rows.coded == (set(kinds) != {"equal"})
    np.testing.assert_array_equal(rows.indptr(), whole.indptr)
    np.testing.assert_array_equal(rows.unpacked()[0], whole.columns)
    if keep == "f32":
        assert rows.weights().tobytes() == whole.values.tobytes()
    elif len(set(kinds)) == 1:  # nothing is rounded twice
        alone = np.concatenate([part.packed(CALLER).weights() for part in parts])
        assert rows.weights().tobytes() == alone.tobytes()
    else:
        assert_near(rows.weights(), whole, True, within=2)


def test_equal_weights_of_two_kinds_are_not_mistaken_for_one() -> None:
    ones, twos = csr_of([[1.0, 1.0]]), csr_of([[2.0, 2.0]])
    parts = joined([parted(ones, "f24", CALLER), parted(twos, "f24", CALLER)], "f24", CALLER)
    assert parts.packed(CALLER).weights().tolist() == [1, 1, 2, 2]
    again = joined([parted(ones, "f24", CALLER), parted(ones, "f24", CALLER)], "f24", CALLER)
    assert again.packed(CALLER).weights().tolist() == [1] * 4 and again.residuals is None


def test_rows_without_any_entry() -> None:
    for csr in (csr_of([[], [], []], 9), csr_of([], 9), csr_of([[]], 2**31)):
        parts = parted(csr, "f24", CALLER)
        rows = parts.packed(CALLER)
        assert rows.n == csr.n and rows.nnz == 0 and len(rows.weights()) == len(rows.unpacked()[0]) == 0
        assert joined([parts, parts], "f24", CALLER).n == 2 * csr.n
        assert weights_by_row(parts.chosen(np.zeros(csr.n, bool))) == []


def test_one_and_two_threads_give_the_same_bytes() -> None:
    csr = random_csr(40_000, 300, 9, signed=True)  # several tiles
    made = []
    for n in (1, 2):
        with Workers(n) as workers:
            rows = parted(csr, "f24", workers).packed(workers)
        made.append([part.tobytes() for part in (rows.heads, rows.entries, rows.residuals)])
    assert made[0] == made[1]


@pytest.mark.parametrize("keep", ["f24", "f32"])
@pytest.mark.parametrize("equal", [False, True])
def test_rows_are_put_in_another_order_whole(keep: str, equal: bool) -> None:
    rng = np.random.default_rng(3)
    matrix = sp.random_array((90, 40), density=0.2, rng=rng, format="csr", dtype=np.float32)
    if equal:
        matrix.data[:] = 2
    rows = parted(as_csr(matrix), keep, CALLER).packed(CALLER)
    order = rng.permutation(90)
    for n_workers in (1, 2):
        with Workers(n_workers) as workers:
            moved = rows.ordered(order, workers)
        expected = taken(rows, order).packed(CALLER)
        assert np.array_equal(moved.heads, expected.heads) and np.array_equal(moved.entries, expected.entries)
        assert (moved.residuals is None) == equal and (equal or np.array_equal(moved.residuals, expected.residuals))
