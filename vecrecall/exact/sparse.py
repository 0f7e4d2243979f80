"""`Exact` over sparse rows: every list of a query's columns is added up, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.csr import Csr, as_csr, as_sparse_queries
from vecrecall.errors import CorruptIndexError, IndexFileError
from vecrecall.exact.index import Exact
from vecrecall.exact.sparse_search import Lists, lists_of, nearest_sparse
from vecrecall.file import File
from vecrecall.hits import Hits
from vecrecall.ids import Ids
from vecrecall.index import Index, restore_shared
from vecrecall.inputs import as_count
from vecrecall.sections import section
from vecrecall.threads import n_threads


class SparseExact(Exact):
    """What :meth:`Exact.build` makes of a sparse matrix: exact answers by inner product.

    An answer is a document that shares a column with the query. Scores are float64 sums in the order of columns,
    rounded to float32; equal ones stand in the order of insertion.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> index = Exact.build(sp.csr_array([[0.0, 1.5], [2.0, 0.0], [0.5, 1.0]]))
    >>> hits = index.search({1: 2.0}, k=3)
    >>> hits.ids, hits.scores
    (array([ 0,  2, -1]), array([  3.,   2., -inf], dtype=float32))
    """

    kind = "exact-sparse"

    def __init__(self, rows: Csr, ids: Ids) -> None:
        Index.__init__(self, rows.dim, "ip", ids)
        self._csr = rows
        self._lists: Lists | None = None

    @classmethod
    def of(cls, D: Any, ids: Any, threads: int | None) -> SparseExact:
        """Build an index of a sparse matrix."""
        n_threads(threads)
        rows = as_csr(D)
        taken = Ids()
        return cls(rows.copied(), taken.extended(taken.checked(ids, rows.n), rows.n))

    def add(self, X: Any, ids: Any = None) -> None:
        """Add rows, as :meth:`Exact.add`; X is a sparse matrix. The rows are copied, and the lists made anew."""
        rows = as_csr(X, name="X", dim=self._dim)
        with self._lock.alone:
            checked = self._ids.checked(ids, rows.n)
            self._csr, self._lists = self._csr.followed_by(rows), None
            self._ids = self._ids.extended(checked, rows.n)

    def search(self, Q: Any, k: int = 10, *, exclude_self: bool = False, threads: int | None = None) -> Hits:
        """Find the k rows of greatest inner product.

        Parameters
        ----------
        Q : scipy sparse matrix, shape (q, columns); or one query
            As for ``SparseIndex.search``.
        k, exclude_self, threads
            As for :meth:`Exact.search`.

        Returns
        -------
        Hits
            ``evals`` counts the rows that share a column with the query.
        """
        queries, single = as_sparse_queries(Q, self._dim)
        k = as_count(k, "k")
        n_workers = n_threads(threads)
        with self._lock.shared:
            n = len(self)
            left_out = np.full(queries.n, -1)
            if exclude_self:
                if single or queries.n != n:
                    raise ValueError(
                        f"Q holds {queries.n} vectors, expected all {n} of the index in order, since exclude_self "
                        "takes query i for row i; give the whole matrix, or exclude_self=False"
                    )
                left_out = np.arange(n)
            lists = self._lists
            if lists is None:
                lists = self._lists = lists_of(self._csr)
            slots, distances, evals = nearest_sparse(lists, queries, k, left_out, n_workers)
            ids = self._ids.outer(slots)
        return Hits(ids[0], distances[0], int(evals[0]), "ip") if single else Hits(ids, distances, evals, "ip")

    def check(self) -> None:
        """Walk every invariant: unique ids, as many rows as ids, columns that ascend, finite values."""
        with self._lock.shared:
            self._ids.check()
            if self._csr.n != len(self) or self._csr.dim != self._dim:
                raise CorruptIndexError(f"there are {self._csr.n} rows, expected {len(self)}")
            if not self._csr.in_order():
                raise CorruptIndexError("rows are not in order: columns ascend, values are finite and not zero")

    def memory(self) -> dict[str, int]:
        """Return the bytes held, by part; the lists are made by the first search."""
        csr = self._csr
        rows = csr.indptr.nbytes + csr.columns.nbytes + csr.values.nbytes
        return {"rows": rows, "lists": 0 if self._lists is None else self._lists.nbytes(), "ids": self._ids.nbytes()}

    def _parameters(self) -> dict[str, Any]:
        return {}

    def _sections(self) -> dict[str, NDArray[Any]]:
        return {"indptr": self._csr.indptr, "columns": self._csr.columns, "values": self._csr.values}

    def _storage(self) -> str:
        return f"{len(self._csr.values):,} entries kept as float32"

    @classmethod
    def _restore(cls, file: File) -> SparseExact:
        dim, _, ids = restore_shared(file)
        indptr = section(file, "indptr", np.int64, (ids.n + 1,))
        nnz = int(indptr[-1])
        rows = Csr(
            indptr, section(file, "columns", np.int32, (nnz,)), section(file, "values", np.float32, (nnz,)), dim
        )
        if not rows.in_order():
            raise IndexFileError("rows are not in order: columns ascend, values are finite and not zero")
        return cls(rows, ids)
