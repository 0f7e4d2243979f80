"""Recall against exact search. A floor stands a little under what was measured, which the comment beside it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.micro.cases import HNSW_ROWS, METRICS
from bench.micro.cases import HNSW_STORAGES as STORAGES
from datasets.wordnet_small import WordNetSmall
from vecrecall.exact.index import Exact
from vecrecall.hnsw.index import HNSW
from vecrecall.measure.recall import recall

Measured = Callable[..., float]
Clusters = Callable[..., tuple[np.ndarray, np.ndarray]]


def real(wordnet: WordNetSmall) -> tuple[np.ndarray, np.ndarray]:
    return wordnet.documents[:HNSW_ROWS].astype(np.float32), wordnet.queries.astype(np.float32)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", STORAGES)
def test_sentences_are_found_in_every_storage(
    storage: str, metric: str, wordnet: WordNetSmall, measured: Measured
) -> None:
    X, Q = real(wordnet)
    index = HNSW.build(X, metric=metric, storage=storage)
    assert measured(index, X, Q, ef=24) > 0.97  # 0.9805 to 0.9875
    assert measured(index, X, Q) > 0.99  # 0.9978 to 0.9990


# by id, for without rows distances are those of the codes; measured 0.929, 0.9875, 0.999, 0.999
KEPT_NONE = {"sq4": 0.915, "sq8": 0.98, "f16": 0.99, "f32": 0.99}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", STORAGES)
def test_without_kept_rows_codes_alone_decide(storage: str, metric: str, wordnet: WordNetSmall) -> None:
    X, Q = real(wordnet)
    index = HNSW.build(X, metric=metric, storage=storage, keep=None, reduce=None)
    truth = Exact.build(X, metric=metric).search(Q, k=10)
    hits = index.search(Q, k=10)
    assert recall(hits, truth, by="id") > KEPT_NONE[storage]
    np.testing.assert_allclose(hits.distances[:, 0], truth.distances[:, 0], atol=0.2)
    assert (np.diff(hits.distances, axis=1) >= 0).all() and index.memory()["rows"] == 0


@pytest.mark.parametrize(("keep", "dtype"), [("u8", np.uint8), ("f16", np.float16), ("f32", np.float32)])
@pytest.mark.parametrize("metric", METRICS)
def test_kept_rows_give_exact_distances(metric: str, keep: str, dtype: type, measured: Measured) -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(1500, 24)) * 20 + 60).clip(0, 255).astype(dtype).astype(np.float32)
    Q = (rng.normal(size=(50, 24)) * 20 + 60).astype(np.float32)
    index = HNSW.build(X, metric=metric, keep=keep)
    hits, truth = index.search(Q, k=10, ef=400), Exact.build(X, metric=metric).search(Q, k=10)
    np.testing.assert_allclose(hits.distances, truth.distances, rtol=2e-6, atol=1e-7)
    assert measured(index, X, Q) > (0.88 if metric == "ip" else 0.99)  # 0.90 to 0.93; 0.998 to 1.0
    assert index.memory()["rows"] >= 1500 * 32 * np.dtype(dtype).itemsize


@pytest.mark.parametrize(("reduce", "floor", "at_200"), [(None, 0.99, 0.995), (256, 0.99, 0.995), (64, 0.78, 0.92)])
def test_fewer_dimensions_cost_recall_that_ef_gives_back(
    reduce: int | None, floor: float, at_200: float, wordnet: WordNetSmall, measured: Measured
) -> None:
    X, Q = real(wordnet)
    index = HNSW.build(X, metric="cosine", reduce=reduce)
    assert measured(index, X, Q) > floor  # 0.9985, 0.9988, 0.807
    assert measured(index, X, Q, ef=200) > at_200  # 1.0, 1.0, 0.938


@pytest.mark.parametrize("sigma", [1, 3])  # the longest row is some thousand, some 10**10 times as long as the shortest
@pytest.mark.parametrize("storage", ["sq4", "sq8", "f32"])
def test_inner_product_finds_its_rows_whatever_their_norms(storage: str, sigma: float, measured: Measured) -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(8000, 32)) * np.exp(sigma * rng.normal(size=(8000, 1)))).astype(np.float32)
    Q = rng.normal(size=(200, 32)).astype(np.float32)
    index = HNSW.build(X, metric="ip", storage=storage)
    assert measured(index, X, Q) > 0.985  # 0.997 to 1.0
    assert measured(index, X, Q, ef=200) > 0.99  # 0.9985 to 1.0
    assert measured(index, X, 1e6 * Q) == measured(index, X, Q)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", ["sq4", "f32"])
def test_duplicates_of_half_the_rows_hide_nothing(storage: str, metric: str, measured: Measured) -> None:
    rng = np.random.default_rng(0)
    X = np.tile(rng.normal(size=(3000, 32)), (2, 1)).astype(np.float32)[rng.permutation(6000)]
    Q = rng.normal(size=(200, 32)).astype(np.float32)
    index = HNSW.build(X, M=24, metric=metric, storage=storage)
    index.check()
    assert measured(index, X, Q) > 0.96  # 0.974 to 0.988
    assert measured(index, X, X[:200]) > 0.985  # 0.994 to 0.999


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", ["sq4", "f32"])
def test_clusters_that_arrive_one_after_another_are_all_found(
    storage: str, metric: str, clusters: Clusters, measured: Measured
) -> None:
    X, Q = clusters(100, 10_000, 64, 10)
    given, drawn = (HNSW.build(X, metric=metric, storage=storage, order=order) for order in ("given", "random"))
    assert measured(given, X, Q) > 0.99  # 0.9985 to 0.9995
    assert measured(drawn, X, Q) > 0.99  # 0.998 to 0.9995


def test_an_order_given_as_positions_is_taken(measured: Measured) -> None:
    rng = np.random.default_rng(0)
    X, Q = (rng.normal(size=(n, 16)).astype(np.float32) for n in (2000, 100))
    X = X[np.argsort(X[:, 0])]
    backwards = HNSW.build(X, order=np.arange(2000)[::-1])
    assert measured(backwards, X, Q) > 0.99  # 0.999
    turned = HNSW.build(X[::-1], order="given")  # the same rows come in the same order, under other numbers
    assert measured(turned, X[::-1], Q) > 0.99  # 0.999
    levels = backwards._content.graph.levels[:2000]
    assert levels.tolist() == turned._content.graph.levels[:2000].tolist()  # a matter of the slot alone


ONE_STEP = pytest.mark.xfail(reason="one code step for all rows is too coarse for short rows beside long ones")


CODES = [pytest.param(storage, marks=ONE_STEP) for storage in ("sq4", "sq8")]


@pytest.mark.parametrize("storage", [*CODES, "f32", "auto"])
def test_long_and_short_rows_are_found_under_l2(storage: str, measured: Measured) -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(8000, 32)) * np.exp(rng.normal(size=(8000, 1)))).astype(np.float32)
    Q = rng.normal(size=(200, 32)).astype(np.float32)
    assert measured(HNSW.build(X, storage=storage, M=24), X, Q, ef=200) > 0.97  # 0.743, 0.885, 0.987, 0.987


def test_auto_takes_the_first_storage_that_tells_near_rows_from_others() -> None:
    rng = np.random.default_rng(0)

    def taken(apart: float) -> str:
        centres = apart * rng.normal(size=(50, 32))
        rows = centres.repeat(60, axis=0) + rng.normal(size=(3000, 32))
        return repr(HNSW.build(rows.astype(np.float32), M=4)).splitlines()[1]

    assert "sq4 codes" in taken(1) and "sq8 codes" in taken(5) and ", f32, " in taken(20)


@pytest.mark.parametrize("apart", [5, 20, 1000])
@pytest.mark.parametrize("n_apart", [1, 50])
def test_few_rows_far_out_are_found_and_spoil_no_others(n_apart: int, apart: float, measured: Measured) -> None:
    rng = np.random.default_rng(0)
    X, Q = (rng.normal(size=(n, 32)).astype(np.float32) for n in (10_000, 100))
    X[rng.permutation(10_000)[:n_apart]] += np.float32(apart)
    index = HNSW.build(X)
    assert measured(index, X, Q) > 0.97  # 0.987 to 0.994; 0.003 when codes are made to reach the farthest
    assert measured(index, X, Q + np.float32(apart), ef=200) > 0.8  # 0.85 to 1.0; 0.0 when codes end before them


def test_greater_ef_and_M_and_ef_construction_give_more_recall(wordnet: WordNetSmall, measured: Measured) -> None:
    X, Q = real(wordnet)
    poor = HNSW.build(X, metric="cosine", M=4, ef_construction=8)
    assert measured(poor, X, Q, ef=10) < measured(poor, X, Q, ef=40) < measured(poor, X, Q, ef=400)
    more_links = HNSW.build(X, metric="cosine", M=12, ef_construction=8)
    assert measured(more_links, X, Q, ef=10) > measured(poor, X, Q, ef=10) + 0.1  # 0.31 -> 0.6
    more_looked_at = HNSW.build(X, metric="cosine", M=12, ef_construction=80)
    assert measured(more_looked_at, X, Q, ef=10) > measured(more_links, X, Q, ef=10) + 0.1


def test_recall_is_that_of_hnswlib_at_equal_parameters(wordnet: WordNetSmall, measured: Measured) -> None:
    hnswlib = pytest.importorskip("hnswlib")
    X, Q = real(wordnet)
    truth = Exact.build(X, metric="l2").search(Q, k=10)
    theirs = hnswlib.Index("l2", X.shape[1])
    theirs.init_index(len(X), M=8, ef_construction=60, random_seed=1)
    theirs.add_items(X, num_threads=1)
    ours = HNSW.build(X, M=8, ef_construction=60, storage="f32", schedule="sequential", order="given")
    for ef in (10, 20, 40):
        theirs.set_ef(ef)
        assert abs(measured(ours, X, Q, ef=ef) - recall(theirs.knn_query(Q, 10)[0], truth, by="id")) < 0.01
