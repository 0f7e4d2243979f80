"""Recall of any engine's ids by distance, on its own feet: nothing of vecrecall is used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 500  # queries whose candidates are gathered at a time


class Truth:
    """The true neighbours of the queries; an id counts when it is not farther than the last true one.

    Parameters
    ----------
    X, Q : ndarray of float32, shape (n, d) and (q, d)
        Rows and queries; unit length under cosine.
    neighbors : ndarray of int, shape (q, k)
        The exact answers.
    metric : {"l2", "cosine", "ip"}
    """

    def __init__(self, X: NDArray, Q: NDArray, neighbors: NDArray, metric: str) -> None:
        self.X, self.Q, self.metric = X, Q, metric
        self.k = neighbors.shape[1]
        true = self.distances(neighbors)
        farthest = true.max(axis=1)
        self.limit = farthest + 1e-6 * np.abs(true).max(axis=1) + 1e-7

    def distances(self, ids: NDArray) -> NDArray[np.float64]:
        """Squared Euclidean distances, or minus the inner products, from each query to its ids."""
        out = np.empty(ids.shape, np.float64)
        for first in range(0, len(ids), BLOCK):
            x = self.X[ids[first : first + BLOCK]]
            q = self.Q[first : first + BLOCK, None]
            out[first : first + BLOCK] = -(x * q).sum(2) if self.metric == "ip" else ((x - q) ** 2).sum(2)
        return out

    def recall(self, ids: NDArray) -> float:
        """Share of the k places that hold a true neighbour, ties counted, each id once."""
        ids = np.asarray(ids).astype(np.int64).reshape(len(self.Q), -1)[:, : self.k]
        there = (ids >= 0) & (ids < len(self.X))
        near = self.distances(np.where(there, ids, 0)) <= self.limit[:, None]
        first = np.ones_like(there)
        for place in range(1, ids.shape[1]):
            first[:, place] = (ids[:, :place] != ids[:, place : place + 1]).all(axis=1)
        return float((there & near & first).sum() / (len(ids) * self.k))
