"""After a build every vector is reached from the entry by links of the base layer.

A breadth-first tree says what is reached. A link that is not of the tree can be given to an unreached node without
cutting anything off, so one pass suffices and no repair undoes another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.reach import reach_from
from vecrecall.kernels.memory import address


class Reach:
    """The breadth-first tree of the base layer from the entry: ``parents`` by slot, -1 where not reached."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._queue = np.empty(graph.n + graph.links.shape[1] + 16, np.int32)
        self._seen = np.zeros(graph.n // 64 + 1, np.int64)
        self.parents = np.full(graph.n, -1, np.int32)
        self._n_queued = 0
        if graph.n:
            self.parents[graph.entry] = graph.entry
            self._n_queued = self.extend(graph.entry)

    def extend(self, start: int) -> int:
        """Reach on from a node that has a parent; returns how many are reached, it among them."""
        return int(
            reach_from(self._graph.view(), start, address(self.parents), address(self._queue), address(self._seen))
        )

    def order(self) -> np.ndarray:
        """All slots, int32: as they were reached from the entry, then those that were not; before it is extended."""
        return np.append(self._queue[: self._n_queued], self.unreached())

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
    mended: dict[int, int] = {}  # by the nearest link: copies of one row are chained, one giving to the next
    for node in reach.unreached():
        if reach.parents[node] >= 0:  # reached since, through another one
            continue
        own = graph.links[node, : graph.n_links[node]]
        nearest = int(own[0]) if len(own) else -1
        sibling = [mended[nearest]] if nearest in mended else []
        for candidates in _candidates(np.array(sibling, np.int32), own, near, int(node), graph.n):
            giver = _giver(graph, reach.parents, candidates, int(node))
            if giver is not None:
                break
        mended[nearest] = int(node)
        assert giver is not None  # n nodes have n - 1 tree links in n rows of 2 M places
        source, place = giver
        change(source)
        graph.links[source, place] = node
        graph.n_links[source] = max(graph.n_links[source], place + 1)
        reach.parents[node] = source
        reach.extend(int(node))
        changed.append(source)
    return np.unique(np.array(changed, np.int32))


def _candidates(
    sibling: np.ndarray, own: np.ndarray, near: Callable[[int], np.ndarray], node: int, n: int
) -> Iterator[np.ndarray]:
    """Who may give a link to a node, the likeliest first; the dear ways are only gone when asked for."""
    yield sibling
    yield own
    yield near(node)
    yield np.arange(n, dtype=np.int32)


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
