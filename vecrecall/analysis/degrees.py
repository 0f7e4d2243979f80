"""How many links leave the nodes of a graph, and how many lead to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecrecall.hnsw.graph import Graph


@dataclass(frozen=True, eq=False, repr=False)
class Degrees:
    """Numbers of links, one for each node.

    Attributes
    ----------
    values : ndarray of int64, shape (n,)
        By slot.

    Examples
    --------
    >>> degrees = Degrees(np.array([0, 2, 2, 4]))
    >>> degrees.mean, degrees.median, degrees.n_zero, degrees.skew, degrees.counts.tolist()
    (2.0, 2.0, 1, 0.0, [1, 0, 2, 0, 1])
    """

    values: NDArray[np.int64]

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def min(self) -> int:
        return int(self.values.min())

    @property
    def max(self) -> int:
        return int(self.values.max())

    @property
    def n_zero(self) -> int:
        """Nodes that have none."""
        return int((self.values == 0).sum())

    @property
    def median(self) -> float:
        return self.percentile(50)

    @property
    def skew(self) -> float:
        """Skewness, the third standardised moment; 0 where all are equal."""
        return skewness(self.values)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many nodes have 0, 1, 2, ... of them."""
        return np.bincount(self.values)

    def percentile(self, percent: float) -> float:
        """Return the number that so many per cent of the nodes have at most."""
        return float(np.percentile(self.values, percent))

    def as_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return {
            "mean": self.mean, "min": self.min, "p1": self.percentile(1), "median": self.median,
            "p99": self.percentile(99), "max": self.max, "n_zero": self.n_zero, "skew": self.skew,
        }  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"Degrees: mean {self.mean:.1f} over {len(self.values):,} nodes, {self.min} to {self.max}, "
            f"skew {self.skew:.2f}"
        )


def skewness(values: NDArray[np.integer]) -> float:
    """Third standardised moment (of the population); 0 where all values are equal.

    Examples
    --------
    >>> round(skewness(np.array([0, 0, 0, 1])), 4)
    1.1547
    """
    centred = values - values.mean()
    spread = float(np.sqrt((centred**2).mean()))
    return float(((centred / spread) ** 3).mean()) if spread > 0 else 0.0


def links_in_use(graph: Graph) -> NDArray[np.int32]:
    """Where the links of the base layer lead, node after node, shape (number of links,)."""
    links = graph.links[: graph.n]
    return links[np.arange(links.shape[1]) < graph.n_links[: graph.n, None]]


def degrees(graph: Graph) -> tuple[Degrees, Degrees]:
    """(links that leave, links that lead to) each node of the base layer."""
    leaving = graph.n_links[: graph.n].astype(np.int64)
    return Degrees(leaving), Degrees(np.bincount(links_in_use(graph), minlength=graph.n))
