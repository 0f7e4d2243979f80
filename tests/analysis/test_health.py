"""The health of a graph against what graphs made by hand are known to be, and against slow twins."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import skew

import vecrecall as vr
from tests.analysis.hand_made import chain, graph_of, index_of
from vecrecall.analysis.degrees import degrees, skewness
from vecrecall.analysis.health import Health, graph, structure
from vecrecall.analysis.reachability import components, entered_slots, hops_from
from vecrecall.analysis.self_recall import self_recall
from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.order import random_order

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1200, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def built() -> vr.HNSW:
    return vr.HNSW.build(X, M=4, ef_construction=20, storage="f32", schedule="sequential", order="given")


def linked(graph: Graph, node: int, level: int = 0) -> list[int]:
    links, n_links, _ = graph.layer(level)
    at = int(graph.rows_of(np.array([node]), level)[0])
    return links[at, : n_links[at]].tolist()


def ways_from(graph: Graph, starts: set[int], level: int = 0) -> dict[int, int]:
    """Least number of links of a layer from some nodes to each other."""
    hops, nodes = dict.fromkeys(starts, 0), sorted(starts)
    while nodes:
        node = nodes.pop(0)
        for other in linked(graph, node, level):
            if other not in hops:
                hops[other] = hops[node] + 1
                nodes.append(other)
    return hops


# Two chains of five joined by one link, 4 -> 5; 10 is linked to but links nowhere, 11 links but nothing links to it.
TWO_GROUPS = [*chain(0, 5), *chain(5, 5), [], [0]]
TWO_GROUPS[4] = [*TWO_GROUPS[4], 5]
TWO_GROUPS[7] = [*TWO_GROUPS[7], 10]
PLACES = [0, 1, 2, 3, 4, 100, 101, 102, 103, 104, 102.5, 2.5]


def test_a_graph_made_by_hand_is_seen_as_it_is() -> None:
    health = graph(index_of(PLACES, TWO_GROUPS, ids=np.arange(12) + 50), ef=(1, 12), k=1)
    assert (health.n, health.M, health.layers, health.n_upper_links) == (12, 4, (12,), 0)
    assert health.out_degree.values.tolist() == [2, 3, 4, 3, 3, 2, 3, 5, 3, 2, 0, 1]
    assert health.in_degree.values.tolist() == [3, 3, 4, 3, 2, 3, 3, 4, 3, 2, 1, 0]
    assert (health.out_degree.n_zero, health.in_degree.n_zero, health.full) == (1, 1, 0.0)
    assert health.in_degree.counts.tolist() == [1, 1, 2, 6, 2]
    assert health.unreached_from_entry.tolist() == [61] == health.unreachable.tolist()
    assert health.reachability.hops.tolist() == [0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 5, -1]
    assert health.reachability.hops_max == 5 and health.reachability.hops_mean == 32 / 11
    assert health.weak.tolist() == [12] and health.strong.tolist() == [5, 5, 1, 1]
    assert health.self_recall is not None
    assert health.self_recall.found[1].tolist() == [True] * 11 + [False]
    text = repr(health)
    assert "1 of 12 rows cannot be found at any ef" in text and "these are 61" in text
    assert "all but 1 rows" in text and "4 strongly connected ones, of 5, 5, 1, 1 rows" in text
    assert 10 <= len(text.splitlines()) <= 15


def test_an_island_is_a_weak_component() -> None:
    health = graph(index_of(np.arange(8), [*chain(0, 5), *chain(5, 3)]), hubness=None)
    assert health.weak.tolist() == [5, 3] and health.unreachable.tolist() == [5, 6, 7]
    assert health.hubness is None and "2 weakly connected ones, of 5, 3 rows" in repr(health)


def test_a_row_that_only_an_upper_layer_leads_to_is_found_by_searches_that_enter_there() -> None:
    upper = {(0, 1): [3], (0, 2): [], (3, 1): [0], (6, 1): [0]}  # no link of layer 1 leads to 6
    index = index_of(np.arange(9), [[1], [0], [1], [4], [3], [4], [7], [6], [6]], upper=upper)
    assert entered_slots(index._content).tolist() == [0, 3]
    health = graph(index, ef=9, k=1)
    assert health.layers == (9, 3, 1) and health.n_upper_links == 3
    assert health.unreached_from_entry.tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert health.unreachable.tolist() == [2, 5, 6, 7, 8]
    assert index.search([3], k=1).ids.tolist() == [3]
    assert self_recall(index, np.arange(9), 9, k=1).tolist() == [True, True, False, True, True] + [False] * 4


@pytest.mark.parametrize("seed", range(3))
def test_reach_components_and_degrees_are_those_of_slow_twins(seed: int) -> None:
    rng, n = np.random.default_rng(seed), 60
    of_nodes = [rng.choice(np.delete(np.arange(n), i), min(int(rng.poisson(1.3)), 8), replace=False) for i in range(n)]
    made = graph_of([row.tolist() for row in of_nodes])
    links = made.links[:n]
    reached = [ways_from(made, {node}) for node in range(n)]
    for node in (0, 7):
        assert hops_from(links, np.array([node])).tolist() == [reached[node].get(other, -1) for other in range(n)]
    several = ways_from(made, {3, 9})
    assert hops_from(links, np.array([3, 9, 3])).tolist() == [several.get(other, -1) for other in range(n)]
    weak, strong = components(made)
    mutual = {frozenset(b for b in reached[a] if a in reached[b]) for a in range(n)}
    assert strong.tolist() == sorted(map(len, mutual), reverse=True)
    linking = [[other for other in range(n) if node in of_nodes[other]] for node in range(n)]
    both_ways = graph_of([sorted({*row.tolist(), *back}) for row, back in zip(of_nodes, linking)], M=40)
    apart = {frozenset(ways_from(both_ways, {a})) for a in range(n)}
    assert weak.tolist() == sorted(map(len, apart), reverse=True)
    leaving, arriving = degrees(made)
    assert leaving.values.tolist() == list(map(len, of_nodes))
    assert arriving.values.tolist() == [sum(node in row for row in of_nodes) for node in range(n)]
    assert np.isclose(arriving.skew, skew(arriving.values))


def test_skewness_of_equal_values_is_none() -> None:
    assert skewness(np.full(5, 3)) == 0.0


def test_the_rows_called_unreachable_are_found_by_no_query_and_the_entered_ones_by_a_descent(built: vr.HNSW) -> None:
    content = built._content
    made, n = content.graph, content.n
    reached = {made.entry}
    for level in range(made.top, 0, -1):
        reached = set(ways_from(made, reached, level))
    assert entered_slots(content).tolist() == sorted(reached)
    assert made.top >= 2 and len(reached) > 50
    cut = [7, 400]
    links = [[other for other in linked(made, node) if other not in cut] for node in range(n)]
    upper = {(node, level): linked(made, node, level) for node in range(n) for level in range(1, made.levels[node] + 1)}
    assert not {(node, 1) for node in cut} & set(upper)
    index = index_of(X, links, entry=made.entry, upper=upper)
    health = graph(index, sample=n, ef=n, hubness=None)
    assert health.unreachable.tolist() == cut == health.unreached_from_entry.tolist()
    assert not np.isin(index.search(X[cut], k=n, ef=n).ids, cut).any()
    assert np.flatnonzero(~health.self_recall.found[0]).tolist() == cut


def test_coverage_entries_are_where_searches_enter() -> None:
    index = vr.HNSW.build(X, M=4, ef_construction=20, storage="f32")
    health = graph(index, sample=50, hubness=None, ef=10)
    slots = index._content.entries.slots
    assert health.reachability.entries.tolist() == sorted(slots.tolist())
    assert f"the {len(slots)} rows where searches can enter" in repr(health)


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_hubness_counts_how_often_a_row_is_among_the_nearest_of_the_others(metric: str) -> None:
    index = vr.HNSW.build(X[:300], metric=metric, storage="f32", M=4, schedule="sequential")
    found = graph(index, k=7, ef=10, sample=10).hubness
    rows = X[:300].astype(np.float64)
    if metric == "cosine":
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    far = -rows @ rows.T if metric == "ip" else ((rows[:, None] - rows[None]) ** 2).sum(-1)
    np.fill_diagonal(far, np.inf)
    n_k = np.bincount(np.argsort(far, axis=1, kind="stable")[:, :7].ravel(), minlength=300)
    assert found.n_k.tolist() == n_k.tolist() and found.n_k.mean() == 7
    assert np.isclose(found.skew, skew(n_k)) and found.anti_hubs == (n_k == 0).mean()
    assert found.share_of_top == np.sort(n_k)[-3:].sum() / n_k.sum()
    assert "(all 300 rows)" in repr(found)


def test_hubness_of_a_sample_is_that_of_its_rows_alone(built: vr.HNSW, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecrecall.analysis.health.SAMPLE", 200)
    found = graph(built, k=3, ef=10, sample=10).hubness
    alone = vr.HNSW.build(X[found.slots], storage="f32", M=4)
    assert len(found.slots) == 200 and found.n_k.tolist() == graph(alone, k=3, ef=10, sample=10).hubness.n_k.tolist()
    assert "a sample of 200 of 1,200 rows" in repr(found)
    assert len(graph(built, k=3, ef=10, sample=10, hubness="all").hubness.slots) == 1200


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_lengths_of_links_are_multiples_of_the_distance_to_the_nearest_row(metric: str) -> None:
    rows = X[:40].copy()
    rows[3] = rows[9]  # duplicates have no distance to the nearest
    links = [RNG.choice(np.delete(np.arange(40), i), 5, replace=False).tolist() for i in range(40)]
    lengths = graph(index_of(rows, links, metric=metric), ef=10).edge_lengths
    unit = rows.astype(np.float64)
    if metric == "cosine":
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    far = np.linalg.norm(unit[:, None] - unit[None], axis=-1)
    apart = far + np.diag(np.full(40, np.inf))
    expected = [far[i, j] / apart[i].min() for i in range(40) if i not in (3, 9) for j in links[i]]
    assert np.allclose(lengths.ratios, expected, rtol=1e-3) and lengths.n_duplicates == 2
    assert np.isclose(lengths.mean, np.mean(expected), rtol=1e-4)
    assert np.isclose(lengths.percentile(99), np.percentile(expected, 99), rtol=1e-3)


def test_products_have_no_lengths_and_rows_all_equal_no_nearest() -> None:
    assert graph(index_of(PLACES, TWO_GROUPS, metric="ip"), ef=10).edge_lengths is None
    health = graph(index_of(np.ones(4), chain(0, 4)), ef=10)
    assert len(health.edge_lengths.ratios) == 0 and np.isnan(health.edge_lengths.mean)
    json.dumps(health.as_dict(), allow_nan=False)
    assert "length of a link" not in repr(health)


def test_a_row_finds_itself_by_number_or_as_a_copy() -> None:
    links = [[1, 2], [0, 2], [0, 1], [0], []]  # nothing links to 3 and 4
    index = index_of([0, 1, 2, 1, 7], links)
    assert self_recall(index, np.arange(5), 5, k=1).tolist() == [True, True, True, True, False]
    assert self_recall(index, np.array([4, 3, 3]), 5).tolist() == [False, True, True]


def test_under_products_a_row_that_k_others_are_nearer_to_is_not_expected() -> None:
    index = index_of([1, 2, 3, 9], [[1, 2], [0, 2], [0, 1], [0]], metric="ip")  # nothing links to 3
    assert self_recall(index, np.arange(4), 4, k=1).tolist() == [True, True, True, False]
    assert self_recall(index, np.arange(4), 4, k=4).tolist() == [True, True, True, False]
    index = index_of([1, 2, 3, 9], [[1, 3], [0, 3], [0, 1], [0]], metric="ip")  # nothing links to 2
    assert self_recall(index, np.arange(4), 4, k=2).tolist() == [True, True, False, True]


@pytest.mark.parametrize("given", ["index", "given", "random", "array"])
def test_self_recall_is_told_by_tenth_of_the_insertions(built: vr.HNSW, given: str) -> None:
    order = {"index": None, "array": np.arange(1200)[::-1]}.get(given, given)
    health = graph(built, order=order, sample=300, ef=(10, 20), hubness=None)
    recall = health.self_recall
    time = {"array": np.arange(1200)[::-1], "random": np.argsort(random_order(0, np.arange(1200)))}
    expected = time.get(given, np.arange(1200))[recall.slots] * 10 // 1200 + 1
    assert recall.tenth.tolist() == expected.tolist()
    by_tenth = recall.by_tenth
    assert sum(row["n"] for row in by_tenth) == 600 and len(by_tenth) == 20
    for row in by_tenth:
        own = expected == row["tenth"]
        assert (row["n"], row["found"]) == (own.sum(), recall.found[recall.ef.index(row["ef"])][own].mean())


def test_the_worst_group_stands_first_and_intervals_hold_the_share() -> None:
    labels = ["near"] * 5 + ["far"] * 5 + ["cut", "lost"]
    health = graph(index_of(PLACES, TWO_GROUPS), labels=labels, ef=(1, 12), k=1)
    groups = [row for row in health.self_recall.by_group if row["ef"] == 12]
    assert groups[0] == {"label": "lost", "ef": 12, "n": 1, "found": 0.0} and len(groups) == 4
    assert "1 of 4 miss some, the least are lost 0.000 (of 1)" in repr(health)
    for row in health.self_recall.shares:
        assert row["low"] <= row["found"] <= row["high"]


def test_figures_do_not_depend_on_threads_and_fit_json(built: vr.HNSW) -> None:
    def figures(**settings: Any) -> str:
        health = graph(built, labels=np.arange(1200) % 3, sample=200, ef=(10,), **settings)
        return json.dumps(health.as_dict(), allow_nan=False)

    assert figures(threads=1) == figures(threads=2) == figures(threads=1, progress=True)
    assert figures(seed=1, threads=1) != figures(threads=1)


def test_structure_is_what_the_report_has(built: vr.HNSW) -> None:
    flat, figures = structure(built), graph(built, sample=1, ef=10, hubness=None).as_dict()
    for name in ("n", "n_links", "unreached_from_entry", "unreachable", "hops_mean", "hops_max"):
        assert flat[name] == figures[name]
    for name in ("p1", "median", "p99", "max", "skew"):
        assert flat[f"in_{name}"] == figures["in_degree"][name]
    for name in ("mean", "min", "max"):
        assert flat[f"out_{name}"] == figures["out_degree"][name]
    assert flat["full"] == figures["out_degree"]["full"] and flat["in_zero"] == figures["in_degree"]["n_zero"]


@pytest.mark.parametrize("settings", [{"storage": "sq4"}, {"storage": "f32"}, {"storage": "f16"}])
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_without_kept_rows_floats_are_compared_and_codes_are_not(settings: dict, metric: str) -> None:
    ids = [f"row {i}" for i in range(1200)]
    index = vr.HNSW.build(X, M=4, ef_construction=20, metric=metric, keep=None, ids=ids, **settings)
    health = graph(index, sample=50, ef=30)
    if settings["storage"] == "sq4":
        assert health.self_recall is health.hubness is health.edge_lengths is None
        assert "codes alone" in repr(health) and health.as_dict()["self_recall"] is None
        with pytest.raises(ValueError, match="codes alone"):
            self_recall(index, np.arange(3), 10)
    else:
        assert health.self_recall.found.mean() > 0.9 and health.hubness.n_k.mean() == 10
        assert health.edge_lengths.percentile(0) > 0.99


def test_one_row_has_a_report() -> None:
    health = graph(index_of([5], [[]]))
    assert health.hubness is None and health.weak.tolist() == [1] and "links lead to every row" in repr(health)
    assert isinstance(health, Health) and health.reachability.hops_mean == 0


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"sample": 0}, ValueError, "sample"),
        ({"k": 0}, ValueError, "k is 0"),
        ({"ef": 0}, ValueError, "ef is 0"),
        ({"ef": ()}, ValueError, "ef is empty"),
        ({"ef": "10"}, TypeError, "ef is '10'"),
        ({"hubness": "some"}, ValueError, "hubness is 'some'"),
        ({"labels": ["a"]}, ValueError, "labels"),
        ({"order": "lid"}, ValueError, "order"),
        ({"order": np.zeros(12, int)}, ValueError, "each position"),
        ({"seed": -1}, ValueError, "seed"),
        ({"threads": 0}, ValueError, "threads"),
    ],
)
def test_an_argument_that_is_not_as_stated_is_refused(settings: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        graph(index_of(PLACES, TWO_GROUPS), **settings)


@pytest.mark.parametrize("look", [graph, structure])
def test_what_has_no_graph_is_refused_saying_why(look: Any) -> None:
    for other in (vr.Exact.build(X[:5]), "index.vr", None):
        with pytest.raises(TypeError, match="expected vecrecall.HNSW"):
            look(other)
    for n in (0, 5):
        with pytest.raises(ValueError, match=f"holds {n} vectors and has no graph yet"):
            look(vr.HNSW.build(X[:n]))


@pytest.mark.parametrize("slots", [np.array([12]), np.array([-1]), np.array([0.5]), np.zeros((2, 2), int)])
def test_rows_that_are_not_there_cannot_be_searched_for(slots: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected integers 0..11"):
        self_recall(index_of(PLACES, TWO_GROUPS), slots, 10)
