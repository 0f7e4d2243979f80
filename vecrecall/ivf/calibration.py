"""The curve of an inverted file: recall by ``nprobe`` and ``rerank`` of queries off the data (:mod:`vecrecall.curve`).

What is true is what a scan of all lists finds when far more candidates are ranked exactly than are asked for; where
four times as many would change it, codes hide neighbours, and the truth comes from exact search. Then, for each number
of lists, candidates are sorted by their estimates: the places of the true ones tell the recall of each depth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vecrecall.curve import ASKING, ENOUGH, Curve, asking, cautious
from vecrecall.ivf.content import Content
from vecrecall.ivf.searcher import Searcher

NAMES = ("nprobe", "rerank")
_TRUTH = 8  # times k: candidates that decide what is true, and four times as many that have to agree
_AGREED = 0.98  # what the deeper of the two still misses is far less than what they differ by
_PROBES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048)
_DEPTHS = (1.0, 1.1, 1.3, 1.6, 2.0, 2.4, 2.8, 3.4, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)  # times k
_DEEPER = (16.0, 24.0, 32.0, 48.0, 64.0)  # where those do not suffice
_SUFFICE = 0.98  # recall that depths suffice for
_PROBES_OF_NEIGHBOURS = 16  # to find the neighbours that rows are moved away from

# Nanoseconds, as measured on one core with AVX-512; only their proportions count.
_CODE, _PAIR, _ROW, _BYTE = 0.0055, 30.0, 60.0, 0.12  # a dimension of a code, a list, a ranked row, a byte of it

Point = tuple[float, ...]


def measured_curve(content: Content, n_workers: int, *, reranked: bool) -> Curve | None:
    """The curve of a content with kept rows; None where all rows are ranked anyway.

    reranked : False for an index that will not keep them, whose answers are ranked by estimates.
    """
    if content.lists is None or content.kept is None:
        return None
    searcher = Searcher()
    points: list[Point] = []

    def nearest_of(rows: np.ndarray, k: int) -> np.ndarray:
        return searcher.answer(content, rows, k, _PROBES_OF_NEIGHBOURS, 4 * k, n_workers)[0]

    for k, n_asking in ASKING.items():
        queries = asking(content.kept, content.space.metric, n_asking, nearest_of)
        truth = _truth(content, searcher, queries, min(k, content.n), n_workers)
        points += _points(content, searcher, queries, truth, k, n_workers, reranked=reranked)
    return Curve.of_points(NAMES, points, content.n)


def ladder(
    content: Content, searcher: Searcher, queries: np.ndarray, truth: np.ndarray, k: int, n_workers: int
) -> list[tuple[int, int]]:
    """(nprobe, rerank) by their cost, for queries whose true slots (q, k) are known: none both cheaper and better."""
    points = _points(content, searcher, queries, truth, k, n_workers, reranked=content.kept is not None)
    return [(int(nprobe), int(rerank)) for *_, nprobe, rerank in Curve.of_points(NAMES, points, content.n).table]


def _truth(content: Content, searcher: Searcher, queries: np.ndarray, k: int, n_workers: int) -> np.ndarray:
    """True slots (q, k)."""
    kept, n = content.kept, content.n
    assert kept is not None
    found = [
        searcher.answer(content, queries, k, content.n_lists, min(times * k, n), n_workers)[0].reshape(-1, k)
        for times in (_TRUTH, 4 * _TRUTH)
    ]
    if _share_found(found[0], found[1], np.array([k])).mean() >= _AGREED:
        return found[1]
    from vecrecall.exact.kept import nearest_kept  # its kernels are not needed otherwise, and loading them takes time

    return nearest_kept(kept, queries, k, content.space.metric, n_workers)[0]


def _points(
    content: Content, searcher: Searcher, queries: np.ndarray, truth: np.ndarray, k: int, n_workers: int, *,
    reranked: bool,
) -> list[Point]:  # fmt: skip
    """Points (k, recall, cost, nprobe, rerank); to deeper depths only where others do not suffice."""
    points: list[Point] = []
    for depths in (_DEPTHS, _DEPTHS + _DEEPER) if reranked else (_DEPTHS[:1],):
        points = _points_at(content, searcher, queries, truth, k, depths, n_workers)
        if max(point[1] for point in points) >= _SUFFICE:
            break
    return points


def _points_at(
    content: Content, searcher: Searcher, queries: np.ndarray, truth: np.ndarray, k: int, times: tuple[float, ...],
    n_workers: int,
) -> list[Point]:  # fmt: skip
    """Points for depths of so many times k."""
    depths = np.unique(np.minimum(np.ceil(np.multiply(times, truth.shape[1])).astype(np.int64), content.n))
    by_estimates, deep = replace(content, kept=None), int(depths[-1])
    points: list[Point] = []
    for nprobe in sorted({min(p, content.n_lists) for p in (*_PROBES, content.n_lists)}):
        found, _, evals = searcher.answer(by_estimates, queries, deep, nprobe, deep, n_workers)
        recalls = cautious(_share_found(found.reshape(len(queries), -1), truth, depths)).tolist()
        for rerank, recall in zip(depths.tolist(), recalls):
            points.append((k, recall, _cost(content, float(evals.mean()), nprobe, rerank), nprobe, rerank))
        if recalls[-1] >= ENOUGH:
            break
    return points


def _share_found(shown: np.ndarray, truth: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """Of the true slots (q, k) of a query the share among the first so many of those shown (q, m): (q, depths)."""
    query = np.arange(len(shown))[:, None] << 32  # slots of different queries apart, by one number
    true = np.sort((truth + query)[truth >= 0])
    asked = shown + query
    at = np.minimum(np.searchsorted(true, asked), len(true) - 1)
    found = (true[at] == asked) & (shown >= 0)
    return np.cumsum(found, axis=1)[:, depths - 1] / truth.shape[1]


def _cost(content: Content, evals: float, nprobe: int, rerank: int) -> float:
    assert content.rotation is not None
    row = 0 if content.kept is None else content.kept.values.strides[0]
    return evals * content.rotation.padded_p * _CODE + nprobe * _PAIR + rerank * (_ROW + row * _BYTE)
