"""How many queries are answered together, and the scratch that waits between calls."""

from __future__ import annotations

import numpy as np

from vecrecall.ivf.content import Content
from vecrecall.ivf.scratch import Scratch
from vecrecall.ivf.search import search_kernel
from vecrecall.threads import run

_SLICE = 2048  # queries answered together: more share the reading of lists, fewer fit the caches
_FEWEST = 64  # queries that a worker is started for
_BYTES = 1 << 26  # of candidates and chosen lists of a slice


class Searcher:
    """Answers queries on a content; keeps one scratch for each slice that was in flight at once, unless it is huge."""

    def __init__(self) -> None:
        self._idle: list[Scratch] = []

    def answer(
        self, content: Content, queries: np.ndarray, k: int, nprobe: int, rerank: int, n_workers: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(slots, distances, evals), flat, of queries (q, dim) float32 in C order; evals -1: a query is not finite."""
        n_queries = len(queries)
        slots, distances = np.empty(n_queries * k, np.int64), np.empty(n_queries * k, np.float32)
        evals = np.empty(n_queries, np.int64)
        n_probes = min(nprobe, content.n_lists)
        depth = min(max(rerank, k), max(content.n, 1))
        plan = content.plan_address
        slices = max(1, min(_SLICE, _BYTES // (16 * n_probes + 20 * depth + 1)))

        def work(lo: int, hi: int) -> None:
            scratch = self._scratch(content, hi - lo, n_probes, depth, k)
            search_kernel(plan, queries, lo, hi, n_probes, depth, k, scratch.address, slots, distances, evals)
            if scratch.memory.nbytes <= 2 * _BYTES:
                self._idle.append(scratch)

        if n_queries <= min(slices, _FEWEST):
            work(0, n_queries)
        else:
            run(n_workers, work, 0, n_queries, min(slices, max(_FEWEST, -(-n_queries // (2 * n_workers)))))
        return slots, distances, evals

    def _scratch(self, content: Content, n_queries: int, n_probes: int, depth: int, k: int) -> Scratch:
        """Scratch for one call, taken out of those that wait; the caller puts it back."""
        while self._idle:
            try:
                scratch = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if scratch.serves(n_queries, n_probes, depth, k):
                return scratch
        rotation, lists = content.rotation, content.lists
        return Scratch(
            n_queries=n_queries, n_probes=n_probes, depth=depth, k=k, n_rows=0 if lists else content.n,
            n_lists=content.n_lists, n_blocks=0 if lists is None else len(lists.listed), dim=content.space.padded_dim,
            width=0 if rotation is None else rotation.padded_p,
            level_bytes=0 if rotation is None else rotation.level_bytes,
        )  # fmt: skip

    def nbytes(self) -> int:
        """Bytes of scratch that wait."""
        return sum(scratch.memory.nbytes for scratch in self._idle)
