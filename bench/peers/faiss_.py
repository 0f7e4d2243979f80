"""faiss: a graph over float32, a graph over 8-bit codes, and inverted lists of 4-bit codes scanned in registers.

The last two rank `k_factor * k` candidates by the float32 rows, as faiss's guide advises for codes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer, below_one, euclidean


class _Faiss(Peer):
    package, module = "faiss-cpu", "faiss"

    def _made(self, spec: str, dim: int) -> Any:
        import faiss

        faiss.omp_set_num_threads(self.wanted.n_threads)
        inner = self.wanted.metric != "l2"
        return faiss.index_factory(dim, spec, faiss.METRIC_INNER_PRODUCT if inner else faiss.METRIC_L2)

    def forms(self, Q: NDArray) -> list[NDArray]:
        return [Q[i : i + 1] for i in range(len(Q))]

    def ask_one(self, q: NDArray) -> Any:
        return self.index.search(q, self.wanted.k)

    ask_batch = ask_one

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        distances, ids = raw
        return ids, euclidean(distances) if self.wanted.metric == "l2" else below_one(distances, self.wanted.metric)

    def save(self, path: Path) -> None:
        import faiss

        faiss.write_index(self.index, str(path))

    def load(self, path: Path, X: NDArray, **parameters: Any) -> None:
        import faiss

        faiss.omp_set_num_threads(self.wanted.n_threads)
        self.index: Any = faiss.read_index(str(path))


class Graph(_Faiss):
    """build: M, ef_construction; setting: ef."""

    def build(self, X: NDArray, M: int = 16, ef_construction: int = 200) -> None:
        self.index = self._made(f"HNSW{M}", X.shape[1])
        self.index.hnsw.efConstruction = ef_construction
        self.index.add(X)

    def set(self, ef: int) -> None:
        self.index.hnsw.efSearch = ef


class CodedGraph(_Faiss):
    """build: M, ef_construction; settings: ef, k_factor."""

    def build(self, X: NDArray, M: int = 32, ef_construction: int = 200) -> None:
        import faiss

        self.index = self._made(f"HNSW{M}_SQ8,RFlat", X.shape[1])
        faiss.downcast_index(self.index.base_index).hnsw.efConstruction = ef_construction
        self.index.train(X)
        self.index.add(X)

    def set(self, ef: int, k_factor: float = 1.5) -> None:
        import faiss

        faiss.downcast_index(self.index.base_index).hnsw.efSearch = max(ef, int(k_factor * self.wanted.k))
        self.index.k_factor = k_factor


class FastScan(_Faiss):
    """build: n_lists, dims (dimensions a code of 4 bits stands for); settings: nprobe, k_factor."""

    def build(self, X: NDArray, n_lists: int = 256, dims: int = 2) -> None:
        self.index = self._made(f"IVF{n_lists},PQ{X.shape[1] // dims}x4fs,RFlat", X.shape[1])
        self.index.train(X)
        self.index.add(X)

    def set(self, nprobe: int, k_factor: float = 4) -> None:
        import faiss

        faiss.downcast_index(self.index.base_index).nprobe = nprobe
        self.index.k_factor = k_factor
