"""What analysis looks at in an index: its graph, and its rows as they can be compared exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecrecall.hnsw.content import Content
from vecrecall.hnsw.index import HNSW
from vecrecall.vectors.rows import KeptRows
from vecrecall.vectors.walked import FloatRows


def as_graph_index(index: Any) -> HNSW:
    """Return ``index`` after checking that it is of the kind that has a graph."""
    if not isinstance(index, HNSW):
        raise TypeError(f"index is of type {type(index).__name__}, expected vecrecall.HNSW: no other has a graph")
    return index


def content_with_graph(index: HNSW) -> Content:
    """The content of an index, within its lock; refuses one that has no graph yet."""
    content = index._content
    if content.graph.top < 0:
        raise ValueError(
            f"the index holds {content.n:,} vectors and has no graph yet: every search compares all of them; "
            "add more vectors, or build with storage='f32'"
        )
    return content


def held_rows(content: Content) -> KeptRows | None:
    """The rows to compare exactly: the kept ones, else what is walked where that is floats; None where it is codes."""
    walked = content.walked
    if content.kept is not None or not isinstance(walked, FloatRows):
        return content.kept
    of_length_1 = np.ones(len(walked.values), np.float32) if content.space.metric == "cosine" else None
    return KeptRows(walked.values, of_length_1, content.space.dim, content.n)
