"""An engine whose answers and costs can be computed by hand: it sees the first rows of an order only."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecrecall.hits import Hits


def seen(order: np.ndarray, ef: int) -> np.ndarray:
    """The rows that a search with an ef compares: the more, the greater it is."""
    return order[: min(len(order), 20 + 4 * ef)]


def nearest_of(X: np.ndarray, Q: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """The k nearest of some rows, (q, k)."""
    distances = ((Q[:, None].astype(np.float64) - X[rows][None].astype(np.float64)) ** 2).sum(axis=-1)
    return rows[np.argsort(distances, axis=1, kind="stable")[:, :k]]


class Walked:
    """What the study walks: the same answers, and what they cost."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def search(self, Q: np.ndarray, k: int = 10, *, ef: int | None = None, threads: int | None = None) -> Hits:
        ids = self._graph.search(Q, k, int(ef or 10))
        evals = np.full(len(Q), len(seen(self._graph.order, int(ef or 10))))
        return Hits(ids, np.zeros(ids.shape, np.float32), evals, "l2")


class Graph:
    def __init__(self, X: np.ndarray, order: np.ndarray, walks: bool) -> None:
        self.X, self.order = X, order
        self.index = Walked(self) if walks else None

    def search(self, Q: np.ndarray, k: int, ef: int) -> np.ndarray:
        return nearest_of(self.X, Q, seen(self.order, ef), k)


class FirstRows:
    """Engine "first-rows"; remembers what it built, and can be told to be interrupted before a build."""

    def __init__(self, name: str = "first-rows", *, interrupted_at: int | None = None, walks: bool = True) -> None:
        self.name, self.interrupted_at, self.walks = name, interrupted_at, walks
        self.built: list[tuple[bytes, int, int, int]] = []

    def build(
        self, X: np.ndarray, order: np.ndarray, *, metric: str, M: int, ef_construction: int, seed: int, threads: int
    ) -> Any:
        if len(self.built) == self.interrupted_at:
            raise KeyboardInterrupt
        self.built.append((order.tobytes(), seed, M, ef_construction))
        return Graph(X, order, self.walks)
