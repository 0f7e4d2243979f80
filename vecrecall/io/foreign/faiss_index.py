"""HNSW over floats as faiss builds it, read by faiss itself.

faiss checks some of what it reads, later versions more than earlier ones; a damaged file can make it end the process,
or fill the memory. So a file is opened by a process of its own (`faiss_apart`), and the lists that come from there are
checked here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import IndexFileError
from vecrecall.io.foreign.faiss_apart import parts_of_file
from vecrecall.io.foreign.faiss_parts import Parts, parts_of
from vecrecall.io.foreign.foreign_index import ForeignIndex, check_vectors
from vecrecall.io.foreign.lists import Lists, Unsound

_METRICS = ("ip", "l2")  # as faiss numbers them
_MOST_LINKS = 2**20
_DAMAGED = "the file is damaged: restore it, or write the index again"


@dataclass(frozen=True, eq=False, repr=False)
class FaissIndex(ForeignIndex):
    """An IndexHNSWFlat of faiss, as :func:`read_faiss` or :func:`from_faiss` found it.

    ``ef`` is its efSearch; ``labels`` are those of the IndexIDMap around it, or 0..n-1.
    """

    library: ClassVar[str] = "faiss"


def read_faiss(path: str | os.PathLike[str]) -> FaissIndex:
    """Read a file that ``faiss.write_index`` wrote: an IndexHNSWFlat, or one in an IndexIDMap or IndexIDMap2.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    FaissIndex

    Raises
    ------
    IndexFileError
        If the file is damaged, not of faiss, or holds another index; the message names the path and the reason.
    ImportError
        If faiss is not installed.
    OSError
        As the operating system says.

    Notes
    -----
    Another process opens the file and sends what is in it: twice the size of the file in memory meanwhile.
    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        mark = file.read(4)
    if not is_faiss(mark):
        raise IndexFileError(f"{path}: begins with {mark!r}, expected the mark of an index of faiss, such as b'IHNf'")
    _require_faiss()
    try:
        return _index_of(path, parts_of_file(path))
    except Unsound as wrong:
        raise IndexFileError(f"{path}: {wrong}; {_DAMAGED}") from None


def from_faiss(index: Any) -> FaissIndex:
    """Take over an index of faiss that is in memory: an IndexHNSWFlat, or one in an IndexIDMap or IndexIDMap2.

    Parameters
    ----------
    index : faiss.Index
        Nothing of it is kept: what is needed is copied.

    Returns
    -------
    FaissIndex

    Raises
    ------
    TypeError
        If it is another index.
    ValueError
        If its lists are not sound.
    ImportError
        If faiss is not installed.
    """
    _require_faiss()
    parts = parts_of(index)
    if parts.refused:
        raise TypeError(f"index {parts.refused}")
    try:
        return _index_of("", parts)
    except Unsound as wrong:
        raise ValueError(f"the index of faiss is not sound: {wrong}; build it again") from None


def is_faiss(mark: bytes) -> bool:
    """Whether a file that begins so may be of faiss: its marks are an I and three letters or digits."""
    return len(mark) == 4 and mark[:1] == b"I" and mark.isalnum()


def _require_faiss() -> None:
    if find_spec("faiss") is None:
        raise ImportError("faiss is not installed, which reading its indexes needs; pip install faiss-cpu")


def _index_of(path: str, parts: Parts) -> FaissIndex:
    if parts.refused:
        raise IndexFileError(f"{path}: {parts.refused}")
    numbers, arrays = parts.numbers, parts.arrays
    n, dim = numbers["ntotal"], numbers["d"]
    if numbers["metric_type"] not in (0, 1):
        raise IndexFileError(
            f"{path or 'the index of faiss'}: its metric has the number {numbers['metric_type']}, expected 0 "
            "(METRIC_INNER_PRODUCT) or 1 (METRIC_L2)"
        )
    vectors = arrays["vectors"]
    if dim < 1 or n < 0 or vectors.size != n * dim:
        raise Unsound(f"there are {vectors.size} values, expected those of {n} vectors of {dim} dimensions")
    labels = arrays.get("ids", np.arange(n))
    if len(labels) != n:
        raise Unsound(f"there are {len(labels)} labels, expected one for each of {n} vectors")
    if min(numbers["ef_construction"], numbers["ef"]) < 1:
        raise Unsound(f"efConstruction is {numbers['ef_construction']} and efSearch {numbers['ef']}, expected both "
                      "above 0")  # fmt: skip
    vectors = vectors.reshape(n, dim)
    widths, lists = _lists(numbers, arrays, n)
    lists.check()
    check_vectors(vectors, unit=False)
    M = max(2, -(-widths[0] // 2), *widths[1:])
    return FaissIndex(
        path, _METRICS[numbers["metric_type"]], M, numbers["ef_construction"], numbers["ef"], vectors, labels,
        np.zeros(n, bool), lists,
    )  # fmt: skip


def _lists(numbers: dict[str, int], arrays: dict[str, NDArray[Any]], n: int) -> tuple[list[int], Lists]:
    """Return how many links the layers have room for, and the lists.

    In faiss the lists of a node stand one behind the other from ``offsets[node]``, layer l from ``ends[l]`` on, and
    ``levels`` counts layers: 1 for a node of the base layer alone. A list ends at its first negative number.
    """
    levels, offsets, ends = (arrays[name].astype(np.int64) for name in ("levels", "offsets", "ends"))
    neighbors = arrays["neighbors"]
    if len(ends) < 2 or len(levels) != n or (n and not 1 <= levels.min() <= levels.max() < len(ends)):
        raise Unsound(f"{len(levels)} nodes have layers, expected {n} with 1 to {len(ends) - 1} each")
    highest = int(levels.max()) if n else 1
    widths = np.diff(ends[: highest + 1]).tolist()
    alike = all(1 <= width == widths[1] <= widths[0] for width in widths[1:])
    if ends[0] != 0 or not 1 <= widths[0] <= _MOST_LINKS or not alike:
        raise Unsound(f"the layers have room for {widths} neighbours, expected as many in each above the base layer, "
                      "and no more than there")  # fmt: skip
    expected = np.concatenate([[0], np.cumsum(ends[levels])])
    if not np.array_equal(offsets, expected) or len(neighbors) != expected[-1]:
        raise Unsound("the lists of neighbours do not follow one another as the layers of the nodes say")
    base, n_base = _rows(neighbors, offsets[:-1], widths[0])
    firsts = np.cumsum(levels - 1) - (levels - 1)
    owners = np.repeat(np.arange(n), levels - 1)
    layers = np.arange(len(owners)) - firsts[owners] + 1
    upper, n_upper = _rows(neighbors, offsets[owners] + ends[layers], widths[1] if len(widths) > 1 else 0)
    lists = Lists(
        base, n_base, (levels - 1).astype(np.int32), upper, n_upper, numbers["entry_point"], numbers["max_level"]
    )
    return widths, lists


def _rows(
    neighbors: NDArray[Any], starts: NDArray[np.int64], width: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the lists that start there as rows, and how many neighbours each has."""
    rows = neighbors[starts[:, None] + np.arange(width)]
    ended = np.concatenate([rows < 0, np.ones((len(rows), 1), bool)], axis=1)
    return rows, ended.argmax(axis=1)
