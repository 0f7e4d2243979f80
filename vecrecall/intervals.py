"""How sure a mean over queries is: intervals of the bootstrap, which allow for queries that were not among them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.inputs import as_number

_WEIGHTS = 1 << 20  # drawn at a time


def bootstrap(
    parts: NDArray[np.float64],
    level: float,
    *,
    wholes: NDArray[np.float64] | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    name: str = "interval",
) -> tuple[float, float]:
    """Return a bootstrap interval of a mean of shares over queries, or of a ratio of two sums over them.

    Parameters
    ----------
    parts : ndarray of float64, shape (q,)
        A value for each query, at most its whole; most are 0 or more.
    level : float in (0, 1)
        Such as 0.95.
    wholes : ndarray of float64, shape (q,), optional
        What the parts are parts of, 0 or more: the interval is that of sum(parts) / sum(wholes), both of the same
        queries. Default: ones, which gives the mean of the parts.
    n_resamples : int
    seed : int
    name : str
        What messages call the level.

    Returns
    -------
    low, high : float
        NaN without queries, or where the wholes add up to nothing.

    Notes
    -----
    Each resample gives the queries random weights (exponential ones: the Bayesian bootstrap, which varies as drawing
    with replacement does). Resampling alone knows nothing but the queries it has: where all of them found all, it is
    certain that every query does. So a query is added that was not asked, of an average whole: of part 0 for the low
    end, of all for the high end, and left out where it would make the interval narrower. It counts as one of q + 1.

    For shares that are all 1 the low end is that of Clopper and Pearson, ((1 - level) / 2) ** (1 / q): 0.03 for one
    query, 0.69 for 10, 0.88 for 30, 0.996 for 1,000. It is believed, and not proved, that such an interval of a mean
    of shares covers it at least as often as its level says, for any distribution and any number of queries. It is wide
    for few queries, and with many the added one no longer shows.

    References
    ----------
    Rubin (1981), "The Bayesian Bootstrap", Annals of Statistics 9(1). Gaffke (2005), "Three test statistics for a
    nonparametric one-sided hypothesis on the mean of a nonnegative variable", Mathematical Methods of Statistics 14(4):
    the added one. Learned-Miller & Thomas (2020), "A New Confidence Interval for the Mean of a Bounded Random
    Variable", arXiv 1905.06208: how it fares.

    Examples
    --------
    >>> low, high = bootstrap(np.ones(100), 0.95)
    >>> round(low, 2), high
    (0.96, 1.0)
    """
    level = as_level(level, name)
    pairs = np.stack([parts, np.ones(len(parts)) if wholes is None else wholes], axis=1)
    if pairs[:, 1].sum() == 0:
        return float("nan"), float("nan")
    whole = pairs[pairs[:, 1] > 0, 1].mean()
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)  # recall has few: weights of equal ones add up
    generator = np.random.Generator(np.random.PCG64(seed))
    lows, highs = np.empty(n_resamples), np.empty(n_resamples)
    step = max(1, _WEIGHTS // len(kinds))
    for lo in range(0, n_resamples, step):
        n = min(step, n_resamples - lo)
        part, total = (generator.standard_gamma(counts, (n, len(kinds))) @ kinds).T
        added = whole * generator.standard_exponential(n)
        ratio = part / total
        lows[lo : lo + n] = np.minimum(ratio, part / (total + added))
        highs[lo : lo + n] = np.maximum(ratio, (part + added) / (total + added))
    return float(np.quantile(lows, (1 - level) / 2)), float(np.quantile(highs, (1 + level) / 2))


def as_level(value: Any, name: str = "level") -> float:
    """Return `value` as a float after checking that it is between 0 and 1."""
    expected = "a level between 0 and 1 such as 0.95"
    level = as_number(value, name, expected)
    if not 0 < level < 1:
        raise ValueError(f"{name} is {value!r}, expected {expected}")
    return level
