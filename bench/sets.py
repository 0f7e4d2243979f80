"""A set of vectors out of a file as in ann-benchmarks, brought into the form in which every engine is given it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.sweep import K
from bench.truth import Truth

METRICS = {"l2": "l2", "euclidean": "l2", "sqeuclidean": "l2", "cosine": "cosine", "angular": "cosine"}


@dataclass
class Set:
    """Rows, queries and their true neighbours."""

    name: str
    X: NDArray[np.float32]
    Q: NDArray[np.float32]
    metric: str
    truth: Truth


def read_set(path: Path, n_queries: int) -> Set:
    """Read a file; rows and queries are brought to unit length under cosine, for every engine alike."""
    import h5py

    with h5py.File(path) as file:
        X = file["train"][:].astype(np.float32)
        Q = file["test"][:n_queries].astype(np.float32)
        neighbors = file["neighbors"][:n_queries, :K].astype(np.int64)
        name = file.attrs.get("metric", file.attrs.get("distance"))
    metric = METRICS.get(name.decode() if isinstance(name, bytes) else str(name), "ip")
    if metric == "cosine":
        for rows in (X, Q):
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    return Set(path.name, X, Q, metric, Truth(X, Q, neighbors, metric))
