"""`sweep`: what it measures is what searches and exact search say; truth in every form; what it refuses."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from vecrecall.measure import sweep as module
from vecrecall.measure.findings import Sweep
from vecrecall.measure.ndcg import NDCG
from vecrecall.measure.timing import best_seconds, compile_seconds, single_query_us

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1_500, 16)).astype(np.float32)
Q = RNG.normal(size=(60, 16)).astype(np.float32)
D = sp.random(800, 300, density=0.06, format="csr", dtype=np.float32, random_state=1)
S = sp.random(40, 300, density=0.04, format="csr", dtype=np.float32, random_state=2)
FAST: dict[str, Any] = {"rounds": 1, "latency": False}


@pytest.fixture(scope="module")
def graph() -> vr.HNSW:
    return vr.HNSW.build(X)


@pytest.fixture(scope="module")
def truth() -> vr.Hits:
    return vr.Exact.build(X).search(Q, 20)


def test_recall_interval_and_evaluations_are_those_of_searches(graph: vr.HNSW, truth: vr.Hits) -> None:
    found = vr.sweep(graph, Q, ef=[10, 30], seed=3, **FAST)
    assert isinstance(found, Sweep)
    for row, ef in zip(found.rows, (10, 30), strict=True):
        hits = graph.search(Q, ef=ef)
        expected = vr.recall(hits, truth, k=10, interval=0.95, seed=3)
        assert row.settings == {"ef": ef}
        assert (row.recall, row.low, row.high) == (float(expected), expected.low, expected.high)
        assert row.evals == np.mean(hits.evals)
    assert (found.by, found.k, found.n_queries, found.level) == ("distance", 10, 60, 0.95)
    assert found.truth == "exact search over the rows of the index"


@pytest.mark.parametrize("threads", [1, 2])
def test_speeds_and_latencies_are_there(graph: vr.HNSW, threads: int) -> None:
    found = vr.sweep(graph, Q, ef=[10, 200], rounds=2, threads=threads)
    for row in found.rows:
        assert row.qps_1 > 0 and row.qps_all > 0 and (threads > 1 or row.qps_all == row.qps_1)
        assert 0 < row.p50_us <= row.p95_us <= row.p99_us
    assert found.threads == threads and found.compile_s >= 0
    assert ("QPS 2 threads" in repr(found)) == (threads == 2)


@pytest.mark.parametrize("form", ["hits", "pair", "ids"])
def test_a_truth_in_each_form_gives_the_same_where_nothing_ties(graph: vr.HNSW, truth: vr.Hits, form: str) -> None:
    given = {"hits": truth, "pair": (truth.ids, truth.distances), "ids": truth.ids}[form]
    own, found = vr.sweep(graph, Q, ef=15, **FAST), vr.sweep(graph, Q, given, ef=15, **FAST)
    assert found.rows[0].recall == own.rows[0].recall < 1
    assert found.by == ("id" if form == "ids" else "distance")
    assert ("the truth given" in repr(found)) and (("ids alone" in repr(found)) == (form == "ids"))


def test_ties_count_by_distance_but_not_where_only_ids_are_known() -> None:
    doubled = np.repeat(X[:700], 2, axis=0)
    index, exact = vr.HNSW.build(doubled), vr.Exact.build(doubled).search(Q, 5)
    other = exact.ids ^ 1  # the twin of each row is as near
    assert vr.sweep(index, Q, (other, exact.distances), 5, ef=400, **FAST).rows[0].recall == 1
    assert vr.sweep(index, Q, other, 5, ef=400, **FAST).rows[0].recall < 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_index_without_rows_is_compared_by_id_with_those_given(dtype: Any) -> None:
    index = vr.HNSW.build(X, keep=None, storage="sq8", ids=[f"d{i}" for i in range(len(X))])
    with pytest.raises(ValueError, match="no rows are kept to compute the truth from"):
        vr.sweep(index, Q)
    found = vr.sweep(index, Q, rows=X.astype(dtype), ef=40, **FAST)
    exact = vr.Exact.build(X, ids=[f"d{i}" for i in range(len(X))]).search(Q)
    assert found.by == "id" and found.rows[0].recall == vr.recall(index.search(Q, ef=40), exact, by="id")
    assert "rows given" in found.truth and "distances are those of codes" in found.truth


def test_without_a_grid_the_engine_has_one_up_to_the_first_that_finds_all(graph: vr.HNSW) -> None:
    found = vr.sweep(graph, Q, **FAST)
    efs, recalls = [row.settings["ef"] for row in found.rows], [row.recall for row in found.rows]
    assert efs == sorted(set(efs)) and len(efs) > 3
    assert recalls[-1] >= 0.999 and max(recalls[:-1]) < 0.999
    given = vr.sweep(graph, Q, ef=[400, 500], **FAST)
    assert [row.recall for row in given.rows] == [1, 1]  # what was asked for is measured


def test_lists_of_settings_are_crossed() -> None:
    index = vr.IVF.build(X, n_lists=32)
    found = vr.sweep(index, Q, nprobe=[1, 8], rerank=[10, 40], **FAST)
    assert [tuple(row.settings.values()) for row in found.rows] == [(1, 10), (1, 40), (8, 10), (8, 40)]
    assert found.rows[3].recall == vr.recall(index.search(Q, nprobe=8, rerank=40), vr.Exact.build(X).search(Q))
    assert [row.settings for row in vr.sweep(index, Q, nprobe=np.array([4]), **FAST).rows] == [{"nprobe": 4}]
    own = vr.sweep(index, Q, **FAST).rows
    assert len(own) > 2 and own[-1].recall >= 0.98


def test_a_sparse_index_takes_its_own_settings_and_its_exact_search() -> None:
    index = vr.SparseIndex.build(D)
    found = vr.sweep(index, S, query_cut=[1, 30], heap_factor=0.9, rounds=1)
    exact = vr.Exact.build(D).search(S)
    expected = [vr.recall(index.search(S, query_cut=cut, heap_factor=0.9), exact) for cut in (1, 30)]
    assert [row.recall for row in found.rows] == pytest.approx(expected)
    assert found.rows[0].p50_us > 0
    assert list(vr.sweep(index, S, **FAST).rows[0].settings) == ["query_cut", "heap_factor", "impact_cut"]


@pytest.mark.parametrize("sparse", [False, True])
def test_exact_search_is_measured_too(sparse: bool) -> None:
    index, queries = (vr.Exact.build(D), S) if sparse else (vr.Exact.build(X), Q)
    found = vr.sweep(index, queries, rounds=1)
    assert [(row.settings, row.recall, row.high) for row in found.rows] == [({}, 1, 1)]
    assert "for recall 0.9 use the index as it is" in repr(found.suggest(0.9))


def test_one_vector_and_odd_dtypes_are_queries(graph: vr.HNSW) -> None:
    assert vr.sweep(graph, Q[0], ef=10, rounds=3).n_queries == 1
    wide = vr.sweep(graph, Q.astype(np.float64), ef=20, **FAST).rows[0]
    assert wide.recall == vr.sweep(graph, np.asfortranarray(Q), ef=20, **FAST).rows[0].recall


def test_queries_of_a_mapped_file_are_not_copied_by_every_search(graph: vr.HNSW) -> None:
    asked = Q.copy()
    asked.flags.writeable = False
    assert module._batch(graph, asked).flags.carray
    assert module._batch(graph, Q) is Q


def test_few_queries_are_enough_for_no_suggestion(graph: vr.HNSW) -> None:
    found = vr.sweep(graph, Q[:5], ef=1_000, **FAST)
    assert found.rows[0].recall == 1 and not found.suggest(0.95).reached
    assert "recall 0.95 is not certain at any setting" in repr(found)


@pytest.mark.parametrize(
    "values",
    [lambda: (ef for ef in (10, 20)), lambda: iter([10, 20]), lambda: {10: 0, 20: 0}.keys(), lambda: range(10, 30, 10)],
)
def test_values_of_a_setting_may_come_from_anything_that_is_iterated(graph: vr.HNSW, values: Any) -> None:
    assert [row.settings for row in vr.sweep(graph, Q, ef=values(), **FAST).rows] == [{"ef": 10}, {"ef": 20}]
    assert [row.settings for row in vr.sweep(graph, Q, ef=np.array(10), **FAST).rows] == [{"ef": 10}]


def test_an_index_with_a_target_does_not_measure_its_own_curve_for_a_sweep() -> None:
    index = vr.HNSW.build(X)
    index.target_recall = 0.9
    vr.sweep(index, Q, ef=20, rounds=1)
    assert index._curve is None


def test_a_small_index_that_compares_all_rows_has_one_line() -> None:
    found = vr.sweep(vr.IVF.build(X[:200]), Q, **FAST)
    assert [(row.settings, row.recall) for row in found.rows] == [({}, 1)]


# -- judgements


@pytest.mark.parametrize("words", [False, True])
def test_judgements_give_ndcg_and_what_was_lost(words: bool, truth: vr.Hits) -> None:
    ids = [f"d{i}" for i in range(len(X))] if words else None
    index = vr.HNSW.build(X, ids=ids)
    exact = vr.Exact.build(X, ids=ids).search(Q, 12)
    # relevant to a query: its second and ninth neighbour, one that nobody finds; the last ten were not judged
    qrels = {f"q{i}": {str(row[1]): 2, str(row[8]): 1, "1499": 0} for i, row in enumerate(exact.ids[:50])}
    names = [f"q{i}" for i in range(60)]
    found = vr.sweep(index, Q, k=12, ef=[12, 40], qrels=qrels, query_ids=names, **FAST)
    expected = vr.ndcg(exact, qrels, query_ids=names, per_query=True)
    assert isinstance(expected, NDCG)
    assert (found.depth, found.n_judged, found.exact_ndcg) == (10, 50, pytest.approx(expected.value))
    for row in found.rows:
        hits = index.search(Q, 12, ef=row.settings["ef"])
        value = vr.ndcg(hits, qrels, query_ids=names)
        lost = sum(str(e[at]) not in map(str, h) for e, h in zip(exact.ids[:50], hits.ids) for at in (1, 8))
        of = row.retrieval
        assert of is not None
        assert of.ndcg == pytest.approx(value) and of.ndcg_low <= of.ndcg <= of.ndcg_high
        assert of.loss == pytest.approx(1 - value / expected.value) and of.loss_low <= of.loss <= of.loss_high
        assert of.lost == pytest.approx(lost / 100) and of.lost_low <= of.lost <= of.lost_high
    assert found.rows[0].retrieval.lost > 0  # type: ignore[union-attr]
    assert "nDCG@10" in repr(found) and "relevant lost" in repr(found)


def test_one_relevant_row_a_query_and_a_k_below_ten(graph: vr.HNSW, truth: vr.Hits) -> None:
    found = vr.sweep(graph, Q, k=3, ef=200, qrels=truth.ids[:, 0], **FAST)
    of = found.rows[0].retrieval
    assert of is not None and (of.ndcg, of.loss, of.lost) == (1, 0, 0) and found.depth == 3


def test_relevant_rows_that_exact_search_does_not_find_cannot_be_lost(graph: vr.HNSW, truth: vr.Hits) -> None:
    found = vr.sweep(graph, Q, ef=10, qrels=truth.ids[:, 15], **FAST)
    of = found.rows[0].retrieval
    assert of is not None and math.isnan(of.lost) and math.isnan(of.loss) and found.exact_ndcg == 0
    assert found.table()[1][0][-1] == "-"


@pytest.mark.parametrize(
    ("words", "n_held", "warns"), [(False, 0, True), (True, 0, True), (False, 29, True), (False, 30, False)]
)
def test_judgements_of_documents_that_the_index_does_not_hold_warn(
    words: bool, n_held: int, warns: bool, graph: vr.HNSW
) -> None:
    index = vr.HNSW.build(X, ids=[f"d{i}" for i in range(len(X))]) if words else graph
    qrels = {str(i): {str(i if i < n_held else 90_000 + i): 1, "80000": 0} for i in range(60)}
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        vr.sweep(index, Q, ef=20, qrels=qrels, **FAST)
    assert [str(w.message).partition(",")[0] for w in noted] == [
        f"the index holds {n_held} of the 60 documents that qrels call relevant"
    ] * warns


# -- timing, without a clock that anything depends on


def test_rounds_take_the_calls_in_turn_and_each_once() -> None:
    order: list[str] = []
    best = best_seconds([lambda: order.append("a"), lambda: order.append("b")], 3, lambda: None)
    assert order == list("ababab") and len(best) == 2 and min(best) >= 0


def test_every_query_is_timed_once_with_every_setting_in_turn() -> None:
    seen: list[tuple[int, int]] = []
    us = single_query_us(lambda query, setting: seen.append((query, setting)), list(range(7)), 2, 3, lambda: None)
    assert us.shape == (2, 7) and (us >= 0).all()
    timed = list(seen)
    for pair in [(query, setting) for query in (0, 1, 2) for setting in (0, 1)]:  # asked once before each part
        timed.remove(pair)
    assert sorted(timed) == sorted((query, setting) for query in range(7) for setting in range(2))
    settings_in_turn = [setting for _, setting in seen]
    assert settings_in_turn == sorted(settings_in_turn[:8]) + sorted(settings_in_turn[8:14]) + [0, 0, 0, 1, 1, 1]


def test_more_rounds_than_queries_leave_rounds_without_any() -> None:
    assert (single_query_us(lambda query, setting: None, [0], 1, 5, lambda: None) >= 0).all()


def test_compiling_is_what_a_first_call_takes_beyond_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 5.0, 6.0, 6.0, 7.0, 7.0, 9.0])  # 5 s and then 1 s; 1 s and then 2 s
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert compile_seconds([lambda: None, lambda: None]) == 4.0


def test_only_some_of_many_queries_are_timed_one_by_one(graph: vr.HNSW, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(module, "MOST_SINGLE", 7)
    measured = module._Measured(graph, Q, 10, 1)
    monkeypatch.setattr(measured, "_single", lambda i: asked.append(i) or Q[i])  # type: ignore[func-returns-value]
    measured.latencies([{"ef": 10}], 1, lambda: None)
    assert len(asked) == 7 and asked[0] == 0 and asked[-1] == 59


# -- what is refused

REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"index": X}, TypeError, "index is a ndarray, expected an index of this package"),
    ({"nprobe": [1]}, ValueError, "nprobe was given, but an index of kind 'hnsw' has ef; leave it out"),
    ({"ef": [10], "rerank": 5, "query_cut": 3}, ValueError, "rerank, query_cut was given"),
    ({"index": vr.Exact.build(X), "ef": 3}, ValueError, "'exact' has no settings, it finds all"),
    ({"ef": []}, ValueError, "ef is an empty list"),
    ({"ef": [10, 0]}, ValueError, "ef is 0"),
    ({"ef": [10, 2.5]}, TypeError, "ef is 2.5"),
    ({"ef": "40"}, TypeError, "ef is '40'"),
    ({"k": 0}, ValueError, "k is 0"),
    ({"rounds": 0}, ValueError, "rounds is 0"),
    ({"level": 95}, ValueError, "level is 95"),
    ({"seed": -1}, ValueError, "seed is -1"),
    ({"threads": 0}, ValueError, "threads is 0"),
    ({"latency": "no"}, TypeError, "latency is 'no'"),
    ({"Q": Q[:, :4]}, ValueError, "Q has 4 columns"),
    ({"Q": Q[:0]}, ValueError, "there are 0 queries"),
    ({"truth": np.zeros((9, 10), int)}, ValueError, "truth holds 10 places for each of 9 queries"),
    ({"truth": np.zeros((60, 5), int)}, ValueError, "expected at least k=10 for each of 60"),
    ({"truth": np.zeros((60, 10), int), "rows": X}, ValueError, "rows was given beside truth"),
    ({"truth": np.full((60, 10), 1_500)}, ValueError, "truth names an id that the index does not hold"),
    ({"truth": np.full((60, 10), -1)}, ValueError, "truth names no neighbour at all"),
    ({"ef": {10: 20}}, TypeError, "ef is {10: 20}"),
    ({"ef": iter([])}, ValueError, "ef is an empty list"),
    ({"rows": X[:50]}, ValueError, "rows holds 50 vectors and the index 1500"),
    ({"rows": X[:, :3]}, ValueError, "rows has 3 columns"),
    ({"qrels": {"a": {1: 1}}}, ValueError, "qrels judge none of the 60 queries"),
    ({"qrels": [1, 2]}, ValueError, r"qrels has shape \(2,\)"),
]


@pytest.mark.parametrize(("given", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(
    given: dict[str, Any], error: type[Exception], message: str, graph: vr.HNSW
) -> None:
    with pytest.raises(error, match=message):
        vr.sweep(**({"index": graph, "Q": Q, **FAST} | given))


def test_rows_beside_a_sparse_index_and_an_empty_index_are_refused() -> None:
    with pytest.raises(ValueError, match="rows was given for a sparse index"):
        vr.sweep(vr.SparseIndex.build(D), S, rows=D)
    with pytest.raises(ValueError, match="0 vectors in the index"):
        vr.sweep(vr.HNSW.build(X[:0]), Q)
    with pytest.raises(TypeError, match="Q is a sparse"):
        vr.sweep(vr.HNSW.build(X[:50]), S)


def test_zero_queries_under_cosine_warn_once() -> None:
    index = vr.HNSW.build(X, metric="cosine")
    asked = np.concatenate([Q[:20], np.zeros((2, 16), np.float32)])
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        found = vr.sweep(index, asked, ef=[30, 60], rounds=2)
    assert [str(w.message).partition(" under")[0] for w in noted] == ["2 zero query vectors"]
    assert found.rows[1].recall > 0.95
