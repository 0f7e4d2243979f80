"""Scratch memory of searches: one set for each call in flight, handed to kernels by its address."""

from __future__ import annotations

import numpy as np

from vecrecall.kernels.chunks import CHUNK, FOLD
from vecrecall.kernels.memory import address
from vecrecall.sparse.postings import RANGE
from vecrecall.vectors.memory import aligned_zeros

# Fields of the head (int64 each): addresses of parts, then what a kernel keeps there.
(
    WEIGHTS, TERM_OF, LISTS, MASSES, FACTORS, ROUNDINGS, FLOORS, SIGNS, SPANS, ACCUMULATORS, COUNTS, CHOSEN, VALUES,
    PLACES, WIDTHS, KEYS, BEST, MAXIMA, REACHED, LEAST, N_SCORED,
) = range(21)  # fmt: skip
_HEAD = 24
BUCKETS = 1024  # that values of accumulators are counted in
STRIP = 128  # chunks that are looked through, and then cleared while they are in the nearest cache


class Scratch:
    """Scratch for queries of up to ``n_terms`` weights and k answers, on segments of at most so many of each thing."""

    def __init__(self, *, n_terms: int, k: int, n_docs: int, n_units: int, n_columns: int) -> None:
        self.n_terms, self.k = n_terms, k
        lists = 8 * (2 * n_terms + 2)
        parts = {
            WEIGHTS: 4 * n_columns, TERM_OF: 4 * n_terms, LISTS: lists, MASSES: lists, FACTORS: lists,
            ROUNDINGS: lists, FLOORS: lists, LEAST: lists, SIGNS: lists, SPANS: 2 * lists, ACCUMULATORS: 2 * RANGE,
            COUNTS: 4 * BUCKETS, CHOSEN: 4 * (n_units + CHUNK), VALUES: 4 * (n_units + CHUNK), PLACES: 4 * n_docs,
            WIDTHS: 4 * n_docs, KEYS: 8 * max(n_docs, 2 * n_terms), BEST: 16 * k,
            MAXIMA: 2 * CHUNK * FOLD, REACHED: 4 * (STRIP + 1),
        }  # fmt: skip
        lines = [-(-n_bytes // 64) + 1 for n_bytes in parts.values()]
        self.memory = aligned_zeros((_HEAD + 8 * sum(lines),), np.int64)
        self.address, self.nbytes = address(self.memory), self.memory.nbytes
        self.ends = np.zeros(2, np.int64)  # of a single query
        at = _HEAD
        for part, n_lines in zip(parts, lines):
            self.memory[part] = self.address + 8 * at
            at += 8 * n_lines
