"""GRIDE: dimension of a whole set at several scales, from ratios of the distances to farther neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vecrecall.analysis.neighbouring.compared import Doubles
from vecrecall.analysis.twonn import log_ratios

_HALVINGS = 60  # of the interval that the root lies in: down to the last digits
_LEAST = 1e-8  # dimension
_OUTLIERS = 20.0  # ratios so many times (95 % quantile - median) above the median are left out


class Scale(NamedTuple):
    """An estimate at one scale.

    Attributes
    ----------
    n1 : int
        The nearer neighbour of the ratio; the farther is the 2 n1-th.
    radius : float
        Mean distance to the farther one: how large the scale is.
    estimate, standard_error : float
        NaN where there are fewer than two different ratios.
    n_used : int
        Rows whose ratio went in.
    """

    n1: int
    radius: float
    estimate: float
    standard_error: float
    n_used: int


def gride(distances: Doubles) -> tuple[Scale, ...]:
    """Estimate by maximum likelihood of r_2n1 / r_n1 at scales n1 = 1, 2, 4, ...

    Parameters
    ----------
    distances : ndarray of float64, shape (m, k)
        Ascending, to other rows; +inf where there are fewer.

    Returns
    -------
    tuple of Scale
        One for each n1 with 2 n1 <= k.

    Notes
    -----
    At n1 = 1 the ratio is Pareto's, as TwoNN has it. Ratios of 1 (ties) are left out, and so are outliers, as by DADApy
    and scikit-dimension; like theirs, the likelihood has N - 1 in place of N, without bias at n1 = 1. The standard
    error is that of the observed information: it takes the ratios as independent.

    References
    ----------
    Denti, Doimo, Laio & Mira (2022), "The generalized ratios intrinsic dimension estimator", Scientific Reports 12,
    20005.
    """
    scales = []
    n1 = 1
    while 2 * n1 <= distances.shape[1]:
        ratios = log_ratios(distances, n1, 2 * n1)
        far = distances[:, 2 * n1 - 1]
        far = far[np.isfinite(far)]
        radius = float(far.mean()) if len(far) else float("nan")
        scales.append(Scale(n1, radius, *likeliest(ratios, n1)))
        n1 *= 2
    return tuple(scales)


def likeliest(x: Doubles, n1: int) -> tuple[float, float, int]:
    """(estimate, standard error, ratios used) from x = ln(r_2n1 / r_n1), any order, NaN where there is none."""
    x = x[x > 0]
    if len(x):
        with np.errstate(over="ignore"):
            q95, q50 = np.percentile(np.exp(x), [95, 50])
            x = x[np.exp(x) < q50 + _OUTLIERS * (q95 - q50)] if q95 > q50 else x
    n, between = len(x), n1 - 1  # neighbours between the two of the ratio
    if n < 2:
        return float("nan"), float("nan"), n
    low, high = _LEAST, 1.0
    while _score(high, x, n1) > 0:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(middle, x, n1) > 0 else (low, middle)
    estimate = (low + high) / 2
    with np.errstate(over="ignore"):  # sinh of what is far: the term is 0
        information = n / estimate**2 + between * float(np.sum((x / (2 * np.sinh(estimate * x / 2))) ** 2))
    return estimate, float(1 / np.sqrt(information)), n


def _score(d: float, x: Doubles, n1: int) -> float:
    """Derivative of the log-likelihood by the dimension, which falls."""
    between = float((x / -np.expm1(-d * x)).sum()) * (n1 - 1) if n1 > 1 else 0.0
    return (len(x) - 1) / d + between - (2 * n1 - 1) * float(x.sum())
