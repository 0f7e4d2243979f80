"""The portable kernels (no AVX-512, no FMA) build the same lists as the native ones. This file runs in both."""

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
import xxhash

from vecrecall.ivf.index import IVF

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = (RNG.normal(size=(1500, 150)) * np.linspace(2, 0.1, 150)).astype(np.float32)
Q = (RNG.normal(size=(60, 150)) * np.linspace(2, 0.1, 150)).astype(np.float32)
KINDS = list(product(("l2", "ip", "cosine"), ("sq4", "sq8"), ("auto", None)))


def report() -> dict[str, dict[str, Any]]:
    """Of each kind: checksums of all sections, and what is found alone and in a batch."""
    out: dict[str, dict[str, Any]] = {}
    for metric, storage, keep in KINDS:
        index = IVF.build(X[:1200], metric=metric, storage=storage, keep=keep, n_lists=20, target_recall=0.7)
        index.add(X[1200:])
        for how, queries in (("batch", Q), ("alone", Q[:1])):
            hits = index.search(queries, k=10, nprobe=7, rerank=30)
            out[f"{metric} {storage} {keep} {how}"] = {
                "sections": {name: xxhash.xxh3_64_hexdigest(a.tobytes()) for name, a in index._sections().items()},
                "settings": index.settings(),
                "ids": hits.ids.tolist(),
                "evals": hits.evals.tolist(),
                "distances": hits.distances.astype(float).tolist(),
            }
    return out


if __name__ == "__main__":
    print(json.dumps(report()))


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "PYTHONPATH": str(ROOT)}
    child = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True)
    return report(), json.loads(child.stdout)


@pytest.mark.parametrize("how", ["batch", "alone"])
@pytest.mark.parametrize(("metric", "storage", "keep"), KINDS)
def test_lists_codes_and_answers_are_the_same(
    metric: str, storage: str, keep: str | None, how: str, both: tuple[dict, dict]
) -> None:
    native, portable = (side[f"{metric} {storage} {keep} {how}"] for side in both)
    for part in ("sections", "settings", "ids", "evals"):
        assert native[part] == portable[part]
    np.testing.assert_allclose(native["distances"], portable["distances"], rtol=1e-5, atol=1e-5)
