"""The summary that matters: how many times as many queries a second ours answer, at equal recall.

Dense sets are compared with hnswlib, sparse ones with Seismic, and both with the best of all peers at that recall.
Exact search is left out on both sides. Over the builds of a peer (or of ours) the front counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.curves import Curve, curves_of, modes_of
from bench.results import LEVELS, DataFacts, Results

BEST_OF_OURS = "best of ours"
BEST_PEER = "best peer"


@dataclass(frozen=True)
class Ratio:
    """Speed of ours over speed of another at one recall."""

    data: str
    mode: str
    level: float
    ours: str  # name of one of ours, or `BEST_OF_OURS`
    against: str  # "hnswlib", "seismic" or `BEST_PEER`
    ours_qps: float  # NaN where the recall is not reached, or nothing was measured
    rival: str  # which peer it is; empty if none
    rival_qps: float
    measured: bool = True  # whether both took part at all

    @property
    def value(self) -> float:
        """NaN where one of both does not reach the recall."""
        return self.ours_qps / self.rival_qps

    def __str__(self) -> str:
        if not self.measured:
            return "not measured"
        if math.isnan(self.ours_qps):
            return "not reached by either" if math.isnan(self.rival_qps) else "not reached by ours"
        if math.isnan(self.rival_qps):
            return "not reached by a peer" if self.against == BEST_PEER else f"not reached by {self.against}"
        ratio = f"{self.value:.0f}" if self.value >= 100 else f"{self.value:.2f}"
        return f"{ratio} ({self.rival})" if self.against == BEST_PEER else ratio


def reference_of(facts: DataFacts) -> str:
    """The peer that everybody knows."""
    return "seismic" if facts.sparse else "hnswlib"


def ratios_of(results: Results, facts: DataFacts, mode: str) -> list[Ratio]:
    """Of the best of ours and of each of ours, to the known peer and to the best one, at every level."""
    curves = [curve for curve in curves_of(results, facts.name, mode) if not curve.exact]
    ours = [curve for curve in curves if curve.ours]
    peers = [curve for curve in curves if not curve.ours]
    reference = reference_of(facts)
    rivals = {reference: [peer for peer in peers if reference in peer.name.casefold()], BEST_PEER: peers}
    sides = {BEST_OF_OURS: ours} | ({curve.name: [curve] for curve in ours} if len(ours) > 1 else {})
    return [
        Ratio(
            facts.name, mode, level, name, against, _best(own, level)[1], *_best(others, level),
            measured=bool(own and others),
        )
        for name, own in sides.items()
        for against, others in rivals.items()
        for level in LEVELS
    ]  # fmt: skip


def _best(curves: Sequence[Curve], level: float) -> tuple[str, float]:
    """Name and speed of the fastest at a recall; NaN if none gets there."""
    reached = [(curve.qps_at(level), curve.name) for curve in curves]
    reached = [(qps, name) for qps, name in reached if not math.isnan(qps)]
    qps, name = max(reached, default=(math.nan, ""))
    return name, qps


def summary_text(results: Results) -> str:
    """All ratios, for a terminal."""
    lines = []
    for facts in results.data:
        modes = modes_of(results, facts.name)
        if not modes:
            lines += ["", f"{facts.name}: nothing was measured, so there is nothing to compare"]
        for mode in modes:
            lines += ["", f"{facts.name}, {mode}: queries a second, ours to theirs, at recall@{facts.k}"]
            ratios = ratios_of(results, facts, mode)
            pairs = list(dict.fromkeys((ratio.ours, ratio.against) for ratio in ratios))
            rows = [("", "", *(f"{level:.2f}" for level in LEVELS))]
            rows += [
                (ours, f"to {against}", *(str(r) for r in ratios if (r.ours, r.against) == (ours, against)))
                for ours, against in pairs
            ]
            widths = [max(map(len, column)) for column in zip(*rows)]
            lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    if not results.data:
        lines += ["", "no data set was measured, so there is nothing to compare"]
    if not results.finished:
        lines += ["", "the run is not finished: these are the figures up to where it was interrupted"]
    return "\n".join(lines[1:])
