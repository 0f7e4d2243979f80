"""Chunks of accumulators against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.kernels import chunks
from vecrecall.kernels.chunks import CHUNK, GROUP
from vecrecall.kernels.memory import address

WIDE = pytest.mark.parametrize("wide", [False, True])


@njit
def greatest_and_reaching(chunk, limit, wide):
    if wide:
        return chunks.greatest16(chunk), chunks.reaching16(chunk, limit)
    return chunks.greatest8(chunk), chunks.reaching8(chunk, limit)


@njit
def fill(accumulators, n, value, wide):
    if wide:
        chunks.fill16(accumulators, n, value)
    else:
        chunks.fill8(accumulators, n, value)


@njit
def clear(group, wide):
    if wide:
        chunks.clear16(group)
    else:
        chunks.clear8(group)


@njit
def any_reaching(group, limit, wide):
    if wide:
        return chunks.any_reaching16(group, limit)
    return chunks.any_reaching8(group, limit)


@njit
def places_of(mask, out):
    n = 0
    while mask != 0:
        out[n] = chunks.first_set(mask)
        mask &= mask - 1
        n += 1
    return n


def kind(wide: bool) -> type:
    return np.uint16 if wide else np.uint8


def at(values: np.ndarray, offset: int) -> np.ndarray:
    """The same values at any address, odd ones included: a view of bytes, which must be kept."""
    raw = np.zeros(values.nbytes + offset + 64, np.uint8)
    raw[offset : offset + values.nbytes] = values.view(np.uint8)
    return raw


@WIDE
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_greatest_and_those_that_reach_a_limit(wide: bool, data: st.DataObject) -> None:
    top = np.iinfo(kind(wide)).max
    values = np.array(data.draw(st.lists(st.integers(0, top) | st.sampled_from([0, top // 2, top // 2 + 1, top]),
                                         min_size=CHUNK, max_size=CHUNK)), kind(wide))  # fmt: skip
    limit = data.draw(st.sampled_from([0, 1, top // 2, top // 2 + 1, top, int(values[7])]))
    offset = data.draw(st.integers(0, 3))
    raw = at(values, offset)
    greatest, mask = greatest_and_reaching(address(raw) + offset, limit, wide)
    assert greatest == values.max()
    assert mask == int(np.packbits(values >= limit, bitorder="little").view(np.int64)[0])


@WIDE
def test_the_greatest_may_stand_anywhere_and_neighbours_do_not_count(wide: bool) -> None:
    values = np.zeros(3 * CHUNK, kind(wide))
    values[:CHUNK] = values[2 * CHUNK :] = np.iinfo(kind(wide)).max
    middle = address(values) + CHUNK * values.itemsize
    assert greatest_and_reaching(middle, 1, wide) == (0, 0)
    for place in range(CHUNK):
        values[CHUNK + place] = 200
        greatest, mask = greatest_and_reaching(middle, 200, wide)
        assert greatest == 200 and mask % 2**64 == 1 << place
        assert greatest_and_reaching(middle, 201, wide)[1] == 0
        values[CHUNK + place] = 0


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 63)) | st.sampled_from([{0}, {63}, {0, 63}, set(range(64))]))
def test_the_bits_of_a_mask_are_walked_from_the_lowest(places: set[int]) -> None:
    mask = np.array(sum(1 << place for place in places), np.uint64).view(np.int64)
    out = np.full(64, -1)
    n = places_of(int(mask), out)
    assert out[:n].tolist() == sorted(places)


@WIDE
def test_a_group_tells_whether_any_of_its_accumulators_reaches_a_limit(wide: bool) -> None:
    top = int(np.iinfo(kind(wide)).max)
    size = GROUP * CHUNK
    values = np.full(3 * size, top, kind(wide))
    values[size:-size] = 3
    middle = address(values) + size * values.itemsize
    for limit, expected in ((0, True), (3, True), (4, False), (top, False)):
        assert any_reaching(middle, limit, wide) is expected
    for place in range(size):
        for value in (4, top // 2 + 1, top):
            values[size + place] = value
            assert any_reaching(middle, value, wide), (place, value)
            assert value == top or not any_reaching(middle, value + 1, wide), (place, value)
        values[size + place] = 3


@WIDE
@pytest.mark.parametrize("n_groups", [0, 1, 2, 3])
def test_filling_and_clearing_stay_within_their_bounds(wide: bool, n_groups: int) -> None:
    top, size = int(np.iinfo(kind(wide)).max), GROUP * CHUNK
    for value, offset in ((0, 0), (1, 1), (top // 2 + 1, 3), (top, 2)):
        raw = at(np.full((n_groups + 2) * size, 77, kind(wide)), offset)
        first = offset + size * kind(wide)().itemsize
        fill(address(raw) + first, n_groups * size, value, wide)
        values = raw[offset:-64].view(kind(wide))
        expected = np.full((n_groups + 2) * size, 77)
        expected[size:-size] = value
        assert values.tolist() == expected.tolist()
        for g in range(n_groups):
            clear(address(raw) + first + g * size * values.itemsize, wide)
            expected[(g + 1) * size : (g + 2) * size] = 0
            assert values.tolist() == expected.tolist()
        assert (raw[:offset] == 0).all() and (raw[-64:] == 0).all()
