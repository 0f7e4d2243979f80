"""Matrices on their way to a file: tiles of the dtype that the file has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.inputs import as_rows

_TILE_BYTES = 1 << 24


def tiles_as(X: Any, dtype: np.dtype[Any], *, name: str = "X") -> tuple[int, int, Iterator[NDArray[Any]]]:
    """Check a matrix and return (n, dim, its rows in C-ordered tiles of a dtype).

    Parameters
    ----------
    X : array_like of real numbers, shape (n, dim)
        For a float dtype anything that `as_rows` takes, rounded to it; for an integer dtype anything that numpy
        takes and that holds such integers, be it as floats.
    dtype : numpy.dtype
    name : str
        What messages call it.

    Raises
    ------
    TypeError, ValueError
        As `as_rows`; and, while tiles are taken, for a value that the dtype cannot hold, naming its row.
    """
    if dtype.kind == "f":
        rows = as_rows(X, name=name)
        return rows.n, rows.dim, (_rounded(tile, lo, dtype, name) for lo, tile in rows.tiles())
    values = np.asarray(X)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {values.dtype}, expected integers")
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"{name} has shape {values.shape}, expected (n, dim) with at least one column")
    step = max(1, _TILE_BYTES // (8 * values.shape[1]))
    starts = range(0, len(values), step)
    return *values.shape, (_integers(values[lo : lo + step], lo, dtype, name) for lo in starts)


def _rounded(tile: NDArray[Any], lo: int, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        rounded = np.require(tile, dtype, "C")
    if dtype.itemsize < 4 and not np.isfinite(rounded).all():
        row = lo + int(np.flatnonzero(~np.isfinite(rounded).all(axis=1))[0])
        raise ValueError(f"{name} row {row} holds a value that overflows {dtype.name}; scale the vectors down")
    return rounded


def _integers(tile: NDArray[Any], lo: int, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    with np.errstate(invalid="ignore"):  # of NaN, which equals nothing
        cast = np.require(tile, dtype, "C")
    wrong = (cast != tile) | (tile < limits.min) | (tile > limits.max)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name} row {lo + row}, column {column} is {tile[row, column]}, expected integers from {limits.min} "
            f"to {limits.max}; write floats to another format"
        )
    return cast
