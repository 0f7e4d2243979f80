"""Answers: the table of distances and scores, missing places, the forms for one query and for many."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.hits import Hits

INF = np.inf


def batch(metric: str = "l2") -> Hits:
    ids = np.array([[4, 2, -1], [1, -1, -1], [-1, -1, -1]])
    distances = np.array([[0.25, 0.5, INF], [0, INF, INF], [INF, INF, INF]], np.float32)
    return Hits(ids, distances, np.array([10, 20, 30]), metric)


@pytest.mark.parametrize(
    ("metric", "first", "zero"), [("l2", -0.25, 0), ("ip", -0.25, 0), ("cosine", 0.75, 1)]
)
def test_scores_are_the_distances_turned_round(metric: str, first: float, zero: float) -> None:
    scores = batch(metric).scores
    assert scores.dtype == np.float32
    assert scores[0, 0] == first and scores[1, 0] == zero and not np.signbit(scores[1, 0])
    assert (scores[~np.isfinite(batch().distances)] == -INF).all()


def test_counts_and_iteration_leave_missing_places_out() -> None:
    hits = batch()
    assert hits.counts.tolist() == [2, 1, 0] and len(hits) == 3  # type: ignore[union-attr]
    assert [(ids.tolist(), d.tolist()) for ids, d in hits] == [([4, 2], [0.25, 0.5]), ([1], [0.0]), ([], [])]


def test_one_query_has_plain_counts() -> None:
    hits = Hits(np.array([4, -1]), np.array([0.5, INF], np.float32), 7, "l2")
    assert hits.counts == 1 and isinstance(hits.counts, int) and hits.evals == 7 and len(hits) == 1
    assert [ids.tolist() for ids, _ in hits] == [[4]]
    assert (
        repr(hits) == "Hits: 1 query, k=2, metric l2\n1 of 2 places filled, 7.0 distance evaluations a query"
    )


def test_repr_has_two_lines_also_without_queries() -> None:
    for hits in (batch(), Hits(np.empty((0, 3), int), np.empty((0, 3), np.float32), np.empty(0, int), "ip")):
        assert repr(hits).count("\n") == 1


def test_hits_do_not_change() -> None:
    with pytest.raises(AttributeError):
        batch().ids = np.zeros(3)  # type: ignore[misc]


@pytest.mark.parametrize("as_text", [False, True])
def test_tables_hold_one_row_a_hit(as_text: bool) -> None:
    hits = batch("cosine")
    if as_text:
        ids = np.array([["d", "b", None], ["a", None, None], [None] * 3], object)
        hits = Hits(ids, hits.distances, hits.evals, "cosine")
    expected = {
        "query": [0, 0, 1],
        "rank": [0, 1, 0],
        "id": ["d", "b", "a"] if as_text else [4, 2, 1],
        "distance": [0.25, 0.5, 0.0],
        "score": [0.75, 0.5, 1.0],
    }
    assert hits.to_arrow().to_pydict() == expected
    assert hits.to_pandas().to_dict("list") == expected
