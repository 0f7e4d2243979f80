"""Curves: what one peer reached on one data set in one mode, over all its builds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.results import LEVELS, Built, DataFacts, Point, Results, pareto_front, qps_at

MODES = {"batch": "all queries in one call", "single": "one query a call"}
SHOWN_FROM = 0.8  # recall at the left edge of every chart
SORTED_AT = 0.95


@dataclass(frozen=True)
class Measured:
    """A setting with its speed in the mode that is looked at."""

    built: Built
    point: Point
    mode: str
    qps: float

    @property
    def pair(self) -> tuple[float, float]:
        return self.point.recall, self.qps


@dataclass(frozen=True)
class Curve:
    """Points of one peer; over its builds the best counts, as its user would take the best."""

    name: str
    ours: bool
    exact: bool
    points: tuple[Measured, ...]

    @cached_property
    def front(self) -> tuple[Measured, ...]:
        """The points that no other beats in both, recall rising."""
        by_pair: dict[tuple[float, float], Measured] = {}
        for measured in self.points:
            by_pair.setdefault(measured.pair, measured)
        return tuple(by_pair[pair] for pair in pareto_front(list(by_pair)))

    @property
    def beaten(self) -> tuple[Measured, ...]:
        """The others."""
        front = {id(measured) for measured in self.front}
        return tuple(measured for measured in self.points if id(measured) not in front)

    @property
    def best_recall(self) -> float:
        return self.front[-1].point.recall

    def qps_at(self, level: float) -> float:
        """Queries a second at a recall, interpolated on the front; NaN where it is not reached."""
        return qps_at([measured.pair for measured in self.points], level)

    def first_at(self, level: float) -> Measured | None:
        """The first point of the front that reaches a recall: the fastest one of those that do."""
        return next((measured for measured in self.front if measured.point.recall >= level), None)

    def by_build(self) -> dict[str, Curve]:
        """A curve of its own for every build."""
        builds = dict.fromkeys(settings_text(measured.built.build) for measured in self.points)
        return {
            build: Curve(
                self.name, self.ours, self.exact,
                tuple(m for m in self.points if settings_text(m.built.build) == build),
            )
            for build in builds
        }  # fmt: skip


def settings_text(settings: dict[str, Any]) -> str:
    """Parameters in words, such as `M=16, ef_construction=200`."""
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "defaults"


def name_of(built: Built) -> str:
    """What a peer is called in the report; exact search is always named as such."""
    return f"{built.peer} (exact)" if built.exact and "exact" not in built.peer.casefold() else built.peer


def modes_of(results: Results, data: str | None = None) -> list[str]:
    """The modes that anything was measured in, on one data set or on any, in the order of `MODES`."""
    points = [point for built in results.built if data in (None, built.data) for point in built.points]
    found = {mode for point in points for mode in point.qps if is_measured(point, mode)}
    return [mode for mode in MODES if mode in found] + sorted(found.difference(MODES))


def is_measured(point: Point, mode: str) -> bool:
    """Whether a point has a recall and a speed; one that is no number is on no curve."""
    qps = point.qps.get(mode, math.nan)
    return math.isfinite(point.recall) and math.isfinite(qps) and qps > 0


def curves_of(results: Results, data: str, mode: str) -> list[Curve]:
    """The curves on a data set, the fastest at recall 0.95 first; those that do not reach it come last."""
    points: dict[str, list[Measured]] = {}
    for built in results.built:
        if built.data != data:
            continue
        for point in built.points:
            if is_measured(point, mode):
                points.setdefault(name_of(built), []).append(Measured(built, point, mode, point.qps[mode]))
    curves = [
        Curve(name, own[0].built.ours, own[0].built.exact, tuple(own))
        for name, own in points.items()
    ]  # fmt: skip
    levels = (SORTED_AT, *sorted(LEVELS))
    return sorted(curves, key=lambda curve: (*(-or_zero(curve.qps_at(level)) for level in levels), curve.name))


def or_zero(value: float) -> float:
    """Zero in place of no number."""
    return 0.0 if math.isnan(value) else value


@dataclass(frozen=True)
class View:
    """What part of the plane a chart shows."""

    recall: tuple[float, float]
    qps: tuple[float, float]
    left_out: tuple[str, ...]  # names of curves that end before its left edge


def view_of(curves: Sequence[Curve]) -> View:
    """The part from recall 0.8 on; from further down only if nothing gets there."""
    highest = max((curve.best_recall for curve in curves), default=1.0)
    low = SHOWN_FROM if highest >= SHOWN_FROM else max(0.0, math.floor(highest * 10 - 1) / 10)
    inside = [m.qps for curve in curves for m in curve.points if m.point.recall >= low]
    bottom, top = min(inside, default=1.0), max(inside, default=10.0)
    return View(
        recall=(low - 0.005, 1.0 + 0.02 * (1 - low)),
        qps=(bottom / 1.3, top * 1.3),
        left_out=tuple(curve.name for curve in curves if curve.best_recall < low),
    )


def datasets_of(results: Results) -> tuple[DataFacts, ...]:
    """The data sets; refuse a record that measured one that it does not describe."""
    known = {facts.name for facts in results.data}
    for built in results.built:
        if built.data not in known:
            raise ValueError(
                f"{built.peer} was measured on {built.data!r}, which the record does not describe "
                f"(it describes {', '.join(sorted(known)) or 'none'}); measure again or mend the record"
            )
    return results.data


def latency_of(measured: Measured) -> dict[str, float]:
    """Microseconds of one-query calls: of the point, or of the same setting where it was asked that way."""
    points = (measured.point, *(p for p in measured.built.points if p.setting == measured.point.setting))
    return next((point.latency_us for point in points if point.latency_us), {})


def n_settings(points: Iterable[Point]) -> int:
    """How many settings there are; one that was measured in two modes is one."""
    return len({settings_text(point.setting) for point in points})


def peers_of(built: Iterable[Built]) -> list[str]:
    """Every name that has a curve or might have had one, ours first, in the order of the record."""
    ordered = sorted(built, key=lambda one: not one.ours)
    return list(dict.fromkeys(name_of(one) for one in ordered))
