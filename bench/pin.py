"""Pin the threads of every numerical library of this process."""

from __future__ import annotations

import os

from threadpoolctl import threadpool_limits

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def pin_threads(n_threads: int) -> None:
    """Give every library at most `n_threads` threads: those loaded now, and those that are loaded later."""
    for name in _VARIABLES:
        os.environ[name] = str(n_threads)
    threadpool_limits(n_threads)


def pin_core() -> int | None:
    """Keep this process on one of the cores that it may use; returns which, or None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core
