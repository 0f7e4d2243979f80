"""Lists of neighbours: the nearest first, empty places at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.neighbouring.compared import Doubles, Places


@dataclass(frozen=True, eq=False)
class Lists:
    """Neighbours of some rows.

    Attributes
    ----------
    ids : ndarray of int64, shape (m, w)
        Places of other rows; -1 at the end, where there are no more.
    distances : ndarray of float64, shape (m, w)
        Ascending; +inf where the id is -1.
    """

    ids: Places
    distances: Doubles

    @classmethod
    def empty(cls, m: int, width: int) -> Lists:
        return cls(np.full((m, width), -1), np.full((m, width), np.inf))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Neighbours in each list."""
        return (self.ids >= 0).sum(axis=1)

    def put(self, rows: NDArray[np.integer] | slice, ids: Places, distances: Doubles) -> None:
        """Set the lists of some rows; what is too wide is cut."""
        width = self.ids.shape[1]
        self.ids[rows], self.distances[rows] = ids[:, :width], distances[:, :width]

    def take(self, rows: NDArray[np.integer]) -> Lists:
        """Copies of the lists of some rows."""
        return Lists(self.ids[rows], self.distances[rows])

    def first(self, k: int) -> Lists:
        """The first k places of each."""
        return Lists(np.ascontiguousarray(self.ids[:, :k]), np.ascontiguousarray(self.distances[:, :k]))

    def drop(self, unwanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Take out some neighbours, (m, w) says which; those behind move up. Returns the rows that lost some."""
        rows = np.flatnonzero(unwanted.any(axis=1))
        if len(rows):
            gone = unwanted[rows]
            ids, distances = np.where(gone, -1, self.ids[rows]), np.where(gone, np.inf, self.distances[rows])
            order = np.argsort(gone, axis=1, kind="stable")
            self.put(rows, np.take_along_axis(ids, order, 1), np.take_along_axis(distances, order, 1))
        return rows
