"""What a run found out, as the report and the tables take it: one `Built` an index, one `Point` a setting of it.

`bench.judge` makes these out of a record file; nothing here was said by a peer about its own recall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEVELS = (0.90, 0.95, 0.99)


@dataclass(frozen=True)
class Faults:
    """What is wrong with the ids and distances that a peer returned; counts of places over all timed queries."""

    missing: int = 0  # places that hold -1 or were not returned, though k rows exist
    out_of_range: int = 0  # ids that no row has
    duplicates: int = 0  # ids that an answer repeats
    changed: int = 0  # places that held another id in a later round than in the first
    wrong_distances: int = 0  # distances that differ from the exact ones; 0 where it returns none
    distance_error: float = 0.0  # mean relative error of the distances that it returned

    def __str__(self) -> str:
        counts = {
            "missing": self.missing, "out of range": self.out_of_range, "repeated": self.duplicates,
            "changed": self.changed, "wrong distances": self.wrong_distances,
        }  # fmt: skip
        return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


@dataclass(frozen=True)
class Point:
    """One setting of one index, on the queries that no setting was chosen on."""

    setting: dict[str, Any]  # such as {"ef": 40}
    recall: float  # recall@k by distance, ties counted, mean over the queries
    recall_low: float  # bootstrap interval of 95 %
    recall_high: float
    qps: dict[str, float]  # by mode: "batch" (one call with all queries), "single" (one call a query)
    rounds: dict[str, list[float]]  # by mode, queries a second of each round
    latency_us: dict[str, float] = field(default_factory=dict)  # of one-query calls: "mean", "p50", "p95", "p99"
    faults: Faults = Faults()


@dataclass(frozen=True)
class Built:
    """One index of one peer on one data set; or why there is none."""

    data: str  # name of the data set
    peer: str  # such as "hnswlib", "vecrecall HNSW"
    build: dict[str, Any]  # parameters, such as {"M": 16}
    version: str = ""
    ours: bool = False  # whether it is one of vecrecall's
    exact: bool = False
    problem: str = ""  # why it was left out or broke off; empty if all went well
    import_s: float = float("nan")
    compile_s: float = float("nan")  # what its first use took beyond the second: compiling or reading a cache
    build_s: float = float("nan")  # wall clock
    build_cpu_s: float = float("nan")
    resident_mib: float = float("nan")  # what the process grew by
    file_mib: float = float("nan")  # what it saves
    points: tuple[Point, ...] = ()


@dataclass(frozen=True)
class DataFacts:
    """A data set as it was measured."""

    name: str
    n: int
    dim: int
    metric: str
    k: int
    n_choosing: int  # queries that settings were chosen on
    n_timed: int  # others, that were timed
    sparse: bool = False
    source: str = ""


@dataclass(frozen=True)
class Results:
    """Everything of a record file."""

    task: str
    data: tuple[DataFacts, ...]
    built: tuple[Built, ...]
    machine: dict[str, str]  # processor, cores, memory, system, Python and library versions
    command: str
    finished: bool  # False for a run that was interrupted and can be continued


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of points (recall, speed) those that no other beats in both, recall rising."""
    front: list[tuple[float, float]] = []
    for recall, qps in sorted(points, key=lambda point: (-point[0], -point[1])):
        if not front or qps > front[-1][1]:
            front.append((recall, qps))
    return front[::-1]


def qps_at(points: Sequence[tuple[float, float]], level: float) -> float:
    """Queries a second at a recall, log-linear on the Pareto front; NaN where the recall is never reached."""
    before = None
    for recall, qps in pareto_front(points):
        if recall >= level:
            if before is None:
                return qps
            weight = (level - before[0]) / (recall - before[0])
            return float(np.exp((1 - weight) * np.log(before[1]) + weight * np.log(qps)))
        before = (recall, qps)
    return float("nan")
