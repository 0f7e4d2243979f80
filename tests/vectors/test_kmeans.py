"""k-means against Lloyd's algorithm in numpy, and against scikit-learn where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.threads import Workers
from vecrecall.vectors.kmeans import Centroids, kmeans

f32 = np.float32


def clustered(n: int = 4000, width: int = 32, n_clusters: int = 60, seed: int = 0) -> np.ndarray:
    """Rows around centres, more of them around some than around others."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_clusters, width))
    share = rng.dirichlet(np.full(n_clusters, 3.0))
    return (centres[rng.choice(n_clusters, n, p=share)] + 0.4 * rng.normal(size=(n, width))).astype(f32)


def normal() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4000, 32)).astype(f32)


def squares(z: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    z, centroids = z.astype(np.float64), centroids.astype(np.float64)
    return (z**2).sum(1)[:, None] + (centroids**2).sum(1) - 2 * z @ centroids.T


def inertia(z: np.ndarray, centroids: np.ndarray) -> float:
    return float(squares(z, centroids).min(1).sum())


def lloyd(z: np.ndarray, centroids: np.ndarray, rounds: int) -> np.ndarray:
    for _ in range(rounds):
        lists = squares(z, centroids).argmin(1)
        centroids = np.stack([
            z[lists == i].mean(0, dtype=np.float64) if (lists == i).any() else centroid
            for i, centroid in enumerate(centroids)
        ])  # fmt: skip
    return centroids


def made(z: np.ndarray, k: int, seed: int = 0, workers: int = 1, start: np.ndarray | None = None) -> np.ndarray:
    with Workers(workers) as several:
        return kmeans(z, k, np.random.default_rng(seed), several, start=start)


def drawn(z: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    return z[np.random.default_rng(seed).choice(len(z), k, replace=False)]


def sizes(z: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    return np.bincount(Centroids(centroids).nearest(z, Workers(1))[0], minlength=len(centroids))


@pytest.mark.parametrize("make", [clustered, normal])
@pytest.mark.parametrize("k", [20, 64])
def test_inertia_is_that_of_lloyds_algorithm_from_the_same_start(make, k: int) -> None:
    z = make()
    start = drawn(z, k)
    own, slow = inertia(z, made(z, k, start=start)), inertia(z, lloyd(z, start, 8))
    assert own < 1.01 * slow < 0.75 * inertia(z, start)  # 0.95 to 1.006: small lists are refilled


@pytest.mark.parametrize("make", [clustered, normal])
def test_inertia_is_that_of_scikit_learn_from_the_same_start(make) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    z = make()
    start = drawn(z, 64)
    other = cluster.KMeans(64, init=start, n_init=1, max_iter=8, tol=0).fit(z)
    assert inertia(z, made(z, 64, start=start)) < 1.02 * inertia(z, other.cluster_centers_)  # 0.98 and 1.005


def test_centroids_are_the_means_of_what_was_near_them() -> None:
    z = clustered()
    start = drawn(z, 16)
    with Workers(1) as alone:
        once = kmeans(z, 16, np.random.default_rng(0), alone, rounds=1, start=start)
        lists, _ = Centroids(start).nearest(z, alone)
    expected = [z[lists == i].mean(0, dtype=np.float64) for i in range(16)]
    np.testing.assert_allclose(once, expected, rtol=1e-5, atol=1e-6)
    assert once.dtype == f32 and once.flags.c_contiguous


def test_the_seed_decides_and_threads_do_not() -> None:
    z = clustered(9000, 16)
    first = made(z, 40).tobytes()
    assert made(z, 40).tobytes() == first == made(z, 40, workers=2).tobytes()
    assert made(z, 40, seed=1).tobytes() != first


@pytest.mark.parametrize("seed", range(4))
def test_no_list_is_empty_where_a_start_leaves_most_of_them_so(seed: int) -> None:
    z = clustered(seed=seed)
    far = np.full((50, 32), 99, f32) + np.arange(50, dtype=f32)[:, None]
    assert sizes(z, np.concatenate([drawn(z, 10), far])).min() == 0
    held = sizes(z, made(z, 60, start=np.concatenate([drawn(z, 10), far])))
    assert held.min() > 0 and held.max() < 3.5 * held.mean()  # 2.3 to 2.8 times


def test_lists_of_clustered_rows_are_of_similar_sizes() -> None:
    held = sizes(clustered(), made(clustered(), 60))
    assert held.min() > 0 and held.max() < 3 * held.mean()  # 2.5 times


def test_equal_rows_leave_their_centroid_where_it_is() -> None:
    z = np.repeat(np.random.default_rng(0).normal(size=(1, 16)).astype(f32), 100, axis=0)
    np.testing.assert_allclose(made(z, 7), z[:7], rtol=1e-6)
    assert not made(np.zeros((100, 16), f32), 7).any()


def test_one_list_has_the_mean_of_all() -> None:
    z = clustered()
    np.testing.assert_allclose(made(z, 1)[0], z.mean(0, dtype=np.float64), rtol=1e-5, atol=1e-6)


def test_as_many_lists_as_rows_are_the_rows() -> None:
    z = clustered(200)
    centroids = made(z, 200)
    np.testing.assert_array_equal(centroids[np.lexsort(centroids.T)], z[np.lexsort(z.T)])
    np.testing.assert_array_equal(made(z[:1], 1), z[:1])


def test_a_start_is_not_written_to() -> None:
    z = clustered(500)
    start = drawn(z, 8)
    before = start.tobytes(), z.tobytes()
    made(z, 8, start=start)
    assert (start.tobytes(), z.tobytes()) == before
