"""Exact answers of sparse queries by inner product, on their own feet: nothing of vecrecall is used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.judge import exact_scores

TOLERANCE = 1e-6  # relative: sums of float32 products differ by that with their order


def exact_top(
    docs: sparse.csr_array, queries: sparse.csr_array, depth: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """(rows, scores) of the `depth` best documents of each query, ties to the lower row.

    Where fewer share a term with the query, documents of score 0 fill up.
    """
    inverted = docs.tocsc()
    ids = np.empty((queries.shape[0], depth), np.int32)
    best = np.empty((queries.shape[0], depth))
    for i, (first, end) in enumerate(zip(queries.indptr[:-1], queries.indptr[1:])):
        scores = exact_scores(inverted, queries.indices[first:end], queries.data[first:end])
        candidates = np.flatnonzero(scores >= _kth(scores, depth))
        order = np.lexsort((candidates, -scores[candidates]))[:depth]
        ids[i], best[i] = candidates[order], scores[candidates[order]]
    return ids, best


def _kth(scores: NDArray, k: int) -> float:
    """The k-th best score."""
    return float(np.partition(scores, len(scores) - k)[len(scores) - k])


class SparseTruth:
    """For each query every document that may stand among its k best: those that tie with the k-th included.

    Documents of score 0 or less are no answers; a query with fewer than k answers wants only those.
    """

    def __init__(self, docs: sparse.csr_array, queries: sparse.csr_array, k: int) -> None:
        inverted = docs.tocsc()
        self.winners: list[NDArray[np.int64]] = []
        self.n_wanted: list[int] = []
        for first, end in zip(queries.indptr[:-1], queries.indptr[1:]):
            scores = exact_scores(inverted, queries.indices[first:end], queries.data[first:end])
            limit = _kth(scores, min(k, len(scores))) * (1 - TOLERANCE)
            self.winners.append(np.flatnonzero((scores >= limit) & (scores > 0)))
            self.n_wanted.append(min(k, int((scores > 0).sum())))

    def recall(self, answers: list[NDArray]) -> float:
        """Share of the wanted places that hold a winner, mean over the queries that have any; each id counts once."""
        shares = [
            min(len(np.intersect1d(ids, winners)), wanted) / wanted
            for ids, winners, wanted in zip(answers, self.winners, self.n_wanted)
            if wanted
        ]
        return float(np.mean(shares))
