"""Lists that have grown far beyond the others are split: every query that comes near one would read all of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vecrecall.ivf.lists import Lists
from vecrecall.kernels.blocks import read_blocks
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers
from vecrecall.vectors.kmeans import PER_LIST, Centroids, kmeans

_TIMES, _LEAST = 8, 2048  # a list of so many times the expected length, and of so many rows, is split
_ALIKE = 0.9  # a list is left whole where so much of it would fall into one part: rows that are equal
_LOOK = 256  # rows that are looked at first, whether they are equal

Again = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
Placing = tuple[Lists, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def split_overfull(
    lists: Lists, values: np.ndarray, z: np.ndarray, rests: np.ndarray, numbers: np.ndarray, rows: np.ndarray,
    expected: int, again: Again | None, rng: np.random.Generator, workers: Workers,
) -> Placing:  # fmt: skip
    """Split lists that become too long by the rows to be placed.

    Takes lists, centroids (k, width), and the rows to be placed: z, rests, numbers of their lists, numbers of rows;
    and how many rows a list is expected to hold. Returns the same with more lists, and behind the rows to be placed
    those of split lists, which are to be placed anew. ``again`` gives (z, rests) of rows that were placed already;
    without it they are known by their codes.
    """
    gained = np.bincount(numbers, minlength=lists.n_lists)
    overfull = (gained > 0) & (lists.sizes + gained > max(_TIMES * expected, _LEAST))
    centroids, emptied = list(values[:, None]), []
    moved: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []  # z, rests, numbers, rows
    numbers = numbers.copy()
    for number in np.flatnonzero(overfull).tolist():
        slots, old_rows = lists.rows(number)
        own = np.flatnonzero(numbers == number)
        look = slice(None, None, max(1, len(slots) // _LOOK))
        looked, _ = _placed(lists, values, number, slots[look], old_rows[look], again)
        if _share_of_equal(looked) > _ALIKE:
            continue
        old_z, old_rests = _placed(lists, values, number, slots, old_rows, again)
        together = np.ascontiguousarray(np.concatenate([z[own], old_z]))
        k = max(2, min(-(-len(together) // expected), len(together) // PER_LIST))
        sample = np.sort(rng.choice(len(together), min(len(together), PER_LIST * k), replace=False))
        parts = Centroids(kmeans(together[sample], k, rng, workers))
        of_parts, _ = parts.nearest(together, workers)
        if np.bincount(of_parts).max() > _ALIKE * len(together):
            continue
        new = np.concatenate([[number], len(centroids) + np.arange(k - 1)]).astype(np.int32)[of_parts]
        centroids[number] = parts.values[:1]
        centroids.extend(parts.values[1:, None])
        emptied.append(number)
        numbers[own] = new[: len(own)]
        moved.append((old_z, old_rests, new[len(own) :], old_rows))
    if emptied:
        z, rests, numbers, rows = (
            np.concatenate([first, *others]) for first, *others in zip((z, rests, numbers, rows), *moved)
        )
        lists = lists.with_lists(len(centroids), np.array(emptied))
        values = np.ascontiguousarray(np.concatenate(centroids))
    return lists, values, z, rests, numbers, rows


def _share_of_equal(z: np.ndarray) -> float:
    """Share of the most frequent row; 0 of none."""
    if len(z) == 0:
        return 0.0
    _, counts = np.unique(z, axis=0, return_counts=True)
    return float(counts.max() / len(z))


def _placed(
    lists: Lists, values: np.ndarray, number: int, slots: np.ndarray, rows: np.ndarray, again: Again | None
) -> tuple[np.ndarray, np.ndarray]:
    """(z, rests) of rows of a list; out of their codes the rests keep the energy of what codes lose."""
    if again is not None:
        return again(rows)
    slots = np.ascontiguousarray(slots)
    z = np.empty((len(slots), values.shape[1]), np.float32)
    of_list = np.full(len(slots), number, np.int32)
    read_blocks(lists.blocks.view(0), len(slots), address(of_list), address(values), address(slots), address(z))
    residual, centroid = z - values[number], values[number]
    known = np.einsum("ij,ij->i", residual, residual) + 2 * residual @ centroid
    return z, np.maximum(lists.blocks.addends.reshape(-1)[slots] - known, 0).astype(np.float32)
