"""The two planes of weights: what codes and residuals mean, and how near they come."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.sparse.rows import encode
from vecrecall.sparse.weights import ONE, SIGNED, UNITS, UNSIGNED, Table, float_of, table_of

TABLES = pytest.mark.parametrize("table", [UNSIGNED, SIGNED], ids=["unsigned", "signed"])


def encoded(table: Table, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes and residuals of weights up to 1, each a row with a weight of 1 (whose scale is 1)."""
    n = len(weights)
    values = np.ones(2 * n, np.float32)
    values[::2] = weights
    codes, residuals, exponents = np.zeros(2 * n, np.uint8), np.zeros(2 * n, np.uint16), np.ones(n, np.int64)
    encode(
        2 * np.arange(n + 1), values, 0, n, table.n, table.unit, table.lowest, table.tiny, codes, residuals, exponents
    )
    assert not exponents.any()
    return codes[::2].astype(np.int64), residuals[::2].astype(np.int64)


def all_sizes(table: Table) -> np.ndarray:
    """float32 in (0, 1] of all sizes, and the neighbours of all that is special: edges of codes, powers of two."""
    rng = np.random.default_rng(0)
    bits = rng.integers(1, ONE + 1, 20_000)
    within = rng.integers(table.lowest, ONE + 1, 20_000)
    edges = np.concatenate([table.lowest + table.step * np.arange(table.n + 1), (127 - np.arange(127)) << 23])
    near = (edges[:, None] + np.arange(-2, 3)).ravel()
    bits = np.concatenate([bits, within, near, [1, 2, 3]])
    return float_of(np.unique(bits[(bits > 0) & (bits <= ONE)]))


def test_the_tables_are_what_is_said_of_them() -> None:
    assert (UNSIGNED.n, SIGNED.n, UNITS) == (256, 128, 65536)
    assert table_of(True) is SIGNED and table_of(False) is UNSIGNED
    assert UNSIGNED.error <= 0.044 and SIGNED.error <= 0.053
    assert UNSIGNED.tiny <= 2.0**-23 and SIGNED.tiny <= 2.0**-14
    for table in (UNSIGNED, SIGNED):
        assert table.step == 256 * table.unit and table.lowest + table.n * table.step == ONE and table.lowest > 0
        assert table.tiny == float(np.int32(table.lowest + table.step).view(np.float32))


@TABLES
def test_a_code_says_what_a_weight_is_to_the_error_of_the_table(table: Table) -> None:
    weights = all_sizes(table)
    codes, _ = encoded(table, weights)
    assert (np.diff(codes) >= 0).all() and codes[0] == 0 and codes[-1] == table.n - 1  # weights ascend
    middles = float_of(table.lowest + codes * table.step + table.step // 2)
    apart = np.abs(weights - middles)
    tiny = codes == 0
    assert (apart[~tiny] <= (table.error + 1e-6) * middles[~tiny]).all()
    assert (apart[~tiny] / middles[~tiny]).max() > 0.999 * table.error  # and no less would do
    assert (weights[tiny] <= table.tiny * (1 + 1e-6)).all() and (weights[~tiny] > table.tiny).all()
    assert (apart[tiny] <= table.tiny).all()


@TABLES
def test_both_planes_say_what_a_weight_is_to_a_millionth(table: Table) -> None:
    weights = all_sizes(table)
    codes, residuals = encoded(table, weights)
    places = residuals + 1
    values = np.where(
        codes == 0,
        places * table.tiny / UNITS,
        float_of(table.lowest + codes * table.step + (places * table.unit + 128) // 256),
    )
    apart, tiny = np.abs(values - weights), codes == 0
    worst = (apart[~tiny] / weights[~tiny]).max()
    assert worst <= (1e-6 if table is SIGNED else 8e-7), worst
    bottom = table.tiny / UNITS
    inside = tiny & (weights >= bottom)
    assert (apart[inside] <= 0.5001 * bottom).all() and (apart[tiny] <= bottom).all()
    assert (values > 0).all() and values[-1] == 1
    assert (np.diff(values) >= 0).all()  # rounding never changes an order
