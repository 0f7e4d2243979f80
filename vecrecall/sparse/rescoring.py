"""Scores of candidates by the forward rows: codes of 8 bits for all, both planes where the order may depend on it.

A score from codes is known to lie within a width of the true one, so only candidates that may reach the k-th best are
scored by both planes: in float64, in the order of columns, rounded to float32.
"""

from __future__ import annotations

import numpy as np

from vecrecall.kernels.jit import boolean, inlined, inner, int64
from vecrecall.kernels.keys import key_of, score_of, select_least
from vecrecall.kernels.memory import (
    load32, load64, load_f32, load_f64, load_u8, power_of_two, prefetch, store32, store64, store_f32,
)  # fmt: skip
from vecrecall.kernels.sparse_dot import dot_both, dot_codes, dot_ones, dot_whole
from vecrecall.sparse.plan import (
    BLOCK, CODED, COLUMN_BYTES, DEAD, ENTRIES, ENTRY_BYTES, ERROR, FIRST, HEADS, LOWEST, N, N_CODES, RESIDUAL_BYTES,
    RESIDUALS, SLOTS, TINY, UNIT, WEIGHT,
)  # fmt: skip
from vecrecall.sparse.rows import EXPONENT_BIAS
from vecrecall.sparse.scratch import CHOSEN, KEYS, N_SCORED, PLACES, WEIGHTS, WIDTHS

_AHEAD = 8  # rows that are asked for before they are needed
_HEADS_AHEAD = 16
_LINE = 64
_FEW = 4  # times k: of so few candidates most would be scored by both planes, so all are
_TINIEST = np.float32(3e-45)  # of what is rounded to nothing
_SMALL = 1e-30  # queries whose products may be nothing in float32
_ROUNDING = 1e-3  # of float32 sums, far above what a thousand terms can lose


@inlined
def _first(heads, place):
    """Number of a row's first entry."""
    return load64(heads, place) >> 16


@inlined
def _scale(heads, place):
    """The power of two that a row's weights are relative to."""
    return power_of_two((load64(heads, place) & 0xFFFF) - EXPONENT_BIAS)


@inlined
def _ask_for(at, end):
    """Ask for memory at..end: three lines, which most rows take, without a branch that could be foreseen wrongly."""
    prefetch(at)
    prefetch(min(at + _LINE, end))
    prefetch(min(at + 2 * _LINE, end))
    for line in range(at + 3 * _LINE, end, _LINE):
        prefetch(line)


@inner
def _ask_for_row(plan, place, residuals_too):
    heads, width, at = load64(plan, HEADS), load64(plan, ENTRY_BYTES), load64(plan, ENTRIES)
    first, end = _first(heads, place), _first(heads, place + 1)
    _ask_for(at + width * first, at + width * end)
    if residuals_too:
        width, at = load64(plan, RESIDUAL_BYTES), load64(plan, RESIDUALS)
        _ask_for(at + width * first, at + width * end)


@inner
def _ask_ahead(plan, scratch, n, j, residuals_too):
    """Ask for what document j + some in PLACES will need; at the first, for those before it as well."""
    places, heads = load64(scratch, PLACES), load64(plan, HEADS)
    for i in range(j + _HEADS_AHEAD if j else 0, min(n, j + _HEADS_AHEAD + 1)):
        prefetch(heads + 8 * load32(places, i))
    for i in range(j + _AHEAD if j else 0, min(n, j + _AHEAD + 1)):
        _ask_for_row(plan, load32(places, i), residuals_too)


@inlined
def _expand(plan, scratch, n):
    """Write the places of living documents of n chosen units (n < 0: of all); returns how many."""
    chosen, places, dead = load64(scratch, CHOSEN), load64(scratch, PLACES), load64(plan, DEAD)
    block, n_docs = load64(plan, BLOCK), load64(plan, N)
    m = int64(0)
    if n < 0:
        block, n = n_docs, int64(1)
        store32(chosen, int64(0), int64(0))
    for j in range(n):
        first = load32(chosen, j) * block
        for place in range(first, min(first + block, n_docs)):
            if dead == 0 or load_u8(dead, place) == 0:
                store32(places, m, place)
                m += 1
    return m


@inlined
def _rank_by_codes(plan, scratch, n, weight_sum):
    """Write keys and widths of n documents in PLACES; those that share no term are dropped. Returns how many."""
    places, widths, keys = load64(scratch, PLACES), load64(scratch, WIDTHS), load64(scratch, KEYS)
    heads, entries, entry_bytes = load64(plan, HEADS), load64(plan, ENTRIES), load64(plan, ENTRY_BYTES)
    n_bytes, coded, weights = load64(plan, COLUMN_BYTES), load64(plan, CODED), load64(scratch, WEIGHTS)
    n_codes, unit, lowest = load64(plan, N_CODES), load64(plan, UNIT), load64(plan, LOWEST)
    error, least = load_f64(plan, ERROR) + _ROUNDING, load_f64(plan, TINY) * weight_sum
    m = int64(0)
    for j in range(n):
        _ask_ahead(plan, scratch, n, j, boolean(False))
        place = load32(places, j)
        first = _first(heads, place)
        length = _first(heads, place + 1) - first
        columns = entries + entry_bytes * first
        if coded:
            scale = _scale(heads, place)
            a, b = dot_codes(weights, columns, n_bytes, columns + n_bytes * length, length, n_codes, unit, lowest)
            s, spread = np.float64(a), np.float64(b)
            score, width = s * scale, (spread * error + least + np.float64(length) * _TINIEST) * scale
            if spread == 0.0 and weight_sum < _SMALL:  # or products have all become zero
                spread = dot_ones(weights, columns, n_bytes, length)[1]
            if not spread < np.inf:  # float32 has overflowed
                score, spread, width = 0.0, np.inf, np.inf
        else:
            s, spread = dot_ones(weights, columns, n_bytes, length)
            scale = load_f64(plan, WEIGHT)
            score, width = s * scale, _ROUNDING * spread * abs(scale)
        if spread > 0.0:
            store32(places, m, place)
            store_f32(widths, m, np.float32(width) + _TINIEST)
            store64(keys, m, key_of(np.float32(score), m))
            m += 1
    return m


@inlined
def _that_may_reach(scratch, n, k, floor):
    """Of n ranked documents leave those in PLACES that may be among the k best and reach a score; how many."""
    places, widths, keys = load64(scratch, PLACES), load64(scratch, WIDTHS), load64(scratch, KEYS)
    if n > k:
        select_least(keys, n, k)
        low = np.float32(np.inf)
        for j in range(k):
            key = load64(keys, j)
            width = load_f32(widths, key & 0xFFFFFFFF)
            low = min(low, score_of(key) - width if width < np.inf else -np.float32(np.inf))
        floor = max(floor, low)
    m = int64(0)
    for j in range(n):
        key = load64(keys, j)
        number = key & 0xFFFFFFFF
        store64(keys, m, load32(places, number))
        m += int64(not (score_of(key) + load_f32(widths, number) < floor))  # an infinite width is not a number
    for j in range(m):
        store32(places, j, load64(keys, j))
    return m


@inner
def _answer(plan, weights, place):
    """The key of the score and the slot of a document."""
    heads, slots = load64(plan, HEADS), load64(plan, SLOTS)
    first = _first(heads, place)
    length = _first(heads, place + 1) - first
    n_bytes, residual_bytes = load64(plan, COLUMN_BYTES), load64(plan, RESIDUAL_BYTES)
    columns = load64(plan, ENTRIES) + load64(plan, ENTRY_BYTES) * first
    residuals = load64(plan, RESIDUALS) + residual_bytes * first
    if residual_bytes == 2:
        score = _scale(heads, place) * dot_both(
            weights, columns, n_bytes, columns + n_bytes * length, residuals, length, load64(plan, N_CODES),
            load64(plan, UNIT), load64(plan, LOWEST), load_f64(plan, TINY),
        )  # fmt: skip
    elif residual_bytes == 4:
        score = dot_whole(weights, columns, n_bytes, residuals, length)
    else:
        score = dot_ones(weights, columns, n_bytes, length)[0] * load_f64(plan, WEIGHT)
    slot = load64(plan, FIRST) + (load32(slots, place) if slots else place)
    return key_of(np.float32(score), slot)


@inner
def rescore(plan, scratch, n, k, weight_sum, floor, out):
    """Write the keys of the k best of n chosen units (-1: of all documents) to ``out``, in no order; how many.

    floor : a score that answers have to reach.
    """
    alone = n >= 0 and load64(plan, BLOCK) == 1  # each chosen document shares a term with the query
    n = _expand(plan, scratch, n)
    store64(scratch, N_SCORED, load64(scratch, N_SCORED) + n)
    if not alone or n > _FEW * k:
        n = _rank_by_codes(plan, scratch, n, weight_sum)
        n = _that_may_reach(scratch, n, k, floor)
    places, keys, weights = load64(scratch, PLACES), load64(scratch, KEYS), load64(scratch, WEIGHTS)
    for j in range(n):
        _ask_ahead(plan, scratch, n, j, boolean(True))
        store64(keys, j, _answer(plan, weights, load32(places, j)))
    kept = min(n, k)
    select_least(keys, n, kept)
    for j in range(kept):
        store64(out, j, load64(keys, j))
    return kept
