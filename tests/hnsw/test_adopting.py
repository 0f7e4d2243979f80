"""A graph of another library as an index: the textbook's own walk over it, nothing changed."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

import vecrecall as vr
from vecrecall.hnsw.adopting import adopted
from vecrecall.hnsw.graph import Graph, drawn_levels

N, DIM, M = 400, 6, 4


def some_graph(rows: np.ndarray, seed: int = 0) -> Graph:
    """Each node is linked to some of its nearest and to chance ones, in every layer it reaches; rows may be short."""
    rng, n = np.random.default_rng(seed), len(rows)
    levels = drawn_levels(seed, np.arange(n), M)
    graph = Graph.empty(M).with_room(levels)
    squares = ((rows[:, None] - rows[None]) ** 2).sum(-1)
    for level in range(int(levels.max()) + 1):
        links, n_links, n_kept = graph.layer(level)
        there = np.flatnonzero(levels >= level)
        for node in there:
            others = there[there != node]
            near = others[np.argsort(squares[node, others], kind="stable")[: links.shape[1] - 1]]
            chosen = np.unique(np.append(near, rng.choice(others, min(1, len(others)))))[: links.shape[1]]
            row = graph.rows_of(np.array([node]), level)[0]
            links[row, : len(chosen)] = chosen
            n_links[row] = n_kept[row] = len(chosen)
    graph.top = int(levels.max())
    graph.entry = int(np.argmax(levels))
    return graph


def walked(graph: Graph, rows: np.ndarray, query: np.ndarray, ef: int) -> tuple[list[int], int, int]:
    """(slots found, nearest first; distances taken; nodes expanded in the base layer): algorithms 2 and 5."""

    def square(slot: int) -> int:
        return int(((rows[slot].astype(np.int64) - query.astype(np.int64)) ** 2).sum())

    def linked(node: int, level: int) -> list[int]:
        links, n_links, _ = graph.layer(level)
        row = int(graph.rows_of(np.array([node]), level)[0])
        return links[row, : n_links[row]].tolist()

    node, n_evals = graph.entry, 1
    for level in range(graph.top, 0, -1):
        while True:
            others = linked(node, level)
            n_evals += len(others)
            nearest = min([node, *others], key=square)
            if square(nearest) == square(node):
                break
            node = nearest
    seen, waiting, found, n_hops = {node}, [(square(node), node)], [(square(node), node)], 0
    while waiting:
        nearest = heapq.heappop(waiting)
        if nearest not in found:
            continue
        n_hops += 1
        for other in linked(nearest[1], 0):
            if other in seen:
                continue
            seen.add(other)
            n_evals += 1
            if len(found) < ef or square(other) < found[-1][0]:
                found = sorted([*found, (square(other), other)])[:ef]
                heapq.heappush(waiting, (square(other), other))
    return [slot for _, slot in found], n_evals, n_hops


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(1).integers(-900, 900, (N, DIM)).astype(np.float32)  # no two distances are equal


@pytest.mark.parametrize("ef", [1, 7, 40])
def test_an_adopted_graph_is_walked_as_the_textbook_says(rows: np.ndarray, ef: int) -> None:
    graph = some_graph(rows)
    index = adopted(graph, rows, "l2", M=M, ef_construction=50)
    Q = np.random.default_rng(2).integers(-900, 900, (20, DIM)).astype(np.float32)
    hits = index.search(Q, k=1, ef=ef)
    for i, query in enumerate(Q):
        slots, n_evals, n_hops = walked(graph, rows, query, ef)
        assert hits.ids[i, 0] == slots[0]
        assert (hits.evals[i], hits.hops[i]) == (n_evals, n_hops)


def test_nothing_of_an_adopted_graph_changes_and_it_can_be_saved(rows: np.ndarray, tmp_path) -> None:
    graph = some_graph(rows)
    before = graph.links.copy()
    index = adopted(graph, rows, "l2", ids=np.arange(N) + 1000, M=M, ef_construction=50, ef=33)
    hits = index.search(rows[:50], k=5)
    index.save(tmp_path / "adopted.vr")
    again = vr.load(tmp_path / "adopted.vr")
    assert np.array_equal(again._content.graph.links, before) and again.ef == 33
    assert np.array_equal(again.search(rows[:50], k=5).ids, hits.ids) and hits.ids.min() >= 1000


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_an_index_answers_the_same_when_its_graph_is_adopted(rows: np.ndarray, metric: str) -> None:
    built = vr.HNSW.build(rows, metric=metric, M=M, storage="f32", schedule="sequential", ef_construction=50)
    index = adopted(built._content.graph, rows, metric, M=M, ef_construction=50)
    for ef in (1, 10, 64):
        one, other = built.search(rows, k=5, ef=ef), index.search(rows, k=5, ef=ef)
        assert np.array_equal(one.ids, other.ids) and np.array_equal(one.distances, other.distances)
        assert np.array_equal(one.evals, other.evals) and np.array_equal(one.hops, other.hops)


def test_more_rows_are_inserted_into_an_adopted_graph(rows: np.ndarray) -> None:
    index = adopted(some_graph(rows[:300]), rows[:300], "l2", M=M, ef_construction=50)
    index.add(rows[300:])
    assert len(index) == N
    assert (index.search(rows[300:], k=1, ef=200).ids[:, 0] == np.arange(300, N)).mean() > 0.95


def test_hops_are_nodes_expanded_and_none_without_a_graph() -> None:
    rows = np.random.default_rng(0).normal(size=(1500, 8)).astype(np.float32)
    hits = vr.HNSW.build(rows).search(rows[0], ef=20)
    assert isinstance(hits.hops, int) and 20 <= hits.hops < hits.evals
    assert vr.HNSW.build(rows[:100]).search(rows[:3]).hops.tolist() == [0, 0, 0]  # scanned
    assert vr.Exact.build(rows).search(rows[:3]).hops is None
