"""Threads, forked and fresh processes: searches beside adds, the kernel cache, folders that cannot be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from vecrecall.hnsw.index import HNSW

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3000, 16)).astype(np.float32)
Q = RNG.normal(size=(60, 16)).astype(np.float32)


def test_two_threads_search_while_another_adds() -> None:
    index = HNSW.build(X[:1200], M=6)
    done, wrong = threading.Event(), []

    def ask(single: bool) -> None:
        while not done.is_set():
            n = len(index)
            for hits in (index.search(X[5], k=3), index.search(Q[0])) if single else (index.search(Q, k=3, threads=2),):
                if (hits.ids < 0).any() or (hits.ids >= len(index)).any() or not np.isfinite(hits.distances).all():
                    wrong.append(hits)
            if single and index.search(X[5], k=1).ids[0] != 5:
                wrong.append(n)

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
    index = HNSW.build(X, M=6)
    expected = index.search(Q).ids.tolist()
    answers: list[list] = []
    threads = [
        threading.Thread(target=lambda: answers.append([index.search(q).ids.tolist() for q in Q])) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [expected] * 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_searches_and_adds_on_its_own() -> None:
    index = HNSW.build(X[:1500], M=6, threads=2)
    expected = index.search(Q, threads=2).ids.tolist()
    child = os.fork()
    if child == 0:
        good = index.search(Q, threads=2).ids.tolist() == expected
        index.add(X[1500:], threads=2)
        index.check()
        found = (index.search(X[2000:2100], k=1).ids[:, 0] == np.arange(2000, 2100)).mean() > 0.9
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
index = vr.HNSW.build(X)
index.add(X[:5])
assert (index.search(X[:20], k=1).ids[:, 0] == np.arange(20)).all() and index.search(X[3]).ids[0] == 3
for storage in ("sq4", "sq8", "f16", "f32"):
    for metric in ("l2", "ip", "cosine"):
        index = vr.HNSW.build(X, M=6, storage=storage, metric=metric, order="given")
        index.add(X[:5])
        index.search(X[:9])
    vr.HNSW.build(X, M=6, storage=storage, schedule="sequential")
vr.HNSW.build(X, keep=None, fill=False).add(X[:5])
print(*compiled)
"""


def use(python_path: Path, **environment: str) -> list[str]:
    """Build, add and search in a fresh process; returns the names of the functions it compiled."""
    given = {**os.environ, "PYTHONPATH": str(python_path), **environment}
    child = subprocess.run([sys.executable, "-c", USE], env=given, capture_output=True, text=True, cwd="/")
    assert child.returncode == 0, child.stderr
    return child.stdout.split()


def test_every_function_is_compiled_for_one_set_of_types_and_a_second_process_compiles_none(tmp_path: Path) -> None:
    first = use(ROOT, NUMBA_CACHE_DIR=str(tmp_path))
    ours = [name for name in first if name.startswith("vecrecall.")]
    assert len(ours) > 30 and {name: ours.count(name) for name in ours if ours.count(name) > 1} == {}
    assert use(ROOT, NUMBA_CACHE_DIR=str(tmp_path)) == []


@pytest.mark.skipif(os.name != "posix", reason="needs permissions")
def test_a_cache_folder_that_cannot_be_written_costs_time_and_nothing_else(tmp_path: Path) -> None:
    package = tmp_path / "vecrecall"
    shutil.copytree(ROOT / "vecrecall", package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "home").mkdir()
    # a file in the place of a folder stops even a superuser
    for folder in {path for path in package.rglob("*") if path.is_dir()} | {package}:
        (folder / "__pycache__").write_text("")
    (tmp_path / "home" / ".cache").write_text("")
    environment = {
        "HOME": str(tmp_path / "home"),
        "NUMBA_CACHE_DIR": "",
        "XDG_CACHE_HOME": str(tmp_path / "home" / ".cache"),
    }
    assert use(tmp_path, **environment)
    assert not list(tmp_path.rglob("*.nb?"))
