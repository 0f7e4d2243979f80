"""Choose settings of sparse engines on one half of the queries, time them on the other, one query a call.

The time of a setting is the mean over the queries of the smallest time that each took in the rounds. Rounds take the
engines in turn, so a machine that is busy for a while is busy for all of them.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.courses import never, time_each
from bench.results import pareto_front, qps_at
from bench.sparse_engines import SparseEngine
from bench.sparse_sets import Half, SparseSet

LEVELS = (0.95, 0.97, 0.99)
LOWEST = 0.90  # settings below are of no interest, but for the best of them
CHOOSING_ROUNDS = 3


@dataclass
class Point:
    """What one setting of an engine reached."""

    recall: float
    us: float  # a query
    parameter: Any


@dataclass
class Course:
    """An engine's settings run over the queries of one half."""

    engine: SparseEngine
    parameters: list[Any]
    half: Half
    queries: list[Any] = field(init=False)
    best_ns: dict[int, NDArray[np.int64]] = field(init=False)
    recall: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self.queries = self.engine.prepare(self.half.queries)
        self.best_ns = {}
        self.recall = {}

    def measure_recall(self) -> None:
        """Answer all queries once at each setting."""
        for number, parameter in enumerate(self.parameters):
            answers = [self.engine.ids(self.engine.search(query, parameter)) for query in self.queries]
            self.recall[number] = self.half.truth.recall(answers)

    def run(self, number: int) -> None:
        """Time every query once at a setting."""
        best = self.best_ns.setdefault(number, never(len(self.queries)))
        time_each(lambda query: self.engine.search(query, self.parameters[number]), self.queries, best)

    def points(self) -> list[Point]:
        """Recall and time of each setting that was timed."""
        return [
            Point(self.recall[number], float(best.mean()) / 1e3, self.parameters[number])
            for number, best in self.best_ns.items()
        ]


def time_in_turn(courses: Sequence[Course], n_rounds: int, lowest: float = 0.0) -> None:
    """Time the settings of every engine once a round; those whose recall is under `lowest` only if all are."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(n_rounds):
            for course in courses:
                least = min(lowest, max(course.recall.values()))
                for number in range(len(course.parameters)):
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


def sweep(data: SparseSet, engines: Sequence[SparseEngine], n_rounds: int) -> dict[str, list[Point]]:
    """Choose each engine's settings on one half of the queries; by name, what they reach on the other half."""
    choosing = [Course(engine, engine.parameters, data.choosing) for engine in engines]
    for course in choosing:
        course.measure_recall()
    time_in_turn(choosing, CHOOSING_ROUNDS, lowest=LOWEST - 0.05)
    timed = [
        Course(course.engine, [point.parameter for point in worth_timing(course.points())], data.timed)
        for course in choosing
    ]
    for course in timed:
        course.measure_recall()
    time_in_turn(timed, n_rounds)
    return {course.engine.name: course.points() for course in timed}
