"""Many means over the same queries, resampled together: what paired differences and ranks are judged by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_WEIGHTS = 1 << 22  # held at a time


class Resamples:
    """Random weights of queries, as :func:`vecrecall.intervals.bootstrap` draws them, the same for all that is asked.

    Parameters
    ----------
    n_queries : int
        At least 1.
    n_resamples : int, default 2000
    seed : int, default 0

    Notes
    -----
    One matrix product gives the means of all columns in all resamples: a study has a thousand of them. Columns of one
    call share the weights, so that a resample has an order of ranks.

    Examples
    --------
    >>> columns = np.random.default_rng(0).random((500, 2))
    >>> low, high = Resamples(500).intervals(columns, 0.95)
    >>> bool((low < columns.mean(axis=0)).all() and (columns.mean(axis=0) < high).all())
    True
    """

    def __init__(self, n_queries: int, *, n_resamples: int = 2000, seed: int = 0) -> None:
        self._n_queries, self._n_resamples, self._seed = n_queries, n_resamples, seed

    def means(self, columns: Doubles) -> Doubles:
        """Weighted means of columns (q, c) in each resample, shape (n_resamples, c)."""
        return np.concatenate([sums / total[:, None] for sums, total, _ in self._sums(columns)])

    def intervals(
        self, columns: Doubles, level: float, *, lowest: float = 0.0, highest: float = 1.0
    ) -> tuple[Doubles, Doubles]:
        """(low, high), each of shape (c,), of the means of columns (q, c) whose values lie in [lowest, highest].

        As `bootstrap`, with a query that was not asked: at the lowest value for the low end, at the highest for the
        high one. Differences of shares lie in [-1, 1]. A column with NaN has the interval NaN to NaN.
        """
        lows, highs = np.empty((2, self._n_resamples, columns.shape[1]))
        first = 0
        for sums, total, added in self._sums(columns):
            part = np.s_[first : first + len(sums)]
            means, whole = sums / total[:, None], (total + added)[:, None]
            np.minimum(means, (sums + added[:, None] * lowest) / whole, out=lows[part])
            np.maximum(means, (sums + added[:, None] * highest) / whole, out=highs[part])
            first += len(sums)
        return np.quantile(lows, (1 - level) / 2, axis=0), np.quantile(highs, (1 + level) / 2, axis=0)

    def _sums(self, columns: Doubles) -> Iterator[tuple[Doubles, Doubles, Doubles]]:
        """(weighted sums (m, c), sums of the weights (m,), weight of the added query (m,)) of some resamples."""
        generator = np.random.Generator(np.random.PCG64(self._seed))
        step = max(1, _WEIGHTS // self._n_queries)
        for lo in range(0, self._n_resamples, step):
            weights = generator.standard_exponential((min(step, self._n_resamples - lo), self._n_queries + 1))
            own = weights[:, :-1]
            yield own @ columns, own.sum(axis=1), weights[:, -1]
