"""Lists that have grown far beyond the others are split: every query that comes near one would read all of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vecrecall.ivf.lists import Lists
from vecrecall.kernels.blocks import read_blocks
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers
from vecrecall.vectors.kmeans import PER_LIST, Centroids, kmeans

_TIMES, _LEAST = 8, 2048  # a list of so many times the mean, and of so many rows, is split
_ALIKE = 0.9  # a list is left whole where most of it would fall into one part: rows that are equal

Again = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
Placing = tuple[Lists, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def split_overfull(
    lists: Lists, values: np.ndarray, z: np.ndarray, rests: np.ndarray, numbers: np.ndarray, rows: np.ndarray,
    again: Again | None, rng: np.random.Generator, workers: Workers,
) -> Placing:  # fmt: skip
    """Split lists that would become too long.

    Takes lists, centroids (k, width), and the rows to be placed: z, rests, numbers of their lists, numbers of rows.
    Returns the same with more lists, and behind the rows to be placed those of split lists, which are to be placed
    anew. ``again`` gives (z, rests) of rows that were placed already; without it they are known by their codes.
    """
    sizes = lists.sizes + np.bincount(numbers, minlength=lists.n_lists)
    mean = max(1, int(sizes.sum()) // lists.n_lists)
    centroids, emptied = list(values[:, None]), []
    for number in np.flatnonzero(sizes > max(_TIMES * mean, _LEAST)).tolist():
        slots, old_rows = lists.rows(number)
        old_z, old_rests = again(old_rows) if again else _held(lists, values, number, slots)
        own = np.flatnonzero(numbers == number)
        together = np.ascontiguousarray(np.concatenate([z[own], old_z]))
        k = min(-(-len(together) // mean), len(together) // PER_LIST)
        sample = np.sort(rng.choice(len(together), min(len(together), PER_LIST * k), replace=False))
        parts = Centroids(kmeans(together[sample], k, rng, workers))
        of_parts, _ = parts.nearest(together, workers)
        if np.bincount(of_parts).max() > _ALIKE * len(together):
            continue
        new = np.concatenate([[number], len(centroids) + np.arange(k - 1)]).astype(np.int32)[of_parts]
        centroids[number] = parts.values[:1]
        centroids.extend(parts.values[1:, None])
        emptied.append(number)
        numbers = np.concatenate([numbers, new[len(own) :]])
        numbers[own] = new[: len(own)]
        z, rests = np.concatenate([z, old_z]), np.concatenate([rests, old_rests])
        rows = np.concatenate([rows, old_rows])
    if emptied:
        lists = lists.with_lists(len(centroids), np.array(emptied))
        values = np.ascontiguousarray(np.concatenate(centroids))
    return lists, values, z, rests, numbers, rows


def _held(lists: Lists, values: np.ndarray, number: int, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(z, rests) of the slots of a list, from their codes; the rests keep the energy of what codes lose."""
    z = np.empty((len(slots), values.shape[1]), np.float32)
    of_list = np.full(len(slots), number, np.int32)
    read_blocks(lists.blocks.view(0), len(slots), address(of_list), address(values), address(slots), address(z))
    residual, centroid = z - values[number], values[number]
    known = np.einsum("ij,ij->i", residual, residual) + 2 * residual @ centroid
    return z, np.maximum(lists.blocks.addends.reshape(-1)[slots] - known, 0).astype(np.float32)
