"""Sparse search by the number of documents: time a query, memory and build on generated sets.

    python -m bench.sparse_scaling --plot docs/images/sparse-scaling.png
    python -m bench.sparse_scaling --sizes 200000,500000,1000000 --seismic-at 200000,1000000

One thread on one core, one query a call, settings chosen on one half of the queries and timed on the other. Seismic's
times are those of the better of two builds, its defaults and pruned lists, both without its graph of neighbours. The
exponent is the slope of a line through (log n, log time) by least squares: 1 means that time grows as n does, 0 not at
all. A million documents take 3.2 GB (ours alone).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.contract import Peer, Wanted
from bench.courses import Point, sweep, us_at
from bench.data import Data, generated
from bench.peers import peer_class
from bench.pin import pin_core, pin_threads
from bench.tasks import product

SIZES = (100_000, 200_000, 500_000, 1_000_000)
SHOWN = (0.95, 0.99)
EXACT = "exact mode"
K = 10
N_WARM = 200  # documents of the small index that compiles the kernels outside the clock
OURS = product({
    "query_cut": [3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 60],
    "heap_factor": [0.7, 0.8, 0.85, 0.9, 0.95, 1.0],
    "impact_cut": [0.06, 0.1, 0.15, 0.2],
})  # fmt: skip
SEISMIC = product({
    "query_cut": [2, 3, 4, 5, 6, 8, 10, 14, 20, 30],
    "heap_factor": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    "in_order": [True, False],
})  # fmt: skip
SEISMIC_BUILDS: tuple[dict[str, Any], ...] = ({}, {"share": 0.65, "max_fraction": 6.0})  # without its graph
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


@dataclass
class Size:
    """What was measured at one number of documents."""

    n: int
    us: dict[str, float]  # a query, by series; NaN where the recall is not reached
    memory_bytes: int
    build_s: dict[str, float]  # processor time: ours, and the cheapest Seismic


def built(name: str, data: Data, k: int = K, **parameters: Any) -> tuple[Peer, float]:
    """A peer's index, and the processor time that it took; a small one is built and asked first."""
    kind, wanted = peer_class(name), Wanted(data.metric, k)
    if kind.ours:
        small = kind(wanted)
        small.build(data.X[:N_WARM], **parameters)
        small.set()
        small.ask_one(small.forms(data.Q[[0]])[0])
    peer = kind(wanted)
    before = time.process_time()
    peer.build(data.X, **parameters)
    return peer, time.process_time() - before


def ours(data: Data, k: int = K, **parameters: Any) -> tuple[dict[str, tuple[Peer, Any]], float]:
    """The two ways of asking one index of ours, with their settings; and its build."""
    peer, build_s = built("vecrecall sparse", data, k, **parameters)
    exact = peer_class("vecrecall sparse, exact")(peer.wanted)
    exact.index = peer.index
    return {"vecrecall": (peer, OURS), EXACT: (exact, [{}])}, build_s


def kept(cache: Path | None, data: Data, parameters: dict[str, Any]) -> tuple[Peer, float]:
    """An index of Seismic: out of a folder, if it is there, with the time that it took."""
    if cache is None:
        return built("Seismic", data, **parameters)
    digest = hashlib.blake2b(data.X.data.tobytes(), digest_size=8).hexdigest()
    folder = cache / f"{data.n}-{digest}-{len(parameters)}"
    note = folder.with_suffix(".json")
    if not note.exists():
        peer, build_s = built("Seismic", data, **parameters)
        cache.mkdir(parents=True, exist_ok=True)
        peer.save(folder)
        note.write_text(json.dumps(build_s))
    peer = peer_class("Seismic")(Wanted(data.metric, K))
    peer.load(folder, data.X, **parameters)
    return peer, float(json.loads(note.read_text()))


def series(points: Mapping[str, list[Point]]) -> dict[str, float]:
    """Microseconds a query by series: ours and Seismic at each level, and the exact mode."""
    found = {f"vecrecall {level}": us_at(points["vecrecall"], level) for level in SHOWN}
    found[EXACT] = us_at(points[EXACT], SHOWN[-1])
    rivals = [name for name in points if name.startswith("Seismic")]
    for level in SHOWN if rivals else ():
        times = [us_at(points[name], level) for name in rivals]
        found[f"Seismic {level}"] = min((us for us in times if not math.isnan(us)), default=math.nan)
    return found


def measured(n: int, n_queries: int, n_rounds: int, with_seismic: bool, cache: Path | None) -> Size:
    """Generate, build and measure at one size."""
    with console.status(f"{n:,} documents"):
        data = generated(n, n_queries, f"learned-sparse:{n}")
        peers, build_s = ours(data)
        memory = sum(peers["vecrecall"][0].index.memory().values())
        builds = {"vecrecall": build_s}
        for parameters in SEISMIC_BUILDS if with_seismic else ():
            peer, build_s = kept(cache, data, parameters)
            peers[f"Seismic {parameters}"] = peer, SEISMIC
            builds["Seismic"] = min(build_s, builds.get("Seismic", math.inf))
        points = sweep(data, K, peers, n_rounds)
    return Size(n, series(points), memory, builds)


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
