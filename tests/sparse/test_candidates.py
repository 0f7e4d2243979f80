"""Candidates against sums in numpy: those that reach the limit, and a memory left as it was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.csr import Csr
from vecrecall.kernels.memory import address
from vecrecall.sparse import candidates
from vecrecall.sparse.parameters import Parameters
from vecrecall.sparse.postings import RANGE
from vecrecall.sparse.rows import parted
from vecrecall.sparse.scratch import (
    ACCUMULATORS,
    CHOSEN,
    FACTORS,
    FLOORS,
    LISTS,
    PLACES,
    ROUNDINGS,
    SIGNS,
    VALUES,
    Scratch,
)
from vecrecall.sparse.segment import Segment, arranged
from vecrecall.threads import Workers

F = np.float32
CALLER = Workers(1)
WIDE = pytest.mark.parametrize("wide", [False, True])
PARAMETERS = Parameters.checked(
    layout=None, n_postings=None, alpha=1.0, block_size=None, summary_energy=None, keep="f24", seed=0, k=10
)


@njit
def find_candidates(plan, scratch, n_lists, k, heap_factor, slack, least, bias, shift, n_buckets, wide):
    return candidates.find_candidates(
        plan, scratch, n_lists, k, heap_factor, slack, least, bias, shift, n_buckets, wide
    )  # fmt: skip


@njit
def tighten(scratch, n, limit):
    return candidates.tighten(scratch, n, limit)


def part(scratch: Scratch, name: int, n: int, dtype: type = np.int64) -> np.ndarray:
    """A part of scratch memory, as an array that shares it."""
    first = int(scratch.memory[name]) - scratch.address
    return scratch.memory.view(np.uint8)[first : first + n * np.dtype(dtype).itemsize].view(dtype)


def segment_of(n: int, columns: int, per_row: int, seed: int, *, signed: bool = False, equal: bool = False) -> Segment:
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(n), per_row)
    held = np.unique(rows * columns + rng.integers(0, columns, n * per_row))
    values = np.full(len(held), 1.5) if equal else rng.gamma(2, 1, len(held)) + 0.01
    if signed:
        values *= rng.choice([-1, 1], len(held))
    ends = np.searchsorted(held // columns, np.arange(n + 1))
    csr = Csr(ends, (held % columns).astype(np.int32), values.astype(F), columns)
    return arranged(parted(csr, "f32", CALLER), 0, PARAMETERS, CALLER)


class Drive:
    """Lists of a segment, how their impacts are multiplied, and the sums that numpy makes of them."""

    def __init__(self, segment: Segment, lists: np.ndarray, rng: np.random.Generator, *, wide: bool) -> None:
        postings, m = segment.postings, len(lists)
        signs = np.where(lists % 2, -1, 1) if segment.rows.signed else np.ones(m, int)
        top = 65000 if wide else 250
        factors = rng.integers(1, max(2, top // m + 1), m)
        roundings = np.where(rng.random(m) < 0.5, 128, 255)
        floors = rng.choice([1, 1, 1, 20, 200, 256], m)
        self.segment, self.wide, self.n_lists = segment, wide, m
        self.bias = int(((255 * factors + roundings) >> 8)[signs < 0].sum())
        self.n_units = int(segment.plan[1])
        self.scratch = Scratch(n_terms=m, k=10, n_docs=segment.n, n_units=self.n_units, n_columns=10)
        for name, values in zip((LISTS, FACTORS, ROUNDINGS, FLOORS, SIGNS), (lists, factors, roundings, floors, signs)):
            part(self.scratch, name, m)[:] = values
        self.sums = np.zeros(self.n_units, np.int64)
        stepped = len(postings.impacts) > 64
        for t, factor, rounding, floor, sign in zip(lists, factors, roundings, floors, signs):
            for r in range(postings.n_ranges):
                at = slice(postings.starts[t, r], postings.starts[t, r + 1])
                units = r * RANGE + postings.units[at].astype(np.int64)
                impacts = postings.impacts[at].astype(np.int64) if stepped else np.full(len(units), 255)
                amounts = np.where(impacts >= floor, (impacts * factor + rounding) >> 8, 0)
                self.sums[units] += sign * amounts
        if segment.dead is not None:
            self.sums[segment.dead > 0] = -self.bias
        self.room = (65535 if wide else 255) - self.bias
        assert -self.bias <= self.sums.min(initial=0) and self.sums.max(initial=0) <= self.room

    def find(self, k: int, heap_factor: float = 0.9, slack: int = 0, least: int = 0) -> tuple[int, int]:
        shift, buckets = (6, 1024) if self.wide else (0, 256)
        return find_candidates(
            address(self.segment.plan), self.scratch.address, self.n_lists, k, heap_factor, slack, least, self.bias,
            shift, buckets, self.wide,
        )  # fmt: skip

    def limit(self, k: int, heap_factor: float, slack: int, least: int) -> int:
        """What the k-th greatest sum, known to its bucket, says of the limit."""
        shift = 6 if self.wide else 0
        reached = np.sort(np.maximum(self.sums, 0))[::-1]
        level = int(reached[k - 1]) >> shift if k <= len(reached) else 0
        return max(least, int(heap_factor * (level << shift)) - slack)

    def assert_found(self, k: int, heap_factor: float = 0.9, slack: int = 0, least: int = 0) -> tuple[int, int]:
        n, limit = self.find(k, heap_factor, slack, least)
        assert limit == self.limit(k, heap_factor, slack, least)
        chosen, values = part(self.scratch, CHOSEN, n, np.int32).copy(), part(self.scratch, VALUES, n, np.int32)
        assert (np.diff(chosen) > 0).all() and (n == 0 or (chosen[0] >= 0 and chosen[-1] < self.n_units))
        np.testing.assert_array_equal(values, self.sums[chosen])
        assert (values >= max(1, least)).all()
        wanted = np.flatnonzero(self.sums >= max(1, limit))
        assert np.isin(wanted, chosen).all()
        kept = tighten(self.scratch.address, n, limit)
        np.testing.assert_array_equal(part(self.scratch, CHOSEN, kept, np.int32), wanted)
        assert not part(self.scratch, ACCUMULATORS, 2 * RANGE, np.uint8).any()
        return n, len(wanted)


SEGMENTS: dict[tuple[Any, ...], Segment] = {}


def cached(*key: Any) -> Segment:
    """A segment of (units, columns, entries a row, signed, equal)."""
    if key not in SEGMENTS:
        SEGMENTS[key] = segment_of(*key[:3], seed=len(SEGMENTS), signed=key[3], equal=key[4])
    return SEGMENTS[key]


@WIDE
@settings(max_examples=50, deadline=None)
@given(
    n=st.sampled_from([1, 2, 63, 64, 65, 255, 256, 257, 700, 8191, 8192, 9000]), signed=st.booleans(),
    equal=st.booleans(), m=st.integers(1, 12), k=st.sampled_from([1, 2, 10, 32, 33, 1000]),
    heap_factor=st.sampled_from([0.0, 0.5, 0.9, 1.0, 1.0 - 1e-6]), slack=st.sampled_from([0, 0, 5, 5000]),
    least=st.sampled_from([0, 0, 1, 40]), seed=st.integers(0, 2**32), dying=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
)  # fmt: skip
def test_units_that_reach_the_limit_are_found(
    wide: bool, n: int, signed: bool, equal: bool, m: int, k: int, heap_factor: float, slack: int, least: int,
    seed: int, dying: float,
) -> None:
    rng = np.random.default_rng(seed)
    segment = cached(n, 20, 4, signed, equal)
    dead = np.flatnonzero(rng.random(n) < dying)
    if len(dead):
        segment = segment.without(dead)
    lists = rng.choice(segment.postings.n_lists, m, replace=False)
    drive = Drive(segment, lists, rng, wide=wide)
    drive.assert_found(k, heap_factor, slack, min(least, drive.room))


@WIDE
@pytest.mark.parametrize("signed", [False, True])
def test_units_beyond_one_range_are_found(wide: bool, signed: bool) -> None:
    segment, rng = cached(RANGE * 2 + 300, 60, 3, signed, False), np.random.default_rng(3)
    dead = rng.choice(segment.n, 3000, replace=False)
    for given_segment in (segment, segment.without(dead)):
        drive = Drive(given_segment, rng.choice(segment.postings.n_lists, 20, replace=False), rng, wide=wide)
        for k in (1, 10, 32, 33, 5000, 10**6):
            drive.assert_found(k)
            drive.assert_found(k, 1 - 1e-6, slack=20)
        collected, wanted = drive.assert_found(10)
        assert wanted <= collected < 1000  # the limit rises soon


def test_the_limit_only_rises() -> None:
    """Of sums that fall, no chunk but the first holds any that reach the limit that it leaves."""
    n = 600
    values = np.linspace(1, 0.01, n)
    for order, bound in ((values, 64), (values[::-1], n)):
        csr = Csr(np.arange(n + 1), np.zeros(n, np.int32), order.astype(F), 1)
        segment = arranged(parted(csr, "f32", CALLER), 0, PARAMETERS, CALLER)
        drive = Drive(segment, np.array([0]), np.random.default_rng(0), wide=True)
        part(drive.scratch, FLOORS, 1)[:] = 1
        part(drive.scratch, FACTORS, 1)[:] = 60_000
        impacts = np.zeros(n, np.int64)
        impacts[segment.postings.units[:n]] = segment.postings.impacts[:n]
        drive.sums = (impacts * 60_000 + part(drive.scratch, ROUNDINGS, 1)[0]) >> 8
        assert drive.assert_found(10, 1.0)[0] <= bound


def test_dead_units_are_never_chosen() -> None:
    segment, rng = cached(700, 20, 4, False, False), np.random.default_rng(0)
    for dead in (np.arange(700), np.array([0, 63, 64, 699]), np.arange(0, 700, 2)):
        drive = Drive(segment.without(dead), np.arange(20), rng, wide=True)
        part(drive.scratch, FLOORS, 20)[:] = 1
        n, _ = drive.find(10**6, 0.0)
        chosen = part(drive.scratch, CHOSEN, n, np.int32)
        assert not np.isin(chosen, dead).any() and (n > 0) == (len(dead) < 700)


def test_blocks_are_dead_when_all_their_documents_are() -> None:
    blocked = replace(PARAMETERS, layout="blocked", block_size=4)
    rng = np.random.default_rng(0)
    csr = Csr(np.arange(0, 121, 3), np.tile(np.arange(3, dtype=np.int32), 40), rng.gamma(2, 1, 120).astype(F), 3)
    segment = arranged(parted(csr, "f32", CALLER), 0, blocked, CALLER)
    assert segment.slots is not None
    dead_block, half = segment.slots[8:12].astype(np.int64), segment.slots[20:22].astype(np.int64)
    segment = segment.without(np.sort(np.concatenate([dead_block, half])))
    scratch = Scratch(n_terms=3, k=10, n_docs=40, n_units=10, n_columns=3)
    for name, values in ((LISTS, [0, 1, 2]), (FACTORS, [9] * 3), (ROUNDINGS, [255] * 3), (FLOORS, [1] * 3)):
        part(scratch, name, 3)[:] = values
    part(scratch, SIGNS, 3)[:] = 1
    n, _ = find_candidates(address(segment.plan), scratch.address, 3, 100, 1.0, 0, 1, 0, 6, 1024, True)
    assert part(scratch, CHOSEN, n, np.int32).tolist() == [0, 1, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("least", [65_000, 65_535, 65_536, 70_000, 131_072, 2**40])
def test_a_limit_beyond_all_sums_is_reached_by_none(signed: bool, least: int) -> None:
    """As when answers of other segments have scores that this one cannot reach."""
    segment, rng = cached(700, 20, 4, signed, False), np.random.default_rng(4)
    drive = Drive(segment, np.arange(segment.postings.n_lists), rng, wide=True)
    after = part(drive.scratch, PLACES, 700, np.int32)
    after[:] = 77
    n, limit = drive.find(10, 1.0, 0, least)
    assert limit == least and n == 0
    assert (after == 77).all() and not part(drive.scratch, ACCUMULATORS, 2 * RANGE, np.uint8).any()


@WIDE
def test_a_unit_that_holds_every_list_at_its_greatest_does_not_wrap_around(wide: bool) -> None:
    """The worst that can be: all amounts in one unit, those that are taken off in another."""
    n = 100
    columns = np.tile(np.arange(n, dtype=np.int32), 2)
    csr = Csr(np.array([0, n, 2 * n]), columns, np.r_[np.ones(n), -np.ones(n)].astype(F), n)
    segment = arranged(parted(csr, "f32", CALLER), 0, PARAMETERS, CALLER)
    drive = Drive(segment, np.arange(2 * n), np.random.default_rng(0), wide=wide)
    part(drive.scratch, FLOORS, 2 * n)[:] = 1
    factors = part(drive.scratch, FACTORS, 2 * n)
    factors[:] = 324 if wide else 1
    part(drive.scratch, ROUNDINGS, 2 * n)[:] = 255
    drive.bias = n * ((255 * int(factors[0]) + 255) >> 8)
    drive.sums = np.array([drive.bias, -drive.bias])
    assert 2 * drive.bias > (64_000 if wide else 199)
    drive.assert_found(1)
    drive.assert_found(2)
