"""numpy's own files of one array. What they hold is never unpickled."""

from __future__ import annotations

import math
import os
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from vecrecall.errors import DataFileError
from vecrecall.io.dataset import Dataset
from vecrecall.io.mapping import check_size, mapped
from vecrecall.replacing import replacing

MAGIC = npy_format.MAGIC_PREFIX


def read_npy(path: str | os.PathLike[str]) -> Dataset:
    """Map a .npy file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Dataset
        With `rows`, a read-only view of the mapped file, whatever the dtype.

    Raises
    ------
    DataFileError
        If it is no matrix of real numbers, or the file has not the size that its header says.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "points.npy")
    >>> write_npy(path, np.eye(2))
    >>> read_npy(path).rows
    array([[1., 0.],
           [0., 1.]])
    """
    with open(path, "rb") as file:
        shape, in_columns, dtype = header_of(file, path)
        offset = file.tell()
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise DataFileError(
            f"{path}: holds {dtype}, expected real numbers of at most 8 bytes; save it as float32"
        )
    if len(shape) != 2 or shape[1] == 0:
        hint = "save it as array[None, :] if it is one vector" if len(shape) == 1 else "save it as a matrix"
        raise DataFileError(f"{path}: holds an array of shape {shape}, expected (n, dim); {hint}")
    expected = offset + math.prod(shape) * dtype.itemsize
    check_size(path, expected, f"{dtype} of shape {shape}")
    rows = mapped(path, dtype, shape[::-1], offset).T if in_columns else mapped(path, dtype, shape, offset)
    return Dataset(rows=rows)


def write_npy(path: str | os.PathLike[str], X: Any) -> None:
    """Write a .npy file, whole or not at all.

    Parameters
    ----------
    path : path-like
    X : array_like of real numbers, shape (n, dim)
        Written in the dtype it has.

    Raises
    ------
    TypeError, ValueError
        If X is no such matrix.
    OSError
        As the operating system says.
    """
    array = np.asarray(X)
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise TypeError(f"X has dtype {array.dtype}, expected real numbers; convert it with X.astype('float32')")
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"X has shape {array.shape}, expected (n, dim) with at least one column")
    with replacing(path) as temporary, open(temporary, "xb") as file:
        npy_format.write_array(file, array, allow_pickle=False)


def header_of(file: IO[bytes], path: str | os.PathLike[str]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read a header: (shape, whether columns stand one after another, dtype); the data begin where the file stands."""
    try:
        version = npy_format.read_magic(file)
        if version == (1, 0):
            shape, in_columns, dtype = npy_format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, in_columns, dtype = npy_format.read_array_header_2_0(file)
        else:
            raise ValueError(f"version {version[0]}.{version[1]} of the format is for arrays of records")
    except OSError:
        raise
    except Exception as error:  # the parser of the header has not promised what it raises for nonsense
        raise DataFileError(f"{path}: damaged .npy header ({' '.join(str(error).split())[:200]})") from None
    if any(type(length) is not int or length < 0 for length in shape):
        raise DataFileError(f"{path}: the header says shape {shape}, expected lengths of 0 or more")
    return shape, in_columns, dtype


def read_values(file: IO[bytes], path: str, size: int) -> NDArray[Any]:
    """Read an array of plain values from a stream; `size` is what the stream may give at most."""
    shape, in_columns, dtype = header_of(file, path)
    if dtype.kind not in "fiubSU":
        raise DataFileError(f"{path}: holds {dtype}, expected numbers or strings")
    raw = file.read(size)
    expected = math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        raise DataFileError(f"{path}: {len(raw)} bytes, expected {expected} for {dtype} of shape {shape}; torn")
    array = np.frombuffer(raw, dtype) if raw else np.empty(math.prod(shape), dtype)
    return array.reshape(shape[::-1]).T if in_columns else array.reshape(shape)
