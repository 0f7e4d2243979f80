"""vecrecall in the sparse track of big-ann-benchmarks: `vr.SparseIndex`, by inner product."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from benchmark.datasets import DATASETS
from neurips23.sparse.base import BaseSparseANN

import vecrecall as vr


class VecrecallSparse(BaseSparseANN):
    """Answers are rows of the data set, k for each query, unique: see `_filled` for queries with fewer."""

    def __init__(self, metric: str, index_params: dict[str, Any]) -> None:
        """`index_params` holds keyword arguments of `vr.SparseIndex.build`."""
        if metric != "ip":
            raise ValueError(f"metric is {metric!r}, expected 'ip'; sparse vectors are compared by inner product")
        self._build, self._settings = dict(index_params), {}
        self._index: Any = None
        self.res: Any = None
        self._rename()

    def _rename(self) -> None:
        given = {**self._build, **self._settings}
        self.name = f"vecrecall({', '.join(f'{name}={value}' for name, value in given.items())})"

    def fit(self, dataset: str) -> None:
        """Build the index of a data set, and search it in every way, so that no query has to wait for a compiler."""
        ds = DATASETS[dataset]()
        if ds.data_type() != "sparse":
            raise ValueError(f"{dataset} is {ds.data_type()}, expected a sparse data set such as sparse-small")
        rows = next(iter(ds.get_dataset_iterator(ds.nb)))  # all at once: get_dataset() refuses the largest
        self._index = vr.SparseIndex.build(rows, **self._build)
        for exact in (False, True):
            self._index.search(rows[:9], 10, exact=exact)

    def load_index(self, dataset: str) -> bool:
        """Nothing is kept between runs."""
        return False

    def set_query_arguments(self, query_args: dict[str, Any]) -> None:
        """`query_args` holds query_cut, heap_factor and impact_cut, or target_recall, or exact of a search."""
        self._settings = dict(query_args)
        self._rename()

    def query(self, X: sp.csr_matrix, k: int) -> None:
        """Answer a batch of sparse queries."""
        n = len(self._index)
        if k > n:
            raise ValueError(f"k is {k}, but there are only {n} rows; ask for {n} or fewer")
        hits = self._index.search(_with_columns(X, self._index.dim), k, **self._settings)
        self.res = _filled(hits.ids, n)

    def get_results(self) -> np.ndarray:
        """Rows of the neighbours, shape (queries, k)."""
        return self.res

    def done(self) -> None:
        self._index = None


def _with_columns(X: sp.csr_matrix, n_columns: int) -> sp.csr_matrix:
    """The queries with as many columns as the rows have: the files of queries and rows need not agree.

    A column that no row has adds nothing to any inner product.
    """
    if X.shape[1] > n_columns:
        return X[:, :n_columns]
    return sp.csr_matrix((X.data, X.indices, X.indptr), shape=(X.shape[0], n_columns))


def _filled(ids: np.ndarray, n: int) -> np.ndarray:
    """Answers whose missing places (-1) hold the first rows that are not in them.

    Fewer than k are found where fewer than k rows share a column with the query. All others have an inner product of
    exactly zero, so any of them is the next best.
    """
    k = ids.shape[1]
    for i in np.flatnonzero(ids[:, -1] < 0):  # missing places stand at the end
        row = ids[i]
        n_found = np.count_nonzero(row >= 0)
        others = np.setdiff1d(np.arange(min(n, k + n_found)), row[:n_found])
        row[n_found:] = others[: k - n_found]
    return ids
