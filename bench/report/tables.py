"""Every table of the report, as plain text in cells; `page` and `document` give them a form."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.curves import (
    Curve,
    Measured,
    curves_of,
    datasets_of,
    latency_of,
    modes_of,
    n_settings,
    name_of,
    settings_text,
)  # fmt: skip
from bench.report.summary import BEST_OF_OURS, ratios_of
from bench.results import LEVELS, Built, DataFacts, Results

NONE = "–"  # not measured
MARK = "†"
MARK_NOTE = f"{MARK} Answers were at fault; the table of faults says how."
LATENCY_LEVEL = 0.95


@dataclass(frozen=True)
class Table:
    """Cells of one table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: int = 1  # so many columns from the left are words, the others figures
    ours: frozenset[int] = frozenset()  # rows that are ours
    note: str = ""
    empty: str = "Nothing was measured."  # what stands there in place of no rows


def number(value: float) -> str:
    """Three digits that count, and all before the point."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size < 1:
        return f"{value:.3f}"
    return f"{value:,.2f}" if size < 10 else f"{value:,.1f}" if size < 100 else f"{value:,.0f}"


def at_level(qps: float) -> str:
    return "not reached" if math.isnan(qps) else number(qps)


def interval(measured: Measured) -> str:
    """Recall with its interval."""
    point = measured.point
    if math.isnan(point.recall_low) or math.isnan(point.recall_high):
        return f"{point.recall:.4f}"
    return f"{point.recall:.4f} ({point.recall_low:.4f} to {point.recall_high:.4f})"


def faulty(results: Results, data: str) -> set[str]:
    """Names of the peers whose answers were at fault somewhere."""
    return {
        name_of(built) for built in results.built
        if built.data == data and any(str(point.faults) for point in built.points)
    }  # fmt: skip


def marked(name: str, at_fault: set[str]) -> str:
    """A name that says whether its answers were at fault."""
    return f"{name} {MARK}" if name in at_fault else name


def headline(results: Results) -> Table:
    """The best of ours, on all data sets."""
    rows = []
    for facts in datasets_of(results):
        for mode in modes_of(results, facts.name):
            of_best = [ratio for ratio in ratios_of(results, facts, mode) if ratio.ours == BEST_OF_OURS]
            for against in dict.fromkeys(ratio.against for ratio in of_best):
                cells = (str(ratio) for ratio in of_best if ratio.against == against)
                rows.append((facts.name, mode, against, *cells))
    return Table(
        "Best of ours: times as many queries a second",
        ("data", "mode", "compared with", *(f"recall {level:.2f}" for level in LEVELS)),
        tuple(rows),
        n_text=3,
        note="Ratio of queries a second at equal recall, interpolated on the Pareto fronts; above 1 ours is faster. "
        "Exact search is left out on both sides. The best peer is chosen at every recall anew.",
    )


def each_of_ours(results: Results, facts: DataFacts, mode: str) -> Table:
    """The same for each of ours, on one data set."""
    ratios = ratios_of(results, facts, mode)
    pairs = list(dict.fromkeys((ratio.ours, ratio.against) for ratio in ratios))
    return Table(
        f"Times as many queries a second, {mode}",
        ("ours", "compared with", *(f"recall {level:.2f}" for level in LEVELS)),
        tuple(
            (ours, against, *(str(ratio) for ratio in ratios if (ratio.ours, ratio.against) == (ours, against)))
            for ours, against in pairs
        ),
        n_text=2,
    )


def speeds(results: Results, facts: DataFacts, modes: Sequence[str]) -> Table:
    """Queries a second at the levels; the modes beside each other, or one with the setting that gets to 0.95."""
    of_mode = {mode: {curve.name: curve for curve in curves_of(results, facts.name, mode)} for mode in modes}
    names = list(dict.fromkeys(name for curves in of_mode.values() for name in curves))
    at_fault = faulty(results, facts.name)
    rows = []
    for name in names:
        cells = [marked(name, at_fault)]
        if len(modes) == 1:
            first = of_mode[modes[0]][name].first_at(LATENCY_LEVEL)
            cells.append(described(first) if first else f"ends at recall {of_mode[modes[0]][name].best_recall:.4f}")
        for curves in of_mode.values():
            cells += [at_level(curves[name].qps_at(level)) if name in curves else NONE for level in LEVELS]
        rows.append(tuple(cells))
    return Table(
        f"Queries a second at recall@{facts.k}, {', '.join(modes)}",
        (
            "peer",
            *([f"first setting that reaches {LATENCY_LEVEL}"] if len(modes) == 1 else []),
            *(f"{mode} {level:.2f}" if len(modes) > 1 else f"{level:.2f}" for mode in modes for level in LEVELS),
        ),
        tuple(rows),
        n_text=2 if len(modes) == 1 else 1,
        ours=frozenset(i for i, name in enumerate(names) if any(name in c and c[name].ours for c in of_mode.values())),
        note=MARK_NOTE if at_fault.intersection(names) else "",
    )


def described(measured: Measured) -> str:
    """Build and setting of a point."""
    parts = (settings_text(part) for part in (measured.built.build, measured.point.setting) if part)
    return "; ".join(parts) or "defaults"


def builds(results: Results, facts: DataFacts) -> Table:
    """What an index takes before it answers: time and memory."""
    own = [built for built in results.built if built.data == facts.name and was_built(built)]
    own.sort(key=lambda built: (not built.ours, name_of(built)))
    return Table(
        "Build, memory, import and compile time",
        ("peer", "build", "build s", "build CPU s", "grew by MiB", "file MiB", "import s", "compile s"),
        tuple(
            (name_of(built), settings_text(built.build), number(built.build_s), number(built.build_cpu_s),
             number(built.resident_mib), number(built.file_mib), number(built.import_s), number(built.compile_s))
            for built in own
        ),
        n_text=2,
        ours=frozenset(i for i, built in enumerate(own) if built.ours),
        note="Build s is wall clock. Grew by: resident memory of the process. Compile: what the first use took beyond "
        f"the second; it is in no other figure. {NONE} was not measured.",
    )  # fmt: skip


def was_built(built: Built) -> bool:
    return bool(built.points) or not math.isnan(built.build_s)


def latencies(results: Results, facts: DataFacts) -> Table:
    """Percentiles of one-query calls at the setting that first reaches recall 0.95."""
    by_mode = (curves_of(results, facts.name, mode) for mode in ("single", *modes_of(results, facts.name)))
    curves = next(filter(None, by_mode), [])
    at_fault = faulty(results, facts.name)
    return Table(
        f"Latency of a single query at the first setting that reaches recall {LATENCY_LEVEL}, microseconds",
        ("peer", "build; setting", "recall", "mean", "p50", "p95", "p99"),
        tuple(_latency_row(curve, marked(curve.name, at_fault)) for curve in curves),
        n_text=2,
        ours=frozenset(i for i, curve in enumerate(curves) if curve.ours),
        note=MARK_NOTE if at_fault.intersection(curve.name for curve in curves) else "",
    )


def _latency_row(curve: Curve, name: str) -> tuple[str, ...]:
    measured = curve.first_at(LATENCY_LEVEL)
    if measured is None:
        return (name, "not reached", f"ends at {curve.best_recall:.4f}", NONE, NONE, NONE, NONE)
    us = latency_of(measured)
    figures = (number(us.get(part, math.nan)) for part in ("mean", "p50", "p95", "p99"))
    return (name, described(measured), interval(measured), *figures)


def faults(results: Results) -> Table:
    """Who returned repeated ids, ids that do not exist, too few, or wrong distances; the worst setting of each."""
    asked = {facts.name: facts.k * facts.n_timed for facts in datasets_of(results)}
    at_fault = [built for built in results.built if any(str(point.faults) for point in built.points)]
    return Table(
        "Faults in the answers",
        ("peer", "data", "build", "settings at fault", "missing or -1", "no such row", "repeated ids",
         "changed", "wrong distances", "mean relative error"),
        tuple(_fault_row(built, asked[built.data]) for built in at_fault),
        n_text=3,
        ours=frozenset(i for i, built in enumerate(at_fault) if built.ours),
        note="Places among all that the timed queries asked for, at the setting with the most. Missing: -1 or not "
        "returned, though that many rows exist. Changed: another id in a later round; the worse recall counts. The "
        "error is that of the distances. Neither missing places nor "
        "repeated ids count as found, and recall never rests on distances that a peer returned.",
        empty="Nobody returned repeated ids, ids that no row has, too few, or wrong distances.",
    )  # fmt: skip


def _fault_row(built: Built, asked: int) -> tuple[str, ...]:
    points = [point for point in built.points if str(point.faults)]
    found = [point.faults for point in points]
    worst = (
        max(getattr(faults, kind) for faults in found)
        for kind in ("missing", "out_of_range", "duplicates", "changed", "wrong_distances")
    )
    n_at_fault = f"{n_settings(points)} of {n_settings(built.points)}"
    error = _error([faults.distance_error for faults in found])
    shares = (_share(count, asked) for count in worst)
    return (name_of(built), built.data, settings_text(built.build), n_at_fault, *shares, error)


def _share(count: int, asked: int) -> str:
    return "0" if not count else f"{count:,} ({count / asked:.2%})" if asked else f"{count:,}"


def _error(errors: Sequence[float]) -> str:
    known = [error for error in errors if not math.isnan(error)]
    return f"{max(known):.2g}" if known else NONE


def left_out(results: Results) -> Table:
    """Who is not here, or broke off, and why; one row a reason."""
    reasons: dict[tuple[str, str], list[Built]] = {}
    for built in results.built:
        if built.problem:
            reasons.setdefault((name_of(built), " ".join(built.problem.split())), []).append(built)
    rows: list[tuple[str, ...]] = []
    own = set()
    for (name, problem), of_reason in reasons.items():
        if any(built.ours for built in of_reason):
            own.add(len(rows))
        n_kept = sum(n_settings(built.points) for built in of_reason)
        rows.append((
            name, ", ".join(dict.fromkeys(built.data for built in of_reason)),
            "; ".join(dict.fromkeys(settings_text(built.build) for built in of_reason)), problem, str(n_kept),
        ))  # fmt: skip
    return Table(
        "Left out or broken off",
        ("peer", "data", "build", "why", "settings measured before"),
        tuple(rows),
        n_text=4,
        ours=frozenset(own),
        empty="Nobody was left out, and nobody broke off.",
    )


def data_facts(results: Results) -> Table:
    """The data sets as they were measured."""
    return Table(
        "Data",
        ("data", "kind", "metric", "source", "rows", "columns", "k", "queries to choose settings", "queries timed"),
        tuple(
            (facts.name, "sparse" if facts.sparse else "dense", facts.metric, facts.source or NONE, f"{facts.n:,}",
             f"{facts.dim:,}", str(facts.k), f"{facts.n_choosing:,}", f"{facts.n_timed:,}")
            for facts in datasets_of(results)
        ),
        n_text=4,
    )  # fmt: skip


def machine(results: Results) -> Table:
    """What it was measured on; of a system its version, without what a distributor or a host calls it."""
    facts = dict(results.machine)
    if "system" in facts:
        facts["system"] = re.sub(r"^(\w+ [\d.]*\d).*", r"\1", facts["system"])
    return Table("Machine", ("what", "is"), tuple(facts.items()), n_text=2, empty="The record names no machine.")


def versions(results: Results) -> Table:
    """Versions of all that took part."""
    found: dict[str, list[str]] = {}
    for built in sorted(results.built, key=lambda built: not built.ours):
        if built.version:
            found.setdefault(name_of(built), []).append(built.version)
    return Table(
        "Versions",
        ("peer", "version"),
        tuple((name, ", ".join(dict.fromkeys(of_peer))) for name, of_peer in found.items()),
        n_text=2,
        empty="The record names no versions.",
    )
