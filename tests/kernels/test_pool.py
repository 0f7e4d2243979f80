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

FRONT = pool.FRONT
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


@njit
def next_unexpanded_portable(base, position, size):
    return pool._next_unexpanded_portable(base, position, size)


def empty_pool(capacity: int, garbage: int = CANARY) -> tuple[np.ndarray, np.ndarray]:
    """(memory, the run in it): lowest values, room for a run and what a wide store may reach, canaries."""
    memory = np.full(FRONT + capacity + 24, CANARY, np.int64)
    memory[:FRONT] = LOWEST
    run = memory[FRONT:]
    run[: capacity + 8] = garbage
    return memory, run


def entry_of(key: int, row: int) -> int:
    return (key << 32) | (row << 1)


@pytest.mark.parametrize("kernel", [insert, insert_portable])
@settings(max_examples=80, deadline=None)
@given(keys=st.lists(KEYS, max_size=70), garbage=st.sampled_from([CANARY, LOWEST, -LOWEST - 1]) | KEYS)
def test_inserting_sorts(kernel, keys: list[int], garbage: int) -> None:
    memory, run = empty_pool(len(keys), garbage)
    expected: list[int] = []
    for row, key in enumerate(keys):
        entry = entry_of(key, row)
        place = kernel(address(run), row, entry)
        assert place == bisect.bisect_left(expected, entry)
        bisect.insort(expected, entry)
        assert run[: row + 1].tolist() == expected
    assert (memory[:FRONT] == LOWEST).all() and (run[len(keys) + 8 :] == CANARY).all()


@pytest.mark.parametrize("kernel", [insert, insert_portable])
def test_what_stands_in_front_of_the_run_stays_where_each_entry_is_the_nearest_yet(kernel) -> None:
    memory = np.full(8 + FRONT + 300, CANARY, np.int64)
    memory[8 : 8 + FRONT] = LOWEST
    run = memory[8 + FRONT :]
    for row, key in enumerate(range(200, 0, -1)):
        assert kernel(address(run), row, entry_of(key, row)) == 0
        assert (memory[8 : 8 + FRONT] == LOWEST).all() and (memory[:8] == CANARY).all()


def test_the_wide_forms_are_used_where_the_processor_has_them() -> None:
    wide = "wide" if cpu.HAS_AVX512 else "portable"
    assert pool.insert_sorted is getattr(pool, f"_insert_sorted_{wide}")
    assert pool.next_unexpanded is getattr(pool, f"_next_unexpanded_{wide}")


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
@given(st.integers(1, 24), st.lists(st.lists(KEYS, min_size=1, max_size=50), min_size=1, max_size=5))
def test_offering_keeps_the_nearest_and_says_where_to_go_on(capacity: int, batches: list[list[int]]) -> None:
    _, run = empty_pool(capacity)
    expected: list[int] = []
    size = first = 0
    for batch in batches:
        rows = np.arange(first, first + len(batch), dtype=np.int32)
        first += len(batch)
        keys = np.array(batch + [-(2**31)] * 15, np.int32)  # near ones behind the end, which are not looked at
        before = size
        position, size = offer(address(run), before, before, capacity, address(rows), address(keys), len(batch))
        slow_position, expected = slow_offer(expected, before, capacity, rows.tolist(), batch)
        assert (position, run[:size].tolist()) == (slow_position, expected)


@pytest.mark.parametrize("kernel", [next_unexpanded, next_unexpanded_portable])
@settings(max_examples=60, deadline=None)
@given(marks=st.lists(st.booleans(), max_size=40), start=st.integers(0, 40), garbage=st.sampled_from([0, 1]))
def test_unexpanded_entries_are_taken_nearest_first_and_once(
    kernel, marks: list[bool], start: int, garbage: int
) -> None:
    size, start = len(marks), min(start, len(marks))
    memory, run = empty_pool(size, garbage)
    run[:size] = [entry_of(place, place) | mark for place, mark in enumerate(marks)]
    before = memory.copy()
    for place in [place for place in range(start, size) if not marks[place]]:
        assert kernel(address(run), start, size) == place
        before[FRONT + place] |= 1
        start = place
    assert kernel(address(run), start, size) == size
    assert (memory == before).all()
