"""hnswlib: the graph of the paper's authors, float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer, euclidean


class Hnswlib(Peer):
    """build: M, ef_construction; setting: ef."""

    package = module = "hnswlib"

    def build(self, X: NDArray, M: int = 16, ef_construction: int = 200) -> None:
        self._empty(X.shape[1])
        self.index.init_index(len(X), M=M, ef_construction=ef_construction, random_seed=self.wanted.seed)
        self.index.add_items(X, num_threads=self.wanted.n_threads)

    def _empty(self, dim: int) -> None:
        import hnswlib

        # rows have unit length under cosine already, so "ip" spares it from doing that again with every query
        self.index = hnswlib.Index("l2" if self.wanted.metric == "l2" else "ip", dim)
        self.index.set_num_threads(self.wanted.n_threads)

    def set(self, ef: int) -> None:
        self.index.set_ef(max(ef, self.wanted.k))

    def ask_one(self, q: NDArray) -> Any:
        return self.index.knn_query(q, self.wanted.k, num_threads=1)

    def ask_batch(self, Q: NDArray) -> Any:
        return self.index.knn_query(Q, self.wanted.k, num_threads=self.wanted.n_threads)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        distances = np.asarray(raw[1], np.float64)  # squared, or 1 - the inner product
        if self.wanted.metric == "l2":
            return raw[0].astype(np.int64), euclidean(distances)
        return raw[0].astype(np.int64), distances if self.wanted.metric == "cosine" else distances - 1

    def save(self, path: Path) -> None:
        self.index.save_index(str(path))

    def load(self, path: Path, X: NDArray, **parameters: Any) -> None:
        self._empty(X.shape[1])
        self.index.load_index(str(path))
