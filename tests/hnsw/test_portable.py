"""The portable kernels (no AVX-512, no FMA) build the same graph as the native ones. This file runs in both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from vecrecall.exact.index import Exact
from vecrecall.hnsw.index import HNSW
from vecrecall.measure.recall import recall

ROOT = Path(__file__).parents[2]
METRICS = ("l2", "ip", "cosine")
RNG = np.random.default_rng(0)
X = (RNG.normal(size=(1500, 150)) * np.linspace(2, 0.1, 150)).astype(np.float32)
Q = (RNG.normal(size=(40, 150)) * np.linspace(2, 0.1, 150)).astype(np.float32)


def report() -> dict[str, dict[str, Any]]:
    """Of each storage and metric: checksums of all sections and of the ids found; of float storages the distances."""
    out: dict[str, dict[str, Any]] = {}
    for metric in METRICS:
        truth = Exact.build(X, metric=metric).search(Q, k=10)
        for storage in ("sq4", "sq8", "f16", "f32"):
            index = HNSW.build(X[:1200], metric=metric, storage=storage, M=8)
            index.add(X[1200:])
            hits = index.search(Q, k=10)
            out[f"{storage} {metric}"] = {
                "sections": {name: xxhash.xxh3_64_hexdigest(a.tobytes()) for name, a in index._sections().items()},
                "bias": index._sections()["bias"].tolist() if "bias" in index._sections() else [],
                "ids": hits.ids.tolist(),
                "distances": hits.distances.astype(float).tolist(),
                "recall": float(recall(hits, truth)),
            }
    return out


if __name__ == "__main__":
    print(json.dumps(report()))


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "PYTHONPATH": str(ROOT)}
    child = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True)
    return report(), json.loads(child.stdout)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", ["sq4", "sq8"])
def test_codes_graph_and_answers_are_the_same(storage: str, metric: str, both: tuple[dict, dict]) -> None:
    native, portable = (side[f"{storage} {metric}"] for side in both)
    assert native["sections"] == portable["sections"]
    assert native["ids"] == portable["ids"]
    np.testing.assert_allclose(native["distances"], portable["distances"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", ["f16", "f32"])
def test_floats_agree_to_their_precision(storage: str, metric: str, both: tuple[dict, dict]) -> None:
    native, portable = (side[f"{storage} {metric}"] for side in both)
    assert native["sections"]["walked"] == portable["sections"]["walked"]
    assert abs(native["recall"] - portable["recall"]) < 0.01
    together = np.array(native["ids"]) == np.array(portable["ids"])
    assert together.mean() > 0.98
    ours, theirs = (np.array(side["distances"])[together] for side in (native, portable))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
