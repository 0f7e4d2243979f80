"""Search: candidates from posting lists, their scores from the forward rows, the best of all segments.

Approximate search adds the heaviest lists and takes what reaches a share of the k-th greatest sum. Exact search adds
more of them, with bounds of all that is rounded or left out: what falls short of the k-th greatest sum by more cannot
be an answer. Where a search finds fewer than k documents, or bounds say nothing, all documents that share a term with
the query are scored.
"""

from __future__ import annotations

import math

import numpy as np

from vecrecall.kernels.jit import boolean, inlined, inner, int64, kernel
from vecrecall.kernels.keys import score_of, select_least, sort_keys
from vecrecall.kernels.memory import load32, load64, prefetch, store32, store64, store_f32
from vecrecall.sparse.candidates import find_candidates, tighten
from vecrecall.sparse.driving import (
    TOP16, TOP8, drive_approximately, drive_by_touch, drive_safely, keep_heaviest, list_terms, set_least,
)  # fmt: skip
from vecrecall.sparse.plan import BLOCK, LEFT, N_RANGES, N_TERMS, N_UNITS, SIGNED, STARTS, TERMS
from vecrecall.sparse.rescoring import rescore
from vecrecall.sparse.scratch import BEST, BUCKETS, KEYS, N_SCORED, TERM_OF, WEIGHTS

REFUSED = -1  # evals of a query that has to be put in order
_MOST8 = 64  # lists that sums of 8 bits are fine enough for
_MOST16 = 30000  # lists that sums of 16 bits have room for
_BUCKETS8, _SHIFT16 = 256, 6  # sums of 16 bits are counted in BUCKETS, 64 to each
_SHARE = 0.05  # of all masses, what exact search leaves out of its sums for one answer; less for more, by k ** (1 / 3)
_SHARE_OF_THRESHOLD = 0.15  # the same, of a score that all answers reach
_GREATEST = 3e38  # float32
_ROUGH_CUT, _ROUGH_HEAP_FACTOR, _ROUGH_IMPACT_CUT = 20, 0.9, 0.06


@inlined
def _place_of(terms, n, column):
    """Where a column stands among the terms of a segment, -1: nowhere."""
    lo, hi = int64(0), n
    while lo < hi:
        middle = (lo + hi) >> 1
        if load32(terms, middle) < column:
            lo = middle + 1
        else:
            hi = middle
    if lo < n and load32(terms, lo) == column:
        return lo
    return int64(-1)


@inlined
def _take_weights(plan, scratch, columns, values, lo, hi, dim):
    """Spread a query's weights over WEIGHTS; (terms, sum of absolute weights), or -1: out of order."""
    weights, term_of, terms = load64(scratch, WEIGHTS), load64(scratch, TERM_OF), load64(plan, TERMS)
    starts, stride = load64(plan, STARTS), 8 * (load64(plan, N_RANGES) + 1) << load64(plan, SIGNED)
    n, total, previous = int64(0), 0.0, int64(-1)
    for j in range(lo, hi):
        column, weight = int64(columns[j]), values[j]
        if column <= previous or column >= dim or not math.isfinite(weight):
            for i in range(n):
                store_f32(weights, load32(term_of, i), np.float32(0))
            return int64(-1), 0.0
        previous = column
        if weight == 0:
            continue
        term = _place_of(terms, load64(plan, N_TERMS), column) if terms else column
        if 0 <= term < load64(plan, N_TERMS):
            prefetch(starts + term * stride)
            store_f32(weights, term, weight)
            store32(term_of, n, term)
            n += 1
            total += abs(np.float64(weight))
    return n, total


@inner
def _approximate(plan, scratch, n_terms, k, query_cut, heap_factor, impact_cut, weight_sum, floor, out):
    """The k best as far as partial sums tell; how many."""
    n = list_terms(plan, scratch, n_terms, load64(plan, BLOCK) == 1)
    set_least(plan, scratch, n, impact_cut)
    n = keep_heaviest(scratch, n, query_cut)
    wide = n > _MOST8
    bias = drive_approximately(scratch, n, TOP16 if wide else TOP8)
    shift = int64(_SHIFT16) if wide else int64(0)
    buckets = int64(BUCKETS) if wide else int64(_BUCKETS8)
    none = int64(0)
    found, limit = find_candidates(plan, scratch, n, k, heap_factor, none, none, bias, shift, buckets, wide)
    return rescore(plan, scratch, tighten(scratch, found, limit), k, weight_sum, floor, out)


@inlined
def _threshold(plan, scratch, n_terms, k, weight_sum, floor, out):
    """A score that k documents of a segment reach, by an approximate search; ``floor`` if none is found."""
    cut, heap_factor, impact_cut = int64(_ROUGH_CUT), _ROUGH_HEAP_FACTOR, _ROUGH_IMPACT_CUT
    if _approximate(plan, scratch, n_terms, k, cut, heap_factor, impact_cut, weight_sum, floor, out) < k:
        return floor
    worst = load64(out, int64(0))
    for j in range(1, k):
        worst = max(worst, load64(out, j))
    return max(floor, score_of(worst))


@inlined
def _safely(plan, scratch, n_terms, k, floor, weight_sum, out):
    """The k best for certain; floor: a score that answers have to reach. -1: bounds exclude too little.

    A sum is a bound from below of one document's score, but not where it joins the greatest weights of a block; a
    threshold is found first then. The more answers, the smaller a part the k-th score is of what all lists could add
    up to, and so the less may be left out.
    """
    alone = load64(plan, BLOCK) == 1
    theta, factor = floor, 1.0 - 1e-6 if alone else 0.0
    share, known = _SHARE * np.float64(k) ** (-1.0 / 3.0), 0.0
    if not alone:
        theta = _threshold(plan, scratch, n_terms, k, weight_sum, floor, out)
        if theta > 0:
            share, known = _SHARE_OF_THRESHOLD, np.float64(theta)
    n = list_terms(plan, scratch, n_terms, alone)
    if n == 0 or n > _MOST16 or (theta <= 0 and not alone):
        return int64(-1)
    bias, units, left, over = drive_safely(plan, scratch, n, share, known)
    if units * _GREATEST < TOP16 or over + left > TOP16:  # scores may be infinite and so equal; or bounds say nothing
        return int64(-1)
    least, slack = int64(0), int64(math.ceil(over + left)) + 2
    if theta > 0:
        least = max(int64(math.floor(np.float64(theta) * (1.0 - 1e-6) * units - left)) - 1, int64(0))
    found, limit = find_candidates(
        plan, scratch, n, k, factor, slack, least, bias, int64(_SHIFT16), int64(BUCKETS), boolean(True)
    )
    if limit < 1:
        return int64(-1)
    return rescore(plan, scratch, tighten(scratch, found, limit), k, weight_sum, theta, out)


@inlined
def _of_all(plan, scratch, n_terms, k, floor, weight_sum, surely, out):
    """The k best of all documents that share a term with the query; surely: also where lists were pruned."""
    n, found, none = list_terms(plan, scratch, n_terms, boolean(True)), int64(-1), int64(0)
    if n <= _MOST16 and floor == -np.inf and not (surely and load64(plan, LEFT)):
        drive_by_touch(scratch, n)
        never = load64(plan, N_UNITS) + 1
        found, _ = find_candidates(
            plan, scratch, n, never, 1.0, none, int64(1), none, int64(_SHIFT16), int64(BUCKETS), boolean(True)
        )
    return rescore(plan, scratch, found, k, weight_sum, floor, out)


@inlined
def _merge(scratch, held, new, k):
    """Of held + new keys in BEST keep the k best, in order."""
    best, n = load64(scratch, BEST), min(held + new, k)
    if held:
        select_least(best, held + new, n)
    sort_keys(best, n, load64(scratch, KEYS))
    return n


@inlined
def _search_segment(plan, scratch, n_terms, k, held, cut, heap_factor, impact_cut, exact, weight_sum):
    """Add a segment's answers to the ``held`` ones in BEST; returns how many there are then."""
    best = load64(scratch, BEST)
    out = best + 8 * held
    floor = score_of(load64(best, k - 1)) if held == k else np.float32(-np.inf)
    if exact:
        new = _safely(plan, scratch, n_terms, k, floor, weight_sum, out)
        wanting = new < 0
    else:
        new = _approximate(plan, scratch, n_terms, k, cut, heap_factor, impact_cut, weight_sum, floor, out)
        wanting = held + new < k
    if wanting:
        new = _of_all(plan, scratch, n_terms, k, floor, weight_sum, exact, out)
    return _merge(scratch, held, new, k)


@inlined
def _search_one(plans, n_segments, scratch, columns, values, lo, hi, dim, k, cut, heap_factor, impact_cut, exact):
    """Leave the best of all segments in BEST, in order; how many, or REFUSED."""
    held = int64(0)
    for s in range(n_segments):
        plan = load64(plans, s)
        n_terms, weight_sum = _take_weights(plan, scratch, columns, values, lo, hi, dim)
        if n_terms < 0:
            return int64(REFUSED)
        if n_terms > 0:
            held = _search_segment(
                plan, scratch, n_terms, k, held, cut, heap_factor, impact_cut, exact, weight_sum
            )
        weights, term_of = load64(scratch, WEIGHTS), load64(scratch, TERM_OF)
        for j in range(n_terms):
            store_f32(weights, load32(term_of, j), np.float32(0))
    return held


@kernel
def search_kernel(
    plans, n_segments, scratch, indptr, columns, values, lo, hi, dim, k, n_best, cut, heap_factor, impact_cut, exact,
    slots, distances, evals,
):  # fmt: skip
    """Answer queries lo..hi of sparse rows into slots and distances (q, k) and evals (-1: refused).

    n_best : k, or the number of documents where there are fewer.
    """
    best = load64(scratch, BEST)
    for i in range(lo, hi):
        store64(scratch, N_SCORED, int64(0))
        n = int64(0)
        if n_best > 0 or n_segments == 0:
            n = _search_one(
                plans, n_segments, scratch, columns, values, indptr[i], indptr[i + 1], dim, n_best, cut, heap_factor,
                impact_cut, exact,
            )  # fmt: skip
        evals[i] = load64(scratch, N_SCORED) if n >= 0 else n
        n = max(n, int64(0))
        for j in range(n):
            key = load64(best, j)
            slots[i, j] = key & 0xFFFFFFFF
            distances[i, j] = np.float32(0) - score_of(key)
        for j in range(n, k):
            slots[i, j] = -1
            distances[i, j] = np.float32(np.inf)
