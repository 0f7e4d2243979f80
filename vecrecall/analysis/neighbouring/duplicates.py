"""Rows that are equal, found by their hashes: in one pass, with 24 bytes for each row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from vecrecall.inputs import Rows
from vecrecall.vectors.spaces import row_lengths

_WIDE = 1 << 23  # bytes of a tile that is widened to float64


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct rows of a matrix.

    Attributes
    ----------
    first : ndarray of int64, shape (m,)
        The first of each group of equal rows, ascending.
    place : ndarray of int64, shape (n,)
        Where in `first` the group of a row stands; -1 for a row that has no direction.
    """

    first: NDArray[np.int64]
    place: NDArray[np.int64]

    @property
    def n_duplicates(self) -> int:
        """Rows that are equal to an earlier one."""
        return int((self.place >= 0).sum()) - len(self.first)

    def pair(self) -> tuple[int, int]:
        """The first row that is equal to an earlier one, and that one."""
        rows = np.arange(len(self.place))
        later = (self.place >= 0) & (self.first[self.place] != rows)
        row = int(np.flatnonzero(later)[0])
        return int(self.first[self.place[row]]), row

    def joined(self, labels: NDArray[np.integer]) -> Distinct:
        """Groups joined where their labels, shape (m,), are equal."""
        first = np.full(labels.max(initial=-1) + 1, len(self.place))
        np.minimum.at(first, labels, self.first)
        order = np.argsort(first)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        place = np.where(self.place >= 0, rank[labels[self.place]] if len(labels) else -1, -1)
        return Distinct(first[order], place)


def distinct(rows: Rows, metric: str) -> Distinct:
    """Group the rows that are equal.

    Parameters
    ----------
    rows : Rows
    metric : {"l2", "cosine"}
        Under l2 rows are equal whose values are, and 0 is -0. Under cosine those whose directions are, to the digits
        of float32, or of float64 for wider rows; zero rows have none. (Rows that were scaled may differ in the last
        digit of a direction: not all of them are found here.)

    Returns
    -------
    Distinct

    Examples
    --------
    >>> from vecrecall.inputs import as_rows
    >>> groups = distinct(as_rows([[1.0, 2.0], [0.0, 0.0], [3.0, 6.0]]), "cosine")
    >>> groups.first, groups.place, groups.n_duplicates
    (array([0]), array([ 0, -1,  0]), 1)
    """
    digests: list[bytes] = []
    directed = np.ones(rows.n, bool)
    for lo, tile in _comparable(rows, metric):
        digests += map(xxhash.xxh3_128_digest, tile.view(np.uint8))
        if metric == "cosine":
            directed[lo : lo + len(tile)] = tile.any(axis=1)
    halves = np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)
    order = np.lexsort((halves[:, 0], halves[:, 1]))  # stable: equal rows stay in their order
    order = order[directed[order]]
    halves = halves[order]
    starts = np.ones(len(order), bool)
    starts[1:] = (halves[1:] != halves[:-1]).any(axis=1)
    place = np.full(rows.n, -1)
    place[order] = np.cumsum(starts) - 1
    return Distinct(order[starts], place).joined(np.arange(starts.sum()))


def _comparable(rows: Rows, metric: str) -> Iterator[tuple[int, NDArray[Any]]]:
    """(number of its first row, tile) over all rows, so that rows are equal whose bytes are."""
    for lo, tile in rows.tiles_as(rows.dtype):
        step = max(1, _WIDE // (8 * rows.dim))
        for at in range(0, len(tile), step):
            some = tile[at : at + step]
            if metric == "cosine":
                wide = some.astype(np.float64)
                lengths = row_lengths(wide)[:, None]
                digits = np.float32 if np.can_cast(rows.dtype, np.float32) else np.float64
                some = np.divide(wide, lengths, out=np.zeros(wide.shape), where=lengths > 0).astype(digits)
            yield lo + at, np.ascontiguousarray(some + some.dtype.type(0))  # turns -0 into 0
