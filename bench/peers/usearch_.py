"""usearch: a graph in C++ over rows of a type that is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer, euclidean


class USearch(Peer):
    """build: M, ef_construction, dtype ("f32", "f16", "bf16", "i8"); setting: ef."""

    package, module = "usearch", "usearch.index"

    def _empty(self, dim: int, M: int, ef_construction: int, dtype: str) -> Any:
        from usearch.index import Index

        return Index(
            ndim=dim, metric="l2sq" if self.wanted.metric == "l2" else "ip", dtype=dtype, connectivity=M,
            expansion_add=ef_construction,
        )  # fmt: skip

    def build(self, X: NDArray, M: int = 16, ef_construction: int = 200, dtype: str = "f16") -> None:
        self.index: Any = self._empty(X.shape[1], M, ef_construction, dtype)
        self.index.add(np.arange(len(X)), X, threads=self.wanted.n_threads)

    def set(self, ef: int) -> None:
        self.index.expansion_search = max(ef, self.wanted.k)

    def ask_one(self, q: NDArray) -> Any:
        return self.index.search(q, self.wanted.k, threads=1)

    def ask_batch(self, Q: NDArray) -> Any:
        return self.index.search(Q, self.wanted.k, threads=self.wanted.n_threads)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        distances = np.asarray(raw.distances, np.float64)  # squared, or 1 - the inner product
        ids = np.asarray(raw.keys).astype(np.int64)
        if self.wanted.metric == "l2":
            return ids, euclidean(distances)
        return ids, distances if self.wanted.metric == "cosine" else distances - 1

    def save(self, path: Path) -> None:
        self.index.save(str(path))

    def load(self, path: Path, X: NDArray, M: int = 16, ef_construction: int = 200, dtype: str = "f16") -> None:
        self.index = self._empty(X.shape[1], M, ef_construction, dtype)
        self.index.load(str(path))
