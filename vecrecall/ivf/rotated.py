"""Rows brought along the axes: what lists are made of."""

from __future__ import annotations

import numpy as np

from vecrecall.kernels.encode import project_rows
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers
from vecrecall.vectors.encoding import Rotation
from vecrecall.vectors.spaces import Space, row_lengths

_SLICE = 512  # rows a worker rotates between looks at the caller


class Rotated:
    """A function of rows: z (m, width) float32, the energy that z lacks, and the square of how far outside they were.

    Under ip a row is its direction, brought along the axes but not moved by their mean, times its length: products of
    such rows with queries in the same form are those of the vectors.
    """

    def __init__(self, space: Space, rotation: Rotation, shift: np.ndarray, workers: Workers) -> None:
        self.space, self.rotation, self.shift, self.workers = space, rotation, shift, workers

    def __call__(self, rows: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of rows (m, dim) float32 and their slots."""
        asking = self.space.asking(rows, slots)
        products = self.space.metric == "ip"
        z = np.empty((len(rows), self.rotation.padded_p), np.float32)
        rests, beyond = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)

        def work(lo: int, hi: int) -> None:
            levels, dots = np.zeros(self.rotation.level_bytes, np.uint8), np.zeros(z.shape[1] + 16, np.int32)
            project_rows(
                self.rotation.view, address(asking[lo:]), asking.strides[0], hi - lo, address(z[lo:]),
                address(rests[lo:]), address(beyond[lo:]), address(levels), address(dots),
            )  # fmt: skip

        self.workers.run(work, 0, len(rows), _SLICE)
        if products:
            lengths = row_lengths(rows).astype(np.float32)
            z, beyond = (z + self.shift) * lengths[:, None], rests * lengths**2  # products do not see what is lost
            rests = np.zeros(len(rows), np.float32)
        return z, rests, beyond
