"""A segment: rows that never change, as forward rows and as posting lists, and which of them are dead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vecrecall.kernels.memory import address
from vecrecall.kernels.postings import LOOK
from vecrecall.sparse import plan as fields
from vecrecall.sparse.entries import (
    Entries, by_heaviest_terms, entries_of, heaviest_by_list, heaviest_by_unit, summarised,
)  # fmt: skip
from vecrecall.sparse.parameters import Parameters
from vecrecall.sparse.postings import Postings, build_postings
from vecrecall.sparse.rows import Parts, Rows, joined, taken
from vecrecall.sparse.weights import table_of
from vecrecall.threads import Workers


@dataclass(frozen=True, eq=False)
class Segment:
    """Rows, their posting lists, and where kernels find them."""

    rows: Rows
    postings: Postings
    first: int  # slot of its first row
    block: int = 1  # documents in a unit
    slots: np.ndarray | None = None  # int32 (n,): of the document at each place, where they were reordered
    dead: np.ndarray | None = None  # uint8 (n,) by place
    plan: np.ndarray = field(init=False)
    held: tuple[np.ndarray, ...] = field(init=False)  # what only the plan points to

    def __post_init__(self) -> None:
        plan, rows, postings = np.zeros(fields.PLAN_FIELDS, np.int64), self.rows, self.postings
        table = table_of(rows.signed)
        n_units = -(-rows.n // self.block)
        dead_units = self._dead_units(n_units)
        object.__setattr__(self, "plan", plan)
        object.__setattr__(self, "held", (dead_units,))
        plan[fields.N :][:7] = rows.n, n_units, self.block, postings.n_ranges, rows.n_terms, self.first, rows.signed
        for name, array in (
            (fields.TERMS, rows.terms), (fields.STARTS, postings.starts), (fields.UNITS, postings.units),
            (fields.IMPACTS, postings.impacts),
            (fields.GREATEST, postings.greatest), (fields.LEFT, postings.left if postings.left.any() else None),
            (fields.HEADS, rows.heads), (fields.ENTRIES, rows.entries), (fields.RESIDUALS, rows.residuals),
            (fields.SLOTS, self.slots),
            (fields.DEAD, self.dead), (fields.DEAD_UNITS, dead_units),
        ):  # fmt: skip
            plan[name] = 0 if array is None else address(array)
        plan[[fields.ENTRY_BYTES, fields.COLUMN_BYTES, fields.CODED]] = rows.entry_bytes, rows.column_bytes, rows.coded
        plan[fields.IMPACT_STEP] = len(postings.impacts) > LOOK
        plan[fields.RESIDUAL_BYTES] = 0 if rows.residuals is None else rows.residuals.itemsize
        plan[fields.N_CODES :][:3] = table.n, table.unit, table.lowest
        plan[fields.N_DEAD_UNITS] = len(dead_units)
        numbers = plan.view(np.float64)
        numbers[fields.ERROR], numbers[fields.TINY], numbers[fields.WEIGHT] = table.error, table.tiny, rows.weight

    def _dead_units(self, n_units: int) -> np.ndarray:
        """Units all of whose documents are dead, int32."""
        if self.dead is None:
            return np.empty(0, np.int32)
        living = np.add.reduceat(self.dead == 0, np.arange(0, self.rows.n, self.block))
        return np.flatnonzero(living == 0).astype(np.int32)

    @property
    def n(self) -> int:
        return self.rows.n

    def dead_slots(self) -> np.ndarray:
        """Dead slots, int64, ascending."""
        if self.dead is None:
            return np.empty(0, np.int64)
        places = np.flatnonzero(self.dead)
        return self.first + np.sort(places if self.slots is None else self.slots[places].astype(np.int64))

    def dead_by_slot(self) -> np.ndarray:
        """Which documents are dead, bool (n,), in the order of slots."""
        dead = np.zeros(self.n, bool)
        dead[self.dead_slots() - self.first] = True
        return dead

    def living(self) -> np.ndarray:
        """Which documents are not dead, bool (n,), by place."""
        return np.ones(self.n, bool) if self.dead is None else self.dead == 0

    def parts(self) -> Parts:
        """The rows in the order of slots; those that are dead are empty."""
        places = np.arange(self.n) if self.slots is None else np.argsort(self.slots)
        parts = taken(self.rows, places)
        return parts if self.dead is None else parts.emptied(self.dead_by_slot())

    def without(self, slots: np.ndarray) -> Segment:
        """The segment with some slots dead."""
        dead = np.zeros(self.n, np.uint8) if self.dead is None else self.dead.copy()
        places = slots - self.first
        if self.slots is not None:
            places = np.argsort(self.slots)[places]
        dead[places] = 1
        return replace(self, dead=dead)


def arranged(parts: Parts, first: int, parameters: Parameters, workers: Workers) -> Segment:
    """A segment of rows in the order of slots."""
    block, slots, rows = parameters.block_of(parts.n), None, parts.packed(workers)
    if block > 1:
        order = by_heaviest_terms(rows)
        rows, slots = rows.ordered(order, workers), order.astype(np.int32)
    return Segment(rows, inverted(rows, block, parameters, workers), first, block, slots)


def inverted(rows: Rows, block: int, parameters: Parameters, workers: Workers) -> Postings:
    """Posting lists of rows, or of blocks of them, pruned as the parameters say."""
    entries = entries_of(rows)
    left = np.zeros(entries.n_lists, np.float32)
    if parameters.alpha < 1:
        entries = _pruned(entries, heaviest_by_unit(entries, parameters.alpha), left)
    entries = summarised(entries, block)
    if block > 1 and parameters.summary_energy < 1:
        entries = _pruned(entries, heaviest_by_unit(entries, parameters.summary_energy), left)
    if parameters.n_postings is not None:
        entries = _pruned(entries, heaviest_by_list(entries, parameters.n_postings), left)
    postings = build_postings(entries.indptr, entries.lists, entries.weights, entries.n_lists, workers)
    equal = not rows.coded and block == 1
    impacts = postings.impacts[-LOOK:].copy() if equal else postings.impacts
    if equal:
        impacts[:] = 255
    greatest = np.where(postings.greatest == 0, left, postings.greatest)  # of lists that have lost all
    return replace(postings, left=left, impacts=impacts, greatest=greatest)


def _pruned(entries: Entries, mask: np.ndarray, left: np.ndarray) -> Entries:
    """Chosen entries; ``left`` learns the greatest weight of each list among the others."""
    np.maximum.at(left, entries.lists[~mask], entries.weights[~mask])
    return entries.chosen(mask)


def one_segment(segments: Sequence[Segment], parameters: Parameters, workers: Workers) -> Segment:
    """One segment in place of several neighbours."""
    parts = joined([segment.parts() for segment in segments], parameters.keep, workers)
    merged = arranged(parts, segments[0].first, parameters, workers)
    dead = np.concatenate([segment.dead_slots() for segment in segments])
    return merged.without(dead) if len(dead) else merged
