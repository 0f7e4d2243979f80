"""Forked and fresh processes, and the kernel cache."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from vecrecall.sparse.index import SparseIndex

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_searches_and_changes_on_its_own(rows: Callable[..., sp.csr_array], same: Callable) -> None:
    D, Q = rows(2000, 80, 8), rows(150, 80, 6, seed=1)
    index = SparseIndex.build(D[:1500], threads=2)
    expected = index.search(Q, threads=2)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            good = same(index.search(Q, threads=2), expected)
            index.add(D[1500:], threads=2)
            index.delete(range(100))
            index.check()
            index.compact(threads=2)
            index.check()
            found = index.search(Q, k=2000, exact=True).ids
            good &= len(index) == 1900 and found.max() > 1900 and not np.isin(found, range(100)).any()
            code = 7 if good else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert len(index) == 1500 and same(index.search(Q), expected)
    index.check()


USE = """
import re
import numpy as np
import scipy.sparse as sp
import vecrecall as vr
from numba.core import event
compiled = []
class Listener(event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        types = re.sub(r"Literal.bool..(True|False).", "bool", str(event.data["args"]))  # constants of inner functions
        compiled.append(f"{function.__module__}.{function.__qualname__}{types}".replace(" ", ""))
    def on_end(self, event): pass
event.register("numba:compile", Listener())
rng = np.random.default_rng(0)
D = sp.random_array((400, 90), density=0.1, rng=rng, dtype=np.float32, format="csr")
Q = sp.random_array((70, 90), density=0.1, rng=rng, dtype=np.float32, format="csr")
signed = D.copy()
signed.data[::3] *= -1
frozen = D[:200].copy()
frozen_query = Q[[0]].copy()
for M in (frozen, frozen_query):
    M.data.flags.writeable = M.indices.flags.writeable = False
wide = sp.csr_array((D.data, D.indices, D.indptr), shape=(400, 2**31))
for rows in (D, signed, D.astype(bool), D.astype(np.float64), D.tocsc(), frozen, wide, D[:0], D[:1]):
    for given in ({}, {"layout": "blocked"}, {"keep": "f32"}, {"alpha": 0.5, "n_postings": 9}):
        index = vr.SparseIndex.build(rows, **given)
        index.add(rows[:3] if rows.shape[0] > 2 else rows)
        for settings in ({}, {"exact": True}, {"k": 500}, {"query_cut": 2, "impact_cut": 0, "heap_factor": 1}):
            index.search({3: 1.0, 5: -2}, **settings)
            if rows is not wide:
                for queries in (Q, Q[[0]], Q[:9].astype(float), frozen_query, frozen, Q[:5].tocoo(), ([1, 2], [1, 2])):
                    index.search(queries, **settings)
        index.delete([0] if rows.shape[0] else [])
        index.search({3: 1.0})
        index.compact()
        index.check()
        index.save("i.vr")
        for mmap in (True, False):
            loaded = vr.load("i.vr", mmap=mmap, verify=True)
            loaded.search({3: 1.0, 5: -2})
            loaded.search({3: 1.0, 5: -2}, exact=True)
            loaded.add(rows)
            loaded.delete([2] if rows.shape[0] > 2 else [])
            loaded.compact()
long = sp.csr_array(np.ones((1, 90), np.float32))
vr.SparseIndex.build(D).search(long, query_cut=90)
for threads in (1, 2):
    vr.SparseIndex.build(D, threads=threads).search(Q, threads=threads)
print(*compiled)
"""


def use(folder: Path) -> list[str]:
    """Build, search and change in a fresh process; returns what it compiled, with types."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(folder / "cache")}
    child = subprocess.run([sys.executable, "-c", USE], env=given, capture_output=True, text=True, cwd=folder)
    assert child.returncode == 0, child.stderr
    return child.stdout.split()


def test_every_function_is_compiled_for_one_set_of_types_and_a_second_process_compiles_none(tmp_path: Path) -> None:
    first = use(tmp_path)
    types = {tuple(line.split("(", 1)) for line in first if line.startswith("vecrecall.")}
    names = [name for name, _ in types]
    assert len(names) > 15 and sorted({name for name in names if names.count(name) > 1}) == []
    assert use(tmp_path) == []
