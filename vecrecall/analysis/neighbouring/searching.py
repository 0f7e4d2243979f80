"""The search for neighbours: by comparing every row with every other, or by an index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.neighbouring.compared import Compared, Doubles
from vecrecall.analysis.neighbouring.lists import Lists
from vecrecall.progress import progress_bar

_FEWEST, _MOST = 128, 2048  # rows that ask exact search together, on a thread
_ASKING_BYTES = 1 << 24  # that they take on the way, as float64 and more
_BLOCK = 16_384  # lists of an index that are put in order together
_FEW_DIGITS = 1e-3  # 1 - cosine: below, less than the digits of float32 are left in the chord
_NO_SQUARE = 1e-15  # Euclidean: below, squares of differences may vanish in float32


def exact_lists(points: Compared, width: int, n_threads: int, progress: bool) -> Lists:
    """The true lists of all points among each other, `width` wide (at most n - 1)."""
    lists = Lists.empty(points.n, width)
    if width:
        block = n_threads * max(_FEWEST, min(_MOST, _ASKING_BYTES // (16 * points.dim)))
        with progress_bar("comparing", points.n, progress) as advance:
            for lo in range(0, points.n, block):
                asked = np.arange(lo, min(lo + block, points.n))
                lists.put(asked, *points.nearest(asked, width, n_threads))
                advance(int(asked[-1]) + 1)
    return lists


def approximate_lists(
    points: Compared, width: int, target: float, seed: int, n_threads: int, progress: bool
) -> Lists:
    """What an index that aims for a recall finds, at its own float32 distances, unless these are too rough."""
    from vecrecall.graph import knn_graph

    lists = Lists.empty(points.n, width)
    if width:
        graph = knn_graph(
            points.held, width, metric=points.held_metric, recall=target, seed=seed, threads=n_threads,
            progress=progress,
        )  # fmt: skip
        found, distances = graph.indices.reshape(points.n, width), graph.data.reshape(points.n, width)
        for lo in range(0, points.n, _BLOCK):
            asked = np.arange(lo, min(lo + _BLOCK, points.n))
            ids, reach = found[asked].astype(np.int64), distances[asked].astype(np.float64)
            lists.put(asked, ids, np.sqrt(2 * np.maximum(reach, 0)) if points.held_metric == "cosine" else reach)
            again = asked[_too_rough(points, reach)]
            lists.put(again, *points.sorted_by_distance(again, lists.ids[again], n_threads))
    return lists


def _too_rough(points: Compared, reach: Doubles) -> NDArray[np.bool_]:
    """Which rows have neighbours that an index's distances (q, w) are too rough for."""
    if not points.is_held_exactly:
        return np.ones(len(reach), bool)
    return reach.min(axis=1) < (_FEW_DIGITS if points.metric == "cosine" else _NO_SQUARE)
