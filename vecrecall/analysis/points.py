"""Rows as points of a Euclidean space: as they are under l2, brought to length 1 under cosine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.inputs import Rows, as_choice, as_rows, n_zero_rows, warn_of_zeros
from vecrecall.vectors.spaces import METRICS, row_lengths

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Points:
    """A checked view of a matrix; tiles are made when they are asked for, the whole is never copied.

    Under cosine the distance of two points is the chord, sqrt(2 - 2 cos): it orders rows as 1 - cos does, and unlike
    that it is a distance. A zero row stays at the origin, at distance 1 from every other point.

    Attributes
    ----------
    n, dim : int
    metric : {"l2", "cosine"}

    Examples
    --------
    >>> Points.of([[3, 4], [0, 2]], "cosine").tile(0, 2)
    array([[0.6, 0.8],
           [0. , 1. ]], dtype=float32)
    """

    __slots__ = ("dim", "metric", "n", "rows")

    def __init__(self, rows: Rows, metric: str) -> None:
        self.rows, self.metric = rows, metric
        self.n, self.dim = rows.n, rows.dim

    @classmethod
    def of(cls, X: Any, metric: str) -> Points:
        """Check a matrix and a metric.

        Raises
        ------
        TypeError, ValueError
            As :func:`vecrecall.inputs.as_rows`, or for metric "ip", which is no distance.
        """
        as_choice(metric, "metric", METRICS)
        if metric == "ip":
            raise ValueError(
                "metric is 'ip', expected 'l2' or 'cosine': a raw inner product is no distance, and a long row is near "
                "to all; take 'cosine' for directions, 'l2' for the vectors as they are"
            )
        return cls(as_rows(X), metric)

    def tile(self, lo: int, hi: int) -> Floats:
        """Points [lo, hi), float32 (hi - lo, dim) in C order: perhaps the caller's memory, not to be written to."""
        return self._placed(self.rows.tile(lo, hi))

    def tiles(self) -> Iterator[tuple[int, Floats]]:
        """Yield (lo, tile) over all points, about 16 MB at a time."""
        return ((lo, self._placed(tile)) for lo, tile in self.rows.tiles())

    def take(self, rows: NDArray[np.integer]) -> Floats:
        """The points of the named rows, float32 (len(rows), dim)."""
        return self._placed(self.rows.take(rows))

    def mean(self) -> Doubles:
        """Mean of the points, float64 (dim,); of none, the origin."""
        total = np.zeros(self.dim)
        for _, tile in self.tiles():
            total += tile.sum(axis=0, dtype=np.float64)
        return total / max(self.n, 1)

    def distances_to(self, point: Doubles) -> Doubles:
        """Euclidean distance of each point to one other, float64 (n,)."""
        out = np.empty(self.n)
        for lo, tile in self.tiles():
            difference = tile - point
            out[lo : lo + len(tile)] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        return out

    def warn_of_zeros(self) -> None:
        """Warn, if there are any, of rows without a direction."""
        if self.metric == "cosine":
            warn_of_zeros(sum(n_zero_rows(tile) for _, tile in self.rows.tiles()), "row")

    def _placed(self, rows: Floats) -> Floats:
        if self.metric != "cosine":
            return rows
        lengths = row_lengths(rows)[:, None]
        return np.divide(rows, lengths, out=np.zeros(rows.shape), where=lengths > 0).astype(np.float32)
