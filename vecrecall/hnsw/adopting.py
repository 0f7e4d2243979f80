"""A graph that was built elsewhere, as an index."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.hnsw.content import Content, empty
from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.index import HNSW
from vecrecall.hnsw.parameters import Parameters
from vecrecall.ids import Ids
from vecrecall.inputs import as_rows
from vecrecall.threads import Workers
from vecrecall.vectors.spaces import Space
from vecrecall.vectors.walked import FloatRows


def adopted(
    graph: Graph, rows: NDArray[np.float32], metric: str, *, ids: Any = None, M: int, ef_construction: int,
    ef: int = 64, seed: int = 0,
) -> HNSW:  # fmt: skip
    """An index around a graph over some rows, as they are: nothing is linked anew or mended.

    It walks float32 and goes down the layers from ``graph.entry``, as the library that built the graph does, so its
    answers at an ``ef`` are those of that library, and its evaluations are what that library took. More rows are
    inserted as ``schedule="sequential"`` does.

    Parameters
    ----------
    graph : Graph
        Over slots 0..n-1; taken over, not copied.
    rows : ndarray of float32, shape (n, dim)
        By slot; under cosine of any length.
    metric : {"l2", "ip", "cosine"}
    ids : sequence of int or str, optional
        By slot; default the slots.
    M, ef_construction, ef, seed :
        As of ``HNSW.build``.
    """
    checked = as_rows(rows)
    parameters = Parameters.checked(
        M=M, ef_construction=ef_construction, storage="f32", reduce="auto", keep="f32", order="given",
        schedule="sequential", fill=None, seed=seed,
    )  # fmt: skip
    space = Space(metric, checked.dim)
    start, numbers = empty(space, parameters), Ids()
    assert start.kept is not None
    walked = FloatRows.empty("f32", space).with_room(checked.n)
    forms = walked.no_forms().grown(checked.n)  # of no further use: adds make their own
    with Workers(1) as workers:
        for lo, tile in checked.tiles():
            walked.write(tile, lo, forms, workers)
    content = Content(
        checked.n, space, start.kept.extended(checked, np.dtype(np.float32)), walked, graph, ef_construction, checked.n
    )
    return HNSW(content, numbers.extended(numbers.checked(ids, checked.n), checked.n), parameters, ef)
