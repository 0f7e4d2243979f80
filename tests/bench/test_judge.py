"""The judge agrees with recall that is computed in other ways on the same ids."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import vecrecall as vr
from bench.data import Data, dense, sparse_set
from bench.judge import Judge

K = 7


def dense_set(metric: str, *, ties: bool) -> Data:
    rng = np.random.default_rng(1)
    X, Q = rng.standard_normal((400, 6)), rng.standard_normal((30, 6))
    if ties:
        X, Q = np.round(X), np.round(Q) + 0.5
    X, Q = X.astype(np.float32), Q.astype(np.float32)
    rows, queries = X.astype(float), Q.astype(float)
    if metric == "cosine":
        rows, queries = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-30) for v in (rows, queries))
    keys = -queries @ rows.T if metric != "l2" else ((rows - queries[:, None]) ** 2).sum(2)
    return dense("set", X, Q, metric, np.argsort(keys, axis=1, kind="stable")[:, :20], "")


def sparse_data() -> Data:
    rng = np.random.default_rng(2)
    docs = sparse.random(300, 40, 0.1, random_state=rng, data_rvs=lambda n: rng.integers(1, 4, n))
    queries = sparse.random(30, 40, 0.08, random_state=rng, data_rvs=lambda n: rng.integers(1, 4, n))
    return sparse_set("sparse", docs, queries, 30, "")


def answers_of_some_quality(data: Data, queries: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The true neighbours with some places replaced by other rows."""
    ids = data.neighbors[1::2, :K].copy()
    worse = rng.random(ids.shape) < 0.3
    ids[worse] = rng.integers(0, data.n, int(worse.sum()))
    return ids


@pytest.mark.parametrize(
    ("ids", "recall"),
    [
        ([[0, 1], [4, 3]], 1.0),
        ([[1, 0], [3, 4]], 1.0),  # the order does not matter
        ([[0, 2], [4, 3]], 1.0),  # row 2 ties with row 1
        ([[0, 3], [4, 3]], 0.75),
        ([[0, 0], [4, 4]], 0.5),  # a repeated id counts once
        ([[0, -1], [-1, -1]], 0.25),
        ([[0, 99], [4, 3]], 0.75),
    ],
)
def test_recall_counts_by_distance(ids: list[list[int]], recall: float) -> None:
    X = np.array([[0], [1], [1], [2], [3]], np.float32)  # on a line, two of them in one place
    data = Data("line", X, X[[0, 4]], "l2", np.array([[0, 1], [4, 3]]))
    assert Judge(data, "all", 2).verdict(np.array(ids), None).recall.mean() == recall


@pytest.mark.parametrize(
    ("ids", "recall"),
    [
        ([[0, 1], [3, -1]], 1.0),
        ([[0, 2], [3, -1]], 1.0),  # document 2 ties with 1
        ([[1, 2], [3, -1]], 1.0),  # each of them reaches the second best score
        ([[0, 0], [3, -1]], 0.75),
        ([[-1, -1], [3, -1]], 0.5),
        ([[0, 1], [3, 2]], 1.0),  # the second query has one answer, so only one is wanted
        ([[0, 1], [2, -1]], 0.5),  # a document of score 0 is no answer
    ],
)
def test_sparse_recall_wants_what_exists(ids: list[list[int]], recall: float) -> None:
    docs = sparse.csr_array(np.array([[3, 0], [2, 0], [2, 0], [0, 5]], np.float32))
    data = sparse_set("x", docs, sparse.csr_array(np.eye(2, dtype=np.float32)), 2, "")
    assert Judge(data, "all", 2).verdict(np.array(ids), None).recall.mean() == recall


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_recall_agrees_with_an_independent_computation(metric: str, ties: bool) -> None:
    data = dense_set(metric, ties=ties)
    queries, numbers = data.half("timed")
    ids = answers_of_some_quality(data, queries, np.random.default_rng(3))
    recall = Judge(data, "timed", K).verdict(ids, None).recall
    x, q = data.X.astype(np.float64), queries.astype(np.float64)
    every = ((x - q[:, None]) ** 2).sum(2) if metric != "ip" else -q @ x.T
    kth = np.sort(every, axis=1)[:, K - 1]
    expected = []
    for own, row, limit in zip(ids, every, kth):
        expected.append(sum(row[i] <= limit + 2e-6 * abs(limit) for i in set(own.tolist())) / K)
    assert recall == pytest.approx(np.minimum(expected, 1), abs=1e-9)
    assert len(numbers) == len(recall)


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_recall_agrees_with_that_of_the_library(metric: str) -> None:
    data = dense_set(metric, ties=True)
    queries, _ = data.half("timed")
    judge = Judge(data, "timed", K)
    ids = answers_of_some_quality(data, queries, np.random.default_rng(4))
    true = data.neighbors[1::2, :K]
    theirs = vr.recall((ids, judge.distances(ids)), (true, judge.distances(true)), per_query=True)
    assert judge.verdict(ids, None).recall == pytest.approx(theirs.per_query, abs=1e-9)


def test_sparse_recall_agrees_with_full_products() -> None:
    data = sparse_data()
    queries, _ = data.half("timed")
    scores = (queries @ data.X.T).toarray().astype(np.float64)
    rng = np.random.default_rng(5)
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    worse = rng.random(ids.shape) < 0.3
    ids[worse] = rng.integers(0, data.n, int(worse.sum()))
    verdict = Judge(data, "timed", K).verdict(ids, -np.take_along_axis(scores, ids, 1))
    expected = []
    for own, row in zip(ids, scores):
        wanted = min(K, int((row > 0).sum()))
        limit = np.sort(row)[::-1][K - 1]
        right = sum(row[i] > 0 and row[i] >= limit - 1e-9 for i in set(own.tolist()))
        expected.append(min(right, wanted) / wanted if wanted else 1.0)
    assert verdict.recall == pytest.approx(expected, abs=1e-9)
    assert verdict.faults.wrong_distances == 0


def test_the_halves_share_no_query_and_leave_none_out() -> None:
    data = dense_set("l2", ties=False)
    choosing, timed = (data.half(which)[1] for which in ("choosing", "timed"))
    assert sorted([*choosing, *timed]) == list(range(30))
    assert np.array_equal(data.half("timed")[0], data.Q[timed])


def test_faults_are_counted_each_by_itself() -> None:
    data = dense_set("l2", ties=False)
    judge = Judge(data, "timed", K)
    ids = data.neighbors[1::2, :K].copy()
    distances = judge.distances(ids)
    ids[0, 0] = -1  # one place empty
    ids[1, 1] = ids[1, 0]  # one id twice
    ids[2, 0] = data.n  # one row that does not exist
    ids[3, 0] = -7
    distances[4, 0] *= 3
    distances[5, 2] = np.nan
    faults = judge.verdict(ids, distances).faults
    counted = (faults.missing, faults.duplicates, faults.out_of_range)
    assert counted == (1, 1, 2)
    assert faults.wrong_distances == 3  # of the repeated id too, which stands at another's distance
