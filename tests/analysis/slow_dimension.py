"""Intrinsic dimension as the papers have it, a row at a time: the slow twin of `vecrecall.analysis.dimension`."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
from scipy.optimize import minimize_scalar


def flat(n: int, d: int, dim: int = 32, seed: int = 0) -> np.ndarray:
    """Normal rows of d dimensions in `dim`, float64."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ np.linalg.qr(rng.normal(size=(dim, d)))[0].T


def neighbours(X: np.ndarray, k: int, metric: str = "l2") -> tuple[np.ndarray, np.ndarray]:
    """(ids, distances) of the k nearest other rows, by (distance, row), all in float64."""
    X = np.asarray(X, np.float64)
    if metric == "cosine":
        X = X / np.sqrt((X * X).sum(axis=1))[:, None]
    ids, distances = np.empty((len(X), k), np.int64), np.empty((len(X), k))
    for i, x in enumerate(X):
        reach = np.sqrt(((X - x) ** 2).sum(axis=1))
        reach[i] = np.inf
        ids[i] = np.lexsort((np.arange(len(X)), reach))[:k]
        distances[i] = reach[ids[i]]
    return ids, distances


def levina_bickel(r: np.ndarray, numerator: int) -> float:
    """Levina & Bickel 2005: numerator / sum of ln(T_k / T_j), j < k."""
    return numerator / sum(log(r[-1] / r[j]) for j in range(len(r) - 1))


def moments(r: np.ndarray) -> float:
    """Amsaleg et al. 2018: with the mean m and the greatest distance w, m / (w - m)."""
    m = sum(r) / len(r)
    return m / (r[-1] - m)


def facco(r: np.ndarray) -> float:
    """Facco et al. 2017: least squares through the origin of -ln(1 - F(mu)) on ln(mu), without the last tenth."""
    mu = sorted(second / first for first, second in r[:, :2])
    n = len(mu)
    points = [(log(mu[i]), -log(1 - (i + 1) / n)) for i in range(int(n * 0.9))]
    return sum(x * y for x, y in points) / sum(x * x for x, _ in points)


def denti(r: np.ndarray, n1: int) -> tuple[float, float]:
    """Denti et al. 2022: the d of greatest likelihood of mu = r_2n1 / r_n1, and its error by the curvature there.

    ln f(mu) = ln d + (n1 - 1) ln(mu ** d - 1) - ((2 n1 - 1) d + 1) ln mu + terms without d; the sum has (N - 1) ln d.
    """
    x = np.log(r[:, 2 * n1 - 1] / r[:, n1 - 1])
    x = x[np.exp(x) < np.median(np.exp(x)) + 20 * (np.percentile(np.exp(x), 95) - np.median(np.exp(x)))]

    def likelihood(d: float, n: int) -> float:
        return n * log(d) + (n1 - 1) * np.log(np.expm1(d * x)).sum() - (2 * n1 - 1) * d * x.sum()

    found = minimize_scalar(lambda s: -likelihood(exp(s), len(x) - 1), bounds=(-3, 7), options={"xatol": 1e-12})
    d, h = exp(found.x), exp(found.x) * 1e-3
    curvature = (likelihood(d + h, len(x)) - 2 * likelihood(d, len(x)) + likelihood(d - h, len(x))) / h**2
    return d, 1 / sqrt(-curvature)


def fukunaga_olsen(X: np.ndarray) -> int:
    """Fukunaga & Olsen 1971: eigenvalues of the covariance above a twentieth of the greatest."""
    eigenvalues = np.linalg.eigvalsh(np.cov(np.asarray(X, np.float64).T))
    return int((eigenvalues > 0.05 * eigenvalues[-1]).sum())
