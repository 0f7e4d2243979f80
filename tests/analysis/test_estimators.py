"""The estimators on distances that follow their law: no bias, sharp errors, and nothing made of nothing."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from vecrecall.analysis.estimating import jackknife
from vecrecall.analysis.gride import gride, likeliest
from vecrecall.analysis.local_pca import local_pca
from vecrecall.analysis.neighbouring.compared import Compared
from vecrecall.analysis.pointwise import mle, mom
from vecrecall.analysis.twonn import log_ratios, twonn
from vecrecall.inputs import as_rows

N, K = 20_000, 16


def lawful(d: float, n: int = N, k: int = K, seed: int = 0) -> np.ndarray:
    """Distances of the k nearest of many points around n others, where the data fill d dimensions evenly."""
    waits = np.random.default_rng(seed).exponential(size=(n, k))
    return np.cumsum(waits, axis=1) ** (1 / d)


@pytest.mark.parametrize("d", [2, 4, 8, 16, 32, 64])
def test_estimates_have_no_bias_where_the_law_holds(d: int) -> None:
    r = lawful(d)
    levina, unbiased, amsaleg = (mle(r, name) for name in ("levina-bickel", "unbiased", "amsaleg"))
    error = d / np.sqrt(N * (K - 4))
    assert unbiased.mean() == pytest.approx(d, abs=4 * error)
    assert 1 / (1 / levina).mean() == pytest.approx(d, abs=4 * error)
    np.testing.assert_allclose(amsaleg, levina * K / (K - 1))
    assert twonn(np.sort(log_ratios(r, 1, 2))) == pytest.approx(d, abs=4 * 1.1 * d / np.sqrt(N))
    for scale in gride(r):
        assert scale.estimate == pytest.approx(d, abs=4 * scale.standard_error)
        assert scale.n_used > 0.95 * N


def test_the_method_of_moments_is_that_of_a_mean_over_the_ball() -> None:
    # the mean distance over a ball is d / (d + 1) of its radius, which m / (w - m) turns back into d
    for d in (2, 16):
        w = np.linspace(0, 1, 200_001)[1:] ** (1 / d)
        assert mom(w[None])[0] == pytest.approx(d, rel=1e-3)


def test_what_says_nothing_is_not_a_number() -> None:
    nothing = np.array([
        [1.0, 1.0, 1.0, 1.0],
        [0.0, 1.0, 2.0, 3.0],
        [1.0, 2.0, np.inf, np.inf],
        [np.inf, np.inf, np.inf, np.inf],
        [0.0, 0.0, 0.0, 0.0],
        [1.0, 1 + 1e-15, 1 + 1e-15, 1 + 1e-15],
    ])  # fmt: skip
    assert np.isnan(mle(nothing)).all()
    assert np.isnan(mom(nothing)[[0, 2, 3, 4, 5]]).all() and mom(nothing)[1] == 1
    assert np.isnan(mle(np.empty((3, 0)))).all() and mle(np.empty((0, 5))).shape == (0,)
    assert np.isnan(mle(np.array([[1e-320, 1e-320, 1e300]])))[0]  # a ratio that overflows
    assert np.isnan(twonn(np.zeros(50))) and np.isnan(twonn(np.array([0.1]))) and np.isnan(twonn(np.empty(0)))
    for x in (np.zeros(50), np.array([0.5]), np.full(9, np.nan)):
        estimate, error, n_used = likeliest(x, 2)
        assert np.isnan(estimate) and np.isnan(error) and n_used <= 1
    assert gride(np.ones((5, 1))) == ()


def test_missing_neighbours_count_as_a_smaller_k() -> None:
    r = lawful(5, n=50)
    r[:, 9:] = np.inf
    np.testing.assert_array_equal(mle(r), mle(np.ascontiguousarray(r[:, :9])))
    np.testing.assert_array_equal(mom(r), mom(np.ascontiguousarray(r[:, :9])))
    assert np.isnan(log_ratios(r, 8, 16)).all() and not np.isnan(log_ratios(r, 4, 8)).any()


def test_equal_ratios_are_estimated_though_no_quantile_tells_them_apart() -> None:
    estimate, _, n_used = likeliest(np.full(100, 0.25), 1)
    assert n_used == 100 and estimate == pytest.approx(99 / 25)


@pytest.mark.parametrize("n1", [1, 2, 4])
def test_an_outlier_is_left_out_of_gride(n1: int) -> None:
    x = log_ratios(lawful(5, n=2000), n1, 2 * n1)
    assert likeliest(np.append(x, 80.0), n1)[0] == pytest.approx(likeliest(x, n1)[0], rel=1e-3)


# ---------------------------------------------------------------- the jackknife, against leaving rows out in earnest


def lists_without(X: np.ndarray, row: int | None, k: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.delete(np.arange(len(X)), [] if row is None else row)
    reach = np.sqrt(((X[rows, None] - X[None, rows]) ** 2).sum(axis=2))
    np.fill_diagonal(reach, np.inf)
    ids = np.argsort(reach, axis=1)[:, :k]
    return ids, np.take_along_axis(reach, ids, 1)


def harmonic_mle(r: np.ndarray) -> float:
    return float(1 / (1 / mle(r)).mean())


def test_the_error_is_that_of_leaving_each_row_out() -> None:
    X, k = np.random.default_rng(0).normal(size=(120, 3)), 8
    ids, r = lists_without(X, None, k + 1)
    scale = gride(r[:, :k])[1]
    x = log_ratios(r, 2, 4)
    first_order = len(x) / (len(x) - 1)  # of GRIDE's N - 1
    cases = {
        "mle": (lambda r: harmonic_mle(r[:, :k]), lambda: jackknife.error_of_pointwise(
            ids, r, partial(jackknife.without_mle, convention="levina-bickel"),
            jackknife.on_harmonic(harmonic_mle(r[:, :k])), mle(r[:, :k]))),
        "mom": (lambda r: float(mom(r[:, :k]).mean()), lambda: jackknife.error_of_pointwise(
            ids, r, jackknife.without_mom, jackknife.on_mean(float(mom(r[:, :k]).mean())), mom(r[:, :k]))),
        "gride": (lambda r: gride(r[:, :k])[1].estimate * first_order,
                  lambda: jackknife.error_of_gride(ids, r, scale)),
    }  # fmt: skip
    for name, (estimate, error) in cases.items():
        left = np.array([estimate(lists_without(X, i, k + 1)[1]) for i in range(len(X))])
        expected = np.sqrt((len(X) - 1) / len(X) * ((left - left.mean()) ** 2).sum())
        assert error() == pytest.approx(expected, rel=0.05), name


def test_without_a_neighbour_the_next_one_moves_up() -> None:
    r = lawful(5, n=3, k=6)
    for place in range(5):
        left = np.delete(r, place, axis=1)
        np.testing.assert_allclose(jackknife.without_mle(r, "unbiased")[:, place], mle(left, "unbiased"))
        np.testing.assert_allclose(jackknife.without_mom(r)[:, place], mom(left))


# ---------------------------------------------------------------- local PCA


@pytest.mark.parametrize("dim", [3, 40])  # fewer columns than neighbours, and more
@pytest.mark.parametrize("n_threads", [1, 2])
def test_local_pca_with_fewer_neighbours_here_and_there(dim: int, n_threads: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, dim)) * np.linspace(1, 0.05, dim) + 1e3
    ids = np.array([rng.permutation(60)[:12] for _ in range(60)])
    ids[3, 2:], ids[4, 5:], ids[5] = -1, -1, 7
    counts = local_pca(Compared(as_rows(X), "l2", np.arange(60)), ids, n_threads)
    assert np.isnan(counts[3]) and np.isnan(counts[5])  # two neighbours; all at one place
    for row in (0, 1, 4, 59):
        eigenvalues = np.linalg.eigvalsh(np.cov(X[ids[row][ids[row] >= 0]].T))
        assert counts[row] == (eigenvalues > 0.05 * eigenvalues[-1]).sum()
