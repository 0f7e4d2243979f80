"""`tune`: settings for a recall on given queries, kept in the index and in its file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from vecrecall.tuning import Tuned

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2_000, 24)).astype(np.float32)
Q = RNG.normal(size=(200, 24)).astype(np.float32)
D = sp.random(1_500, 400, density=0.06, format="csr", dtype=np.float32, random_state=1)
S = sp.random(150, 400, density=0.03, format="csr", dtype=np.float32, random_state=2)
NAMES = [f"row {i}" for i in range(2_000)]

BUILDS: dict[str, Callable[..., Any]] = {
    "hnsw": lambda **more: vr.HNSW.build(X, **more),
    "ivf": lambda **more: vr.IVF.build(X, n_lists=32, **more),
    "sparse": lambda **more: vr.SparseIndex.build(D, **more),
}
QUERIES = {"hnsw": Q, "ivf": Q, "sparse": S}
ENGINES = sorted(BUILDS)


@pytest.fixture(scope="module", params=ENGINES)
def tuned_in_turn(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """One index an engine, which tests tune again and again."""
    return request.param, BUILDS[request.param]()


def truth_of(engine: str, k: int = 10) -> vr.Hits:
    return vr.Exact.build(D if engine == "sparse" else X).search(QUERIES[engine], k)


@pytest.mark.parametrize("target", [0.7, 0.9, 0.97])
def test_the_recall_told_is_that_of_searches_from_then_on(tuned_in_turn: tuple[str, Any], target: float) -> None:
    engine, index = tuned_in_turn
    tuned = index.tune(QUERIES[engine], target)
    found = vr.recall(index.search(QUERIES[engine]), truth_of(engine), interval=0.95)
    assert tuned.recall == pytest.approx(float(found)) and tuned.recall >= target and tuned.reached
    assert (tuned.low, tuned.high) == (found.low, found.high)
    assert (tuned.k, tuned.n_queries, tuned.target, tuned.by) == (10, QUERIES[engine].shape[0], target, "distance")
    given = index.search(QUERIES[engine], **tuned.settings)
    np.testing.assert_array_equal(index.search(QUERIES[engine]).ids, given.ids)
    assert tuned.sure == (tuned.low >= target)


def test_a_graph_takes_the_least_ef_that_suffices() -> None:
    index = BUILDS["hnsw"]()
    index.target_recall = 0.8
    tuned = index.tune(Q, 0.9)
    ladder = [rung["ef"] for rung in index._ladder(None, None, 10, 1)]
    at = ladder.index(tuned.settings["ef"])
    below, reached = (vr.recall(index.search(Q, ef=ef), truth_of("hnsw")) for ef in ladder[at - 1 : at + 1])
    assert below < 0.9 <= reached
    assert (index.ef, index.target_recall) == (ladder[at], None)


def test_a_sparse_index_takes_the_first_step_that_suffices() -> None:
    index = BUILDS["sparse"]()
    tuned = index.tune(S, 0.9)
    ladder = index._grid(10)
    at = ladder.index(tuned.settings)
    assert at > 0 and vr.recall(index.search(S, **ladder[at - 1]), truth_of("sparse")) < 0.9
    assert index.settings() == tuned.settings and "tuned to query_cut=" in repr(index)
    hits = index.search(S, query_cut=1)  # what is left out stays as it was tuned
    np.testing.assert_array_equal(hits.ids, index.search(S, **{**tuned.settings, "query_cut": 1}).ids)


def test_lists_take_settings_that_no_others_beat_by_the_model_of_cost() -> None:
    index = BUILDS["ivf"]()
    tuned = index.tune(Q, 0.9)
    assert index.settings() == tuned.settings and index.target_recall == 0.9
    truth = truth_of("ivf")
    nprobe, rerank = tuned.settings["nprobe"], tuned.settings["rerank"]
    assert vr.recall(index.search(Q, nprobe=nprobe // 2, rerank=rerank), truth) < 0.9
    assert "tuned for recall@10 0.9" in repr(index)
    assert index.settings(100)["rerank"] == 10 * rerank  # more answers, as a curve has it
    assert index.settings(5) == tuned.settings
    by_curve = index.settings(target_recall=0.9)
    index.target_recall = 0.9
    assert index.settings() == by_curve and "tuned" not in repr(index)


def test_settings_that_were_tuned_end_when_lists_have_doubled() -> None:
    index = vr.IVF.build(X[:1_100], n_lists=16)
    tuned = index.tune(Q, 0.9)
    index.add(X[1_100:1_500])
    assert index.settings() == tuned.settings
    index.add(np.concatenate([X[1_500:], X[:300] + 1]))
    assert index.settings() == index.settings(target_recall=0.9)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_tuned_is_saved(engine: str, tmp_path: Path) -> None:
    index = BUILDS[engine]()
    before = index.search(QUERIES[engine]).ids
    tuned = index.tune(QUERIES[engine], 0.7)
    index.save(tmp_path / "index.vr")
    loaded = vr.load(tmp_path / "index.vr", verify=True)
    assert repr(loaded).split(", ")[:-1] == repr(index).split(", ")[:-1]  # all but the memory
    after = loaded.search(QUERIES[engine]).ids  # type: ignore[attr-defined]
    np.testing.assert_array_equal(after, index.search(QUERIES[engine], **tuned.settings).ids)
    assert not np.array_equal(before, after)


@pytest.mark.parametrize(
    ("engine", "name", "value"),
    [
        ("ivf", "tuned", {"nprobe": 0, "rerank": 10, "k": 10, "n": 2_000, "n_lists": 32, "recall": 0.9}),
        ("ivf", "tuned", {"nprobe": 4, "rerank": 2**40, "k": 10, "n": 2_000, "n_lists": 32, "recall": 0.9}),
        ("ivf", "tuned", {"nprobe": 4, "rerank": 10, "k": 1.5, "n": 2_000, "n_lists": 32, "recall": 0.9}),
        ("ivf", "tuned", {"nprobe": 4, "rerank": 10, "k": 10, "n": 2_000, "n_lists": 0, "recall": 0.9}),
        ("ivf", "tuned", {"nprobe": 4, "rerank": 10, "k": 10, "n": 2_000, "n_lists": 32, "recall": 7}),
        ("ivf", "tuned", {"nprobe": 4}),
        ("ivf", "tuned", [1, 2]),
        ("ivf", "tuned", None),
        ("sparse", "search", {"query_cut": -1, "heap_factor": 0.9, "impact_cut": 0.1}),
        ("sparse", "search", {"query_cut": 4, "heap_factor": "x", "impact_cut": 0.1}),
        ("sparse", "search", {"query_cut": 4, "heap_factor": 0.9, "impact_cut": [1]}),
        ("sparse", "search", {"query_cut": 4}),
        ("sparse", "search", None),
    ],
)
def test_a_file_that_holds_nonsense_in_place_of_settings_is_refused(
    engine: str, name: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = BUILDS[engine]()
    parameters = index._parameters() | {name: value}
    monkeypatch.setattr(index, "_parameters", lambda: parameters)
    index.save(tmp_path / "index.vr")
    with pytest.raises(vr.IndexFileError, match=r"index\.vr"):
        vr.load(tmp_path / "index.vr")


@pytest.mark.parametrize("engine", ["hnsw", "ivf"])
def test_a_truth_may_be_given_in_each_form_and_by_name(engine: str) -> None:
    index = BUILDS[engine](ids=NAMES)
    own = index.tune(Q, 0.9)
    truth = vr.Exact.build(X, ids=NAMES).search(Q, 20)
    for given, by in [(truth, "distance"), ((truth.ids, truth.distances), "distance"), (truth.ids, "id")]:
        assert index.tune(Q, 0.9, truth=given) == Tuned(**{**vars(own), "by": by})


@pytest.mark.parametrize("engine", ["hnsw", "ivf"])
def test_without_rows_a_truth_is_needed_and_compared_by_id(engine: str) -> None:
    index = BUILDS[engine](keep=None, storage="sq8")
    with pytest.raises(ValueError, match="no rows are kept to measure recall by; give truth"):
        index.tune(Q)
    tuned = index.tune(Q, 0.8, truth=truth_of(engine))
    assert tuned.by == "id" and tuned.reached
    assert tuned.recall == vr.recall(index.search(Q), truth_of(engine), by="id")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_target_that_is_not_reached_warns_and_keeps_the_best(engine: str) -> None:
    index = BUILDS[engine]()
    ids = truth_of(engine).ids[::-1]  # the truth of other queries
    with pytest.warns(UserWarning, match=r"target_recall=0.9 was not reached by any settings .* the best had 0\.0"):
        tuned = index.tune(QUERIES[engine], 0.9, truth=ids)
    assert not tuned.reached and not tuned.sure and tuned.settings
    np.testing.assert_array_equal(
        index.search(QUERIES[engine]).ids, index.search(QUERIES[engine], **tuned.settings).ids
    )


@pytest.mark.parametrize("engine", ["hnsw", "ivf"])
def test_an_index_that_compares_all_rows_has_nothing_to_choose(engine: str) -> None:
    build = {"hnsw": vr.HNSW.build, "ivf": vr.IVF.build}[engine]
    index: Any = build(X[:500], target_recall=0.8)
    tuned = index.tune(Q, 0.95)
    assert (tuned.settings, tuned.recall, tuned.high, tuned.sure) == ({}, 1, 1, True)
    assert "nothing to choose" in repr(tuned)
    assert index.target_recall == 0.8  # as it was, for when the index has grown


def test_ties_count_by_distance() -> None:
    doubled = np.repeat(X[:600], 3, axis=0)
    index = vr.HNSW.build(doubled)
    assert index.tune(Q, 0.95, k=4).recall >= 0.95


@pytest.mark.parametrize("engine", ["hnsw", "ivf"])
def test_zero_queries_under_cosine_are_at_one_from_all(engine: str) -> None:
    build = {"hnsw": vr.HNSW.build, "ivf": vr.IVF.build}[engine]
    index: Any = build(X[:1_200], metric="cosine")
    asked = Q.copy()
    asked[:100] = 0
    with pytest.warns(UserWarning, match="100 zero query vectors"):
        tuned = index.tune(asked, 0.9)
    assert tuned.recall >= 0.9


@pytest.mark.parametrize("engine", ENGINES)
def test_the_number_of_threads_changes_nothing(engine: str) -> None:
    index = BUILDS[engine]()
    assert index.tune(QUERIES[engine], 0.9, threads=1) == index.tune(QUERIES[engine], 0.9, threads=3)


def test_another_k_and_more_answers_than_the_ladder_has() -> None:
    index = BUILDS["hnsw"]()
    tuned = index.tune(Q[:30], 0.95, k=1_100)
    assert tuned.settings["ef"] >= 1_100 and tuned.k == 1_100 and tuned.reached


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"target_recall": 0}, ValueError, "target_recall is 0"),
    ({"target_recall": 95}, ValueError, "target_recall is 95"),
    ({"k": 0}, ValueError, "k is 0"),
    ({"level": 1}, ValueError, "level is 1"),
    ({"threads": 0}, ValueError, "threads is 0"),
    ({"seed": -1}, ValueError, "seed is -1"),
    ({"Q": Q[:, :3]}, ValueError, "Q has 3 columns"),
    ({"Q": Q[:0]}, ValueError, "there are 0 queries and 1500 vectors in the index"),
    ({"Q": np.full((2, 24), np.nan)}, ValueError, "Q row 0, column 0 is nan"),
    ({"truth": np.zeros((5, 10), int)}, ValueError, "truth holds 10 places for each of 5 queries"),
    ({"truth": np.zeros((200, 9), int)}, ValueError, "truth holds 9 places for each of 200 queries"),
    ({"truth": (np.zeros((200, 10), int), np.zeros((200, 9)))}, ValueError, "expected one shape"),
    ({"truth": np.full((200, 10), "a")}, ValueError, "truth names an id that the index does not hold"),
    ({"truth": np.full((200, 10), 1_500)}, ValueError, r"does not hold \(id 1500 is not in the index\)"),
    ({"truth": np.full((200, 10), -1)}, ValueError, "truth names no neighbour at all"),
    ({"truth": (np.zeros((200, 10), int), np.full((200, 10), np.nan))}, ValueError, "a neighbour at distance nan"),
]


@pytest.fixture(scope="module")
def graph() -> vr.HNSW:
    return vr.HNSW.build(X[:1_500])


@pytest.mark.parametrize(("given", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    given: dict[str, Any], error: type[Exception], message: str, graph: vr.HNSW
) -> None:
    with pytest.raises(error, match=message):
        graph.tune(**({"Q": Q} | given))
    assert graph.ef == 64


def test_an_empty_index_is_refused() -> None:
    with pytest.raises(ValueError, match="there are 200 queries and 0 vectors in the index"):
        vr.HNSW.build(X[:0]).tune(Q)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_truth_of_other_rows_is_refused_and_changes_nothing(tuned_in_turn: tuple[str, Any], by_name: bool) -> None:
    engine, index = tuned_in_turn
    before = repr(index)
    ids = truth_of(engine).ids
    other = np.array([[f"row {i}" for i in row] for row in ids]) if by_name else ids + 2_000
    with pytest.raises(ValueError, match="truth names an id that the index does not hold"):
        index.tune(QUERIES[engine], 0.9, truth=other)
    with pytest.raises(ValueError, match="truth names no neighbour at all"):
        index.tune(QUERIES[engine], truth=np.full(ids.shape, -1))
    farther = vr.Exact.build(D[:300] if engine == "sparse" else X[:300]).search(QUERIES[engine])
    for measure in (index.tune, lambda Q, truth: vr.sweep(index, Q, truth, rounds=1, latency=False)):
        with pytest.raises(ValueError, match="it is of other rows"):
            measure(QUERIES[engine], truth=farther)
    assert repr(index) == before


def test_a_single_query_that_found_all_makes_nobody_sure() -> None:
    index = vr.HNSW.build(X[:500])  # compares all rows
    tuned = index.tune(Q[0], 0.95)
    assert tuned.recall == 1 and tuned.reached and not tuned.sure and tuned.low < 0.1


def test_large_settings_are_told_in_full() -> None:
    line = repr(Tuned({"ef": 1_234_567, "heap_factor": 0.9}, 0.97, 0.96, 0.98, 0.95, 10, 1_000, 0.95, "id"))
    assert "ef=1234567 heap_factor=0.9," in line


@pytest.mark.parametrize(
    ("recall", "low", "high", "words"),
    [
        (0.97, 0.955, 0.98, "target 0.95 reached"),
        (0.955, 0.94, 0.97, "target 0.95 reached, but inside the interval: more queries would tell"),
        (0.945, 0.93, 0.96, "target 0.95 not reached, but inside the interval"),
        (0.9, 0.89, 0.91, "target 0.95 not reached"),
    ],
)
def test_one_line_says_how_sure_it_is(recall: float, low: float, high: float, words: str) -> None:
    line = repr(Tuned({"nprobe": 8, "rerank": 40}, recall, low, high, 0.95, 10, 1_000, 0.95, "distance"))
    assert line.endswith(words) and "\n" not in line
    assert line.startswith(f"Tuned: nprobe=8 rerank=40, recall@10 {recall:.4f} (95 % interval {low:.4f} to")


def test_tuning_is_silent_where_the_target_is_reached() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BUILDS["hnsw"]().tune(Q, 0.9)
