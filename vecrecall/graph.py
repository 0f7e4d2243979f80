"""The graph of nearest neighbours of a set of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from vecrecall.exact.index import Exact
from vecrecall.inputs import as_choice, as_count, as_recall, as_rows
from vecrecall.ivf.index import IVF
from vecrecall.progress import progress_bar
from vecrecall.threads import n_threads
from vecrecall.vectors.spaces import METRICS

RECALL = 0.99
_TILE = 16_384  # rows that ask together


def knn_graph(
    X: Any,
    k: int,
    *,
    metric: str = "l2",
    recall: float | None = None,
    exact: bool = False,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> csr_array:
    """Find the k nearest neighbours of every row among the others.

    Parameters
    ----------
    X : array-like, shape (n, dim)
        Numbers of any kind, compared in float32 precision.
    k : int
        Neighbours of each row, itself not counted; its duplicates are. All others where there are no k.
    metric : {"l2", "ip", "cosine"}
    recall : float, optional
        Share of the true neighbours to be found, by the curve that :class:`vecrecall.IVF` measures, so within a few
        hundredths. Default: 0.99. Not beside ``exact=True``.
    exact : bool, default False
        Compare every row with every other: all are found.
    seed, threads, progress :
        As for ``IVF.build``. The result does not depend on the number of threads.

    Returns
    -------
    scipy.sparse.csr_array of float32, shape (n, n)
        Row i holds the distances (as in `Hits`) of the neighbours of row i, the nearest first: ``indices`` are in
        order of distance and not of number, as scikit-learn expects of a precomputed graph. A distance of 0 is stored.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated.

    Examples
    --------
    >>> import numpy as np
    >>> graph = knn_graph(np.array([[0.0], [1.0], [3.0]]), 1)
    >>> graph.indices, graph.data
    (array([1, 0, 1]), array([1., 1., 2.], dtype=float32))
    """
    k = as_count(k, "k")
    metric = as_choice(metric, "metric", METRICS)
    if exact and recall is not None:
        raise ValueError(f"recall={recall} was given with exact=True, which finds all; leave one out")
    target = RECALL if recall is None else as_recall(recall, "recall")
    workers = n_threads(threads)
    rows = as_rows(X)
    n, most = rows.n, min(k, max(rows.n - 1, 0))
    indices, distances = np.empty((n, most), np.int64), np.empty((n, most), np.float32)
    if most:
        settings: dict[str, int] = {}
        order = np.arange(n)
        if exact:
            index: Exact | IVF = Exact.build(X, metric=metric)
        else:
            index = IVF.build(X, metric=metric, target_recall=target, seed=seed, threads=workers)
            order, settings = index.by_list(), index.settings(most)  # neighbours want the same lists: they ask together
        with progress_bar("searching", n, progress) as advance:
            for lo in range(0, n, _TILE):
                own = order[lo : lo + _TILE]
                indices[own], distances[own] = _neighbours(index, rows.take(own), own, most, settings, workers)
                advance(lo + len(own))
    return csr_array((distances.reshape(-1), indices.reshape(-1), np.arange(n + 1) * most), shape=(n, n))


def _neighbours(
    index: Exact | IVF, rows: np.ndarray, own: np.ndarray, k: int, settings: dict[str, int], workers: int
) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, distances) of the k nearest of some rows (m, dim), whose numbers are given, among the others."""
    if isinstance(index, Exact):
        hits = index.search(rows, k + 1, threads=workers)
    else:
        hits = index.search(rows, k + 1, threads=workers, **settings)
        few = np.flatnonzero(hits.ids[:, -1] < 0)
        if len(few):  # the lists that they asked hold too little
            again = index.search(rows[few], k + 1, nprobe=max(1, index.n_lists), rerank=4 * k, threads=workers)
            hits.ids[few], hits.distances[few] = again.ids, again.distances
    other = hits.ids != own[:, None]
    other[other.all(1), -1] = False  # not found itself, among its duplicates or by products
    return hits.ids[other].reshape(len(own), k), hits.distances[other].reshape(len(own), k)
