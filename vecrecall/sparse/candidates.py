"""Candidates: units whose partial score may matter, found by adding posting lists a range at a time.

Accumulators start at a bias, what is taken off at most, and lists add to it and take from it; factors are chosen such
that no sum leaves its 8 or 16 bits, whatever a unit holds (:mod:`vecrecall.sparse.driving`). A unit is collected when
it reaches a limit, which follows from the k-th greatest sum so far, known to a bucket of a histogram, and only rises.
"""

from __future__ import annotations

from vecrecall.kernels.chunks import (
    CHUNK, FOLD, count16, count8, fill16, fill8, first_set, fold16, fold8, reaching16, reaching8,
)  # fmt: skip
from vecrecall.kernels.jit import inlined, inner, int64
from vecrecall.kernels.memory import load32, load64, load_u16, load_u8, prefetch, store32, store64, store_u16, store_u8
from vecrecall.kernels.postings import add_postings
from vecrecall.sparse.plan import (
    BLOCK, DEAD_UNITS, HEADS, IMPACT_STEP, IMPACTS, N_DEAD_UNITS, N_RANGES, N_UNITS, STARTS, UNITS,
)
from vecrecall.sparse.postings import RANGE
from vecrecall.sparse.scratch import (
    ACCUMULATORS, CHOSEN, COUNTS, FACTORS, FLOORS, LISTS, MAXIMA, REACHED, ROUNDINGS, SIGNS, SPANS, STRIP, VALUES,
)

_MOST_FOLDED = CHUNK * FOLD // 4  # answers that maxima give a good first limit for


@inner
def _ask_for_lists(plan, scratch, r, n_lists):
    """Look up where the lists' postings of a range are, and ask for the first of them."""
    lists, spans, stride = load64(scratch, LISTS), load64(scratch, SPANS), load64(plan, N_RANGES) + 1
    starts, units, impacts = load64(plan, STARTS), load64(plan, UNITS), load64(plan, IMPACTS)
    step = load64(plan, IMPACT_STEP)
    for j in range(n_lists):
        at = load64(lists, j) * stride + r
        first = load64(starts, at)
        store64(spans, 2 * j, first)
        store64(spans, 2 * j + 1, load64(starts, at + 1))
        prefetch(units + 2 * first)
        prefetch(units + 2 * first + 64)
        prefetch(impacts + step * first)
    store64(spans, 2 * n_lists, int64(0))
    store64(spans, 2 * n_lists + 1, int64(0))


@inner
def _add_lists(plan, scratch, n_lists, wide):
    """Add all lists' postings of the range that was looked up."""
    spans, units, impacts = load64(scratch, SPANS), load64(plan, UNITS), load64(plan, IMPACTS)
    step = load64(plan, IMPACT_STEP)
    accumulators, factors, floors = load64(scratch, ACCUMULATORS), load64(scratch, FACTORS), load64(scratch, FLOORS)
    roundings, signs = load64(scratch, ROUNDINGS), load64(scratch, SIGNS)
    for j in range(n_lists):
        lo, hi, next_lo, next_hi = (
            load64(spans, 2 * j), load64(spans, 2 * j + 1), load64(spans, 2 * j + 2), load64(spans, 2 * j + 3),
        )  # fmt: skip
        factor, rounding, floor = load64(factors, j), load64(roundings, j), load64(floors, j)
        less = load64(signs, j) < 0
        if floor <= 255:
            add_postings(
                accumulators, units, impacts, step, lo, hi, factor, rounding, floor, less, wide, next_lo, next_hi
            )


@inlined
def _bury(plan, scratch, r, j, wide):
    """Take dead units of a range out, from the j-th on: sums of zero reach no limit. Returns the first of the next."""
    dead, n_dead, accumulators = load64(plan, DEAD_UNITS), load64(plan, N_DEAD_UNITS), load64(scratch, ACCUMULATORS)
    while j < n_dead and load32(dead, j) < (r + 1) * RANGE:
        unit = load32(dead, j) - r * RANGE
        if wide:
            store_u16(accumulators, unit, int64(0))
        else:
            store_u8(accumulators, unit, int64(0))
        j += 1
    return j


@inlined
def _count(maxima, limit, wide):
    if wide:
        return count16(maxima, limit)
    return count8(maxima, limit)


@inlined
def _first_level(scratch, n_chunks, k, bias, shift, n_buckets, most, wide):
    """A bucket that k units reach, for certain: one that as many of the maxima of a range reach.

    n_buckets : a power of two.
    most : the greatest that sums can hold.
    """
    accumulators, maxima = load64(scratch, ACCUMULATORS), load64(scratch, MAXIMA)
    if wide:
        fold16(accumulators, n_chunks, maxima)
    else:
        fold8(accumulators, n_chunks, maxima)
    level, step = int64(0), n_buckets >> 1
    while step > 0:
        limit = bias + ((level + step) << shift)
        if limit <= most and _count(maxima, limit, wide) >= k:
            level += step
        step >>= 1
    return level


@inner
def _limit(level, heap_factor, slack, least, bias, shift):
    return bias + max(int64(1), max(least, int64(heap_factor * (level << shift)) - slack))


@inlined
def _reaching(chunk, limit, wide):
    if wide:
        return reaching16(chunk, limit)
    return reaching8(chunk, limit)


@inlined
def _fill(scratch, lo, hi, value, wide):
    """Give all sums of chunks lo..hi one value: the bias before lists are added, zero when they were looked through."""
    accumulators = load64(scratch, ACCUMULATORS)
    if wide:
        fill16(accumulators + 2 * CHUNK * lo, (hi - lo) * CHUNK, value)
    else:
        fill8(accumulators + CHUNK * lo, (hi - lo) * CHUNK, value)


@inlined
def _forget_counts(scratch, n_buckets):
    for j in range(n_buckets):
        store32(load64(scratch, COUNTS), j, int64(0))


@inlined
def _list_reached(scratch, lo, hi, limit, wide):
    """Of chunks lo..hi write those that hold a sum of at least a limit to REACHED; returns how many.

    There is no branch: whether a chunk holds any cannot be foreseen.
    """
    accumulators, reached, m = load64(scratch, ACCUMULATORS), load64(scratch, REACHED), int64(0)
    for c in range(lo, hi):
        store32(reached, m, c)
        m += int64(_reaching(accumulators + (2 * CHUNK * c if wide else CHUNK * c), limit, wide) != 0)
    return m


@inlined
def _collect(plan, scratch, first, lo, hi, n, k, heap_factor, slack, least, level, n_above, bias, shift, wide):
    """Collect from chunks lo..hi of a range whose first unit is ``first``; returns (how many now, level, above it)."""
    counts, chosen, values = load64(scratch, COUNTS), load64(scratch, CHOSEN), load64(scratch, VALUES)
    accumulators, heads, block = load64(scratch, ACCUMULATORS), load64(plan, HEADS), load64(plan, BLOCK)
    reached, limit = load64(scratch, REACHED), _limit(level, heap_factor, slack, least, bias, shift)
    for i in range(_list_reached(scratch, lo, hi, limit, wide)):
        c = load32(reached, i)
        chunk = accumulators + (2 * CHUNK * c if wide else CHUNK * c)
        mask = _reaching(chunk, limit, wide)
        while mask != 0:
            place = first_set(mask)
            mask &= mask - 1
            value = (load_u16(chunk, place) if wide else load_u8(chunk, place)) - bias
            unit = first + CHUNK * c + place
            store32(chosen, n, unit)
            store32(values, n, value)
            prefetch(heads + 8 * block * unit)
            n += 1
            bucket = value >> shift
            above = int64(bucket > level)
            store32(counts, bucket, load32(counts, bucket) + above)
            n_above += above
            if n_above >= k:
                while n_above >= k:
                    level += 1
                    n_above -= load32(counts, level)
                limit = _limit(level, heap_factor, slack, least, bias, shift)
    return n, level, n_above


@inner
def tighten(scratch, n, limit):
    """Of n candidates keep those that reach the last limit; returns how many."""
    chosen, values = load64(scratch, CHOSEN), load64(scratch, VALUES)
    m = int64(0)
    for j in range(n):
        unit, value = load32(chosen, j), load32(values, j)
        store32(chosen, m, unit)
        m += int64(value >= limit)
    return m


@inner
def find_candidates(plan, scratch, n_lists, k, heap_factor, slack, least, bias, shift, n_buckets, wide):
    """Write units and their sums to CHOSEN and VALUES; returns (how many, the last limit).

    Taken is a unit whose sum less the bias reaches a limit: ``least``, or ``heap_factor`` times the k-th greatest less
    ``slack``, whichever is greater. A limit below 1 says that units without any sum may reach it too.
    """
    n_units, n_ranges, most = load64(plan, N_UNITS), load64(plan, N_RANGES), int64(65535 if wide else 255)
    n_buried = int64(0)
    n, level, n_above = int64(0), int64(0), int64(0)  # n_above units are in buckets above the level, fewer than k
    _forget_counts(scratch, n_buckets)
    _ask_for_lists(plan, scratch, int64(0), n_lists)
    for r in range(n_ranges):
        if _limit(level, heap_factor, slack, least, bias, shift) > most:  # no sum reaches it, nor will one
            break
        size = min(int64(RANGE), n_units - r * RANGE)
        n_chunks = (size + CHUNK * FOLD - 1) // (CHUNK * FOLD) * FOLD
        if bias > 0:
            _fill(scratch, int64(0), n_chunks, bias, wide)
        _add_lists(plan, scratch, n_lists, wide)
        n_buried = _bury(plan, scratch, r, n_buried, wide)
        if r + 1 < n_ranges:
            _ask_for_lists(plan, scratch, r + 1, n_lists)  # arrives while sums are looked through
        if r == 0 and k <= _MOST_FOLDED:
            level = _first_level(scratch, n_chunks, k, bias, shift, n_buckets, most, wide)
        for lo in range(0, n_chunks, STRIP):
            hi, first = min(lo + STRIP, n_chunks), r * RANGE
            n, level, n_above = _collect(
                plan, scratch, first, lo, hi, n, k, heap_factor, slack, least, level, n_above, bias, shift, wide
            )
            _fill(scratch, lo, hi, int64(0), wide)
    return n, max(least, int64(heap_factor * (level << shift)) - slack)
