"""Recall and faults of raw answers, from distances that are computed here; nothing of vecrecall is used.

An id counts when its exact distance is not larger than that of the k-th true neighbour, so ties count; an id that an
answer repeats counts once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.data import Data
from bench.results import Faults

TOLERANCE = 1e-6  # relative: rows at unit length are rounded to float32 after the truth was found
WRONG = 0.01  # a distance is wrong beyond this share of the exact one, or of the largest in the answer
BLOCK = 200  # queries whose candidates are gathered at a time


class Verdict(NamedTuple):
    """What is found out about the answers of a setting."""

    recall: NDArray[np.float64]  # by query
    faults: Faults


class Judge:
    """Knows the exact distances of a set's queries, or of one half of them.

    Parameters
    ----------
    data : Data
    which : {"choosing", "timed", "all"}
    k : int
    """

    def __init__(self, data: Data, which: str, k: int) -> None:
        self.data, self.k = data, min(k, data.n)
        self.Q, numbers = data.half(which)
        if data.is_sparse:
            self.limits, self.wanted = self._sparse_limits()
        else:
            assert data.neighbors is not None
            if data.neighbors.shape[1] < self.k or data.neighbors.min() < 0 or data.neighbors.max() >= data.n:
                raise ValueError(
                    f"{data.name} has {data.neighbors.shape[1]} true neighbours a query, rows {data.neighbors.min()} "
                    f"to {data.neighbors.max()}; expected {self.k} or more, each one of its {data.n:,} rows"
                )
            true = self.distances(data.neighbors[numbers, : self.k])
            farthest = true.max(axis=1)
            self.limits = farthest + TOLERANCE * np.abs(true).max(axis=1) + 1e-12
            self.wanted = np.full(len(true), self.k)

    def distances(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Exact distances (q, m) from each query to its ids, in float64: Euclidean, 1 - cosine, minus the product."""
        out = np.empty(ids.shape)
        of_block = self._sparse if self.data.is_sparse else self._dense
        for first in range(0, len(ids), BLOCK):
            out[first : first + BLOCK] = of_block(first, ids[first : first + BLOCK])
        return out

    def _dense(self, first: int, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        x = self.data.X[ids].astype(np.float64)
        q = self.Q[first : first + len(ids), None].astype(np.float64)
        if self.data.metric == "ip":
            return -(x * q).sum(2)
        squared = ((x - q) ** 2).sum(2)
        return squared / 2 if self.data.metric == "cosine" else np.sqrt(squared)

    def _sparse(self, first: int, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        out = np.empty(ids.shape)
        for i, row in enumerate(ids):
            q = self.Q[[first + i]].astype(np.float64)
            out[i] = -(self.data.X[row].astype(np.float64) @ q.T).toarray().ravel()
        return out

    def _sparse_limits(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(distance of the k-th best, how many answers there are) by query; products of 0 or less are no answers."""
        inverted = self.data.X.tocsc()
        limits, wanted = np.empty(self.Q.shape[0]), np.empty(self.Q.shape[0], np.int64)
        for i in range(self.Q.shape[0]):
            scores = exact_scores(inverted, *columns_of(self.Q, i))
            wanted[i] = min(self.k, int((scores > 0).sum()))
            limit = np.partition(scores, len(scores) - self.k)[len(scores) - self.k]
            limits[i] = -limit * (1 - TOLERANCE) if limit > 0 else 0.0
        return limits, wanted

    def verdict(self, ids: NDArray[np.int64], distances: NDArray[np.float64] | None) -> Verdict:
        """Judge answers (q, m): the first k places count."""
        ids = ids[:, : self.k]
        there = (ids >= 0) & (ids < self.data.n)
        exact = self.distances(np.where(there, ids, 0))
        first = np.ones_like(there)
        for place in range(1, ids.shape[1]):
            first[:, place] = (ids[:, :place] != ids[:, place : place + 1]).all(axis=1)
        right = there & first & (exact <= self.limits[:, None])
        if self.data.is_sparse:
            right &= exact < 0
        n_right = np.minimum(right.sum(axis=1), self.wanted)
        recall = np.where(self.wanted > 0, n_right / np.maximum(self.wanted, 1), 1.0)
        returned = ids != -1
        n_missing = int(np.maximum(self.wanted - returned.sum(axis=1), 0).sum())
        wrong, error = self._errors(distances, exact, there)
        faults = Faults(
            missing=n_missing, out_of_range=int((returned & ~there).sum()), duplicates=int((there & ~first).sum()),
            wrong_distances=wrong, distance_error=error,
        )  # fmt: skip
        return Verdict(recall, faults)

    def _errors(
        self, distances: NDArray[np.float64] | None, exact: NDArray[np.float64], there: NDArray[np.bool_]
    ) -> tuple[int, float]:
        """(how many distances are wrong, mean relative error) of the places that hold a row."""
        if distances is None or not there.any():
            return 0, 0.0
        scale = np.maximum(np.abs(exact), np.where(there, np.abs(exact), 0).max(axis=1, keepdims=True))
        error = np.abs(distances[:, : self.k] - exact) / np.maximum(scale, 1e-12)
        error = np.where(np.isfinite(error), error, np.inf)[there]
        return int((error > WRONG).sum()), float(np.minimum(error, 1e6).mean())


def columns_of(queries: sparse.csr_array, i: int) -> tuple[NDArray, NDArray]:
    """(columns, weights) of a query."""
    entries = slice(queries.indptr[i], queries.indptr[i + 1])
    return queries.indices[entries], queries.data[entries]


def exact_scores(inverted: sparse.csc_array, columns: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Inner products of one query with every document, in float64, term by term: a fixed order of sums."""
    scores = np.zeros(inverted.shape[0])
    for column, weight in zip(columns, weights):
        postings = slice(inverted.indptr[column], inverted.indptr[column + 1])
        scores[inverted.indices[postings]] += inverted.data[postings] * np.float64(weight)
    return scores
