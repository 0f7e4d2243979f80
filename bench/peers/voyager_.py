"""voyager: Spotify's graph, grown out of hnswlib; float32 or 8-bit floats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer


class Voyager(Peer):
    """build: M, ef_construction, storage ("Float32", "E4M3"); setting: ef."""

    package = module = "voyager"

    def build(self, X: NDArray, M: int = 16, ef_construction: int = 200, storage: str = "Float32") -> None:
        import voyager

        space = voyager.Space.Euclidean if self.wanted.metric == "l2" else voyager.Space.InnerProduct
        self.index: Any = voyager.Index(
            space, X.shape[1], M=M, ef_construction=ef_construction, random_seed=self.wanted.seed,
            max_elements=len(X), storage_data_type=getattr(voyager.StorageDataType, storage),
        )  # fmt: skip
        self.index.add_items(X, num_threads=self.wanted.n_threads)

    def set(self, ef: int) -> None:
        self.ef = max(ef, self.wanted.k)

    def ask_one(self, q: NDArray) -> Any:
        return self.index.query(q, self.wanted.k, query_ef=self.ef)

    def ask_batch(self, Q: NDArray) -> Any:
        return self.index.query(Q, self.wanted.k, num_threads=self.wanted.n_threads, query_ef=self.ef)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        ids, distances = raw[0].astype(np.int64), raw[1].astype(np.float64)
        if self.wanted.metric == "l2":
            return ids, np.sqrt(np.maximum(distances, 0))  # squared
        return ids, distances if self.wanted.metric == "cosine" else distances - 1

    def save(self, path: Path) -> None:
        self.index.save(str(path))

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        import voyager

        self.index = voyager.Index.load(str(path))
