"""The curve of an index: recall by search settings, as measured on rows of its own data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vecrecall.errors import IndexFileError

KS = (10, 100)  # recall is measured at these


@dataclass(frozen=True, eq=False)
class Curve:
    """For each k of `KS` the settings worth taking: none is both cheaper and better.

    Attributes
    ----------
    names : tuple of str
        The settings, such as ("ef",) or ("nprobe", "rerank").
    table : ndarray of float64, shape (m, 3 + settings)
        Columns k, recall@k, cost (of a model: only its order counts), and the settings; by k, the cheapest first.
    n : int
        Vectors in the index when it was measured.
    """

    names: tuple[str, ...]
    table: np.ndarray
    n: int

    @classmethod
    def of_points(cls, names: tuple[str, ...], points: list[tuple[float, ...]], n: int) -> Curve:
        """Keep of points (k, recall, cost, *settings) those that are on the front."""
        front: list[tuple[float, ...]] = []
        for point in sorted(points, key=lambda p: (p[0], p[2], -p[1])):
            if not front or front[-1][0] != point[0] or point[1] > front[-1][1]:
                front.append(point)
        return cls(names, np.array(front, np.float64).reshape(-1, 3 + len(names)), n)

    def pick(self, k: int, target: float) -> tuple[dict[str, int], float, int]:
        """(settings, their recall, the k they were measured at): the cheapest that reach a target, or the best.

        Taken from the least measured k that is not below the one asked for, or else from the greatest.
        """
        ks = np.unique(self.table[:, 0])
        measured = ks[min(int(np.searchsorted(ks, k)), len(ks) - 1)]
        rows = self.table[self.table[:, 0] == measured]
        enough = np.flatnonzero(rows[:, 1] >= target)
        row = rows[enough[0] if len(enough) else -1]
        return dict(zip(self.names, map(int, row[3:]))), float(row[1]), int(measured)

    @classmethod
    def restored(cls, names: tuple[str, ...], table: Any, n: Any) -> Curve:
        """The curve that a file holds."""
        if (
            not isinstance(table, np.ndarray) or table.dtype != np.float64 or table.ndim != 2 or len(table) == 0
            or table.shape[1] != 3 + len(names) or not np.isfinite(table).all() or (table[:, 3:] < 1).any()
            or (table[:, 3:] > 2**31).any() or type(n) is not int
        ):  # fmt: skip
            raise IndexFileError("section 'curve' does not hold recall by settings")
        return cls(names, table, n)
