"""Why a row was missed: the right reason for graphs that are made to miss it in one way, and true figures on others."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.analysis.hand_made import chain, index_of
from vecrecall.analysis.explaining import REASONS, Explanation, explain
from vecrecall.hnsw.trace import traced

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1200, 24)).astype(np.float32)
Q = RNG.normal(size=(12, 24)).astype(np.float32)


def missing(links: list[list[int]], *nodes: int) -> list[list[int]]:
    """The links without those that lead to some nodes."""
    return [[other for other in row if other not in nodes] for row in links]


def test_a_row_that_nothing_links_to_is_disconnected() -> None:
    index = index_of(np.arange(40), missing(chain(0, 40), 20), ids=[f"row {i}" for i in range(40)])
    told = explain(index, [20.1], "row 20", k=3)
    assert (told.reason, told.rank, told.in_degree, told.least_ef, told.met) == ("disconnected", 1, 0, None, False)
    assert (told.near_start, told.near_start_finds) == ("row 21", False)
    assert (told.nearest_met, told.nearest_met_distance) == ("row 19", 1.0)
    assert "no row links to it" in told.text and "no ef finds it" in told.text and told.text.startswith("Row 'row 20'")


def test_rows_that_link_to_each_other_alone_are_disconnected() -> None:
    links = missing(chain(0, 40), 20, 21)
    links[20], links[21] = [19, 21], [20, 22]
    told = explain(index_of(np.arange(40), links), [20.1], 20, k=3)
    assert (told.reason, told.in_degree, told.n_linking_compared, told.n_linking_expanded) == ("disconnected", 1, 0, 0)
    assert told.near_start_finds  # it starts on the island


def test_a_row_behind_a_dead_end_needs_more_ef() -> None:
    # from 0 the walk sees 1, which is near and leads nowhere, and 2, which is far and leads to 3
    index = index_of([[-2, 0], [9, 0], [-1, 0], [10, 0.5]], [[1, 2], [0], [3, 0], [2]])
    told = explain(index, [10, 0], 3, k=1, ef=1)
    assert (told.reason, told.least_ef, told.rank, told.ef) == ("ef too small", 2, 1, 1)
    assert (told.near_start, told.near_start_finds, told.exact_walk_finds) == (1, False, None)
    assert (told.entered_at, told.hops, told.evals) == ((0,), 2, 3)
    assert "ef=2 finds it" in told.text
    assert explain(index, [10, 0], 3, k=1, ef=2).reason == "found"


def two_groups(n: int) -> tuple[np.ndarray, list[list[int]]]:
    """Two chains of n, far apart, and one link from the far end of the first to the second."""
    links = chain(0, n) + chain(n, n)
    links[0] = [*links[0], n]
    return np.append(np.arange(n), 10 * n + np.arange(n)), links


def test_a_walk_that_stays_in_the_other_group_entered_at_the_wrong_place() -> None:
    rows, links = two_groups(150)
    told = explain(index_of(rows, links, entry=149), [1550.1], 200, ef=12)
    assert (told.reason, told.near_start, told.near_start_finds) == ("wrong entry", 201, True)
    assert told.entered_at == (149,) and told.least_ef is not None and 4 * 12 < told.least_ef <= 300
    assert (told.nearest_met, told.met, told.n_linking_compared) == (149, False, 0)
    assert "starts at row 201" in told.text and "finds it" in told.text


def test_so_it_does_where_only_a_layer_above_leads_to_the_other_group() -> None:
    rows, links = two_groups(150)
    links[0] = links[0][:-1]
    upper = {(149, 1): [0], (0, 1): [150], (150, 1): [0]}  # from 149 a descent would have to go back first
    told = explain(index_of(rows, links, entry=149, upper=upper), [1550.1], 200, ef=12)
    assert (told.reason, told.least_ef, told.near_start_finds) == ("wrong entry", None, True)
    assert "No ef that was tried finds it" in told.text


def test_what_is_cut_off_from_where_the_walk_entered_is_so_even_if_a_near_start_does_not_help() -> None:
    rows, links = two_groups(150)
    links = missing(links, 150, 200)
    links[150] = [*links[150], 200]
    upper = {(149, 1): [0], (0, 1): [150], (150, 1): [0]}
    told = explain(index_of(rows, links, entry=149, upper=upper), [1550.1], 200, ef=12)
    assert (told.reason, told.least_ef, told.near_start_finds) == ("wrong entry", None, False)
    assert "does not find it either" in told.text


def test_a_row_that_only_a_far_one_links_to_is_in_a_poor_part_of_the_graph() -> None:
    links = missing(chain(0, 300), 150)
    links[0] = [*links[0], 150]
    told = explain(index_of(np.arange(300), links, entry=299), [150.1], 150, ef=10)
    assert (told.reason, told.in_degree, told.near_start, told.near_start_finds) == ("poor graph", 1, 151, False)
    assert told.least_ef is not None and told.least_ef > 40 and "does not find it either." in told.text


@pytest.fixture(scope="module")
def coarse() -> vr.HNSW:
    return vr.HNSW.build(X, storage="sq4", reduce=4, M=8, ef_construction=40)


def test_a_row_that_was_compared_and_lost_is_the_quantisers_matter(coarse: vr.HNSW) -> None:
    truth = vr.Exact.build(X).search(Q, k=10)
    reasons: dict[str, Explanation] = {}
    for query, ids in zip(Q, truth.ids):
        for id in np.setdiff1d(ids, coarse.search(query, ef=60).ids).tolist():
            told = explain(coarse, query, id, ef=60)
            assert told.met == (told.place is not None) and told.exact_walk_finds is not None
            if told.met:  # by exact distance fewer than 10 rows are nearer, and 60 are held
                steps = traced(coarse._content, query[None], 10, 60)
                base, keys = steps.compared[steps.in_base], steps.keys[steps.in_base]
                assert told.place == 1 + base[np.lexsort((base, keys))].tolist().index(id)
                assert told.reason == "quantiser" and told.place > told.depth
                assert told.n_linking_expanded > 0 or id in told.entered_at
            reasons[told.reason] = told
    told = reasons["quantiser"]
    keys = traced(coarse._content, Q[:1], 10, 60, all_keys=True).all_keys
    assert explain(coarse, Q[0], 5).rank_by_code == 1 + (keys < keys[5]).sum()
    assert "quantiser" in told.text and ("are held" in told.text or "re-rank looks at" in told.text)


def test_a_re_rank_that_does_not_look_so_far_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    index = vr.HNSW.build(X, storage="sq4", M=8, ef_construction=40)
    for module in ("vecrecall.hnsw.walker", "vecrecall.hnsw.trace"):
        monkeypatch.setattr(f"{module}.rerank_depth", lambda ef, k: min(ef, k))
    for query in Q:
        lost = np.setdiff1d(vr.Exact.build(X).search(query, k=10).ids, index.search(query, ef=300).ids)
        for id in lost.tolist():
            told = explain(index, query, id, ef=300)
            assert told.reason == "quantiser" and told.depth == 10 < told.place < 300
            assert "the re-rank looks at 10" in told.text
            return
    raise AssertionError("no row was lost")


def test_with_codes_that_lead_astray_the_exact_walk_finds_a_row() -> None:
    index = vr.HNSW.build(X, storage="sq4", reduce=4, M=4, ef_construction=20)
    truth = vr.Exact.build(X).search(Q, k=5)
    told = [explain(index, query, id, k=5, ef=5) for query, ids in zip(Q, truth.ids) for id in ids.tolist()]
    unmet = [one for one in told if one.reason not in REASONS[:3] and not one.met and (one.least_ef or 999) > 20]
    for one in unmet:
        by_codes = not one.exact_walk_finds and one.near_start_finds
        assert (one.reason == "wrong entry") == bool(by_codes)
        assert (one.reason == "quantiser") == (not by_codes and (one.exact_walk_finds or one.near_exact_walk_finds))
        assert one.reason in ("wrong entry", "quantiser", "poor graph")
        assert one.reason != "quantiser" or "exact distances" in one.text
    assert any(one.exact_walk_finds and not one.near_exact_walk_finds for one in unmet)
    assert any(one.near_exact_walk_finds and not one.exact_walk_finds and not one.near_start_finds for one in unmet)


def test_what_is_found_says_where_and_with_how_little() -> None:
    index = index_of(np.arange(40), chain(0, 40))
    told = explain(index, [20.4], 21, k=4, ef=20)
    assert (told.reason, told.found_at, told.rank, told.least_ef) == ("found", 2, 2, 4)
    assert told.distance == pytest.approx(0.6) and told.met and "at place 2 of 4 answers at ef=20" in told.text


def test_a_row_that_k_others_are_nearer_than_is_no_miss() -> None:
    told = explain(index_of(np.arange(40), chain(0, 40)), [20.4], 30, k=4)
    assert (told.reason, told.rank, told.found_at, told.least_ef) == ("not a neighbour", 20, None, None)
    assert "19 rows are nearer" in told.text


def test_of_copies_that_are_too_many_none_is_missed() -> None:
    rows = np.append(np.arange(20), np.full(15, 5))
    index = index_of(rows, chain(0, 35), metric="l2")
    answer = index.search([5.0], k=10, ef=35)
    assert not answer.distances.any()
    left_out = np.setdiff1d(np.flatnonzero(rows == 5), answer.ids).tolist()
    told = explain(index, [5.0], left_out[0], ef=35)
    assert (told.reason, told.rank) == ("tied", 1) and "all of them are as near" in told.text


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_the_figures_of_misses_are_true(metric: str) -> None:
    ids = [f"row {i}" for i in range(1200)]
    index = vr.HNSW.build(
        X, metric=metric, ids=ids, M=4, ef_construction=12, storage="f32", schedule="sequential", order="given"
    )
    exact, links = vr.Exact.build(X, metric=metric, ids=ids), index._content.graph.links[:1200]
    n_missed = 0
    for query in Q:
        truth = exact.search(query, k=1200)
        for id in np.setdiff1d(truth.ids[:10].astype(str), index.search(query, ef=10).ids.astype(str)).tolist():
            told, slot = explain(index, query, id, ef=10), ids.index(id)
            n_missed += 1
            assert told.reason in REASONS[3:] and told.found_at is None and told.id == id
            place = truth.ids.tolist().index(id)
            assert told.rank == place + 1 == told.rank_by_code and told.distance == truth.distances[place]
            linking = np.flatnonzero((links == slot).any(1) & (np.arange(1200) != slot))
            assert told.in_degree == len(linking)
            if told.least_ef is not None:
                found = [id in index.search(query, ef=ef).ids for ef in (told.least_ef - 1, told.least_ef)]
                assert found == [False, True]
                assert (told.reason == "ef too small") == (told.least_ef <= 40)
            steps = traced(index._content, query[None], 10, 10)
            assert told.met == (slot in steps.compared[steps.in_base]) and (told.evals, told.hops) == (
                steps.evals, steps.hops,
            )  # fmt: skip
            for linking_ones, where in (
                (told.n_linking_compared, steps.compared[steps.in_base]),
                (told.n_linking_expanded, steps.expanded[steps.levels == 0]),
            ):
                assert linking_ones == len(set(linking.tolist()) & set(where.tolist()))
            assert told.near_start == [other for other in truth.ids[:2] if other != id][0]
    assert n_missed > 20


def test_an_index_without_a_graph_misses_nothing() -> None:
    index = vr.HNSW.build(np.append(np.arange(30), [3, 3])[:, None])
    assert explain(index, [3.1], 3, k=2).reason == "found" and explain(index, [3.1], 31, k=2).reason == "tied"
    told = explain(index, [3.1], 9, k=2)
    assert (told.reason, told.evals, told.entered_at, told.rank_by_code) == ("not a neighbour", 32, (), None)
    assert "all rows being compared" in told.text


def test_one_row_is_explained() -> None:
    told = explain(index_of([5], [[]]), [4], 0)
    assert (told.reason, told.near_start, told.nearest_met, told.ef) == ("found", None, None, 1)
    json.dumps(told.as_dict(), allow_nan=False)


def test_the_settings_of_the_index_are_the_default_and_all_fits_json(coarse: vr.HNSW) -> None:
    coarse.ef = 33
    told = explain(coarse, Q[:1], 5)
    assert told.ef == 33 and explain(coarse, Q[0], 5, k=40).ef == 40
    figures = json.loads(json.dumps(told.as_dict()))
    assert figures["text"] == repr(told) and figures["reason"] == "not a neighbour"


@pytest.mark.parametrize(
    ("query", "id", "settings", "error", "words"),
    [
        (X[0], 1200, {}, KeyError, "1200 is not in the index"),
        (X[0], "a", {}, KeyError, "'a' is not in the index"),
        (X[:2], 0, {}, ValueError, "query holds 2 vectors"),
        (X[0, :5], 0, {}, ValueError, "query has 5 columns"),
        (np.full(24, np.nan), 0, {}, ValueError, "query row 0"),
        (X[0], 0, {"k": 0}, ValueError, "k is 0"),
        (X[0], 0, {"ef": 0}, ValueError, "ef is 0"),
    ],
)
def test_what_is_not_as_stated_is_refused(
    coarse: vr.HNSW, query: Any, id: Any, settings: dict, error: type, words: str
) -> None:
    with pytest.raises(error, match=words):
        explain(coarse, query, id, **settings)


def test_what_cannot_be_explained_is_refused_saying_why() -> None:
    with pytest.raises(TypeError, match="expected vecrecall.HNSW"):
        explain(vr.Exact.build(X), X[0], 0)
    with pytest.raises(ValueError, match="codes alone"):
        explain(vr.HNSW.build(X, storage="sq4", keep=None, M=4), X[0], 0)
    with pytest.raises(ValueError, match="query is zero"):
        explain(index_of(np.arange(1, 5), chain(0, 4), metric="cosine"), [0.0], 0)
    with pytest.raises(KeyError, match="not in the index"):
        explain(vr.HNSW.build(X[:0]), X[0], 0)
