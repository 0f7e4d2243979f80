"""The curve of a graph: recall by ``ef`` of queries off the data (:mod:`vecrecall.curve`), against exact search."""

from __future__ import annotations

from math import ceil

import numpy as np

from vecrecall.curve import ASKING, ENOUGH, Curve, asking, cautious
from vecrecall.exact.kept import nearest_kept
from vecrecall.hnsw.content import Content
from vecrecall.hnsw.walker import Walker

NAMES = ("ef",)
_EFS = (10, 12, 14, 17, 20, 24, 28, 34, 40, 48, 56, 68, 80, 96, 112, 136, 160, 192, 224, 320, 448, 640, 1024)
_TIMES = (1, 1.25, 1.5, 2, 3, 4)  # times k, where more answers are wanted than the curve is measured at
_EF_OF_NEIGHBOURS = 48  # to find the neighbours that rows are moved away from
_ROUNDING = 1e-5  # of distances that two ways computed


def measured_curve(content: Content, n_workers: int) -> Curve | None:
    """The curve of a content; None where a search ranks all rows, and is exact. Rows must be kept."""
    if content.graph.top < 0 or content.n < 2:
        return None
    points = [point for k, n_asking in ASKING.items() for point in _points(content, k, n_asking, n_workers)]
    return Curve.of_points(NAMES, points, content.n)


def efs(k: int) -> list[int]:
    """Values of ``ef`` worth a look for k answers, ascending: it is raised to k where it is smaller."""
    more = [] if k <= max(ASKING) else [ceil(k * times) for times in _TIMES]
    return sorted({ef for ef in (*_EFS, *more) if ef >= k})


def _points(content: Content, k: int, n_asking: int, n_workers: int) -> list[tuple[float, ...]]:
    """Points (k, recall, evaluations, ef). An answer as far as the k-th true neighbour is as good."""
    assert content.kept is not None
    kept, most, walker = content.kept, min(k, content.n), Walker()

    def nearest_of(rows: np.ndarray, k: int) -> np.ndarray:
        return walker.answer(content, rows, k, _EF_OF_NEIGHBOURS, n_workers)[0]

    queries = asking(kept, content.space.metric, n_asking, nearest_of)
    _, truth = nearest_kept(kept, queries, most, content.space.metric, n_workers)
    points: list[tuple[float, ...]] = []
    for ef in efs(most):
        _, found, evals, _ = walker.answer(content, queries, most, ef, n_workers)
        limits = truth[:, most - 1]
        near = found.reshape(len(queries), -1) <= (limits + _ROUNDING * np.abs(limits))[:, None]
        recall = float(cautious(near.mean(1, keepdims=True))[0])
        points.append((k, recall, float(evals.mean()), ef))
        if recall >= ENOUGH:
            break
    return points
