"""Metrics as Euclidean spaces: what a graph walks in, whatever distance the caller asked for.

======== ==================================== ============================================
metric   a stored row x is walked as          a query q is walked as
======== ==================================== ============================================
l2       x                                    q
cosine   x / |x|                              q / |q|
ip       (x, sqrt(limit**2 - |x|**2))         (q * limit / |q|, 0)
======== ==================================== ============================================

The last line is the reduction of maximum inner product to nearest neighbour search of Bachrach et al. (2014), "Speeding
up the Xbox recommender system using a Euclidean transformation": all walked rows have length ``limit``, so the
nearest row is the one with the greatest inner product, and long rows do not swallow the edges of short ones.
"""

from dataclasses import dataclass

import numpy as np

METRICS = ("l2", "ip", "cosine")
METRIC_CODES = {metric: code for code, metric in enumerate(METRICS)}


@dataclass(frozen=True)
class Space:
    """A metric over ``dim`` dimensions; ``limit`` is the length of walked rows under ip (0 otherwise)."""

    metric: str
    dim: int
    limit: float = 0.0

    @property
    def walk_dim(self) -> int:
        """Dimensions that are walked in."""
        return self.dim + (self.metric == "ip")

    @property
    def padded_dim(self) -> int:
        """``walk_dim`` filled up to whole blocks of 16."""
        return -(-self.walk_dim // 16) * 16

    def walk_rows(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Rows (m, dim) float32 as they are walked: (m, padded_dim) float32, filled up with zeros.

        A zero row under cosine is at distance 1 from everything; it is walked as a direction drawn from its slot, since
        the origin would be nearer to all rows than most rows are to each other.
        """
        out = np.zeros((len(rows), self.padded_dim), np.float32)
        out[:, : self.dim] = rows
        if self.metric == "cosine":
            lengths = row_lengths(rows)
            for i in np.flatnonzero(lengths == 0):
                out[i, : self.dim] = np.random.default_rng((0x5EED, int(slots[i]))).standard_normal(self.dim)
                lengths[i] = np.linalg.norm(out[i])
            out[:, : self.dim] = (out[:, : self.dim] / lengths[:, None]).astype(np.float32)
        elif self.metric == "ip":
            rest = self.limit**2 - row_lengths(rows) ** 2
            out[:, self.dim] = np.sqrt(np.maximum(rest, 0))
        return out

    def admits(self, rows: np.ndarray) -> bool:
        """Whether no row is longer than the space was made for."""
        return self.metric != "ip" or len(rows) == 0 or float(row_lengths(rows).max()) <= self.limit


def row_lengths(rows: np.ndarray) -> np.ndarray:
    """Euclidean lengths of float32 rows, in float64."""
    return np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def inverse_lengths(rows: np.ndarray) -> np.ndarray:
    """1 / length of each row as float32, 0 for a zero row."""
    lengths = row_lengths(rows)
    return np.divide(1.0, lengths, out=np.zeros(len(rows)), where=lengths > 0).astype(np.float32)
