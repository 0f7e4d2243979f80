"""Refining: what a build would decide on the rows that there are now, decided anew over the graph that there is.

A node that came early chose among few, and one that opened a group of its own among the wrong ones; codes were trained
on what had come by then. Here rows are coded anew and the upper layers built anew in a random order. Then every node of
the base layer is searched for in the graph as it is, all of it standing still: nodes choose by themselves, for any
number of threads the same. At last they are linked back, and what the entry does not reach is reconnected.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vecrecall.hnsw.building import BATCH, Builder, Progress, Workbench
from vecrecall.hnsw.coding import Coding
from vecrecall.hnsw.content import Content
from vecrecall.hnsw.entries import choose_entries
from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.order import random_order
from vecrecall.hnsw.parameters import Parameters
from vecrecall.hnsw.refine import refine_links
from vecrecall.hnsw.repair import Reach
from vecrecall.hnsw.training import Take
from vecrecall.hnsw.undo import Undo
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers
from vecrecall.vectors.memory import aligned_zeros
from vecrecall.vectors.spaces import Space, row_lengths
from vecrecall.vectors.walked import FloatRows

_SLICE = 64  # nodes a worker chooses for between looks at the caller
_TILE = 4096  # rows whose lengths are taken at a time


class Refining:
    """One call that refines the graph of a content, which must have one; the content stays as it is."""

    def __init__(
        self, old: Content, parameters: Parameters, ef: int | None, workers: Workers, progress: Progress
    ) -> None:
        self._parameters, self._workers, self._progress = parameters, workers, progress
        self.content, self.bench = self._coded_anew(old)
        self._ef = max(2 * parameters.M, self.content.ef_construction) if ef is None else ef

    def run(self) -> tuple[Content, Workbench]:
        """The refined content, and the workbench for adds to it."""
        content = self.content
        assert content.walked is not None
        graph = self._linked_anew(self._with_upper_layers_anew())
        builder = self._builder(graph, self._ef)
        order = random_order(self._parameters.seed, np.arange(graph.n, dtype=np.int32))
        for lo in range(0, graph.n, BATCH):
            builder.link_back(np.ascontiguousarray(order[lo : lo + BATCH]), 0, linked=True)
        builder.repair()
        entries = None
        if self._parameters.schedule != "sequential" and content.space.metric != "ip":
            entries = choose_entries(content.walked, self.bench.forms, graph.n, graph.entry)
        return replace(content, graph=graph, entries=entries), self.bench

    def _coded_anew(self, old: Content) -> tuple[Content, Workbench]:
        """The content with what its rows say now about codes and ef_construction, and query forms of all rows."""
        parameters, kept = self._parameters, old.kept
        walked, ef_construction, n_decided = old.walked, old.ef_construction, old.n_decided
        assert walked is not None
        if kept is not None and parameters.coded:
            coding, space = Coding(kept.take, old.n, parameters, self._workers), _space_anew(old, kept.take)
            if parameters.ef_construction is None:
                ef_construction, n_decided = coding.sample(space).ef_construction(), old.n
            chosen = coding.chosen(space)
            if not (isinstance(chosen, FloatRows) and isinstance(walked, FloatRows)):
                walked = chosen.with_room(old.n)
                bench = Workbench(walked.no_forms().grown(old.n), parameters.M)
                coding.write(walked, bench.forms)
                content = replace(
                    old, space=space, walked=walked, ef_construction=ef_construction, n_decided=n_decided, n_since=0,
                    error_since=0.0, entries=None,
                )  # fmt: skip
                return content, bench
        bench = Workbench(walked.no_forms().grown(old.n), parameters.M)
        walked.recall_forms(bench.forms)
        return replace(old, ef_construction=ef_construction, n_decided=n_decided), bench

    def _builder(self, graph: Graph, ef: int, lowest: int = 0) -> Builder:
        """Changes a graph of the walked rows; there is nothing to be undone, since the old one is not touched."""
        assert self.content.walked is not None
        return Builder(
            graph, self.content.walked, self.bench, Undo(graph, 0, 0), ef_construction=ef, fill=self._parameters.fill,
            workers=self._workers, lowest=lowest,
        )  # fmt: skip

    def _with_upper_layers_anew(self) -> Graph:
        """The old graph, its upper layers built anew in a random order; the base layer is shared."""
        graph = self.content.graph
        owners = np.repeat(np.arange(graph.n, dtype=np.int32), graph.levels[: graph.n])
        upper = aligned_zeros(graph.upper.shape, np.int32)
        upper[: graph.n_upper] = owners[:, None]
        n_links, n_kept = np.zeros((2, len(upper)), np.int32)
        nodes = np.unique(owners)
        graph = replace(
            graph, upper=upper, n_upper_links=n_links, n_upper_kept=n_kept, top=-1 if len(nodes) else graph.top
        )
        self._builder(graph, self.content.ef_construction, lowest=1).insert(
            random_order(self._parameters.seed, nodes), lambda done: None
        )
        return graph

    def _linked_anew(self, graph: Graph) -> Graph:
        """A graph whose base layer holds what every node chose in that of a graph."""
        assert self.content.walked is not None
        forms, builder = self.bench.forms, self._builder(graph, self._ef)
        links, (n_links, n_kept) = aligned_zeros(graph.links.shape, np.int32), np.zeros((2, len(graph.links)), np.int32)
        chosen = tuple(map(address, (links, self.bench.link_keys, n_links, n_kept)))
        forms_view = (address(forms.forms), forms.forms.strides[0], address(forms.bias))
        counts, graph_view, rows_view = address(graph.n_links), graph.view(), self.content.walked.view()
        entry, top, ef, fill = graph.entry, graph.top, self._ef, self._parameters.fill
        nodes = Reach(graph).order()  # neighbours one after another: what one walks over is there for the next
        listed = address(nodes)

        def choose(lo: int, hi: int) -> None:
            scratch = builder.scratch()
            refine_links(
                graph_view, rows_view, forms_view, counts, listed, lo, hi, entry, top, ef, fill, scratch.address,
                chosen,
            )  # fmt: skip
            builder.idle.append(scratch)

        for lo in range(0, graph.n, 16 * BATCH):
            hi = min(lo + 16 * BATCH, graph.n)
            self._workers.run(choose, lo, hi, _SLICE)
            self._progress(hi)
        return replace(graph, links=links, n_links=n_links, n_kept=n_kept)


def _space_anew(old: Content, take: Take) -> Space:
    """The space of a content; under ip with the limit that the rows have now."""
    if old.space.metric != "ip":
        return old.space
    starts = range(0, old.n, _TILE)
    return replace(
        old.space, limit=max(float(row_lengths(take(slice(lo, min(lo + _TILE, old.n)))).max()) for lo in starts)
    )
