"""Posting lists in the order of impact, by list and range of units.

A unit is a document, or a block of neighbouring ones whose weights are the greatest of its documents. Its place in a
range of 32,768 takes 16 bits, its impact 8: the weight as a share of the list's greatest, rounded up, so that what a
posting adds to a score is never understated. Within a list and range the greatest impacts come first: all postings
whose contribution reaches something are a prefix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecrecall.kernels.jit import kernel
from vecrecall.kernels.postings import LOOK
from vecrecall.threads import Workers

RANGE = 32768


@dataclass(frozen=True, eq=False)
class Postings:
    """Attributes
    ----------
    starts : ndarray of int64, shape (n_lists, n_ranges + 1)
        Postings of list t in range r: [starts[t, r], starts[t, r + 1]).
    units : ndarray of uint16, shape (m + LOOK,)
    impacts : ndarray of uint8, shape (m + LOOK,), or (LOOK,) where all are the same
        The last LOOK of units and impacts are no postings: kernels read as many at once.
    greatest : ndarray of float32, shape (n_lists,)
        Greatest weight (of a list of negative ones: greatest absolute value) of each list.
    left : ndarray of float32, shape (n_lists,)
        Greatest weight among the postings that were pruned; zeros if none were.
    """

    starts: np.ndarray
    units: np.ndarray
    impacts: np.ndarray
    greatest: np.ndarray
    left: np.ndarray

    def nbytes(self) -> int:
        """Bytes held."""
        arrays = (self.starts, self.units, self.impacts, self.greatest, self.left)
        return sum(array.nbytes for array in arrays)

    @property
    def n(self) -> int:
        return len(self.units) - LOOK

    @property
    def n_lists(self) -> int:
        return len(self.greatest)

    @property
    def n_ranges(self) -> int:
        return self.starts.shape[1] - 1


@kernel
def _greatest(lists, weights, lo, hi, greatest):
    """The greatest weight of each list, over entries lo..hi."""
    for p in range(lo, hi):
        if weights[p] > greatest[lists[p]]:
            greatest[lists[p]] = weights[p]


@kernel
def _count(indptr, lists, first, last, counts):
    """Count the entries of units first..last by list."""
    for p in range(indptr[first], indptr[last]):
        counts[lists[p]] += 1


@kernel
def _impacts(lists, weights, lo, hi, greatest, out, buckets):
    """Impacts of entries lo..hi, rounded up, and how many there are of each (descending, moved by one)."""
    for p in range(lo, hi):
        top = np.float64(greatest[lists[p]])
        scaled = np.float64(weights[p]) * 255.0
        impact = np.int64(scaled / top)
        if np.float64(impact) * top < scaled:
            impact += 1
        impact = min(max(impact, 1), 255)
        out[p - lo] = impact
        buckets[256 - impact] += 1


@kernel
def _fill(indptr, lists, first, last, impacts, buckets, order, at, starts, units, out):
    """Postings of units first..last: sorted by impact, then by list, both stably."""
    lo = indptr[first]
    for b in range(256):
        buckets[b + 1] += buckets[b]
    for unit in range(first, last):
        for p in range(indptr[unit], indptr[unit + 1]):
            bucket = 255 - np.int64(impacts[p - lo])
            order[buckets[bucket]] = ((unit - first) << 40) | (p - lo)
            buckets[bucket] += 1
    for j in range(indptr[last] - lo):
        p = order[j] & 0xFFFFFFFFFF
        q = at[lists[lo + p]]
        at[lists[lo + p]] = q + 1
        units[q] = order[j] >> 40
        out[q] = impacts[p]


def build_postings(
    indptr: np.ndarray, lists: np.ndarray, weights: np.ndarray, n_lists: int, workers: Workers
) -> Postings:
    """Invert units: unit u has the entries [indptr[u], indptr[u + 1]) of lists (int32) and weights (positive float32).

    Extra memory: 9 bytes an entry of the ranges at work.
    """
    n = len(indptr) - 1
    n_ranges = max(1, -(-n // RANGE))
    starts = np.zeros((n_lists, n_ranges + 1), np.int64)
    greatest = np.zeros(n_lists, np.float32)
    counts = np.zeros((n_ranges, n_lists), np.int64)

    def count(r: int, _: int) -> None:
        _count(indptr, lists, r * RANGE, min(n, (r + 1) * RANGE), counts[r])

    workers.run(count, 0, n_ranges, 1)
    _greatest(lists, weights, 0, len(lists), greatest)
    total = counts.sum(0)
    starts[:, 0] = np.concatenate([[0], np.cumsum(total)])[:-1]
    np.cumsum(counts.T, axis=1, out=starts[:, 1:])
    starts[:, 1:] += starts[:, :1]
    units, impacts = np.zeros(len(lists) + LOOK, np.uint16), np.zeros(len(lists) + LOOK, np.uint8)

    def fill(r: int, _: int) -> None:
        first, last = r * RANGE, min(n, (r + 1) * RANGE)
        lo, hi = int(indptr[first]), int(indptr[last])
        own, buckets = np.empty(hi - lo, np.uint8), np.zeros(257, np.int64)
        _impacts(lists, weights, lo, hi, greatest, own, buckets)
        _fill(
            indptr, lists, first, last, own, buckets, np.empty(hi - lo, np.int64), starts[:, r].copy(), starts, units,
            impacts,
        )  # fmt: skip

    workers.run(fill, 0, n_ranges, 1)
    return Postings(starts, units, impacts, greatest, np.zeros(n_lists, np.float32))
