"""Recall of some graphs, less that of others: the mean, and an interval that allows for other queries and other graphs.

Queries are resampled. Graphs are few, three or so, and are not: by how much those of one order differ is taken apart
into what the queries explain (each has good and bad luck with each graph, which resampling knows already) and what is
left: a graph that is better or worse as a whole, such as one that a whole group of rows cannot be reached in. What is
left widens the interval, the more the fewer graphs it is known from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.resampling import Resamples

Doubles = NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Contrast:
    """Mean recall of sets of graphs, each added or taken away.

    Attributes
    ----------
    plus, minus : tuple of ndarray of float64, shape (graphs, queries)
        Recall of each query in each graph of a set; queries are the same in all.
    """

    plus: tuple[Doubles, ...]
    minus: tuple[Doubles, ...] = ()

    @property
    def by_query(self) -> Doubles:
        """Shape (queries,)."""
        added = np.sum([recalls.mean(axis=0) for recalls in self.plus], axis=0)
        for recalls in self.minus:
            added = added - recalls.mean(axis=0)
        return added

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that a query can have."""
        return -float(len(self.minus)), float(len(self.plus))

    def graph_variances(self) -> list[tuple[float, int]]:
        """(variance of the mean, degrees of freedom) of what sets of two graphs or more differ in as a whole."""
        return [(between_graphs(recalls), len(recalls) - 1) for recalls in self.plus + self.minus if len(recalls) > 1]


@dataclass(frozen=True)
class Estimate:
    """A mean with the ends of its interval; NaN where there is none."""

    mean: float = NAN
    low: float = NAN
    high: float = NAN


def between_graphs(recalls: Doubles) -> float:
    """Variance of the mean of several graphs (g, q) that is not of the queries.

    A crossed analysis of variance: that of the graphs' means, less what independent queries would make of it.

    >>> shifted = np.array([[0.2], [0.4]]) + np.linspace(0, 0.1, 5)
    >>> round(between_graphs(shifted), 6), between_graphs(np.array([[0.0, 1.0], [1.0, 0.0]]))
    (0.01, 0.0)
    """
    n_graphs, n_queries = recalls.shape
    if n_queries < 2:
        return 0.0
    means = recalls.mean(axis=1)
    left = recalls - means[:, None] - recalls.mean(axis=0) + recalls.mean()
    of_queries = float((left**2).sum()) / ((n_graphs - 1) * (n_queries - 1))
    return max(0.0, float(means.var(ddof=1)) - of_queries / n_queries) / n_graphs


def estimates(contrasts: list[Contrast | None], level: float, seed: int) -> list[Estimate]:
    """The mean of each contrast with its interval. All are of the same queries, and are resampled together."""
    found = [Estimate()] * len(contrasts)
    by_bounds: dict[tuple[float, float], list[int]] = {}
    for at, contrast in enumerate(contrasts):
        if contrast is not None:
            by_bounds.setdefault(contrast.bounds, []).append(at)
    for (lowest, highest), places in by_bounds.items():
        kept = [contrast for at in places if (contrast := contrasts[at]) is not None]
        columns = np.stack([contrast.by_query for contrast in kept], axis=1)
        resamples = Resamples(len(columns), seed=seed)
        ends = resamples.intervals(columns, level, lowest=lowest, highest=highest)
        for at, contrast, column, low, high in zip(places, kept, columns.T, *ends, strict=True):
            found[at] = _widened(contrast, float(column.mean()), float(low), float(high), level)
    return found


def _widened(contrast: Contrast, mean: float, low: float, high: float, level: float) -> Estimate:
    """The interval over queries, widened by what graphs differ in: Welch's t of both variances."""
    variances = [(variance, freedom) for variance, freedom in contrast.graph_variances() if variance > 0]
    if not variances:
        return Estimate(mean, low, high)
    from scipy.special import ndtri, stdtrit

    values = contrast.by_query
    of_graphs, of_queries = sum(variance for variance, _ in variances), float(values.var() / len(values))
    freedom = (of_graphs + of_queries) ** 2 / sum(variance**2 / each for variance, each in variances)
    z, t = float(ndtri((1 + level) / 2)), float(stdtrit(freedom, (1 + level) / 2))
    below, above = ((t / z) * np.sqrt(width**2 + z**2 * of_graphs) for width in (mean - low, high - mean))
    lowest, highest = contrast.bounds
    return Estimate(mean, max(lowest, mean - float(below)), min(highest, mean + float(above)))
