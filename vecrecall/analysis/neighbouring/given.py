"""Neighbours that were found elsewhere: by an index, by another library, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from vecrecall.analysis.neighbouring.compared import Compared, Doubles, Places
from vecrecall.analysis.neighbouring.duplicates import Distinct
from vecrecall.analysis.neighbouring.lists import Lists
from vecrecall.hits import Hits
from vecrecall.matching import first_times

_FAR_OFF = 0.1  # relative: more than codes are wrong by
_KINDS = "Hits, (ids, distances) of shape (n, w), or the sparse graph of vecrecall.knn_graph"


def as_given(given: Any, n: int) -> tuple[Places, Doubles]:
    """Check neighbours of n rows for their form; return ids (n, w), -1 where missing, and distances.

    Raises
    ------
    TypeError, ValueError
        If they are of another kind, for another number of rows, without distances, or name a row that is not there.
    """
    if isinstance(given, Hits):
        given = given.ids, given.distances
    if sp.issparse(given):
        given = _of_graph(given, n)
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"neighbours is {type(given).__name__}, expected {_KINDS}")
    ids, distances = np.asarray(given[0]), np.asarray(given[1])
    if ids.dtype.kind not in "iu" or distances.dtype.kind not in "iuf":
        raise TypeError(
            f"neighbours has ids of {ids.dtype} and distances of {distances.dtype}, expected integers, which number "
            "the rows of X from 0, and numbers"
        )
    if ids.ndim != 2 or ids.shape != distances.shape or len(ids) != n:
        raise ValueError(
            f"neighbours has ids of shape {ids.shape} and distances of shape {distances.shape}, expected a list for "
            f"each of the {n} rows of X: ({n}, w) both"
        )
    wrong = np.argwhere((ids < -1) | (ids >= n))
    if len(wrong):
        row, place = wrong[0]
        raise ValueError(
            f"neighbours of row {row} name row {ids[row, place]}, but X has {n}; give those of the same rows"
        )
    return ids.astype(np.int64), distances.astype(np.float64)


def lists_of(given: tuple[Places, Doubles], points: Compared, groups: Distinct, n_threads: int) -> Lists:
    """Return the neighbours of the points among each other at distances that are computed anew.

    The row itself is left out, by its number, and so is what a list names twice or a copy of what it names.

    Raises
    ------
    ValueError
        If most of the distances are others than those of the rows.
    """
    named, claimed = given[0][points.which], given[1][points.which]
    ids = np.append(groups.place, -1)[named]
    ids[ids == np.arange(points.n)[:, None]] = -1
    ids[~first_times(ids)] = -1
    distances = points.distances(np.arange(points.n), ids, n_threads)
    _refuse_others(points, named, claimed, distances)
    order = np.lexsort((ids, distances))
    lists = Lists(np.take_along_axis(ids, order, 1), np.take_along_axis(distances, order, 1))
    return lists.first(int(lists.counts.max(initial=0)))


def _of_graph(graph: Any, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Lists of the rows of a sparse matrix; a stored 0 is a distance."""
    if graph.shape != (n, n):
        raise ValueError(f"neighbours is a graph of shape {graph.shape}, expected ({n}, {n}), as X has {n} rows")
    graph = sp.csr_array(graph)
    counts = np.diff(graph.indptr)
    row = np.repeat(np.arange(n), counts)
    place = np.arange(len(row)) - graph.indptr[row]
    width = int(counts.max(initial=0))
    ids, distances = np.full((n, width), -1), np.full((n, width), np.inf)
    ids[row, place], distances[row, place] = graph.indices, graph.data
    return ids, distances


def _refuse_others(points: Compared, named: Places, claimed: Doubles, real: Doubles) -> None:
    """Refuse neighbours whose distances are not those of the rows, as `Hits` have them: they are of other rows."""
    there = np.isfinite(real)
    expected = real**2 / 2 if points.metric == "cosine" else real
    scale = float(np.median(expected[there])) if there.any() else 0.0
    with np.errstate(invalid="ignore"):
        wrong = there & ~(np.abs(claimed - expected) <= _FAR_OFF * (expected + scale))
    if 2 * wrong.sum() > there.sum():
        row, place = np.argwhere(wrong)[0]
        raise ValueError(
            f"neighbours has row {named[row, place]} at {claimed[row, place]:g} from row {points.which[row]}, but "
            f"under metric {points.metric!r} it is at {expected[row, place]:g}, and so for {wrong.sum()} of "
            f"{there.sum()}; give neighbours of these rows, with distances as Hits have them"
        )
