"""hnswlib's binary file, as version 0.8 writes it.

::

    header, 96 bytes: offset_level0 u64 | max_elements u64 | count u64 | row_bytes u64 | label_offset u64
                      | data_offset u64 | max_level i32 | entry u32 | maxM u64 | maxM0 u64 | M u64 | mult f64
                      | ef_construction u64
    count rows:       links u16 | delete mark u8 | u8 | maxM0 * u32 | vector f32 | label u64
    count times:      bytes u32 | a row for each layer from 1: links u16 | u16 | maxM * u32

All numbers little-endian. There is no magic, no checksum, no metric, and no dimension but what the size of a row says.
In a row, old numbers stand behind the links.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import IndexFileError
from vecrecall.inputs import as_choice, as_count, as_flag
from vecrecall.io.foreign.foreign_index import ForeignIndex, check_vectors
from vecrecall.io.foreign.lists import Lists, OfAnotherSpace, Unsound
from vecrecall.vectors.spaces import METRICS

HEADER = struct.Struct("<6QiI3QdQ")
FIELDS = (
    "offset_level0", "max_elements", "count", "row_bytes", "label_offset", "data_offset", "max_level", "entry",
    "maxM", "maxM0", "M", "mult", "ef_construction",
)  # fmt: skip
WORD = np.dtype("<u4")
NO_ENTRY = 2**32 - 1
_M_MOST = 10_000  # hnswlib takes no more
_EF_MOST = 2**24  # working memory goes by it
_DAMAGED = "the file is damaged, or not of hnswlib: restore it, or save the index again"


@dataclass(frozen=True, eq=False, repr=False)
class HnswlibFile(ForeignIndex):
    """An index that hnswlib wrote, as :func:`read_hnswlib` found it.

    Attributes
    ----------
    max_elements : int
        Vectors that hnswlib keeps room for.
    mult : float
        What hnswlib draws levels of new nodes by.
    words : ndarray of uint32, shape (n, 1 + 2 M + dim + 2)
        The rows of the base layer as they are in the file; ``vectors`` and ``lists`` are views of it.
    tail : ndarray of uint32
        What stands behind them: the upper layers.
    """

    library: ClassVar[str] = "hnswlib"

    max_elements: int
    mult: float
    words: NDArray[np.uint32]
    tail: NDArray[np.uint32]


def read_hnswlib(
    path: str | os.PathLike[str], *, space: str, dim: int | None = None, mmap: bool = False
) -> HnswlibFile:
    """Read an index that hnswlib saved.

    Parameters
    ----------
    path : path-like
    space : {"l2", "ip", "cosine"}
        What the index was made with; the file does not say.
    dim : int, optional
        Dimensions that the vectors should have. The file is taken at its word otherwise.
    mmap : bool, default False
        Map the rows instead of reading them. Where the index may be saved again meanwhile, do not: hnswlib writes over
        the old file, and a process that has a file mapped does not survive that.

    Returns
    -------
    HnswlibFile

    Raises
    ------
    IndexFileError
        If the vectors have another dimension, are not of unit length under cosine, or the file is damaged: the message
        names the path, what is wrong and what was expected. Damage of finite values that leaves sound lists cannot be
        seen: there is no checksum.
    ValueError, TypeError
        If space or dim is none.
    OSError
        As the operating system says.

    Notes
    -----
    Takes the size of the file in memory, unless it is mapped.
    """
    path, space = os.fspath(path), as_choice(space, "space", METRICS)
    dim = None if dim is None else as_count(dim, "dim")
    try:
        words = _words(path, as_flag(mmap, "mmap"))
        header = _checked_header(words)
        found = _dim_of(path, header, dim)
        return _parsed(path, space, found, header, words)
    except OfAnotherSpace as wrong:
        raise IndexFileError(f"{path}: {wrong}") from None
    except Unsound as wrong:
        raise IndexFileError(f"{path}: {wrong}; {_DAMAGED}") from None


def of_words(
    path: str, space: str, dim: int, settings: dict[str, Any], words: NDArray[np.uint32], tail: NDArray[np.uint32],
    entry: int, top: int,
) -> HnswlibFile:  # fmt: skip
    """Return the file whose rows and upper layers these are, after checking them; `settings` are those of a header."""
    M = settings["M"]
    levels, upper = _upper_layers(tail, len(words), M)
    lists = Lists(
        words[:, 1 : 1 + 2 * M], words[:, 0] & 0xFFFF, levels, upper[:, 1:], upper[:, 0] & 0xFFFF, entry, top
    )
    for name, odd in (("base layer", words[:, 0] >> 17), ("upper layers", upper[:, 0] >> 16)):
        if odd.any():
            raise Unsound(f"{name}: a row has marks that hnswlib does not know")
    lists.check()
    vectors = words[:, 1 + 2 * M : 1 + 2 * M + dim].view("<f4")
    labels = np.ascontiguousarray(words[:, -2:]).view("<u8")[:, 0]
    check_vectors(vectors, unit=space == "cosine")
    ordered = np.sort(labels)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise Unsound(f"{twice[0]} is the label of two nodes")
    return HnswlibFile(
        path, space, M, settings["ef_construction"], None, vectors, labels, (words[:, 0] & 0x10000) > 0, lists,
        settings["max_elements"], settings["mult"], words, tail,
    )  # fmt: skip


def _words(path: str, mmap: bool) -> NDArray[np.uint32]:
    """Return the file as 32-bit words: every part of it starts at one."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < HEADER.size or size % WORD.itemsize:
            raise Unsound(f"{size} bytes, expected {HEADER.size} of a header, then words of 4")
        if mmap:
            return np.memmap(file, WORD, "r").view(np.ndarray)
        words = np.fromfile(file, WORD, size // WORD.itemsize)
    if len(words) * WORD.itemsize < size:
        raise Unsound(f"torn: {len(words) * WORD.itemsize} bytes, expected {size}")
    return words


def _checked_header(words: NDArray[np.uint32]) -> dict[str, Any]:
    """Return the header, whose numbers fit each other and the size of the file."""
    h = dict(zip(FIELDS, HEADER.unpack(words[: HEADER.size // WORD.itemsize].tobytes())))
    n, M, size = h["count"], h["M"], len(words) * WORD.itemsize
    sound = {
        f"M is {M}, maxM {h['maxM']} and maxM0 {h['maxM0']}, expected 2 to {_M_MOST}, the same, and twice that": (
            2 <= M <= _M_MOST and h["maxM"] == M and h["maxM0"] == 2 * M
        ),
        f"links start at {h['offset_level0']} and vectors at {h['data_offset']} in a row, expected 0 and {4 + 8 * M}": (
            h["offset_level0"] == 0 and h["data_offset"] == 4 + 8 * M
        ),
        f"rows of {h['row_bytes']} bytes with a vector at {h['data_offset']} and the label at {h['label_offset']}, "
        "expected a label of 8 bytes behind the vector": (
            h["data_offset"] < h["label_offset"] == h["row_bytes"] - 8
        ),
        f"{n} vectors with room for {h['max_elements']}, expected room for all, and for at most 2**32": (
            n <= h["max_elements"] <= 2**32
        ),
        f"torn: {size} bytes, expected more for {n} rows of {h['row_bytes']}": (
            HEADER.size + n * (h["row_bytes"] + 4) <= size
        ),
        f"ef_construction is {h['ef_construction']}, expected 1 to {_EF_MOST}": 1 <= h["ef_construction"] <= _EF_MOST,
        f"mult is {h['mult']}, expected a positive number": math.isfinite(h["mult"]) and h["mult"] > 0,
    }
    for wrong, holds in sound.items():
        if not holds:
            raise Unsound(wrong)
    return h


def _dim_of(path: str, header: dict[str, Any], dim: int | None) -> int:
    """Return the dimension that the size of a row leaves room for; refuses another one than was given."""
    length = header["label_offset"] - header["data_offset"]
    if length % 4:
        raise IndexFileError(f"{path}: a vector has {length} bytes, expected 4 a dimension; only float32 is read")
    if dim is not None and dim != length // 4:
        raise IndexFileError(
            f"{path}: dim is {dim}, but the size of a row says that the vectors have {length // 4} dimensions; "
            f"give dim={length // 4} or leave it out"
        )
    return int(length // 4)


def _parsed(path: str, space: str, dim: int, header: dict[str, Any], words: NDArray[np.uint32]) -> HnswlibFile:
    body = words[HEADER.size // WORD.itemsize :]
    n, width = header["count"], header["row_bytes"] // WORD.itemsize
    rows, tail = body[: n * width].reshape(n, width), body[n * width :]
    entry = -1 if header["entry"] == NO_ENTRY else header["entry"]
    return of_words(path, space, dim, header, rows, tail, entry, header["max_level"])


def _upper_layers(tail: NDArray[np.uint32], n: int, M: int) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
    """Return the levels of all nodes, and their rows in the upper layers: (levels.sum(), 1 + M) words.

    Where a node's part begins is known once its predecessor was read; the rest is left to numpy.
    """
    starts, lengths = np.zeros(n, np.int64), memoryview(np.asarray(tail, np.uint32))  # type: ignore[arg-type]
    place, at = memoryview(starts), 0  # type: ignore[arg-type]
    try:
        for node in range(n):
            place[node] = at
            at += 1 + (lengths[at] >> 2)
    except IndexError:
        raise Unsound(f"torn: the upper layers end before those of node {node}") from None
    if at != len(tail):
        raise Unsound(f"the upper layers take {4 * len(tail)} bytes, expected {4 * at}")
    sizes = tail[starts]
    odd = np.flatnonzero(sizes % (4 + 4 * M))
    if len(odd):
        raise Unsound(f"the upper layers of node {odd[0]} take {sizes[odd[0]]} bytes, expected {4 + 4 * M} each")
    links = np.ones(len(tail), bool)
    links[starts] = False
    return (sizes // (4 + 4 * M)).astype(np.int32), tail[links].reshape(-1, 1 + M)
