"""Estimates of dimension around each point, from the distances to its nearest neighbours.

Within a ball that the data fill evenly, the share of points within a distance r of its centre grows as r ** dimension:
the more the last of k neighbours is farther than those before, the lower the dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from vecrecall.analysis.neighbouring.compared import Doubles

CONVENTIONS = {"levina-bickel": 1, "unbiased": 2, "amsaleg": 0}  # by how much the numerator is less than k
_FEWEST = 3  # neighbours: of two there is one ratio
_NOTHING = 1e-12  # relative differences of distances that say nothing: they come from rounding
_BLOCK = 8192


def mle(distances: Doubles, convention: str = "levina-bickel") -> Doubles:
    """Estimate by maximum likelihood: ``(k - 1) / sum(ln(r_k / r_j) for j < k)``.

    Parameters
    ----------
    distances : ndarray of float64, shape (m, k)
        Ascending, to other rows; +inf where there are fewer, which then count as k.
    convention : {"levina-bickel", "unbiased", "amsaleg"}
        What the sum divides: k - 1; k - 2, without bias where the data fill the ball evenly; or k, for which the sum
        counts the k-th neighbour too, whose logarithm is 0.

    Returns
    -------
    ndarray of float64, shape (m,)
        NaN where fewer than three neighbours are known, where the nearest is at distance 0, or where all are as far.

    References
    ----------
    Hill (1975), "A simple general approach to inference about the tail of a distribution", Annals of Statistics 3(5).
    Levina & Bickel (2005), "Maximum likelihood estimation of intrinsic dimension", NIPS 17 (2004): k - 1, and k - 2.
    MacKay & Ghahramani (2005), "Comments on 'Maximum likelihood estimation of intrinsic dimension'": the harmonic mean
    of what is estimated around the points. Amsaleg et al. (2015), "Estimating local intrinsic dimensionality", KDD: k.

    Examples
    --------
    >>> mle(np.array([[1.0, 2.0, 4.0]])) * np.log(2)
    array([0.66666667])
    """
    return _by_blocks(partial(_mle, less=CONVENTIONS[convention]), distances)


def mom(distances: Doubles) -> Doubles:
    """Estimate by the method of moments: ``m / (r_k - m)`` with m the mean of r_1 .. r_k.

    Parameters
    ----------
    distances : ndarray of float64, shape (m, k)
        As of `mle`.

    Returns
    -------
    ndarray of float64, shape (m,)
        NaN where fewer than three neighbours are known, or where all are as far.

    References
    ----------
    Amsaleg et al. (2018), "Extreme-value-theoretic estimation of local intrinsic dimensionality", Data Mining and
    Knowledge Discovery 32(6).

    Examples
    --------
    >>> mom(np.array([[1.0, 2.0, 6.0]]))
    array([1.])
    """
    return _by_blocks(_mom, distances)


def _mle(distances: Doubles, counts: Doubles, last: Doubles, less: int) -> Doubles:
    ratios = np.divide(last[:, None], distances, out=np.ones(distances.shape), where=distances < np.inf)
    total = np.log(ratios, out=ratios).sum(axis=1)
    known = (total > _NOTHING * counts) & np.isfinite(total)
    return np.divide(counts - less, total, out=np.full(len(total), np.nan), where=known)


def _mom(distances: Doubles, counts: Doubles, last: Doubles) -> Doubles:
    mean = np.sum(distances, axis=1, where=distances < np.inf) / counts
    return np.divide(mean, last - mean, out=np.full(len(mean), np.nan), where=last - mean > _NOTHING * last)


def _by_blocks(estimate: Callable[[Doubles, Doubles, Doubles], Doubles], distances: Doubles) -> Doubles:
    """Estimate for rows that have enough neighbours, some at a time: (distances, how many, the last) of each."""
    out = np.full(len(distances), np.nan)
    for lo in range(0, len(distances), _BLOCK):
        some = distances[lo : lo + _BLOCK]
        counts = np.isfinite(some).sum(axis=1)
        rows = np.flatnonzero(counts >= _FEWEST)
        some, counts = some[rows], counts[rows]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            out[lo + rows] = estimate(some, counts.astype(np.float64), some[np.arange(len(rows)), counts - 1])
    return out
