"""Graphs made by hand, as indexes: rows, where the links of each lead, and the layers above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecrecall.hnsw.adopting import adopted
from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.index import HNSW


def graph_of(
    links: Sequence[Sequence[int]], *, entry: int = 0, M: int = 4, upper: Mapping[tuple[int, int], Sequence[int]] = {}
) -> Graph:
    """A graph of the given links; ``upper`` has those of (node, layer), for each layer that a node reaches."""
    levels = np.zeros(len(links), np.int32)
    for node, level in upper:
        levels[node] = max(levels[node], level)
    graph = Graph.empty(M).with_room(levels)
    for (node, level), others in {**{(node, 0): row for node, row in enumerate(links)}, **upper}.items():
        rows, n_links, n_kept = graph.layer(level)
        at = int(graph.rows_of(np.array([node]), level)[0])
        rows[at, : len(others)] = others
        n_links[at] = n_kept[at] = len(others)
    graph.entry, graph.top = entry, int(levels[entry])
    return graph


def index_of(X: Any, links: Sequence[Sequence[int]], *, metric: str = "l2", ids: Any = None, **of_graph: Any) -> HNSW:
    rows = np.asarray(X, np.float32)
    rows = rows[:, None] if rows.ndim == 1 else rows
    M = of_graph.setdefault("M", 4)
    return adopted(graph_of(links, **of_graph), rows, metric, ids=ids, M=M, ef_construction=10)


def chain(first: int, n: int, others: Sequence[int] = (-2, -1, 1, 2)) -> list[list[int]]:
    """Links of n nodes from number ``first`` on, each to those beside it."""
    return [[first + j for j in (i + step for step in others) if 0 <= j < n] for i in range(n)]
