"""Sweep an engine's search parameter: recall once, times in rounds that take the engines in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

K = 10
LEVELS = (0.90, 0.95, 0.99)
Clock = Callable[[], float]


@dataclass
class Sweep:
    """An engine's answers over its parameters: recall and the best time of the rounds."""

    search: Callable[[NDArray, Any], NDArray]
    parameters: list[Any]
    recall: dict[Any, float] = field(default_factory=dict)
    best_s: dict[Any, float] = field(default_factory=dict)

    def measure_recall(self, Q: NDArray, recall: Callable[[NDArray], float], enough: float = 1.0) -> None:
        """Measure recall at each parameter; a plain (one number) sweep ends once it is above `enough`."""
        for parameter in self.parameters:
            self.recall[parameter] = recall(self.search(Q, parameter))
            if self.recall[parameter] > enough and not isinstance(parameter, tuple):
                break
        self.parameters = list(self.recall)

    def keep_band(self, low: float, below: float) -> None:
        """Keep the parameters whose recall is at least `low`, and the last one under `below`."""
        under = [p for p in self.parameters if self.recall[p] < below]
        self.parameters = [p for p in self.parameters if self.recall[p] >= low or p in under[-1:]]

    def points(self, n_queries: int) -> list[tuple[float, float]]:
        """(recall, queries a second) of each timed parameter."""
        return [(self.recall[p], n_queries / self.best_s[p]) for p in self.parameters]


def time_in_turn(
    sweeps: Mapping[str, Sweep],
    Q: NDArray,
    *,
    n_rounds: int,
    clock: Clock = time.perf_counter,
    budget_s: float = np.inf,
) -> int:
    """Time every parameter of every engine once a round, at least two rounds; returns how many there were."""
    started = time.perf_counter()
    for n_done in range(1, n_rounds + 1):
        for sweep in sweeps.values():
            for parameter in sweep.parameters:
                before = clock()
                sweep.search(Q, parameter)
                took = clock() - before
                sweep.best_s[parameter] = min(sweep.best_s.get(parameter, np.inf), took)
        # the next round would pass the budget
        if n_done > 1 and (time.perf_counter() - started) * (n_done + 1) / n_done > budget_s:
            break
    return n_done
