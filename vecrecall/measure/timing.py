"""How long searches take: batches in rounds that take the settings in turn, and single queries one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Call = Callable[[], Any]
MOST_SINGLE = 2_000  # queries that are timed one by one


def compile_seconds(calls: Sequence[Call]) -> float:
    """Return what the first calls took beyond the second: compiling kernels, or reading them from the cache."""
    beyond = 0.0
    for call in calls:
        beyond += max(0.0, _seconds(call) - _seconds(call))
    return beyond


def best_seconds(calls: Sequence[Call], rounds: int, advance: Callable[[], None]) -> list[float]:
    """Return the least time of each call over the rounds; each round makes every call once, so noise hits all alike."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            best[i] = min(best[i], _seconds(call))
            advance()
    return best


def single_query_us(
    search: Callable[[Any, int], Any], queries: Sequence[Any], n_settings: int, rounds: int, advance: Callable[[], None]
) -> NDArray[np.float64]:
    """Return microseconds of ``search(query, setting)``, shape (settings, queries).

    Each round takes a part of the queries through all settings, so noise hits all alike.
    """
    took = np.empty((n_settings, len(queries)), np.int64)
    clock = time.perf_counter_ns
    for first in range(rounds):
        for setting in range(n_settings):
            if first < len(queries):
                search(queries[first], setting)  # scratch of this setting is there, caches hold what it walks over
            for i in range(first, len(queries), rounds):
                query = queries[i]
                started = clock()
                search(query, setting)
                took[setting, i] = clock() - started
            advance()
    return took / 1e3


def _seconds(call: Call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
