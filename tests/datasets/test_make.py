"""Synthetic sets are what they say, know their exact answers, and come out the same again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from vecrecall.datasets import dense, make
from vecrecall.io.dataset import Dataset

SMALL: dict[str, dict[str, Any]] = {
    "synthetic-dim": {"n": 300, "dim": 48, "intrinsic": 5, "noise": 0.1, "n_queries": 7},
    "clustered": {"n": 300, "dim": 16, "groups": 7, "n_queries": 7},
    "duplicates": {"n": 300, "dim": 16, "intrinsic": 4, "n_queries": 7},
    "learned-sparse": {"n": 300, "n_queries": 7},
}


def made(name: str, **more: Any) -> Dataset:
    return make.MAKERS[name](**{**SMALL[name], **more})


def parts(data: Dataset) -> list[np.ndarray]:
    """Every array of a set."""
    found: list[np.ndarray] = [data.neighbors, data.distances]
    for matrix in (data.rows, data.queries):
        found += [matrix.indptr, matrix.indices, matrix.data] if sp.issparse(matrix) else [matrix]
    return found + [value for value in data.attributes.values() if isinstance(value, np.ndarray)]


def same(first: Dataset, second: Dataset) -> bool:
    pairs = list(zip(parts(first), parts(second), strict=True))
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


# ---------------------------------------- every set


@pytest.mark.parametrize("name", SMALL)
def test_the_same_arguments_give_the_same_bytes(name: str) -> None:
    first = made(name, seed=3)
    with threadpool_limits(1):
        assert same(first, made(name, seed=3))
    other = made(name, seed=4)
    assert not same(first, other)
    if not sp.issparse(first.rows):
        assert np.isin(first.rows, other.rows).mean() < 0.01 and np.isin(first.queries, other.queries).mean() < 0.01


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("name", ["synthetic-dim", "clustered", "duplicates"])
def test_the_truth_of_dense_sets_is_exact(name: str, metric: str) -> None:
    data = made(name, metric=metric, seed=5)
    X, Q = data.rows.astype(np.float64), data.queries.astype(np.float64)
    if metric == "l2":
        distances = np.linalg.norm(Q[:, None] - X[None], axis=2)
    else:
        lengths = np.linalg.norm(Q, axis=1)[:, None] * np.linalg.norm(X, axis=1) if metric == "cosine" else 1.0
        distances = (1.0 if metric == "cosine" else 0.0) - Q @ X.T / lengths
    assert (data.metric, data.neighbors.shape, data.neighbors.dtype) == (metric, (7, 100), np.int32)
    assert data.distances == pytest.approx(np.sort(distances, axis=1)[:, :100], rel=1e-5, abs=1e-6)
    assert data.distances == pytest.approx(np.take_along_axis(distances, data.neighbors, 1), rel=1e-5, abs=1e-6)


def test_the_truth_of_sparse_sets_is_exact() -> None:
    data = made("learned-sparse")
    scores = (data.queries @ data.rows.T).toarray()
    assert data.metric == "ip" and data.neighbors.shape == (7, 100)
    assert -data.distances == pytest.approx(-np.sort(-scores, axis=1)[:, :100], rel=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_fewer_rows_than_the_depth_of_the_truth_are_all_neighbours(name: str) -> None:
    data = made(name, n=8)
    assert data.neighbors.shape == (7, 8)
    assert np.sort(data.neighbors[0])[-1] == 7


def test_truth_does_not_depend_on_how_many_queries_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made("clustered")
    monkeypatch.setattr(make, "_BATCH", 3)
    assert same(whole, made("clustered"))


# ---------------------------------------- intrinsic dimension


@pytest.mark.parametrize(("intrinsic", "dim"), [(1, 1), (1, 40), (5, 40), (40, 40)])
def test_vectors_lie_in_a_subspace_of_the_dimension_asked_for(intrinsic: int, dim: int) -> None:
    data = make.synthetic_dim(200, dim, intrinsic=intrinsic, n_queries=30)
    values = np.linalg.svd(np.concatenate([data.rows, data.queries]).astype(np.float64), compute_uv=False)
    assert (values > 1e-4 * values[0]).sum() == intrinsic  # rows and queries share it


def test_coordinates_are_standard_normal_in_every_direction_of_the_subspace() -> None:
    rows = make.synthetic_dim(20_000, 12, intrinsic=3, n_queries=1).rows.astype(np.float64)
    variances = np.linalg.eigvalsh(np.cov(rows.T))
    assert variances[-3:] == pytest.approx(1.0, abs=0.05)
    assert variances[:-3] == pytest.approx(0.0, abs=1e-9)
    kurtosis = (rows**4).mean(axis=0) / (rows**2).mean(axis=0) ** 2
    assert kurtosis == pytest.approx(3.0, abs=0.25)


def test_noise_leaves_the_subspace_by_its_standard_deviation() -> None:
    rows = make.synthetic_dim(20_000, 12, intrinsic=3, noise=0.1, n_queries=1).rows.astype(np.float64)
    assert np.linalg.eigvalsh(np.cov(rows.T))[:-3] == pytest.approx(0.01, rel=0.1)


def test_a_basis_is_that_of_gram_schmidt() -> None:
    basis = dense.orthonormal_basis(np.random.default_rng(1), 4, 9)
    given = np.random.default_rng(1).standard_normal((9, 4)).T
    for i, vector in enumerate(given):
        left = vector - sum((vector @ done) * done for done in basis[:i])
        assert basis[i] == pytest.approx(left / np.linalg.norm(left))


def test_rows_do_not_depend_on_the_number_of_queries() -> None:
    few, many = (make.synthetic_dim(50, 8, intrinsic=2, n_queries=q) for q in (3, 9))
    assert np.array_equal(few.rows, many.rows)
    assert np.array_equal(few.queries, many.queries[:3])


# ---------------------------------------- groups


@pytest.mark.parametrize(("n", "groups"), [(300, 7), (5, 5), (5, 1)])
def test_groups_are_of_equal_size_and_none_is_empty(n: int, groups: int) -> None:
    sizes = np.bincount(made("clustered", n=n, groups=groups).attributes["train_category"])
    assert len(sizes) == groups and sizes.max() - sizes.min() <= 1


def test_groups_stand_one_after_another_when_asked() -> None:
    orders = ("grouped", "shuffled")
    grouped, shuffled = (made("clustered", order=order).attributes["train_category"] for order in orders)
    assert (np.diff(grouped) >= 0).all()
    assert not (np.diff(shuffled) >= 0).all() and np.array_equal(np.sort(shuffled), grouped)


@pytest.mark.parametrize("order", ["grouped", "shuffled"])
def test_categories_are_those_of_the_rows_and_queries(order: str) -> None:
    data = made("clustered", order=order, spread=0.01)
    nearest = data.attributes["train_category"][data.neighbors[:, 0]]
    assert np.array_equal(nearest, data.attributes["test_category"])


def test_spread_is_the_standard_deviation_within_a_group() -> None:
    data = make.clustered(6_000, 16, groups=3, spread=0.3, n_queries=1)
    for group in range(3):
        rows = data.rows[data.attributes["train_category"] == group]
        assert rows.std(axis=0) == pytest.approx(0.3, rel=0.1)


def test_without_spread_the_rows_of_a_group_are_equal() -> None:
    assert len(np.unique(made("clustered", spread=0).rows, axis=0)) == 7


# ---------------------------------------- duplicates


@pytest.mark.parametrize(("share", "n_distinct"), [(0.0, 300), (0.3, 210), (0.999, 1), (1.0, 1)])
def test_a_share_of_the_rows_are_copies(share: float, n_distinct: int) -> None:
    rows = made("duplicates", share=share).rows
    assert len(rows) == 300 and len(np.unique(rows, axis=0)) == n_distinct


def test_copies_are_shuffled_among_the_rows() -> None:
    rows = made("duplicates", share=0.5).rows
    _, first = np.unique(rows, axis=0, return_index=True)
    copies = np.setdiff1d(np.arange(300), first)
    assert copies.min() < 100 and first.max() > 200


# ---------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("maker", "arguments", "message"),
    [
        (make.synthetic_dim, {"n": 0}, "n is 0"),
        (make.synthetic_dim, {"n": 10.0}, "n is 10.0"),
        (make.synthetic_dim, {"dim": 0}, "dim is 0"),
        (make.synthetic_dim, {"n_queries": 0}, "n_queries is 0"),
        (make.synthetic_dim, {"intrinsic": 0}, "intrinsic is 0"),
        (make.synthetic_dim, {"dim": 8, "intrinsic": 9}, "intrinsic is 9, expected at most dim, 8"),
        (make.synthetic_dim, {"noise": -0.1}, "noise is -0.1"),
        (make.synthetic_dim, {"noise": float("nan")}, "noise is nan"),
        (make.synthetic_dim, {"noise": float("inf")}, "noise is inf"),
        (make.synthetic_dim, {"noise": "much"}, "noise is 'much'"),
        (make.synthetic_dim, {"metric": "hamming"}, "metric is 'hamming'"),
        (make.synthetic_dim, {"seed": -1}, "seed is -1"),
        (make.clustered, {"n": 5, "groups": 6}, "groups is 6, expected at most n, 5"),
        (make.clustered, {"groups": 0}, "groups is 0"),
        (make.clustered, {"spread": -1}, "spread is -1"),
        (make.clustered, {"order": "sorted"}, "order is 'sorted', expected one of 'shuffled', 'grouped'"),
        (make.duplicates, {"share": 1.5}, "share is 1.5"),
        (make.duplicates, {"share": -0.5}, "share is -0.5"),
        (make.duplicates, {"dim": 8}, "intrinsic is 16, expected at most dim, 8"),
        (make.learned_sparse, {"n": 0}, "n is 0"),
        (make.learned_sparse, {"n": 5, "n_queries": -1}, "n_queries is -1"),
        (make.learned_sparse, {"n": 5, "seed": 2**63}, "seed is"),
    ],
)
def test_wrong_arguments_are_refused(maker: Callable[..., Dataset], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        maker(**arguments)
