"""Scratch memory of searches: one set for each call in flight, sized by policy, handed to kernels as addresses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecrecall.kernels.memory import address
from vecrecall.kernels.pool import FRONT
from vecrecall.kernels.survivors import ROOM
from vecrecall.kernels.tiles import BLOCK, NUMBERS, TILES
from vecrecall.vectors.axes import padded
from vecrecall.vectors.memory import aligned_zeros

# Fields of the head (int64 each): addresses of parts, and strides in bytes.
(
    FLOATS, FORMS, NUMBERS_OF, LENGTHS, RESTS, PROBES, BASES, FOUND, SLOTS, COUNTS, LIMITS, ORDER, OFFSETS, PAIRS,
    PAIR_BASES, TILE, TILE_NUMBERS, ESTIMATES, MASKS, LISTED, KEYS, NEXT, BEST, LEVELS, DOTS, Z, ASKED,
    CAPACITY, ESTIMATE_BYTES,
) = range(29)  # fmt: skip
_HEAD = 32
_LOWEST = np.iinfo(np.int64).min
_MOST = max(TILES)  # queries of the largest tile
_WIDEST = BLOCK * max(TILES.values())  # vectors that a tile takes at once, at most


@dataclass(frozen=True)
class Size:
    """What a scratch has room for."""

    n_queries: int
    n_lists: int
    n_probes: int
    depth: int  # candidates of a query, kept while its lists are scanned
    ranked: int  # candidates that are ranked at the end
    k: int
    dim: int  # padded
    width: int  # of codes
    level_bytes: int

    @property
    def capacity(self) -> int:
        """Entries of a buffer of survivors: twice what is kept of it, and the surplus of a cut."""
        return padded(2 * self.depth + 5 * BLOCK, 16)

    def holds(self, other: Size) -> bool:
        """Whether a scratch of this size serves another."""
        return all(getattr(self, name) >= getattr(other, name) for name in self.__dataclass_fields__)


class Scratch:
    """Scratch for one slice of a batch."""

    def __init__(self, size: Size) -> None:
        self.size = size
        n, probes = size.n_queries, size.n_queries * size.n_probes
        row = padded(size.n_lists, BLOCK) + _WIDEST + ROOM
        listed = max(size.ranked, size.n_lists, 64) + ROOM
        parts = {
            FLOATS: 4 * n * size.dim, FORMS: n * size.width, NUMBERS_OF: 4 * NUMBERS * n, LENGTHS: 4 * n, RESTS: 4 * n,
            PROBES: 4 * probes, BASES: 4 * probes, FOUND: 4 * (n * size.capacity + ROOM),
            SLOTS: 4 * (n * size.capacity + ROOM), COUNTS: 4 * n, LIMITS: 4 * n, ORDER: 4 * n,
            OFFSETS: 4 * (size.n_lists + 1), PAIRS: 4 * probes, PAIR_BASES: 4 * probes, TILE: _MOST * size.width,
            TILE_NUMBERS: 4 * NUMBERS * _MOST, ESTIMATES: 4 * _MOST * row, MASKS: 4 * _MOST * 4, LISTED: 4 * listed,
            KEYS: 4 * listed, NEXT: 4 * listed, BEST: 8 * (size.k + FRONT + 16), LEVELS: size.level_bytes,
            DOTS: 4 * (size.width + 16), Z: 4 * _MOST * size.width, ASKED: 4 * size.dim,
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
        self.memory[[CAPACITY, ESTIMATE_BYTES]] = size.capacity, 4 * row
