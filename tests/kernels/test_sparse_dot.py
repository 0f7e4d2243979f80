"""Products of sparse rows against float64, by the definitions of :mod:`vecrecall.sparse.weights`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from bench.micro.cases import COLUMN_BYTES
from bench.micro.cases import ROW_LENGTHS as LENGTHS
from bench.micro.inputs import SparseRow as Row
from vecrecall.kernels import cpu, sparse_dot
from vecrecall.kernels.memory import address
from vecrecall.sparse.weights import SIGNED, UNSIGNED, Table, float_of

TABLES = pytest.mark.parametrize("table", [UNSIGNED, SIGNED], ids=["unsigned", "signed"])
WIDTHS = pytest.mark.parametrize("n_bytes", COLUMN_BYTES)
WIDE = pytest.param("wide", marks=pytest.mark.skipif(not cpu.HAS_AVX512, reason="needs AVX-512"))
FORMS = pytest.mark.parametrize("form", ["portable", WIDE])


@njit
def codes_portable(weights, columns, n_bytes, codes, n, n_codes, unit, lowest):
    return sparse_dot._codes_portable(weights, columns, n_bytes, codes, n, n_codes, unit, lowest)


@njit
def codes_wide(weights, columns, n_bytes, codes, n, n_codes, unit, lowest):
    return sparse_dot._codes_wide(weights, columns, n_bytes, codes, n, n_codes, unit, lowest)


@njit
def both_portable(weights, columns, n_bytes, codes, residuals, n, n_codes, unit, lowest, tiny):
    return sparse_dot._both_portable(weights, columns, n_bytes, codes, residuals, n, n_codes, unit, lowest, tiny)


@njit
def both_wide(weights, columns, n_bytes, codes, residuals, n, n_codes, unit, lowest, tiny):
    return sparse_dot._both_wide(weights, columns, n_bytes, codes, residuals, n, n_codes, unit, lowest, tiny)


@njit
def whole(weights, columns, n_bytes, values, n):
    return sparse_dot.dot_whole(weights, columns, n_bytes, values, n)


@njit
def ones(weights, columns, n_bytes, n):
    return sparse_dot.dot_ones(weights, columns, n_bytes, n)


CODES = {"portable": codes_portable, "wide": codes_wide}
BOTH = {"portable": both_portable, "wide": both_wide}


def middles(table: Table, codes: np.ndarray) -> np.ndarray:
    """The float32 in the middle of each code."""
    bare = codes.astype(np.int64) % table.n
    return np.where(codes >= table.n, -1, 1) * float_of(table.lowest + bare * table.step + table.step // 2)


def values_of(table: Table, codes: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """The weights that codes and residuals stand for, in their row's scale."""
    bare, place = codes.astype(np.int64) % table.n, residuals.astype(np.int64) + 1
    bits = table.lowest + bare * table.step + (place * table.unit + 128) // 256
    sizes = np.where(bare == 0, (place * table.tiny / 65536).astype(np.float32), float_of(bits))
    return np.where(codes >= table.n, -sizes, sizes)


def test_the_wide_forms_are_used_where_gathering_is_fast() -> None:
    form = "wide" if cpu.HAS_FAST_GATHER else "portable"
    assert sparse_dot.dot_codes is getattr(sparse_dot, f"_codes_{form}")
    assert sparse_dot.dot_both is getattr(sparse_dot, f"_both_{form}")


@FORMS
@WIDTHS
@TABLES
@pytest.mark.parametrize("n", LENGTHS)
def test_products_with_the_middles_of_codes(n: int, table: Table, n_bytes: int, form: str) -> None:
    row = Row(np.random.default_rng(n), n, n_bytes, table)
    got = CODES[form](*row.head(), row.codes_at, n, table.n, table.unit, table.lowest)
    terms = row.products * middles(table, row.codes)
    spread = np.abs(terms).sum()
    assert abs(got[0] - terms.sum()) <= (n + 2) * 2.0**-24 * spread
    assert abs(got[1] - spread) <= (n + 2) * 2.0**-24 * spread


@FORMS
@WIDTHS
@TABLES
@pytest.mark.parametrize("n", LENGTHS)
def test_products_with_both_planes_are_those_of_float64(n: int, table: Table, n_bytes: int, form: str) -> None:
    row = Row(np.random.default_rng(n), n, n_bytes, table)
    got = BOTH[form](
        *row.head(), row.codes_at, address(row.residuals), n, table.n, table.unit, table.lowest, table.tiny
    )
    terms = row.products * values_of(table, row.codes, row.residuals[: row.n])
    assert abs(got - terms.sum()) <= (n + 2) * 2.0**-53 * np.abs(terms).sum()


@FORMS
@TABLES
def test_every_code_has_its_value_and_its_sign(table: Table, form: str) -> None:
    """One entry at a time, so that nothing hides behind a sum; the weight is 1."""
    n_codes = 256 if table is SIGNED else table.n
    codes = np.arange(n_codes).astype(np.uint8)
    weights, column, place = np.ones(8, np.float32), np.array([5], np.uint16), np.zeros(1, np.uint16)
    expected = middles(table, codes)
    of_table = table.n, table.unit, table.lowest
    for residual in (0, 1, 127, 128, 40_000, 65_534, 65_535):
        place[0] = residual
        values = values_of(table, codes, np.full(n_codes, residual))
        for i in range(n_codes):
            at = address(codes) + i
            if residual == 0:
                got = CODES[form](address(weights), address(column), 2, at, 1, *of_table)
                assert got == (expected[i], abs(expected[i]))
            got = BOTH[form](address(weights), address(column), 2, at, address(place), 1, *of_table, table.tiny)
            assert got == values[i], (i, residual)


@WIDTHS
@pytest.mark.parametrize("n", LENGTHS)
def test_whole_weights_and_ones_are_summed_in_the_order_of_columns(n: int, n_bytes: int) -> None:
    rng = np.random.default_rng(n)
    row = Row(rng, n, n_bytes, UNSIGNED)
    values = (rng.normal(size=n + 16) * 10.0 ** rng.integers(-30, 30, n + 16)).astype(np.float32)
    got = whole(*row.head(), address(values), n)
    assert got == sum((row.products * values[:n].astype(np.float64)).tolist())
    assert ones(*row.head(), n) == (sum(row.products.tolist()), sum(np.abs(row.products).tolist()))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 90), st.sampled_from([2, 4]), st.booleans(), st.integers(0, 7))
def test_rows_at_any_address_give_the_same_in_every_form(
    seed: int, n: int, n_bytes: int, signed: bool, odd: int
) -> None:
    table = SIGNED if signed else UNSIGNED
    row = Row(np.random.default_rng(seed), n, n_bytes, table, odd)
    of_table = table.n, table.unit, table.lowest
    exact = row.products * values_of(table, row.codes, row.residuals[: row.n])
    rough = row.products * middles(table, row.codes)
    for form in ("portable", "wide") if cpu.HAS_AVX512 else ("portable",):
        got = BOTH[form](*row.head(), row.codes_at, address(row.residuals), n, *of_table, table.tiny)
        assert abs(got - exact.sum()) <= (n + 2) * 2.0**-53 * np.abs(exact).sum()
        total, spread = CODES[form](*row.head(), row.codes_at, n, *of_table)
        assert abs(total - rough.sum()) <= (n + 2) * 2.0**-24 * np.abs(rough).sum()
        assert abs(spread - np.abs(rough).sum()) <= (n + 2) * 2.0**-24 * np.abs(rough).sum()
    assert ones(*row.head(), n) == (sum(row.products.tolist()), sum(np.abs(row.products).tolist()))
