"""`Exact`: every row is compared with every query. The truth that everything else is measured by."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from vecrecall.errors import CorruptIndexError, IndexFileError
from vecrecall.exact.search import nearest
from vecrecall.file import File
from vecrecall.hits import Hits
from vecrecall.ids import Ids
from vecrecall.index import Index, restore_shared
from vecrecall.inputs import Rows, as_choice, as_count, as_queries, as_rows, n_zero_rows, warn_of_zeros
from vecrecall.threads import n_threads
from vecrecall.vectors.spaces import METRICS

_KEPT = ("uint8", "float16", "float32")  # each holds what those before it hold


class Exact(Index):
    """Exact nearest neighbours by comparing with every row.

    Made by `build` or `vecrecall.load`. Searches may run in several threads at once; `add` waits for them.

    Notes
    -----
    An answer is the true one, to the last bit of its float32 distance: rows are compared by direct float64
    differences wherever the fast float32 form cannot be proved to give the same (see
    `vecrecall.exact.search`). Equal distances stand in the order of insertion.

    Examples
    --------
    >>> import numpy as np
    >>> index = Exact.build(np.array([[0, 0], [3, 4], [0, 1]]))
    >>> hits = index.search([0, 0], k=2)
    >>> hits.ids, hits.distances
    (array([0, 2]), array([0., 1.], dtype=float32))
    >>> index
    Exact: 3 vectors of 2 dimensions, metric l2
    rows kept as uint8, 6 bytes
    """

    kind = "exact"

    def __init__(self, rows: NDArray[Any], metric: str, ids: Ids, keep: str) -> None:
        super().__init__(rows.shape[1], metric, ids)
        self._rows = rows  # of some capacity; the first len(self) are filled
        self._keep = keep

    @classmethod
    def build(
        cls,
        X: ArrayLike,
        *,
        metric: str | None = None,
        ids: ArrayLike | None = None,
        keep: str = "auto",
        threads: int | None = None,
    ) -> "Exact":
        """Build an index of the rows of a matrix; they are copied.

        Parameters
        ----------
        X : array_like of real numbers, shape (n, dim)
            Read in tiles; n may be 0. Values are rounded to float32. Or a scipy sparse matrix, for inner products.
        metric : {"l2", "ip", "cosine"}, optional
            Euclidean distance, minus the inner product, or 1 - cosine. Default "l2"; "ip", and nothing else, for a
            sparse matrix.
        ids : array_like of int64 or str, shape (n,), optional
            Unique; -1 is taken (it marks missing places). Default 0..n-1.
        keep : {"auto", "uint8", "float16", "float32"}, default "auto"
            How rows are kept: never with a loss. "auto" is the narrowest of the others that has none.
        threads : int, optional
            Checked as in all engines; building is one copy, which more threads do not hasten.

        Returns
        -------
        Exact
            Memory: n * dim * (1, 2 or 4) bytes, plus ids.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as stated above, holds NaN or infinity, or `keep` would lose something.

        Warns
        -----
        UserWarning
            Once, with their count, if rows are zero under cosine: they are at distance 1 from everything.
        """
        if sp.issparse(X):
            return cls._of_sparse(X, metric, ids, keep, threads)
        metric = as_choice("l2" if metric is None else metric, "metric", METRICS)
        as_choice(keep, "keep", ("auto", *_KEPT))
        n_threads(threads)
        rows = as_rows(X)
        index = cls(np.empty((0, rows.dim), _KEPT[0] if keep == "auto" else keep), metric, Ids(), keep)
        index._append(rows, ids)
        return index

    @staticmethod
    def _of_sparse(X: Any, metric: str | None, ids: Any, keep: str, threads: int | None) -> "Exact":
        from vecrecall.exact.sparse import SparseExact

        if metric not in (None, "ip"):
            raise ValueError(
                f"metric is {metric!r}, expected 'ip' for a sparse matrix; scale its rows to length 1 for cosine, "
                "or give X.toarray()"
            )
        as_choice(keep, "keep", ("auto", "float32"))
        return SparseExact.of(X, ids, threads)

    def add(self, X: ArrayLike, ids: ArrayLike | None = None) -> None:
        """Add rows; on an error the index stays as it was.

        Parameters
        ----------
        X, ids
            As in `build`. Ids must be given if they were at the build, and may not if they were not.

        Raises
        ------
        TypeError, ValueError
            As `build`, and if an id is in the index already.

        Notes
        -----
        Capacity doubles when it is full: at that moment the old and the new copy are in memory. So are they
        when rows come that need a wider dtype. A mapped index is copied to memory by its first `add`.
        """
        rows = as_rows(X, dim=self._dim)
        with self._lock.alone:
            self._append(rows, ids)

    def _append(self, rows: Rows, ids: Any) -> None:
        n = len(self)
        end = n + rows.n
        checked = self._ids.checked(ids, rows.n)
        dtype = self._dtype_with(rows)
        buffer = self._rows
        if end > len(buffer) or dtype != buffer.dtype:
            capacity = len(buffer) if end <= len(buffer) else max(end, 2 * len(buffer)) if n else end
            buffer = np.empty((capacity, self._dim), dtype)
            buffer[:n] = self._rows[:n]
        n_zero = 0
        for lo, tile in rows.tiles():
            buffer[n + lo : n + lo + len(tile)] = tile
            n_zero += n_zero_rows(tile)
        if self._metric == "cosine":
            warn_of_zeros(n_zero, "row")  # where warnings are errors: before anything changed
        self._rows, self._ids = buffer, self._ids.extended(checked, rows.n)

    def _dtype_with(self, rows: Rows) -> np.dtype[Any]:
        """Return the dtype that holds the present rows and the new ones."""
        if rows.n == 0:
            return self._rows.dtype
        needed = rows.narrowest().name
        if self._keep == "auto":
            present = self._rows.dtype.name if len(self) else _KEPT[0]
            return np.dtype(max(needed, present, key=_KEPT.index))
        if _KEPT.index(needed) > _KEPT.index(self._keep):
            raise ValueError(
                f"keep is {self._keep!r}, but X needs {needed} to be kept without loss; "
                "round X first, or build with keep='auto'"
            )
        return np.dtype(self._keep)

    def search(self, Q: ArrayLike, k: int = 10, *, exclude_self: bool = False, threads: int | None = None) -> Hits:
        """Find the k nearest rows of each query.

        Parameters
        ----------
        Q : array_like of real numbers, shape (dim,) or (q, dim)
            One vector gives answers of shape (k,), a batch (also of one) of shape (q, k).
        k : int, default 10
            More than there are rows gives missing places.
        exclude_self : bool, default False
            Q is the very matrix of the index: query i is row i (by the order of insertion), which is left out
            of its own answer, by its number and not by its distance: its duplicates are found.
        threads : int, optional
            Default all the process may use; 1 works in the calling thread, with one BLAS thread.
            The answers do not depend on it.

        Returns
        -------
        Hits
            Exact: distances are float64 values rounded to float32; ties in the order of insertion.
            Each query takes len(self) evaluations.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as stated.

        Warns
        -----
        UserWarning
            Once, with their count, if queries are zero under cosine: everything is at distance 1 from them.

        Notes
        -----
        Extra memory, beside queries and answers: under 65 MB a thread, however many rows and columns; see
        `vecrecall.exact.search`.
        """
        queries, single = as_queries(Q, self._dim)
        k = as_count(k, "k")
        workers = n_threads(threads)
        with self._lock.shared:
            n = len(self)
            left_out = np.full(len(queries), -1)
            if exclude_self:
                if single or len(queries) != n:
                    raise ValueError(
                        f"Q holds {len(queries)} vectors, expected all {n} of the index in order, since "
                        "exclude_self takes query i for row i; give the whole matrix, or exclude_self=False"
                    )
                left_out = np.arange(n)
            if self._metric == "cosine":
                warn_of_zeros(n_zero_rows(queries), "query")
            slots, distances = nearest(self._rows[:n], queries, k, self._metric, left_out, workers)
            ids = self._ids.outer(slots)
        if single:
            return Hits(ids[0], distances[0], n, self._metric)
        return Hits(ids, distances, np.full(len(queries), n), self._metric)

    def check(self) -> None:
        """Walk every invariant: unique ids, as many rows as ids, finite rows whose norms can be squared.

        Raises
        ------
        CorruptIndexError
            Naming the first one broken.
        """
        with self._lock.shared:
            self._ids.check()
            if self._rows.shape[1:] != (self._dim,) or len(self._rows) < len(self):
                raise CorruptIndexError(f"rows have shape {self._rows.shape}, expected {len(self), self._dim}")
            try:
                as_rows(self._rows[: len(self)], name="rows:")
            except ValueError as error:
                raise CorruptIndexError(str(error)) from None

    def memory(self) -> dict[str, int]:
        """Return the bytes held, by part; spare capacity counts."""
        return {"rows": self._rows.nbytes, "ids": self._ids.nbytes()}

    def _parameters(self) -> dict[str, Any]:
        return {"keep": self._keep}

    def _counts(self) -> dict[str, int]:
        return {}

    def _sections(self) -> dict[str, NDArray[Any]]:
        return {"rows": self._rows[: len(self)]}

    def _storage(self) -> str:
        return f"rows kept as {self._rows.dtype}"

    @classmethod
    def _restore(cls, file: File) -> "Exact":
        dim, metric, ids = restore_shared(file)
        rows, keep = file.sections["rows"], file.parameters["keep"]
        if rows.shape != (ids.n, dim) or rows.dtype.name not in _KEPT or keep not in ("auto", rows.dtype.name):
            raise IndexFileError(
                f"section 'rows' is {rows.dtype} of shape {rows.shape} and keep is {keep!r}, "
                f"expected {_KEPT} of shape {ids.n, dim}"
            )
        return cls(rows, metric, ids, keep)
