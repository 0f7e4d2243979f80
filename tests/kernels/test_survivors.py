"""Buffers of survivors against numpy: appending, cutting to the least, and the order of float32 as integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.kernels import cpu, survivors
from vecrecall.kernels.memory import address
from vecrecall.kernels.survivors import ROOM

f32, CANARY = np.float32, 77
MASKS = st.sampled_from([0, -1, 1, -(2**31), 65535, -65536]) | st.integers(-(2**31), 2**31 - 1)
few_values = st.sampled_from([-2.0, -1.0, -1e-40, -0.0, 0.0, 1e-40, 1.0, 3.0])  # most are equal to another
any_values = st.floats(width=32, allow_nan=False, allow_infinity=False)
BUFFERS = st.lists(few_values, max_size=120) | st.lists(any_values, max_size=70)


@njit
def append(estimates, add, slot, mask, buffer, slots, n):
    return survivors.append_survivors(estimates, add, slot, mask, buffer, slots, n)


@njit
def append_portable(estimates, add, slot, mask, buffer, slots, n):
    return survivors._append_portable(estimates, add, slot, mask, buffer, slots, n)


@njit
def keep_at_most(buffer, slots, n, limit):
    return survivors._keep_at_most(buffer, slots, n, limit)


@njit
def keep_at_most_portable(buffer, slots, n, limit):
    return survivors._keep_at_most_portable(buffer, slots, n, limit)


@njit
def cut(buffer, slots, n, want, more):
    return survivors.cut(buffer, slots, n, want, more)


@njit
def greatest(buffer, n):
    return survivors.greatest(buffer, n)


@njit
def place_of_least(buffer, n):
    return survivors.place_of_least(buffer, n)


@njit
def ordinals(values, out, back):
    for j in range(len(values)):
        out[j] = survivors.ordinal(values[j])
        back[j] = survivors.of_ordinal(out[j])


def buffer_of(values: np.ndarray | list[float], behind: float = -1e9) -> tuple[np.ndarray, np.ndarray]:
    """(estimates, slots from 1000 on) with the room behind that a buffer has, and canaries behind that."""
    n = len(values)
    buffer, slots = np.full(n + ROOM + 8, CANARY, f32), np.full(n + ROOM + 8, CANARY, np.int32)
    buffer[:n], buffer[n : n + ROOM] = values, behind  # what stands in the room is not looked at
    slots[:n] = 1000 + np.arange(n)
    return buffer, slots


def is_whole(buffer: np.ndarray, slots: np.ndarray) -> bool:
    return bool((buffer[-8:] == CANARY).all() and (slots[-8:] == CANARY).all())


def kept(values: list[float] | np.ndarray, want: int, more: int) -> np.ndarray:
    """Places that a cut keeps; its room and its bits are checked on the way."""
    values = np.asarray(values, f32)
    buffer, slots = buffer_of(values)
    m = cut(address(buffer), address(slots), len(values), want, more)
    assert is_whole(buffer, slots)
    places = slots[:m] - 1000
    assert buffer[:m].tobytes() == values[places].tobytes()
    return places


def test_the_wide_forms_are_used_where_the_processor_has_them() -> None:
    wide = "wide" if cpu.HAS_AVX512 else "portable"
    assert survivors.append_survivors is getattr(survivors, f"_append_{wide}")
    assert survivors._keep_at_most is getattr(survivors, f"_keep_at_most_{wide}")


@pytest.mark.parametrize("kernel", [append, append_portable])
@settings(max_examples=60, deadline=None)
@given(masks=st.lists(MASKS, min_size=1), seed=st.integers(0, 2**32))
def test_survivors_are_appended_in_order_with_what_is_added(kernel, masks: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    expected, expected_slots, n = np.empty(0, f32), np.empty(0, np.int64), 0
    total = sum((mask % 2**32).bit_count() for mask in masks)
    buffer, slots = buffer_of(np.zeros(total, f32))
    for block, mask in enumerate(masks):
        estimates, add = rng.normal(size=32).astype(f32), f32(rng.normal())
        before = estimates.tobytes()
        n = kernel(address(estimates), add, 32 * block, mask, address(buffer), address(slots), n)
        alive = np.flatnonzero(np.int64(mask) >> np.arange(32) & 1)
        expected = np.concatenate([expected, estimates[alive] + add])
        expected_slots = np.concatenate([expected_slots, 32 * block + alive])
        assert n == len(expected) and estimates.tobytes() == before
        assert buffer[:n].tobytes() == expected.tobytes() and slots[:n].tolist() == expected_slots.tolist()
    assert is_whole(buffer, slots)


@pytest.mark.parametrize("kernel", [keep_at_most, keep_at_most_portable])
@settings(max_examples=60, deadline=None)
@given(values=BUFFERS, limit=few_values)
def test_entries_at_most_a_limit_are_kept_in_order(kernel, values: list[float], limit: float) -> None:
    buffer, slots = buffer_of(values, behind=np.inf)
    m = kernel(address(buffer), address(slots), len(values), f32(limit))
    expected = np.flatnonzero(np.array(values, f32) <= f32(limit))
    assert (slots[:m] - 1000).tolist() == expected.tolist() and is_whole(buffer, slots)
    assert buffer[:m].tobytes() == np.array(values, f32)[expected].tobytes()


@settings(max_examples=300, deadline=None)
@given(BUFFERS, st.integers(1, 130), st.sampled_from([0, 1, 3, 20]))
def test_a_cut_keeps_the_least_in_the_order_of_arrival(values: list[float], want: int, more: int) -> None:
    """Of equal ones the first: what is kept is the front of a stable sort."""
    places = kept(values, want, more)
    assert min(want, len(values)) <= len(places) <= min(want + more, len(values))
    nearest = np.argsort(np.array(values, f32), kind="stable")[: len(places)]
    np.testing.assert_array_equal(places, np.sort(nearest))


@pytest.mark.parametrize("more", [0, 50])
@pytest.mark.parametrize("n", [15, 16, 17, 500, 4001])
def test_cuts_of_all_kinds_of_values(n: int, more: int) -> None:
    rng = np.random.default_rng(n)
    sizes = 10.0 ** rng.uniform(-30, 30, n)
    for values in (
        rng.normal(size=n) + 100,
        -(rng.normal(size=n) ** 2),
        sizes,
        sizes * rng.choice([-1, 1], n),
        np.r_[rng.normal(size=n - 1), 3e38],  # one far out, where interpolation goes wrong
        np.r_[-3e38, rng.normal(size=n - 2), 3e38],  # their difference overflows
        np.full(n, -1.5),
        rng.choice([-0.0, 0.0], n),
        np.where(rng.random(n) < 0.6, 1.0, rng.normal(size=n) + 1),
        1 + np.arange(n) * 2.0**-23,  # neighbouring float32
        -np.arange(n),
    ):
        for want in (1, 7, n // 2, n - 1, n, n + 1):
            places = kept(values, want, more)
            assert min(want, n) <= len(places) <= min(want + more, n)
            nearest = np.argsort(values.astype(f32), kind="stable")[: len(places)]
            np.testing.assert_array_equal(places, np.sort(nearest))


def test_equal_values_at_the_limit_are_cut_to_the_number_wanted_and_the_first_stay() -> None:
    assert kept([5, 1, 5, 0, 5, 5], 3, 0).tolist() == [0, 1, 3]
    assert kept([5, 1, 5, 0, 5, 5], 3, 2).tolist() == [0, 1, 3]  # six are at most 5, more than wanted and more
    assert kept([5] * 40, 17, 4).tolist() == list(range(17))
    assert kept([0.0, -0.0] * 20, 3, 0).tolist() == [0, 1, 2]


def test_a_cut_that_is_not_needed_changes_nothing() -> None:
    for n, want in ((0, 1), (5, 5), (5, 9)):
        buffer, slots = buffer_of(np.arange(n, 0, -1))
        before = buffer.tobytes(), slots.tobytes()
        assert cut(address(buffer), address(slots), n, want, 0) == n
        assert (buffer.tobytes(), slots.tobytes()) == before


def test_cutting_between_arrivals_loses_none_of_the_nearest() -> None:
    values = np.random.default_rng(0).normal(size=3000).astype(f32)
    buffer, slots = np.zeros(300 + ROOM, f32), np.zeros(300 + ROOM, np.int32)
    n = 0
    for first in range(0, 3000, 100):
        if n > 200:
            n = cut(address(buffer), address(slots), n, 50, 8)
        buffer[n : n + 100], slots[n : n + 100] = values[first : first + 100], np.arange(first, first + 100)
        n += 100
    n = cut(address(buffer), address(slots), n, 50, 0)
    np.testing.assert_array_equal(slots[:n], np.sort(np.argsort(values)[:50]))


@settings(max_examples=150, deadline=None)
@given(BUFFERS.filter(len), st.sampled_from([-np.inf, -3e38, 3e38, np.inf]))
def test_the_greatest_and_the_place_of_the_least_do_not_look_behind_the_end(drawn: list[float], behind: float) -> None:
    values, n = np.array(drawn, f32), len(drawn)
    buffer, slots = buffer_of(values, behind)
    assert greatest(address(buffer), n) == values.max()
    assert place_of_least(address(buffer), n) == values.argmin()
    assert buffer[:n].tobytes() == values.tobytes() and is_whole(buffer, slots)


@pytest.mark.parametrize(("others", "least"), [(4, -7), (np.inf, 3e38), (0, -np.inf)])
def test_the_first_of_equal_least_ones_is_named(others: float, least: float) -> None:
    for n in (1, 16, 40, 1000):
        for place in {0, n // 3, n - 1}:
            values = np.full(n, others, f32)
            values[place:] = least
            buffer, _ = buffer_of(values)
            assert place_of_least(address(buffer), n) == place


def test_ordinals_order_as_their_floats_and_come_back() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 20000, dtype=np.uint32).view(f32)
    ends = np.array([-np.inf, -1, -1e-45, -0.0, 0.0, 1e-45, 1, np.inf], f32)
    values = np.concatenate([ends, bits[np.isfinite(bits)]])
    out, back = np.zeros(len(values), np.int64), np.zeros(len(values), f32)
    ordinals(values, out, back)
    assert back.tobytes() == values.tobytes()
    order = np.argsort(out, kind="stable")
    assert (np.diff(values[order]) >= 0).all() and len(np.unique(out)) == len(np.unique(values.view(np.int32)))
    assert out[3] == out[4] - 1 and out.min() >= -(2**31) and out.max() < 2**31
