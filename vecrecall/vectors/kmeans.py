"""k-means by Lloyd's algorithm over rotated vectors: seeded, and the same for any number of threads.

Assignments are made by integer arithmetic, on the same tiles that answer searches: vectors and centroids are compared
by 8-bit codes, so that a vector lands in the list where a query of its place will look for it. Means are summed in
float64, in order.
"""

from __future__ import annotations

import numpy as np

from vecrecall.kernels.blocks import nearest_of_blocks, sum_by_list, write_blocks
from vecrecall.kernels.memory import address
from vecrecall.kernels.tile_functions import tile_function
from vecrecall.kernels.tiles import BLOCK, FOUND, NUMBERS, READ_BEHIND
from vecrecall.threads import Workers
from vecrecall.vectors.memory import aligned_zeros

PER_LIST = 64  # rows of a sample for each centroid
_ROUNDS = 8
_SLICE = 4096  # rows a worker assigns between looks at the caller
_SMALL = 8  # a list is refilled when it holds less than this part of the mean


class Blocks:
    """Vectors as blocks of codes; what is not filled is at infinity."""

    def __init__(self, codes: np.ndarray, addends: np.ndarray, scales: np.ndarray, width: int, bits: int) -> None:
        self.codes, self.addends, self.scales, self.width, self.bits = codes, addends, scales, width, bits

    @classmethod
    def empty(cls, n_blocks: int, width: int, bits: int) -> Blocks:
        """Room for blocks of nothing."""
        addends = aligned_zeros((n_blocks, BLOCK), np.float32)
        addends[:] = np.inf
        codes = aligned_zeros((n_blocks, BLOCK * width * bits // 8), np.uint8)
        return cls(codes, addends, aligned_zeros((n_blocks, BLOCK), np.float32), width, bits)

    def view(self, n: int) -> tuple[int, ...]:
        """Block view (:mod:`vecrecall.kernels.blocks`) of n vectors."""
        return (
            address(self.codes), self.codes.strides[0], address(self.addends), address(self.scales), n, self.width,
            self.bits,
        )  # fmt: skip

    def write(
        self, z: np.ndarray, lists: np.ndarray, centroids: np.ndarray, rests: np.ndarray, slots: np.ndarray,
        workers: Workers, *, products: bool,
    ) -> np.ndarray:  # fmt: skip
        """Code the rows of z (m, width) float32 into int32 slots; returns the squared errors of the codes (m,)."""
        errors = np.zeros(len(z), np.float32)

        def work(lo: int, hi: int) -> None:
            codes, residual = np.zeros(self.width, np.uint8), np.zeros(self.width, np.float32)
            write_blocks(
                self.view(0), address(z), lo, hi - lo, address(lists), address(centroids), address(rests),
                address(slots), int(products), address(codes), address(residual), address(errors),
            )  # fmt: skip

        workers.run(work, 0, len(z), _SLICE)
        return errors


class Centroids:
    """Centroids (k, width) float32, and their 8-bit codes by which vectors are compared with them."""

    def __init__(self, values: np.ndarray, *, products: bool = False) -> None:
        k, width = values.shape
        self.values = aligned_zeros((k, width), np.float32)
        self.values[:] = values
        n_blocks = -(-k // BLOCK)
        self.blocks = Blocks.empty(n_blocks, width, 8)
        self.listed = np.minimum(np.arange(n_blocks + READ_BEHIND), n_blocks - 1).astype(np.int32)
        zeros, origin = np.zeros(k, np.int32), np.zeros((1, width), np.float32)
        with Workers(1) as alone:
            self.blocks.write(
                self.values, zeros, origin, zeros.view(np.float32), np.arange(k, dtype=np.int32), alone,
                products=products,
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self.values)

    def nearest(self, z: np.ndarray, workers: Workers) -> tuple[np.ndarray, np.ndarray]:
        """(number of the nearest centroid int32, squared distance float32), by estimate, of rows (m, width)."""
        places, squares = np.zeros(len(z), np.int32), np.zeros(len(z), np.float32)
        n_blocks = len(self.blocks.codes)

        def work(lo: int, hi: int) -> None:
            width = self.blocks.width
            parts: list[np.ndarray] = [
                np.zeros((8, width), np.int8), np.zeros(8, np.int64), np.zeros((8, NUMBERS), np.float32),
                np.full(8, np.inf, np.float32), np.zeros((8, BLOCK * n_blocks + 16), np.float32),
                np.zeros(FOUND + 4 * 8, np.uint8).view(np.int64),
            ]  # fmt: skip
            parts[1][:] = address(parts[0])  # tiles that are not full look somewhere
            addresses = np.array([address(part) for part in parts], np.int64)
            nearest_of_blocks(
                self.blocks.view(len(self)), address(self.listed), tile_function(8, 8), address(z), lo, hi,
                address(places), address(squares), address(addresses),
            )  # fmt: skip

        workers.run(work, 0, len(z), _SLICE)
        return places, squares


def kmeans(
    z: np.ndarray, k: int, rng: np.random.Generator, workers: Workers, *, rounds: int = _ROUNDS,
    start: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Centroids (k, width) float32 of rows z (m, width) float32 in C order; width a multiple of 16, k <= m.

    A list that holds nearly nothing takes a row of one that holds too much, so that sizes are similar and lists are
    empty only where rows are equal. ``start``: centroids to begin with, in place of k rows drawn without replacement.
    """
    if start is None:
        start = z[np.sort(rng.choice(len(z), k, replace=False))]
    centroids = Centroids(start)
    for round_ in range(rounds):
        lists, _ = centroids.nearest(z, workers)
        sums, counts = np.zeros((k, z.shape[1])), np.zeros(k, np.int64)
        sum_by_list(z, len(z), z.shape[1], lists, sums, counts)
        means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centroids.values)
        if round_ < rounds - 1:
            _refill(means, counts, lists, z, rng)
        centroids = Centroids(means.astype(np.float32))
    return centroids.values


def _refill(
    means: np.ndarray, counts: np.ndarray, lists: np.ndarray, z: np.ndarray, rng: np.random.Generator
) -> None:
    """Move the centroids of lists that hold nearly nothing to rows of the largest ones."""
    small = np.flatnonzero(counts * _SMALL * len(counts) < len(lists))
    if len(small) == 0:
        return
    largest = np.argsort(-counts, kind="stable")[: len(small)]
    order = np.argsort(lists, kind="stable")
    starts = np.searchsorted(lists[order], np.arange(len(counts)))
    for number, source in zip(small.tolist(), largest.tolist()):
        if counts[source] > 1:
            means[number] = z[order[starts[source] + int(rng.integers(counts[source]))]]
