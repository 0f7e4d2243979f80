"""Chunks of accumulators against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.kernels import chunks
from vecrecall.kernels.chunks import CHUNK, FOLD
from vecrecall.kernels.memory import address

WIDE = pytest.mark.parametrize("wide", [False, True])


@njit
def reaching(chunk, limit, wide):
    return chunks.reaching16(chunk, limit) if wide else chunks.reaching8(chunk, limit)


@njit
def fold(accumulators, n_chunks, out, wide):
    if wide:
        chunks.fold16(accumulators, n_chunks, out)
    else:
        chunks.fold8(accumulators, n_chunks, out)


@njit
def count(folded, limit, wide):
    return chunks.count16(folded, limit) if wide else chunks.count8(folded, limit)


@njit
def fill(accumulators, n, value, wide):
    if wide:
        chunks.fill16(accumulators, n, value)
    else:
        chunks.fill8(accumulators, n, value)


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
def test_those_that_reach_a_limit(wide: bool, data: st.DataObject) -> None:
    top = np.iinfo(kind(wide)).max
    values = np.array(data.draw(st.lists(st.integers(0, top) | st.sampled_from([0, top // 2, top // 2 + 1, top]),
                                         min_size=CHUNK, max_size=CHUNK)), kind(wide))  # fmt: skip
    limit = data.draw(st.sampled_from([0, 1, top // 2, top // 2 + 1, top, int(values[7])]))
    offset = data.draw(st.integers(0, 3))
    raw = at(values, offset)
    mask = reaching(address(raw) + offset, limit, wide)
    assert mask == int(np.packbits(values >= limit, bitorder="little").view(np.int64)[0])


@WIDE
def test_neighbours_of_a_chunk_do_not_count(wide: bool) -> None:
    values = np.zeros(3 * CHUNK, kind(wide))
    values[:CHUNK] = values[2 * CHUNK :] = np.iinfo(kind(wide)).max
    middle = address(values) + CHUNK * values.itemsize
    assert reaching(middle, 1, wide) == 0
    for place in range(CHUNK):
        values[CHUNK + place] = 200
        assert reaching(middle, 200, wide) % 2**64 == 1 << place
        assert reaching(middle, 201, wide) == 0
        values[CHUNK + place] = 0


@WIDE
@pytest.mark.parametrize("n_folds", [0, 1, 2, 5])
def test_chunks_are_folded_to_the_greatest_of_each_place(wide: bool, n_folds: int) -> None:
    top, size = int(np.iinfo(kind(wide)).max), FOLD * CHUNK
    rng = np.random.default_rng(n_folds)
    for high in (3, top // 2 + 2, top):
        values = np.full((n_folds + 2) * size, top, kind(wide))
        middle = values[size : (n_folds + 1) * size]
        middle[:] = rng.integers(0, high + 1, len(middle))
        expected = middle.reshape(n_folds, size).max(axis=0, initial=0)
        out = np.full(3 * size, 77, kind(wide))
        first = size * values.itemsize
        fold(address(values) + first, n_folds * FOLD, address(out) + first, wide)
        assert out[size:-size].tolist() == expected.tolist()
        assert (out[:size] == 77).all() and (out[-size:] == 77).all()
        out[:size], out[-size:] = top, top
        for limit in {0, 1, high // 2, high, int(expected[5])}:
            assert count(address(out) + first, limit, wide) == (expected >= limit).sum()


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 63)) | st.sampled_from([{0}, {63}, {0, 63}, set(range(64))]))
def test_the_bits_of_a_mask_are_walked_from_the_lowest(places: set[int]) -> None:
    mask = np.array(sum(1 << place for place in places), np.uint64).view(np.int64)
    out = np.full(64, -1)
    n = places_of(int(mask), out)
    assert out[:n].tolist() == sorted(places)


@WIDE
@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_filling_stays_within_its_bounds(wide: bool, n: int) -> None:
    top = int(np.iinfo(kind(wide)).max)
    for value, offset in ((0, 0), (1, 1), (top // 2 + 1, 3), (top, 2)):
        raw = at(np.full((n + 2) * CHUNK, 77, kind(wide)), offset)
        fill(address(raw) + offset + CHUNK * kind(wide)().itemsize, n * CHUNK, value, wide)
        values = raw[offset:-64].view(kind(wide))
        expected = np.full((n + 2) * CHUNK, 77)
        expected[CHUNK:-CHUNK] = value
        assert values.tolist() == expected.tolist()
        assert (raw[:offset] == 0).all() and (raw[-64:] == 0).all()
