"""Groups of rows that lie together, by k-means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.points import Points
from vecrecall.inputs import as_count
from vecrecall.threads import Workers, n_threads
from vecrecall.vectors.kmeans import PER_LIST, Centroids, kmeans

MOST, ROWS_EACH = 100, 16  # clusters where no number was given: one for so many rows


def as_n_clusters(n_clusters: Any, n: int) -> int:
    """How many clusters n rows get: as many as asked for; else 100, or one for 16 rows where that is fewer."""
    if n_clusters is None:
        return max(1, min(MOST, n // ROWS_EACH))
    count = as_count(n_clusters, "n_clusters")
    if count > max(n, 1):
        raise ValueError(f"n_clusters is {count}, expected at most the {n} rows of X")
    return count


def groups_of_clusters(points: Points, n_clusters: int, seed: int, threads: int | None) -> NDArray[np.int64]:
    """Number of the cluster of each point, clusters counted in the order of their first rows.

    The centroids are those of a sample of at most 64 rows a cluster; a point belongs to the one that is nearest by
    8-bit codes (:mod:`vecrecall.vectors.kmeans`). Equal rows share a cluster, so there may be fewer than asked for.

    Examples
    --------
    >>> points = Points.of([[0, 0], [9, 9], [0, 1], [9, 8]], "l2")
    >>> groups_of_clusters(points, 2, seed=0, threads=1)
    array([0, 1, 0, 1])
    """
    if points.n == 0 or n_clusters == 1:
        return np.zeros(points.n, np.int64)
    rng = np.random.Generator(np.random.PCG64(seed))
    sample = np.sort(rng.choice(points.n, min(points.n, PER_LIST * n_clusters), replace=False))
    form = _Form(points.take(sample))
    numbers = np.empty(points.n, np.int32)
    with Workers(n_threads(threads)) as workers:
        centroids = Centroids(kmeans(form(points.take(sample)), n_clusters, rng, workers))
        for lo, tile in points.tiles():
            numbers[lo : lo + len(tile)] = centroids.nearest(form(tile), workers)[0]
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return first.argsort().argsort()[inverse].astype(np.int64)


class _Form:
    """Points as k-means takes them: around the origin, of a size near 1, filled up to whole blocks of 16 columns."""

    def __init__(self, sample: NDArray[np.float32]) -> None:
        self.mean = sample.mean(axis=0, dtype=np.float64)
        size = float(np.abs(sample - self.mean).max())
        self.scale = 1 / size if size > 0 else 0.0

    def __call__(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        n, dim = tile.shape
        out = np.zeros((n, -(-dim // 16) * 16), np.float32)
        out[:, :dim] = (tile - self.mean) * self.scale
        return out
