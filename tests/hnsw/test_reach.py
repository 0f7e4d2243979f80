"""What the entry reaches, and the repair that makes it everything."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.repair import Reach, repair


def random_graph(n: int, M: int, degree: float, seed: int) -> Graph:
    """Base layer only; rows of random links, many of them short or empty."""
    rng = np.random.default_rng(seed)
    graph = Graph.empty(M).with_room(np.zeros(n, np.int32))
    graph.entry, graph.top = int(rng.integers(n)), 0
    for node in range(n):
        m = min(int(rng.poisson(degree)), 2 * M, n - 1)
        graph.links[node, :m] = rng.permutation(np.delete(np.arange(n), node))[:m]
        graph.n_links[node] = m
    return graph


def slow_reach(graph: Graph) -> set[int]:
    seen, waiting = {graph.entry}, [graph.entry]
    while waiting:
        node = waiting.pop()
        for other in graph.links[node, : graph.n_links[node]].tolist():
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("degree", [0.3, 1, 3])
@pytest.mark.parametrize("n", [1, 2, 5, 80])
def test_reach_is_that_of_a_plain_search_and_its_tree_is_made_of_links(n: int, degree: float, seed: int) -> None:
    graph = random_graph(n, 4, degree, seed)
    reach = Reach(graph)
    assert set(np.flatnonzero(reach.parents >= 0).tolist()) == slow_reach(graph)
    assert reach.unreached().tolist() == sorted(set(range(n)) - slow_reach(graph))
    order = reach.order().tolist()
    assert sorted(order) == list(range(n)) and set(order[: len(slow_reach(graph))]) == slow_reach(graph)
    for node in slow_reach(graph) - {graph.entry}:
        parent = int(reach.parents[node])
        assert node in graph.links[parent, : graph.n_links[parent]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n", "M", "degree"), [(2, 2, 0), (40, 2, 0), (60, 2, 1), (80, 2, 8), (80, 4, 2), (200, 2, 4)])
def test_repair_reaches_everything_cuts_nothing_off_and_tells_what_it_changes(
    n: int, M: int, degree: float, seed: int
) -> None:
    graph = random_graph(n, M, degree, seed)
    before, links_before, told = slow_reach(graph), graph.links.copy(), []
    changed = repair(graph, lambda node: np.arange(min(n, 7), dtype=np.int32), told.append)
    assert slow_reach(graph) == set(range(n))
    rows = np.flatnonzero((graph.links != links_before).any(1))
    assert set(rows.tolist()) <= set(changed.tolist()) == set(told) <= before | set(range(n))
    used = np.arange(2 * M) < graph.n_links[:, None]
    assert (graph.links[~used] == np.repeat(np.arange(n), 2 * M).reshape(n, -1)[~used]).all()
    for node in range(n):
        row = graph.links[node, : graph.n_links[node]].tolist()
        assert len(set(row) | {node}) == len(row) + 1


def test_repair_leaves_a_graph_alone_that_is_reached() -> None:
    graph = random_graph(50, 4, 8, 0)
    assert slow_reach(graph) == set(range(50))
    before = graph.links.tobytes()
    assert not len(repair(graph, lambda node: np.arange(5, dtype=np.int32), lambda node: None))
    assert graph.links.tobytes() == before
