"""The dense files of big-ann-benchmarks: fbin, f16bin, u8bin, i8bin, ibin.

::

    n uint32 | dim uint32 | n * dim values, row by row

All numbers little-endian. Simhadri et al. (2022), "Results of the NeurIPS'21 Challenge on Billion-Scale Approximate
Nearest Neighbor Search".
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import DataFileError
from vecrecall.inputs import as_choice
from vecrecall.io.dataset import Dataset
from vecrecall.io.mapping import check_size, mapped
from vecrecall.io.matrix import tiles_as
from vecrecall.io.truth import checked_neighbors
from vecrecall.replacing import replacing

KINDS: Mapping[str, np.dtype[Any]] = {
    "fbin": np.dtype("<f4"),
    "f16bin": np.dtype("<f2"),
    "u8bin": np.dtype("u1"),
    "i8bin": np.dtype("i1"),
    "ibin": np.dtype("<i4"),
}
HEADER = struct.Struct("<II")


def read_bin(path: str | os.PathLike[str], *, kind: str | None = None) -> Dataset:
    """Map an fbin, f16bin, u8bin, i8bin or ibin file.

    Parameters
    ----------
    path : path-like
    kind : {"fbin", "f16bin", "u8bin", "i8bin", "ibin"}, optional
        float32, float16, uint8, int8 or int32 values. Default: as the name of the file ends.

    Returns
    -------
    Dataset
        With `rows`, a read-only view of the mapped file; or with `neighbors`, of an ibin file.

    Raises
    ------
    DataFileError
        If the dimension is 0, or the file has not the size that its header says.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "points.u8bin")
    >>> write_bin(path, [[1, 2], [3, 255]])
    >>> read_bin(path).rows
    array([[  1,   2],
           [  3, 255]], dtype=uint8)
    """
    kind = kind_of(path, kind, KINDS)
    n, dim = header_of(path, kind)
    expected = HEADER.size + n * dim * KINDS[kind].itemsize
    check_size(path, expected, f"{n} rows of {dim} values, as {kind} {KINDS[kind].name}")
    return as_dataset(path, mapped(path, KINDS[kind], (n, dim), HEADER.size))


def write_bin(path: str | os.PathLike[str], X: Any, *, kind: str | None = None) -> None:
    """Write an fbin, f16bin, u8bin, i8bin or ibin file, whole or not at all.

    Parameters
    ----------
    path : path-like
    X : array_like of shape (n, dim)
        Converted tile by tile: rounded to the floats, and required to hold the integers, of the kind.
    kind : {"fbin", "f16bin", "u8bin", "i8bin", "ibin"}, optional
        Default: as the name of the file ends.

    Raises
    ------
    TypeError, ValueError
        If X is no such matrix, or n or dim is beyond 2**32 - 1.
    OSError
        As the operating system says.
    """
    n, dim, tiles = tiles_as(X, KINDS[kind_of(path, kind, KINDS)])
    write_tiles(path, n, dim, tiles)


def write_tiles(path: str | os.PathLike[str], n: int, dim: int, tiles: Any) -> None:
    """Write the header and then the bytes of C-ordered arrays, whole or not at all."""
    if max(n, dim) >= 2**32:
        raise ValueError(f"the matrix has shape {(n, dim)}, expected less than 2**32 rows and columns; cut it")
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(HEADER.pack(n, dim))
        for tile in tiles:
            file.write(tile.data)


def header_of(path: str | os.PathLike[str], what: str) -> tuple[int, int]:
    """Return the two numbers at the start of a file, the second of them positive."""
    with open(path, "rb") as file:
        raw = file.read(HEADER.size)
    if len(raw) < HEADER.size:
        raise DataFileError(f"{path}: torn: {len(raw)} bytes, expected at least {HEADER.size} of a {what} file")
    n, width = HEADER.unpack(raw)
    if width == 0:
        raise DataFileError(f"{path}: the header says {n} rows of no values, expected at least one; not a {what} file?")
    return n, width


def kind_of(path: str | os.PathLike[str], kind: str | None, kinds: Mapping[str, Any]) -> str:
    """Return the kind that was asked for, or else the one that the name of the file ends in."""
    if kind is None:
        kind = os.path.splitext(os.fspath(path))[1].removeprefix(".").lower()
        if kind not in kinds:
            raise ValueError(f"{path} does not end in {', '.join('.' + k for k in kinds)}; give kind")
    return as_choice(kind, "kind", tuple(kinds))


def as_dataset(path: str | os.PathLike[str], matrix: NDArray[Any]) -> Dataset:
    """Return a matrix as what files of its dtype are used for: 32-bit integers are neighbours, all else is rows."""
    if matrix.dtype.kind == "i" and matrix.dtype.itemsize == 4:
        return Dataset(neighbors=checked_neighbors(path, matrix))
    return Dataset(rows=matrix)
