"""Recall against exact search. A floor stands a little under what was measured, which the comment beside it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.micro.cases import IVF_STORAGES as STORAGES
from bench.micro.cases import METRICS
from datasets.wordnet_small import WordNetSmall
from vecrecall.exact.index import Exact
from vecrecall.ivf.index import IVF
from vecrecall.measure.recall import recall

Measured = Callable[..., float]
Clusters = Callable[..., tuple[np.ndarray, np.ndarray]]
of_all_kinds = pytest.mark.parametrize(("metric", "storage"), [(m, s) for m in METRICS for s in STORAGES])
of_some_kinds = pytest.mark.parametrize(("metric", "storage"), [("l2", "sq4"), ("ip", "sq8"), ("cosine", "sq4")])


def real(wordnet: WordNetSmall) -> tuple[np.ndarray, np.ndarray]:
    return wordnet.documents.astype(np.float32), wordnet.queries.astype(np.float32)


def normal(n: int, dim: int, n_queries: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=(m, dim)).astype(np.float32) for m in (n, n_queries))


@of_all_kinds
def test_sentences_are_found_by_the_defaults(
    metric: str, storage: str, wordnet: WordNetSmall, measured: Measured
) -> None:
    X, Q = real(wordnet)
    index = IVF.build(X, metric=metric, storage=storage)
    assert measured(index, X, Q) > (0.88 if metric == "ip" else 0.93)  # 0.902 to 0.924, 0.944 to 0.959
    assert measured(index, X, Q, target_recall=0.99) > 0.965  # 0.976 to 0.995
    assert index.search(Q).evals.mean() < 0.6 * len(X)


@pytest.mark.parametrize("keep", ["u8", "f16", "f32"])
@pytest.mark.parametrize("metric", METRICS)
def test_rows_kept_as_any_type_give_exact_distances(metric: str, keep: str, measured: Measured) -> None:
    dtype = {"u8": np.uint8, "f16": np.float16, "f32": np.float32}[keep]
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(1500, 24)) * 20 + 60).clip(0, 255).astype(dtype).astype(np.float32)
    Q = (rng.normal(size=(50, 24)) * 20 + 60).astype(np.float32)
    index = IVF.build(X, metric=metric, keep=keep, n_lists=20)
    hits, truth = index.search(Q, k=10, nprobe=20, rerank=200), Exact.build(X, metric=metric).search(Q, k=10)
    np.testing.assert_allclose(hits.distances, truth.distances, rtol=2e-6, atol=1e-7)
    assert measured(index, X, Q) > 0.94  # 0.956 to 0.988
    assert index.memory()["rows"] >= 1500 * 32 * np.dtype(dtype).itemsize


@of_all_kinds
def test_without_kept_rows_codes_alone_decide(
    metric: str, storage: str, wordnet: WordNetSmall, measured: Measured
) -> None:
    X, Q = real(wordnet)
    index = IVF.build(X, metric=metric, storage=storage, keep=None, reduce=None)
    truth = Exact.build(X, metric=metric).search(Q, k=10)
    hits = index.search(Q, k=10, nprobe=index.n_lists)
    assert recall(hits, truth, by="id") > (0.94 if storage == "sq4" else 0.98)  # 0.952 to 0.953, 0.989 to 0.990
    assert measured(index, X, Q, by="id") > (0.87 if storage == "sq4" else 0.9)  # 0.892 to 0.921, 0.913 to 0.949
    np.testing.assert_allclose(hits.distances[:, 0], truth.distances[:, 0], atol=0.03)  # 0.020 at most
    assert (np.diff(hits.distances, axis=1) >= 0).all() and index.memory()["rows"] == 0


# measured 0.737, 0.906 and 1.0; 0.950 to 0.980; 0.936 to 0.963; 0.921 to 0.977; 0.881 to 0.948
WIDTHS = {1: 0.7, 3: 0.935, 17: 0.92, 100: 0.9, 300: 0.86}


@of_some_kinds
@pytest.mark.parametrize("dim", WIDTHS)
def test_rows_of_any_width_are_found(dim: int, metric: str, storage: str, measured: Measured) -> None:
    X, Q = normal(5000 if dim < 100 else 2000, dim, 100)
    index = IVF.build(X, metric=metric, storage=storage)
    assert measured(index, X, Q) > WIDTHS[dim]
    assert measured(index, X, Q, nprobe=index.n_lists, rerank=len(X)) > 0.998  # 0.999 to 1.0


@of_some_kinds
def test_clusters_far_apart_are_found(metric: str, storage: str, clusters: Clusters, measured: Measured) -> None:
    X, Q = clusters(100, 8000, 32, 100)
    assert measured(IVF.build(X, metric=metric, storage=storage), X, Q) > 0.87  # 0.888 to 0.973


@of_some_kinds
def test_data_far_from_the_origin_are_found(metric: str, storage: str, measured: Measured) -> None:
    X, Q = normal(6000, 24)
    index = IVF.build(X + 1000, metric=metric, storage=storage)
    assert measured(index, X + 1000, Q + 1000, by="id") > 0.91  # 0.926 to 1.0


@of_some_kinds
@pytest.mark.parametrize("n_apart", [1, 50])
def test_few_rows_far_out_are_found_and_spoil_no_others(
    n_apart: int, metric: str, storage: str, measured: Measured
) -> None:
    X, Q = normal(6000, 32)
    X[np.random.default_rng(1).permutation(6000)[:n_apart]] += 1000
    index = IVF.build(X, metric=metric, storage=storage)
    queries_of_other_lengths = metric == "ip" and n_apart == 50  # all want the long rows, which the curve asks less of
    assert measured(index, X, Q) > (0.8 if queries_of_other_lengths else 0.925)  # 0.827 or more; 0.940 to 0.975


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_rows_far_out_are_found_by_queries_among_them(metric: str, measured: Measured) -> None:
    X, Q = normal(6000, 32)
    X[np.random.default_rng(1).permutation(6000)[:50]] += 1000
    index = IVF.build(X, metric=metric)
    assert measured(index, X, Q + np.float32(1000), nprobe=index.n_lists, rerank=200) > 0.98  # 1.0


@pytest.mark.parametrize("sigma", [1, 3])
@pytest.mark.parametrize("storage", STORAGES)
def test_inner_product_finds_its_rows_whatever_their_norms(storage: str, sigma: float, measured: Measured) -> None:
    rng = np.random.default_rng(0)
    X, Q = normal(6000, 32)
    X *= np.exp(sigma * rng.normal(size=(6000, 1))).astype(np.float32)
    index = IVF.build(X, metric="ip", storage=storage)
    index.check()
    assert measured(index, X, Q) > 0.94  # 0.959 to 0.987
    assert measured(index, X, 1e6 * Q) == measured(index, X, Q)


@of_some_kinds
def test_duplicates_of_half_the_rows_hide_nothing(metric: str, storage: str, measured: Measured) -> None:
    X, Q = normal(3000, 32)
    X = np.tile(X, (2, 1))[np.random.default_rng(1).permutation(6000)]
    index = IVF.build(X, metric=metric, storage=storage)
    index.check()
    assert measured(index, X, Q) > 0.91  # 0.928 to 0.947
    assert measured(index, X, X[:200]) > 0.93  # 0.947 to 0.973


@of_some_kinds
def test_bits_are_found(metric: str, storage: str, measured: Measured) -> None:
    X = np.random.default_rng(0).integers(0, 2, (6000, 24)).astype(np.float32)
    Q = np.random.default_rng(1).integers(0, 2, (200, 24)).astype(np.float32)
    index = IVF.build(X, metric=metric, storage=storage)
    assert measured(index, X, Q) > 0.98  # 0.993 to 1.0


@pytest.mark.parametrize("storage", STORAGES)
def test_long_and_short_rows_are_found_under_l2(storage: str, measured: Measured) -> None:
    rng = np.random.default_rng(0)
    X, Q = normal(6000, 32)
    X *= np.exp(rng.normal(size=(6000, 1))).astype(np.float32)
    index = IVF.build(X, storage=storage)
    assert measured(index, X, Q) > 0.955  # 0.972, 0.982


@pytest.mark.parametrize("metric", METRICS)
def test_a_target_is_about_what_queries_of_the_same_kind_find(metric: str, measured: Measured) -> None:
    X, Q = normal(8000, 24)
    index = IVF.build(X, metric=metric)
    for target in (0.8, 0.9, 0.99):
        assert target - 0.04 < measured(index, X, Q, target_recall=target) < target + 0.04  # within 0.026


@pytest.mark.parametrize("build", [{}, {"reduce": 4}, {"keep": None}, {"keep": None, "storage": "sq8"}], ids=str)
def test_a_curve_claims_no_more_than_a_search_finds(build: dict, measured: Measured) -> None:
    X, Q = normal(6000, 30)
    index = IVF.build(X, **build)
    _, claimed, _, nprobe, rerank = index.curve[index.curve[:, 0] == 10][-1].tolist()
    found = measured(index, X, Q, by="id", nprobe=int(nprobe), rerank=int(rerank))
    assert found > claimed - 0.05 and claimed > 0.3  # 1.0 of 1.0, 0.53 of 0.37, 0.87 of 0.85, 0.97 of 0.92
