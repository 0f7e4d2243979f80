"""How sure an estimate is that all points share: each row is left out in turn.

A row counts twice: by its own neighbourhood, and in those of the rows that have it among their neighbours, where the
next one moves up. Points that share neighbours are not independent, so the spread of pointwise values divided by
sqrt(n) would be too small. What leaving a row out changes is added up to first order from the lists, which takes no
search. By the inequality of Efron & Stein the variance errs to the large side.

References
----------
Efron & Stein (1981), "The jackknife estimate of variance", Annals of Statistics 9(3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite

import numpy as np

from vecrecall.analysis.gride import Scale
from vecrecall.analysis.neighbouring.compared import Doubles, Places
from vecrecall.analysis.pointwise import CONVENTIONS
from vecrecall.analysis.twonn import DISCARDED, log_ratios

_Z = 1.959964  # 95 % of a normal distribution lie within so many standard errors
_BLOCK = 4096

Without = Callable[[Doubles], Doubles]  # distances (b, k + 1) to estimates (b, k): that without each neighbour
Influence = Callable[[Doubles], Doubles]  # pointwise values to what each adds to n times the estimate


def interval(value: float, error: float) -> tuple[float, float]:
    """Ends of the 95 % interval of a value above 0 with a standard error; NaN where either is.

    Examples
    --------
    >>> low, high = interval(10.0, 0.5)
    >>> round(low, 2), round(high, 2)
    (9.02, 10.98)
    """
    if not (isfinite(value) and isfinite(error)):
        return float("nan"), float("nan")
    return max(0.0, value - _Z * error), value + _Z * error


def error_of_mean(values: Doubles) -> float:
    """Standard error of the mean of values that are taken as independent, NaN left out."""
    known = values[~np.isnan(values)]
    return float(known.std() / np.sqrt(len(known))) if len(known) > 1 else float("nan")


def error_of_pointwise(ids: Places, distances: Doubles, without: Without, influence: Influence, own: Doubles) -> float:
    """Standard error of a summary of pointwise values.

    Parameters
    ----------
    ids, distances : ndarray of int64 and float64, shape (m, k + 1)
        The neighbours that the values stand on, and the next one.
    without : callable
    influence : callable
        NaN becomes 0.
    own : ndarray of float64, shape (m,)
        The values.
    """
    k = ids.shape[1] - 1
    of_own = influence(own)
    effects = of_own.copy()
    for lo in range(0, len(ids), _BLOCK):
        rows = slice(lo, lo + _BLOCK)
        changes = of_own[rows, None] - influence(without(distances[rows]))
        changes[np.isinf(distances[rows, -1])] = 0  # the next one is not known
        np.add.at(effects, ids[rows, :k], changes)
    return _error(effects, int((~np.isnan(own)).sum()))


def without_mle(distances: Doubles, convention: str) -> Doubles:
    """The estimate `mle` of the first k of k + 1 distances, each of them left out in turn for the last."""
    k = distances.shape[1] - 1
    with np.errstate(all="ignore"):
        logs = np.log(distances[:, -1:] / distances[:, :-1])
        return (k - CONVENTIONS[convention]) / (logs.sum(axis=1, keepdims=True) - logs)


def without_mom(distances: Doubles) -> Doubles:
    """The estimate `mom` of the first k of k + 1 distances, each of them left out in turn for the last."""
    with np.errstate(all="ignore"):
        mean = (distances.sum(axis=1, keepdims=True) - distances[:, :-1]) / (distances.shape[1] - 1)
        return mean / (distances[:, -1:] - mean)


def on_mean(mean: float) -> Influence:
    """What pointwise values add to their mean."""
    return lambda values: _finite(values - mean)


def on_harmonic(harmonic: float) -> Influence:
    """What pointwise values add to their harmonic mean."""

    def influence(values: Doubles) -> Doubles:
        with np.errstate(divide="ignore", invalid="ignore"):
            return _finite(harmonic - harmonic * harmonic / values)

    return influence


def error_of_twonn(ids: Places, distances: Doubles, value: float) -> float:
    """Standard error of TwoNN: that of the maximum-likelihood form, whose greatest tenth of ratios is censored."""
    x = log_ratios(distances, 1, 2)
    known = np.sort(x[~np.isnan(x)])
    if len(known) < 2 or not isfinite(value):
        return float("nan")
    last = known[max(0, int(len(known) * (1 - DISCARDED)) - 1)]

    def influence(some: Doubles) -> Doubles:
        return _finite(value * ((some <= last) - value * np.minimum(some, last)) / (1 - DISCARDED))

    return _error_of_ratios(ids, distances, 1, influence)


def error_of_gride(ids: Places, distances: Doubles, scale: Scale) -> float:
    """Standard error of GRIDE at one scale."""
    d, n1 = scale.estimate, scale.n1
    if not isfinite(scale.standard_error):
        return float("nan")
    information = 1 / (scale.standard_error**2 * scale.n_used)

    def influence(x: Doubles) -> Doubles:
        with np.errstate(divide="ignore", invalid="ignore"):
            between = (n1 - 1) * x / -np.expm1(-d * x) if n1 > 1 else 0.0
            return _finite((1 / d + between - (2 * n1 - 1) * x) / information)

    return _error_of_ratios(ids, distances, n1, influence)


def _error_of_ratios(ids: Places, distances: Doubles, n1: int, influence: Influence) -> float:
    """Standard error from the influence of ln(r_2n1 / r_n1), which two neighbours or the next ones give."""
    n2 = 2 * n1
    x = log_ratios(distances, n1, n2)
    own = influence(x)
    effects = own.copy()
    if ids.shape[1] > n2:
        for neighbour, near in _nearer_ones(n1):
            moved = log_ratios(distances, near, n2 + 1)
            changes = np.where(np.isnan(moved), 0.0, own - influence(moved))
            np.add.at(effects, ids[:, neighbour], changes)
    return _error(effects, int((~np.isnan(x)).sum()))


def _nearer_ones(n1: int) -> Iterator[tuple[int, int]]:
    """(place of a neighbour, number of the nearer one of the ratio without it) of all that the ratio depends on."""
    return ((place, n1 + 1 if place < n1 else n1) for place in range(2 * n1))


def _error(effects: Doubles, n: int) -> float:
    return float(np.sqrt(np.sum((effects - effects.mean()) ** 2)) / n) if n > 1 else float("nan")


def _finite(values: Doubles) -> Doubles:
    return np.where(np.isfinite(values), values, 0.0)
