"""Loops around functions that only kernels can call, compiled for the benchmarks."""

from __future__ import annotations

import numpy as np
from numba import njit

from vecrecall.hnsw.select_neighbours import select_neighbours
from vecrecall.hnsw.walk import ask_for_rows
from vecrecall.kernels.call import call
from vecrecall.kernels.distances import MISSING, distances
from vecrecall.kernels.jit import boolean, int64
from vecrecall.kernels.keys import select_least, sort_keys
from vecrecall.kernels.postings import add_postings
from vecrecall.kernels.sparse_dot import dot_both, dot_codes
from vecrecall.kernels.survivors import cut


@njit
def distances_in_steps(view, query, listed, m, step, out):
    """Keys of m listed rows, ``step`` rows at a time as a walk takes them: asked for, then compared."""
    for j in range(0, m, step):
        ask_for_rows(view, listed + 4 * j, step)
        distances(view, query, 0, listed + 4 * j, step, out + 4 * j)


@njit
def keys_of(view, query, query_bias, listed, m, out):
    """Keys of m listed rows in one call."""
    distances(view, query, query_bias, listed, m, out)


@njit
def select_each(view, fv, pools, pool_bytes, n_pools, size, capacity, links, link_keys, state, listed, keys):
    """Choose links among each of the pools, with fill; returns how many were kept in all."""
    n_kept = 0
    for i in range(n_pools):
        pool = pools + i * pool_bytes
        links_and_kept = select_neighbours(
            view, fv, pool, size, capacity, True, MISSING, links, link_keys, state, listed, keys
        )
        n_kept += links_and_kept[1]
    return n_kept


@njit
def add_each(accumulators, units, impacts, n, n_lists, stride, factor, rounding, floor, wide):
    """Add lists of n postings that lie ``stride`` apart, each while the next is asked for."""
    for i in range(n_lists):
        lo = i * stride
        add_postings(
            accumulators, units, impacts, int64(1), lo, lo + n, factor, rounding, floor, boolean(False), wide,
            lo + stride, lo + stride + n,
        )  # fmt: skip


@njit
def dot_codes_of_each(weights, rows, n_bytes, n, n_codes, unit, lowest):
    """Products with the middles of codes of rows of n entries at the addresses ``rows``, summed."""
    total = np.float32(0)
    for i in range(rows.size):
        total += dot_codes(weights, rows[i], n_bytes, rows[i] + n_bytes * n, n, n_codes, unit, lowest)[0]
    return total


@njit
def dot_both_of_each(weights, rows, residuals, n_bytes, n, n_codes, unit, lowest, tiny):
    """The same with both planes of the weights."""
    total = 0.0
    for i in range(rows.size):
        codes = rows[i] + n_bytes * n
        total += dot_both(weights, rows[i], n_bytes, codes, residuals[i], n, n_codes, unit, lowest, tiny)
    return total


@njit
def run_tile(function, arguments):
    """Call a compiled tile."""
    call(function, arguments)


@njit
def select_and_sort(keys, n, k, stack):
    """Bring the k least of n keys to the front, in order."""
    select_least(keys, n, k)
    sort_keys(keys, k, stack)


@njit
def cut_buffer(buffer, slots, n, want, more):
    """Cut a buffer of survivors to the least."""
    return cut(buffer, slots, n, want, more)
