"""Hubness: some rows are among the nearest neighbours of very many others, and some of none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.degrees import skewness
from vecrecall.exact.search import nearest
from vecrecall.vectors.rows import KeptRows

SAMPLE = 5_000  # rows, where not all are asked
_TILE = 2_048  # rows that ask at a time


@dataclass(frozen=True, eq=False, repr=False)
class Hubness:
    """How often rows are among the k nearest neighbours of others, of a set of rows that all ask for all.

    Attributes
    ----------
    slots : ndarray of int64, shape (m,)
        The rows of the set, ascending: all of an index, or a sample.
    n_k : ndarray of int64, shape (m,)
        Among the k nearest of how many others each of them is; k on average.
    k : int
    n : int
        Rows of the index.
    """

    slots: NDArray[np.int64]
    n_k: NDArray[np.int64]
    k: int
    n: int

    @property
    def skew(self) -> float:
        """Skewness of ``n_k``: above 1 is often called hubness."""
        return skewness(self.n_k)

    @property
    def anti_hubs(self) -> float:
        """Share of the rows that are among the nearest of none."""
        return float((self.n_k == 0).mean())

    @property
    def max(self) -> int:
        return int(self.n_k.max())

    @property
    def share_of_top(self) -> float:
        """Share of all places among the nearest that the most frequent hundredth of the rows takes."""
        top = np.sort(self.n_k)[::-1][: max(1, len(self.n_k) // 100)]
        return float(top.sum() / self.n_k.sum())

    def as_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return {
            "k": self.k, "n_asked": len(self.slots), "skew": self.skew, "anti_hubs": self.anti_hubs, "max": self.max,
            "share_of_top": self.share_of_top,
        }  # fmt: skip

    def __repr__(self) -> str:
        asked = "all" if len(self.slots) == self.n else f"a sample of {len(self.slots):,} of"
        return (
            f"Hubness: skew {self.skew:.2f} of how often a row is among the {self.k} nearest of the others, at most "
            f"{self.max:,} times, {100 * self.anti_hubs:.1f} % never ({asked} {self.n:,} rows)"
        )


def k_occurrences(
    rows: KeptRows, metric: str, k: int, slots: NDArray[np.int64], n_workers: int
) -> Hubness | None:
    """Count how often each of some rows is among the k nearest of the other ones; None where there are fewer than two.

    Parameters
    ----------
    rows : KeptRows
    metric : {"l2", "ip", "cosine"}
    k : int
        At most as many as there are others.
    slots : ndarray of int64, shape (m,)
        Each once. Rows that are not among them neither ask nor count, so that a sample is a smaller set with a k of
        the same meaning; if all rows were asked for the neighbours of a few, most would never be named by chance.
    n_workers : int

    Notes
    -----
    Exact: m * m * dim multiplications. Copies of the m rows are held.

    References
    ----------
    Radovanovic, Nanopoulos & Ivanovic (2010), "Hubs in space: popular nearest neighbors in high-dimensional data",
    Journal of Machine Learning Research 11.
    """
    k = min(k, len(slots) - 1)
    if k < 1:
        return None
    values = rows.values[slots, : rows.dim]
    n_k = np.zeros(len(slots), np.int64)
    for lo in range(0, len(slots), _TILE):
        own = np.arange(lo, min(lo + _TILE, len(slots)))
        found, _ = nearest(values, values[own].astype(np.float32), k, metric, own, n_workers)
        n_k += np.bincount(found.reshape(-1), minlength=len(slots))
    return Hubness(slots, n_k, k, rows.n)
