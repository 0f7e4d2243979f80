"""The curve of an index: recall by search settings, as measured on its own data.

A stored row is an easier query than a new one: its list was made around it, and its links are its neighbours. So rows
ask from a place off the data, away from one of their neighbours (:func:`off_the_data`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vecrecall.errors import IndexFileError
from vecrecall.inputs import warn_user
from vecrecall.vectors.rows import KeptRows
from vecrecall.vectors.spaces import inverse_lengths

ASKING = {10: 256, 100: 64}  # rows that ask, by the k that recall is measured at
ENOUGH = 0.999  # settings grow no further when so much is found
_NEIGHBOUR = 10  # rows are moved away from this one of their neighbours
_MOVED = np.float32(0.9)  # by this part of its distance
MEASURED_AGAIN = 2  # a curve is measured anew when there are so many times the vectors


def off_the_data(rows: np.ndarray, neighbours: np.ndarray, *, directions: bool = False) -> np.ndarray:
    """Rows (m, dim) float32, moved away from one neighbour each, as queries that the index does not hold.

    How far was chosen on real sets, so that the recall of these is not above that of queries from elsewhere.
    directions : whether rows are taken at length 1, where long ones are neighbours of all (inner products).
    """
    if directions:
        rows, neighbours = (part * inverse_lengths(part)[:, None] for part in (rows, neighbours))
    return rows + _MOVED * (rows - neighbours)


def asking(
    kept: KeptRows, metric: str, n_asking: int, nearest: Callable[[np.ndarray, int], np.ndarray]
) -> np.ndarray:
    """Queries off the data, made of rows that are spread over it; ``nearest`` gives slots, flat, of queries and k."""
    slots = np.unique(np.linspace(0, kept.n - 1, min(kept.n, n_asking)).astype(np.int64))
    rows = np.ascontiguousarray(kept.compared(slots))
    neighbours = nearest(rows, min(_NEIGHBOUR + 1, kept.n)).reshape(len(rows), -1)[:, -1]
    beside = kept.compared(np.where(neighbours < 0, slots, neighbours))
    return off_the_data(rows, beside, directions=metric == "ip")


def cautious(shares: np.ndarray) -> np.ndarray:
    """Recall by setting of shares found (queries, settings): the mean less a standard error.

    Of many settings the cheapest that seems to suffice is taken, and it would often be one that was lucky.
    """
    return np.maximum(shares.mean(0) - shares.std(0) / np.sqrt(len(shares)), 0)


@dataclass(frozen=True, eq=False)
class Curve:
    """For each k that was measured the settings worth taking: none is both cheaper and better.

    Attributes
    ----------
    names : tuple of str
        The settings, such as ("ef",) or ("nprobe", "rerank").
    table : ndarray of float64, shape (m, 3 + settings)
        Columns k, recall@k (:func:`cautious`), cost (of a model: only its order counts), and the settings; by k, the
        cheapest first.
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

    def pick(self, k: int, target: float) -> tuple[dict[str, int], float]:
        """(settings, recall): for each setting what reaches a target recall@k most cheaply, or else comes nearest.

        Below the least k that was measured its settings are taken, between two settings are interpolated (on
        logarithms), beyond the greatest they grow with k. The recall is the lesser of those that the settings had where
        they were measured.
        """
        ks = np.unique(self.table[:, 0])
        above = min(int(np.searchsorted(ks, k)), len(ks) - 1)
        high, recall = self._row(ks[above], target)
        if k > ks[above]:
            values = high * (k / ks[above])
        elif k == ks[above] or above == 0:
            values = high
        else:
            low, recall_low = self._row(ks[above - 1], target)
            share = np.log(k / ks[above - 1]) / np.log(ks[above] / ks[above - 1])
            values, recall = low ** (1 - share) * high**share, min(recall, recall_low)
        return dict(zip(self.names, np.ceil(values - 1e-9).astype(np.int64).tolist())), recall

    def _row(self, k: float, target: float) -> tuple[np.ndarray, float]:
        """(settings, recall) of the first row of a measured k that reaches a target, or of the last."""
        rows = self.table[self.table[:, 0] == k]
        enough = np.flatnonzero(rows[:, 1] >= target)
        row = rows[enough[0] if len(enough) else -1]
        return row[3:], float(row[1])

    def outdated(self, n: int, now: int = 0, then: int = 1) -> bool:
        """Whether n vectors, or another count of what settings refer to, are so many times those of the measuring."""
        return n >= MEASURED_AGAIN * self.n or now >= MEASURED_AGAIN * then

    @classmethod
    def restored(cls, names: tuple[str, ...], table: Any, n: Any) -> Curve:
        """The curve that a file holds."""
        whole = np.array([0, *range(3, 3 + len(names))])  # k and the settings
        if (
            not isinstance(table, np.ndarray) or table.dtype != np.float64 or table.ndim != 2 or len(table) == 0
            or table.shape[1] != 3 + len(names) or not np.isfinite(table).all()
            or (table[:, whole] < 1).any() or (table[:, whole] > 2**31).any() or (table[:, whole] % 1 != 0).any()
            or (table[:, 1] < 0).any() or (table[:, 1] > 1).any() or type(n) is not int or n < 1
        ):  # fmt: skip
            raise IndexFileError("section 'curve' does not hold recall by settings")
        return cls(names, table, n)


def refuse_beside(target_recall: float | None, **settings: float | None) -> None:
    """Refuse a target beside the settings that it chooses."""
    if target_recall is None:
        return
    given = ", ".join(f"{name}={value}" for name, value in settings.items() if value is not None)
    if given:
        raise ValueError(f"target_recall={target_recall} was given with {given}, which it chooses; leave one out")


def warn_of_missed_target(target: float, recall: float, settings: str) -> None:
    """Warn, where no setting reached a target."""
    if recall < target:
        warn_user(
            f"target_recall={target} was not reached by any {settings} that was tried on the index's own data; the "
            f"best had {recall:.3f} and is taken; keep rows if none are kept, or ask for a recall that is reached"
        )
