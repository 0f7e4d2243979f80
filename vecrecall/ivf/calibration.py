"""The curve of an inverted file: recall by ``nprobe`` and ``rerank`` on rows of the index.

A few hundred rows ask for their neighbours, themselves left out. What is true is what a scan of all lists finds when
far more candidates are ranked exactly than are asked for. Then, for each number of lists, candidates are sorted by
their estimates: the places of the true ones tell the recall of each depth of re-ranking.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vecrecall.curve import KS, Curve
from vecrecall.ivf.content import Content
from vecrecall.ivf.searcher import Searcher

NAMES = ("nprobe", "rerank")
_ASKING = {10: 384, 100: 96}  # rows that ask, by k
_DEEP, _TRUTH = 12, 8  # times k: candidates looked at, candidates that decide what is true
_PROBES = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512, 1024, 2048)
_DEPTHS = (1.0, 1.1, 1.3, 1.6, 2.0, 2.4, 2.8, 3.4, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)  # times k
_ENOUGH = 0.999  # lists are no longer added when so much is found

# Nanoseconds, as measured on one core with AVX-512; only their proportions count.
_CODE, _PAIR, _ROW, _BYTE = 0.0055, 30.0, 60.0, 0.12  # a dimension of a code, a list, a ranked row, a byte of it


def measured_curve(content: Content, n_workers: int) -> Curve | None:
    """The curve of a content with kept rows; None where all rows are ranked anyway."""
    if content.lists is None or content.kept is None or content.n < 2:
        return None
    searcher = Searcher()
    points: list[tuple[float, ...]] = []
    for k in KS:
        points += _points(content, searcher, min(k, content.n - 1), k, n_workers)
    return Curve.of_points(NAMES, points, content.n)


def _points(content: Content, searcher: Searcher, k: int, k_named: int, n_workers: int) -> list[tuple[float, ...]]:
    """Points (k, recall, cost, nprobe, rerank)."""
    assert content.kept is not None
    by_estimates = replace(content, kept=None)
    slots = np.unique(np.linspace(0, content.n - 1, min(content.n, _ASKING[k_named])).astype(np.int64))
    queries = np.ascontiguousarray(content.kept.take(slots))
    n_lists, depth = content.n_lists, min(_DEEP * k, content.n)
    found, _, _ = searcher.answer(content, queries, k + 1, n_lists, min(_TRUTH * k, content.n), n_workers)
    truth = _without(found.reshape(len(slots), -1), slots)[:, :k]
    points: list[tuple[float, ...]] = []
    for nprobe in sorted({min(p, n_lists) for p in (*_PROBES, n_lists)}):
        found, _, evals = searcher.answer(by_estimates, queries, depth, nprobe, depth, n_workers)
        shown = _without(found.reshape(len(slots), -1), slots)
        depths = np.unique(np.minimum(np.ceil(np.multiply(_DEPTHS, k)).astype(np.int64), shown.shape[1]))
        recalls = _share_found(shown, truth, depths)
        for rerank, recall in zip(depths.tolist(), recalls.tolist()):
            points.append((k_named, recall, _cost(content, float(evals.mean()), nprobe, rerank), nprobe, rerank))
        if recalls[-1] >= _ENOUGH:
            break
    return points


def _without(found: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Slots found (q, m) without those that asked, or else without the last: (q, m - 1)."""
    other = found != own[:, None]
    other[other.all(1), -1] = False
    return found[other].reshape(len(found), -1)


def _share_found(shown: np.ndarray, truth: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """Of the true slots (q, k) the share among the first so many of those shown, for each depth."""
    found = np.zeros(len(depths))
    for own, true in zip(shown, truth):
        places = np.flatnonzero(np.isin(own, true[true >= 0]))
        found += np.searchsorted(places, depths)
    return found / max(1, int((truth >= 0).sum()))


def _cost(content: Content, evals: float, nprobe: int, rerank: int) -> float:
    assert content.kept is not None and content.rotation is not None
    row = content.kept.values.strides[0]
    return evals * content.rotation.padded_p * _CODE + nprobe * _PAIR + rerank * (_ROW + row * _BYTE)
