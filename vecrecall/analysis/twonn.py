"""TwoNN: dimension of a whole set from the ratio of the distances to the two nearest neighbours."""

from __future__ import annotations

import numpy as np

from vecrecall.analysis.neighbouring.compared import Doubles

DISCARDED = 0.1  # of the greatest ratios, which are farthest from the law


def log_ratios(distances: Doubles, n1: int, n2: int) -> Doubles:
    """ln(r_n2 / r_n1) of each row of distances (m, k), NaN where the nearer one is at 0 or the farther missing."""
    if distances.shape[1] < n2:
        return np.full(len(distances), np.nan)
    near, far = distances[:, n1 - 1], distances[:, n2 - 1]
    usable = (near > 0) & np.isfinite(far)
    with np.errstate(over="ignore"):
        ratio = np.divide(far, near, out=np.full(len(near), np.nan), where=usable)
    return np.log(ratio, out=np.full(len(near), np.nan), where=np.isfinite(ratio))


def twonn(x: Doubles, weights: Doubles | None = None) -> float:
    """Estimate by the line through the origin of ``-ln(1 - i / N)`` on the i-th least logarithm of the ratio.

    Parameters
    ----------
    x : ndarray of float64, shape (N,)
        ln(r_2 / r_1), ascending, without NaN. The greatest tenth is left out of the line.
    weights : ndarray of float64, shape (N,), optional
        How often each counts, adding up to N; default once.

    Returns
    -------
    float
        NaN where fewer than two are left, or no ratio differs from 1.

    References
    ----------
    Facco, d'Errico, Rodriguez & Laio (2017), "Estimating the intrinsic dimension of datasets by a minimal neighborhood
    information", Scientific Reports 7, 12140.
    """
    kept = int(len(x) * (1 - DISCARDED))
    if kept < 2:
        return float("nan")
    counts = np.ones(kept) if weights is None else weights[:kept]
    ranks = np.minimum(np.cumsum(counts) / len(x), 1 - 0.5 / len(x))
    squares = float(counts @ (x[:kept] * x[:kept]))
    return float(counts @ (x[:kept] * -np.log1p(-ranks))) / squares if squares > 0 else float("nan")
