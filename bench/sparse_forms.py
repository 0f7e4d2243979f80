"""Sparse queries in the forms in which libraries take one: a CSR row, arrays of columns and weights, tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def as_rows(queries: sparse.csr_array) -> list[sparse.csr_array]:
    """CSR of one row each."""
    return [queries[[i]] for i in range(queries.shape[0])]


def as_pairs(queries: sparse.csr_array) -> list[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """(columns, weights) of each."""
    return [
        (queries.indices[first:end].astype(np.int32), queries.data[first:end].copy())
        for first, end in zip(queries.indptr[:-1], queries.indptr[1:])
    ]


def as_tokens(queries: sparse.csr_array) -> list[dict[str, float]]:
    """{name of the column: weight} of each."""
    return [{str(c): float(w) for c, w in zip(*pair)} for pair in as_pairs(queries)]
