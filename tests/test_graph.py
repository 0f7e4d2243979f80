"""The graph of nearest neighbours, against distances of all pairs."""

from __future__ import annotations

import numpy as np
import pytest

import vecrecall as vr

METRICS = ("l2", "ip", "cosine")


def points(n: int, dim: int = 24, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(n, dim)) + 1).astype(np.float32)


def all_distances(X: np.ndarray, metric: str) -> np.ndarray:
    """Distances of all pairs as `Hits` states them, a row to itself at infinity."""
    X = X.astype(np.float64)
    if metric == "l2":
        out = np.sqrt(((X[:, None] - X) ** 2).sum(2))
    else:
        X = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X
        out = (metric == "cosine") - X @ X.T
    np.fill_diagonal(out, np.inf)
    return out


@pytest.mark.parametrize("metric", METRICS)
def test_exactly_it_is_the_nearest_of_all_pairs(metric: str) -> None:
    X = points(300)
    graph = vr.knn_graph(X, 7, metric=metric, exact=True)
    expected = np.sort(all_distances(X, metric), axis=1)[:, :7]
    np.testing.assert_allclose(graph.data.reshape(300, 7), expected, rtol=1e-5, atol=1e-6)
    assert graph.shape == (300, 300) and (np.diff(graph.indptr) == 7).all()


@pytest.mark.parametrize("metric", METRICS)
def test_nearly_it_reaches_its_recall(metric: str) -> None:
    X = points(6_000)
    graph = vr.knn_graph(X, 10, metric=metric, recall=0.95)
    limits = vr.knn_graph(X, 10, metric=metric, exact=True).data.reshape(-1, 10)[:, -1:]
    found = graph.data.reshape(-1, 10) <= limits + 1e-5 * np.abs(limits)
    assert found.mean() > 0.91  # 0.954 (l2), 0.925 (ip), 0.938 (cosine): curves are not exact


@pytest.mark.parametrize("exact", [True, False])
def test_no_row_is_its_own_neighbour_and_duplicates_are(exact: bool) -> None:
    X = points(3_000)
    X[1500:] = X[:1500]
    graph = vr.knn_graph(X, 3, exact=exact)
    neighbours = graph.indices.reshape(-1, 3)
    assert (neighbours != np.arange(3_000)[:, None]).all()
    assert (neighbours[:, 0] == (np.arange(3_000) + 1500) % 3_000).all() and not graph.data[::3].any()
    assert graph.nnz == 9_000  # distances of 0 are stored


@pytest.mark.parametrize("exact", [True, False])
def test_rows_are_in_order_of_distance_and_names_each_once(exact: bool) -> None:
    graph = vr.knn_graph(points(2_000), 9, exact=exact)
    assert (np.diff(graph.data.reshape(-1, 9), axis=1) >= 0).all()
    assert (np.diff(np.sort(graph.indices.reshape(-1, 9), axis=1), axis=1) > 0).all()


@pytest.mark.parametrize(("n", "entries"), [(0, 0), (1, 0), (2, 2), (4, 12)])
@pytest.mark.parametrize("exact", [True, False])
def test_where_there_are_fewer_others_all_are_neighbours(n: int, entries: int, exact: bool) -> None:
    graph = vr.knn_graph(points(4)[:n], 9, exact=exact)
    assert graph.shape == (n, n) and graph.nnz == entries


def test_lists_that_hold_too_little_are_not_the_end() -> None:
    X = points(2_000)
    graph = vr.knn_graph(X, 700, recall=0.01)
    assert (graph.indices >= 0).all() and np.isfinite(graph.data).all()


def test_threads_change_nothing() -> None:
    X = points(3_000)
    one, two = (vr.knn_graph(X, 5, threads=threads) for threads in (1, 2))
    assert np.array_equal(one.indices, two.indices) and np.array_equal(one.data, two.data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k is 0, expected an integer of at least 1"),
        ({"metric": "l1"}, "metric is 'l1'"),
        ({"recall": 0}, "recall is 0, expected a number above 0"),
        ({"recall": 0.5, "exact": True}, "recall=0.5 was given with exact=True"),
        ({"recall": 0.99, "exact": True}, "recall=0.99 was given with exact=True"),
    ],
)
def test_what_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        vr.knn_graph(points(20), **{"k": 2, **arguments})


@pytest.mark.parametrize("exact", [True, False])
def test_a_warning_names_the_callers_line(exact: bool) -> None:
    X = points(2_000)
    X[3] = 0
    with pytest.warns(UserWarning, match="1 zero row vector under metric 'cosine'") as warned:
        vr.knn_graph(X, 3, metric="cosine", exact=exact)
    assert {warning.filename for warning in warned} == {__file__}
