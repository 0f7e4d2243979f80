"""The yardsticks of the sparse benchmarks measure what they say."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import sparse

from bench import sparse_speed
from bench.courses import never, time_each
from bench.data import as_csr
from bench.demo_sparse import Way, answers, fused_way, ndcg
from bench.make_data import WordNetTexts
from bench.make_sparse_data import bm25, write
from bench.sparse_engines import SparseEngine, built, one_weight_a_column, scipy_
from bench.sparse_forms import as_rows
from bench.sparse_sets import SparseSet, halved, read_set
from bench.sparse_speed import as_json, folder_of, ratios, times_at
from bench.sparse_sweep import Course, Point, front, sweep, time_in_turn, us_at, worth_timing
from bench.sparse_truth import SparseTruth, exact_top
from vecrecall.datasets.make import learned_sparse
from vecrecall.hits import Hits
from vecrecall.io.sparse_set import write_sparse_set


def csr(*rows: list[float]) -> sparse.csr_array:
    return sparse.csr_array(np.array(rows, np.float32))


def random_csr(n: int, n_columns: int, seed: int) -> sparse.csr_array:
    """Rows with some 8 entries of few different weights, so that scores tie often."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 4, (n, n_columns)) * (rng.random((n, n_columns)) < 8 / n_columns)
    return as_csr(sparse.csr_array(dense.astype(np.float32)))


# ---------------------------------------- truth


@pytest.mark.parametrize(
    ("ids", "recall"),
    [
        ([[0, 1], [3]], 1.0),
        ([[1, 0], [3]], 1.0),  # the order does not matter
        ([[0, 2], [3]], 1.0),  # document 2 ties with 1
        ([[1, 2], [3]], 1.0),  # each of them reaches the second best score
        ([[0, 1, 2], [3]], 1.0),  # more than k answers do not make more than all
        ([[0, 0], [3]], 0.75),  # a repeated id counts once
        ([[0, 3], [3]], 0.75),
        ([[], [3]], 0.5),
        ([[0, 1], [3, 2]], 1.0),  # the second query has one answer, so only one is wanted
        ([[0, 1], [2]], 0.5),  # a document of score 0 is no answer
    ],
)
def test_recall_counts_ties_and_what_exists(ids: list[list[int]], recall: float) -> None:
    docs = csr([3, 0], [2, 0], [2, 0], [0, 5])
    truth = SparseTruth(docs, csr([1, 0], [0, 1]), k=2)
    assert truth.recall([np.array(row, np.int64) for row in ids]) == recall


def test_a_query_without_any_answer_is_left_out() -> None:
    truth = SparseTruth(csr([1, 0], [2, 0]), csr([1, 0], [0, 1]), k=1)
    assert truth.recall([np.array([1]), np.array([], np.int64)]) == 1.0


def test_exact_answers_equal_a_full_sort() -> None:
    docs, queries = random_csr(300, 40, seed=0), random_csr(9, 40, seed=1)
    ids, scores = exact_top(docs, queries, 50)
    full = (queries @ docs.T).toarray().astype(np.float64)
    order = np.argsort(-full, axis=1, kind="stable")[:, :50]  # stable: ties to the lower row
    assert np.array_equal(ids, order)
    assert scores == pytest.approx(np.take_along_axis(full, order, 1))


# ---------------------------------------- fronts and times


def test_time_at_a_recall_is_interpolated_on_the_front() -> None:
    points = [Point(0.90, 100.0, "a"), Point(0.94, 400.0, "b"), Point(0.93, 900.0, "beaten")]
    assert us_at(points, 0.92) == pytest.approx(200.0)  # halfway in recall, the geometric mean in time
    assert us_at(points, 0.80) == pytest.approx(100.0)
    assert math.isnan(us_at(points, 0.95))
    assert [point.parameter for point in front(points)] == ["a", "b"]


def test_only_the_front_above_and_one_point_below_are_timed() -> None:
    points = [Point(r, us, r) for r, us in ((0.5, 1.0), (0.8, 2.0), (0.92, 3.0), (0.91, 9.0), (0.99, 8.0))]
    assert [point.parameter for point in worth_timing(points, lowest=0.90)] == [0.8, 0.92, 0.99]
    assert [point.parameter for point in worth_timing(points[:2], lowest=0.90)] == [0.8]


def test_the_smallest_time_of_a_query_is_kept() -> None:
    asked: list[str] = []
    best = never(2)
    time_each(asked.append, ["a", "b"], best)
    assert asked == ["a", "b"] and (best < 10**9).all()
    kept = np.zeros(2, np.int64)
    time_each(asked.append, ["a", "b"], kept)
    assert (kept == 0).all()


# ---------------------------------------- the sweep, on a toy engine


def toy(docs: sparse.csr_array, k: int, name: str, log: list[tuple[str, Any]]) -> SparseEngine:
    """Scores by the heaviest terms of a query only; a parameter says how many."""

    def search(query: sparse.csr_array, n_terms: int) -> np.ndarray:
        log.append((name, n_terms))
        heaviest = np.argsort(-query.data, kind="stable")[:n_terms]
        scores = docs[:, query.indices[heaviest]] @ query.data[heaviest]
        return np.argsort(-scores, kind="stable")[:k]

    return SparseEngine(name, "toy", as_rows, search, np.asarray, [1, 2, 40], build_s=2.0, file_bytes=100)


@pytest.fixture(scope="module")
def data() -> SparseSet:
    return halved("toy", random_csr(200, 40, seed=0), random_csr(20, 40, seed=1), n_queries=20, k=5)


def test_queries_fall_into_halves_without_the_empty_ones() -> None:
    queries = csr([1, 0], [0, 0], [2, 0], [3, 0], [4, 0])
    halves = halved("x", csr([1, 0], [2, 1]), queries, n_queries=3, k=1)
    assert halves.choosing.queries.data.tolist() == [1, 3]
    assert halves.timed.queries.data.tolist() == [2]
    with pytest.raises(ValueError, match="has 1 queries"):
        halved("x", csr([1, 0]), queries[:2], n_queries=5, k=1)


def test_settings_chosen_on_one_half_are_measured_on_the_other(data: SparseSet) -> None:
    engine = toy(data.docs, data.k, "toy", [])
    halves_seen: list[sparse.csr_array] = []
    engine.prepare = lambda queries: halves_seen.append(queries) or as_rows(queries)
    points = sweep(data, [engine], n_rounds=2)["toy"]
    assert halves_seen == [data.choosing.queries, data.timed.queries]
    assert {p.parameter for p in points} <= {1, 2, 40}
    (best,) = (p for p in points if p.parameter == 40)
    assert best.recall == 1.0 and best.us > 0


def test_rounds_take_the_engines_in_turn_and_skip_low_recall(data: SparseSet) -> None:
    log: list[tuple[str, Any]] = []
    courses = [Course(e, e.parameters, data.timed) for e in (toy(data.docs, 5, name, log) for name in "ab")]
    for course in courses:
        course.measure_recall()
        assert course.recall[0] < course.recall[1] < course.recall[2] == 1.0
    log.clear()
    time_in_turn(courses, n_rounds=2, lowest=courses[0].recall[1])
    n = data.timed.queries.shape[0]
    assert log[::n] == [("a", 2), ("a", 40), ("b", 2), ("b", 40)] * 2
    assert [p.parameter for p in courses[0].points()] == [2, 40]


def test_an_engine_that_reaches_little_is_still_timed_at_its_best(data: SparseSet) -> None:
    engine = toy(data.docs, data.k, "toy", [])
    engine.parameters = [1]
    assert [p.parameter for p in sweep(data, [engine], n_rounds=1)["toy"]] == [1]


def test_scipy_is_exact(data: SparseSet, tmp_path: Path) -> None:
    (engine,) = scipy_(data.docs, data.k, tmp_path)
    answered = [engine.ids(engine.search(query, None)) for query in engine.prepare(data.timed.queries)]
    assert data.timed.truth.recall(answered) == 1.0


# ---------------------------------------- what is reported


def fake(name: str, build_s: float, file_bytes: int) -> SparseEngine:
    return SparseEngine(name, "", as_rows, lambda q, p: q, np.asarray, [None], build_s, file_bytes)


ENGINES = [
    fake("vecrecall", 2.0, 100),
    fake("vecrecall, exact", 2.0, 100),
    fake("seismic, defaults", 30.0, 900),
    fake("seismic, pruned lists", 20.0, 500),
    fake("scipy", 0.0, 700),
]
POINTS = {
    "vecrecall": [Point(0.95, 10.0, 1), Point(0.99, 20.0, 2)],
    "vecrecall, exact": [Point(1.0, 40.0, None)],
    "seismic, defaults": [Point(0.95, 80.0, 1), Point(0.97, 90.0, 2), Point(0.99, 100.0, 3)],
    "seismic, pruned lists": [Point(0.95, 50.0, 1), Point(0.97, 95.0, 2)],
    "scipy": [Point(1.0, 4_000.0, None)],
}


def test_ratios_are_taken_to_the_best_seismic_build_in_each_respect() -> None:
    found = ratios(times_at(POINTS), ENGINES)
    assert found["faster"] == pytest.approx([5.0, 90 / math.sqrt(200), 5.0])
    assert (found["file smaller"], found["build cheaper"]) == (5.0, 10.0)
    assert found["exact mode to Seismic at the first level"] == pytest.approx(50 / 40)
    assert found["exact mode to scipy"] == pytest.approx(100.0)


def test_ratios_leave_out_who_is_not_there() -> None:
    found = ratios(times_at({name: POINTS[name] for name in ("vecrecall", "vecrecall, exact")}), ENGINES[:2])
    assert found == {}


def test_the_report_is_json_without_nan(data: SparseSet) -> None:
    import json

    points = {**POINTS, "vecrecall": [Point(0.96, 10.0, (5, 0.9))]}
    report = as_json(data, ENGINES, points, ["scipy"])
    text = json.dumps(report, allow_nan=False)
    assert report["engines"]["vecrecall"]["us_at"] == {"0.95": 10.0, "0.97": None, "0.99": None}
    assert json.loads(text)["ratios"]["faster"][1] is None


def test_the_table_names_what_is_not_reached(data: SparseSet, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sparse_speed, "console", Console(file=screen, width=140))
    sparse_speed.show_table(data, ENGINES, POINTS)
    line = next(line for line in screen.getvalue().splitlines() if "pruned" in line)
    assert "50.0" in line and "95.0" in line and "not reached" in line


def test_the_folder_of_a_set_depends_on_its_content(data: SparseSet, tmp_path: Path) -> None:
    first = folder_of(tmp_path, data)
    assert folder_of(tmp_path, data) == first and first.is_dir()
    docs = data.docs.copy()
    docs.data[7] += 1
    assert folder_of(tmp_path, SparseSet("toy", docs, data.k, data.choosing, data.timed)) != first


# ---------------------------------------- forms that engines take


def test_terms_need_one_weight_in_all_queries_to_be_added_up() -> None:
    assert one_weight_a_column(csr([0, 2, 3], [0, 2, 0])).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="weighs differently"):
        one_weight_a_column(csr([0, 2], [0, 3]))


def test_a_build_that_is_there_is_not_repeated(tmp_path: Path) -> None:
    calls: list[int] = []
    first = built(tmp_path / "index", lambda: calls.append(1))
    assert built(tmp_path / "index", lambda: calls.append(2)) == first
    assert calls == [1]


def test_what_is_read_is_brought_into_one_form(tmp_path: Path) -> None:
    entries = (np.array([1, 2, 4, 0.0]), (np.array([0, 0, 0, 1]), np.array([2, 0, 2, 1])))
    docs = sparse.coo_matrix(entries, shape=(2, 3))
    for part in ("docs", "queries"):
        sparse.save_npz(tmp_path / f"x-{part}.npz", sparse.vstack([docs.tocsr()[:1]] * 2))
    data = read_set(tmp_path / "x-docs.npz", tmp_path / "x-queries.npz", n_queries=9, k=1)
    assert (data.name, data.docs.dtype, data.docs.toarray().tolist()) == ("x", np.float32, [[2, 0, 5]] * 2)
    assert as_csr(docs).nnz == 2  # summed, sorted, without the zero


def test_the_folder_of_a_generated_set_is_read(tmp_path: Path) -> None:
    made = learned_sparse(50, n_queries=4)
    write_sparse_set(tmp_path / "tiny", made)
    data = read_set(tmp_path / "tiny" / "base.csr", tmp_path / "tiny" / "queries.csr", n_queries=9, k=1)
    assert data.name == "tiny" and (data.docs != made.rows).nnz == 0
    assert (data.timed.queries != made.queries[1::2]).nnz == 0


# ---------------------------------------- data


TEXTS = WordNetTexts(
    ["dog, domestic dog: an animal that barks", "oak: a tree", "cat: an animal"],
    ["the dogs and the dog of animals", "an unknownword in a tree"],
    np.array([0, 1]),
)


def test_bm25_vectors_rank_documents_by_the_words_that_they_share() -> None:
    docs, queries = bm25(TEXTS)
    scores = (queries @ docs.T).toarray()
    assert scores[0].argmax() == 0 and scores[0, 2] > 0 == scores[0, 1]
    assert scores[1].argmax() == 1 and queries[[1]].nnz == 1
    assert queries[[0]].nnz == 2 and queries.data.max() < 2.5  # a word that is repeated weighs once


def test_a_set_is_written_with_its_exact_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.make_sparse_data.DEPTH", 2)
    vectors = bm25(TEXTS)
    write(tmp_path / "tiny", vectors, TEXTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"tiny-{p}.npz" for p in ("docs", "queries", "truth")]
    with np.load(tmp_path / "tiny-truth.npz") as truth:
        assert truth["neighbors"].tolist() == [[0, 2], [1, 0]]
        assert truth["relevant"].tolist() == [0, 1]
    assert (sparse.load_npz(tmp_path / "tiny-docs.npz") != vectors.docs).nnz == 0


# ---------------------------------------- the demo


def test_ndcg_falls_with_the_rank_of_the_one_relevant_document() -> None:
    ids = np.array([[7, 1, 2], [1, 7, 2], [1, 2, 3]])
    assert ndcg(ids, np.array([7, 7, 7])) == pytest.approx((1 + 1 / np.log2(3) + 0) / 3)


def test_fused_ways_ask_every_way_with_one_query() -> None:
    def hits(*ids: list[int]) -> Hits:
        n = len(ids)
        return Hits(np.array(ids), np.array([[-2.0, -1.0]] * n, np.float32), np.ones(n, np.int64), "ip")

    parts = [
        Way("a", lambda i, k: hits([[5, 6], [1, 2]][i]), hits([5, 6], [1, 2])),
        Way("b", lambda i, k: hits([[6, 7], [2, 3]][i]), hits([6, 7], [2, 3])),
    ]
    fused = fused_way("both", "rrf", parts)
    ids, _ = answers(fused, 2)
    assert ids[:, :3].tolist() == [[6, 5, 7], [2, 1, 3]]
    assert np.array_equal(ids, fused.truth.ids)
