"""Worker threads: work is cut by data, so that results never depend on how many there are."""

import os
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from operator import index


def n_threads(threads: int | None) -> int:
    """Return how many threads to use.

    Parameters
    ----------
    threads : int or None
        None means all the process may use (its CPU affinity is respected).

    Raises
    ------
    TypeError, ValueError
        If `threads` is not None or an integer of at least 1.

    Examples
    --------
    >>> n_threads(2)
    2
    """
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if isinstance(threads, bool) or not hasattr(threads, "__index__"):
        raise TypeError(f"threads is {threads!r}, expected an integer of at least 1, or None for all cores")
    if index(threads) < 1:
        raise ValueError(f"threads is {threads}, expected an integer of at least 1, or None for all cores")
    return index(threads)


def run(n_threads: int, work: Callable[[int, int], None], lo: int, hi: int, chunk: int) -> None:
    """Call ``work(a, b)`` for consecutive chunks of [lo, hi), on `n_threads` threads.

    Threads are made for this call and gone after it: nothing global, nothing that breaks after a fork.
    With one thread or one chunk the work runs in the calling thread, one chunk after another, so that an
    interrupt is seen between chunks. On the first exception (or interrupt) the chunks still waiting are
    dropped, those running are awaited, and the exception is raised.

    Parameters
    ----------
    n_threads : int
        At least 1.
    work : callable
        Must release the GIL in its heavy parts, and write only to what belongs to its own chunk.
    lo, hi, chunk : int
        Range and the size of a chunk, `chunk` at least 1; the last chunk may be smaller.

    Examples
    --------
    >>> run(1, lambda a, b: print(a, b), 0, 5, 2)
    0 2
    2 4
    4 5
    """
    starts = range(lo, hi, chunk)
    if n_threads == 1 or len(starts) <= 1:
        for start in starts:
            work(start, min(start + chunk, hi))
        return
    pool = ThreadPoolExecutor(min(n_threads, len(starts)))
    try:
        jobs = [pool.submit(work, start, min(start + chunk, hi)) for start in starts]
        done, _ = wait(jobs, return_when=FIRST_EXCEPTION)
        for job in jobs:
            if job in done:
                job.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
