"""Every invariant of a graph index, walked in numpy."""

from __future__ import annotations

import numpy as np

from vecrecall.errors import CorruptIndexError
from vecrecall.hnsw.content import Content
from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.repair import Reach
from vecrecall.vectors.rows import check_kept
from vecrecall.vectors.walked import CodedRows


def check_content(content: Content) -> None:
    """Raise :class:`CorruptIndexError` naming the first invariant that is broken."""
    graph, walked = content.graph, content.walked
    n = 0 if walked is None else content.n
    if graph.n != n:
        raise CorruptIndexError(f"the graph has {graph.n} nodes, expected {n}")
    if content.kept is not None:
        check_kept(content.kept, content.n)
    if isinstance(walked, CodedRows):
        check_codes(walked, content.n)
    if n:
        check_levels(graph)
        check_links(graph)
        unreached = Reach(graph).unreached()
        if len(unreached):
            raise CorruptIndexError(f"the entry does not reach {len(unreached)} vectors, first slot {unreached[0]}")


def check_codes(walked: CodedRows, n: int) -> None:
    """There is a code a row, and the query forms made out of codes agree with themselves."""
    if walked.n != n:
        raise CorruptIndexError(f"there are codes of {walked.n} rows, expected {n}")
    axes = walked.codec.axes
    finite = (axes.low, axes.inverse_range, axes.mean, axes.scale, axes.offset)
    if not all(np.isfinite(array).all() for array in (*finite, walked.codec.steps)):
        raise CorruptIndexError("the codec holds values that are not finite")


def check_levels(graph: Graph) -> None:
    """Levels and upper rows fit each other; the entry stands highest."""
    levels = graph.levels[: graph.n]
    if (levels < 0).any():
        raise CorruptIndexError("a node has a negative level")
    starts = np.cumsum(levels, dtype=np.int64) - levels
    if int(levels.sum()) != graph.n_upper or not np.array_equal(starts, graph.upper_at[: graph.n]):
        raise CorruptIndexError("the rows of the upper layers do not follow the levels")
    if not 0 <= graph.entry < graph.n or levels[graph.entry] != graph.top or graph.top != levels.max():
        raise CorruptIndexError(f"the entry {graph.entry} does not stand in the highest layer, {int(levels.max())}")


def check_links(graph: Graph) -> None:
    """Degrees, ids in range, no self loops, no duplicates, unused places, layers nested."""
    owners = np.repeat(np.arange(graph.n), graph.levels[: graph.n])
    layer_of = np.arange(graph.n_upper) - graph.upper_at[: graph.n][owners] + 1
    base = np.zeros(graph.n, np.int64)
    for level, owner, of_layer in ((0, np.arange(graph.n), base), (1, owners, layer_of)):
        rows, n_links, n_kept = (array[: len(owner)] for array in graph.layer(level))
        name = "base layer" if level == 0 else "upper layers"
        _check_rows(rows, n_links, n_kept, owner, name, graph.n)
        used = np.arange(rows.shape[1]) < n_links[:, None]
        if (used & (graph.levels[rows] < of_layer[:, None])).any():
            raise CorruptIndexError(f"{name}: a link leads to a node that does not reach its layer")


def _check_rows(
    rows: np.ndarray, n_links: np.ndarray, n_kept: np.ndarray, owner: np.ndarray, name: str, n: int
) -> None:
    width = rows.shape[1]
    if ((n_kept < 0) | (n_kept > n_links) | (n_links > width)).any():
        raise CorruptIndexError(f"{name}: a node has more links than it has room for")
    used = np.arange(width) < n_links[:, None]
    for what, wrong in (
        ("a link leads out of the index", (rows < 0) | (rows >= n)),
        ("a node is linked to itself", used & (rows == owner[:, None])),
        ("an unused place does not hold the node itself", ~used & (rows != owner[:, None])),
    ):
        if wrong.any():
            raise CorruptIndexError(f"{name}: {what}, first at slot {int(owner[np.flatnonzero(wrong.any(1))[0]])}")
    distinct = np.sort(np.where(used, rows, -1 - np.arange(width)), axis=1)
    twice = (distinct[:, 1:] == distinct[:, :-1]).any(1)
    if twice.any():
        raise CorruptIndexError(f"{name}: a link stands twice, first at slot {int(owner[np.flatnonzero(twice)[0]])}")
