"""The ways in which this package builds its graph, as engines of a study."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.hnsw.index import HNSW

STREAM = 100  # rows that a user adds at a time

Rows = NDArray[np.float32]
Order = NDArray[np.int64]


class OwnGraph:
    """An index of ours, whose ids are rows of X."""

    def __init__(self, index: HNSW, threads: int) -> None:
        self.index = index
        self._threads = threads

    def search(self, Q: Rows, k: int, ef: int) -> NDArray[np.int64]:
        return self.index.search(Q, k, ef=ef, threads=self._threads).ids


class _Own:
    name: str
    package = "vecrecall"

    def build(
        self, X: Rows, order: Order, *, metric: str, M: int, ef_construction: int, seed: int, threads: int
    ) -> OwnGraph:
        shared = {"metric": metric, "M": M, "ef_construction": ef_construction, "seed": seed, "threads": threads}
        return OwnGraph(self._built(X, order, shared), threads)

    def _built(self, X: Rows, order: Order, shared: dict[str, Any]) -> HNSW:
        raise NotImplementedError


class Sequential(_Own):
    """The textbook's insertion over float32, one vector after another, as hnswlib does it."""

    name = "sequential"

    def _built(self, X: Rows, order: Order, shared: dict[str, Any]) -> HNSW:
        return HNSW.build(X[order], ids=order, order="given", schedule="sequential", storage="f32", **shared)


class Parallel(_Own):
    """The default schedule and storage, but in the caller's order."""

    name = "parallel"

    def _built(self, X: Rows, order: Order, shared: dict[str, Any]) -> HNSW:
        return HNSW.build(X[order], ids=order, order="given", **shared)


class Default(_Own):
    """What `HNSW.build` does with rows that come in some order: it inserts them in a random one of its own."""

    name = "default"

    def _built(self, X: Rows, order: Order, shared: dict[str, Any]) -> HNSW:
        return HNSW.build(X[order], ids=order, **shared)


class Streamed(_Own):
    """Rows that come in many small adds, each inserted in the order in which it comes."""

    name = "streamed"

    def _built(self, X: Rows, order: Order, shared: dict[str, Any]) -> HNSW:
        index = HNSW.build(X[order[:STREAM]], ids=order[:STREAM], order="given", **shared)
        for first in range(STREAM, len(order), STREAM):
            batch = order[first : first + STREAM]
            index.add(X[batch], ids=batch, threads=shared["threads"])
        return index


class Refined(Streamed):
    """The same, refined at the end."""

    name = "refined"

    def _built(self, X: Rows, order: Order, shared: dict[str, Any]) -> HNSW:
        index = super()._built(X, order, shared)
        index.refine(threads=shared["threads"])
        return index
