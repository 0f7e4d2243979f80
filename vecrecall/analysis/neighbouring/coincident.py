"""Neighbours at no distance: rows that are one are merged into one, or not counted as neighbours.

Equal rows are merged before the search (`vecrecall.analysis.neighbouring.duplicates`). Here are those that only the
search finds: directions that differ by no more than the rounding of the rows, as those of rows scaled by 3 do, and
differences whose squares are 0 in float64.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vecrecall.analysis.neighbouring.compared import Compared
from vecrecall.analysis.neighbouring.duplicates import Distinct
from vecrecall.analysis.neighbouring.lists import Lists


def merged(
    points: Compared, groups: Distinct, lists: Lists, k: int, n_threads: int, *, ask_again: bool
) -> tuple[Compared, Distinct, Lists]:
    """Merge rows at no distance from each other; what is left has lists of others.

    Parameters
    ----------
    points : Compared
        The first rows of the groups.
    groups : Distinct
    lists : Lists
        Of the points.
    k : int
        Neighbours that each should have.
    ask_again : bool
        Whether to search exactly for the neighbours of rows that have fewer now.
    """
    while (same := lists.distances <= points.same).any():
        rows, columns = np.nonzero(same)
        pairs = coo_array((np.ones(len(rows), bool), (rows, lists.ids[rows, columns])), shape=(points.n, points.n))
        groups = groups.joined(connected_components(pairs, directed=False)[1])
        kept = np.searchsorted(points.which, groups.first)
        renumbered = np.full(points.n + 1, -1)  # of place -1, too
        renumbered[kept] = np.arange(len(kept))
        points, lists = points.among(kept), lists.take(kept)
        lists.ids[:] = renumbered[lists.ids]
        touched = lists.drop((lists.ids < 0) & np.isfinite(lists.distances))
        wanted = min(k, points.n - 1)
        short = touched[lists.counts[touched] < wanted]
        if ask_again and len(short) and wanted:
            lists.ids[short], lists.distances[short] = -1, np.inf
            found = points.nearest(short, wanted, n_threads)
            lists.ids[short, :wanted], lists.distances[short, :wanted] = found
    return points, groups, lists


def drop_same(points: Compared, asked: np.ndarray, lists: Lists, k: int, n_threads: int, *, ask_again: bool) -> None:
    """Leave neighbours at no distance out of the lists of some places, and search on where fewer than k are left."""
    touched = lists.drop(lists.distances <= points.same)
    width = k
    while ask_again and width < points.n - 1:
        touched = touched[lists.counts[touched] < k]
        if not len(touched):
            return
        width = min(2 * max(width, lists.ids.shape[1]), points.n - 1)
        again = Lists(*points.nearest(asked[touched], width, n_threads))
        again.drop(again.distances <= points.same)
        lists.put(touched, *_padded(again, lists.ids.shape[1]))


def _padded(lists: Lists, width: int) -> tuple[np.ndarray, np.ndarray]:
    out = Lists.empty(len(lists.ids), width)
    some = min(width, lists.ids.shape[1])
    out.ids[:, :some], out.distances[:, :some] = lists.ids[:, :some], lists.distances[:, :some]
    return out.ids, out.distances
