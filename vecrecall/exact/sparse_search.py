"""Exact inner products of sparse rows: column by column, the lists of a query's columns are added up in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall import threads
from vecrecall.csr import Csr
from vecrecall.kernels.jit import kernel
from vecrecall.kernels.keys import key_of, score_of, select_least, sort_keys
from vecrecall.kernels.memory import address, load64, store64

_SLICE = 16  # queries a worker takes at a time
_NARROW = 1 << 16  # columns that are numbered by themselves


@dataclass(frozen=True, eq=False)
class Lists:
    """Rows by column: list c holds [ends[c], ends[c + 1]) of rows (int32, ascending) and values (float32).

    terms : the columns that have a list, ascending, where there are too many to have one each; else None.
    """

    ends: NDArray[np.int64]
    rows: NDArray[np.int32]
    values: NDArray[np.float32]
    terms: NDArray[np.int32] | None
    n: int

    def nbytes(self) -> int:
        """Bytes held."""
        terms = 0 if self.terms is None else self.terms.nbytes
        return self.ends.nbytes + self.rows.nbytes + self.values.nbytes + terms


def lists_of(csr: Csr) -> Lists:
    """The lists of rows in order."""
    terms: NDArray[np.int32] | None = None
    columns: NDArray[np.int32] = csr.columns
    if csr.dim > _NARROW:
        used, places = np.unique(columns, return_inverse=True)
        terms, columns = used.astype(np.int32), places.astype(np.int32)
    ends = np.zeros((csr.dim if terms is None else len(terms)) + 1, np.int64)
    rows, values = np.empty(len(columns), np.int32), np.empty(len(columns), np.float32)
    _transpose(csr.indptr, columns, csr.values, ends, rows, values)
    return Lists(ends, rows, values, terms, csr.n)


@kernel
def _transpose(indptr: Any, columns: Any, values: Any, ends: Any, rows: Any, out: Any) -> None:
    """Fill lists by a counting sort; ``ends`` comes as zeros."""
    for p in range(columns.size):
        ends[columns[p] + 1] += 1
    for c in range(ends.size - 1):
        ends[c + 1] += ends[c]
    at = ends[:-1].copy()
    for i in range(indptr.size - 1):
        for p in range(indptr[i], indptr[i + 1]):
            q = at[columns[p]]
            at[columns[p]] = q + 1
            rows[q] = i
            out[q] = values[p]


@kernel
def _add_up(
    ends: Any, rows: Any, values: Any, columns: Any, weights: Any, left_out: Any, sums: Any, touched: Any, keys: Any,
    k: Any, slots: Any, distances: Any,
) -> Any:  # fmt: skip
    """Answer one query by its lists (-1: a column without one); sums and touched are zeros, before and after."""
    n = np.int64(0)
    for j in range(columns.size):
        c = columns[j]
        if c >= 0:
            weight = np.float64(weights[j])
            for p in range(ends[c], ends[c + 1]):
                row = rows[p]
                if touched[row] == 0:
                    touched[row] = 1
                    keys[n] = row
                    n += 1
                sums[row] += weight * np.float64(values[p])
    base, m = np.int64(address(keys)), np.int64(0)
    for j in range(n):
        row = keys[j]
        if row != left_out:
            store64(base, m, key_of(np.float32(sums[row]), row))
            m += 1
        sums[row] = 0.0
        touched[row] = 0
    best = min(m, np.int64(k))
    select_least(base, m, best)
    sort_keys(base, best, base + 8 * (best + 1))
    for j in range(best):
        key = load64(base, j)
        slots[j] = key & 0xFFFFFFFF
        distances[j] = np.float32(0) - score_of(key)
    return n


def nearest_sparse(
    lists: Lists, queries: Csr, k: int, left_out: NDArray[np.int64], n_workers: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Slots (q, k), -1 where missing; distances, minus the inner products; and rows that share a column, by query."""
    slots, distances = np.full((queries.n, k), -1), np.full((queries.n, k), np.inf, np.float32)
    evals = np.zeros(queries.n, np.int64)
    columns = queries.columns
    if lists.terms is not None:
        at = np.minimum(np.searchsorted(lists.terms, columns), max(len(lists.terms) - 1, 0))
        known = lists.terms[at] == columns if len(lists.terms) else np.zeros(len(columns), bool)
        columns = np.where(known, at, -1).astype(np.int32)

    def work(lo: int, hi: int) -> None:
        sums, touched = np.zeros(lists.n), np.zeros(lists.n, np.uint8)
        keys = np.empty(2 * lists.n + 8, np.int64)
        for i in range(lo, hi):
            a, b = queries.indptr[i], queries.indptr[i + 1]
            evals[i] = _add_up(
                lists.ends, lists.rows, lists.values, columns[a:b], queries.values[a:b], left_out[i], sums, touched,
                keys, k, slots[i], distances[i],
            )  # fmt: skip

    threads.run(n_workers, work, 0, queries.n, _SLICE)
    return slots, distances, evals
