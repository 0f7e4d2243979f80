"""Scratch memory of searches: one set for each call in flight, sized by policy, handed to kernels as addresses."""

from __future__ import annotations

import numpy as np

from vecrecall.kernels.memory import address
from vecrecall.kernels.pool import FRONT
from vecrecall.kernels.survivors import ROOM
from vecrecall.kernels.tiles import BLOCK, FOUND as FOUND_BYTES, NUMBERS, READ_BEHIND, TILES
from vecrecall.vectors.axes import padded
from vecrecall.vectors.memory import aligned_zeros

# Fields of the head (int64 each): addresses of parts, and strides in bytes.
(
    FLOATS, FORMS, NUMBERS_OF, LENGTHS, RESTS, PROBES, BASES, FOUND, SLOTS, COUNTS, LIMITS, ORDER, OFFSETS, PAIRS,
    PAIR_BASES, QUERIES, NUMBERS_OF_TILE, LIMITS_OF_TILE, NO_LIMITS, ESTIMATES, STOPPED, LISTED, KEYS, NEXT, BEST,
    LEVELS, DOTS, Z, ASKED, BLOCKS, BLOCK_BASES, CAPACITY, ESTIMATE_BYTES,
) = range(33)  # fmt: skip
_HEAD = 40
NUMBERS_KEPT = NUMBERS + 1  # of a query, 32 bits each: those of a tile, and where sums start among centroids
_LOWEST = np.iinfo(np.int64).min
_MOST = max(TILES)  # queries of the largest tile
_WIDEST = BLOCK * max(TILES.values())  # vectors that a tile takes at once, at most


class Scratch:
    """Scratch for slices of ``n_queries``, each with ``n_probes`` lists, ``depth`` candidates and k answers.

    ``n_rows``: of an index without lists, whose rows are all candidates; else 0.
    """

    def __init__(
        self, *, n_queries: int, n_probes: int, depth: int, k: int, n_rows: int, n_lists: int, n_blocks: int, dim: int,
        width: int, level_bytes: int,
    ) -> None:  # fmt: skip
        self.n_queries, self.n_probes, self.depth, self.k = n_queries, n_probes, depth, k
        n, probes = n_queries, n_queries * n_probes
        capacity = padded(2 * depth + 5 * BLOCK, 16) if n_lists else 0
        row = padded(n_lists, BLOCK) + _WIDEST + ROOM
        listed = max(depth + ROOM, n_lists, n_rows) + ROOM
        no_limits = max(_MOST, -(-n_lists // BLOCK) + READ_BEHIND)
        parts = {
            FLOATS: 4 * n * dim, FORMS: n * width, NUMBERS_OF: 4 * NUMBERS_KEPT * n, LENGTHS: 4 * n, RESTS: 4 * n,
            PROBES: 4 * probes, BASES: 4 * probes, FOUND: 4 * (n * capacity + ROOM), SLOTS: 4 * (n * capacity + ROOM),
            COUNTS: 4 * n, LIMITS: 4 * n, ORDER: 4 * n, OFFSETS: 4 * (n_lists + 1), PAIRS: 4 * probes,
            PAIR_BASES: 4 * probes, QUERIES: 8 * _MOST, NUMBERS_OF_TILE: 4 * NUMBERS * _MOST,
            LIMITS_OF_TILE: 4 * max(_MOST, n_blocks + READ_BEHIND), NO_LIMITS: 4 * no_limits,
            ESTIMATES: 4 * _MOST * row, STOPPED: FOUND_BYTES + 4 * _MOST, LISTED: 4 * listed, KEYS: 4 * listed,
            NEXT: 4 * listed, BEST: 8 * (k + FRONT + 16), LEVELS: level_bytes, DOTS: 4 * (width + 16),
            Z: 4 * _MOST * width, ASKED: 4 * dim, BLOCKS: 4 * (n_blocks + READ_BEHIND), BLOCK_BASES: 4 * n_blocks,
        }  # fmt: skip
        lines = [-(-n_bytes // 64) + 1 for n_bytes in parts.values()]
        self.memory = aligned_zeros((_HEAD + 8 * sum(lines),), np.int64)
        self.address = address(self.memory)
        at = _HEAD
        for part, n_lines in zip(parts, lines):
            self.memory[part] = self.address + 8 * at
            if part == BEST:  # the lowest values in front of a pool
                self.memory[at : at + FRONT] = _LOWEST
                self.memory[part] += 8 * FRONT
            at += 8 * n_lines
        lo = (int(self.memory[NO_LIMITS]) - self.address) // 4
        self.memory.view(np.float32)[lo : lo + no_limits] = np.inf
        self.memory[[CAPACITY, ESTIMATE_BYTES]] = capacity, 4 * row

    def serves(self, n_queries: int, n_probes: int, depth: int, k: int) -> bool:
        """Whether a call of this size fits."""
        return (
            n_queries <= self.n_queries and n_probes <= self.n_probes and depth <= self.depth and k <= self.k
        )
