"""Refining: the links of every node chosen anew in the finished graph, so that the order of insertion shapes it less.

A node that came early chose among few, and one that opened a group of its own among the wrong ones. Here the upper
layers are built anew in a random order, then every node of the base layer is searched for in the graph as it is, all of
it standing still: nodes choose by themselves, for any number of threads the same. Then they are linked back, and what
the entry does not reach is reconnected.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vecrecall.hnsw.building import BATCH, Builder, Progress, Workbench
from vecrecall.hnsw.content import Content
from vecrecall.hnsw.entries import choose_entries
from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.order import random_order
from vecrecall.hnsw.parameters import Parameters
from vecrecall.hnsw.refine import refine_links
from vecrecall.hnsw.undo import Undo
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers
from vecrecall.vectors.encoding import QueryForms
from vecrecall.vectors.memory import aligned_zeros
from vecrecall.vectors.walked import CodedRows, WalkedRows

_SLICE = 64  # nodes a worker chooses for between looks at the caller
_TILE = 4096  # rows whose forms are made at a time


def refined(
    old: Content, parameters: Parameters, ef: int, workers: Workers, progress: Progress
) -> tuple[Content, Workbench]:
    """A content of the same rows with another graph, and the workbench for adds to it; the old one stays as it is.

    The graph of ``old`` must not be empty. ``ef``: candidates held in the search for each node.
    """
    walked, n = old.walked, old.n
    assert walked is not None
    bench = Workbench(_forms(old, walked, workers), parameters.M)
    graph = _with_upper_layers_anew(old, walked, bench, parameters, workers)
    links, n_links, n_kept = aligned_zeros(graph.links.shape, np.int32), *np.zeros((2, len(graph.links)), np.int32)
    bench.with_room(graph)
    forms = bench.forms
    forms_view = (address(forms.forms), forms.forms.strides[0], address(forms.bias))
    chosen = tuple(map(address, (links, bench.link_keys, n_links, n_kept)))
    builder = Builder(
        graph, walked, bench, Undo(graph, 0, 0), ef_construction=ef, fill=parameters.fill, workers=workers
    )
    counts, graph_view, rows_view = address(graph.n_links), graph.view(), walked.view()
    entry, top = graph.entry, graph.top

    def choose(lo: int, hi: int) -> None:
        scratch = builder.scratch()
        refine_links(
            graph_view, rows_view, forms_view, counts, lo, hi, entry, top, ef, parameters.fill,
            scratch.address, chosen,
        )  # fmt: skip
        builder.idle.append(scratch)

    for lo in range(0, n, 16 * BATCH):
        hi = min(lo + 16 * BATCH, n)
        workers.run(choose, lo, hi, _SLICE)
        progress(hi)
    graph = replace(graph, links=links, n_links=n_links, n_kept=n_kept)
    builder = Builder(
        graph, walked, bench, Undo(graph, 0, 0), ef_construction=ef, fill=parameters.fill, workers=workers
    )
    order = random_order(parameters.seed, np.arange(n, dtype=np.int32))
    for lo in range(0, n, BATCH):
        builder.link_back(np.ascontiguousarray(order[lo : lo + BATCH]), 0, linked=True)
    builder.repair()
    entries = None
    if parameters.schedule != "sequential" and old.space.metric != "ip":
        entries = choose_entries(walked, bench.forms, n, graph.entry)
    return replace(old, graph=graph, entries=entries), bench


def _forms(old: Content, walked: WalkedRows, workers: Workers) -> QueryForms:
    """Query forms of all rows: out of the rows where they are kept, as a build makes them, else out of the codes."""
    forms = walked.no_forms().grown(old.n)
    if old.kept is None or not isinstance(walked, CodedRows):
        walked.recall_forms(forms)
        return forms
    again = CodedRows.empty(walked.space, walked.codec).with_room(old.n)  # codes come with them, and are not wanted
    for lo in range(0, old.n, _TILE):
        again.write(old.kept.take(slice(lo, min(lo + _TILE, old.n))), lo, forms, workers)
    return forms


def _with_upper_layers_anew(
    old: Content, walked: WalkedRows, bench: Workbench, parameters: Parameters, workers: Workers
) -> Graph:
    """The old graph, its upper layers built anew in a random order; the base layer is shared."""
    graph = old.graph
    owners = np.repeat(np.arange(graph.n, dtype=np.int32), graph.levels[: graph.n])
    upper = aligned_zeros(graph.upper.shape, np.int32)
    upper[: graph.n_upper] = owners[:, None]
    n_links, n_kept = np.zeros((2, len(upper)), np.int32)
    graph = replace(graph, upper=upper, n_upper_links=n_links, n_upper_kept=n_kept)
    nodes = np.flatnonzero(graph.levels[: graph.n] > 0).astype(np.int32)
    if len(nodes) == 0:
        return graph
    graph = replace(graph, top=-1)
    builder = Builder(
        graph, walked, bench, Undo(graph, 0, 0), ef_construction=old.ef_construction, fill=parameters.fill,
        workers=workers, lowest=1,
    )  # fmt: skip
    builder.insert(random_order(parameters.seed, nodes), lambda done: None)
    return graph
