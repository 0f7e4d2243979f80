"""`vr.analysis.dimension` from neighbours that were found elsewhere, or roughly: what is checked, and what is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.analysis.slow_dimension import flat
from vecrecall.analysis import dimension


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return flat(600, 8, dim=16).astype(np.float32)


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_neighbours_may_be_given_in_every_form(rows: np.ndarray, metric: str) -> None:
    clean = dimension(rows, "all", k=20, metric=metric)
    hits = vr.Exact.build(rows, metric=metric).search(rows, 22)  # each row finds itself
    for given in (
        hits,
        (hits.ids, hits.distances),
        (hits.ids[:, ::-1].astype(np.uint32), hits.distances[:, ::-1]),
        vr.knn_graph(rows, 21, metric=metric, exact=True),
    ):
        found = dimension(rows, "all", k=20, metric=metric, neighbours=given)
        assert found["mle"].neighbours == "given" and found["mle"].recall == 1 and found["mle"].error == 0
        for a, b in zip(found.values(), clean.values()):
            assert a.value == pytest.approx(b.value, rel=1e-12)  # lengths are squared in another order
        np.testing.assert_allclose(found["mle"].pointwise, clean["mle"].pointwise, rtol=1e-12)


def test_neighbours_that_repeat_are_counted_once(rows: np.ndarray) -> None:
    X = np.vstack([rows, rows])  # each row finds itself, its copy, and its neighbours twice
    found = dimension(X, k=10, neighbours=vr.Exact.build(X).search(X, 24))
    np.testing.assert_array_equal(found.pointwise[:600], dimension(rows, k=10).pointwise)
    assert found.n_duplicates == 600 and found.recall == 1


def test_lists_of_different_length_are_taken_as_they_are(rows: np.ndarray) -> None:
    hits = vr.Exact.build(rows).search(rows, 21)
    ids, distances = hits.ids.copy(), hits.distances.copy()
    ids[0, 8:], distances[0, 8:] = -1, np.inf
    ids[1, 2:], distances[1, 2:] = -1, np.inf
    found = dimension(rows, ["mle", "lpca"], k=20, neighbours=(ids, distances))
    clean, seven = dimension(rows, k=20), dimension(rows, k=7)
    assert np.isnan(found["mle"].pointwise[1]) and np.isnan(found["lpca"].pointwise[1])  # one neighbour
    assert found["mle"].pointwise[0] == seven.pointwise[0]
    np.testing.assert_array_equal(found["mle"].pointwise[2:], clean.pointwise[2:])


def test_given_neighbours_that_are_not_the_nearest_show_in_recall_and_error(rows: np.ndarray) -> None:
    hits = vr.Exact.build(rows).search(rows, 61)
    some = np.arange(1, 61, 3)
    found = dimension(rows, k=20, neighbours=(hits.ids[:, some], hits.distances[:, some]))
    assert found.recall == pytest.approx(7 / 20, abs=0.01)  # of the 20 nearest every third
    true, own = dimension(rows, k=20).value, found.value
    assert found.error == pytest.approx(own / true - 1, abs=0.02) and found.pointwise_error > 0
    assert "given neighbours of recall 0.35" in repr(found)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda i, d: (i[:5], d[:5]), "expected a list for each of the 600 rows"),
        (lambda i, d: (i, d[:, :3]), "expected a list for each of the 600 rows"),
        (lambda i, d: (i[0], d[0]), "expected a list for each of the 600 rows"),
        (lambda i, d: (i.astype(float), d), "expected integers"),
        (lambda i, d: (i.astype(str), d), "expected integers"),
        (lambda i, d: (i + 600, d), "neighbours of row 0 name row"),
        (lambda i, d: (i - 602, d), "neighbours of row 0 name row"),
        (lambda i, d: (np.roll(i, 7, axis=0), d), "give neighbours of these rows"),
        (lambda i, d: (i, d**2), "give neighbours of these rows"),
        (lambda i, d: i, "neighbours is ndarray, expected Hits"),
        (lambda i, d: (i, d, d), "neighbours is tuple, expected Hits"),
    ],
)
def test_given_neighbours_of_other_rows_are_refused(rows: np.ndarray, spoil: Any, message: str) -> None:
    hits = vr.Exact.build(100 * rows).search(100 * rows, 21)
    with pytest.raises((ValueError, TypeError), match=message):
        dimension(100 * rows, k=20, neighbours=spoil(hits.ids, hits.distances))


def test_a_graph_of_other_rows_is_refused(rows: np.ndarray) -> None:
    graph = vr.knn_graph(rows[:50], 5, exact=True)
    with pytest.raises(ValueError, match=r"graph of shape \(50, 50\), expected \(600, 600\)"):
        dimension(rows, neighbours=graph)
    with pytest.raises(ValueError, match="exact=False is given beside neighbours="):
        dimension(rows[:50], neighbours=graph, exact=False)


def test_the_approximate_search_states_its_error() -> None:
    X = flat(3000, 10, dim=24).astype(np.float32)
    exact, found = dimension(X, "all", k=20), dimension(X, "all", k=20, exact=False, recall=0.9)
    for name, each in found.items():
        assert each.neighbours == "approximate" and 0.85 < each.recall <= 1
        off = each.value / exact[name].value - 1
        assert abs(each.error - off) < 0.02 and abs(off) < 0.1
    assert found["mle"].pointwise_error is not None and found["twonn"].pointwise_error is None
    assert exact["mle"].recall is None and exact["mle"].error is None
