"""Loops around functions that only kernels can call, compiled for the benchmarks."""

from __future__ import annotations

from numba import njit

from vecrecall.hnsw.select_neighbours import select_neighbours
from vecrecall.hnsw.walk import ask_for_rows
from vecrecall.kernels.distances import MISSING, distances


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
