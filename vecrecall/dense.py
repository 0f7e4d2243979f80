"""What the approximate engines for dense vectors share: how rows are admitted, how queries are taken and answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import CorruptIndexError
from vecrecall.hits import Hits
from vecrecall.ids import Ids
from vecrecall.index import Index
from vecrecall.inputs import Rows, as_queries, n_zero_rows, refuse_not_finite, warn_of_zeros
from vecrecall.threads import n_threads
from vecrecall.vectors.rows import kept_type

_MOST = 2**31  # slots and their double fit 32 bits with a sign


class DenseIndex(Index):
    """Base of the approximate engines over dense vectors; each holds its vectors in a content of n rows."""

    _content: Any

    def _admitted(self, rows: Rows, ids: Any, keep: str | None) -> tuple[NDArray[Any] | None, np.dtype]:
        """(checked ids, type that the rows are kept in) of rows to be added; raises before anything changes."""
        checked = self._ids.checked(ids, rows.n)
        dtype = kept_type(rows, keep)
        if self._ids.n + rows.n >= _MOST:
            raise ValueError(f"{self._ids.n + rows.n} vectors, expected fewer than 2**31; use several indexes")
        if self._metric == "cosine":
            warn_of_zeros(sum(n_zero_rows(tile) for _, tile in rows.tiles()), "row")
        return checked, dtype

    def _check(self, check_content: Callable[[Any], None]) -> None:
        """Check ids and content, and that they are of as many vectors."""
        with self._lock.shared:
            self._ids.check()
            check_content(self._content)
            if self._ids.n != self._content.n:
                raise CorruptIndexError(f"there are {self._ids.n} ids of {self._content.n} vectors")

    def _checked_queries(self, Q: Any) -> tuple[np.ndarray, int]:
        """(queries (q, dim) float32 in C order, q), wholly checked; for measuring, where a look costs little."""
        queries, _ = as_queries(Q, self._dim)
        if self._metric == "cosine":
            warn_of_zeros(n_zero_rows(queries), "query")
        return queries if queries.flags.carray else queries.copy(), len(queries)

    def _exact_distances(self) -> bool:
        """Whether answers hold the distances of kept rows, and not those of codes."""
        return self._content.kept is not None

    def _plain_hits(self, answers: tuple[np.ndarray, np.ndarray, np.ndarray], k: int) -> Hits:
        """Hits of (slots, distances, evals), flat, as they are; within the lock."""
        slots, distances, evals = answers[0].reshape(-1, k), answers[1].reshape(-1, k), answers[2]
        return Hits(self._ids.outer(slots), distances, evals, self._metric)

    def _asked(self, Q: Any, threads: int | None) -> tuple[np.ndarray, bool, int]:
        """(queries (q, dim) float32, whether one vector was given, threads). The kernel notices what is not finite."""
        queries, single = as_queries(Q, self._dim, check_finite=False)
        if not queries.flags.carray:  # one type of array, or the kernel would be compiled once more
            queries = queries.copy()
        return queries, single, 1 if len(queries) == 1 and threads is None else n_threads(threads)

    def _hits(
        self, queries: np.ndarray, single: bool, k: int, answers: tuple[np.ndarray, np.ndarray, np.ndarray], ids: Ids,
        hops: np.ndarray | None = None,
    ) -> Hits:  # fmt: skip
        """Hits of (slots, distances, evals) as kernels wrote them, flat; evals -1: a query is not finite."""
        slots, distances, evals = answers
        alone = len(queries) == 1  # numpy's looks at arrays cost as much as a tenth of a single query
        if (evals[0] if alone else evals.min(initial=0)) < 0:
            refuse_not_finite(queries)
        if self._metric == "cosine" and (distances[0] == 1 if alone else (distances[::k] == 1).any()):
            n_zero = _answer_zeros(queries, slots, ids.n)
            warn_of_zeros(n_zero, "query")
        if ids.kind != "range":
            slots = ids.outer(slots)
        if single:
            return Hits(slots, distances, int(evals[0]), self._metric, None if hops is None else int(hops[0]))
        shape = (len(queries), k)
        return Hits(slots.reshape(shape), distances.reshape(shape), evals, self._metric, hops)


def _answer_zeros(queries: np.ndarray, slots: np.ndarray, n: int) -> int:
    """Give zero queries the first slots, since all are at distance 1 from them; returns how many there are."""
    zero = np.flatnonzero(~queries.any(axis=1))
    by_query = slots.reshape(len(queries), -1)
    m = min(n, by_query.shape[1])
    by_query[zero, :m] = np.arange(m)
    return len(zero)
