"""Exact k nearest rows: found in float32 by matrix products, decided in float64, and proved.

1. *Select.* Rows and queries are moved by a common centre, so that an offset of the data does not eat the
   digits, and each query keeps the k + slack rows of least *key*: a **lower bound** of the row's value (see
   `vecrecall.kernels.direct`), but for a factor and a shift that are the query's own. It is the expanded form
   ``|x|^2 - 2 x.q`` in float32, less a bound of its rounding error, which is relative to the norms:
   ``kappa = (2 d + 40) u / (1 - (2 d + 40) u)`` with u = 2^-24 covers the dot product in any order of
   summation (gamma_d in Higham 2002, section 3.1), the norm (d again), the centring, and the subtraction.
2. *Decide.* The values of the kept rows are computed by direct float64 differences, sorted by (value, slot).
3. *Prove.* Every row not kept has a key of at least the worst kept one. If the k-th value lies under the
   bound that follows from it, no other row can belong to the answer. Where it does not (many equal or nearly
   equal rows), every row is compared with that query directly.

Memory beside rows, queries and answers, for each thread: 8 MB of products, 32 MB of heaps at most (1 MB at
k = 10), and up to three tiles of at most 8 MB.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall import threads
from vecrecall.blas import one_blas_thread
from vecrecall.kernels.direct import METRIC_CODES, norms, scan, values_of
from vecrecall.kernels.topk import select

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Slots = NDArray[np.int64]

_U = 2.0**-24
_QUERIES = 2048  # a chunk; its products with a tile take 8 MB
_ROWS = 1024  # a tile, at most
_TILE_BYTES = 1 << 23
_NAMED_BYTES = 1 << 20  # rows that are compared directly, at a time: they stay in a near cache
_HEAP_BYTES = 1 << 25
_SAFE = 1e37  # rows of squared norms below this overflow float32 with no query, however long


@dataclass(frozen=True)
class _Space:
    """The rows and how they are compared."""

    rows: NDArray[Any]
    metric: str
    centre: Floats
    kappa: float

    @classmethod
    def over(cls, rows: NDArray[Any], metric: str) -> "_Space":
        n, d = rows.shape
        # any centre is right, one near the middle makes the bounds tight: the mean of up to 1024 rows
        sample = rows[:: max(1, n // 1024)][:1024].astype(np.float32)
        if metric == "cosine":
            sample = (sample * _scales(sample)[:, None]).astype(np.float32)
        error = (2 * d + 40) * _U
        kappa = error / (1 - error) if error < 0.5 else np.inf
        return cls(rows, metric, sample.mean(axis=0, dtype=np.float64).astype(np.float32), kappa)

    def tiles(self) -> Iterator[tuple[int, int]]:
        n, d = self.rows.shape
        step = min(_ROWS, max(1, _TILE_BYTES // (4 * d)))
        return ((lo, min(lo + step, n)) for lo in range(0, n, step))

    def moved_rows(self, lo: int, hi: int) -> tuple[Floats, Floats]:
        """Return rows [lo, hi) moved by the centre, and their part of the keys (NaN: it may overflow)."""
        if self.metric == "cosine":
            tile = self.rows[lo:hi].astype(np.float32)
            scales = _scales(tile)
            tile *= scales.astype(np.float32)[:, None]
            tile -= self.centre
        else:
            tile = np.subtract(self.rows[lo:hi], self.centre, dtype=np.float32)
        squares = np.einsum("ij,ij->i", tile, tile)
        squares[~(squares < _SAFE)] = np.nan
        if self.metric == "ip":
            return tile, np.sqrt(squares) * np.float32(-self.kappa)
        bias = squares * np.float32(1 - self.kappa)
        if self.metric == "cosine":
            bias[scales == 0] += 1  # a zero row stands at 1 from a unit query, but counts as 2
        return tile, bias

    def moved_queries(self, queries: Doubles) -> tuple[Floats, Doubles, Doubles]:
        """Return the queries to multiply with, and (factor, shift): value >= factor * key + shift."""
        d = queries.shape[1]
        lengths = np.empty(len(queries))
        if self.metric == "ip":
            norms(queries, lengths)
            offset = queries @ self.centre.astype(np.float64)
            unit = queries / np.where(lengths == 0, 1, lengths)[:, None]
            slack = (d + 8) * 2.0**-49 * lengths * np.linalg.norm(self.centre.astype(np.float64))
            return unit.astype(np.float32), lengths, -offset - slack - lengths * d * 2.0**-120
        moved = (queries - self.centre).astype(np.float32)
        norms(moved, lengths)
        rounding = 64 * _U if self.metric == "cosine" else 0.0  # of scaling to norm 1
        shift = lengths * lengths * (1 - self.kappa) - rounding - (d + 16) * 2.0**-120
        return 2 * moved, np.ones(len(queries)), shift


def nearest(
    rows: NDArray[Any], queries: Floats, k: int, metric: str, left_out: Slots, n_threads: int
) -> tuple[Slots, Floats]:
    """Find the k nearest rows of each query.

    Parameters
    ----------
    rows : ndarray of uint8, float16 or float32, shape (n, d)
    queries : ndarray of float32, shape (q, d)
    k : int
    metric : {"l2", "ip", "cosine"}
    left_out : ndarray of int64, shape (q,)
        A slot that query i may not find, or -1.
    n_threads : int

    Returns
    -------
    slots : ndarray of int64, shape (q, k)
        Sorted by (distance, slot); -1 where there is no k-th row.
    distances : ndarray of float32, shape (q, k)
        Rounded from float64; +inf where there is no k-th row.
    """
    distances = np.full((len(queries), k), np.inf, np.float32)
    slots = _found(rows, queries, k, metric, left_out, n_threads, distances, partial(_distances, metric=metric))
    return slots, distances


def nearest_values(
    rows: NDArray[Any], queries: Floats, k: int, metric: str, left_out: Slots, n_threads: int
) -> tuple[Slots, Doubles]:
    """Find the k nearest rows of each query, as `nearest` does, and what it rounds.

    Returns
    -------
    slots : ndarray of int64, shape (q, k)
        Sorted by (value, slot); -1 where there is no k-th row.
    values : ndarray of float64, shape (q, k)
        Squared Euclidean distances, under cosine of the vectors at length 1, or minus the inner products; +inf where
        there is no k-th row.
    """
    values = np.full((len(queries), k), np.inf)
    return _found(rows, queries, k, metric, left_out, n_threads, values, lambda found: found), values


def _found(
    rows: NDArray[Any], queries: Floats, k: int, metric: str, left_out: Slots, n_threads: int, out: NDArray[Any],
    reported: Callable[[Doubles], NDArray[Any]],
) -> Slots:  # fmt: skip
    """Return the slots of the nearest rows; what is reported of their values goes to `out`."""
    slots = np.full((len(queries), k), -1)
    if len(rows) == 0 or len(queries) == 0:
        return slots
    space = _Space.over(rows, metric)
    n_kept = min(len(rows), k + max(22, k // 4))

    def work(a: int, b: int) -> None:
        with np.errstate(all="ignore"):  # what overflows proves nothing and is done directly
            block = _unit(queries[a:b]) if metric == "cosine" else queries[a:b].astype(np.float64)
            found, values = _nearest_of_block(space, block, left_out[a:b], k, n_kept)
            width = found.shape[1]
            slots[a:b, :width] = found
            out[a:b, :width] = reported(values)

    chunk = min(_QUERIES, -(-len(queries) // n_threads), max(1, _HEAP_BYTES // (12 * n_kept)))
    with one_blas_thread:
        threads.run(n_threads, work, 0, len(queries), chunk)
    return slots


def distances_of(rows: NDArray[Any], queries: Floats, slots: Slots, metric: str) -> Floats:
    """Return the exact distances of named rows to queries, as `nearest` does of those it finds.

    Parameters
    ----------
    rows : ndarray of uint8, float16 or float32, shape (n, d)
    queries : ndarray of float32, shape (q, d)
    slots : ndarray of int64, shape (q, m)
        Rows; -1 for none.
    metric : {"l2", "ip", "cosine"}

    Returns
    -------
    ndarray of float32, shape (q, m)
        Rounded from float64; +inf for slot -1.
    """
    distances = np.full(slots.shape, np.inf, np.float32)
    if len(rows) == 0 or slots.size == 0:
        return distances
    space = _Space.over(rows, metric)
    with np.errstate(all="ignore"):  # as in `nearest`
        for lo in range(0, len(queries), _QUERIES):
            part = queries[lo : lo + _QUERIES]
            block = _unit(part) if metric == "cosine" else part.astype(np.float64)
            distances[lo : lo + _QUERIES] = _distances(_values(space, block, slots[lo : lo + _QUERIES]), metric)
    return distances


def _nearest_of_block(space: _Space, queries: Doubles, left_out: Slots, k: int, n_kept: int) -> tuple[Slots, Doubles]:
    """Return slots and values of the min(k, n) nearest rows of each query."""
    kept, bound = _select(space, queries, left_out, n_kept)
    values = _values(space, queries, kept)
    order = np.lexsort((kept, values))
    kept, values = np.take_along_axis(kept, order, 1), np.take_along_axis(values, order, 1)
    n_others = len(space.rows) - (left_out >= 0)
    kth = np.take_along_axis(values, np.minimum(k, n_others)[:, None] - 1, 1)[:, 0]
    proved = (kth < bound) | ((kept >= 0).sum(axis=1) == n_others)
    kept, values = kept[:, :k], values[:, :k]
    again = np.flatnonzero(~proved)
    if len(again):
        kept[again], values[again] = _scan_all(space, queries[again], left_out[again], kept.shape[1])
    return kept, values


def _select(space: _Space, queries: Doubles, left_out: Slots, n_kept: int) -> tuple[Slots, Doubles]:
    """Return the slots of least key, and a value that every other row exceeds (NaN: none is known)."""
    moved, factor, shift = space.moved_queries(queries)
    keys = np.full((len(queries), n_kept), np.inf, np.float32)
    slots = np.full(keys.shape, -1)
    products = np.empty(len(queries) * _ROWS, np.float32)
    safe = True
    for lo, hi in space.tiles():
        tile, bias = space.moved_rows(lo, hi)
        safe &= not np.isnan(bias).any()
        out = products[: len(queries) * len(tile)].reshape(len(queries), len(tile))
        select(np.matmul(moved, tile.T, out=out), bias, lo, left_out, keys, slots)
    bound = factor * keys[:, 0]
    return slots, bound + shift - 2.0**-49 * np.abs(bound) if safe else np.full(len(queries), np.nan)


def _values(space: _Space, queries: Doubles, slots: Slots) -> Doubles:
    """Return the value of each slot to its query, +inf for slot -1."""
    values = np.empty(slots.shape)
    d = queries.shape[1]
    n_rows = max(1, _NAMED_BYTES // (4 * d))  # at a time
    width = min(n_rows, slots.shape[1])
    height = n_rows // width
    room = np.empty((min(height, len(slots)) * width, d), space.rows.dtype)  # kept: fresh memory costs page faults
    for top, left in product(range(0, len(slots), height), range(0, slots.shape[1], width)):
        part = np.s_[top : top + height, left : left + width]
        named = slots[part]
        taken = np.take(space.rows, named.ravel(), axis=0, out=room[: named.size], mode="clip")
        rows = taken.astype(np.float32, copy=False).reshape(*named.shape, d)
        scales = np.ones(named.shape)
        if space.metric == "cosine":
            scales = _scales(rows.reshape(-1, d)).reshape(scales.shape)
        out = np.empty(scales.shape)
        values_of(rows, scales, queries[top : top + height], METRIC_CODES[space.metric], out)
        values[part] = out
    values[slots < 0] = np.inf
    return values


def _scan_all(space: _Space, queries: Doubles, left_out: Slots, k: int) -> tuple[Slots, Doubles]:
    """Compare every row with every query directly; return slots and values sorted by (value, slot)."""
    values = np.full((len(queries), k), np.inf)
    slots = np.full((len(queries), k), -1)
    for lo, hi in space.tiles():
        tile = space.rows[lo:hi].astype(np.float32)
        scales = _scales(tile) if space.metric == "cosine" else np.ones(len(tile))
        columns = np.ascontiguousarray(tile.T)
        scan(
            columns,
            scales,
            lo,
            queries,
            left_out,
            METRIC_CODES[space.metric],
            np.empty(len(tile)),
            values,
            slots,
        )
    order = np.lexsort((slots, values))
    return np.take_along_axis(slots, order, 1), np.take_along_axis(values, order, 1)


def _scales(rows: Floats) -> Doubles:
    """Return 1 / norm of each row, 0 for a zero row."""
    lengths = np.empty(len(rows))
    norms(rows, lengths)
    return np.divide(1.0, lengths, out=np.zeros(len(rows)), where=lengths > 0)


def _unit(queries: Floats) -> Doubles:
    """Return the queries at norm 1, in the arithmetic that brings rows there; zero ones as they are."""
    return queries.astype(np.float64) * _scales(np.array(queries))[:, None]


def _distances(values: Doubles, metric: str) -> Floats:
    if metric == "l2":
        values = np.sqrt(values)
    elif metric == "cosine":
        values = values / 2
    return values.astype(np.float32)
