"""Metrics: in what form rows are walked, and which rows count as near while the graph is built.

======== ================================== ===================== ==========================================
metric   a stored row x is walked as        a query q asks as     when x is inserted or linked, it asks as
======== ================================== ===================== ==========================================
l2       x                                  q                     x
cosine   x / |x|                            q / |q|               x / |x|
ip       x / |x|, its products times |x|     q / |q|               x / |x|
======== ================================== ===================== ==========================================

Inner product is walked as it is, without a reduction to distances: each stored row asks as the query of its own
direction, so it is linked to the rows that such a query wants, which are long ones, and the heuristic compares
directions (the graph of Morozov & Babenko 2018, "Non-metric similarity graphs for maximum inner product search",
NeurIPS). Codes hold directions, the length stands beside them, so that long and short rows are coded equally well.
"""

from dataclasses import dataclass

import numpy as np

METRICS = ("l2", "ip", "cosine")
METRIC_CODES = {metric: code for code, metric in enumerate(METRICS)}


@dataclass(frozen=True)
class Space:
    """A metric over ``dim`` dimensions; under ip, ``limit`` is the length that scales of codes are relative to."""

    metric: str
    dim: int
    limit: float = 0.0

    @property
    def padded_dim(self) -> int:
        """``dim`` filled up to whole blocks of 16."""
        return -(-self.dim // 16) * 16

    def asking(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Rows (m, dim) float32 in the form in which they ask: (m, padded_dim) float32, filled up with zeros.

        A zero row has no direction; it is given one drawn from its slot. (Under cosine it is at distance 1 from
        everything, and the origin would be nearer to all rows than most rows are to each other.)
        """
        out = np.zeros((len(rows), self.padded_dim), np.float32)
        out[:, : self.dim] = rows
        if self.metric != "l2":
            lengths = row_lengths(rows)
            for i in np.flatnonzero(lengths == 0):
                out[i, : self.dim] = np.random.default_rng((0x5EED, int(slots[i]))).standard_normal(self.dim)
                lengths[i] = np.linalg.norm(out[i])
            out[:, : self.dim] = (out[:, : self.dim] / lengths[:, None]).astype(np.float32)
        return out


def row_lengths(rows: np.ndarray) -> np.ndarray:
    """Euclidean lengths of float32 rows, in float64."""
    return np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def inverse_lengths(rows: np.ndarray) -> np.ndarray:
    """1 / length of each row as float32, 0 for a zero row."""
    lengths = row_lengths(rows)
    return np.divide(1.0, lengths, out=np.zeros(len(rows)), where=lengths > 0).astype(np.float32)
