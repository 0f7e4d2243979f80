"""Speed at equal recall by the number of queries in a call: which engine serves which batch.

    python -m bench.batches data/*.hdf5                                  batches of 1 to 10,000, one thread
    python -m bench.batches --rows 3000 10000 30000 --batch 1 1000 FILE  the same over the first rows of a set
    python -m bench.batches --plot choosing.png data/*.hdf5              and a picture of it

Every engine is tuned alike: all settings of its grid answer all queries in one call once; the three fastest that reach
the recall are then timed at each size of batch, engines taken in turn, and the best of the rounds counts. A call of
more queries than a file has repeats them, moved by a thousandth of their spread. What is counted as recall:
bench.dense_speed says.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vecrecall as vr
from bench.dense_speed import build_all
from bench.engines import Engine
from bench.pin import pin_threads
from bench.sets import Set, read_set
from bench.sweep import LEVELS, K
from bench.truth import Truth

ENGINES = "ours-ivf,ours,hnswlib,faiss-ivf256-4,faiss-ivf256-2,faiss-ivf512-4,faiss-ivf512-2"
LABELS = {
    "ours-ivf": "vecrecall IVF", "ours": "vecrecall HNSW", "exact": "vecrecall Exact",
    "faiss-ivfpqfs": "faiss IVF-PQ fast scan",
}  # fmt: skip
TRIED = 3  # settings of an engine that are timed again
CALLS = 1_000  # queries that small batches are timed with, together
SHOWN = 0.95  # recall that the picture is drawn at


@dataclass
class Row:
    """One line of the table: speeds (queries a second) by engine at one recall and size of batch."""

    set: str
    n: int
    level: float
    batch: int
    speeds: dict[str, float]


def family(name: str) -> str:
    """Variants of one engine that differ in how they are built count as one: the best of them."""
    return "faiss-ivfpqfs" if name.startswith("faiss-ivf") else name


def first_rows(data: Set, n: int) -> Set:
    """The first n rows of a set, with neighbours found exactly."""
    X = np.ascontiguousarray(data.X[:n])
    hits = vr.Exact.build(X, metric=data.metric).search(data.Q, K)
    return Set(data.name, X, data.Q, data.metric, Truth(X, data.Q, hits.ids, data.metric))


def tune(data: Set, engines: dict[str, Engine]) -> dict[tuple[str, float], list[tuple[str, Any]]]:
    """By family and recall the settings (engine, parameter) that reach it fastest."""
    tried: dict[str, list[tuple[float, float, str, Any]]] = {}
    for name, engine in engines.items():
        for parameter in engine.parameters:
            before = time.perf_counter()
            ids = engine.search(data.Q, parameter)
            took = time.perf_counter() - before
            tried.setdefault(family(name), []).append((took, data.truth.recall(ids), name, parameter))
    return {
        (name, level): [(n, p) for _, recall, n, p in sorted(points, key=lambda x: x[0]) if recall >= level][:TRIED]
        for name, points in tried.items()
        for level in LEVELS
    }


def queries_of(data: Set, batch: int) -> NDArray:
    """Queries for calls of a size."""
    if batch <= len(data.Q):
        return data.Q
    rng = np.random.default_rng(0)
    Q = np.tile(data.Q, (-(-batch // len(data.Q)), 1))[:batch]
    moved = rng.standard_normal(Q[len(data.Q) :].shape).astype(np.float32)
    Q[len(data.Q) :] += moved * np.float32(data.Q.std() * 1e-3)
    return Q


def speed(engine: Engine, parameter: Any, Q: NDArray, batch: int) -> float:
    """Queries a second in calls of a size."""
    n = max(batch, min(len(Q), CALLS) // batch * batch)
    before = time.perf_counter()
    for lo in range(0, n, batch):
        engine.search(Q[lo : lo + batch], parameter)
    return n / (time.perf_counter() - before)


def measure(data: Set, names: list[str], batches: list[int], rounds: int, threads: int) -> list[Row]:
    """Build, tune and time the engines on one set."""
    print(f"\n## {data.name}: {len(data.X):,} x {data.X.shape[1]} {data.metric}, {threads} thread(s)", flush=True)
    engines = build_all(data, names, threads, time.perf_counter)
    chosen = tune(data, engines)
    rows = []
    for batch in batches:
        Q = queries_of(data, batch)
        settings = {(name, repr(p)): (name, p) for found in chosen.values() for name, p in found}
        best = dict.fromkeys(settings, 0.0)
        for _ in range(rounds):
            for key, (name, parameter) in settings.items():
                best[key] = max(best[key], speed(engines[name], parameter, Q, batch))
        for level in LEVELS:
            speeds = {
                name: max(best[engine, repr(p)] for engine, p in found)
                for (name, at), found in chosen.items()
                if at == level and found
            }
            rows.append(Row(data.name, len(data.X), level, batch, speeds))
    print_table(rows)
    return rows


def print_table(rows: list[Row]) -> None:
    """Queries a second by batch and engine, a table for all recalls."""
    names = list(dict.fromkeys(name for row in rows for name in row.speeds))
    print("\n| recall@10 | batch |", *(f"{LABELS.get(name, name)} |" for name in names))
    print("|---|---|" + "---|" * len(names))
    for row in sorted(rows, key=lambda row: (row.level, row.batch)):
        cells = (f"{row.speeds[name]:,.0f} |" if name in row.speeds else "not reached |" for name in names)
        print(f"| {row.level:.2f} | {row.batch:,} |", *cells)


def plot(rows: list[Row], path: Path) -> None:
    """Draw queries a second by size of batch at recall 0.95, a panel a set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    sets = list(dict.fromkeys(row.set for row in rows))
    figure, panels = plt.subplots(1, len(sets), figsize=(4.2 * len(sets), 4), layout="constrained", squeeze=False)
    for axes, name in zip(panels[0], sets):
        own = [row for row in rows if row.set == name and row.level == SHOWN]
        for engine in dict.fromkeys(engine for row in own for engine in row.speeds):
            points = [(row.batch, row.speeds[engine]) for row in own if engine in row.speeds]
            width = 2.5 if engine.startswith("ours") else 1.2
            axes.loglog(*zip(*points), marker="o", label=LABELS.get(engine, engine), linewidth=width)
        axes.set(title=name.removesuffix(".hdf5"), xlabel="queries in a call")
        axes.grid(alpha=0.3)
    panels[0][0].set_ylabel(f"queries a second at recall@10 {SHOWN}")
    panels[0][-1].legend(fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 10, 100, 1_000, 10_000])
    parser.add_argument("--rows", type=int, nargs="+", help="use only the first so many rows")
    parser.add_argument("--engines", default=ENGINES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    pin_threads(args.threads)
    rows: list[Row] = []
    for path in args.files:
        data = read_set(path, args.queries)
        for part in [first_rows(data, n) for n in args.rows] if args.rows else [data]:
            rows += measure(part, args.engines.split(","), args.batch, args.rounds, args.threads)
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    main()
