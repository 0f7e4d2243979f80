"""hnswlib as an engine of a study: one call, one thread, one row after another."""

from __future__ import annotations

import os
import tempfile
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.hnsw.index import HNSW

_SEED = 100  # hnswlib's own; 0 and 1 would draw the same levels


class HnswlibGraph:
    """An index of hnswlib, whose labels are rows of X."""

    def __init__(self, index: Any, threads: int) -> None:
        self._index, self._threads = index, threads

    @cached_property
    def index(self) -> HNSW:
        """The graph out of the file that hnswlib writes."""
        from vecrecall.io.foreign.hnswlib_file import read_hnswlib

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "graph.bin")
            self._index.save_index(path)
            return read_hnswlib(path, dim=self._index.dim, space=self._index.space).index()

    def search(self, Q: NDArray[np.float32], k: int, ef: int) -> NDArray[np.int64]:
        self._index.set_ef(max(ef, k))
        try:
            return self._labels(Q, k)
        except RuntimeError:  # the whole batch is lost where one query reaches fewer than k
            return np.concatenate([self._fewer(query, k) for query in Q[:, None]])

    def _fewer(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """The answer to one query (1, dim), padded with -1 where fewer than k rows are reached."""
        for m in range(k, 0, -1):
            try:
                found = self._labels(query, m)
            except RuntimeError:
                continue
            return np.pad(found, ((0, 0), (0, k - m)), constant_values=-1)
        return np.full((1, k), -1)

    def _labels(self, Q: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        return np.asarray(self._index.knn_query(Q, k, num_threads=self._threads)[0]).astype(np.int64)


class Hnswlib:
    """The graph of the paper's authors."""

    name = package = "hnswlib"

    def build(
        self, X: NDArray[np.float32], order: NDArray[np.int64], *, metric: str, M: int, ef_construction: int,
        seed: int, threads: int,
    ) -> HnswlibGraph:  # fmt: skip
        import hnswlib

        index = hnswlib.Index(metric, X.shape[1])
        index.init_index(len(X), M=M, ef_construction=ef_construction, random_seed=_SEED + seed)
        index.add_items(X[order], order, num_threads=1)  # more of them would insert in an order of their own
        return HnswlibGraph(index, threads)
