"""The selection kernel against a sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecrecall.kernels.topk import select


def slow(keys: np.ndarray, left_out: np.ndarray, k: int) -> list[list[tuple[float, int]]]:
    """The k least (key, slot) of each row, by sorting."""
    return [
        sorted((key, slot) for slot, key in enumerate(row) if slot != out)[:k]
        for row, out in zip(keys.tolist(), left_out.tolist(), strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), st.integers(1, 300), st.integers(1, 40), st.integers(1, 150), st.integers(0, 2**32))
def test_tiles_offered_in_turn_leave_the_least_keys(m: int, n: int, k: int, tile: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    products = rng.integers(-6, 6, (m, n)).astype(np.float32)  # many ties
    bias = rng.integers(0, 6, n).astype(np.float32)
    left_out = rng.integers(-1, n, m)
    keys = np.full((m, k), np.inf, np.float32)
    slots = np.full((m, k), -1)
    for lo in range(0, n, tile):
        part = np.ascontiguousarray(products[:, lo : lo + tile])
        select(part, bias[lo : lo + tile].copy(), lo, left_out, keys, slots)
    order = np.lexsort((slots, keys))
    keys, slots = np.take_along_axis(keys, order, 1), np.take_along_axis(slots, order, 1)
    for row, expected in enumerate(slow(bias - products, left_out, k)):
        assert list(zip(keys[row], slots[row], strict=True))[: len(expected)] == expected
        assert (slots[row, len(expected) :] == -1).all() and np.isinf(keys[row, len(expected) :]).all()


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_a_number_never_enters(value: float) -> None:
    keys, slots = np.full((1, 3), np.inf, np.float32), np.full((1, 3), -1)
    select(np.zeros((1, 200), np.float32), np.full(200, value, np.float32), 0, np.array([-1]), keys, slots)
    assert (slots == -1).all()
