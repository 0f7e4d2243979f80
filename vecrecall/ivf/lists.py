"""Inverted lists as blocks of 32 codes: which blocks a list has, and which row stands in which place.

Lists only ever gain blocks: a last block that is not full is copied when its list grows, so what the index still holds
when an add fails is as it was, and an add costs what it adds. A block that no list has any more is used again by a
later add. A place is taken while its addend is finite, so a row can be taken out by one number. In a file blocks stand
in the order of lists, whatever their numbers were.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from vecrecall.kernels.tiles import BLOCK, READ_BEHIND
from vecrecall.vectors.kmeans import Blocks
from vecrecall.vectors.memory import aligned_zeros, grown


@dataclass(frozen=True, eq=False)
class Lists:
    """Blocks of codes, and the lists that they belong to."""

    blocks: Blocks
    row_of: np.ndarray  # (n blocks, 32) int32; -1 where a place is free
    n_blocks: int  # in use or free, at the front of the arrays
    sizes: np.ndarray  # (n_lists,) int32
    starts: np.ndarray  # (n_lists + 1,) int32: where a list's blocks begin in the directory
    directory: np.ndarray  # int32: blocks by list, and some more numbers that may be read
    spared: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    """Blocks that lists emptied on the way to these had: whoever still holds those looks there."""

    @classmethod
    def empty(cls, n_lists: int, width: int, bits: int) -> Lists:
        return cls(
            Blocks.empty(0, width, bits), aligned_zeros((0, BLOCK), np.int32), 0, np.zeros(n_lists, np.int32),
            np.zeros(n_lists + 1, np.int32), np.zeros(READ_BEHIND, np.int32),
        )  # fmt: skip

    @property
    def n_lists(self) -> int:
        return len(self.sizes)

    @property
    def used(self) -> np.ndarray:
        """Which places of the blocks by list hold a row: (blocks, 32) bool."""
        n_of = np.diff(self.starts)
        first = np.arange(len(self.listed)) - np.repeat(self.starts[:-1], n_of)
        return np.arange(BLOCK) < (np.repeat(self.sizes, n_of) - BLOCK * first)[:, None]

    @property
    def listed(self) -> np.ndarray:
        """Blocks by list."""
        return self.directory[: self.starts[-1]]

    def rows(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(slots, rows) of a list, in the order in which they came."""
        blocks = self.directory[self.starts[number] : self.starts[number + 1]].astype(np.int64)
        slots = (blocks[:, None] * BLOCK + np.arange(BLOCK)).reshape(-1)[: self.sizes[number]]
        return slots.astype(np.int32), self.row_of.reshape(-1)[slots]

    def with_lists(self, n_lists: int, emptied: np.ndarray) -> Lists:
        """The same with more lists, empty ones, and with some of the old ones emptied."""
        old = self.n_lists
        sizes = np.zeros(n_lists, np.int32)
        sizes[:old] = self.sizes
        n_of = np.zeros(n_lists, np.int64)
        n_of[:old] = np.diff(self.starts)
        kept = np.ones(n_lists, bool)
        kept[emptied] = False
        directory = self.listed[np.repeat(kept, n_of)]
        sizes[emptied] = n_of[emptied] = 0
        starts = np.concatenate([[0], np.cumsum(n_of)]).astype(np.int32)
        spared = np.concatenate([self.spared, self.listed])
        return replace(self, sizes=sizes, starts=starts, directory=readable(directory), spared=spared)

    def with_rows(self, lists: np.ndarray, rows: np.ndarray) -> tuple[Lists, np.ndarray]:
        """Places for rows by number in lists (m,): the grown lists and the slots (m,) int32, still at infinity."""
        counts = np.bincount(lists, minlength=self.n_lists)
        grows = counts > 0
        tails = np.where(grows, self.sizes % BLOCK, 0)
        n_old = np.diff(self.starts) - (tails > 0)
        n_new = -(-(tails + counts) // BLOCK)
        new, n_blocks = self._unused(int(n_new.sum()))
        blocks = self._with_room(n_blocks)
        row_of = grown(self.row_of, n_blocks)
        blocks.codes[new], blocks.addends[new], blocks.scales[new], row_of[new] = 0, np.inf, 0, -1
        first_new = np.cumsum(n_new) - n_new

        copied = np.flatnonzero(tails > 0)
        sources, targets = self.directory[self.starts[copied + 1] - 1], new[first_new[copied]]
        for array, own in zip(
            (blocks.codes, blocks.addends, blocks.scales, row_of),
            (self.blocks.codes, self.blocks.addends, self.blocks.scales, self.row_of),
        ):
            array[targets] = own[sources]

        starts = np.concatenate([[0], np.cumsum(n_old + n_new)])
        directory = np.empty(starts[-1], np.int32)
        directory[_runs(starts[:-1], n_old)] = self.directory[_runs(self.starts[:-1], n_old)]
        directory[_runs(starts[:-1] + n_old, n_new)] = new

        order = np.argsort(lists, kind="stable")
        by_list = lists[order]
        place = tails[by_list] + np.arange(len(lists)) - (np.cumsum(counts) - counts)[by_list]
        slots = np.empty(len(lists), np.int32)
        slots[order] = new[first_new[by_list] + place // BLOCK] * BLOCK + place % BLOCK
        row_of.reshape(-1)[slots] = rows
        sizes = (self.sizes + counts).astype(np.int32)
        return Lists(blocks, row_of, n_blocks, sizes, starts.astype(np.int32), readable(directory)), slots

    def _unused(self, n: int) -> tuple[np.ndarray, int]:
        """(numbers of n blocks that nobody looks at, the lowest first; how many blocks there are with them)."""
        used = np.zeros(self.n_blocks, bool)
        used[self.listed] = used[self.spared] = True
        free = np.flatnonzero(~used)[:n]
        n_blocks = self.n_blocks + n - len(free)
        return np.concatenate([free, np.arange(self.n_blocks, n_blocks)]).astype(np.int32), n_blocks

    def _with_room(self, n_blocks: int) -> Blocks:
        own = self.blocks
        return Blocks(
            grown(own.codes, n_blocks), grown(own.addends, n_blocks), grown(own.scales, n_blocks), own.width, own.bits
        )

    def nbytes(self) -> dict[str, int]:
        """Bytes held: of codes with their scales and addends, of lists."""
        own = self.blocks
        lists = (self.row_of, self.sizes, self.starts, self.directory)
        return {
            "codes": own.codes.nbytes + own.addends.nbytes + own.scales.nbytes,
            "lists": sum(array.nbytes for array in lists),
        }


def _runs(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """start, start + 1, ... of each run, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def readable(directory: np.ndarray) -> np.ndarray:
    """Blocks by list with some more numbers behind, as tiles read them."""
    return np.concatenate([directory, np.zeros(READ_BEHIND, np.int32)]).astype(np.int32)
