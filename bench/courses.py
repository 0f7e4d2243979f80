"""Peers of this process run over their settings: chosen on one half of the queries, timed on the other, one a call.

`bench.run` does the same for many peers, each in a process of its own; here the peers are few, and the set is generated
anew for each run. The time of a setting is the mean over the queries of the smallest time that each took in the rounds,
which take the peers in turn.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer
from bench.data import Data
from bench.judge import Judge
from bench.results import pareto_front, qps_at
from bench.worker import padded

LOWEST = 0.90  # settings below are of no interest, but for the best of them
CHOOSING_ROUNDS = 3
Settings = Sequence[dict[str, Any]]


@dataclass
class Point:
    """What one setting of a peer reached."""

    recall: float
    us: float  # a query
    setting: dict[str, Any]


def never(n_queries: int) -> NDArray[np.int64]:
    """Times of queries that were not timed yet."""
    return np.full(n_queries, np.iinfo(np.int64).max)


def time_each(search: Callable[[Any], Any], queries: Sequence[Any], best_ns: NDArray[np.int64]) -> None:
    """Ask every query once, each a call, and keep the time of those that were faster than before."""
    clock = time.perf_counter_ns
    for i, query in enumerate(queries):
        before = clock()
        search(query)
        took = clock() - before
        if took < best_ns[i]:
            best_ns[i] = took


@dataclass
class Course:
    """A peer's settings run over the queries of one half."""

    peer: Peer
    settings: Settings
    judge: Judge
    queries: list[Any] = field(init=False)
    best_ns: dict[int, NDArray[np.int64]] = field(init=False)
    recall: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self.queries = self.peer.forms(self.judge.Q)
        self.best_ns = {}
        self.recall = {}

    def measure_recall(self) -> None:
        """Answer all queries once at each setting."""
        for number, setting in enumerate(self.settings):
            self.peer.set(**setting)
            answers = [self.peer.answers(self.peer.ask_one(query)) for query in self.queries]
            verdict = self.judge.verdict(*padded(answers, self.judge.k))
            self.recall[number] = float(verdict.recall.mean())

    def run(self, number: int) -> None:
        """Time every query once at a setting."""
        self.peer.set(**self.settings[number])
        best = self.best_ns.setdefault(number, never(len(self.queries)))
        time_each(self.peer.ask_one, self.queries, best)

    def points(self) -> list[Point]:
        """Recall and time of each setting that was timed."""
        return [
            Point(self.recall[number], float(best.mean()) / 1e3, self.settings[number])
            for number, best in self.best_ns.items()
        ]


def time_in_turn(courses: Sequence[Course], n_rounds: int, lowest: float = 0.0) -> None:
    """Time the settings of every peer once a round; those whose recall is under `lowest` only if all are."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(n_rounds):
            for course in courses:
                least = min(lowest, max(course.recall.values()))
                for number in range(len(course.settings)):
                    if course.recall[number] >= least:
                        course.run(number)
    finally:
        gc.enable()


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both recall and time, recall rising."""
    by_speed = {(point.recall, 1 / point.us): point for point in points}
    return [by_speed[pair] for pair in pareto_front(list(by_speed))]


def worth_timing(points: Sequence[Point], lowest: float = LOWEST) -> list[Point]:
    """The front from the last point under `lowest` on."""
    whole = front(points)
    n_under = sum(point.recall < lowest for point in whole)
    return whole[max(0, n_under - 1) :]


def us_at(points: Sequence[Point], level: float) -> float:
    """Microseconds a query at a recall: log time, linear in recall on the front; NaN where it is never reached."""
    return 1 / qps_at([(point.recall, 1 / point.us) for point in points], level)


def sweep(data: Data, k: int, peers: Mapping[str, tuple[Peer, Settings]], n_rounds: int) -> dict[str, list[Point]]:
    """Choose each peer's settings on one half of the queries; by name, what they reach on the other half."""
    judges = {which: Judge(data, which, k) for which in ("choosing", "timed")}
    choosing = [Course(peer, settings, judges["choosing"]) for peer, settings in peers.values()]
    for course in choosing:
        course.measure_recall()
    time_in_turn(choosing, CHOOSING_ROUNDS, lowest=LOWEST - 0.05)
    timed = [
        Course(course.peer, [point.setting for point in worth_timing(course.points())], judges["timed"])
        for course in choosing
    ]
    for course in timed:
        course.measure_recall()
    time_in_turn(timed, n_rounds)
    return {name: course.points() for name, course in zip(peers, timed)}
