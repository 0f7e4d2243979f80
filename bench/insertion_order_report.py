"""The report of `python -m bench.insertion_order`: tables as Markdown and CSV, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vecrecall.analysis.studies import Study
from vecrecall.analysis.studying.findings import Finding
from vecrecall.analysis.studying.tables import markdown
from vecrecall.replacing import replacing

SAME = ("sequential", "hnswlib")  # the same algorithm: orders should do the same to both
WORDS = """
Cells are recall; in brackets the difference to random order of the same engine in points, with its interval over the
queries (paired; a query that was not asked is allowed for), or of random order the standard deviation over seeds.
"Evaluations" are distance evaluations a query in the same graph, equal for all orders; "-" where a graph was not
measured there. Spread: smallest and largest recall of all orders, in brackets the points between them. "!" marks an
interval that does not hold 0.
"""


def write_report(studies: dict[str, Study], out: Path, suffix: str) -> Path:
    """Write `report.md`, and the tables (CSV) and pictures of each study beside it; returns its path."""
    parts = ["# Insertion order: what the studies printed", "", "Command: `python -m bench.insertion_order`.", WORDS]
    for name, found in studies.items():
        parts += _of_set(name, found, out, suffix)
    by_dimension = {int(name[4:]): found for name, found in studies.items() if name.startswith("dim-")}
    if len(by_dimension) > 1:
        parts += _of_dimensions(by_dimension, out, suffix)
    path = out / "report.md"
    with replacing(path) as temporary, open(temporary, "x", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")
    return path


def _of_set(name: str, found: Study, out: Path, suffix: str) -> list[str]:
    """The chapter of one study."""
    for table in ("orders", "seeds", "lid", "spreads"):
        found.to_csv(out / f"{name}-{table}.csv", table)
    found.plot(out / f"{name}-recall.{suffix}")
    found.plot(out / f"{name}-differences.{suffix}", differences=True)
    found.plot_lid(out / f"{name}-lid.{suffix}")
    parts = ["", f"## {name}", "", f"{found.headline()}.", "", "### Spread over orders", "", found.spreads()]
    if set(SAME) <= set(found.engines):
        parts += ["", f"### The effect of order on {SAME[0]} less that on {SAME[1]}", "", _gaps(found)]
    for engine in found.engines:
        parts += ["", f"### {name}, {engine}", "", found.table(engine=engine)]
    pictures = (f"![{name}, {each}]({name}-{each}.{suffix})" for each in ("recall", "differences", "lid"))
    return [*parts, *(line for picture in pictures for line in ("", picture))]


def _gaps(found: Study) -> str:
    """By how much the effects differ, at every point."""
    gaps = found.gaps(*SAME)
    points = list(dict.fromkeys((gap["ef"], gap["evals"]) for gap in gaps))
    lines = []
    for order in dict.fromkeys(gap["order"] for gap in gaps):
        own = {(gap["ef"], gap["evals"]): gap for gap in gaps if gap["order"] == order}
        lines.append([order, *(_gap_in_words(own[point]) for point in points)])
    return markdown(["order", *(f"ef = {ef}" if ef else f"{evals:,g} evaluations" for ef, evals in points)], lines)


def _gap_in_words(gap: dict[str, Any]) -> str:
    if np.isnan(gap["gap"]):
        return "-"
    words = "..".join(f"{100 * gap[end]:+.2f}" for end in ("gap_low", "gap_high"))
    return f"{100 * gap['gap']:+.2f}: {words}{'' if gap['gap_low'] <= 0 <= gap['gap_high'] else ' !'}"


def _of_dimensions(studies: dict[int, Study], out: Path, suffix: str) -> list[str]:
    """Recall of random order by dimension, an engine a table."""
    parts = ["", "## Recall against intrinsic dimension"]
    first = next(iter(studies.values()))
    for engine in first.engines:
        if not all(any(_is_random(row, engine) for row in found.rows) for found in studies.values()):
            continue
        Study.plot_dimension(studies, out / f"dimension-{engine}.{suffix}", engine=engine)
        lines = []
        for dimension, found in studies.items():
            own = [row for row in found.rows if _is_random(row, engine) and row.point.ef]
            records = [record for record in found.as_dicts() if record["engine"] == engine]
            degrees = next(record for record in records if record["order"] == "random")
            recalls = (f"{row.recall:.4f} ({row.low:.4f}..{row.high:.4f})" for row in own)
            lines.append([
                f"{dimension}", f"{found.lid:.1f}", *recalls, f"{degrees['out_degree']:.1f}",
                f"{degrees['unreachable']:.1f}", f"{degrees['in_skew']:.2f}",
            ])  # fmt: skip
        heads = ["dimension", "LID", *(f"ef = {ef}" for ef in first.efs), "out-degree", "unreachable", "in-degree skew"]
        parts += ["", f"### {engine}, random order", "", markdown(heads, lines), "",
                  f"![recall against dimension, {engine}](dimension-{engine}.{suffix})"]  # fmt: skip
    return parts


def _is_random(row: Finding, engine: str) -> bool:
    return row.way.engine == engine and row.order == "random"
