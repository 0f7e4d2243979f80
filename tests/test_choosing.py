"""`vr.build`: the engine that it chooses, and what it hands on."""

from __future__ import annotations

import numpy as np
import pytest

import vecrecall as vr

X = np.random.default_rng(0).normal(size=(3_000, 16)).astype(np.float32)


@pytest.mark.parametrize(
    ("recall", "queries", "engine"),
    [(1, "batches", vr.Exact), (1.0, "single", vr.Exact), (0.9, "batches", vr.IVF), (0.9, "single", vr.HNSW)],
)
def test_recall_and_queries_decide_the_engine(recall: float, queries: str, engine: type) -> None:
    index = vr.build(X, metric="cosine", recall=recall, queries=queries, ids=[f"row {i}" for i in range(3_000)])
    assert type(index) is engine and index.metric == "cosine"
    assert index.search(X[7], 1).ids[0] == "row 7"


@pytest.mark.parametrize("queries", ["batches", "single"])
def test_the_recall_asked_for_is_the_target_and_is_reached(queries: str) -> None:
    index = vr.build(X, recall=0.9, queries=queries)
    Q = np.random.default_rng(1).normal(size=(200, 16)).astype(np.float32)
    assert index.target_recall == 0.9
    assert vr.recall(index.search(Q), vr.Exact.build(X).search(Q)) > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recall": 1.1}, "recall is 1.1"),
        ({"recall": 1, "seed": -3}, "seed is -3"),
        ({"queries": "many"}, "queries is 'many', expected one of 'batches'"),
    ],
)
def test_what_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        vr.build(X, **arguments)
