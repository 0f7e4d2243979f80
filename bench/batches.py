"""Speed at equal recall by the number of queries in a call: which engine serves which batch.

    python -m bench.batches data/*.hdf5                                  batches of 1 to 10,000, one thread
    python -m bench.batches --rows 3000 10000 30000 --batch 1 1000 FILE  the same over the first rows of a set
    python -m bench.batches --plot choosing.png data/*.hdf5              and a picture of it

Every peer is tuned alike: all settings of its grid answer every second query in one call once; the three fastest that
reach the recall are then timed on the others at each size of batch, peers taken in turn, and the best of the rounds
counts. A call of more queries than there are repeats them, moved by a thousandth of their spread. Recall is what
bench.judge says it is.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer, Wanted
from bench.data import Data, first_rows, read_hdf5
from bench.judge import Judge
from bench.peers import peer_class
from bench.pin import pin_threads
from bench.results import LEVELS
from bench.tasks import product
from bench.worker import N_WARM, padded

K = 10
EFS = {"ef": [10, 12, 14, 17, 20, 24, 28, 34, 40, 50, 64, 80, 100, 128, 160, 200, 280, 400]}
PROBES = [2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256]
LISTS = {"nprobe": PROBES, "k_factor": [1, 1.5, 2, 3, 4, 6, 10, 16]}
# name on the command line: peer, build, grid of the search
ENGINES: dict[str, tuple[str, dict[str, Any], dict[str, list[Any]]]] = {
    "ours-ivf": ("vecrecall IVF", {}, {"nprobe": PROBES, "rerank": [11, 13, 16, 20, 28, 40, 60, 90]}),
    "ours": ("vecrecall HNSW", {}, EFS),
    "exact": ("vecrecall Exact", {}, {}),
    "hnswlib": ("hnswlib", {"M": 16, "ef_construction": 200}, EFS),
    **{
        f"faiss-ivf{n}-{dims}": ("faiss IVF-PQ", {"n_lists": n, "dims": dims}, LISTS)
        for n in (256, 512, 1024) for dims in (2, 4)
    },
}  # fmt: skip
USUAL = "ours-ivf,ours,hnswlib,faiss-ivf256-4,faiss-ivf256-2,faiss-ivf512-4,faiss-ivf512-2"
LABELS = {"faiss IVF-PQ": "faiss IVF-PQ fast scan"}
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


@dataclass
class Engine:
    """A built peer and the settings that it is tried at."""

    peer: Peer
    settings: list[dict[str, Any]]

    def search(self, Q: NDArray, setting: dict[str, Any]) -> Any:
        """The peer's own answer to a call: that for one query, or for many."""
        self.peer.set(**setting)
        return self.peer.ask_one(self.peer.forms(Q)[0]) if len(Q) == 1 else self.peer.ask_batch(self.peer.batch_form(Q))

    def ids(self, Q: NDArray, setting: dict[str, Any]) -> NDArray[np.int64]:
        """Rows found, (q, K)."""
        ids, _ = self.peer.answers(self.search(Q, setting))
        return padded([(row, None) for row in ids], K)[0]


def family(name: str) -> str:
    """Variants of one peer that differ in how they are built count as one: the best of them."""
    return ENGINES[name][0]


def build_all(data: Data, names: list[str], threads: int) -> dict[str, Engine]:
    """Build the peers one after another; who is absent or fails is left out, and said."""
    engines: dict[str, Engine] = {}
    for name in names:
        peer_name, build, grid = ENGINES[name]
        kind, wanted = peer_class(peer_name), Wanted(data.metric, K, threads)
        try:
            if kind.ours:  # compiled outside the clock
                small = Engine(kind(wanted), [])
                small.peer.build(data.X[:N_WARM], **build)
                for Q in (data.Q[:8], data.Q[:1]):
                    small.search(Q, {})
            peer = kind(wanted)
            before = time.perf_counter()
            peer.build(data.X, **build)
        except Exception as error:
            if kind.ours:
                raise
            print(f"{name}: left out ({type(error).__name__}: {str(error)[:200]})", flush=True)
            continue
        engines[name] = Engine(peer, settings_for(peer, grid))
        print(f"{name:18s} build {time.perf_counter() - before:7.1f} s", flush=True)
    return engines


def settings_for(peer: Peer, grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of a grid; of an inverted file of ours no more lists can be probed than it has."""
    if peer.ours and "nprobe" in grid:
        grid = {**grid, "nprobe": [n for n in grid["nprobe"] if n <= peer.index.n_lists] or [1]}
    return list(product(grid))


def tune(data: Data, engines: dict[str, Engine]) -> dict[tuple[str, float], list[tuple[str, Any]]]:
    """By family and recall the settings (engine, setting) that reach it fastest."""
    judge = Judge(data, "choosing", K)
    tried: dict[str, list[tuple[float, float, str, Any]]] = {}
    for name, engine in engines.items():
        for setting in engine.settings:
            before = time.perf_counter()
            ids = engine.ids(judge.Q, setting)
            took = time.perf_counter() - before
            recall = float(judge.verdict(ids, None).recall.mean())
            tried.setdefault(family(name), []).append((took, recall, name, setting))
    return {
        (name, level): [(n, p) for _, recall, n, p in sorted(points, key=lambda x: x[0]) if recall >= level][:TRIED]
        for name, points in tried.items()
        for level in LEVELS
    }


def queries_of(data: Data, batch: int) -> NDArray:
    """Queries for calls of a size."""
    timed = np.ascontiguousarray(data.half("timed")[0])
    if batch <= len(timed):
        return timed
    rng = np.random.default_rng(0)
    Q = np.tile(timed, (-(-batch // len(timed)), 1))[:batch]
    moved = rng.standard_normal(Q[len(timed) :].shape).astype(np.float32)
    Q[len(timed) :] += moved * np.float32(timed.std() * 1e-3)
    return Q


def speed(engine: Engine, parameter: Any, Q: NDArray, batch: int) -> float:
    """Queries a second in calls of a size."""
    n = max(batch, min(len(Q), CALLS) // batch * batch)
    peer = engine.peer
    peer.set(**parameter)
    parts = (Q[lo : lo + batch] for lo in range(0, n, batch))
    forms = peer.forms(Q[:n]) if batch == 1 else [peer.batch_form(part) for part in parts]
    ask = peer.ask_one if batch == 1 else peer.ask_batch
    before = time.perf_counter()
    for form in forms:
        ask(form)
    return n / (time.perf_counter() - before)


def measure(data: Data, names: list[str], batches: list[int], rounds: int, threads: int) -> list[Row]:
    """Build, tune and time the engines on one set."""
    print(f"\n## {data.name}: {len(data.X):,} x {data.X.shape[1]} {data.metric}, {threads} thread(s)", flush=True)
    engines = build_all(data, names, threads)
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
            width = 2.5 if engine.startswith("vecrecall") else 1.2
            axes.loglog(*zip(*points), marker="o", label=LABELS.get(engine, engine), linewidth=width)
        axes.set(title=name, xlabel="queries in a call")
        axes.grid(alpha=0.3)
    panels[0][0].set_ylabel(f"queries a second at recall@10 {SHOWN}")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)  # over no curve
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 10, 100, 1_000, 10_000])
    parser.add_argument("--rows", type=int, nargs="+", help="use only the first so many rows")
    parser.add_argument("--engines", default=USUAL, help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queries", type=int, default=2_000, help="half choose settings, half are timed")
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    names = args.engines.split(",")
    if unknown := [name for name in names if name not in ENGINES]:
        parser.error(f"no engine {', '.join(unknown)}; there are {', '.join(ENGINES)}")
    pin_threads(args.threads)
    rows: list[Row] = []
    for path in args.files:
        data = read_hdf5(path, args.queries)
        for part in [first_rows(data, n, data.name) for n in args.rows] if args.rows else [data]:
            rows += measure(part, names, args.batch, args.rounds, args.threads)
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    main()
