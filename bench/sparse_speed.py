"""Speed at equal recall of sparse engines: one process on one core, one thread, one query a call.

    python -m bench.sparse_speed data/wordnet-splade-docs.npz data/wordnet-splade-queries.npz
    python -m bench.sparse_speed --generate 200000
    python -m bench.sparse_speed DOCS.npz QUERIES.npz --peers seismic,kannolo,bmp,bm25s,scipy --cache /tmp/peers

The files are CSR as scipy.sparse.save_npz writes it. Settings are chosen on every second query and timed on the
others: of each engine's grid the Pareto front of the one half is measured on the other, and every figure printed
comes from there. A document counts when its exact score reaches the k-th best, so ties count. A setting's time is
the mean over the queries of the smallest that each took in the rounds, which take the engines in turn; the time at
a recall is interpolated (log time, linear in recall) between the settings of that engine.

vecrecall is asked through search() with a CSR row, Seismic and kannolo with arrays of columns and weights, the
fastest single-query calls that their packages offer. Build is processor time, on one thread.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.pin import pin_core, pin_threads
from bench.sparse_engines import PEERS, SparseEngine, ours
from bench.sparse_sets import SparseSet, generated_set, read_set
from bench.sparse_sweep import LEVELS, Point, front, sweep, us_at

PACKAGES = {"seismic": "pyseismic-lsr", "kannolo": "kannolo", "bmp": "bmp", "bm25s": "bm25s", "scipy": "scipy"}
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="DOCS.npz QUERIES.npz")
    parser.add_argument("--generate", type=int, metavar="N", help="a generated set of N documents in place of files")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--queries", type=int, default=400, help="half of them choose settings, half are timed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", default="seismic,scipy", help=f"of {','.join(PEERS)}; empty: none")
    parser.add_argument("--cache", type=Path, help="folder that keeps the peers' indexes for the next run")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures there too")
    args = parser.parse_args()
    unknown = [name for name in args.peers.split(",") if name and name not in PEERS]
    if unknown:
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    if (len(args.files) == 2) == (args.generate is not None) or len(args.files) not in (0, 2):
        parser.error("give the two files DOCS.npz QUERIES.npz, or --generate N")
    return args


def build_all(data: SparseSet, peers: Sequence[str], folder: Path) -> list[SparseEngine]:
    """Build ours, then the peers; a peer that is absent or fails is left out, and said."""
    engines = ours(data.docs, data.k, folder)
    for name in peers:
        for make in PEERS[name]:
            try:
                with console.status(f"building {name}"):
                    made = make(data.docs, data.k, folder)
                for engine in made:
                    query = engine.prepare(data.choosing.queries)[0]
                    engine.ids(engine.search(query, engine.parameters[0]))
            except Exception as error:
                console.print(f"{name}: left out ({type(error).__name__}: {str(error)[:200]})", markup=False)
                continue
            engines += made
    return engines


def folder_of(cache: Path, data: SparseSet) -> Path:
    """The folder of this very set in the cache."""
    entries = hashlib.sha256()
    for part in (data.docs.indptr, data.docs.indices, data.docs.data):
        entries.update(np.ascontiguousarray(part).view(np.uint8))
    folder = cache / f"{data.docs.shape[0]}-{entries.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def times_at(points: dict[str, list[Point]]) -> dict[str, list[float]]:
    """By engine, microseconds a query at each level."""
    return {name: [us_at(reached, level) for level in LEVELS] for name, reached in points.items()}


def ratios(at: dict[str, list[float]], engines: Sequence[SparseEngine]) -> dict[str, Any]:
    """How many times faster, smaller and cheaper ours is than the best Seismic build in each respect.

    A level that one of the two does not reach has NaN. Without Seismic, or without scipy, what needs it is left out.
    """
    rivals = [engine for engine in engines if engine.name.startswith("seismic")]
    mine = next(engine for engine in engines if engine.name == "vecrecall")
    exact = at["vecrecall, exact"][-1]
    found: dict[str, Any] = {}
    if rivals:
        best = [np.nanmin([at[r.name][i] for r in rivals] + [np.inf]) for i in range(len(LEVELS))]
        finite = [b if np.isfinite(b) else math.nan for b in best]
        found["faster"] = [b / own for b, own in zip(finite, at["vecrecall"])]
        found["file smaller"] = min(r.file_bytes or 0 for r in rivals) / (mine.file_bytes or math.nan)
        found["build cheaper"] = min(r.build_s or 0.0 for r in rivals) / (mine.build_s or math.nan)
        found["exact mode to Seismic at the first level"] = finite[0] / exact
    if "scipy" in at:
        found["exact mode to scipy"] = at["scipy"][0] / exact
    return found


def show_table(data: SparseSet, engines: Sequence[SparseEngine], points: dict[str, list[Point]]) -> None:
    """Print microseconds at the levels, sizes and builds."""
    table = Table("engine", *(f"us at {level}" for level in LEVELS), "file MB", "build CPU s", "build", title=str(data))
    for column in table.columns[1:-1]:
        column.justify = "right"
    at = times_at(points)
    for engine in engines:
        times = ("not reached" if math.isnan(us) else f"{us:,.1f}" for us in at[engine.name])
        size = "" if engine.file_bytes is None else f"{engine.file_bytes / 1e6:,.1f}"
        build = "" if engine.build_s is None else f"{engine.build_s:,.2f}"
        table.add_row(engine.name, *times, size, build, engine.setting)
    console.print(table)


def show_ratios(found: dict[str, Any]) -> None:
    """Print ours beside the best Seismic build, and the exact mode beside scipy."""
    if "faster" in found:
        times = ", ".join(f"{ratio:.2f}x at {level}" for ratio, level in zip(found["faster"], LEVELS))
        console.print(f"time of the faster Seismic build / ours: {times}")
        console.print(
            f"smallest Seismic file / ours: {found['file smaller']:.1f}x; cheapest Seismic build / ours: "
            f"{found['build cheaper']:.0f}x; Seismic at {LEVELS[0]} / exact mode: "
            f"{found['exact mode to Seismic at the first level']:.2f}x"
        )
    if "exact mode to scipy" in found:
        console.print(f"scipy / exact mode: {found['exact mode to scipy']:.1f}x")


def show_fronts(points: dict[str, list[Point]]) -> None:
    """Print every setting that was timed and is not beaten."""
    for name, reached in points.items():
        steps = "  ".join(f"{p.parameter}:{p.recall:.4f}/{p.us:.1f}us" for p in front(reached))
        console.print(f"{name}: {steps}", markup=False)


def packages(names: Sequence[str]) -> dict[str, str]:
    """Versions of what is compared."""
    found = {}
    for package in ["vecrecall", "numpy", "numba", *(PACKAGES[name] for name in names)]:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def as_json(
    data: SparseSet, engines: Sequence[SparseEngine], points: dict[str, list[Point]], peers: Sequence[str]
) -> dict[str, Any]:
    """Everything that is printed, and what it was measured on; NaN becomes null."""

    def number(value: float) -> float | None:
        return None if math.isnan(value) else value

    at = times_at(points)
    found = ratios(at, engines)
    return {
        "set": data.name,
        "documents": data.docs.shape[0],
        "non_zeros": int(data.docs.nnz),
        "queries_timed": data.timed.queries.shape[0],
        "k": data.k,
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": packages(peers),
        "engines": {
            engine.name: {
                "build": engine.setting,
                "build_cpu_s": engine.build_s,
                "file_bytes": engine.file_bytes,
                "us_at": {str(level): number(us) for level, us in zip(LEVELS, at[engine.name])},
                "points": [
                    {"parameter": p.parameter, "recall": p.recall, "us": p.us} for p in points[engine.name]
                ],
            }
            for engine in engines
        },
        "ratios": {k: [number(x) for x in v] if isinstance(v, list) else number(v) for k, v in found.items()},
    }


def measure(data: SparseSet, peers: Sequence[str], n_rounds: int, cache: Path | None) -> Any:
    """Build and sweep; (engines, what they reach by name)."""
    with tempfile.TemporaryDirectory() as scratch:
        engines = build_all(data, peers, folder_of(cache or Path(scratch), data))
        with console.status("measuring"):
            return engines, sweep(data, engines, n_rounds)


def main() -> None:
    """Measure one set."""
    args = arguments()
    pin_threads(1)
    pin_core()
    peers = [name for name in args.peers.split(",") if name]
    with console.status("reading the set and finding the exact answers"):
        if args.generate:
            data = generated_set(args.generate, args.queries, args.k)
        else:
            data = read_set(*args.files, args.queries, args.k)
    engines, points = measure(data, peers, args.rounds, args.cache)
    show_fronts(points)
    show_table(data, engines, points)
    show_ratios(ratios(times_at(points), engines))
    if args.json:
        args.json.write_text(json.dumps(as_json(data, engines, points, peers), indent=1) + "\n")


if __name__ == "__main__":
    main()
