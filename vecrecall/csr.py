"""Sparse matrices and queries as callers hand them in, checked and put right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

MOST_COLUMNS = 2**31


@dataclass(frozen=True, eq=False)
class Csr:
    """Rows of a sparse matrix: columns ascending, each once, no zeros, finite.

    Attributes
    ----------
    indptr : ndarray of int64, shape (n + 1,)
    columns : ndarray of int32, shape (nnz,)
    values : ndarray of float32, shape (nnz,)
    dim : int
        Columns of the matrix, at most 2**31.
    """

    indptr: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    dim: int

    @property
    def n(self) -> int:
        return len(self.indptr) - 1

    def rows(self, lo: int, hi: int) -> Csr:
        """Rows [lo, hi), which share memory with these."""
        a, b = self.indptr[lo], self.indptr[hi]
        return Csr(self.indptr[lo : hi + 1] - a, self.columns[a:b], self.values[a:b], self.dim)

    def copied(self) -> Csr:
        """The same rows in memory of their own."""
        return Csr(self.indptr.copy(), self.columns.copy(), self.values.copy(), self.dim)

    def followed_by(self, other: Csr) -> Csr:
        """These rows and then others."""
        indptr = np.concatenate([self.indptr, other.indptr[1:] + self.indptr[-1]])
        columns = np.concatenate([self.columns, other.columns])
        return Csr(indptr, columns, np.concatenate([self.values, other.values]), self.dim)

    def in_order(self) -> bool:
        """Whether the rows are what this class promises."""
        indptr, columns, values = self.indptr, self.columns, self.values
        if indptr[0] != 0 or (np.diff(indptr) < 0).any() or indptr[-1] != len(columns) or len(values) != len(columns):
            return False
        if len(columns) and (columns.min() < 0 or int(columns.max()) >= self.dim):
            return False
        return _in_order(indptr, columns) and bool(np.isfinite(values).all() and values.all())


def as_csr(D: Any, *, name: str = "D", dim: int | None = None) -> Csr:
    """Check a sparse matrix and bring it into order; the caller's own is never changed.

    Parameters
    ----------
    D : scipy sparse matrix or array of real numbers, shape (n, columns)
        Of any format. Columns may be unsorted; values of a column that occurs twice in a row are added, in float64;
        zeros are dropped. Values are rounded to float32, one that becomes zero is dropped.
    name : str
        What messages call it.
    dim : int, optional
        Columns expected.

    Raises
    ------
    TypeError
        If D is dense, or its values are not real numbers.
    ValueError
        If it has another shape, more than 2**31 columns or none, or a value that is NaN, infinite or beyond float32.

    Examples
    --------
    >>> rows = as_csr(sp.coo_array(([1.0, 2.0, 0.5], ([0, 0, 0], [5, 2, 5])), shape=(1, 8)))
    >>> rows.columns, rows.values
    (array([2, 5], dtype=int32), array([2. , 1.5], dtype=float32))
    """
    if not sp.issparse(D):
        raise TypeError(
            f"{name} is a {type(D).__name__}, expected a scipy sparse matrix; give scipy.sparse.csr_array({name})"
        )
    if D.ndim != 2 or not 1 <= D.shape[1] <= MOST_COLUMNS:
        raise ValueError(f"{name} has shape {D.shape}, expected (n, columns) with 1 to 2**31 columns")
    if dim is not None and D.shape[1] != dim:
        raise ValueError(
            f"{name} has {D.shape[1]} columns, the index holds vectors of {dim}; encode both with the same model"
        )
    if D.dtype.kind not in "buif":
        raise TypeError(f"{name} has dtype {D.dtype}, expected real numbers; convert it with {name}.astype('float32')")
    if D.format not in ("csr", "csc"):
        D = D.astype(np.float64)  # these add what stands in one place as they are converted
    csr = D.tocsr()
    indptr, columns, given = (np.asarray(part) for part in (csr.indptr, csr.indices, csr.data))
    if indptr[0] != 0 or (np.diff(indptr) < 0).any() or indptr[-1] > min(len(columns), len(given)):
        raise ValueError(f"{name} has an indptr that does not ascend from 0 to {len(columns)} entries; build it anew")
    columns, given = columns[: indptr[-1]], given[: indptr[-1]]
    if len(columns) and not (0 <= columns.min() and columns.max() < D.shape[1]):
        at = int(np.flatnonzero((columns < 0) | (columns >= D.shape[1]))[0])
        row = int(np.searchsorted(indptr, at, side="right")) - 1
        raise ValueError(f"{name} row {row} names column {columns[at]}, expected 0 to {D.shape[1] - 1}; build it anew")
    if not _in_order(indptr, columns):
        csr = sp.csr_array((given.astype(np.float64), columns.copy(), indptr.copy()), shape=csr.shape)
        csr.sum_duplicates()
        indptr, columns, given = csr.indptr, csr.indices, csr.data
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(given, np.float32)
    if not np.isfinite(values).all():
        _refuse_value(indptr, columns, given, values, name)
    indptr = indptr.astype(np.int64)
    if not values.all():
        kept = values != 0
        indptr = np.concatenate([[0], np.cumsum(kept)])[indptr]
        columns, values = columns[kept], values[kept]
    return Csr(indptr, own(np.ascontiguousarray(columns, np.int32)), own(values), D.shape[1])


def own(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy if it is read-only (kernels would be compiled once more for such) or not aligned."""
    return array if array.flags.carray else array.copy()


def _in_order(indptr: NDArray[Any], columns: NDArray[Any]) -> bool:
    """Whether the columns of every row ascend, each once; a matrix may say so of itself and be wrong."""
    if len(columns) < 2:
        return True
    ascending = columns[1:] > columns[:-1]
    starts = indptr[1:-1]
    ascending[starts[(starts > 0) & (starts < len(columns))] - 1] = True
    return bool(ascending.all())


def _refuse_value(
    indptr: NDArray[Any], columns: NDArray[Any], given: NDArray[Any], values: NDArray[Any], name: str
) -> None:
    at = int(np.flatnonzero(~np.isfinite(values))[0])
    row = int(np.searchsorted(indptr, at, side="right")) - 1
    why = "which overflows float32; scale the weights down" if np.isfinite(given[at]) else "expected finite weights"
    raise ValueError(f"{name} row {row}, column {columns[at]} is {given[at]}, {why}")


def as_sparse_queries(Q: Any, dim: int, *, name: str = "Q") -> tuple[Csr, bool]:
    """Check one query or a batch; returns (rows, whether one vector was given).

    Parameters
    ----------
    Q : scipy sparse matrix (q, dim); or one query: a sparse array (dim,), {column: weight}, or (columns, weights)
        A matrix is a batch, also one of one row. Zeros are dropped, weights of one column added.
    dim : int
        Columns expected.

    Raises
    ------
    TypeError, ValueError
        As `as_csr`, and for columns out of range.
    """
    if sp.issparse(Q):
        if Q.ndim == 1:
            return as_csr(Q.reshape(1, -1).tocsr(), name=name, dim=dim), True
        return as_csr(Q, name=name, dim=dim), False
    if isinstance(Q, Mapping):
        columns, weights = list(Q.keys()), list(Q.values())
    elif isinstance(Q, tuple) and len(Q) == 2:
        columns, weights = Q
    else:
        raise TypeError(
            f"{name} is a {type(Q).__name__}, expected a scipy sparse matrix, or for one query {{column: weight}} or "
            "(columns, weights)"
        )
    numbers, values = np.asarray(columns), np.asarray(weights)
    if numbers.shape == values.shape == (0,):
        numbers, values = np.empty(0, np.int64), np.empty(0)
    if numbers.ndim != 1 or numbers.shape != values.shape:
        raise ValueError(f"{name} has columns {numbers.shape} and weights {values.shape}, expected as many of both")
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"{name} has columns of {numbers.dtype}, expected integers; map tokens to columns first")
    if values.dtype.kind not in "buif":
        raise TypeError(f"{name} has weights of {values.dtype}, expected real numbers")
    if len(numbers) and not (0 <= int(numbers.min()) and int(numbers.max()) < dim):
        wrong = numbers[(numbers < 0) | (numbers >= dim)][0]
        raise ValueError(f"{name} has column {wrong}, expected 0 to {dim - 1}")
    order = np.argsort(numbers, kind="stable")
    numbers, values = numbers[order], values[order]
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if np.isfinite(narrow).all() and narrow.all() and (numbers[1:] != numbers[:-1]).all():
        return Csr(np.array([0, len(numbers)]), numbers.astype(np.int32), narrow, dim), True
    row = sp.csr_array((values, numbers.astype(np.int64), np.array([0, len(numbers)])), shape=(1, dim))
    return as_csr(row, name=name), True
