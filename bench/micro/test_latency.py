"""Single queries in every case that the tests of recall run through: all queries in turn, one a call, on one thread.

The recall@10 of the index and its settings stands beside the name: a speed alone says nothing.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from bench.micro.cases import HNSW_ROWS, HNSW_STORAGES, IVF_STORAGES, KEPT_TYPES, METRICS, SPARSE_SEARCHES
from bench.micro.inputs import sparse_set
from datasets.wordnet_small import WordNetSmall

K = 10


def measure(benchmark: Any, index: Any, truth: Any, queries: Any, **settings: Any) -> None:
    """Time one query a call; recall is that of all of them, by the answers of an exact index of the same rows."""
    recall = float(vr.recall(index.search(queries, K, **settings), truth.search(queries, K)))
    rows = [queries[[i]] for i in range(queries.shape[0])] if index.kind == "sparse" else list(queries)
    index.search(rows[0], K, **settings)  # compiled
    turn = cycle(rows)
    benchmark.group = f"one query a call, {type(index).__name__}"
    benchmark.name = f"{benchmark.name} recall {recall:.3f}"
    benchmark.extra_info[f"recall@{K}"] = recall
    benchmark(lambda: index.search(next(turn), K, **settings))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", HNSW_STORAGES)
def test_hnsw(benchmark: Any, documents: np.ndarray, queries: np.ndarray, storage: str, metric: str) -> None:
    X = documents[:HNSW_ROWS]
    index = vr.HNSW.build(X, metric=metric, storage=storage, threads=1)
    measure(benchmark, index, vr.Exact.build(X, metric=metric), queries)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", IVF_STORAGES)
def test_ivf(benchmark: Any, documents: np.ndarray, queries: np.ndarray, storage: str, metric: str) -> None:
    index = vr.IVF.build(documents, metric=metric, storage=storage, threads=1)
    measure(benchmark, index, vr.Exact.build(documents, metric=metric), queries)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", KEPT_TYPES)
def test_exact(benchmark: Any, documents: np.ndarray, queries: np.ndarray, dtype: str, metric: str) -> None:
    X = np.round(documents * 400 + 128).clip(0, 255) if dtype == "uint8" else documents
    index = vr.Exact.build(X, metric=metric, keep=dtype)
    measure(benchmark, index, index, queries, threads=1)


APPROXIMATE = [case[:3] for case in SPARSE_SEARCHES]
EXACT = [(name, build, {"exact": True}) for name, build, search in APPROXIMATE if not search]


@pytest.mark.parametrize(("name", "build", "search"), APPROXIMATE + EXACT, ids=str)
def test_sparse(
    benchmark: Any, wordnet: WordNetSmall, name: str, build: dict[str, Any], search: dict[str, Any]
) -> None:
    docs, queries = sparse_set(wordnet, name)
    index = vr.SparseIndex.build(docs, threads=1, **build)
    measure(benchmark, index, vr.Exact.build(docs), queries, **search)
