"""How rows are added to an index: read, coded, inserted - all or nothing.

Growing gives a new :class:`Content`, which shares the memory that suffices; a failed call puts the links that it
changed back.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vecrecall.hnsw.building import Builder, Progress, Workbench
from vecrecall.hnsw.coding import Coding
from vecrecall.hnsw.content import Content
from vecrecall.hnsw.entries import GROWN, Entries, choose_entries
from vecrecall.hnsw.graph import drawn_levels
from vecrecall.hnsw.order import random_order
from vecrecall.hnsw.parameters import Parameters
from vecrecall.hnsw.training import FEWEST, LIMIT_ROOM
from vecrecall.hnsw.undo import Undo
from vecrecall.inputs import Rows
from vecrecall.threads import Workers
from vecrecall.vectors.axes import heard, outgrown
from vecrecall.vectors.rows import KeptRows
from vecrecall.vectors.spaces import Space, row_lengths
from vecrecall.vectors.walked import CodedRows, FloatRows, WalkedRows


class Growth:
    """One call that adds rows to a content."""

    def __init__(
        self, old: Content, rows: Rows, dtype: np.dtype, parameters: Parameters, workers: Workers, progress: Progress
    ) -> None:
        self.old, self.rows, self.parameters = old, rows, parameters
        self.workers, self.progress = workers, progress
        self.n = old.n + rows.n
        self._coding = Coding(self.take, self.n, parameters, workers)
        self.kept: KeptRows | None = None
        coded_at_once = parameters.keep is None and old.n == 0 and rows.n >= FEWEST
        if old.kept is not None and not coded_at_once:
            self.kept = old.kept.extended(rows, dtype)

    def run(self, order: np.ndarray | None, bench: Workbench | None) -> tuple[Content, Workbench | None]:
        """The grown content, and the workbench for further adds.

        order : the new slots as they are to be inserted, or None for the seeded random order.
        bench : of the old content, or None; of no use when this call fails.
        """
        old = self.old
        if self.parameters.coded and old.walked is None and self.n < FEWEST:
            return replace(old, n=self.n, kept=self.kept), None
        space = self._space()
        walked, bench, remeasure, since = self._walked(space, bench)
        ef_construction, n_decided = self._ef_construction(space)
        levels = drawn_levels(self.parameters.seed, np.arange(old.graph.n, self.n), self.parameters.M)
        graph = old.graph.with_room(levels)
        undo = Undo(graph, old.graph.n, old.graph.n_upper)
        builder = Builder(
            graph, walked, bench, undo, ef_construction=ef_construction, fill=self.parameters.fill,
            workers=self.workers,
        )  # fmt: skip
        kept = None if self.parameters.keep is None else self.kept
        try:
            self._insert(builder, order, remeasure)
            entries = self._entries(walked, bench, graph.entry, walked_anew=since == (0, 0.0))
            content = Content(self.n, space, kept, walked, graph, ef_construction, n_decided, *since, entries)
        except BaseException:
            undo.restore()
            raise
        return content, (None if kept is None and self.parameters.coded else bench)

    def take(self, slots: np.ndarray | slice) -> np.ndarray:
        """Rows by slot as float32: out of the kept ones, or where none are kept the caller's, or what is walked."""
        if self.kept is not None:
            return self.kept.take(slots)
        if isinstance(slots, slice):
            slots = np.arange(slots.start, slots.stop)
        out = np.empty((len(slots), self.rows.dim), np.float32)
        new = slots >= self.old.n
        out[new] = self.rows.take(slots[new] - self.old.n)
        if not new.all():
            assert isinstance(self.old.walked, FloatRows)  # codes are never decoded into rows
            out[~new] = self.old.walked.values[slots[~new], : self.rows.dim]
        return out

    def _space(self) -> Space:
        """The old space, or for codes under ip one whose limit suits the new rows."""
        space = self.old.space
        if space.metric != "ip" or not self.parameters.coded:
            return space
        longest = max((float(row_lengths(tile).max(initial=0)) for _, tile in self.rows.tiles()), default=0.0)
        if self.old.walked is None or self.old.n == 0:
            if self.kept is not None and self.old.n:  # rows that waited for their codes
                longest = max(longest, float(row_lengths(self.kept.take(slice(0, self.old.n))).max()))
            return replace(space, limit=longest)
        if longest <= LIMIT_ROOM * space.limit or not self._can_start_afresh():
            return space
        return replace(space, limit=longest)

    def _can_start_afresh(self) -> bool:
        """Whether all rows can be had, to walk them in another form."""
        return self.kept is not None or isinstance(self.old.walked, FloatRows) or self.old.n == 0

    def _walked(
        self, space: Space, bench: Workbench | None
    ) -> tuple[WalkedRows, Workbench, bool, tuple[int, float]]:
        """(walked rows, workbench, whether old links must be measured again, (rows, error) since training)."""
        old, codec = self.old, None
        if isinstance(old.walked, CodedRows):
            codec = old.walked.codec
        afresh = old.walked is None or space is not old.space
        if codec is not None and self._can_start_afresh():
            afresh = afresh or outgrown(codec.n_trained, codec.mean_error, self.n, 0, 0.0)
        if not afresh and old.walked is not None:
            walked = old.walked.with_room(self.n)
            recoded = bench is None and old.n > 0
            bench = bench or Workbench(walked.no_forms(), self.parameters.M)
            bench.forms = bench.forms.grown(self.n)
            if recoded and not self._can_start_afresh():
                old.walked.recall_forms(bench.forms)
            from_rows = recoded and self._can_start_afresh()
            error = self._coding.write(walked, bench.forms, 0 if from_rows else old.n)
            if codec is not None:
                error = heard(error, codec.mean_error)
            n_since, error_since = old.n_since + self.rows.n, old.error_since + float(error[-self.rows.n :].sum())
            drifted = codec is not None and outgrown(
                codec.n_trained, codec.mean_error, self.n, n_since, error_since
            )
            if not drifted or not self._can_start_afresh():
                return walked, bench, recoded, (n_since, error_since)
        walked = self._coding.chosen(space).with_room(self.n)
        bench = Workbench(walked.no_forms().grown(self.n), self.parameters.M)
        self._coding.write(walked, bench.forms)
        return walked, bench, old.graph.n > 0, (0, 0.0)

    def _ef_construction(self, space: Space) -> tuple[int, int]:
        """(ef_construction, rows there were when it was decided): as given, or by the data anew at each doubling."""
        if self.parameters.ef_construction is not None:
            return self.parameters.ef_construction, self.n
        if self.n < 2 * self.old.n_decided or not self._can_start_afresh():
            return self.old.ef_construction, self.old.n_decided
        return self._coding.sample(space).ef_construction(), self.n

    def _entries(self, walked: WalkedRows, bench: Workbench, entry: int, *, walked_anew: bool) -> Entries | None:
        """Where searches enter. The textbook's enter by the layers; so do products, which cover nothing."""
        if self.parameters.schedule == "sequential" or self.old.space.metric == "ip":
            return None
        old = self.old.entries
        if old is not None and not walked_anew and old.slots[0] == entry and (self.n - old.n) * GROWN < old.n:
            return old
        return choose_entries(walked, bench.forms, self.n, entry)

    def _insert(self, builder: Builder, order: np.ndarray | None, remeasure: bool) -> None:
        first = self.old.graph.n
        new = np.arange(first, self.n, dtype=np.int32)
        if order is None and self.parameters.order == "given":
            order = new
        elif order is None:
            order = random_order(self.parameters.seed, new)
        order = np.ascontiguousarray(order, np.int32)
        if self.parameters.schedule == "sequential":
            builder.undo.remember_all()
            builder.insert_sequentially(order, self.progress)
        else:
            if remeasure:
                builder.measure(np.arange(first, dtype=np.int32))
            builder.insert(order, self.progress)
        builder.repair()
