"""The curve of an inverted file: recall by ``nprobe`` and ``rerank`` on rows of the index.

A few hundred queries off the data (:mod:`vecrecall.curve`) ask for their neighbours. What is true is what a scan of all
lists finds when far more candidates are ranked exactly than are asked for. Then, for each number of lists, candidates
are sorted by their estimates: the places of the true ones tell the recall of each depth of re-ranking.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vecrecall.curve import NEIGHBOUR, Curve, off_the_data
from vecrecall.ivf.content import Content
from vecrecall.ivf.searcher import Searcher

NAMES = ("nprobe", "rerank")
_ASKING = {10: 384, 100: 96}  # rows that ask, by k
_DEEP, _TRUTH = 12, 8  # times k: candidates looked at, candidates that decide what is true
_PROBES = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512, 1024, 2048)
_DEPTHS = (1.0, 1.1, 1.3, 1.6, 2.0, 2.4, 2.8, 3.4, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)  # times k
_PROBES_OF_NEIGHBOURS = 16  # to find the neighbours that rows are moved away from
_ENOUGH = 0.999  # lists are no longer added when so much is found

# Nanoseconds, as measured on one core with AVX-512; only their proportions count.
_CODE, _PAIR, _ROW, _BYTE = 0.0055, 30.0, 60.0, 0.12  # a dimension of a code, a list, a ranked row, a byte of it

Point = tuple[float, ...]


def measured_curve(content: Content, n_workers: int) -> Curve | None:
    """The curve of a content with kept rows; None where all rows are ranked anyway."""
    if content.lists is None or content.kept is None or content.n < 2:
        return None
    searcher = Searcher()
    points = [
        point for k, n_asking in _ASKING.items() for point in _points(content, searcher, k, n_asking, n_workers)
    ]
    return Curve.of_points(NAMES, points, content.n)


def _points(content: Content, searcher: Searcher, k: int, n_asking: int, n_workers: int) -> list[Point]:
    """Points (k, recall, cost, nprobe, rerank)."""
    n, n_lists, most = content.n, content.n_lists, min(k, content.n)
    queries = _queries(content, searcher, n_asking, n_workers)
    by_estimates, deep = replace(content, kept=None), min(_DEEP * most, n)
    found, _, _ = searcher.answer(content, queries, most, n_lists, min(_TRUTH * most, n), n_workers)
    truth = found.reshape(len(queries), -1)
    points: list[Point] = []
    for nprobe in sorted({min(p, n_lists) for p in (*_PROBES, n_lists)}):
        found, _, evals = searcher.answer(by_estimates, queries, deep, nprobe, deep, n_workers)
        shown = found.reshape(len(queries), -1)
        depths = np.unique(np.minimum(np.ceil(np.multiply(_DEPTHS, most)).astype(np.int64), shown.shape[1]))
        recalls = _share_found(shown, truth, depths).tolist()
        for rerank, recall in zip(depths.tolist(), recalls):
            points.append((k, recall, _cost(content, float(evals.mean()), nprobe, rerank), nprobe, rerank))
        if recalls[-1] >= _ENOUGH:
            break
    return points


def _queries(content: Content, searcher: Searcher, n_asking: int, n_workers: int) -> np.ndarray:
    """Queries off the data; under ip rows as they are, since lengths do not hold a row to its place."""
    assert content.kept is not None
    slots = np.unique(np.linspace(0, content.n - 1, min(content.n, n_asking)).astype(np.int64))
    rows = np.ascontiguousarray(content.kept.compared(slots))
    if content.space.metric == "ip":
        return rows
    k = min(NEIGHBOUR + 1, content.n)
    found, _, _ = searcher.answer(content, rows, k, _PROBES_OF_NEIGHBOURS, 4 * k, n_workers)
    neighbours = found.reshape(len(rows), k)[:, -1]
    return off_the_data(rows, content.kept.compared(np.where(neighbours < 0, slots, neighbours)))


def _share_found(shown: np.ndarray, truth: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """Of the true slots (q, k) the share among the first so many of those shown (q, m), for each depth."""
    query = np.arange(len(shown))[:, None] << 32  # slots of different queries apart, by one number
    true = np.sort((truth + query)[truth >= 0])
    asked = shown + query
    at = np.minimum(np.searchsorted(true, asked), len(true) - 1)
    found = (true[at] == asked) & (shown >= 0)
    return np.cumsum(found.sum(0))[depths - 1] / max(1, len(true))


def _cost(content: Content, evals: float, nprobe: int, rerank: int) -> float:
    assert content.kept is not None and content.rotation is not None
    row = content.kept.values.strides[0]
    return evals * content.rotation.padded_p * _CODE + nprobe * _PAIR + rerank * (_ROW + row * _BYTE)
