"""The portable kernels (no AVX-512, no FMA) give the same exact answers as the native ones. This file runs in both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import xxhash

from vecrecall.sparse.index import SparseIndex

ROOT = Path(__file__).parents[2]
KINDS = list(product(("positive", "signed", "equal"), ("impact", "blocked"), ("f24", "f32"), (300, 70_000)))


def matrices(kind: str, columns: int) -> tuple[sp.csr_array, sp.csr_array]:
    rng = np.random.default_rng(0)
    D, Q = (sp.random_array((n, 300), density=0.06, rng=rng, dtype=np.float32, format="csr") for n in (1500, 60))
    if kind == "equal":
        D.data[:] = 1
    for M in (D, Q) if kind == "signed" else ():
        M.data *= rng.choice(np.float32([-1, 1]), M.nnz)
    return tuple(sp.csr_array((M.data, M.indices, M.indptr), shape=(M.shape[0], columns)) for M in (D, Q))


def report() -> dict[str, dict[str, Any]]:
    """Of each kind: checksums of all sections and lists, and what is found alone and in a batch."""
    out: dict[str, dict[str, Any]] = {}
    for kind, layout, keep, columns in KINDS:
        D, Q = matrices(kind, columns)
        index = SparseIndex.build(D[:1200], layout=layout, keep=keep)
        index.add(D[1200:])
        index.delete(range(0, 1500, 11))
        arrays = index._sections()
        for i, segment in enumerate(index._content.segments):
            arrays |= {f"{i}_{name}": getattr(segment.postings, name) for name in ("starts", "units", "impacts")}
        found: dict[str, Any] = {
            "arrays": {name: xxhash.xxh3_64_hexdigest(a.tobytes()) for name, a in arrays.items()}
        }
        for how, queries in (("batch", Q), ("alone", Q[[0]])):
            exact, fast = index.search(queries, k=10, exact=True), index.search(queries, k=10)
            found[how] = {
                "exact": exact.ids.tolist(), "exact distances": exact.distances.astype(float).tolist(),
                "fast": fast.ids.tolist(), "fast distances": fast.distances.astype(float).tolist(),
            }  # fmt: skip
        out[f"{kind} {layout} {keep} {columns}"] = found
    return out


if __name__ == "__main__":
    print(json.dumps(report()))


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "PYTHONPATH": str(ROOT)}
    child = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True)
    return report(), json.loads(child.stdout)


@pytest.mark.parametrize("how", ["batch", "alone"])
@pytest.mark.parametrize(("kind", "layout", "keep", "columns"), KINDS)
def test_lists_and_answers_are_the_same(
    kind: str, layout: str, keep: str, columns: int, how: str, both: tuple[dict, dict]
) -> None:
    native, portable = (side[f"{kind} {layout} {keep} {columns}"] for side in both)
    assert native["arrays"] == portable["arrays"]
    assert native[how]["exact"] == portable[how]["exact"]
    for name in ("exact distances", "fast distances"):
        np.testing.assert_allclose(native[how][name], portable[how][name], rtol=2e-6)
    assert native[how]["fast"] == portable[how]["fast"]
