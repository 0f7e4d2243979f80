"""The nearest neighbours of every row among the others: the one search that all estimates of dimension share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vecrecall.analysis.neighbouring.coincident import drop_same, merged
from vecrecall.analysis.neighbouring.compared import Compared, Doubles, Places
from vecrecall.analysis.neighbouring.duplicates import Distinct, distinct
from vecrecall.analysis.neighbouring.given import as_given, lists_of
from vecrecall.analysis.neighbouring.lists import Lists
from vecrecall.analysis.neighbouring.searching import approximate_lists, exact_lists
from vecrecall.analysis.points import Points
from vecrecall.inputs import as_choice, as_count, as_flag, as_recall, as_seed, warn_user
from vecrecall.matching import shares_found
from vecrecall.threads import n_threads

DUPLICATES = ("merge", "drop", "keep", "error")
RECALL = 0.99
_SAMPLE = 500  # rows whose neighbours are also found exactly, where the others are not
_SPARE = 16  # neighbours that are found beyond those asked for, where some may not count


@dataclass(frozen=True, eq=False)
class Sample:
    """Some rows whose neighbours were also found exactly.

    Attributes
    ----------
    places : ndarray of int64, shape (s,)
        Among the compared rows.
    ids, distances : ndarray of int64 and float64, shape (s, k)
        The exact ones.
    recall : float
        Share of them that the others hold, by distance.
    """

    places: Places
    ids: Places
    distances: Doubles
    recall: float


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Neighbours of the distinct rows of a matrix, or of all.

    Attributes
    ----------
    place : ndarray of int64, shape (n,)
        Where each row stands among those that were compared: equal ones share a place; -1 for a row that was left
        out, a zero row under cosine.
    ids : ndarray of int64, shape (m, k)
        Places of the k nearest others, in the order of (distance, place); -1 where there is none.
    distances : ndarray of float64, shape (m, k)
        Euclidean, under cosine the chord; ascending; +inf where there is none. Those of an approximate search may be
        rounded to float32.
    points : Compared
        The m compared rows.
    n_duplicates : int
        Rows that are equal to an earlier one.
    source : {"exact", "approximate", "given"}
    sample : Sample or None
        What the neighbours were measured by, if they are not exact.
    """

    place: Places
    ids: Places
    distances: Doubles
    points: Compared
    n_duplicates: int
    source: str
    sample: Sample | None = None

    @property
    def n(self) -> int:
        """Rows of the matrix."""
        return len(self.place)

    @property
    def k(self) -> int:
        """Neighbours of each row."""
        return self.ids.shape[1]

    def by_row(self, values: Doubles) -> Doubles:
        """Values of the compared rows (m,) as values of all rows (n,); NaN for one that was left out."""
        return np.append(values, np.nan)[self.place]


def neighbours_of(
    X: Any,
    k: int,
    *,
    metric: str = "l2",
    duplicates: str = "merge",
    given: Any = None,
    exact: bool = True,
    recall: float | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Neighbours:
    """Find the k nearest neighbours of every row, at float64 distances; parameters as of `dimension`.

    Parameters
    ----------
    X : array_like of real numbers, shape (n, d)
    k : int
        As many as there are, where they are fewer.
    given : optional
        Neighbours found elsewhere, as `vecrecall.analysis.dimension` takes them.

    Returns
    -------
    Neighbours

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated.

    Warns
    -----
    UserWarning
        Once, with their count, if rows are zero under cosine: they have no direction, and are left out.

    Examples
    --------
    >>> found = neighbours_of([[0.0], [1.0], [3.0], [3.0]], 1)
    >>> found.ids.tolist(), found.distances.tolist(), found.place
    ([[1], [0], [1]], [[1.0], [1.0], [2.0]], array([0, 1, 2, 2]))
    """
    k, seed, workers = as_count(k, "k"), as_seed(seed), n_threads(threads)
    as_choice(duplicates, "duplicates", DUPLICATES)
    target = _target(given, exact, recall)
    rows = Points.of(X, metric).rows
    lists_given = None if given is None else as_given(given, rows.n)
    equal = distinct(rows, metric)
    _mention_zeros(int((equal.place < 0).sum()))
    if duplicates == "error":
        _refuse_duplicates(equal)
    merging = duplicates in ("merge", "error")
    groups = equal if merging else _each(equal)
    points = Compared(rows, metric, groups.first)
    spare = _SPARE if duplicates == "drop" or (merging and metric == "cosine") else 0
    width = max(0, min(k + spare, points.n - 1))
    if lists_given is not None:
        source, lists = "given", lists_of(lists_given, points, groups, workers)
    elif target is None:
        source, lists = "exact", exact_lists(points, width, workers, progress)
    else:
        source, lists = "approximate", approximate_lists(points, width, target, seed, workers, progress)
    searched = source != "given"
    if merging:
        n_before = points.n
        points, groups, lists = merged(points, groups, lists, k, workers, ask_again=searched)
        if duplicates == "error" and points.n < n_before:
            _refuse_duplicates(groups)
    elif duplicates == "drop":
        drop_same(points, np.arange(points.n), lists, k, workers, ask_again=searched)
    lists = lists.first(max(0, min(k, points.n - 1, lists.ids.shape[1])))
    sample = None if source == "exact" else _sample(points, lists, duplicates == "keep", seed, workers)
    n_duplicates = groups.n_duplicates if merging else equal.n_duplicates
    return Neighbours(groups.place, lists.ids, lists.distances, points, n_duplicates, source, sample)


def _target(given: Any, exact: Any, recall: Any) -> float | None:
    """The recall to search for; None for exact neighbours, and for those that are given."""
    exact = as_flag(exact, "exact")
    if not exact and given is not None:
        raise ValueError("exact=False is given beside neighbours=, which ask for no search; leave one out")
    if exact and recall is not None:
        raise ValueError(
            f"recall={recall} is given without exact=False: exact search finds all; give both, or leave it out"
        )
    return None if exact else RECALL if recall is None else as_recall(recall, "recall")


def _mention_zeros(n_zero: int) -> None:
    if n_zero:
        warn_user(
            f"{n_zero} zero row vector{'s' * (n_zero > 1)} under metric 'cosine': without a direction, so left out; "
            "drop them if they are not meant"
        )


def _refuse_duplicates(groups: Distinct) -> None:
    if groups.n_duplicates:
        one, other = groups.pair()
        raise ValueError(
            f"X row {other} is equal to row {one}, the first of {groups.n_duplicates} that repeat another, and "
            "duplicates is 'error'; drop them, or take 'merge'"
        )


def _each(groups: Distinct) -> Distinct:
    """Every row by itself."""
    first = np.flatnonzero(groups.place >= 0)
    place = np.full(len(groups.place), -1)
    place[first] = np.arange(len(first))
    return Distinct(first, place)


def _sample(points: Compared, lists: Lists, keep: bool, seed: int, n_threads: int) -> Sample | None:
    """Compare the lists of some rows with the true ones."""
    k = lists.ids.shape[1]
    if not k:
        return None
    generator = np.random.Generator(np.random.PCG64(seed))
    places = np.sort(generator.choice(points.n, min(_SAMPLE, points.n), replace=False))
    true = Lists(*points.nearest(places, k, n_threads))
    if not keep:
        drop_same(points, places, true, k, n_threads, ask_again=True)
    some = lists.take(places)
    recall = shares_found((some.ids, some.distances), (true.ids, true.distances)).mean()
    return Sample(places, true.ids, true.distances, float(recall))
