"""Recall of the graph itself: the textbook build beside hnswlib's, and batches beside the textbook.

    python -m bench.dense_recall data/*.hdf5

Two tables a set. Recall@10 by ef of hnswlib and of schedule="sequential", both on float32 with equal M,
ef_construction and order of insertion. Then recall@10 at equal evaluations (distances taken in the walk, upper layers
and entries included): the textbook build, schedule="parallel" with all else equal, and the default build, which takes
its distances on codes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vecrecall as vr
from bench.data import Data, read_hdf5
from bench.judge import Judge

K = 10
EFS = (10, 14, 20, 28, 40, 57, 80, 113, 160, 226, 320)
PLAIN = {"M": 16, "ef_construction": 200, "storage": "f32"}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=2_000)
    return parser.parse_args()


def built(data: Data, **parameters: Any) -> vr.HNSW:
    """Build and say how long it took."""
    before = time.perf_counter()
    index = vr.HNSW.build(data.X, metric=data.metric, **parameters)
    print(f"({time.perf_counter() - before:.0f} s for {parameters or 'the default'})", flush=True)
    return index


def by_hnswlib(data: Data, judge: Judge) -> list[float]:
    """hnswlib's recall by ef; empty where it is not installed."""
    try:
        import hnswlib
    except ImportError:
        print("hnswlib: left out (not installed)")
        return []
    index = hnswlib.Index("l2" if data.metric == "l2" else "ip", data.X.shape[1])
    index.init_index(len(data.X), M=PLAIN["M"], ef_construction=PLAIN["ef_construction"], random_seed=1)
    index.add_items(data.X, num_threads=1)  # several would insert in an order of their own
    recalls = []
    for ef in EFS:
        index.set_ef(ef)
        recalls.append(recall_of(judge, index.knn_query(data.Q, K)[0]))
    return recalls


def recall_of(judge: Judge, ids: NDArray) -> float:
    return float(judge.verdict(ids.astype(np.int64), None).recall.mean())


def by_ef(data: Data, judge: Judge, index: vr.HNSW) -> tuple[list[float], list[float]]:
    """(recall, mean evaluations a query) by ef."""
    hits = [index.search(data.Q, K, ef=ef) for ef in EFS]
    return [recall_of(judge, h.ids) for h in hits], [float(np.mean(h.evals)) for h in hits]


def measure(data: Data) -> None:
    """Print both tables of one set."""
    print(f"\n## {data.name}: {len(data.X)} x {data.X.shape[1]} {data.metric}, {len(data.Q)} queries", flush=True)
    judge = Judge(data, "all", K)
    theirs = by_hnswlib(data, judge)
    textbook = by_ef(data, judge, built(data, **PLAIN, schedule="sequential", order="given"))
    batches = by_ef(data, judge, built(data, **PLAIN, fill=False))
    default = by_ef(data, judge, built(data))
    print("\n| ef |", *(f"{ef} |" for ef in EFS))
    print("|---|" + "---|" * len(EFS))
    if theirs:
        print("| hnswlib |", *(f"{recall:.4f} |" for recall in theirs))
    print("| sequential |", *(f"{recall:.4f} |" for recall in textbook[0]))
    levels = textbook[1]
    print("\n| evaluations |", *(f"{level:.0f} |" for level in levels))
    print("|---|" + "---|" * len(levels))
    for name, (recalls, evals) in {"sequential": textbook, "parallel": batches, "default": default}.items():
        at = np.interp(levels, evals, recalls, left=np.nan, right=np.nan)
        print(f"| {name} |", *("- |" if np.isnan(recall) else f"{recall:.4f} |" for recall in at), flush=True)


def main() -> None:
    """Measure every set."""
    args = arguments()
    for path in args.files:
        measure(read_hdf5(path, args.queries))


if __name__ == "__main__":
    main()
