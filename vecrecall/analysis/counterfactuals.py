"""One query and one row that it should find: what the walk did, and what would find the row with one thing changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.reachability import entered_slots, hops_from
from vecrecall.exact.kept import kept_distances
from vecrecall.hnsw.content import Content
from vecrecall.hnsw.trace import Trace, traced
from vecrecall.hnsw.walker import Walker
from vecrecall.matching import TOLERANCE
from vecrecall.vectors.rows import KeptRows
from vecrecall.vectors.walked import FloatRows

FEW_TIMES = 4  # an ef this many times as great is still called a matter of ef
MOST_EF = 16_384  # none above is tried: candidates are held in order, so the time grows with the square


class Case:
    """One query and one row of a content, asked for k answers at an ef."""

    def __init__(
        self, content: Content, rows: KeptRows, query: NDArray[np.float32], slot: int, k: int, ef: int
    ) -> None:
        self.content, self.rows, self.query, self.slot, self.k, self.ef = content, rows, query, slot, k, ef
        self._walker = Walker()
        self.distances = self._distances(query, np.arange(content.n))
        self.own = float(self.distances[slot])
        self.rank = 1 + int((self.distances < self.own).sum())
        others = np.where(np.arange(content.n) == slot, np.inf, self.distances)
        self.near = int(np.argmin(others)) if content.n > 1 else -1

    def _distances(self, query: NDArray[np.float32], slots: NDArray[np.integer]) -> NDArray[np.float32]:
        return kept_distances(self.rows, query, slots.astype(np.int64)[None], self.content.space.metric)[0]

    def answer(self, ef: int) -> NDArray[np.int64]:
        """Slots that a search answers with."""
        return self._walker.answer(self.content, self.query, self.k, ef, 1)[0]

    def finds(self, ef: int) -> bool:
        return bool((self.answer(ef) == self.slot).any())

    def finds_from(self, starts: NDArray[np.integer], *, exactly: bool = False) -> bool:
        """Whether the row is found by a walk that starts at some slots."""
        trace = traced(self.content, self.query, self.k, self.ef, starts=starts, exactly=exactly)
        return bool((trace.slots == self.slot).any())

    def is_tied(self, answer: NDArray[np.int64]) -> bool:
        """Whether all answers are as near as the row, as recall by distance has it."""
        farthest = float(self._distances(self.query, answer).max())
        return farthest <= self.own + TOLERANCE * abs(self.own)

    def least_ef(self, found: bool) -> int | None:
        """The least ef that finds the row, if none up to ``MOST_EF`` does None."""
        low, high, most = self.ef, self.ef, min(self.content.n, max(self.ef, MOST_EF))
        if found:
            low = min(self.k, self.ef) - 1  # no search takes less than k
        while not found and high < most:
            low, high = high, min(2 * high, most)
            found = self.finds(high)
        if not found:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.finds(middle) else (middle, high)
        return high

    def is_reached(self, starts: NDArray[np.integer]) -> bool:
        """Whether links of the base layer lead from some slots to the row."""
        return bool(hops_from(self.content.graph.links[: self.content.n], starts)[self.slot] >= 0)

    def linking(self) -> NDArray[np.int64]:
        """Slots with a link to the row."""
        if self.content.graph.top < 0:
            return np.zeros(0, np.int64)
        slots = np.flatnonzero((self.content.graph.links[: self.content.n] == self.slot).any(1))
        return slots[slots != self.slot]  # whose unused places hold its own number

    def nearest_of(self, slots: NDArray[np.integer]) -> tuple[int, float]:
        """(the slot nearest to the row, itself not counted; their distance); (-1, NaN) where there is none."""
        others = slots[slots != self.slot]
        if len(others) == 0:
            return -1, float("nan")
        distances = self._distances(self.rows.take(np.array([self.slot])), others)
        return int(others[np.argmin(distances)]), float(distances.min())

    @property
    def walks_exactly(self) -> bool:
        """Whether the walk's distances are those of the rows."""
        walked = self.content.walked
        return isinstance(walked, FloatRows) and walked.values.dtype == np.float32


@dataclass
class Walked:
    """What the walk did, as far as it concerns the row."""

    trace: Trace | None
    answer: NDArray[np.int64]
    base: NDArray[np.int32]
    entered: NDArray[np.int32]
    place: int | None
    rank_by_code: int | None

    @classmethod
    def of(cls, case: Case) -> Walked:
        nothing = np.zeros(0, np.int32)
        if case.content.graph.top < 0:  # no graph: all rows are compared exactly
            answer = case.answer(case.ef)
            return cls(None, answer, np.arange(case.content.n, dtype=np.int32), nothing, case.rank, None)
        trace = traced(case.content, case.query, case.k, case.ef, all_keys=True)
        base, keys, place = trace.compared[trace.in_base], trace.keys[trace.in_base], None
        at = np.flatnonzero(base == case.slot)
        if len(at):
            own = keys[at[0]]
            place = 1 + int(((keys < own) | ((keys == own) & (base < case.slot))).sum())
        assert trace.all_keys is not None
        rank = 1 + int((trace.all_keys < trace.all_keys[case.slot]).sum())
        return cls(trace, trace.slots, base, trace.entered, place, rank)


@dataclass
class Findings:
    """What was tried to find the row, and the reason that follows."""

    reason: str
    least_ef: int | None = None
    exact_walk_finds: bool | None = None
    near_start_finds: bool | None = None
    near_exact_walk_finds: bool | None = None

    @classmethod
    def of(cls, case: Case, walked: Walked, found: bool) -> Findings:
        if found:
            return cls("found", None if walked.trace is None else case.least_ef(True))
        if case.rank > case.k:
            return cls("not a neighbour")
        if walked.trace is None or case.is_tied(walked.answer):
            return cls("tied")
        findings = cls("quantiser", case.least_ef(False))
        exactly = not case.walks_exactly and case.content.kept is not None
        if exactly:
            findings.exact_walk_finds = case.finds_from(walked.entered, exactly=True)
        if walked.place is None:
            near = np.array([case.near])
            findings.near_start_finds = case.finds_from(near)
            if exactly:
                findings.near_exact_walk_finds = case.finds_from(near, exactly=True)
            findings.reason = findings._of_a_row_not_met(case, walked)
        return findings

    def _of_a_row_not_met(self, case: Case, walked: Walked) -> str:
        if self.least_ef is None and not case.is_reached(entered_slots(case.content)):
            return "disconnected"
        if self.least_ef is not None and self.least_ef <= FEW_TIMES * case.ef:
            return "ef too small"
        if self.exact_walk_finds:
            return "quantiser"
        if self.near_start_finds or not case.is_reached(walked.entered):
            return "wrong entry"
        return "quantiser" if self.near_exact_walk_finds else "poor graph"
