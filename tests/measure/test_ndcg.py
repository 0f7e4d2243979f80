"""nDCG against values worked out by hand, and against a slow twin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecrecall.hits import Hits
from vecrecall.measure.ndcg import NDCG, ndcg

# a textbook's ranking, of relevances 3 2 3 0 1 2; 7 and 8 are not found
GRADES = {1: 3, 2: 2, 3: 3, 4: 0, 5: 1, 6: 2, 7: 3, 8: 2}
RANKED = np.array([[1, 2, 3, 4, 5, 6, 9, 10]])


def slow(ids: list[Any], grades: dict[Any, float], k: int) -> float:
    """By the words of the docstring."""
    gained, seen = 0.0, set()
    for rank, name in enumerate(ids[:k], start=1):
        if name not in seen:
            gained += max(grades.get(name, 0), 0) / math.log2(1 + rank)
        seen.add(name)
    best = sorted((max(grade, 0) for grade in grades.values()), reverse=True)[:k]
    ideal = sum(grade / math.log2(1 + rank) for rank, grade in enumerate(best, start=1))
    return gained / ideal if ideal else 0.0


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, 1.0),
        # 3 / 1 + 2 / 1.584963 + 3 / 2 + 0 + 1 / 2.584963 + 2 / 2.807355; the ideal has 3 3 3 2 2 2 1 there
        (6, 6.861127 / 8.740262),
        (8, 6.861127 / 9.073595),
    ],
)
def test_a_worked_example(k: int, expected: float) -> None:
    assert ndcg(RANKED, {0: GRADES}, k) == pytest.approx(slow(RANKED[0].tolist(), GRADES, k), abs=1e-12)
    assert ndcg(RANKED, {0: GRADES}, k) == pytest.approx(expected, abs=1e-6)


def test_one_relevant_document_counts_by_its_rank() -> None:
    ids = np.array([[7, 1, 2], [1, 7, 2], [1, 2, 7], [1, 2, 3]])
    result = ndcg(ids, np.full(4, 7), 3, per_query=True)
    assert isinstance(result, NDCG)
    np.testing.assert_allclose(result.per_query, [1, 1 / math.log2(3), 0.5, 0])
    assert float(result) == result.value == pytest.approx(result.per_query.mean())


@given(
    st.lists(st.lists(st.integers(-1, 8), min_size=5, max_size=5), min_size=1, max_size=4),
    st.dictionaries(st.integers(0, 8), st.integers(-1, 3), max_size=6),
    st.integers(1, 5),
    st.booleans(),
)
def test_it_is_what_the_loop_says(
    rows: list[list[int]], grades: dict[int, int], k: int, words: bool
) -> None:
    qrels: Any = dict.fromkeys(range(len(rows)), grades)
    ids = np.array(rows)
    expected = [slow([None if i == -1 else i for i in row], grades, k) for row in rows]
    if words:
        ids = np.array([[None if i == -1 else f"d{i}" for i in row] for row in rows], object)
        qrels = {str(query): {f"d{i}": grade for i, grade in grades.items()} for query in qrels}
    result = ndcg(ids, qrels, k, per_query=True)
    assert isinstance(result, NDCG)
    np.testing.assert_allclose(result.per_query, expected, atol=1e-12)


def test_queries_that_nobody_judged_are_left_out_and_those_with_nothing_relevant_count_nothing() -> None:
    ids = np.array([[7, 1], [7, 1], [7, 1]])
    result = ndcg(ids, {0: {7: 1}, 2: {7: 0}}, 2, per_query=True)
    assert isinstance(result, NDCG)
    np.testing.assert_array_equal(result.per_query, [1, np.nan, 0])
    assert result.value == 0.5 and "over 2 queries" in repr(result)
    assert ndcg(ids, [7, -1, 1], 2) == pytest.approx((1 + 1 / math.log2(3)) / 2)
    assert ndcg(np.array([["a"], ["b"]]), np.array(["a", None], object), 1) == 1


def test_files_hold_ids_as_text_and_indexes_as_numbers() -> None:
    ids = np.array([[7, 1], [3, 4]])
    qrels = {"q1": {"7": 1}, "q2": {"4": 2}}
    value = ndcg(ids, qrels, 2, query_ids=["q1", "q2"])
    assert value == ndcg(ids, {1: {7: 1}, 2: {4: 2}}, 2, query_ids=[1, 2]) == pytest.approx((1 + 1 / math.log2(3)) / 2)
    assert ndcg(ids.astype(str), qrels, 2, query_ids=np.array(["q1", "q2"])) == value


def test_hits_pairs_and_one_query_are_taken() -> None:
    hits = Hits(np.array([[4, 7, -1]]), np.array([[0, 1, np.inf]], np.float32), np.array([3]), "l2")
    expected = 1 / math.log2(3)
    for found in (hits, (hits.ids, hits.distances), hits.ids, hits.ids[0], hits.ids.tolist()):
        assert ndcg(found, {0: {7: 1}}, 3) == pytest.approx(expected)


def test_the_interval_surrounds_the_mean_over_the_judged() -> None:
    ids = np.random.default_rng(0).integers(0, 4, (300, 1))
    result = ndcg(ids, np.where(np.arange(300) < 200, 1, -1), 1, interval=0.95)
    assert isinstance(result, NDCG) and result.low is not None and result.high is not None
    share = (ids[:200] == 1).mean()
    assert result.value == share and result.low < share < result.high
    assert result.high - result.low == pytest.approx(2 * 1.96 * math.sqrt(share * (1 - share) / 200), rel=0.15)
    assert "interval" in repr(result)


def test_no_queries_have_no_ndcg() -> None:
    assert np.isnan(ndcg(np.empty((0, 10), int), {}))


IDS = np.array([[1, 2], [3, 4]])
REFUSED: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
    (IDS, {0: {1: 1}}, {"k": 10}, ValueError, "k is 10, but hits hold 2 places"),
    (IDS, {0: {1: 1}}, {"k": 0}, ValueError, "k is 0"),
    (IDS, {"a": {1: 1}}, {}, ValueError, "qrels judge none of the 2 queries; give query_ids"),
    (IDS, {0: {"doc1": 1}}, {}, ValueError, "qrels of query 0 name a document 'doc1', but the answers hold numbers"),
    (IDS, {0: {1.5: 1}}, {}, ValueError, "name a document 1.5"),
    (IDS, {0: {1: "high"}}, {}, TypeError, "a relevance of query 0 is 'high'"),
    (IDS, {0: {1: float("nan")}}, {}, ValueError, "a relevance of query 0 is nan"),
    (IDS, {0: [1, 2]}, {}, TypeError, "qrels of query 0 are a list"),
    (IDS, [1], {}, ValueError, r"qrels has shape \(1,\), expected \(2,\)"),
    (IDS, [[1, 2], [3, 4]], {}, ValueError, r"qrels has shape \(2, 2\)"),
    (IDS, [0.5, 1.0], {}, TypeError, "qrels is a list of float64"),
    (IDS, ["a", "b"], {}, ValueError, "qrels name a document 'a'"),
    (IDS, [1, 2], {"query_ids": [0, 1]}, ValueError, "query_ids was given with qrels that stand in the order"),
    (IDS, {0: {1: 1}}, {"query_ids": [0]}, ValueError, "a name for each of 2 queries"),
    (IDS, {0: {1: 1}}, {"query_ids": 5}, ValueError, "a name for each of 2 queries"),
    (IDS, {0: {1: 1}}, {"interval": 95}, ValueError, "interval is 95"),
    (IDS, {0: {1: 1}}, {"seed": -1}, ValueError, "seed is -1"),
]


@pytest.mark.parametrize(("found", "qrels", "options", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(
    found: Any, qrels: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ndcg(found, qrels, **({"k": 2} | options))
