"""RaBitQ-Library: inverted lists of RaBitQ codes, and the SymphonyQG graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer, euclidean


class _Rabitq(Peer):
    package = module = "rabitqlib"

    def _metric(self) -> str:
        return "l2" if self.wanted.metric == "l2" else "ip"

    def forms(self, Q: NDArray) -> list[NDArray]:
        return [Q[i : i + 1] for i in range(len(Q))]

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        ids, distances = raw[0].astype(np.int64), raw[1].astype(np.float64)
        if self.wanted.metric == "l2":
            return ids, euclidean(distances)  # squared
        return ids, distances if self.wanted.metric == "cosine" else distances - 1

    def save(self, path: Path) -> None:
        self.index.save(str(path))


class Lists(_Rabitq):
    """build: n_lists, bits (32: float32 rows rank the candidates); setting: nprobe."""

    def build(self, X: NDArray, n_lists: int = 512, bits: int = 32) -> None:
        import rabitqlib

        clustering = rabitqlib.RaBitQKMeans(X.shape[1], n_lists, num_threads=self.wanted.n_threads)
        clustering.train(X)
        self.index: Any = rabitqlib.IvfIndex(
            dim=X.shape[1], max_elements=len(X), num_clusters=n_lists, nbits=bits, metric=self._metric()
        )
        self.index.build(X, clustering.centroids, clustering.assignments, num_threads=self.wanted.n_threads)

    def set(self, nprobe: int) -> None:
        self.nprobe = nprobe

    def ask_one(self, q: NDArray) -> Any:
        return self.index.search(q, self.wanted.k, self.nprobe)

    def ask_batch(self, Q: NDArray) -> Any:
        return self.index.search(Q, self.wanted.k, self.nprobe, num_threads=self.wanted.n_threads)

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        import rabitqlib

        self.index = rabitqlib.IvfIndex.load(str(path))


class Symphony(_Rabitq):
    """build: degree, ef_construction, bits (0: float32 rows beside the codes); setting: ef."""

    def build(self, X: NDArray, degree: int = 32, ef_construction: int = 200, bits: int = 0) -> None:
        import rabitqlib

        self.index: Any = rabitqlib.SymqgIndex(X.shape[1], degree, metric=self._metric(), quantization_bits=bits)
        self.index.build(X, ef_construction, num_threads=self.wanted.n_threads)

    def set(self, ef: int) -> None:
        self.ef = max(ef, self.wanted.k)

    def ask_one(self, q: NDArray) -> Any:
        return self.index.search(q, self.wanted.k, self.ef)

    def ask_batch(self, Q: NDArray) -> Any:
        return self.index.search_batch(Q, self.wanted.k, self.ef, num_threads=self.wanted.n_threads)

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        import rabitqlib

        self.index = rabitqlib.SymqgIndex.load(str(path))
