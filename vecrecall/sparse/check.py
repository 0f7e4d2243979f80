"""Every invariant of a sparse index, walked in numpy."""

from __future__ import annotations

import numpy as np

from vecrecall.errors import CorruptIndexError
from vecrecall.sparse.content import Content
from vecrecall.sparse.parameters import Parameters
from vecrecall.sparse.postings import RANGE, Postings
from vecrecall.sparse.rows import Rows
from vecrecall.sparse.segment import Segment


def check_content(content: Content, parameters: Parameters) -> None:
    """Raise :class:`CorruptIndexError` naming the first invariant that is broken."""
    first = 0
    for segment in content.segments:
        if segment.first != first or segment.rows.dim != content.dim:
            raise CorruptIndexError(f"a segment starts at slot {segment.first}, expected {first}, or has other columns")
        first += segment.n
        check_rows(segment.rows)
        check_order(segment)
        check_postings(segment, pruned=parameters.prunes)


def check_rows(rows: Rows) -> None:
    """Columns of every row ascend, and are those of the matrix; weights are finite and not zero."""
    indptr = rows.indptr()
    columns, weights = rows.contents()
    if indptr[0] != 0 or (np.diff(indptr) < 0).any() or len(rows.entries) != rows.nnz * rows.entry_bytes:
        raise CorruptIndexError("rows do not follow each other")
    if len(columns) and (columns.min() < 0 or columns.max() >= rows.n_terms):
        raise CorruptIndexError("a row names a column out of range")
    ascending = np.diff(columns) > 0
    starts = indptr[1:-1]
    ascending[starts[(starts > 0) & (starts < len(columns))] - 1] = True
    if not ascending.all():
        raise CorruptIndexError("the columns of a row do not ascend")
    if not np.isfinite(weights).all() or (weights == 0).any() or (not rows.signed and (weights < 0).any()):
        raise CorruptIndexError("a weight is zero, not finite, or negative where none should be")


def check_order(segment: Segment) -> None:
    """Places hold every slot once; the dead are marked by 1."""
    if segment.slots is not None and not np.array_equal(np.sort(segment.slots), np.arange(segment.n)):
        raise CorruptIndexError("the places of a segment do not hold every slot once")
    if segment.dead is not None and (len(segment.dead) != segment.n or segment.dead.max(initial=0) > 1):
        raise CorruptIndexError("the marks of dead documents are not 0 and 1, one a document")


def check_postings(segment: Segment, *, pruned: bool) -> None:
    """Every entry has a posting whose impact bounds it, and no posting is without an entry, in the order of impacts."""
    rows, postings = segment.rows, segment.postings
    n_units = -(-segment.n // segment.block)
    columns, weights = rows.contents()
    lists = columns.astype(np.int64) * (1 + rows.signed) + (weights < 0) * rows.signed
    units = np.repeat(np.arange(segment.n), np.diff(rows.indptr())) // segment.block
    flat_lists, flat_units, impacts = _flat(postings, n_units)
    same = (np.diff(flat_lists) == 0) & (np.diff(flat_units // RANGE) == 0)
    if (np.diff(impacts.astype(np.int64))[same] > 0).any():
        raise CorruptIndexError("the impacts of a posting list do not descend")
    keys = flat_units * postings.n_lists + flat_lists
    order = np.argsort(keys)
    keys, impacts = keys[order], impacts[order]
    if (np.diff(keys) == 0).any():
        raise CorruptIndexError("a unit stands twice in a posting list")
    wanted = units * postings.n_lists + lists
    at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    found = keys[at] == wanted if len(keys) else np.zeros(len(wanted), bool)
    bound = np.zeros(len(wanted))
    bound[found] = impacts[at[found]] * postings.greatest[lists[found]].astype(np.float64) / 255
    bound = np.maximum(bound, postings.left[lists])
    if (~found).any() and not pruned:
        raise CorruptIndexError("an entry has no posting")
    if (bound * (1 + 1e-12) < np.abs(weights)).any():
        raise CorruptIndexError("an impact, or what is said of those left out, does not bound the weights")
    if len(np.unique(wanted[found])) != len(keys):
        raise CorruptIndexError("a posting stands for no entry")


def _flat(postings: Postings, n_units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(list, unit, impact) of every posting, in the order they are stored in."""
    starts, n_ranges = postings.starts, postings.n_ranges
    lengths = np.diff(starts, axis=1)
    if (lengths < 0).any() or (starts[:1, 0] != 0).any() or (starts[1:, 0] != starts[:-1, -1]).any():
        raise CorruptIndexError("posting lists do not follow each other")
    n = int(starts[-1, -1]) if len(starts) else 0
    if postings.n != n or n_ranges != max(1, -(-n_units // RANGE)):
        raise CorruptIndexError(f"there are {postings.n} postings in {n_ranges} ranges, expected {n}")
    lists = np.repeat(np.arange(postings.n_lists), lengths.sum(axis=1))
    ranges = np.repeat(np.tile(np.arange(n_ranges), postings.n_lists), lengths.reshape(-1))
    units = ranges * RANGE + postings.units[:n]
    if (units >= n_units).any():
        raise CorruptIndexError("a posting names a unit out of the segment")
    impacts = postings.impacts[:n] if len(postings.impacts) >= n else np.full(n, 255, np.uint8)
    return lists, units, impacts
