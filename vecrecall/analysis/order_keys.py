"""What rows are put in order by: keys, groups and picks, each computed once for all orders that ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.clusters import as_n_clusters, groups_of_clusters
from vecrecall.analysis.coresets import Coreset, coreset_of
from vecrecall.analysis.labels import groups_of_labels
from vecrecall.analysis.neighbours import Neighbours, neighbours_of
from vecrecall.analysis.points import Points
from vecrecall.analysis.pointwise import mle
from vecrecall.inputs import as_share

Doubles = NDArray[np.float64]
Groups = NDArray[np.int64]

SHARE = 0.02  # of the rows that come first in order "coreset"
K = 100  # neighbours behind LID and density

_BLOCK = 8192  # rows whose neighbours are counted together


@dataclass(frozen=True, eq=False)
class Keys:
    """Of one matrix, under one set of options (those of `vecrecall.analysis.order`)."""

    X: Any
    points: Points
    labels: Any = None
    lid: Any = None
    neighbours: Any = None
    k: int | None = None
    n_clusters: int | None = None
    share: float | None = None
    seed: int = 0
    threads: int | None = None
    progress: bool = False

    @property
    def n(self) -> int:
        """Rows there are."""
        return self.points.n

    def rng(self) -> np.random.Generator:
        """A generator at its start, so that no order depends on which others are made."""
        return np.random.Generator(np.random.PCG64(self.seed))

    @cached_property
    def found(self) -> Neighbours:
        """The neighbours of each row among the others, equal ones as one: what LID and density share."""
        return neighbours_of(
            self.X, K if self.k is None else self.k, metric=self.points.metric, given=self.neighbours, seed=self.seed,
            threads=self.threads, progress=self.progress,
        )  # fmt: skip

    @cached_property
    def by_lid(self) -> Doubles:
        """Pointwise LID, NaN where undefined."""
        if self.lid is not None:
            return _as_key(self.lid, self.n, "lid")
        return self.found.by_row(mle(self.found.distances))

    @cached_property
    def by_spread(self) -> Doubles:
        """Distance to the k-th neighbour, copies counted: small where rows are dense."""
        return self.found.by_row(_spread(self.found, K if self.k is None else self.k))

    @cached_property
    def by_centrality(self) -> Doubles:
        """Distance to the mean of all."""
        return self.points.distances_to(self.points.mean())

    @cached_property
    def by_norm(self) -> Doubles:
        """Length of each row, as given."""
        norms = np.empty(self.n)
        for lo, tile in self.points.rows.tiles():
            norms[lo : lo + len(tile)] = np.sqrt(np.einsum("ij,ij->i", tile, tile, dtype=np.float64))
        return norms

    @cached_property
    def by_label(self) -> Groups:
        """Group of each row, in the order of their labels."""
        return groups_of_labels(self.labels, self.n)

    @cached_property
    def by_cluster(self) -> Groups:
        """Cluster of each row, in the order of their first rows."""
        return groups_of_clusters(self.points, as_n_clusters(self.n_clusters, self.n), self.seed, self.threads)

    @cached_property
    def coreset(self) -> Coreset:
        """The rows that cover all others."""
        share = SHARE if self.share is None else as_share(self.share, "share", example=SHARE)
        return coreset_of(self.points, share, seed=self.seed, threads=self.threads, progress=self.progress)


def _spread(found: Neighbours, k: int) -> Doubles:
    """Distance of each compared row to its k-th neighbour, or the last that is known; NaN where none is.

    A neighbour counts as often as there are copies of it, and so do copies of the row itself, at distance 0.
    """
    m, width = found.ids.shape
    sizes = np.bincount(found.place[found.place >= 0], minlength=m)
    wanted = min(k, width if found.source == "given" else int(sizes.sum()) - 1)
    out = np.full(m, np.nan)
    for lo in range(0, m, _BLOCK):
        ids, own = found.ids[lo : lo + _BLOCK], sizes[lo : lo + _BLOCK, None] - 1
        reached = own + np.cumsum(np.where(ids < 0, 0, sizes[ids]), axis=1)
        column = np.minimum((reached < wanted).sum(axis=1), (ids >= 0).sum(axis=1) - 1)
        known = np.flatnonzero(column >= 0)
        out[lo + known] = found.distances[lo + known, column[known]]
        out[lo : lo + _BLOCK][own[:, 0] >= wanted] = 0.0
    return out


def _as_key(values: Any, n: int, name: str) -> Doubles:
    """One number for each row, NaN allowed."""
    key = np.asarray(values)
    if key.dtype.kind not in "iuf" or key.shape != (n,):
        raise ValueError(
            f"{name} has dtype {key.dtype} and shape {key.shape}, expected ({n},): a number for each row of X, such as "
            "the pointwise values of vecrecall.analysis.dimension"
        )
    return key.astype(np.float64)
