"""Writing hnswlib's binary file: as it was, with another graph, or anew."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import CorruptIndexError
from vecrecall.inputs import as_choice, as_count, as_rows
from vecrecall.io.foreign.hnswlib_file import HEADER, NO_ENTRY, WORD, HnswlibFile, of_words
from vecrecall.io.foreign.lists import Unsound
from vecrecall.replacing import replacing
from vecrecall.vectors.spaces import METRICS, inverse_lengths

if TYPE_CHECKING:
    from vecrecall.hnsw.graph import Graph

_TILE_BYTES = 1 << 24


def write_hnswlib(file: HnswlibFile, path: str | os.PathLike[str], *, graph: Graph | None = None) -> None:
    """Write an index that hnswlib loads, whole or not at all.

    Parameters
    ----------
    file : HnswlibFile
        As :func:`read_hnswlib` or :func:`hnswlib_of` gave it. It is written as it was read, byte for byte.
    path : path-like
        May be where it was read from, if that was not mapped.
    graph : Graph, optional
        To be written in place of the file's own: over the same nodes in the same order, with the same M. Vectors,
        labels, deleted marks, max_elements and ef_construction are kept; unused places of its lists hold 0. Layers
        that :meth:`HnswlibFile.graph` left out (above the eighth; only small M has them) are gone.

    Raises
    ------
    ValueError
        If the graph has other nodes or another M, or its links are not sound.
    OSError
        As the operating system says.
    """
    if graph is not None:
        file = _with_graph(file, graph)
    lists, width = file.lists, file.words.shape[1]
    header = HEADER.pack(
        0, file.max_elements, len(file), 4 * width, 4 * width - 8, 4 + 8 * file.M, lists.top,
        NO_ENTRY if lists.entry < 0 else lists.entry, file.M, 2 * file.M, file.M, file.mult, file.ef_construction,
    )  # fmt: skip
    step = max(1, _TILE_BYTES // (4 * width))
    with replacing(path) as temporary, open(temporary, "xb") as out:
        out.write(header)
        for lo in range(0, len(file), step):
            out.write(file.words[lo : lo + step].tobytes())
        out.write(file.tail.tobytes())


def hnswlib_of(
    vectors: Any, graph: Graph, *, space: str, ef_construction: int, labels: Any = None, deleted: Any = None,
    max_elements: int | None = None,
) -> HnswlibFile:  # fmt: skip
    """Return what hnswlib would have in its file for some vectors and a graph over them.

    Parameters
    ----------
    vectors : array_like, shape (n, dim)
        By slot of the graph. Under cosine they are brought to unit length, as hnswlib does.
    graph : Graph
        Its width decides M.
    space : {"l2", "ip", "cosine"}
    ef_construction : int
    labels : array_like of int, shape (n,), optional
        Unique and not negative; default 0..n-1.
    deleted : array_like of bool, shape (n,), optional
        Default: none are.
    max_elements : int, optional
        Vectors that hnswlib keeps room for. Default: these.

    Raises
    ------
    ValueError, TypeError
        If something of this does not fit.
    """
    space, rows = as_choice(space, "space", METRICS), as_rows(vectors, name="vectors")
    n, M = rows.n, graph.upper.shape[1]
    names = _labels_of(labels, n)
    marks = np.zeros(n, bool) if deleted is None else np.asarray(deleted, bool)
    if marks.shape != (n,):
        raise ValueError(f"deleted has shape {marks.shape}, expected {(n,)}, one mark a vector")
    settings = {
        "M": M,
        "ef_construction": as_count(ef_construction, "ef_construction"),
        "max_elements": as_count(n if max_elements is None else max_elements, "max_elements", least=n),
        "mult": 1 / math.log(M),
    }
    words = np.zeros((n, 1 + 2 * M + rows.dim + 2), WORD)
    words[:, 0] = marks.astype(WORD) << 16
    for lo, tile in rows.tiles():
        unit = tile * inverse_lengths(tile)[:, None] if space == "cosine" else tile
        words[lo : lo + len(tile), 1 + 2 * M : -2] = np.asarray(unit, "<f4").view(WORD)
    words[:, -2:] = np.ascontiguousarray(names, "<u8").view(WORD).reshape(n, 2)
    return _with_lists("", space, rows.dim, settings, words, graph)


def _with_graph(file: HnswlibFile, graph: Graph) -> HnswlibFile:
    n, M = graph.n, graph.upper.shape[1]
    if (n, M) != (len(file), file.M):
        raise ValueError(
            f"the graph has {n} nodes with M={M}, expected {len(file)} with M={file.M}, as in {file._name}; "
            "give a graph over the same vectors, made with the same M"
        )
    settings = {name: getattr(file, name) for name in ("M", "ef_construction", "max_elements", "mult")}
    return _with_lists(file.path, file.metric, file.dim, settings, file.words.copy(), graph)


def _with_lists(
    path: str, space: str, dim: int, settings: dict[str, Any], words: NDArray[np.uint32], graph: Graph
) -> HnswlibFile:
    """Write the links of a graph into rows, which are changed, and return the file that they make."""
    from vecrecall.hnsw.check import check_levels, check_links

    n, M = len(words), settings["M"]
    if graph.n != n or graph.links.shape[1] != 2 * M:
        raise ValueError(f"the graph has {graph.n} nodes with {graph.links.shape[1]} links, "
                         f"expected {n} with {2 * M}")  # fmt: skip
    try:
        if n:
            check_levels(graph)
            check_links(graph)
        words[:, 0] = (words[:, 0] & 0xFFFF0000) | graph.n_links[:n].astype(WORD)
        words[:, 1 : 1 + 2 * M] = _used(graph.links[:n], graph.n_links[:n])
        entry, top = (graph.entry, graph.top) if n else (-1, -1)
        return of_words(path, space, dim, settings, words, _tail_of(graph, M), entry, top)
    except (CorruptIndexError, Unsound) as wrong:
        raise ValueError(f"this cannot be written for hnswlib: {wrong}") from None


def _used(rows: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.uint32]:
    """Rows of links with 0 in their unused places."""
    used: NDArray[np.uint32] = np.where(np.arange(rows.shape[1]) < counts[:, None], rows, 0).astype(WORD)
    return used


def _tail_of(graph: Graph, M: int) -> NDArray[np.uint32]:
    """The upper layers: for each node how many bytes, then its rows."""
    n, n_rows, levels = graph.n, graph.n_upper, graph.levels[: graph.n].astype(np.int64)
    tail, links = np.zeros(n + n_rows * (1 + M), WORD), np.ones(n + n_rows * (1 + M), bool)
    starts = np.arange(n) + (np.cumsum(levels) - levels) * (1 + M)
    tail[starts], links[starts] = levels * (4 + 4 * M), False
    counts = graph.n_upper_links[:n_rows]
    rows = np.concatenate([counts.astype(WORD)[:, None], _used(graph.upper[:n_rows], counts)], axis=1)
    tail[links] = rows.reshape(-1)
    return tail


def _labels_of(labels: Any, n: int) -> NDArray[np.uint64]:
    if labels is None:
        return np.arange(n, dtype=np.uint64)
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"labels has shape {array.shape}, expected {(n,)}, one label a vector")
    if n and array.dtype.kind not in "iu":
        raise TypeError(f"labels are {array.dtype}, expected integers: hnswlib has no others; give numbers")
    if n and array.dtype.kind == "i" and array.min() < 0:
        raise ValueError(f"a label is {array.min()}, expected none below 0, which hnswlib has not; give other numbers")
    return array.astype(np.uint64)
