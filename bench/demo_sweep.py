"""The demo's engines over their parameter: recall once, times in rounds that take the engines in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

K = 10


@dataclass
class Sweep:
    """An engine's answers over its parameters: recall and the best time of the rounds."""

    search: Callable[[NDArray, Any], NDArray]
    parameters: list[Any]
    recall: dict[Any, float] = field(default_factory=dict)
    best_s: dict[Any, float] = field(default_factory=dict)

    def measure_recall(self, Q: NDArray, recall: Callable[[NDArray], float]) -> None:
        """Measure recall at each parameter."""
        for parameter in self.parameters:
            self.recall[parameter] = recall(self.search(Q, parameter))

    def points(self, n_queries: int) -> list[tuple[float, float]]:
        """(recall, queries a second) of each parameter."""
        return [(self.recall[p], n_queries / self.best_s[p]) for p in self.parameters]


def time_in_turn(sweeps: Iterable[Sweep], Q: NDArray, n_rounds: int) -> None:
    """Time every parameter of every engine once a round, and keep the fastest of the rounds."""
    sweeps = list(sweeps)
    for _ in range(n_rounds):
        for sweep in sweeps:
            for parameter in sweep.parameters:
                before = time.perf_counter()
                sweep.search(Q, parameter)
                took = time.perf_counter() - before
                sweep.best_s[parameter] = min(sweep.best_s.get(parameter, np.inf), took)
