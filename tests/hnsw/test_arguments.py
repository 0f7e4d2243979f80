"""No argument is ever ignored: each of these fails when its argument does nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vecrecall import dense as dense_module
from vecrecall.hnsw import index as index_module
from vecrecall.hnsw import walker as walker_module
from vecrecall.hnsw.index import HNSW

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(2000, 140)) * 0.98 ** np.arange(140)).astype(np.float32)
Q = X[:30] + 0.1 * RNG.normal(size=(30, 140)).astype(np.float32)
Digest = Callable[[HNSW], dict[str, str]]


@pytest.fixture(scope="module")
def plain(digest: Digest) -> dict[str, str]:
    return digest(HNSW.build(X, M=8, storage="sq4"))


@pytest.mark.parametrize(
    ("argument", "value", "section"),
    [
        ("metric", "cosine", "inverse_lengths"),
        ("metric", "ip", "codes"),
        ("ids", list(range(10, 2010)), None),
        ("M", 9, "links"),
        ("ef_construction", 20, "links"),
        ("storage", "sq8", "codes"),
        ("storage", "f32", "walked"),
        ("reduce", 50, "codes"),
        ("keep", None, None),
        ("keep", "f32", None),
        ("order", "given", "links"),
        ("order", np.arange(2000)[::-1], "links"),
        ("schedule", "sequential", "links"),
        ("fill", False, "n_links"),
        ("seed", 1, "levels"),
        ("ef", 7, "parameters"),
    ],
)
def test_every_parameter_of_a_build_has_an_effect(
    argument: str, value: object, section: str | None, plain: dict[str, str], digest: Digest
) -> None:
    index = HNSW.build(X, **{"M": 8, "storage": "sq4", argument: value})
    index.check()
    if section:
        assert digest(index)[section] != plain.get(section)
    elif argument == "ids":
        assert index.search(X[3], k=1).ids.tolist() == [13]
    elif value is None:
        assert index.memory()["rows"] == 0
    else:
        assert index.memory()["rows"] == 2000 * 144 * 4


@pytest.mark.parametrize(
    ("storage", "dim", "M"), [("auto", 600, 24), ("sq4", 600, 24), ("f32", 511, 16), ("f32", 512, 12), ("f16", 600, 16)]
)
def test_the_default_of_M_is_less_where_a_distance_costs_more(storage: str, dim: int, M: int) -> None:
    assert HNSW.build(np.zeros((0, dim)), storage=storage)._settings.M == M
    if storage != "auto":
        assert HNSW.estimate_memory(9, dim, storage=storage) == HNSW.estimate_memory(9, dim, storage=storage, M=M)


@pytest.mark.parametrize("storage", ["sq4", "f32"])
def test_the_smallest_ef_holds_one_candidate_also_where_a_search_enters_by_two(storage: str) -> None:
    rng = np.random.default_rng(1)
    many = rng.normal(size=(6000, 16)).astype(np.float32)
    index = HNSW.build(many, M=8, storage=storage)
    assert index._content.entries is not None
    hits = index.search(many[:200], k=1, ef=1)
    assert hits.evals.max() < 1500 and (hits.ids >= 0).all()
    assert (hits.ids[:, 0] == np.arange(200)).mean() > 0.5


@pytest.mark.parametrize(("metric", "expected"), [("l2", 5.0), ("ip", -12.0), ("cosine", 1 - 12 / 20)])
def test_distances_are_those_of_the_metric(metric: str, expected: float) -> None:
    index = HNSW.build([[0.0, 5.0], [-9.0, 0.0]], metric=metric)
    hits = index.search([4.0, 0.0] if metric == "l2" else [3.2, 2.4], k=2)
    true = {"l2": [np.hypot(4, 5), 13], "ip": [-12, 28.8], "cosine": [1 - 0.6, 1.8]}[metric]
    np.testing.assert_allclose(hits.distances, true, rtol=1e-6)
    np.testing.assert_allclose(hits.scores, 1 - hits.distances if metric == "cosine" else -hits.distances, rtol=1e-6)


def test_k_ef_and_the_indexs_own_ef_are_obeyed() -> None:
    index = HNSW.build(X, ef=20)
    assert index.search(Q, k=3).ids.shape == (30, 3) and index.search(Q).ids.shape == (30, 10)
    own, wide = index.search(Q).evals.mean(), index.search(Q, ef=200).evals.mean()
    assert index.search(Q, ef=20).evals.mean() == own < wide
    index.ef = 200
    assert index.search(Q).evals.mean() == wide
    with pytest.raises(ValueError, match="ef is 0"):
        index.ef = 0


def test_one_query_in_one_answer_out() -> None:
    index = HNSW.build(X)
    one, batch = index.search(Q[0], k=4), index.search(Q[:1], k=4)
    assert one.ids.shape == one.distances.shape == (4,) and isinstance(one.evals, int)
    assert batch.ids.shape == (1, 4) and batch.evals.shape == (1,) and batch.ids[0].tolist() == one.ids.tolist()
    assert one.ids.dtype == np.int64 and one.distances.dtype == np.float32


def test_threads_of_builds_adds_and_searches_are_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = index_module.n_threads
    for module in (index_module, dense_module):
        monkeypatch.setattr(module, "n_threads", lambda threads: asked.append(threads) or real(threads))
    used = []
    run = walker_module.run
    monkeypatch.setattr(walker_module, "run", lambda n, *rest: used.append(n) or run(n, *rest))
    index = HNSW.build(X, threads=2)
    index.add(X[:10], threads=3)
    index.search(Q, threads=2)
    index.search(Q, threads=1)
    assert asked == [2, 3, 2, 1] and used == [2, 1]


def test_progress_is_shown_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    real = index_module.progress_bar
    monkeypatch.setattr(index_module, "progress_bar", lambda *a: shown.append(a) or real(*a))
    index = HNSW.build(X, progress=True)
    index.add(X[:10])
    assert shown == [("inserting", 2000, True), ("inserting", 10, False)]


def test_a_call_is_not_told_more_than_it_takes() -> None:
    with pytest.raises(TypeError):
        HNSW.build(X, "l2")  # keyword only
    with pytest.raises(TypeError):
        HNSW.build(X, connectivity=5)
    with pytest.raises(TypeError):
        HNSW.build(X).search(Q, radius=3)


def test_memory_is_what_the_estimate_says_and_the_repr_is_two_lines() -> None:
    for storage, keep, p in (("sq4", "f32", 140), ("sq8", "f16", 100), ("f16", "f32", None), ("f32", None, None)):
        rows = X.astype(np.float16).astype(np.float32) if keep == "f16" else X
        index = HNSW.build(rows, storage=storage, keep=keep, reduce=p if storage.startswith("sq") else None)
        held = index.memory()
        estimate = HNSW.estimate_memory(2000, 140, storage=storage, keep=keep, p=p)
        for part in ("rows", "walk", "links"):
            assert held[part] == pytest.approx(estimate[part], rel=0.1, abs=40_000)
        assert held["growth"] == 0 and held["scratch"] == 0
        assert len(repr(index).splitlines()) == 2 and "2,000 vectors of 140 dimensions" in repr(index)
