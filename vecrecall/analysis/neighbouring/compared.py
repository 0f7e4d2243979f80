"""Rows at float64 distances from each other, whatever they were given as: what every estimate of dimension stands on.

Ratios of nearly equal distances make an estimate, so the rounding of float32 shows in it, and the expanded form
``|x|^2 - 2 x.y + |y|^2`` may leave nothing of them. Here a distance is the root of a sum of squared float64
differences. Under cosine it is the chord of two directions, sqrt(2 - 2 cos).

Rows that float32 holds as they are (float16, small integers, ...) are searched by `vecrecall.exact.search`, which
decides in just this way. Of the others (float64, large integers) a float32 copy about the mean is searched, so that an
offset does not eat the digits; the nearest and some more are compared as they were given; and where the rounding of the
copy could have hidden a nearer row, every row is compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall import threads
from vecrecall.inputs import Rows
from vecrecall.vectors.spaces import row_lengths

Places = NDArray[np.int64]
Doubles = NDArray[np.float64]

_HELD = tuple(map(np.dtype, ("uint8", "float16", "float32")))  # what exact search takes
_SLACK = 16  # rows more than are asked for that are compared as they were given
_TILE_BYTES = 1 << 22  # of float64
_BLOCK = 2048  # rows that are compared with every other


class Compared:
    """Some rows of a matrix under a metric; each is known by its place among them.

    Parameters
    ----------
    rows : Rows
    metric : {"l2", "cosine"}
    which : ndarray of int64, shape (m,)
        Their numbers, ascending. Under cosine none of them is zero.

    Notes
    -----
    Memory: a copy of the m rows in the narrowest of uint8, float16 and float32 that their dtype fits in, m * d * (1, 2
    or 4) bytes, unless they are all rows of a float32 matrix in C order, which is not copied. Rows of float64 and of
    large integers are copied as float32.
    """

    def __init__(self, rows: Rows, metric: str, which: Places) -> None:
        self.metric, self.which = metric, which
        self._rows = rows
        self.is_held_exactly = _fits_float32(rows)
        self._errors = np.zeros(0 if self.is_held_exactly else len(which))
        self.held = self._holdings() if self.is_held_exactly else self._rounded()

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.which)

    @property
    def dim(self) -> int:
        """Columns."""
        return self._rows.dim

    @property
    def same(self) -> float:
        """The distance up to which two rows are one: under cosine the rounding of rows that were scaled."""
        if self.metric == "l2":
            return 0.0
        return 2.0**-23 if self.is_held_exactly else 2.0**-50

    @property
    def held_metric(self) -> str:
        """The metric that the held copy is to be searched under."""
        return self.metric if self.is_held_exactly else "l2"

    def among(self, some: Places) -> Compared:
        """Those at some places, ascending."""
        return Compared(self._rows, self.metric, self.which[some])

    def coordinates(self, places: Places) -> Doubles:
        """The points at some places, float64 of shape (*places.shape, d): under cosine at length 1."""
        rows, scales = self._scaled(places)
        return rows.astype(np.float64) if self.metric == "l2" else rows * scales[..., None]

    def nearest(self, asked: Places, k: int, n_threads: int) -> tuple[Places, Doubles]:
        """Find the k nearest of each of some rows, itself left out by its place.

        Parameters
        ----------
        asked : ndarray of int64, shape (q,)
            Places.
        k : int
            At most n - 1.
        n_threads : int

        Returns
        -------
        places : ndarray of int64, shape (q, k)
        distances : ndarray of float64, shape (q, k)
            In the order of (distance, place).
        """
        from vecrecall.exact.search import nearest_values

        n_found = k if self.is_held_exactly else min(k + _SLACK, self.n - 1)
        queries = self.held[asked].astype(np.float32, copy=False)
        found, values = nearest_values(self.held, queries, n_found, self.held_metric, asked, n_threads)
        if self.is_held_exactly:
            return found, np.sqrt(values)
        places, distances = self.sorted_by_distance(asked, found, n_threads)
        places, distances = places[:, :k], distances[:, :k]
        if n_found < self.n - 1:  # a row that was not found is at least so far
            least = np.sqrt(values[:, -1]) - self._errors[asked] - self._errors.max()
            again = np.flatnonzero(~(distances[:, -1] < least * (1 - (self.dim + 16) * 2.0**-50)))
            if len(again):
                places[again], distances[again] = self._compare_all(asked[again], k, n_threads)
        return places, distances

    def sorted_by_distance(self, asked: Places, found: Places, n_threads: int) -> tuple[Places, Doubles]:
        """Bring what was found for some rows, shape (q, c), into the order of (distance, place); -1 comes last."""
        distances = self.distances(asked, found, n_threads)
        order = np.lexsort((found, distances))
        return np.take_along_axis(found, order, 1), np.take_along_axis(distances, order, 1)

    def distances(self, asked: Places, found: Places, n_threads: int) -> Doubles:
        """Return the distances of the rows at places (q, c) to some others, shape (q,); +inf for place -1."""
        from vecrecall.kernels.direct import METRIC_CODES, values_of

        out = np.empty(found.shape)

        def work(a: int, b: int) -> None:
            points, scales = self._scaled(found[a:b])
            values = np.empty(scales.shape)
            values_of(points, scales, self.coordinates(asked[a:b]), METRIC_CODES["l2"], values)
            np.sqrt(values, out=out[a:b])

        chunk = max(1, _TILE_BYTES // (8 * self.dim * max(1, found.shape[1])))
        threads.run(n_threads, work, 0, len(asked), chunk)
        out[found < 0] = np.inf
        return out

    def _scaled(self, places: Places) -> tuple[NDArray[Any], Doubles]:
        """(rows as given, in float32 where that holds them, else in float64; 1 / length under cosine, else 1)."""
        rows = self._taken(places)
        if self.metric != "cosine":
            return rows, np.ones(places.shape)
        return rows, 1 / row_lengths(rows.reshape(-1, rows.shape[-1])).reshape(places.shape)

    def _taken(self, places: Places) -> NDArray[Any]:
        numbers = self.which[places]
        if self.is_held_exactly:
            return self._rows.take(numbers)
        return self._rows.take_as(numbers, self._rows.dtype).astype(np.float64, copy=False)

    def _compare_all(self, asked: Places, k: int, n_threads: int) -> tuple[Places, Doubles]:
        """As `nearest`, by comparing with every row as it was given."""
        from vecrecall.kernels.direct import METRIC_CODES, scan

        values, places = np.full((len(asked), k), np.inf), np.full((len(asked), k), -1)
        step = max(1, _TILE_BYTES // (8 * self.dim))

        def work(a: int, b: int) -> None:
            queries = self.coordinates(asked[a:b])
            for lo in range(0, self.n, step):
                points, scales = self._scaled(np.arange(lo, min(lo + step, self.n)))
                columns, sums = np.ascontiguousarray(points.T), np.empty(len(points))
                scan(columns, scales, lo, queries, asked[a:b], METRIC_CODES["l2"], sums, values[a:b], places[a:b])

        threads.run(n_threads, work, 0, len(asked), min(_BLOCK, -(-len(asked) // n_threads)))
        order = np.lexsort((places, values))
        return np.take_along_axis(places, order, 1), np.sqrt(np.take_along_axis(values, order, 1))

    def _holdings(self) -> NDArray[Any]:
        """The rows as exact search takes them: the narrowest dtype of those that hold what was given."""
        if self._rows.dtype == np.float32 and self.n == self._rows.n:
            return self._rows.tile(0, self.n)
        if self._rows.dtype in (np.dtype(bool), *_HELD):
            dtype = np.dtype(np.uint8) if self._rows.dtype == bool else self._rows.dtype
        else:
            dtype = np.dtype(np.float16 if self._rows.dtype == np.int8 else np.float32)
        out = np.empty((self.n, self.dim), dtype)
        for lo, hi in self._tiles():
            out[lo:hi] = self._rows.take_as(self.which[lo:hi], self._rows.dtype)
        return out

    def _rounded(self) -> NDArray[np.float32]:
        """The points about their mean as float32; also notes how far each was moved by rounding."""
        mean = np.zeros(self.dim)
        for lo, hi in self._tiles():
            mean += self.coordinates(np.arange(lo, hi)).sum(axis=0)
        mean /= max(self.n, 1)
        out = np.empty((self.n, self.dim), np.float32)
        for lo, hi in self._tiles():
            points = self.coordinates(np.arange(lo, hi)) - mean
            out[lo:hi] = points
            self._errors[lo:hi] = row_lengths(points - out[lo:hi])
        return out

    def _tiles(self) -> list[tuple[int, int]]:
        step = max(1, _TILE_BYTES // (8 * self.dim))
        return [(lo, min(lo + step, self.n)) for lo in range(0, self.n, step)]


def _fits_float32(rows: Rows) -> bool:
    """Whether float32 holds every value as it was given."""
    if np.can_cast(rows.dtype, np.float32):
        return True
    return all(np.array_equal(tile.astype(np.float32), tile) for _, tile in rows.tiles_as(rows.dtype))
