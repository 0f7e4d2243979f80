"""How calls are cut into slices, and the scratch that waits between them."""

from __future__ import annotations

import numpy as np

from vecrecall.csr import Csr
from vecrecall.ids import Ids
from vecrecall.kernels.memory import address
from vecrecall.sparse.content import Content
from vecrecall.sparse.parameters import Settings
from vecrecall.sparse.scratch import Scratch
from vecrecall.sparse.search import search_kernel
from vecrecall.threads import run

_INT64, _FLOAT32 = np.dtype(np.int64), np.dtype(np.float32)
_SLICE = 64  # queries answered by one thread before it takes more
_KEPT = 1 << 28  # bytes of scratch that wait at most, one at a time
_FEWEST_TERMS, _FEWEST_ANSWERS = 256, 128  # that scratch has room for


class Searcher:
    """Answers queries on a content, which never changes: a search needs no lock, it takes the searcher of its moment.

    Keeps one scratch for each slice that was in flight at once, unless it is huge.
    """

    def __init__(self, content: Content, ids: Ids) -> None:
        self.content, self.ids, self.n_living = content, ids, ids.n_living
        self._plans = np.array([address(segment.plan) for segment in content.segments], np.int64)
        self._plans_address, self._n_segments = address(self._plans), len(self._plans)
        self._idle: list[Scratch] = []

    def answer_one(
        self, columns: np.ndarray, values: np.ndarray, k: int, settings: Settings, exact: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(ids (1, k), distances, evals (1,)) of one query; evals -1: it is not in order."""
        n_terms, n_best = len(values), k if k < self.n_living else self.n_living
        scratch = self._scratch(n_terms, n_best)
        slots, distances, evals = np.empty((1, k), _INT64), np.empty((1, k), _FLOAT32), np.empty(1, _INT64)
        scratch.ends[1] = n_terms
        search_kernel(
            self._plans_address, self._n_segments, scratch.address, scratch.ends, columns, values, 0, 1,
            self.content.dim, k, n_best, settings.query_cut, settings.heap_factor, settings.impact_cut, exact, slots,
            distances, evals,
        )  # fmt: skip
        self._wait(scratch)
        return self._outer(slots), distances, evals

    def answer(
        self, queries: Csr, k: int, settings: Settings, exact: bool, n_workers: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(ids (q, k), distances, evals) of queries in order."""
        n_queries, n_best = queries.n, min(k, self.n_living)
        slots, distances = np.empty((n_queries, k), np.int64), np.empty((n_queries, k), np.float32)
        evals = np.empty(n_queries, np.int64)
        most_terms = int(np.diff(queries.indptr).max(initial=0))

        def work(lo: int, hi: int) -> None:
            scratch = self._scratch(most_terms, n_best)
            search_kernel(
                self._plans_address, self._n_segments, scratch.address, queries.indptr, queries.columns,
                queries.values, lo, hi, self.content.dim, k, n_best, settings.query_cut, settings.heap_factor,
                settings.impact_cut, exact, slots, distances, evals,
            )  # fmt: skip
            self._wait(scratch)

        run(n_workers, work, 0, n_queries, _SLICE)
        return self._outer(slots), distances, evals

    def _outer(self, slots: np.ndarray) -> np.ndarray:
        """The ids of slots; an index that numbers its documents itself calls them by their slots."""
        return slots if self.ids.kind == "range" else self.ids.outer(slots)

    def _scratch(self, n_terms: int, k: int) -> Scratch:
        """Scratch for one call, taken out of those that wait; the caller puts it back. One too small is dropped."""
        try:
            scratch = self._idle.pop()
            if n_terms <= scratch.n_terms and k <= scratch.k:
                return scratch
        except IndexError:  # none waits
            pass
        of = self.content.segments
        return Scratch(
            n_terms=max(n_terms, _FEWEST_TERMS), k=max(k, _FEWEST_ANSWERS), n_docs=max((s.n for s in of), default=0),
            n_units=max((-(-s.n // s.block) for s in of), default=0),
            n_columns=max((s.rows.n_terms for s in of), default=0),
        )  # fmt: skip

    def _wait(self, scratch: Scratch) -> None:
        if scratch.nbytes <= _KEPT:
            self._idle.append(scratch)

    def nbytes(self) -> int:
        """Bytes of scratch that wait."""
        return sum(scratch.nbytes for scratch in self._idle)
