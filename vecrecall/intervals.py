"""How sure a mean over queries is: percentile intervals of the bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.inputs import as_number

_KINDS = 256  # different values that are drawn by how often they occur
_FEWER = 8  # times the values: where there are so many times fewer kinds, that is faster than to draw places


def bootstrap(
    parts: NDArray[np.float64],
    level: float,
    *,
    wholes: NDArray[np.float64] | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    name: str = "interval",
) -> tuple[float, float]:
    """Return a percentile bootstrap interval of a mean over queries, or of a ratio of two sums over them.

    Parameters
    ----------
    parts : ndarray of float64, shape (q,)
        A value for each query.
    level : float in (0, 1)
        Such as 0.95.
    wholes : ndarray of float64, shape (q,), optional
        What the parts are parts of: the interval is that of sum(parts) / sum(wholes), both drawn for the same queries.
        Default: ones, which gives the mean of the parts.
    n_resamples : int
    seed : int
    name : str
        What messages call the level.

    Returns
    -------
    low, high : float
        NaN without queries, or where the wholes add up to nothing.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.

    Examples
    --------
    >>> bootstrap(np.array([1.0, 1.0, 1.0]), 0.95)
    (1.0, 1.0)
    """
    level = as_level(level, name)
    pairs = np.stack([parts, np.ones(len(parts)) if wholes is None else wholes], axis=1)
    if pairs[:, 1].sum() == 0:
        return float("nan"), float("nan")
    if (pairs == pairs[0]).all():  # whatever is drawn; sums in another order would differ in the last digit
        ratio = float(pairs[:, 0].sum() / pairs[:, 1].sum())
        return ratio, ratio
    sums = _resampled(pairs, n_resamples, np.random.Generator(np.random.PCG64(seed)))
    with np.errstate(invalid="ignore"):  # a resample of queries without any whole says nothing
        ratios = sums[:, 0] / sums[:, 1]
    low, high = np.nanquantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def as_level(value: Any, name: str = "level") -> float:
    """Return `value` as a float after checking that it is between 0 and 1."""
    expected = "a level between 0 and 1 such as 0.95"
    level = as_number(value, name, expected)
    if not 0 < level < 1:
        raise ValueError(f"{name} is {value!r}, expected {expected}")
    return level


def _resampled(pairs: NDArray[np.float64], n_resamples: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Sums (n_resamples, 2) over as many pairs as there are, drawn with replacement.

    Recall has few different values, so it is enough to draw how often each of them occurs.
    """
    n = len(pairs)
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    if len(kinds) <= min(_KINDS, n / _FEWER):
        return generator.multinomial(n, counts / n, size=n_resamples) @ kinds
    sums = np.empty((n_resamples, 2))
    for i in range(n_resamples):
        pairs[generator.integers(0, n, n)].sum(axis=0, out=sums[i])
    return sums
