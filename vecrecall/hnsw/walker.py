"""How many threads, lanes and candidates answer a call, and the scratch that waits between calls."""

from __future__ import annotations

import numpy as np

from vecrecall.hnsw.content import Content
from vecrecall.hnsw.scratch import Scratch
from vecrecall.hnsw.search import search_kernel
from vecrecall.threads import run
from vecrecall.vectors.walked import CodedRows

LANES = 4  # queries of a batch walked in turn
SHALLOWEST = 30  # the re-rank looks at half the pool, but not at fewer than this
_SLICE = 2048  # queries a worker answers between looks at the caller
_EF_ROOM = 128  # scratch serves calls of up to so many candidates at least


def rerank_depth(ef: int, k: int) -> int:
    """How many of the pool are ranked by kept rows: half of it, at least 30 and 3 k."""
    return min(ef, max(SHALLOWEST, 3 * k, ef // 2))


class Walker:
    """Answers queries on a content; keeps one scratch for each call that was in flight at once."""

    def __init__(self) -> None:
        self._idle: list[Scratch] = []

    def answer(
        self, content: Content, queries: np.ndarray, k: int, ef: int, n_workers: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(slots, distances, evals, hops), flat, of queries (q, dim) float32 in C order; evals -1: not finite."""
        n_queries, n = len(queries), content.n
        slots, distances = np.empty(n_queries * k, np.int64), np.empty(n_queries * k, np.float32)
        evals, hops = np.empty((2, n_queries), np.int64)
        ef = min(max(ef, k), n) or 1
        depth = ef if content.coarse else rerank_depth(ef, k)
        if content.graph.top < 0:  # no graph: the kernel ranks all rows
            ef = depth = n or 1
        n_lanes = min(n_queries, LANES)

        def walk(lo: int, hi: int) -> None:
            scratch = self._scratch(content, ef, n_lanes)
            search_kernel(
                content.plan_address, queries, lo, hi, n_lanes, ef, depth, k, scratch.address, slots, distances, evals,
                hops,
            )  # fmt: skip
            self._idle.append(scratch)

        if n_queries == 1:
            walk(0, 1)
        else:
            slices = _SLICE if n_workers == 1 else min(_SLICE, max(LANES, -(-n_queries // (4 * n_workers))))
            run(n_workers, walk, 0, n_queries, slices)
        return slots, distances, evals, hops

    def _scratch(self, content: Content, ef: int, n_lanes: int) -> Scratch:
        """Scratch for one call, taken out of those that wait; the caller puts it back."""
        while self._idle:
            try:
                scratch = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if scratch.serves(n_lanes, ef, content.capacity):
                return scratch
        walked = content.walked
        return Scratch(
            n_lanes=n_lanes, ef=max(ef, _EF_ROOM), capacity=content.capacity, width=content.graph.links.shape[1],
            padded_dim=content.space.padded_dim,
            form_bytes=walked.codec.padded_p if isinstance(walked, CodedRows) else 0,
            level_bytes=walked.rotation.level_bytes if isinstance(walked, CodedRows) else 0,
        )  # fmt: skip

    def nbytes(self) -> int:
        """Bytes of scratch that wait."""
        return sum(scratch.memory.nbytes for scratch in self._idle)
