"""Recall, by distance and by id, against loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecrecall.exact.index import Exact
from vecrecall.hits import Hits
from vecrecall.measure.recall import Recall, recall

INF = np.inf


def hits(ids: Any, distances: Any) -> Hits:
    return Hits(np.array(ids), np.array(distances, np.float32), 0, "l2")


def slow(found: Hits, true: Hits, k: int, by: str) -> list[float]:
    """Recall of each query, by the words of the docstring."""
    values = []
    for (ids, distances), (true_ids, true_distances) in zip(found, true, strict=True):
        real = set(true_ids[:k].tolist())
        existing = len(true_distances[:k])
        right = set()
        for id_, distance in zip(ids[:k].tolist(), distances[:k].tolist(), strict=True):
            near = existing and distance <= true_distances[:k].max() * (1 + 1e-5)
            if near if by == "distance" else id_ in real:
                right.add(id_)
        values.append(min(len(right), existing) / existing if existing else 1.0)
    return values


@settings(deadline=None)  # the first search loads kernels
@given(st.integers(1, 9), st.integers(1, 12), st.sampled_from(["distance", "id"]), st.integers(0, 2**32))
def test_recall_is_what_the_loop_says(n: int, k: int, by: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, Q = rng.integers(0, 3, (n, 2)), rng.integers(0, 3, (4, 2))
    truth = Exact.build(X).search(Q, k)
    some = rng.permutation(n)[: rng.integers(1, n + 1)]
    found = Exact.build(X[some], ids=some).search(Q, k)
    result = recall(found, truth, by=by, per_query=True)
    assert isinstance(result, Recall)
    np.testing.assert_allclose(result.per_query, slow(found, truth, k, by))
    assert recall(found, truth, by=by) == pytest.approx(np.mean(result.per_query))
    assert recall(truth, truth, by=by) == 1


def test_ties_count_by_distance_and_not_by_id() -> None:
    truth, found = hits([[1, 2]], [[0, 1]]), hits([[1, 3]], [[0, 1]])
    assert recall(found, truth) == 1
    assert recall(found, truth, by="id") == 0.5


def test_an_id_given_twice_counts_once() -> None:
    truth, found = hits([[1, 2]], [[0, 1]]), hits([[1, 1]], [[0, 0]])
    assert recall(found, truth) == recall(found, truth, by="id") == 0.5


def test_missing_places_are_not_answers() -> None:
    truth = hits([[1, 2], [3, -1], [-1, -1]], [[0, 1], [0, INF], [INF, INF]])
    found = hits([[2, -1], [-1, -1], [5, -1]], [[1, INF], [INF, INF], [0, INF]])
    for by in ("distance", "id"):
        result = recall(found, truth, by=by, per_query=True)
        assert isinstance(result, Recall) and result.per_query.tolist() == [0.5, 0, 1]


FURTHEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize("missing", [-1, None])
@pytest.mark.parametrize("distance", [FURTHEST, INF, np.nan, 0.0])
def test_a_missing_place_of_the_truth_is_none_whatever_distance_stands_there(missing: Any, distance: float) -> None:
    one, other = ("a", "b") if missing is None else (5, 6)
    found = np.array([[one, other]], object if missing is None else int), np.array([[9.0, 9.1]])
    truth = np.array([["c" if missing is None else 1, missing]]), np.array([[0.1, distance]])
    assert recall(found, truth) == 0
    near = np.array([[one, other]], object if missing is None else int), np.array([[0.1, 9.1]])
    assert recall(near, truth) == 1


def test_a_truth_that_is_all_missing_asks_for_nothing() -> None:
    assert recall(hits([[5]], [[1]]), hits([[-1]], [[FURTHEST]])) == 1


@pytest.mark.parametrize("distances", [[0.1, np.nan], [np.nan, np.nan], [INF, INF]])
def test_a_truth_that_names_neighbours_without_their_distance_is_refused(distances: list[float]) -> None:
    words = r"truth names a neighbour at distance (nan|inf) \(row 1, place [01]\), expected a finite one"
    with pytest.raises(ValueError, match=words):
        recall(hits([[1, 2], [5, 6]], [[0, 1], [9, 9]]), hits([[1, 2], [3, 4]], [[0, 1], distances]))


def test_answers_without_a_distance_are_wrong() -> None:
    assert recall(hits([[1, 2]], [[np.nan, INF]]), hits([[1, 2]], [[0, 1]])) == 0


def test_negative_inner_products_have_a_tolerance_on_the_right_side() -> None:
    truth = hits([[1, 2]], [[-5, -3]])
    assert recall(hits([[1, 7]], [[-5, -2.99999]]), truth) == 1
    assert recall(hits([[1, 7]], [[-5, -2.99]]), truth) == 0.5
    assert recall(hits([[1, 7]], [[-5, -2.99]]), truth, tolerance=0.01) == 1


def test_the_narrower_one_sets_k() -> None:
    truth, found = hits([[1, 2, 3, 4]], [[0, 1, 2, 3]]), hits([[1, 3]], [[0, 2]])
    assert recall(found, truth) == 0.5
    assert recall(truth, found, by="id") == 0.5
    assert recall(found, truth, k=1) == 1


def test_one_query_strings_and_pairs_are_taken() -> None:
    assert recall((np.array([1, 2]), [0.0, 1.0]), hits([1, 2], [0, 1])) == 1
    names = np.array([["a", "b", None]], object)
    assert recall(names, np.array([["b", "c", "a"]]), by="id") == pytest.approx(2 / 3)
    assert recall([[-5, -7]], [[-5, 8]], by="id") == 0.5  # only -1 is missing


def test_the_interval_surrounds_the_mean_and_is_repeatable() -> None:
    rng = np.random.default_rng(0)
    found = rng.integers(0, 2, (400, 1))
    first, second, other = (
        recall(found, np.ones((400, 1), int), by="id", interval=level, seed=seed)
        for level, seed in [(0.95, 0), (0.95, 0), (0.5, 1)]
    )
    assert isinstance(first, Recall) and isinstance(second, Recall) and isinstance(other, Recall)
    assert first.low is not None and first.high is not None and other.low is not None
    assert (first.low, first.high) == (second.low, second.high)
    assert first.low < other.low < first.value < first.high
    assert first.high - first.low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)  # the normal approximation
    assert float(first) == first.value and "interval" in repr(first)


def test_no_queries_have_no_recall() -> None:
    assert np.isnan(recall(np.empty((0, 3), int), np.empty((0, 3), int), by="id"))


REFUSED: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
    ([[1]], hits([[1]], [[0]]), {}, TypeError, "hits is ids alone"),
    (hits([[1]], [[0]]), [[1]], {}, TypeError, "truth is ids alone"),
    ([[1], [2]], [[1]], {"by": "id"}, ValueError, "hits answer 2 queries and truth 1"),
    ([[1]], [[1]], {"by": "id", "k": 2}, ValueError, "k is 2, but hits hold 1 places"),
    ([[1, 2]], [[1]], {"by": "id", "k": 2}, ValueError, "k is 2, but truth hold 1 places"),
    ([[1]], [[1]], {"by": "id", "k": 0}, ValueError, "k is 0"),
    ([[1]], [[1]], {"by": "rank"}, ValueError, "by is 'rank'"),
    ([[0.5]], [[1]], {"by": "id"}, TypeError, "hits has ids of float64"),
    ([["a"]], [[1]], {"by": "id"}, TypeError, "expected one kind"),
    (([[1]], [[0, 1]]), hits([[1]], [[0]]), {}, ValueError, "expected one shape"),
    (([1], [2], [3]), hits([[1]], [[0]]), {}, TypeError, "tuple of 3"),
    ([[1]], [[1]], {"by": "id", "interval": 95}, ValueError, "interval is 95"),
    ([[1]], [[1]], {"by": "id", "seed": -1}, ValueError, "seed is -1"),
    ([[1]], [[1]], {"by": "id", "seed": "a"}, TypeError, "seed is 'a'"),
    ([[1]], [[1]], {"by": "id", "n_resamples": 0}, ValueError, "n_resamples is 0"),
    ([[1]], [[1]], {"by": "id", "tolerance": "a"}, TypeError, "tolerance is 'a', expected a number of at least 0"),
    ([[1]], [[1]], {"by": "id", "tolerance": float("nan")}, ValueError, "tolerance is nan"),
    ([[1]], [[1]], {"by": "id", "tolerance": float("inf")}, ValueError, "tolerance is inf"),
    ([[1]], [[1]], {"by": "id", "tolerance": -1e-9}, ValueError, "tolerance is -1e-09"),
]


@pytest.mark.parametrize(("found", "truth", "options", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(
    found: Any, truth: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        recall(found, truth, **options)
