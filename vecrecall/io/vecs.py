"""The files of the TEXMEX sets: fvecs, ivecs, bvecs. Each row is its length as int32 and then its values.

Jegou, Douze & Schmid (2011), "Product Quantization for Nearest Neighbor Search"; all numbers little-endian.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import DataFileError
from vecrecall.io.bins import as_dataset, kind_of
from vecrecall.io.dataset import Dataset
from vecrecall.io.mapping import mapped
from vecrecall.io.matrix import tiles_as
from vecrecall.replacing import replacing

KINDS: Mapping[str, np.dtype[Any]] = {"fvecs": np.dtype("<f4"), "ivecs": np.dtype("<i4"), "bvecs": np.dtype("u1")}

_LENGTH = np.dtype("<i4")
_TILE_BYTES = 1 << 24


def read_vecs(path: str | os.PathLike[str], *, kind: str | None = None) -> Dataset:
    """Map an fvecs, ivecs or bvecs file.

    Parameters
    ----------
    path : path-like
    kind : {"fvecs", "ivecs", "bvecs"}, optional
        float32, int32 or uint8 values. Default: as the name of the file ends.

    Returns
    -------
    Dataset
        With `rows`, a read-only view of the mapped file; or with `neighbors`, of an ivecs file.

    Raises
    ------
    DataFileError
        If a length is not positive, differs from that of row 0, or the file does not end with a row. The lengths of
        all rows are looked at.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "points.fvecs")
    >>> write_vecs(path, [[1, 2], [3, 4], [5, 6]])
    >>> read_vecs(path).rows[1]
    array([3., 4.], dtype=float32)
    """
    kind = kind_of(path, kind, KINDS)
    dtype = KINDS[kind]
    size = os.path.getsize(path)
    if size < _LENGTH.itemsize:
        raise DataFileError(f"{path}: {size} bytes, expected the rows of a {kind} file; fetch or write it again")
    dim = int(mapped(path, _LENGTH, (1,))[0])
    if dim <= 0:
        raise DataFileError(f"{path}: row 0 has length {dim}, expected a positive one; is this a {kind} file?")
    width = _LENGTH.itemsize + dim * dtype.itemsize
    n, rest = divmod(size, width)
    if n:
        _check_lengths(path, mapped(path, np.uint8, (n, width)), dim)
    if rest:
        raise DataFileError(
            f"{path}: torn: {size} bytes, expected rows of {dim} values, {width} bytes each: row {n} lacks "
            f"{width - rest}; fetch or write it again"
        )
    values = mapped(path, np.uint8, (n, width))[:, _LENGTH.itemsize :]
    return as_dataset(path, values.view(dtype))


def write_vecs(path: str | os.PathLike[str], X: Any, *, kind: str | None = None) -> None:
    """Write an fvecs, ivecs or bvecs file, whole or not at all.

    Parameters
    ----------
    path : path-like
    X : array_like of shape (n, dim), n > 0
        Converted tile by tile; must hold integers of the range for ivecs and bvecs.
    kind : {"fvecs", "ivecs", "bvecs"}, optional
        Default: as the name of the file ends.

    Raises
    ------
    TypeError, ValueError
        If X is no such matrix.
    OSError
        As the operating system says.
    """
    kind = kind_of(path, kind, KINDS)
    n, dim, tiles = tiles_as(X, KINDS[kind])
    if n == 0:
        raise ValueError(f"X has no rows, expected at least one: a {kind} file says the dimension in each row")
    with replacing(path) as temporary, open(temporary, "xb") as file:
        for tile in tiles:
            values = tile.view(np.uint8).reshape(len(tile), -1)
            rows = np.empty((len(tile), _LENGTH.itemsize + values.shape[1]), np.uint8)
            rows[:, : _LENGTH.itemsize] = np.array([dim], _LENGTH).view(np.uint8)
            rows[:, _LENGTH.itemsize :] = values
            file.write(rows.data)


def _check_lengths(path: str | os.PathLike[str], rows: NDArray[np.uint8], dim: int) -> None:
    step = max(1, _TILE_BYTES // rows.shape[1])
    for lo in range(0, len(rows), step):
        lengths = np.ascontiguousarray(rows[lo : lo + step, : _LENGTH.itemsize]).view(_LENGTH)[:, 0]
        wrong = np.flatnonzero(lengths != dim)
        if len(wrong):
            raise DataFileError(
                f"{path}: row {lo + wrong[0]} has length {lengths[wrong[0]]}, expected {dim} as row 0 has; "
                "the file is damaged, or holds other values"
            )
