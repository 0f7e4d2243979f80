"""vecrecall in ann-benchmarks: the graph (`VecrecallHNSW`) and the inverted file (`VecrecallIVF`)."""

from __future__ import annotations

from typing import Any

import numpy as np

import vecrecall as vr

from ..base.module import BaseANN

METRICS = {"euclidean": "l2", "angular": "cosine"}


class _Dense(BaseANN):
    """What both engines share; each says which class it builds and which numbers a search takes."""

    label: str

    def __init__(self, metric: str, build: dict[str, Any] | None = None) -> None:
        """`build` holds keyword arguments of the engine's `build`; what is left out the engine decides by itself."""
        if metric not in METRICS:
            raise ValueError(f"metric is {metric!r}, expected one of {sorted(METRICS)}; run another data set")
        self._metric, self._build = METRICS[metric], dict(build or {})
        self._settings: dict[str, int] = {}
        self._index: Any = None
        self._hits: Any = None
        self._rename()

    def _made(self, X: np.ndarray) -> Any:
        raise NotImplementedError

    def _rename(self) -> None:
        """Results are told apart by name, so it says all that was set."""
        given = {**self._build, **self._settings}
        self.name = f"{self.label}({', '.join(f'{name}={value}' for name, value in given.items())})"

    def fit(self, X: np.ndarray) -> None:
        """Build the index, and search it in both ways, so that no query has to wait for a compiler."""
        self._index = self._made(X)
        for queries in (X[0], X[: min(9, len(X))]):
            self._index.search(queries, 10)

    def query(self, v: np.ndarray, n: int) -> np.ndarray:
        """Ids of up to n neighbours, the nearest first; fewer, and no -1, where fewer were found."""
        ids = self._index.search(v, n, **self._settings).ids
        return ids if ids[-1] >= 0 else ids[ids >= 0]  # missing places stand at the end

    def batch_query(self, X: np.ndarray, n: int) -> None:
        """Answer all queries in one call, on all threads that the process may use."""
        self._hits = self._index.search(X, n, **self._settings)

    def get_batch_results(self) -> list[np.ndarray]:
        """Ids of each query of the last batch, as `query` gives them."""
        return [ids for ids, _ in self._hits]

    def done(self) -> None:
        self._index = self._hits = None


class VecrecallHNSW(_Dense):
    """`vr.HNSW`; a search takes ef."""

    label = "vecrecall-hnsw"

    def _made(self, X: np.ndarray) -> Any:
        return vr.HNSW.build(X, metric=self._metric, **self._build)

    def set_query_arguments(self, ef: int) -> None:
        self._settings = {"ef": ef}
        self._rename()


class VecrecallIVF(_Dense):
    """`vr.IVF`, which is at its best in batch mode; a search takes nprobe and rerank."""

    label = "vecrecall-ivf"

    def _made(self, X: np.ndarray) -> Any:
        return vr.IVF.build(X, metric=self._metric, **self._build)

    def set_query_arguments(self, nprobe: int, rerank: int) -> None:
        self._settings = {"nprobe": nprobe, "rerank": rerank}
        self._rename()
