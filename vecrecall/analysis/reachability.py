"""Which nodes of a graph links lead to: from its entry, from wherever a search can enter, from each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from vecrecall.analysis.degrees import links_in_use
from vecrecall.hnsw.content import Content
from vecrecall.hnsw.graph import Graph

Slots = NDArray[np.int64]
_TILE = 65_536  # nodes whose links are followed at a time


@dataclass(frozen=True, eq=False)
class Reachability:
    """What links lead to.

    Attributes
    ----------
    hops : ndarray of int32, shape (n,)
        Least number of links of the base layer on a way from the graph's entry; -1 where there is no way.
    unreached_from_entry : ndarray of int64
        Slots without such a way.
    entries : ndarray of int64
        Slots that a search can enter the base layer at (:func:`entered_slots`).
    unreachable : ndarray of int64
        Slots that no way leads to from any of those: no search finds them, at whatever ``ef``.
    """

    hops: NDArray[np.int32]
    unreached_from_entry: Slots
    entries: Slots
    unreachable: Slots

    @classmethod
    def of(cls, content: Content) -> Reachability:
        graph = content.graph
        links, entries = graph.links[: graph.n], entered_slots(content)
        hops = hops_from(links, np.array([graph.entry]))
        return cls(hops, np.flatnonzero(hops < 0), entries, np.flatnonzero(hops_from(links, entries) < 0))

    @property
    def hops_mean(self) -> float:
        """Over the nodes that there is a way to, the entry included."""
        return float(self.hops[self.hops >= 0].mean())

    @property
    def hops_max(self) -> int:
        return int(self.hops.max())


def hops_from(links: NDArray[np.int32], starts: NDArray[np.integer]) -> NDArray[np.int32]:
    """Least number of links from the nearest of some nodes, breadth-first; -1 where no way leads.

    Parameters
    ----------
    links : ndarray of int32, shape (n, width)
        Where the links of each node lead; a place that is not used holds the node itself.
    starts : ndarray of int

    Returns
    -------
    ndarray of int32, shape (n,)

    Examples
    --------
    >>> hops_from(np.array([[1, 0], [2, 1], [2, 2], [0, 3]], np.int32), np.array([0]))
    array([ 0,  1,  2, -1], dtype=int32)
    """
    hops = np.full(len(links), -1, np.int32)
    hops[starts] = 0
    nodes, n_hops = np.unique(starts), 0
    while len(nodes):
        n_hops, found = n_hops + 1, []
        for lo in range(0, len(nodes), _TILE):
            others = links[nodes[lo : lo + _TILE]].reshape(-1)
            found.append(np.unique(others[hops[others] < 0]))
            hops[found[-1]] = n_hops
        nodes = np.concatenate(found)
    return hops


def entered_slots(content: Content) -> Slots:
    """Slots that a search can enter the base layer at: the entries of the index, or wherever a descent may end.

    A descent goes from the entry by links of the upper layers. Where it ends depends on the query; these are all nodes
    of layer 1 that it has a way to, or the entry alone where there are no upper layers.
    """
    if content.entries is not None:
        return np.unique(content.entries.slots).astype(np.int64)
    graph, reached = content.graph, np.array([content.graph.entry])
    for level in range(graph.top, 0, -1):
        reached = _reached_in_layer(graph, reached, level)
    return reached.astype(np.int64)


def _reached_in_layer(graph: Graph, starts: Slots, level: int) -> Slots:
    """Nodes that links of an upper layer lead to from some of its nodes, those included; ascending."""
    seen = np.zeros(graph.n, bool)
    seen[starts] = True
    nodes = starts
    while len(nodes):
        others = np.unique(graph.upper[graph.rows_of(nodes, level)])  # unused places hold the node itself
        nodes = others[~seen[others]]
        seen[nodes] = True
    return np.flatnonzero(seen)


def components(graph: Graph) -> tuple[Slots, Slots]:
    """Sizes of the (weakly, strongly) connected components of the base layer, the largest first.

    Weakly: there is a way if links may be taken backwards too. Strongly: there is one from each to each.
    """
    ends = np.concatenate([[0], np.cumsum(graph.n_links[: graph.n], dtype=np.int64)])
    links = links_in_use(graph)
    matrix = csr_array((np.ones(len(links), np.int8), links, ends), shape=(graph.n, graph.n))
    sizes = [
        np.sort(np.bincount(connected_components(matrix, connection=connection)[1]))[::-1]
        for connection in ("weak", "strong")
    ]
    return sizes[0], sizes[1]
