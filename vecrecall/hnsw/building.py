"""The build: batches of new nodes choose links in a graph that stands still, then are linked back.

Deterministic for any number of threads: batches are cut by number, choices are made against the graph as it stood
before the batch, and each row of links is changed by one worker.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.insert import choose_links, write_rows
from vecrecall.hnsw.link_back import group_by_target, link_targets, measure_links
from vecrecall.hnsw.repair import Reach, repair
from vecrecall.hnsw.scratch import Scratch
from vecrecall.hnsw.textbook import insert_one_by_one
from vecrecall.hnsw.undo import Undo
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers
from vecrecall.vectors.encoding import QueryForms
from vecrecall.vectors.memory import aligned_zeros, grown
from vecrecall.vectors.walked import Copies, WalkedRows

GROWTH = 0.05  # a batch is this share of the graph ...
BATCH = 1024  # ... and at most this: each node also looks at the earlier nodes of its batch
FIRST_BATCH = 16
_SLICE = 64  # nodes a worker inserts between looks at the caller
_TARGETS = 1024  # rows a worker links back

Progress = Callable[[int], None]


class Workbench:
    """Working memory of a build or of adds: query forms of stored rows and the keys of their links.

    All of it can be had again from the index, so it is neither saved nor compared.
    """

    def __init__(self, forms: QueryForms, M: int) -> None:
        self.forms = forms
        self.link_keys = aligned_zeros((0, 2 * M), np.int32)
        self.upper_keys = aligned_zeros((0, M), np.int32)
        self.head = np.zeros(0, np.int32)

    def with_room(self, graph: Graph) -> None:
        """Grow to the capacity of a graph."""
        capacity = len(graph.links)
        self.forms = self.forms.grown(capacity)
        self.link_keys = grown(self.link_keys, capacity)
        self.upper_keys = grown(self.upper_keys, len(graph.upper))
        if len(self.head) < capacity:
            self.head = np.full(capacity, -1, np.int32)

    def keys(self, level: int) -> np.ndarray:
        """Link keys by row of a layer."""
        return self.link_keys if level == 0 else self.upper_keys

    def nbytes(self) -> int:
        arrays = (self.forms.forms, self.forms.bias, self.link_keys, self.upper_keys, self.head)
        return sum(a.nbytes for a in arrays)


class Chosen:
    """Links of a batch by node and layer, their keys, the numbers of links and of kept links; all int32."""

    def __init__(self, n_batch: int, n_layers: int, width: int) -> None:
        self.n_layers = n_layers
        self.links, self.keys = np.empty((2, n_batch, n_layers, width), np.int32)
        self.n_links, self.n_kept = np.zeros((2, n_batch, n_layers), np.int32)
        arrays = (self.links, self.keys, self.n_links, self.n_kept)
        self.view = (*map(address, arrays), n_layers)


class Builder:
    """Inserts nodes into the layers of one graph from ``lowest`` up; its arrays change in place."""

    def __init__(
        self, graph: Graph, walked: WalkedRows, bench: Workbench, undo: Undo, *, ef_construction: int, fill: bool,
        workers: Workers, lowest: int = 0,
    ) -> None:  # fmt: skip
        self.graph, self.walked, self.bench, self.undo = graph, walked, bench, undo
        self.ef, self.fill, self.workers, self.lowest = ef_construction, fill, workers, lowest
        bench.with_room(graph)
        forms = bench.forms
        self._forms = (address(forms.forms), forms.forms.strides[0], address(forms.bias))
        self._graph_view, self._rows_view = graph.view(), walked.view()
        self.idle: list[Scratch] = []

    def _layer_view(self, level: int) -> tuple[int, int, int]:
        """Addresses of a layer's link keys, numbers of links and of kept links."""
        _, n_links, n_kept = self.graph.layer(level)
        return (address(self.bench.keys(level)), address(n_links), address(n_kept))

    def scratch(self) -> Scratch:
        """Scratch for one worker; give it back to ``idle``."""
        with suppress(IndexError):  # empty, or another worker was faster
            return self.idle.pop()
        width = self.graph.links.shape[1]
        return Scratch(  # refining lists and holds what a search began at, too
            n_lanes=1, ef=self.ef + 2 * width, capacity=len(self.graph.links), width=4 * width, padded_dim=0,
            form_bytes=0, level_bytes=0,
        )  # fmt: skip

    def insert(self, slots: np.ndarray, progress: Progress) -> None:
        """Insert slots (int32) in this order, in batches."""
        n_before = self.graph.n - len(slots) if self.graph.top >= 0 else 0
        done = 0
        if self.graph.top < 0 and len(slots):
            self.graph.entry, self.graph.top = int(slots[0]), int(self.graph.levels[slots[0]])
            done = 1
        while done < len(slots):
            size = min(BATCH, max(FIRST_BATCH, int((n_before + done) * GROWTH)), len(slots) - done)
            self._insert_batch(np.ascontiguousarray(slots[done : done + size]))
            done += size
            progress(done)

    def _insert_batch(self, batch: np.ndarray) -> None:
        graph = self.graph
        levels = graph.levels[batch]
        chosen = Chosen(len(batch), int(levels.max()) + 1, graph.links.shape[1])
        self._choose(batch, chosen)
        self._write_rows(batch, chosen)
        for level in range(self.lowest, chosen.n_layers):
            self.link_back(batch, level)
        highest = int(np.argmax(levels))
        if levels[highest] > graph.top:  # only now: the batch is linked
            graph.entry, graph.top = int(batch[highest]), int(levels[highest])

    def _choose(self, batch: np.ndarray, chosen: Chosen) -> None:
        """Choose the links of a batch (int32)."""
        graph, copies = self.graph, Copies(self.walked, batch)
        batch_view, levels = (address(batch), copies.view, address(copies.listed)), address(graph.levels)

        def choose(lo: int, hi: int) -> None:
            scratch = self.scratch()
            choose_links(
                self._graph_view, self._rows_view, self._forms, batch_view, levels, lo, hi, graph.entry, graph.top,
                self.lowest, self.ef, self.fill, scratch.address, chosen.view,
            )  # fmt: skip
            self.idle.append(scratch)

        self.workers.run(choose, 0, len(batch), _SLICE)

    def _write_rows(self, batch: np.ndarray, chosen: Chosen) -> None:
        nodes, levels, base, upper = address(batch), address(self.graph.levels), *map(self._layer_view, (0, 1))

        def write(lo: int, hi: int) -> None:
            write_rows(self._graph_view, chosen.view, nodes, levels, lo, hi, self.lowest, base, upper)

        self.workers.run(write, 0, len(batch), BATCH)

    def link_back(self, batch: np.ndarray, level: int, *, linked: bool = False) -> None:
        """Offer the batch to the rows of the nodes it chose in a layer; ``linked``: some are linked to it already."""
        graph, width = self.graph, self.graph.links.shape[1]
        following, targets = np.empty((2, len(batch) * width), np.int32)
        nodes, head, layer = address(batch), address(self.bench.head), self._layer_view(level)
        chain, at = address(following), address(targets)
        n_targets = group_by_target(
            self._graph_view, nodes, address(graph.levels), len(batch), level, linked, layer, head, chain, at
        )
        self.undo.remember(targets[:n_targets], level)
        room = len(batch) + 16

        def link(lo: int, hi: int) -> None:
            scratch = np.empty(8 + room + 2 * (width + 8), np.int64)
            scratch[0] = room
            link_targets(
                self._graph_view, self._rows_view, self._forms, nodes, level, self.fill, at, lo, hi, head, chain,
                layer, address(scratch),
            )  # fmt: skip

        self.workers.run(link, 0, n_targets, _TARGETS)

    def insert_sequentially(self, slots: np.ndarray, progress: Progress) -> None:
        """Insert slots (int32) in this order, one by one (:mod:`vecrecall.hnsw.textbook`); not undone on failure."""
        graph, scratch = self.graph, self.scratch()
        for lo in range(0, len(slots), _SLICE):
            hi = min(lo + _SLICE, len(slots))
            graph.entry, graph.top = insert_one_by_one(
                self._graph_view, self._rows_view, self._forms, address(slots), address(graph.levels), lo, hi,
                graph.entry, graph.top, self.ef, self._layer_view(0), self._layer_view(1), scratch.address,
            )  # fmt: skip
            progress(hi)

    def measure(self, nodes: np.ndarray) -> None:
        """Measure the links of nodes (int32) again and put their rows in order."""
        nodes = np.ascontiguousarray(nodes, np.int32)
        for level in range(int(self.graph.levels[nodes].max(initial=0)) + 1):
            at = np.ascontiguousarray(nodes[self.graph.levels[nodes] >= level])
            self.undo.remember(at, level)
            layer = self._layer_view(level)

            def measure(lo: int, hi: int, at: np.ndarray = at, level: int = level, layer: tuple = layer) -> None:
                scratch = np.zeros(2 * (self.graph.links.shape[1] + 8), np.int32)
                measure_links(
                    self._graph_view, self._rows_view, self._forms, level, address(at), lo, hi, layer,
                    address(scratch),
                )  # fmt: skip

            self.workers.run(measure, 0, len(at), _TARGETS)

    def repair(self) -> int:
        """See to it that every node is reached from the entry; returns how many were not."""
        unreached = Reach(self.graph).unreached()
        if len(unreached):
            changed = repair(self.graph, self._near, lambda node: self.undo.remember(np.array([node]), 0))
            self.measure(changed)
        return len(unreached)

    def _near(self, slot: int) -> np.ndarray:
        """Slots near a slot, found from the entry."""
        batch = np.array([slot], np.int32)
        chosen = Chosen(1, int(self.graph.levels[slot]) + 1, self.graph.links.shape[1])
        self._choose(batch, chosen)
        return chosen.links[0, 0, : chosen.n_links[0, 0]]
