"""How long links are, against the distance to the nearest row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecrecall.exact.kept import kept_distances
from vecrecall.exact.search import nearest
from vecrecall.hnsw.graph import Graph
from vecrecall.vectors.rows import KeptRows

_TILE = 256  # rows whose links are measured at a time


@dataclass(frozen=True, eq=False, repr=False)
class EdgeLengths:
    """Lengths of the links that leave some rows, as multiples of the distance from the row to its nearest other.

    Attributes
    ----------
    ratios : ndarray of float64
        One for each link. Under cosine of chords, so that they are lengths there too.
    n_rows : int
        Rows that were looked at.
    n_duplicates : int
        Of these, rows with an equal one; they are left out, since their nearest is at distance 0.
    """

    ratios: NDArray[np.float64]
    n_rows: int
    n_duplicates: int

    @property
    def mean(self) -> float:
        return float(self.ratios.mean()) if len(self.ratios) else float("nan")

    def percentile(self, percent: float) -> float:
        """Return the ratio that so many per cent of the links have at most."""
        return float(np.percentile(self.ratios, percent)) if len(self.ratios) else float("nan")

    def as_dict(self) -> dict[str, float | None]:
        """Return the figures by name; None where no link was measured."""
        figures = {"mean": self.mean, "median": self.percentile(50), "p99": self.percentile(99)}
        counts = {"n_links": len(self.ratios), "n_rows": self.n_rows, "n_duplicates": self.n_duplicates}
        return {name: value if len(self.ratios) else None for name, value in figures.items()} | counts

    def __repr__(self) -> str:
        return (
            f"EdgeLengths: {self.mean:.2f} times the distance to the nearest row on average, median "
            f"{self.percentile(50):.2f}, 99 % at most {self.percentile(99):.2f} ({self.n_rows:,} rows, "
            f"{self.n_duplicates:,} of them with an equal one and left out)"
        )


def edge_lengths(
    graph: Graph, rows: KeptRows, metric: str, slots: NDArray[np.int64], n_workers: int
) -> EdgeLengths | None:
    """Measure the links of the base layer that leave some rows; None for products, which are no lengths.

    Exact: the rows are compared with all others, len(slots) * n * dim multiplications.
    """
    if metric == "ip":
        return None
    all_rows = rows.values[: rows.n, : rows.dim]
    parts, n_duplicates = [np.zeros(0)], 0
    for lo in range(0, len(slots), _TILE):
        own = slots[lo : lo + _TILE]
        asking = rows.take(own)
        shortest = _lengths(nearest(all_rows, asking, 1, metric, own, n_workers)[1], metric)
        used = np.arange(graph.links.shape[1]) < graph.n_links[own, None]
        linked = np.where(used, graph.links[own], -1).astype(np.int64)
        lengths = _lengths(kept_distances(rows, asking, linked, metric), metric)
        n_duplicates += int((shortest == 0).sum())
        used &= (shortest > 0) & np.isfinite(shortest)
        parts.append(lengths[used] / np.broadcast_to(shortest, used.shape)[used])
    return EdgeLengths(np.concatenate(parts), len(slots), n_duplicates)


def _lengths(distances: NDArray[np.float32], metric: str) -> NDArray[np.float64]:
    """Distances as `Hits` has them, as lengths."""
    lengths = distances.astype(np.float64)
    return np.sqrt(2 * lengths) if metric == "cosine" else lengths
