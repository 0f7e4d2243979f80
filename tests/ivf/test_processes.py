"""Threads, forked and fresh processes: searches beside adds, and the kernel cache."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from vecrecall.ivf.index import IVF

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3000, 16)).astype(np.float32)
Q = RNG.normal(size=(150, 16)).astype(np.float32)


def test_threads_search_while_another_adds() -> None:
    index = IVF.build(X[:1200], n_lists=12)
    done, wrong = threading.Event(), []

    def ask(single: bool) -> None:
        while not done.is_set():
            for hits in (index.search(X[5], k=3), index.search(Q[0])) if single else (index.search(Q, k=3, threads=2),):
                if (hits.ids < 0).any() or (hits.ids >= len(index)).any() or not np.isfinite(hits.distances).all():
                    wrong.append(hits)
            if single and index.search(X[5], k=1, nprobe=12).ids[0] != 5:
                wrong.append(len(index))

    askers = [threading.Thread(target=ask, args=(single,)) for single in (True, True, False)]
    for asker in askers:
        asker.start()
    for lo in range(1200, 3000, 150):
        index.add(X[lo : lo + 150], threads=2)
    done.set()
    for asker in askers:
        asker.join(30)
        assert not asker.is_alive()
    assert wrong == [] and len(index) == 3000
    index.check()


def test_many_threads_get_the_answers_of_one() -> None:
    index = IVF.build(X, n_lists=12)
    settings = [{}, {"k": 3, "nprobe": 2}, {"k": 40, "nprobe": 12, "rerank": 90}]
    expected = [index.search(Q, **given).ids.tolist() for given in settings]
    answers: list[list] = []

    def ask() -> None:
        for _ in range(3):
            answers.append([index.search(Q, **given).ids.tolist() for given in settings])
            answers.append([[index.search(q, **given).ids.tolist() for q in Q] for given in settings])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 24 and all(answer == expected for answer in answers)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_searches_and_adds_on_its_own() -> None:
    index = IVF.build(X[:1500], n_lists=12, threads=2)
    expected = index.search(Q, threads=2).ids.tolist()
    child = os.fork()
    if child == 0:
        good = index.search(Q, threads=2).ids.tolist() == expected
        index.add(X[1500:], threads=2)
        index.check()
        found = (index.search(X[2000:2100], k=1, nprobe=12).ids[:, 0] == np.arange(2000, 2100)).mean() > 0.9
        os._exit(7 if good and found and len(index) == 3000 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert len(index) == 1500 and index.search(Q).ids.tolist() == expected
    index.check()


USE = """
import numpy as np
import vecrecall as vr
from numba.core import event
compiled = []
class Listener(event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        compiled.append(f"{function.__module__}.{function.__qualname__}")
    def on_end(self, event): pass
event.register("numba:compile", Listener())
X = np.random.default_rng(0).standard_normal((1100, 20), dtype=np.float32)
index = vr.IVF.build(X)
index.add(X[:5] + 1)
assert (index.search(X[:20], k=1).ids[:, 0] == np.arange(20)).all() and index.search(X[3]).ids[0] == 3
for metric in ("l2", "ip", "cosine"):
    for storage in ("sq4", "sq8"):
        for rows in (X, X.astype(np.float16), np.abs(X * 20).astype(np.uint8), np.asfortranarray(X)):
            index = vr.IVF.build(rows, n_lists=9, storage=storage, metric=metric)
            index.add(rows[:5])
            for queries in (rows[:70], rows[0], rows[::2][:9]):
                index.search(queries, nprobe=2)
    index = vr.IVF.build(X, metric=metric, keep=None)
    index.add(X[:5])
    index.search(X[:9])
    vr.IVF.build(X[:9], metric=metric).search(X[:9])
place = X[7, :4] + 0.01 * np.random.default_rng(1).standard_normal((2600, 4))
for keep in ("auto", None):
    index = vr.IVF.build(np.random.default_rng(0).standard_normal((6000, 4)), keep=keep)
    n_lists = index.n_lists
    index.add(place)
    assert index.n_lists > n_lists
index.check()
frozen = X[:3].copy()
frozen.flags.writeable = False
vr.IVF.build(X).search(frozen)
print(*compiled)
"""


def use(**environment: str) -> list[str]:
    """Build, add and search in a fresh process; returns the names of the functions it compiled."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    child = subprocess.run([sys.executable, "-c", USE], env=given, capture_output=True, text=True, cwd="/")
    assert child.returncode == 0, child.stderr
    return child.stdout.split()


def test_every_function_is_compiled_for_one_set_of_types_and_a_second_process_compiles_none(tmp_path: Path) -> None:
    first = use(NUMBA_CACHE_DIR=str(tmp_path))
    ours = [name for name in first if name.startswith("vecrecall.")]
    assert len(ours) > 20 and {name: ours.count(name) for name in ours if ours.count(name) > 1} == {}
    assert use(NUMBA_CACHE_DIR=str(tmp_path)) == []
