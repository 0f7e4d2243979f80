"""What is inverted: for each unit the lists it is in, and its weight there; blocks of documents, and what is pruned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecrecall.kernels.jit import kernel
from vecrecall.sparse.rows import Rows
from vecrecall.sparse.weights import table_of


@dataclass(frozen=True, eq=False)
class Entries:
    """Attributes
    ----------
    indptr : ndarray of int64, shape (n_units + 1,)
    lists : ndarray of int32, shape (m,)
        By unit. The list of a column is its number; where weights are signed 2 c, and 2 c + 1 for negative ones.
    weights : ndarray of float32, shape (m,)
        Absolute values.
    n_lists : int
    """

    indptr: np.ndarray
    lists: np.ndarray
    weights: np.ndarray
    n_lists: int

    @property
    def rows(self) -> np.ndarray:
        """The unit of each entry."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def chosen(self, mask: np.ndarray) -> Entries:
        """Those entries that a mask names."""
        ends = np.concatenate([[0], np.cumsum(mask)])
        return Entries(ends[self.indptr], self.lists[mask], self.weights[mask], self.n_lists)


def entries_of(rows: Rows) -> Entries:
    """Entries of single documents."""
    lists, weights = rows.contents()
    if rows.signed:
        lists = 2 * lists + (weights < 0)
        weights = np.abs(weights)
    return Entries(rows.indptr(), lists, weights, rows.n_terms * (1 + rows.signed))


@kernel
def _summarise(indptr, lists, weights, block, best, ends, out_lists, out_weights):
    """The greatest weight of each list over blocks of rows; ``best`` is zeros for every list, before and after."""
    n, m = indptr.size - 1, np.int64(0)
    for unit in range(ends.size - 1):
        start = m
        for p in range(indptr[unit * block], indptr[min(n, (unit + 1) * block)]):
            if best[lists[p]] == 0:
                out_lists[m] = lists[p]
                m += 1
            best[lists[p]] = max(best[lists[p]], weights[p])
        for j in range(start, m):
            out_weights[j] = best[out_lists[j]]
            best[out_lists[j]] = 0
        ends[unit + 1] = m


def summarised(entries: Entries, block: int) -> Entries:
    """Summaries of blocks of neighbouring units: the greatest weight of each list."""
    if block == 1:
        return entries
    n = len(entries.indptr) - 1
    ends = np.zeros(-(-n // block) + 1, np.int64)
    lists, weights = np.empty_like(entries.lists), np.empty_like(entries.weights)
    best = np.zeros(entries.n_lists, np.float32)
    _summarise(entries.indptr, entries.lists, entries.weights, block, best, ends, lists, weights)
    return Entries(ends, lists[: ends[-1]].copy(), weights[: ends[-1]].copy(), entries.n_lists)


def heaviest_by_unit(entries: Entries, share: float) -> np.ndarray:
    """Mask of the heaviest entries of each unit that hold a share of the sum of its weights."""
    rows = entries.rows
    order = np.lexsort((-entries.weights, rows))
    weights = entries.weights[order].astype(np.float64)
    firsts = entries.indptr[:-1][rows]  # the greatest of a unit stands first: sums of one are not lost beside another's
    weights = np.ldexp(weights, -np.frexp(weights[firsts])[1])
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    before = sums[:-1] - np.repeat(sums[entries.indptr[:-1]], np.diff(entries.indptr))
    whole = np.repeat(sums[entries.indptr[1:]] - sums[entries.indptr[:-1]], np.diff(entries.indptr))
    mask = np.empty(len(order), bool)
    mask[order] = before < share * whole
    return mask


def heaviest_by_list(entries: Entries, most: int) -> np.ndarray:
    """Mask of the so many heaviest entries of each list; of equal ones the first."""
    order = np.lexsort((-entries.weights, entries.lists))
    counts = np.bincount(entries.lists, minlength=entries.n_lists)
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    mask = np.empty(len(order), bool)
    mask[order] = np.arange(len(order)) - np.repeat(starts, counts) < most
    return mask


def by_heaviest_terms(rows: Rows) -> np.ndarray:
    """An order of rows in which those that share their heaviest terms are neighbours.

    Cheap beside a clustering of sketches, and blocks of it have fewer entries: rows are sorted by their heaviest term,
    then the second, the third. Weights are compared by their codes; of equal ones the first term counts as heavier.
    """
    terms = np.full((3, rows.n), -1, np.int32)
    columns, codes = rows.unpacked()
    magnitudes = codes & (table_of(rows.signed).n - 1) if rows.coded else np.zeros(rows.nnz, np.uint8)
    _three_heaviest(rows.heads, columns, magnitudes, terms)
    return np.lexsort(terms[::-1])


@kernel
def _three_heaviest(heads, columns, magnitudes, terms):
    """Write the terms of the three greatest magnitudes of each row, the greatest first."""
    for i in range(heads.size - 1):
        best = np.zeros(3, np.int64)
        for p in range(heads[i] >> 16, heads[i + 1] >> 16):
            value, term, moving = np.int64(magnitudes[p]) + 1, columns[p], False
            for place in range(3):
                moving |= value > best[place]
                if moving:
                    held, held_term = best[place], terms[place, i]
                    best[place], terms[place, i] = value, term
                    value, term = held, held_term
