"""kannolo: graphs in Rust, over float32, over RaBitQ codes whose candidates are ranked again, and over sparse rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.contract import Peer, below_one, euclidean
from bench.sparse_forms import as_pairs


class _Dense(Peer):
    package = module = "kannolo"
    kind: str
    wide = 0  # columns of zeros beside a row: the codes want a multiple of 64, and zeros change no distance

    def _euclid(self) -> bool:
        return self.wanted.metric == "l2"

    def _widened(self, rows: NDArray) -> NDArray:
        return np.pad(rows, ((0, 0), (0, self.wide))) if self.wide else rows

    def _build(self, X: NDArray, m: int, ef_construction: int, **more: Any) -> None:
        import kannolo

        rows = self._widened(X)
        name = "euclidean" if self._euclid() else "dotproduct"
        self.index: Any = getattr(kannolo, self.kind).build_from_array(
            rows.ravel(), rows.shape[1], m=m, ef_construction=ef_construction, metric=name, **more
        )

    def forms(self, Q: NDArray) -> list[NDArray]:
        return list(self._widened(Q))

    def batch_form(self, Q: NDArray) -> NDArray:
        return self._widened(Q).ravel()

    def set(self, ef: int) -> None:
        self.more: dict[str, int] = {}
        self.ef = max(ef, self.wanted.k)

    def ask_one(self, q: NDArray) -> Any:
        return self.index.search(q, self.wanted.k, ef_search=self.ef, **self.more)

    def ask_batch(self, Q: NDArray) -> Any:
        return self.index.batch_search(
            Q, self.wanted.k, ef_search=self.ef, num_threads=self.wanted.n_threads, **self.more
        )

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        distances, ids = np.asarray(raw[0], np.float64), np.asarray(raw[1], np.int64)
        if len(ids) > self.wanted.k:
            distances, ids = distances.reshape(-1, self.wanted.k), ids.reshape(-1, self.wanted.k)
        return ids, euclidean(distances) if self._euclid() else below_one(distances, self.wanted.metric)

    def save(self, path: Path) -> None:
        self.index.save(str(path))

    def load(self, path: Path, X: NDArray, **parameters: Any) -> None:
        import kannolo

        self.index = getattr(kannolo, self.kind).load(str(path))


class Plain(_Dense):
    """build: m, ef_construction; setting: ef."""

    kind = "DensePlainHNSW"

    def build(self, X: NDArray, m: int = 16, ef_construction: int = 200) -> None:
        self._build(X, m, ef_construction)


class Coded(_Dense):
    """build: m, ef_construction, bits; settings: ef, candidates (ranked by the float32 rows)."""

    kind = "DenseRerankHNSW"

    def build(self, X: NDArray, m: int = 16, ef_construction: int = 200, bits: int = 4) -> None:
        self.wide = -X.shape[1] % 64
        self._build(X, m, ef_construction, encoder="rabitq-ext", rabitq_total_bits=bits)

    def load(self, path: Path, X: NDArray, **parameters: Any) -> None:
        self.wide = -X.shape[1] % 64
        super().load(path, X)

    def set(self, ef: int, candidates: int = 40) -> None:
        self.ef = max(ef, self.wanted.k)
        self.more = {"k_candidates": max(self.wanted.k, min(self.ef, candidates))}


class Sparse(Peer):
    """A graph over float32 sparse rows; build: m, ef_construction; setting: ef."""

    package = module = "kannolo"
    metrics, sparse, has_batches = ("ip",), True, False

    def build(self, X: sparse.csr_array, m: int = 16, ef_construction: int = 200) -> None:
        import kannolo

        self.index: Any = kannolo.SparsePlainHNSW.build_from_arrays(
            X.indices.astype(np.int32), X.data, X.indptr.astype(np.int64), m=m, ef_construction=ef_construction
        )

    def set(self, ef: int) -> None:
        self.ef = max(ef, self.wanted.k)

    def forms(self, Q: sparse.csr_array) -> list[Any]:
        return as_pairs(Q)

    def ask_one(self, q: tuple[NDArray, NDArray]) -> Any:
        return self.index.search(q[0], q[1], self.wanted.k, self.ef)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return np.asarray(raw[1], np.int64), below_one(raw[0], "ip")

    def save(self, path: Path) -> None:
        self.index.save(str(path))

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        import kannolo

        self.index = kannolo.SparsePlainHNSW.load(str(path))
