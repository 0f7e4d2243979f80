"""Exact search over the rows that an approximate engine keeps, without a copy of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vecrecall.exact.search import distances_of, nearest
from vecrecall.hits import Hits
from vecrecall.ids import Ids
from vecrecall.vectors.rows import KeptRows


def nearest_kept(
    kept: KeptRows, queries: NDArray[np.float32], k: int, metric: str, n_workers: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return (slots, distances), shape (q, k), of the k nearest kept rows, as `vecrecall.exact.search.nearest`."""
    nobody = np.full(len(queries), -1)
    return nearest(kept.values[: kept.n, : kept.dim], queries, k, metric, nobody, n_workers)


def exact_hits(
    kept: KeptRows, ids: Ids, queries: NDArray[np.float32], k: int, metric: str, n_workers: int
) -> Hits:
    """Return the true answers to queries (q, dim) among the kept rows."""
    slots, distances = nearest_kept(kept, queries, k, metric, n_workers)
    return Hits(ids.outer(slots), distances, np.full(len(queries), kept.n), metric)


def kept_distances(
    kept: KeptRows, queries: NDArray[np.float32], slots: NDArray[np.int64], metric: str
) -> NDArray[np.float32]:
    """Return the distances of kept rows by slot (q, m) to the queries (q, dim); +inf for slot -1."""
    return distances_of(kept.values[: kept.n, : kept.dim], queries, slots, metric)
