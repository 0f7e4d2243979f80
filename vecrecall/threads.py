"""Worker threads: work is cut by data, so that results never depend on how many there are."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
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


class Workers:
    """The calling thread and ``n - 1`` others, which wait between calls; leaving the ``with`` block ends them.

    Threads live as long as one call of a user: nothing global, nothing that breaks after a fork.

    Parameters
    ----------
    n : int
        At least 1.

    Examples
    --------
    >>> with Workers(1) as workers:
    ...     workers.run(print, 0, 5, 2)
    0 2
    2 4
    4 5
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._others = ThreadPoolExecutor(n - 1) if n > 1 else None  # starts threads when there is work

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._others is not None:
            self._others.shutdown()

    def run(self, work: Callable[[int, int], None], lo: int, hi: int, chunk: int) -> None:
        """Call ``work(a, b)`` for consecutive chunks of [lo, hi).

        The calling thread takes its share, so an interrupt is seen between chunks. On the first exception (or
        interrupt) the chunks still waiting are dropped, those running are awaited, and the exception is raised.

        Parameters
        ----------
        work : callable
            Must release the GIL in its heavy parts, and write only to what belongs to its own chunk.
        lo, hi, chunk : int
            Range and the size of a chunk, `chunk` at least 1; the last chunk may be smaller.
        """
        starts = deque(range(lo, hi, chunk))  # its popleft is safe between threads
        busy: deque[None] = deque()  # one entry for each other thread that may be at work

        def work_off() -> None:
            while True:
                try:
                    start = starts.popleft()
                except IndexError:  # another was faster
                    return
                try:
                    work(start, min(start + chunk, hi))
                except BaseException:
                    starts.clear()
                    raise

        def help_out() -> None:
            busy.append(None)
            try:
                work_off()
            finally:
                busy.pop()

        jobs = []
        try:
            if self._others is not None:
                for _ in range(min(self.n, len(starts)) - 1):
                    jobs.append(self._others.submit(help_out))
            work_off()
            wait(jobs)
        except BaseException:
            _settle(starts, busy)
            raise
        for job in jobs:
            job.result()


def _settle(starts: deque[int], busy: deque[None]) -> None:
    """Drop what waits and await what runs, also when interrupted again: the caller is about to undo its work."""
    while True:
        try:
            starts.clear()
            while busy:
                time.sleep(0.001)
            return
        except KeyboardInterrupt:  # one is on its way up already
            continue


def run(n_threads: int, work: Callable[[int, int], None], lo: int, hi: int, chunk: int) -> None:
    """Call ``work(a, b)`` for consecutive chunks of [lo, hi) on `n_threads` threads (:meth:`Workers.run`)."""
    with Workers(n_threads) as workers:
        workers.run(work, lo, hi, chunk)
