"""Searches at once, and beside changes: each answers for one moment."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from vecrecall.sparse.index import SparseIndex

Rows = Callable[..., sp.csr_array]
LAYOUTS = ("impact", "blocked")


@pytest.fixture(scope="module")
def D(rows: Rows) -> sp.csr_array:
    return rows(3000, 100, 8)


@pytest.fixture(scope="module")
def Q(rows: Rows) -> sp.csr_array:
    return rows(150, 100, 6, seed=1)


def together(*calls: Callable[[], None]) -> None:
    """Run calls in threads of their own; their errors are raised here."""
    errors: list[BaseException] = []

    def guarded(call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_threads_get_the_answers_of_one(layout: str, D: sp.csr_array, Q: sp.csr_array, same: Callable) -> None:
    index = SparseIndex.build(D, layout=layout)
    settings = [{}, {"k": 3, "query_cut": 2}, {"k": 400, "heap_factor": 0.5}, {"exact": True}]
    expected = [index.search(Q, threads=1, **given) for given in settings]
    answered = []

    def ask() -> None:
        for _ in range(3):
            for given, answer in zip(settings, expected):
                assert same(index.search(Q, **given), answer)
                for i in range(0, 150, 10):
                    alone = index.search(Q[[i]], **given)
                    assert alone.ids[0].tolist() == answer.ids[i].tolist()
                    assert alone.distances[0].tobytes() == answer.distances[i].tobytes()
                answered.append(given)

    together(ask, ask, ask, ask)
    assert len(answered) == 48


@pytest.mark.parametrize("layout", LAYOUTS)
def test_searches_beside_changes_answer_for_one_moment(layout: str, D: sp.csr_array, Q: sp.csr_array) -> None:
    """All moments are written down first; every answer, of a batch as a whole, must be that of one of them."""
    queries, few = Q[:5], 2000

    def change(index: SparseIndex, step: int) -> None:
        if step % 3 == 0:
            index.add(D[few + 50 * step : few + 50 * step + 100], threads=1 + step % 2)
        elif step % 3 == 1:
            index.delete(range(100 * step, 100 * step + 90))
        else:
            index.compact(threads=1 + step % 2)

    def answers(index: SparseIndex) -> tuple[list, list, list]:
        return tuple(index.search(queries, k=20, exact=True).ids.tolist() for _ in range(1)) + (
            index.search(queries[[0]], k=20, exact=True).ids.tolist(),
            index.search((queries[[1]].indices, queries[[1]].data), k=20, exact=True).ids.tolist(),
        )

    rehearsal = SparseIndex.build(D[:few], layout=layout)
    moments = [answers(rehearsal)]
    for step in range(15):
        change(rehearsal, step)
        moments.append(answers(rehearsal))
    index = SparseIndex.build(D[:few], layout=layout)
    done, n_answers = threading.Event(), []

    def ask(how: int) -> None:
        at = 0  # moments only go on
        while not done.is_set():
            found = answers(index)[how]
            same = [i for i in range(at, 16) if moments[i][how] == found]
            assert same, "an answer of no moment"
            at = same[0]
            n_answers.append(how)
            assert index.memory()["rows"] > 0 and repr(index) and 0 < len(index) <= 3000

    def alter() -> None:
        try:
            for step in range(15):
                change(index, step)
                seen = len(n_answers)
                for _ in range(1000):  # let somebody ask in between
                    if len(n_answers) > seen or done.wait(0.001):
                        break
        finally:
            done.set()

    together(lambda: ask(0), lambda: ask(1), lambda: ask(2), alter)
    assert len(n_answers) > 10
    index.check()
    assert answers(index) == moments[-1]


def test_changes_of_several_threads_all_happen(D: sp.csr_array) -> None:
    index = SparseIndex.build(D[:100], ids=range(100))

    def alter(first: int) -> None:
        for lo in range(first, first + 500, 50):
            index.add(D[lo : lo + 50], ids=range(lo, lo + 50))
            index.delete(range(lo, lo + 5))
            if lo % 200 == 0:
                index.compact()

    together(*(lambda first=first: alter(first) for first in (500, 1000, 1500, 2000)))
    index.check()
    gone = [i for lo in range(500, 2500, 50) for i in range(lo, lo + 5)]
    expected = np.setdiff1d(np.concatenate([np.arange(100), np.arange(500, 2500)]), gone)
    assert len(index) == len(expected)
    index.compact()
    found = index.search((np.arange(100), np.ones(100)), k=3000, exact=True)
    assert np.sort(found.ids[: found.counts]).tolist() == expected[np.diff(D.indptr)[expected] > 0].tolist()


def test_a_save_and_a_check_beside_changes_are_of_one_moment(D: sp.csr_array, tmp_path) -> None:
    from vecrecall.loading import load

    index = SparseIndex.build(D[:1000])
    done = threading.Event()

    def keep() -> None:
        while True:
            last = done.is_set()
            index.check()
            index.save(tmp_path / "i.vr")
            assert len(load(tmp_path / "i.vr", verify=True)) >= 700
            if last:
                break

    def alter() -> None:
        try:
            for step in range(20):
                index.add(D[1000 + 50 * step : 1050 + 50 * step])
                index.delete(range(15 * step, 15 * step + 15))
        finally:
            done.set()

    together(keep, alter)
    assert len(index) == 1700 and len(load(tmp_path / "i.vr", verify=True)) == 1700
