"""What an ``add`` changed in rows that were there before, so that a failed call leaves the index as it was."""

from __future__ import annotations

import numpy as np

from vecrecall.hnsw.graph import Graph


class Undo:
    """Old rows of links, each remembered once, at its first change."""

    def __init__(self, graph: Graph, n: int, n_upper: int) -> None:
        self._graph = graph
        self._known = (np.zeros(n, bool), np.zeros(n_upper, bool))
        self._old: list[tuple[int, np.ndarray, tuple[np.ndarray, ...]]] = []

    def remember(self, nodes: np.ndarray, level: int) -> None:
        """Keep the links of nodes in a layer before they change."""
        rows = self._graph.rows_of(nodes, level)
        known = self._known[level > 0]
        rows = rows[rows < len(known)]
        rows = rows[~known[rows]]
        known[rows] = True
        if len(rows):
            self._old.append((level, rows, tuple(array[rows] for array in self._graph.layer(level))))

    def remember_all(self) -> None:
        """Keep all old rows, where it is not known beforehand which will change."""
        for level, known in enumerate(self._known):
            rows = np.arange(len(known))
            self._old.append((level, rows, tuple(array[rows] for array in self._graph.layer(level))))
            known[:] = True

    def restore(self) -> None:
        """Put the old rows back."""
        for level, rows, old in self._old:
            for array, values in zip(self._graph.layer(level), old, strict=True):
                array[rows] = values
