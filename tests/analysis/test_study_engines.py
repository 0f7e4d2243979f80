"""The engines of a study: each inserts in the order given, answers with rows, and shows the graph that it built."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from vecrecall.analysis.studies import study
from vecrecall.analysis.studying import engines
from vecrecall.analysis.studying.engines import NAMES, Engine, engine_of
from vecrecall.analysis.studying.engines_hnswlib import HnswlibGraph
from vecrecall.analysis.studying.measuring import structure_of
from vecrecall.hnsw.index import HNSW

N, DIM, K = 1_100, 12, 10  # enough rows for codes to be trained
rng = np.random.default_rng(5)
X = rng.standard_normal((N, DIM)).astype(np.float32)
Q = rng.standard_normal((25, DIM)).astype(np.float32)
THERE, BACK = np.arange(N), np.arange(N)[::-1].copy()
PACKAGES = {"hnswlib": "hnswlib", "faiss": "faiss", "faiss-batches": "faiss"}
OWN_ORDER = ("default", "faiss")  # they insert in one of their own


def built(name: str, order: np.ndarray = THERE, metric: str = "l2", seed: int = 0, rows: np.ndarray = X) -> Any:
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    return engine_of(name).build(rows, order, metric=metric, M=8, ef_construction=40, seed=seed, threads=1)


def links_by_row(graph: Any) -> list[frozenset[int]]:
    """Where the links of each row of X lead, as rows."""
    content, ids = graph.index._content, graph.index._ids
    slots = ids.slots(np.arange(N))
    links = content.graph.links[:N]
    return [frozenset(ids.outer(links[slot, : content.graph.n_links[slot]]).tolist()) for slot in slots]


def true_rows(metric: str) -> np.ndarray:
    if metric == "l2":
        return np.argsort(((Q[:, None] - X[None]) ** 2).sum(axis=-1), axis=1)[:, :K]
    rows = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X
    return np.argsort(-Q @ rows.T, axis=1)[:, :K]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_answers_are_rows_of_the_caller_and_the_walk_gives_the_same(name: str, metric: str) -> None:
    graph = built(name, BACK, metric)
    rows, true = graph.search(Q, K, 200), true_rows(metric)
    assert rows.shape == (25, K)
    assert np.mean([len(set(a) & set(t)) / K for a, t in zip(rows.tolist(), true.tolist(), strict=True)]) > 0.97
    assert isinstance(graph.index, HNSW)
    for ef in (10, 60):
        hits = graph.index.search(Q, K, ef=ef, threads=1)
        assert (hits.ids == graph.search(Q, K, ef)).mean() > 0.99
        assert (hits.evals > ef).all() and (hits.hops >= 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_insertion_shapes_the_graph_where_the_engine_keeps_it(name: str) -> None:
    there, back = built(name, THERE), built(name, BACK)
    assert links_by_row(there) != links_by_row(back)
    n_in = [
        np.bincount([other for links in links_by_row(graph) for other in links], minlength=N) for graph in (there, back)
    ]
    early = [counts[: N // 4].mean() / counts[-N // 4 :].mean() for counts in n_in]  # links go to what was there first
    assert (early[0] > 1.15 > 0.87 > early[1]) == (name not in (*OWN_ORDER, "refined"))


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_draws_other_levels_and_the_same_one_the_same_graph(name: str) -> None:
    first, again, other = (built(name, THERE, seed=seed) for seed in (0, 0, 1))
    assert links_by_row(first) == links_by_row(again) != links_by_row(other)
    assert not np.array_equal(first.index._content.graph.levels[:N], other.index._content.graph.levels[:N])


def test_sequential_has_links_as_hnswlib_has() -> None:
    degrees = [structure_of(built(name).index).out_degree for name in ("sequential", "hnswlib")]
    assert degrees[0] == pytest.approx(degrees[1], rel=0.03)


@pytest.mark.parametrize("name", ["sequential", "default", "streamed", "refined"])
def test_few_rows_are_built_too(name: str) -> None:
    rows = X[:150]
    graph = built(name, np.arange(150)[::-1].copy(), rows=rows)
    assert graph.search(rows[:5], 1, 50)[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_structure_is_that_of_a_graph_made_by_hand() -> None:
    index = built("sequential").index
    graph = index._content.graph
    n_in = np.zeros(N, int)
    for node in range(N):
        for other in graph.links[node, : graph.n_links[node]]:
            n_in[other] += 1
    found = structure_of(index)
    assert found.out_degree == pytest.approx(n_in.mean()) and found.in_max == n_in.max() and found.unreachable == 0
    assert (found.in_p1, found.in_p99) == pytest.approx(np.percentile(n_in, (1, 99)))
    lost = int(np.flatnonzero(np.arange(N) != graph.entry)[0])
    graph.links[graph.links == lost] = graph.entry  # nothing leads there any more
    graph.links[lost] = graph.entry
    assert structure_of(index).unreachable == 1


def test_what_has_no_graph_has_no_structure() -> None:
    for index in (None, object(), built("default", np.arange(50), rows=X[:50]).index):
        assert np.isnan(structure_of(index).out_degree)


class FewReached:
    """As hnswlib: a call fails where a query reaches fewer rows than were asked for."""

    reaches = (7, 2, 0)

    def set_ef(self, ef: int) -> None:
        pass

    def knn_query(self, Q: np.ndarray, k: int, num_threads: int) -> Any:
        n = [self.reaches[int(q[0])] for q in Q]
        if min(n) < k:
            raise RuntimeError("Cannot return the results in a contiguous 2D array")
        return np.tile(np.arange(k, dtype=np.uint64), (len(Q), 1)), None


def test_hnswlib_that_reaches_few_answers_with_these() -> None:
    graph = HnswlibGraph(FewReached(), 1)
    queries = np.array([[0.0], [1.0], [2.0]], np.float32)
    assert graph.search(queries, 3, 10).tolist() == [[0, 1, 2], [0, 1, -1], [-1, -1, -1]]
    assert graph.search(queries[:1], 3, 10).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(("name", "package"), [("hnswlib", "hnswlib"), ("faiss-batches", "faiss-cpu")])
def test_a_package_that_is_missing_is_named_before_anything_is_computed(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(engines, "find_spec", lambda module: None if module in PACKAGES.values() else find(module))
    with pytest.raises(ImportError, match=f"is not installed, which engine '{name}' needs; pip install {package}"):
        study(np.full((3, 2), np.nan), Q, engines=["sequential", name])


def test_every_engine_keeps_the_contract() -> None:
    for name in ("sequential", "parallel", "default", "streamed", "refined"):
        assert isinstance(engine_of(name), Engine) and engine_of(name).name == name


def test_a_study_of_real_engines_measures_everything() -> None:
    rows = study(X, Q, engines=["sequential", "default"], orders=["random", "norm_asc"], ef=10, seeds=1).as_dicts()
    assert len(rows) == 2 * 2 * len({(row["ef"], row["evals"]) for row in rows})
    for row in rows:
        if row["ef"] is not None:
            assert row["recall"] > 0.5 and row["agreement"] == 1 and row["self_recall"] > 0.9 and row["hops"] > 5
            assert row["out_degree"] > 5 and row["unreachable"] == 0 and row["build_s"] > 0
