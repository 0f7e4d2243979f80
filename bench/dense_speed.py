"""Speed at equal recall of dense engines: one process, engines taken in turn.

    python -m bench.dense_speed data/*.hdf5                    queries a second at recall@10 0.90, 0.95, 0.99
    python -m bench.dense_speed --single data/*.hdf5           one call a query, ours and hnswlib
    python -m bench.dense_speed --memory data/*.hdf5           bytes of the index beside hnswlib's

A file is laid out as in ann-benchmarks (train, test, neighbors; attribute metric or distance). Every engine
answers all queries in one call (or one by one with --single). An id counts when its exact distance is not
larger than the tenth true one. Queries a second at a recall are interpolated on the Pareto front of an
engine's sweep, with the best time of the rounds, for all alike.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.engines import OURS, PEERS, Engine, make_engine
from bench.pin import pin_threads
from bench.results import qps_at
from bench.sets import Set, read_set
from bench.sweep import LEVELS, Clock, Sweep, time_in_turn


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ours", default="ours,ours-f32", help="which of ours")
    parser.add_argument(
        "--peers",
        default="hnswlib,faiss-hnsw-sq8,faiss-ivfpqfs,kannolo,kannolo-rq",
        help="also: faiss-hnsw, faiss-hnsw-sq8-16, usearch, svs-f16, svs-lvq (Intel only)",
    )
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of search timing a set")
    parser.add_argument(
        "--clock",
        default="wall",
        choices=("wall", "cpu"),
        help="cpu: processor time of this process, for one thread on a machine that others use too",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--single", action="store_true", help="one call a query")
    mode.add_argument("--memory", action="store_true", help="bytes by part, nothing timed but the builds")
    return parser.parse_args()


def build_all(data: Set, names: list[str], threads: int, clock: Clock) -> dict[str, Engine]:
    """Build the engines one after another; who is absent or fails is left out, and said."""
    engines: dict[str, Engine] = {}
    for name in names:
        try:
            engine = make_engine(name, data.X, data.metric, threads, clock)
            engine.search(data.Q[:8], engine.parameters[0])
        except Exception as error:
            if name in OURS:
                raise
            print(f"{name}: left out ({type(error).__name__}: {str(error)[:200]})", flush=True)
            continue
        engines[name] = engine
        cost = f"build {engine.cost.s:7.1f} s   memory +{engine.cost.mib:.0f} MiB"
        print(f"{name:18s} {cost}   {engine.setting}", flush=True)
    return engines


def one_by_one(engine: Engine) -> Engine:
    """The same engine, asked with one call a query."""

    def search(Q: NDArray, parameter: object) -> NDArray:
        return np.stack([np.asarray(engine.search(q, parameter)).reshape(-1) for q in Q])

    return Engine(engine.cost, search, engine.parameters, engine.index, engine.setting)


def sweep_all(
    data: Set, engines: dict[str, Engine], args: argparse.Namespace, clock: Clock
) -> dict[str, Sweep]:
    """Recall of every parameter once, then rounds over those between recall 0.84 and 0.996."""
    sweeps = {name: Sweep(engine.search, engine.parameters) for name, engine in engines.items()}
    for sweep in sweeps.values():
        sweep.measure_recall(data.Q, data.truth.recall, enough=0.996)
        sweep.keep_band(low=0.84, below=0.90)
    before = time.perf_counter()
    n_rounds = time_in_turn(sweeps, data.Q, n_rounds=args.rounds, clock=clock, budget_s=args.budget)
    print(f"({n_rounds} rounds, {time.perf_counter() - before:.0f} s)")
    return sweeps


def print_speed(data: Set, engines: dict[str, Engine], sweeps: dict[str, Sweep]) -> None:
    """Print the sweeps of ours and hnswlib, the table, and how many times faster ours is."""
    n = len(data.Q)
    for name in (name for name in sweeps if name in OURS or name == "hnswlib"):
        s = sweeps[name]
        print(
            f"{name} sweep:",
            *(f"{p}:{s.recall[p]:.4f}/{n / s.best_s[p]:.0f}" for p in s.parameters),
            sep="  ",
        )
    speeds = {name: [qps_at(s.points(n), level) for level in LEVELS] for name, s in sweeps.items()}
    print("\n| engine | build s | MiB |", *(f"QPS@{level:.2f} |" for level in LEVELS))
    print("|---|---|---|" + "---|" * len(LEVELS))
    for name, row in speeds.items():
        cost = engines[name].cost
        print(f"| {name} | {cost.s:.1f} | {cost.mib:.0f} |", *(f"{qps:.0f} |" for qps in row))
    print()
    for mine in (name for name in speeds if name in OURS):
        print_ratios(mine, speeds, engines)


def print_ratios(mine: str, speeds: dict[str, list[float]], engines: dict[str, Engine]) -> None:
    """Print how many times faster one of ours is than hnswlib and than the best of the others."""
    if "hnswlib" in speeds:
        ratios = "  ".join(f"{o / h:.2f}" for o, h in zip(speeds[mine], speeds["hnswlib"]))
        builds = engines["hnswlib"].cost.s / engines[mine].cost.s
        print(f"{mine} / hnswlib: {ratios}    build hnswlib / {mine}: {builds:.2f}")
    others = [name for name in speeds if name not in OURS and name != "hnswlib"]
    for label, pool in (("best peer", others), ("best peer graph", [n for n in others if "ivf" not in n])):
        if pool:
            row = []
            for i, speed in enumerate(speeds[mine]):
                best = max(pool, key=lambda name: np.nan_to_num(speeds[name][i], nan=-1.0))
                row.append(f"{speed / speeds[best][i]:.2f} ({best})")
            print(f"{mine} / {label}:", "  ".join(row), flush=True)


def print_call_overhead() -> None:
    """Print what a call costs outside the kernel: one query to an index of one row."""
    import vecrecall as vr

    q = np.ones(128, np.float32)
    index = vr.HNSW.build(q[None])
    index.search(q, 1, threads=1)
    best = np.inf
    for _ in range(20):
        before = time.perf_counter()
        for _ in range(500):
            index.search(q, 1, threads=1)
        best = min(best, time.perf_counter() - before)
    print(f"\none call to an index of one row, 128 dimensions: {best / 500 * 1e6:.1f} microseconds")


def print_memory(data: Set, engines: dict[str, Engine]) -> None:
    """Print bytes by part; hnswlib's are those of its file, which is its memory."""
    theirs = engines["hnswlib"].index.index_file_size() if "hnswlib" in engines else None
    print("\n| engine | part | MiB | bytes a row | of hnswlib |")
    print("|---|---|---|---|---|")

    def row(name: str, part: str, n_bytes: int) -> None:
        share = f"{n_bytes / theirs:.2f}" if theirs else "-"
        print(f"| {name} | {part} | {n_bytes / 2**20:.1f} | {n_bytes / len(data.X):.0f} | {share} |")

    for name in (name for name in engines if name in OURS):
        parts = engines[name].index.memory()
        for part, n_bytes in parts.items():
            row(name, part, n_bytes)
        total = sum(n for part, n in parts.items() if part != "total")
        row(name, "all without the kept rows", total - parts.get("rows", 0))
        row(name, "all", total)
    if theirs:
        row("hnswlib", "all", theirs)


def measure(path: Path, args: argparse.Namespace) -> None:
    """Measure one set in the mode asked for."""
    clock = time.process_time if args.clock == "cpu" else time.perf_counter
    data = read_set(path, args.queries)
    calls = ", one call a query" if args.single else ""
    print(
        f"\n## {data.name}: {len(data.X)} x {data.X.shape[1]} {data.metric}, {len(data.Q)} queries{calls}, ",
        end="",
    )
    print(f"{args.threads} thread(s)", flush=True)
    peers = ["hnswlib"] if args.single or args.memory else args.peers.split(",")
    names = [name for name in [*args.ours.split(","), *peers] if name]
    engines = build_all(data, names, args.threads, clock)
    if args.memory:
        print_memory(data, engines)
        return
    if args.single:
        engines = {name: one_by_one(engine) for name, engine in engines.items()}
    print_speed(data, engines, sweep_all(data, engines, args, clock))
    if args.single:
        print_call_overhead()


def main() -> None:
    """Measure every set."""
    args = arguments()
    unknown = [n for n in [*args.ours.split(","), *args.peers.split(",")] if n and n not in {**OURS, **PEERS}]
    if unknown:
        sys.exit(f"no engine {', '.join(unknown)}; there are {', '.join([*OURS, *PEERS])}")
    pin_threads(args.threads)
    for path in args.files:
        measure(path, args)


if __name__ == "__main__":
    main()
