"""After a build every vector is reached from the entry by links of the base layer.

A breadth-first tree says what is reached. A link that is not of the tree can be given to an unreached node without
cutting anything off, so one pass suffices and no repair undoes another.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.reach import reach_from
from vecrecall.kernels.memory import address


class Reach:
    """The breadth-first tree of the base layer from the entry: ``parents`` by slot, -1 where not reached."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._queue = np.empty(graph.n, np.int32)
        self.parents = np.full(graph.n, -1, np.int32)
        if graph.n:
            self.parents[graph.entry] = graph.entry
            self.extend(graph.entry)

    def extend(self, start: int) -> None:
        """Reach on from a node that has a parent."""
        reach_from(self._graph.view(), start, address(self.parents), address(self._queue))

    def unreached(self) -> np.ndarray:
        """Slots that are not reached, ascending."""
        return np.flatnonzero(self.parents < 0).astype(np.int32)


def repair(graph: Graph, near: Callable[[int], np.ndarray], change: Callable[[int], None]) -> np.ndarray:
    """Give each unreached node a link from a reached node near it; returns the nodes whose rows changed.

    Parameters
    ----------
    near : callable
        Slots near a slot, nearest first, found from the entry (so they are reached).
    change : callable
        Called with a node before its row changes.
    """
    reach = Reach(graph)
    changed = []
    for node in reach.unreached():
        if reach.parents[node] >= 0:  # reached since, through another one
            continue
        own = graph.links[node, : graph.n_links[node]]
        for candidates in (own, near(int(node)), np.arange(graph.n, dtype=np.int32)):
            giver = _giver(graph, reach.parents, candidates, int(node))
            if giver is not None:
                break
        assert giver is not None  # n nodes have n - 1 tree links in n rows of 2 M places
        source, place = giver
        change(source)
        graph.links[source, place] = node
        graph.n_links[source] = max(graph.n_links[source], place + 1)
        reach.parents[node] = source
        reach.extend(int(node))
        changed.append(source)
    return np.unique(np.array(changed, np.int32))


def _giver(graph: Graph, parents: np.ndarray, candidates: np.ndarray, node: int) -> tuple[int, int] | None:
    """(a reached candidate, a place in its row that can be given away): a free place, else the last non-tree link."""
    for source in candidates[(parents[candidates] >= 0) & (candidates != node)]:
        n = int(graph.n_links[source])
        if n < graph.links.shape[1]:
            return int(source), n
        spare = np.flatnonzero(parents[graph.links[source]] != source)
        if len(spare):
            return int(source), int(spare[-1])
    return None
