"""Work cut by data: every chunk once, errors out, nothing left running."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

from vecrecall.threads import Workers, n_threads, run


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(("lo", "hi", "chunk"), [(0, 0, 3), (0, 1, 3), (2, 11, 3), (0, 9, 100), (0, 64, 1)])
def test_every_number_is_worked_on_once(threads: int, lo: int, hi: int, chunk: int) -> None:
    times = np.zeros(100, int)

    def work(a: int, b: int) -> None:
        assert 0 < b - a <= chunk
        times[a:b] += 1

    run(threads, work, lo, hi, chunk)
    assert times[lo:hi].all() and times.sum() == hi - lo


def test_one_thread_is_the_calling_one() -> None:
    names = set()
    run(1, lambda a, b: names.add(threading.current_thread().name), 0, 10, 2)
    assert names == {threading.current_thread().name}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_and_drops_what_waits(threads: int) -> None:
    started = []

    def work(a: int, b: int) -> None:
        started.append(a)
        if a == 0:
            raise OverflowError("here")
        time.sleep(0.01)

    before = threading.active_count()
    with pytest.raises(OverflowError, match="here"):
        run(threads, work, 0, 1000, 1)
    assert len(started) < 100
    assert threading.active_count() == before


def test_workers_serve_many_calls_also_after_an_error_and_end_with_the_block() -> None:
    before, threads = threading.active_count(), set()

    def work(a: int, b: int) -> None:
        threads.add(threading.get_ident())
        time.sleep(0.002)
        if a == 7:
            raise IndexError("of the work itself")

    with Workers(3) as workers:
        for _ in range(5):
            workers.run(work, 0, 6, 1)
        assert len(threads) == 3 and threading.get_ident() in threads
        with pytest.raises(IndexError, match="of the work itself"):
            workers.run(work, 7, 9, 1)
        workers.run(work, 0, 6, 1)
        assert len(threads) == 3
    assert threading.active_count() == before


@pytest.mark.skipif(os.name != "posix", reason="needs a signal that wakes a waiting thread")
def test_an_interrupt_is_raised_when_nobody_works_any_more() -> None:
    started, ended = threading.Event(), []

    def work(a: int, b: int) -> None:
        if threading.current_thread() is threading.main_thread():
            assert started.wait(10)  # the calling thread is done first and waits for the other
            return
        started.set()
        for _ in range(2):  # the second one comes while the work is awaited
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        ended.append(a)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
    try:
        with Workers(2) as workers, pytest.raises(KeyboardInterrupt):
            workers.run(work, 0, 2, 1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(ended) == 1


def test_none_is_what_the_process_may_use() -> None:
    assert 1 <= n_threads(None) <= (os.cpu_count() or 1)
    assert n_threads(np.int64(3)) == 3


@pytest.mark.parametrize(
    ("threads", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_a_wrong_number_is_refused(threads: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="expected an integer of at least 1"):
        n_threads(threads)  # type: ignore[arg-type]
