"""Arrays that lie in a file, mapped into memory after a look at the size of the file."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vecrecall.errors import DataFileError

# What zlib can make of a byte at best is 1,032 bytes: who claims more lies.
MOST_INFLATED = 1_100


def mapped(
    path: str | os.PathLike[str], dtype: DTypeLike, shape: tuple[int, ...], offset: int = 0
) -> NDArray[Any]:
    """Return a read-only array over a part of a file; pages are read when first touched.

    Raises
    ------
    DataFileError
        If the file ends before the array does.
    """
    dtype = np.dtype(dtype)
    end, size = offset + math.prod(shape) * dtype.itemsize, os.path.getsize(path)
    if end > size:
        raise DataFileError(f"{path}: torn: {size} bytes, expected {end}; fetch or write it again")
    if 0 in shape:  # nothing to map
        array: NDArray[Any] = np.empty(shape, dtype)
        array.flags.writeable = False
        return array
    return np.memmap(path, dtype, "r", offset, shape).view(np.ndarray)


def check_size(path: str | os.PathLike[str], expected: int, says: str) -> None:
    """Raise a DataFileError if a file has not the size that its header says."""
    size = os.path.getsize(path)
    if size != expected:
        raise DataFileError(
            f"{path}: {size} bytes, expected {expected}: the header says {says}; the file is torn, or of another format"
        )


def check_inflated(path: str | os.PathLike[str], inflated: int, stored: int, what: str = "the file") -> None:
    """Raise a DataFileError if so many stored bytes cannot become as many as a header claims."""
    if inflated > MOST_INFLATED * stored + (1 << 16):
        raise DataFileError(
            f"{path}: {what} claims {inflated} bytes out of {stored} compressed ones; it is damaged: fetch it again"
        )
