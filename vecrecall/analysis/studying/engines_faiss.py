"""faiss's IndexHNSWFlat as an engine of a study.

Within one call of `add` faiss inserts in a random order of its own, level by level ("to get rid of dataset order
bias", as its source says), so that the caller's order shows only where rows come in small calls: the two engines.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.studying.engines_own import STREAM
from vecrecall.hnsw.index import HNSW


class FaissGraph:
    """An index of faiss; its numbers are places in the order of insertion."""

    def __init__(self, index: Any, order: NDArray[np.int64], metric: str, threads: int) -> None:
        self._index, self._order, self._metric, self._threads = index, order, metric, threads

    @cached_property
    def index(self) -> HNSW:
        """The graph that faiss holds, with rows of X for ids."""
        from vecrecall.io.foreign.faiss_index import from_faiss

        return replace(from_faiss(self._index), labels=self._order).index()

    def search(self, Q: NDArray[np.float32], k: int, ef: int) -> NDArray[np.int64]:
        self._index.hnsw.efSearch = max(ef, k)
        with _threads(self._threads):
            _, places = self._index.search(_prepared(Q, self._metric), k)
        return np.where(places < 0, -1, self._order[places])


class _Faiss:
    name: str
    package = "faiss-cpu"

    def _step(self, n: int) -> int:
        raise NotImplementedError

    def build(
        self, X: NDArray[np.float32], order: NDArray[np.int64], *, metric: str, M: int, ef_construction: int,
        seed: int, threads: int,
    ) -> FaissGraph:  # fmt: skip
        faiss = _module()
        index = faiss.IndexHNSWFlat(X.shape[1], M, faiss.METRIC_INNER_PRODUCT if metric == "ip" else faiss.METRIC_L2)
        index.hnsw.efConstruction = ef_construction
        index.hnsw.rng = faiss.RandomGenerator(seed)  # of the levels
        step = self._step(len(order))
        with _threads(1):  # more of them would insert in an order of their own
            for first in range(0, len(order), step):
                index.add(_prepared(X[order[first : first + step]], metric))
        return FaissGraph(index, order, metric, threads)


class FaissInOneCall(_Faiss):
    """All rows in one call."""

    name = "faiss"

    def _step(self, n: int) -> int:
        return n


class FaissInBatches(_Faiss):
    """Rows in calls of 100."""

    name = "faiss-batches"

    def _step(self, n: int) -> int:
        return STREAM


def _prepared(rows: NDArray[np.float32], metric: str) -> NDArray[np.float32]:
    """Rows as faiss takes them: of length 1 under cosine, where the Euclidean graph is the same as that of angles."""
    rows = np.ascontiguousarray(rows)
    if metric == "cosine":
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-30))
    return rows


def _module() -> Any:
    """The module, of which some versions have annotations that do not know all names."""
    import faiss

    return faiss


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Hold faiss at some threads; the number is one setting of the whole process."""
    faiss = _module()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
