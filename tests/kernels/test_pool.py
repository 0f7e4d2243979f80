"""The candidate pool against sorted lists."""

from __future__ import annotations

import bisect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.kernels import cpu, pool
from vecrecall.kernels.memory import address

LOWEST = np.iinfo(np.int64).min
CANARY = 77
KEYS = st.integers(-20, 20) | st.integers(-(2**31), 2**31 - 2)


@njit
def insert(base, size, entry):
    return pool.insert_sorted(base, size, entry)


@njit
def insert_portable(base, size, entry):
    return pool._insert_sorted_portable(base, size, entry)


@njit
def offer(base, position, size, capacity, listed, keys, m):
    return pool.offer(base, position, size, capacity, listed, keys, m)


@njit
def next_unexpanded(base, position, size):
    return pool.next_unexpanded(base, position, size)


def empty_pool(capacity: int) -> np.ndarray:
    """Eight lowest values, room for a pool, room that a wide store may reach, a canary."""
    memory = np.full(8 + capacity + 16, CANARY, np.int64)
    memory[:8] = LOWEST
    return memory


def entry_of(key: int, row: int) -> int:
    return (key << 32) | (row << 1)


@pytest.mark.parametrize("kernel", [insert, insert_portable])
@settings(max_examples=80, deadline=None)
@given(keys=st.lists(KEYS, max_size=60))
def test_inserting_sorts(kernel, keys: list[int]) -> None:
    memory, expected = empty_pool(len(keys)), []
    for row, key in enumerate(keys):
        entry = entry_of(key, row)
        place = kernel(address(memory) + 64, row, entry)
        assert place == bisect.bisect_left(expected, entry)
        bisect.insort(expected, entry)
        assert memory[8 : 9 + row].tolist() == expected
    assert (memory[:8] == LOWEST).all() and (memory[8 + len(keys) + 8 :] == CANARY).all()


@pytest.mark.skipif(not cpu.HAS_AVX512, reason="no wide instructions here")
def test_the_wide_insertion_is_used_where_the_processor_has_it() -> None:
    assert pool.insert_sorted is pool._insert_sorted_wide


def slow_offer(
    entries: list[int], position: int, capacity: int, rows: list[int], keys: list[int]
) -> tuple[int, list[int]]:
    """A row enters while there is room, then when it is nearer than the farthest; the earliest place counts."""
    for row, key in zip(rows, keys):
        if len(entries) == capacity:
            if key >= entries[-1] >> 32:
                continue
            entries = entries[:-1]
        at = bisect.bisect_left(entries, entry_of(key, row))
        entries = [*entries[:at], entry_of(key, row), *entries[at:]]
        position = min(position, at)
    return position, entries


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 24), st.lists(st.lists(KEYS, min_size=1, max_size=20), min_size=1, max_size=5))
def test_offering_keeps_the_nearest_and_says_where_to_go_on(capacity: int, batches: list[list[int]]) -> None:
    memory = empty_pool(capacity)
    expected: list[int] = []
    size = first = 0
    for batch in batches:
        rows = np.arange(first, first + len(batch), dtype=np.int32)
        first += len(batch)
        keys = np.array(batch, np.int32)
        before = size
        position, size = offer(
            address(memory) + 64, before, before, capacity, address(rows), address(keys), len(batch)
        )  # fmt: skip
        slow_position, expected = slow_offer(expected, before, capacity, rows.tolist(), batch)
        assert (position, memory[8 : 8 + size].tolist()) == (slow_position, expected)


def test_unexpanded_entries_are_taken_nearest_first_and_once() -> None:
    memory = empty_pool(5)
    memory[8:13] = [entry_of(3, 1) | 1, entry_of(4, 2), entry_of(4, 3) | 1, entry_of(9, 4), entry_of(10, 0)]
    base = address(memory) + 64
    assert [next_unexpanded(base, 0, 5) for _ in range(4)] == [1, 3, 4, 5]
    assert (memory[8:13] & 1 == 1).all()
    assert next_unexpanded(base, 0, 0) == 0
