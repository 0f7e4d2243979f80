"""A traced walk: the answer of the search to the byte, and every step of the textbook's walk in its order."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from tests.analysis.hand_made import index_of
from vecrecall.hnsw import scratch
from vecrecall.hnsw.adopting import adopted
from vecrecall.hnsw.index import HNSW
from vecrecall.hnsw.trace import Trace, traced

RNG = np.random.default_rng(0)
X = RNG.integers(-500, 500, (1300, 12)).astype(np.float32)  # distances are exact
Q = RNG.integers(-500, 500, (4, 12)).astype(np.float32)


def assert_is_the_search(index: HNSW, query: np.ndarray, k: int, ef: int) -> Trace:
    trace, hits = traced(index._content, query[None], k, ef, all_keys=True), index.search(query, k, ef=ef)
    assert np.array_equal(trace.slots, hits.ids) and trace.distances.tobytes() == hits.distances.tobytes()
    assert (trace.evals, trace.hops) == (hits.evals, hits.hops)
    base = trace.compared[trace.in_base]
    assert len(np.unique(base)) == len(base) and set(trace.slots[trace.slots >= 0].tolist()) <= set(base.tolist())
    assert (trace.levels == 0).sum() == trace.hops
    assert np.array_equal(trace.all_keys[trace.compared], trace.keys)
    return trace


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize(
    "settings",
    [
        {"storage": "sq4"},
        {"storage": "sq4", "reduce": 2},
        {"storage": "sq8", "keep": None},
        {"storage": "f32", "schedule": "sequential"},
    ],
)
def test_the_answer_is_that_of_the_search_to_the_byte(metric: str, settings: dict) -> None:
    index = HNSW.build(X, metric=metric, M=5, ef_construction=30, **settings)
    assert index._content.coarse == ("reduce" in settings)
    for ef, k in ((1, 1), (10, 10), (64, 5), (200, 10), (1300, 10)):
        for query in Q:
            trace = assert_is_the_search(index, query, k, ef)
            if index._content.entries is None:  # else the entries are compared without being of the walk
                assert len(trace.compared) == trace.evals


def test_a_log_that_runs_over_loses_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    index = HNSW.build(X, M=5, ef_construction=30, storage="f32")
    expected = assert_is_the_search(index, Q[0], 10, 200)
    monkeypatch.setattr(scratch, "_log_room", lambda capacity, ef, width: 2 * width + 8)
    assert len(expected.compared) > 200
    trace = traced(index._content, Q[0][None], 10, 200)
    for name in ("slots", "expanded", "levels", "compared", "keys", "at"):
        assert np.array_equal(getattr(trace, name), getattr(expected, name)), name


def steps(index: HNSW, query: np.ndarray, ef: int, start: int | None) -> tuple[list, list]:
    """([(node, layer)], [(row, number of the step that met it, or -1)]) by algorithms 2 and 5."""
    graph, rows = index._content.graph, X.astype(np.int64)
    expanded: list[tuple[int, int]] = []
    compared: list[tuple[int, int]] = []

    def square(slot: int) -> int:
        return int(((rows[slot] - query.astype(np.int64)) ** 2).sum())

    def look(node: int, level: int) -> list[int]:
        links, n_links, _ = graph.layer(level)
        at = int(graph.rows_of(np.array([node]), level)[0])
        expanded.append((node, level))
        return links[at, : n_links[at]].tolist()

    node = graph.entry if start is None else start
    for level in range(graph.top, 0, -1) if start is None else ():
        while True:
            others = look(node, level)
            compared.extend((other, len(expanded) - 1) for other in others)
            nearest = min([node, *others], key=square)
            if nearest == node:
                break
            node = nearest
    compared.append((node, -1))
    seen, waiting, found = {node}, [(square(node), node)], [(square(node), node)]
    while waiting:
        nearest = heapq.heappop(waiting)
        if nearest not in found:
            continue
        for other in look(nearest[1], 0):
            if other in seen:
                continue
            seen.add(other)
            compared.append((other, len(expanded) - 1))
            if len(found) < ef or square(other) < found[-1][0]:
                found = sorted([*found, (square(other), other)])[:ef]
                heapq.heappush(waiting, (square(other), other))
    return expanded, compared


@pytest.mark.parametrize("start", [None, 77])
@pytest.mark.parametrize("ef", [1, 12, 90])
def test_the_steps_are_the_textbooks_in_its_order_from_any_start(ef: int, start: int | None) -> None:
    schedule = "sequential" if start is None else "parallel"  # with entries of its own, which must leave no trace
    index = HNSW.build(X, M=4, ef_construction=30, storage="f32", schedule=schedule)
    assert index._content.graph.top >= 2 and (start is None) == (index._content.entries is None)
    for query in Q:
        starts = None if start is None else np.array([start])
        trace = traced(index._content, query[None], 1, ef, starts=starts)
        expanded, compared = steps(index, query, ef, start)
        assert list(zip(trace.expanded.tolist(), trace.levels.tolist())) == expanded
        assert list(zip(trace.compared.tolist(), trace.at.tolist())) == compared
        squares = ((X[trace.compared] - query) ** 2).sum(1, dtype=np.float32)
        assert np.array_equal(trace.keys.view(np.float32), squares)


def test_an_exact_walk_over_codes_is_the_walk_over_the_rows_of_the_same_graph() -> None:
    index = HNSW.build(X, M=5, ef_construction=30, storage="sq4", reduce=None)
    floats = adopted(index._content.graph, X, "l2", M=5, ef_construction=30)
    differ = 0
    for query in Q:
        starts = traced(index._content, query[None], 10, 15).entered
        exact = traced(index._content, query[None], 10, 15, starts=starts, exactly=True)
        same = traced(floats._content, query[None], 10, 15, starts=starts)
        for name in ("slots", "expanded", "compared", "keys", "at", "evals", "hops"):
            assert np.array_equal(getattr(exact, name), getattr(same, name)), name
        by_codes = traced(index._content, query[None], 10, 15, starts=starts)
        differ += by_codes.compared.tolist() != exact.compared.tolist()
    assert differ  # the codes do lead elsewhere


def test_all_rows_that_a_walk_starts_at_are_candidates() -> None:
    index = index_of([0, 1, 2, 50], [[1], [0], [1], [2]])
    trace = traced(index._content, np.full((1, 1), 3, np.float32), 4, 4, starts=np.array([3, 0]))
    assert trace.slots.tolist() == [2, 1, 0, 3] and trace.evals == 4
    assert trace.entered.tolist() == [0, 3]  # the nearest first
    assert trace.expanded.tolist() == [0, 1, 3, 2] and trace.at.tolist() == [-1, -1, 0, 2]
