"""Neighbour lists as another library holds them, and the graph of this library that is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vecrecall.hnsw.graph import Graph


class Unsound(Exception):
    """What is wrong with somebody's index; whoever reads it adds where it came from."""


class OfAnotherSpace(Unsound):
    """The index may be sound, but is not of the metric that it was said to be of."""


@dataclass(frozen=True, eq=False)
class Lists:
    """The neighbour lists of all layers.

    What stands in a row behind its links means nothing: hnswlib leaves old numbers there, faiss -1.

    Attributes
    ----------
    base : ndarray of int, shape (n, width)
        Neighbours in the base layer.
    n_base : ndarray of int, shape (n,)
        How many there are.
    levels : ndarray of int32, shape (n,)
        Highest layer of each node; 0 is the base layer.
    upper : ndarray of int, shape (levels.sum(), width)
        Neighbours in layers 1 to ``levels[i]`` of node i, node after node.
    n_upper : ndarray of int, shape (levels.sum(),)
    entry : int
        Where a search begins; -1 where there are no nodes.
    top : int
        The highest layer; -1 where there are no nodes.
    """

    base: NDArray[Any]
    n_base: NDArray[Any]
    levels: NDArray[np.int32]
    upper: NDArray[Any]
    n_upper: NDArray[Any]
    entry: int
    top: int

    def owners(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The node and the layer that each row of ``upper`` belongs to."""
        owners = np.repeat(np.arange(len(self.levels)), self.levels)
        firsts = np.cumsum(self.levels, dtype=np.int64) - self.levels
        return owners, np.arange(len(owners)) - firsts[owners] + 1

    def check(self) -> None:
        """Raise Unsound with the first thing that no walk over these lists would survive."""
        n = len(self.base)
        if n == 0:
            if (self.entry, self.top) != (-1, -1):
                raise Unsound(f"there are no nodes, but node {self.entry} is the entry, on layer {self.top}")
            return
        highest = int(self.levels.max())
        if not 0 <= self.entry < n:
            raise Unsound(f"the entry is node {self.entry}, expected one of 0..{n - 1}")
        if not self.levels[self.entry] == self.top == highest:
            raise Unsound(
                f"the entry, node {self.entry}, stands on layer {self.levels[self.entry]} and the highest node on "
                f"{highest}, expected both on {self.top}"
            )
        self._check_layer("base layer", self.base, self.n_base, np.arange(n), None)
        self._check_layer("upper layers", self.upper, self.n_upper, *self.owners())

    def _check_layer(
        self, name: str, rows: NDArray[Any], counts: NDArray[Any], owners: NDArray[np.int64],
        layers: NDArray[np.int64] | None,
    ) -> None:  # fmt: skip
        n, width = len(self.base), rows.shape[1]
        long = np.flatnonzero(counts > width)
        if len(long):
            raise Unsound(
                f"{name}: node {owners[long[0]]} has {counts[long[0]]} neighbours, expected at most {width}"
            )
        used = np.arange(width) < counts[:, None]
        _refuse(name, "expected a node below " + str(n), rows, owners, used & ((rows < 0) | (rows >= n)))
        _refuse(name, "the node itself", rows, owners, used & (rows == owners[:, None]))
        if layers is not None:
            reached = self.levels[np.where(used, rows, 0)] >= layers[:, None]
            _refuse(name, "which does not stand so high", rows, owners, used & ~reached)

    def graph(self, M: int) -> Graph:
        """Return these lists as a graph, links in their order.

        Layers above `vecrecall.hnsw.graph.MAX_LEVEL` are left out. A neighbour that stands twice in a list (it costs a
        search nothing, and leads it nowhere) is taken once.
        """
        from vecrecall.hnsw.graph import MAX_LEVEL, Graph

        n = len(self.base)
        if n >= 2**31:
            raise ValueError(f"the index holds {n} vectors, expected less than 2**31; split it")
        levels = np.minimum(self.levels, MAX_LEVEL).astype(np.int32)
        graph = Graph.empty(M).with_room(levels)
        owners, layers = self.owners()
        kept = layers <= MAX_LEVEL
        for into, n_links, n_kept, rows, counts in (
            (graph.links, graph.n_links, graph.n_kept, self.base, self.n_base),
            (graph.upper, graph.n_upper_links, graph.n_upper_kept, self.upper[kept], self.n_upper[kept]),
        ):
            packed, n_packed = _packed(rows, counts)
            used = np.arange(packed.shape[1]) < n_packed[:, None]
            np.copyto(into[: len(rows), : packed.shape[1]], packed, where=used, casting="unsafe")
            n_links[: len(rows)] = n_kept[: len(rows)] = n_packed
        graph.entry, graph.top = max(self.entry, 0), min(self.top, MAX_LEVEL)
        return graph


def _refuse(name: str, why: str, rows: NDArray[Any], owners: NDArray[np.int64], wrong: NDArray[np.bool_]) -> None:
    at = np.flatnonzero(wrong.any(axis=1))
    if len(at):
        neighbour = rows[at[0]][wrong[at[0]]][0]
        raise Unsound(f"{name}: node {owners[at[0]]} is linked to {neighbour}, {why}")


def _packed(rows: NDArray[Any], counts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and counts in which no neighbour stands twice."""
    width = rows.shape[1]
    places = np.arange(width)
    alone = np.where(places < counts[:, None], rows.astype(np.int64), -1 - places)  # unused places differ by row
    ordered = np.sort(alone, axis=1)
    at = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if not len(at):
        return rows, counts
    order = np.argsort(alone[at], axis=1, kind="stable")
    ordered = np.take_along_axis(alone[at], order, axis=1)
    first = np.ones(ordered.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    kept = np.empty_like(first)
    np.put_along_axis(kept, order, first, axis=1)
    kept &= places < counts[at, None]
    packed, n_packed = rows.astype(np.int64), counts.astype(np.int64)
    packed[at] = np.take_along_axis(packed[at], np.argsort(~kept, axis=1, kind="stable"), axis=1)
    n_packed[at] = kept.sum(axis=1)
    return packed, n_packed
