"""Where a search enters the base layer: the nearest of a set of rows that cover the data.

The set is chosen farthest first (Gonzalez 1985, "Clustering to minimize the maximum intercluster distance") among a
sample. Its first members are the heads of groups, each other one belongs to the nearest head; a search compares the
heads and the members of the two nearest groups. Their codes stand together, so this takes less time than the walk
through the upper layers that it replaces. Coverage counts: where well-separated groups were inserted one after
another, the layers lead to the wrong group and no ``ef`` mends it. Inserting still goes by the layers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isqrt

import numpy as np

from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import kernel
from vecrecall.kernels.memory import address, load32, store32
from vecrecall.vectors.encoding import QueryForms
from vecrecall.vectors.walked import Copies, WalkedRows

MOST, FEWEST = 256, 64
ROWS_EACH = 16  # an entry for so many rows
ENTRY_BYTES = 1 << 15  # their codes stay in the cache nearest to the core
GROWN = 16  # chosen anew when the index has grown by a sixteenth
_SAMPLE = 16384


@dataclass(frozen=True, eq=False)
class Entries:
    """Slots of the entries (int32), chosen when the index held ``n`` rows, and copies of what is walked of them.

    They stand group by group, the head of a group first; ``sizes`` (int32) are those of the groups. ``listed`` are the
    places of the heads, then of the members of each group, each list filled up to a multiple of four with its last;
    ``starts`` says where in it the members of a group stand.
    """

    slots: np.ndarray
    sizes: np.ndarray
    n: int
    copies: Copies
    listed: np.ndarray = field(init=False)
    starts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        ends = np.cumsum(self.sizes)
        lists = [ends - self.sizes, *(np.arange(end - size, end) for size, end in zip(self.sizes, ends, strict=True))]
        filled = [np.append(places, np.repeat(places[-1], -len(places) % 4)) for places in lists]
        object.__setattr__(self, "listed", np.concatenate(filled).astype(np.int32))
        object.__setattr__(self, "starts", np.cumsum([len(places) for places in filled]).astype(np.int32))


def n_entries(n: int, row_bytes: int) -> int:
    """How many entries n rows get; 0: a search goes by the layers."""
    wanted = min(MOST, n // ROWS_EACH, ENTRY_BYTES // row_bytes)
    return wanted if wanted >= FEWEST else 0


def choose_entries(walked: WalkedRows, forms: QueryForms, n: int, first: int) -> Entries | None:
    """Farthest-first entries of n rows, or None where the layers serve better.

    The first is the entry of the graph, from which every row is reached.
    """
    wanted = n_entries(n, walked.arrays()[0].strides[0])
    if wanted == 0:
        return None
    sample = np.unique(np.append(np.linspace(0, n - 1, min(n, _SAMPLE)).astype(np.int32), np.int32(first)))
    candidates = np.append(sample, [0, 0, 0]).astype(np.int32)
    nearest, owner = np.full(len(sample), 0x7FFFFFFF, np.int32), np.zeros(len(sample), np.int32)
    keys, chosen = np.zeros(len(candidates), np.int32), np.zeros(wanted, np.int32)
    n_heads = isqrt(wanted)
    farthest_first(
        walked.view(), (address(forms.forms), forms.forms.strides[0], address(forms.bias)), address(candidates),
        len(sample), int(np.searchsorted(sample, first)), address(nearest), address(keys), wanted, address(chosen),
        n_heads, address(owner),
    )  # fmt: skip
    group = owner[np.searchsorted(sample, chosen)]
    group[:n_heads] = np.arange(n_heads)  # a head is its own, also among copies
    slots = chosen[np.argsort(group, kind="stable")]
    return Entries(slots, np.bincount(group, minlength=n_heads).astype(np.int32), n, Copies(walked, slots))


@kernel
def farthest_first(view, fv, candidates, n, at, nearest, keys, wanted, chosen, n_heads, owner):
    """Choose ``wanted`` of n candidates, first number ``at``, then each the farthest from those before.

    nearest: int32 by candidate, the greatest key at the start; owner: int32 by candidate, becomes the number of the
    nearest of the first ``n_heads`` chosen; keys: int32 scratch.
    """
    for i in range(wanted):
        row = load32(candidates, at)
        store32(chosen, i, row)
        distances(view, fv[0] + row * fv[1], load32(fv[2], row), candidates, n, keys)
        at = 0
        for j in range(n):
            if load32(keys, j) < load32(nearest, j):
                store32(nearest, j, load32(keys, j))
                if i < n_heads:
                    store32(owner, j, i)
            if load32(nearest, j) > load32(nearest, at):
                at = j
