"""Sparse search by the number of documents: time a query, memory and build on generated sets.

    python -m bench.sparse_scaling --plot docs/images/sparse-scaling.png
    python -m bench.sparse_scaling --sizes 200000,500000,1000000 --seismic-at 200000,1000000

Every size is measured as bench.sparse_speed does: one thread on one core, one query a call, settings chosen on one
half of the queries and timed on the other. Seismic's times are those of the better of its two builds. The exponent is
the slope of a line through (log n, log time) by least squares: 1 means that time grows as n does, 0 not at all. A
million documents take 3.2 GB (ours alone).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from bench.pin import pin_core, pin_threads
from bench.sparse_engines import SparseEngine
from bench.sparse_sets import generated_set
from bench.sparse_speed import console, measure
from bench.sparse_sweep import Point, us_at

SIZES = (100_000, 200_000, 500_000, 1_000_000)
SHOWN = (0.95, 0.99)
EXACT = "exact mode"


@dataclass
class Size:
    """What was measured at one number of documents."""

    n: int
    us: dict[str, float]  # a query, by series; NaN where the recall is not reached
    memory_bytes: int
    build_s: dict[str, float]  # processor time: ours, and the cheapest Seismic


def memory_of(engine: SparseEngine) -> int:
    """Bytes of an index of ours."""
    parts = dict(engine.index.memory())
    return int(parts.pop("total", sum(parts.values())))


def series(engines: Sequence[SparseEngine], points: dict[str, list[Point]]) -> dict[str, float]:
    """Microseconds a query by series: ours and Seismic at each level, and the exact mode."""
    found = {f"vecrecall {level}": us_at(points["vecrecall"], level) for level in SHOWN}
    found[EXACT] = us_at(points["vecrecall, exact"], SHOWN[-1])
    rivals = [engine.name for engine in engines if engine.name.startswith("seismic")]
    for level in SHOWN if rivals else ():
        times = [us_at(points[name], level) for name in rivals]
        found[f"Seismic {level}"] = min((us for us in times if not math.isnan(us)), default=math.nan)
    return found


def measured(n: int, n_queries: int, n_rounds: int, with_seismic: bool, cache: Path | None) -> Size:
    """Generate, build and measure at one size."""
    with console.status(f"generating {n:,} documents"):
        data = generated_set(n, n_queries, k=10)
    engines, points = measure(data, ["seismic"] if with_seismic else [], n_rounds, cache)
    builds = {"vecrecall": engines[0].build_s or math.nan}
    rivals = [engine.build_s for engine in engines if engine.name.startswith("seismic") and engine.build_s]
    if rivals:
        builds["Seismic"] = min(rivals)
    return Size(n, series(engines, points), memory_of(engines[0]), builds)


def exponent(sizes: Sequence[int], times: Sequence[float]) -> float:
    """Slope of log time over log n by least squares; NaN with fewer than two times."""
    n, t = np.array(sizes, float), np.array(times, float)
    there = np.isfinite(t)
    if there.sum() < 2:
        return math.nan
    return float(np.polyfit(np.log(n[there]), np.log(t[there]), 1)[0])


def names_of(rows: Sequence[Size]) -> list[str]:
    """Every series that any size has, in order."""
    return list(dict.fromkeys(name for row in rows for name in row.us))


def show_table(rows: Sequence[Size]) -> None:
    """Print a line a size, and the exponents."""

    def cell(value: float | None, form: str = ",.1f") -> str:
        return "" if value is None else "not reached" if math.isnan(value) else format(value, form)

    names = names_of(rows)
    title = "microseconds a query at recall@10, one thread, one query a call"
    table = Table("n", *names, "memory MB", "build CPU s", "of Seismic", title=title)
    for column in table.columns:
        column.justify = "right"
    for row in rows:
        builds = cell(row.build_s["vecrecall"], ",.2f"), cell(row.build_s.get("Seismic"))
        times = (cell(row.us.get(name)) for name in names)
        table.add_row(f"{row.n:,}", *times, f"{row.memory_bytes / 1e6:,.0f}", *builds)
    table.add_section()
    slopes = [exponent([r.n for r in rows], [r.us.get(name, math.nan) for r in rows]) for name in names]
    table.add_row("exponent", *("" if math.isnan(slope) else f"{slope:.2f}" for slope in slopes), "", "", "")
    console.print(table)


def draw(rows: Sequence[Size], out: Path) -> None:
    """Write the picture: time a query over the number of documents."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, marker in zip(names_of(rows), "osDv^<>"):
        of_name = [(row.n, row.us[name]) for row in rows if name in row.us]
        slope = exponent(*zip(*of_name))
        grows = "" if math.isnan(slope) else f"  $n^{{{slope:.2f}}}$"
        style = "--" if name.startswith("Seismic") else "-"
        axes.plot(*zip(*of_name), marker=marker, linestyle=style, label=name + grows)
    axes.set(xscale="log", yscale="log", xlabel="documents", ylabel="microseconds a query, one thread")
    axes.set_title("Learned-sparse search, generated collections, k = 10: down is better")
    axes.set_xticks([row.n for row in rows], [f"{row.n:,}" for row in rows])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150)
    console.print(f"picture {out}")


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="documents, separated by commas")
    parser.add_argument("--seismic-at", default="", metavar="SIZES", help="measure Seismic beside, at these sizes")
    parser.add_argument("--queries", type=int, default=400, help="half of them choose settings, half are timed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cache", type=Path, help="folder that keeps Seismic's indexes for the next run")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="write a picture (needs matplotlib)")
    args = parser.parse_args()
    pin_threads(1)
    pin_core()
    rows = []
    with_seismic = {int(size) for size in args.seismic_at.split(",") if size}
    for n in sorted(int(size) for size in args.sizes.split(",")):
        rows.append(measured(n, args.queries, args.rounds, n in with_seismic, args.cache))
        show_table(rows)
    if args.plot:
        draw(rows, args.plot)


if __name__ == "__main__":
    main()
