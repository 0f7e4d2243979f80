"""What a search answers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Hits:
    """Answers of a search, nearest first; row i belongs to query i.

    Fewer than k found is a normal answer: the missing places stand at the end, hold id -1 (None for string
    ids) and distance +inf, and `counts` tells how many are filled. A search with one vector gives arrays of
    shape (k,) and plain ints, one with a batch (even of one) gives the shapes below.

    ======== ================== ==================
    metric   distances          scores
    ======== ================== ==================
    l2       Euclidean          minus Euclidean
    ip       minus inner product inner product
    cosine   1 - cosine         cosine
    ======== ================== ==================

    Attributes
    ----------
    ids : ndarray of int64, or of str objects, shape (q, k)
    distances : ndarray of float32, shape (q, k)
        Smaller is nearer. Euclidean is not squared.
    scores : ndarray of float32, shape (q, k)
        Greater is nearer; missing places hold -inf.
    counts : ndarray of int64, shape (q,)
        How many places of each query are filled.
    evals : ndarray of int64, shape (q,)
        Distance evaluations each query took.
    hops : ndarray of int64, shape (q,), or None
        Nodes of the base layer that each query expanded; None where no graph was walked.
    metric : {"l2", "ip", "cosine"}

    Examples
    --------
    >>> hits = Hits(np.array([7, 3, -1]), np.array([0.5, 2.0, np.inf], "f4"), 9, "l2")
    >>> hits
    Hits: 1 query, k=3, metric l2
    2 of 3 places filled, 9.0 distance evaluations a query
    >>> [(ids.tolist(), distances.tolist()) for ids, distances in hits]
    [([7, 3], [0.5, 2.0])]
    """

    __slots__ = ("_counts", "_distances", "_evals", "_hops", "_ids", "_metric", "_scores")

    def __init__(
        self, ids: NDArray[Any], distances: NDArray[np.float32], evals: NDArray[np.int64] | int, metric: str,
        hops: NDArray[np.int64] | int | None = None,
    ) -> None:  # fmt: skip
        self._ids = ids
        self._distances = distances
        self._evals = evals
        self._metric = metric
        self._hops = hops
        self._scores: NDArray[np.float32] | None = None
        self._counts: NDArray[np.int64] | int | None = None

    @property
    def ids(self) -> NDArray[Any]:
        return self._ids

    @property
    def distances(self) -> NDArray[np.float32]:
        return self._distances

    @property
    def evals(self) -> NDArray[np.int64] | int:
        return self._evals

    @property
    def hops(self) -> NDArray[np.int64] | int | None:
        return self._hops

    @property
    def metric(self) -> str:
        return self._metric

    @property
    def scores(self) -> NDArray[np.float32]:
        if self._scores is None:
            one = np.float32(1 if self._metric == "cosine" else 0)
            self._scores = one - self._distances
        return self._scores

    @property
    def counts(self) -> NDArray[np.int64] | int:
        if self._counts is None:
            counts = np.isfinite(self._distances).sum(axis=-1, dtype=np.int64)
            self._counts = counts if self._distances.ndim == 2 else int(counts)
        return self._counts

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self._distances) if self._distances.ndim == 2 else 1

    def __iter__(self) -> Iterator[tuple[NDArray[Any], NDArray[np.float32]]]:
        """Yield (ids, distances) of each query without the missing places."""
        pairs = zip(
            np.atleast_2d(self._ids), np.atleast_2d(self._distances), np.atleast_1d(self.counts), strict=True
        )
        for ids, distances, count in pairs:
            yield ids[:count], distances[:count]

    def __repr__(self) -> str:
        q, k = len(self), self._distances.shape[-1]
        evals = np.mean(self._evals) if q else 0.0
        return (
            f"Hits: {q:,} {'query' if q == 1 else 'queries'}, k={k}, metric {self._metric}\n"
            f"{np.sum(self.counts):,} of {q * k:,} places filled, {evals:,.1f} distance evaluations a query"
        )

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, one row a hit: query, rank (from 0), id, distance, score."""
        from pandas import DataFrame

        return DataFrame(self._columns())

    def to_arrow(self) -> Any:
        """Return a pyarrow Table, one row a hit: query, rank (from 0), id, distance, score."""
        from pyarrow import table

        return table(self._columns())

    def _columns(self) -> dict[str, NDArray[Any]]:
        found = np.isfinite(np.atleast_2d(self._distances))
        query, rank = np.nonzero(found)
        columns = {"id": self._ids, "distance": self._distances, "score": self.scores}
        return {"query": query, "rank": rank} | {n: np.atleast_2d(c)[found] for n, c in columns.items()}
