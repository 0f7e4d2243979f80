"""What it costs to build in the caller's order and refine, beside a build of hnswlib.

    python -m bench.refining data/*.hdf5

Seconds on one thread, hnswlib and ours in turn: hnswlib's build at M=16 and ef_construction=128; ours, with the
defaults, in the order of the file (order="given") and its refine(); the same streamed in adds of 100 rows. The least of
the rounds, as a share of hnswlib's build too, and recall@10 at ef=40 before and after refining.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vecrecall as vr
from bench.data import Data, read_hdf5
from bench.judge import Judge
from bench.pin import pin_threads

M, EF_CONSTRUCTION, EF, K, STREAM = 16, 128, 40, 10, 100


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(seconds, what the work returns)."""
    before = time.perf_counter()
    result = work()
    return time.perf_counter() - before, result


def by_hnswlib(data: Data) -> Any:
    """hnswlib's graph, on one thread, since several insert in an order of their own."""
    import hnswlib

    index = hnswlib.Index("l2" if data.metric == "l2" else "ip", data.X.shape[1])
    index.init_index(len(data.X), M=M, ef_construction=EF_CONSTRUCTION, random_seed=1)
    index.add_items(data.X, num_threads=1)
    return index


def given(data: Data) -> vr.HNSW:
    """Ours, in one call."""
    return vr.HNSW.build(data.X, metric=data.metric, order="given", threads=1)


def streamed(data: Data) -> vr.HNSW:
    """Ours, in many small adds."""
    index = vr.HNSW.build(data.X[:STREAM], metric=data.metric, order="given", threads=1)
    for lo in range(STREAM, len(data.X), STREAM):
        index.add(data.X[lo : lo + STREAM], threads=1)
    return index


def recall_of(judge: Judge, ids: NDArray[Any]) -> float:
    """Mean recall of answers."""
    return float(judge.verdict(ids.astype(np.int64), None).recall.mean())


def measure(data: Data, rounds: int) -> None:
    """Print the table of one set."""
    judge = Judge(data, "all", K)
    seconds: dict[str, list[float]] = {}
    recall: dict[str, float] = {}

    def note(name: str, taken: float, index: vr.HNSW | None = None) -> None:
        seconds.setdefault(name, []).append(taken)
        if index is not None:
            recall[name] = recall_of(judge, index.search(data.Q, K, ef=EF, threads=1).ids)

    given(data).refine(threads=1)  # compiles
    for _ in range(rounds):
        taken, peer = timed(lambda: by_hnswlib(data))
        note("hnswlib", taken)
        peer.set_ef(EF)
        recall["hnswlib"] = recall_of(judge, peer.knn_query(data.Q, K, num_threads=1)[0])
        for name, build in (("given", given), ("streamed", streamed)):
            taken, index = timed(lambda build=build: build(data))
            note(name, taken, index)
            note(f"{name}, refine", timed(lambda index=index: index.refine(threads=1))[0], index)
    best = {name: min(taken) for name, taken in seconds.items()}
    print(f"\n## {data.name}: {len(data.X)} x {data.X.shape[1]} {data.metric}, {rounds} rounds\n")
    print("| | seconds | of hnswlib's build | recall@10 at ef=40 |\n|---|---|---|---|")
    for name, taken in best.items():
        print(f"| {name} | {taken:.1f} | {taken / best['hnswlib']:.3f} | {recall[name]:.4f} |")
    for name in ("given", "streamed"):
        both = best[name] + best[f"{name}, refine"]
        print(f"| {name}, together | {both:.1f} | {both / best['hnswlib']:.3f} | |", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args(arguments)
    pin_threads(1)
    for path in args.files:
        measure(read_hdf5(path, 2_000), args.rounds)


if __name__ == "__main__":
    main()
