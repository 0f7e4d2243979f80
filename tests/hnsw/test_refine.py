"""``refine``: links chosen anew in the finished graph, so that the order of insertion shapes it less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import vecrecall as vr
from tests.hnsw.test_adopting import M, N, some_graph
from vecrecall.hnsw import refining
from vecrecall.hnsw.adopting import adopted
from vecrecall.hnsw.building import Builder, Workbench
from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.index import HNSW
from vecrecall.hnsw.refine import refine_links
from vecrecall.hnsw.undo import Undo
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers

STORAGES = (
    {"storage": "sq4"}, {"storage": "f32"}, {"storage": "sq4", "keep": None}, {"metric": "ip"}, {"metric": "cosine"},
)  # fmt: skip


def squares(rows: np.ndarray) -> np.ndarray:
    whole = rows.astype(np.int64)
    return ((whole[:, None] - whole[None]) ** 2).sum(-1)


def linked(graph: Graph, node: int, level: int) -> list[int]:
    links, n_links, _ = graph.layer(level)
    row = int(graph.rows_of(np.array([node]), level)[0])
    return links[row, : n_links[row]].tolist()


def chosen_by_twin(graph: Graph, far: np.ndarray, node: int, ef: int, fill: bool) -> tuple[list[int], int]:
    """(links, number of kept ones) of a node by the words of :mod:`vecrecall.hnsw.refine`, out of sets and sorting."""
    nearest = graph.entry
    for level in range(graph.top, 0, -1):
        while True:
            best = min([nearest, *linked(graph, nearest, level)], key=lambda other: far[node, other])
            if best == nearest:
                break
            nearest = best
    starts = {*linked(graph, node, 0), nearest, *(linked(graph, nearest, 1) if graph.top > 0 else [])} - {node}
    pool, expanded, seen = sorted(starts, key=lambda other: far[node, other])[:ef], set(), {*starts, node}
    while waiting := [other for other in pool if other not in expanded]:
        expanded.add(waiting[0])
        fresh = [other for other in linked(graph, waiting[0], 0) if other not in seen]
        seen.update(fresh)
        pool = sorted([*pool, *fresh], key=lambda other: far[node, other])[:ef]
    candidates = sorted({*pool, *starts}, key=lambda other: far[node, other])
    kept: list[int] = []
    for other in candidates:
        if len(kept) < 2 * M and all(far[other, link] >= far[node, other] for link in kept):
            kept.append(other)
    filled = [other for other in candidates if other not in kept][: 2 * M - len(kept)] if fill else []
    return kept + filled, len(kept)


@pytest.mark.parametrize(("ef", "fill"), [(5, True), (20, True), (20, False), (500, True)])
def test_links_are_those_of_the_twin(ef: int, fill: bool) -> None:
    rows = np.random.default_rng(1).integers(-900, 900, (N, 6)).astype(np.float32)  # no two distances are equal
    graph, far = some_graph(rows), squares(rows)
    graph.n_links[7] = graph.n_kept[7] = 0  # a node without links is found from above
    graph.links[7] = 7
    walked = adopted(graph, rows, "l2", M=M, ef_construction=50)._content.walked
    forms = walked.no_forms().grown(N)
    walked.recall_forms(forms)
    out = np.full((2, N, 2 * M), -1, np.int32), np.full((2, N), -1, np.int32)
    with Workers(1) as workers:
        bench = Workbench(forms, M)
        builder = Builder(graph, walked, bench, Undo(graph, 0, 0), ef_construction=ef, fill=fill, workers=workers)
        nodes = np.random.default_rng(0).permutation(N).astype(np.int32)  # in any order
        scratch = builder.scratch()
        refine_links(
            graph.view(), walked.view(), (address(forms.forms), forms.forms.strides[0], address(forms.bias)),
            address(graph.n_links), address(nodes), 0, N, graph.entry, graph.top, ef, fill,
            scratch.address, tuple(address(part) for pair in out for part in pair),
        )  # fmt: skip
    (links, keys), (n_links, n_kept) = out
    for node in range(N):
        expected, kept = chosen_by_twin(graph, far, node, ef, fill)
        assert links[node, : n_links[node]].tolist() == expected
        assert n_kept[node] == kept and (links[node, n_links[node] :] == node).all()
        order = keys[node, : n_links[node]]
        assert (np.diff(order[:kept]) >= 0).all() and (np.diff(order[kept:]) >= 0).all()


@pytest.mark.parametrize("parameters", STORAGES, ids=str)
def test_a_refined_index_is_sound_and_the_same_for_any_number_of_threads(
    parameters: dict, digest: Callable[[HNSW], dict[str, str]], tmp_path: Path
) -> None:
    X = np.random.default_rng(0).normal(size=(3000, 24)).astype(np.float32)
    indexes = [HNSW.build(X, order="given", M=8, **parameters) for _ in range(3)]
    indexes[0].save(tmp_path / "before.vr")
    indexes.append(vr.load(tmp_path / "before.vr"))
    indexes[1].add(X[:0])
    for index, threads in zip(indexes, (1, 2, 3, 1)):
        index.refine(threads=threads)
        index.check()
    assert len({str(digest(index)) for index in indexes}) == 1
    assert len(indexes[0]) == 3000 and indexes[0].search(X[5], k=1).ids[0] == 5 or parameters.get("metric") == "ip"


def test_groups_inserted_one_after_another_are_found_as_in_a_random_order(
    clusters: Callable[..., tuple], measured: Callable[..., float]
) -> None:
    X, Q = clusters(200, 8_000, 32, 60.0)
    built = {"storage": "f32", "M": 8, "ef_construction": 64, "schedule": "sequential", "seed": 3}
    index = HNSW.build(X, order="given", **built)
    assert measured(index, X, Q, ef=64) < 0.98  # 0.972; in a random order 1.000
    index.refine()
    index.check()
    assert measured(index, X, Q, ef=64) > 0.995  # 0.9985


@pytest.mark.parametrize("storage", ["sq4", "f32"])
def test_refining_does_not_harm_a_graph_of_a_random_order(storage: str, measured: Callable[..., float]) -> None:
    X = np.random.default_rng(0).normal(size=(6000, 24)).astype(np.float32)
    Q = np.random.default_rng(1).normal(size=(300, 24)).astype(np.float32)
    index = HNSW.build(X, storage=storage, M=8)
    before = measured(index, X, Q, ef=60)
    index.refine()
    assert measured(index, X, Q, ef=60) >= before - 0.002  # sq4 0.944 -> 0.945, f32 0.953 -> 0.958


def test_rows_can_be_added_after_refining_and_the_streamed_index_is_refined_again() -> None:
    X = np.random.default_rng(5).normal(size=(2600, 16)).astype(np.float32)
    index = HNSW.build(X[:1500], order="given")
    index.refine()
    for lo in range(1500, 2600, 100):
        index.add(X[lo : lo + 100])
    index.check()
    index.refine()
    index.check()
    assert (index.search(X, k=1, ef=64).ids[:, 0] == np.arange(2600)).mean() > 0.995


def test_an_adopted_graph_that_lost_nodes_is_reconnected() -> None:
    rows = np.random.default_rng(1).integers(-900, 900, (N, 6)).astype(np.float32)
    graph = some_graph(rows)
    lost = np.flatnonzero((graph.levels[:N] == 0) & (np.arange(N) != graph.entry))[[3, 50, 51, 200]]
    for node in range(N):
        found = [other for other in linked(graph, node, 0) if other not in lost]
        graph.links[node] = found + [node] * (2 * M - len(found))
        graph.n_links[node] = graph.n_kept[node] = len(found)
    index = adopted(graph, rows, "l2", M=M, ef_construction=50)
    with pytest.raises(vr.CorruptIndexError, match="does not reach"):
        index.check()
    index.refine()
    index.check()


def test_an_index_that_scans_its_rows_has_nothing_to_refine(digest: Callable[[HNSW], dict[str, str]]) -> None:
    index = HNSW.build(np.random.default_rng(0).normal(size=(100, 8)))
    before = digest(index)
    index.refine()
    assert digest(index) == before


def test_a_refining_that_fails_leaves_the_index_as_it_was(
    monkeypatch: pytest.MonkeyPatch, undamaged: Callable[[HNSW], None]
) -> None:
    index = HNSW.build(np.random.default_rng(0).normal(size=(1500, 8)))
    undamaged(index)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(refining, "choose_entries", broken)  # the last step
    with pytest.raises(KeyboardInterrupt):
        index.refine()


@pytest.mark.parametrize(("ef", "error"), [(0, ValueError), (2.5, TypeError), ("many", TypeError)])
def test_ef_of_refine_is_checked(ef: object, error: type[Exception]) -> None:
    index = HNSW.build(np.random.default_rng(0).normal(size=(1500, 8)))
    with pytest.raises(error, match="ef"):
        index.refine(ef=ef)
