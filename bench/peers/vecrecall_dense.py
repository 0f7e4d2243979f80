"""vecrecall's engines for dense vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer


class _Engine(Peer):
    package = "vecrecall"
    ours = True
    compiles = True

    def set(self, **setting: Any) -> None:
        self.setting = setting

    def ask_one(self, q: NDArray) -> Any:
        return self.index.search(q, self.wanted.k, threads=1, **self.setting)

    def ask_batch(self, Q: NDArray) -> Any:
        return self.index.search(Q, self.wanted.k, threads=self.wanted.n_threads, **self.setting)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return raw.ids, raw.distances.astype(np.float64)

    def save(self, path: Path) -> None:
        self.index.save(path)

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        import vecrecall as vr

        self.index = vr.load(path, mmap=False)


class Graph(_Engine):
    """vr.HNSW; build: its own parameters; setting: ef."""

    module = "vecrecall.hnsw.index"

    def build(self, X: NDArray, **parameters: Any) -> None:
        import vecrecall as vr

        self.index: Any = vr.HNSW.build(X, metric=self.wanted.metric, threads=self.wanted.n_threads, **parameters)


class Lists(_Engine):
    """vr.IVF; settings: nprobe, rerank."""

    module = "vecrecall.ivf.index"

    def build(self, X: NDArray, **parameters: Any) -> None:
        import vecrecall as vr

        self.index: Any = vr.IVF.build(X, metric=self.wanted.metric, threads=self.wanted.n_threads, **parameters)


class Exact(_Engine):
    """vr.Exact."""

    module = "vecrecall.exact.index"
    exact = True

    def build(self, X: NDArray, **parameters: Any) -> None:
        import vecrecall as vr

        self.index: Any = vr.Exact.build(X, metric=self.wanted.metric, **parameters)
