"""The sparse files of big-ann-benchmarks.

::

    n_rows int64 | n_columns int64 | nnz int64 | indptr int64[n_rows + 1] | indices int32[nnz] | data float32[nnz]

All numbers little-endian; the file may be packed by gzip, as it is for download.
"""

from __future__ import annotations

import os
import struct
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import DataFileError
from vecrecall.inputs import as_count
from vecrecall.io.dataset import Dataset
from vecrecall.io.lines import is_packed, unpacked, write_lines
from vecrecall.io.mapping import check_inflated, check_size, mapped

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SIZES = struct.Struct("<qqq")
MOST_COLUMNS = 2**31

_TILE = 1 << 22  # numbers looked at together
_INDPTR, _COLUMNS, _VALUES = np.dtype("<i8"), np.dtype("<i4"), np.dtype("<f4")

Parts = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]  # row starts, columns, values


def read_csr(path: str | os.PathLike[str], *, dim: int | None = None) -> Dataset:
    """Read a sparse matrix; indices and values of a file that is not packed are mapped.

    Parameters
    ----------
    path : path-like
    dim : int, optional
        Columns of the matrix. A file of queries may count fewer than that of its documents: give those of the
        documents. Default: as many as the file says.

    Returns
    -------
    Dataset
        With `rows`, a csr_array of float32. Columns may be unsorted.

    Raises
    ------
    DataFileError
        If the file has not the size that its header says, row starts fall, or a column is out of range. Nothing is
        allocated before the sizes have been compared with that of the file.
    ValueError
        If dim is less than the file says.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> import scipy.sparse as sp
    >>> path = os.path.join(tempfile.mkdtemp(), "points.csr")
    >>> write_csr(path, sp.csr_array([[0, 1.5], [2, 0]]))
    >>> read_csr(path).rows.toarray()
    array([[0. , 1.5],
           [2. , 0. ]], dtype=float32)
    """
    parts, n_columns = _unpacked_parts(path) if is_packed(path) else _mapped_parts(path)
    if dim is not None and as_count(dim, "dim") < n_columns:
        raise ValueError(f"dim is {dim}, expected at least the {n_columns} columns that {os.fspath(path)} has")
    return Dataset(rows=checked_csr(path, parts, (len(parts[0]) - 1, dim or n_columns)))


def write_csr(path: str | os.PathLike[str], D: Any) -> None:
    """Write a sparse matrix, whole or not at all; packed by gzip where the path ends in .gz.

    Parameters
    ----------
    path : path-like
    D : scipy sparse matrix of shape (n, columns)
        Written with its columns in order, each once, and without zeros.

    Raises
    ------
    TypeError, ValueError
        If D is dense, or holds a value that is not finite in float32.
    OSError
        As the operating system says.
    """
    from vecrecall.csr import as_csr

    rows = as_csr(D)
    indptr, columns = np.asarray(rows.indptr, _INDPTR), np.asarray(rows.columns, _COLUMNS)
    header = SIZES.pack(rows.n, rows.dim, len(columns))
    write_lines(path, [header, indptr.data, columns.data, np.asarray(rows.values, _VALUES).data])


def length_of(n: int, nnz: int) -> int:
    """Return the length of a file of so many rows and stored values, in bytes."""
    return SIZES.size + 8 * (n + 1) + 8 * nnz


def checked_csr(path: str | os.PathLike[str], parts: Parts, shape: tuple[int, int]) -> csr_array:
    """Return a csr_array over row starts, columns and values, after checking that they fit; the last two uncopied.

    Raises
    ------
    DataFileError
        Naming the first row that does not.
    """
    import scipy.sparse as sp

    indptr, columns, values = parts
    n, n_columns = shape
    nnz = len(columns)
    if len(indptr) != n + 1 or len(values) != nnz:
        raise DataFileError(
            f"{path}: {len(indptr)} row starts, {nnz} columns and {len(values)} values, expected {n + 1} starts "
            "and as many values as columns"
        )
    if indptr[0] != 0 or indptr[-1] != nnz or (indptr[1:] < indptr[:-1]).any():
        falls = np.flatnonzero(indptr[1:] < indptr[:-1])
        where = f"fall after row {falls[0]}" if len(falls) else f"run from {indptr[0]} to {indptr[-1]}"
        raise DataFileError(f"{path}: row starts {where}, expected to ascend from 0 to {nnz}; the file is damaged")
    for lo in range(0, nnz, _TILE):
        tile = columns[lo : lo + _TILE]
        wrong = np.flatnonzero((tile < 0) | (tile >= n_columns))
        if len(wrong):
            row = int(np.searchsorted(indptr, lo + wrong[0], side="right")) - 1
            raise DataFileError(
                f"{path}: row {row} names column {tile[wrong[0]]}, expected 0 to {n_columns - 1}; the file is damaged"
            )
    numbers = np.int32 if max(nnz, n_columns - 1) < 2**31 else np.int64
    arrays = (values, columns.astype(numbers, copy=False), indptr.astype(numbers, copy=False))
    return sp.csr_array(arrays, shape=shape)


def _sizes_of(path: str | os.PathLike[str], raw: bytes) -> tuple[int, int, int]:
    """Return rows, columns and stored values of a file that begins like this."""
    if len(raw) < SIZES.size:
        raise DataFileError(f"{path}: torn: {len(raw)} bytes, expected at least {SIZES.size} of a csr file")
    n, n_columns, nnz = SIZES.unpack(raw)
    if n < 0 or nnz < 0 or not 1 <= n_columns <= MOST_COLUMNS:
        raise DataFileError(
            f"{path}: the header says {n} rows, {n_columns} columns and {nnz} values, expected no negative number "
            "and 1 to 2**31 columns; not a csr file?"
        )
    return n, n_columns, nnz


def _mapped_parts(path: str | os.PathLike[str]) -> tuple[Parts, int]:
    with open(path, "rb") as file:
        n, n_columns, nnz = _sizes_of(path, file.read(SIZES.size))
    check_size(path, length_of(n, nnz), f"{n} rows of {nnz} values in csr")
    indptr = mapped(path, _INDPTR, (n + 1,), SIZES.size)
    columns = mapped(path, _COLUMNS, (nnz,), SIZES.size + indptr.nbytes)
    values = mapped(path, _VALUES, (nnz,), SIZES.size + indptr.nbytes + columns.nbytes)
    return (indptr, columns, values), n_columns


def _unpacked_parts(path: str | os.PathLike[str]) -> tuple[Parts, int]:
    with unpacked(path) as content:
        n, n_columns, nnz = _sizes_of(path, content.read(SIZES.size))
        check_inflated(path, length_of(n, nnz), os.path.getsize(path))
        indptr = _filled(path, content, np.empty(n + 1, _INDPTR))
        columns = _filled(path, content, np.empty(nnz, _COLUMNS))
        values = _filled(path, content, np.empty(nnz, _VALUES))
        if content.read(1):
            raise DataFileError(f"{path}: goes on after the {nnz} values that its header says; not a csr file?")
    return (indptr, columns, values), n_columns


def _filled(path: str | os.PathLike[str], content: IO[bytes], array: NDArray[Any]) -> NDArray[Any]:
    rest = memoryview(array.view(np.uint8))  # type: ignore[arg-type]
    while len(rest):
        n_read = content.readinto(rest)  # type: ignore[attr-defined]
        if not n_read:
            raise DataFileError(f"{path}: torn: ends {len(rest)} bytes before its header says; fetch it again")
        rest = rest[n_read:]
    return array
