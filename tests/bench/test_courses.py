"""Peers of this process run over their settings, and what is made of that: scaling and layouts of sparse search."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import sparse

from bench import sparse_layouts
from bench.contract import Peer, Wanted
from bench.courses import Course, Point, front, never, sweep, time_each, time_in_turn, us_at, worth_timing
from bench.data import Data, sparse_set
from bench.judge import Judge
from bench.peers import PEERS, peer_class
from bench.peers.bm25s_ import one_weight_a_column
from bench.peers.seismic_ import write_seismic_format
from bench.sparse_forms import as_pairs, as_rows, as_tokens
from bench.sparse_scaling import EXACT, Size, exponent, series, show_table

K = 5


def csr(*rows: list[float]) -> sparse.csr_array:
    return sparse.csr_array(np.array(rows, np.float32))


@pytest.fixture(scope="module")
def data() -> Data:
    rng = np.random.default_rng(0)
    docs, queries = (rng.integers(1, 4, (n, 40)) * (rng.random((n, 40)) < 0.2) for n in (200, 20))
    return sparse_set("toy", sparse.csr_array(docs), sparse.csr_array(queries), 20, "")


class Heaviest(Peer):
    """Scores by the heaviest terms of a query only; a setting says how many."""

    package = module = "scipy"
    metrics, sparse = ("ip",), True

    def __init__(self, name: str, log: list[tuple[str, int]]) -> None:
        super().__init__(Wanted("ip", K))
        self.name, self.log, self.seen = name, log, []

    def build(self, X: sparse.csr_array) -> None:
        self.docs = X

    def set(self, n_terms: int) -> None:
        self.n_terms = n_terms

    def forms(self, Q: sparse.csr_array) -> list[Any]:
        self.seen.append(Q)
        return as_rows(Q)

    def ask_one(self, q: sparse.csr_array) -> Any:
        self.log.append((self.name, self.n_terms))
        heaviest = np.argsort(-q.data, kind="stable")[: self.n_terms]
        scores = self.docs[:, q.indices[heaviest]] @ q.data[heaviest]
        return np.argsort(-scores, kind="stable")[:K]

    def answers(self, raw: Any) -> Any:
        return raw, None


SETTINGS = [{"n_terms": n} for n in (1, 2, 40)]


def toy(data: Data, name: str = "toy", log: list[tuple[str, int]] | None = None) -> Heaviest:
    peer = Heaviest(name, [] if log is None else log)
    peer.build(data.X)
    return peer


def test_settings_chosen_on_one_half_are_measured_on_the_other(data: Data) -> None:
    peer = toy(data)
    points = sweep(data, K, {"toy": (peer, SETTINGS)}, n_rounds=2)["toy"]
    assert [(seen != data.half(which)[0]).nnz for seen, which in zip(peer.seen, ("choosing", "timed"))] == [0, 0]
    (best,) = (point for point in points if point.setting == {"n_terms": 40})
    assert best.recall == 1.0 and best.us > 0


def test_rounds_take_the_peers_in_turn_and_skip_low_recall(data: Data) -> None:
    log: list[tuple[str, int]] = []
    judge = Judge(data, "timed", K)
    courses = [Course(toy(data, name, log), SETTINGS, judge) for name in "ab"]
    for course in courses:
        course.measure_recall()
        assert course.recall[0] < course.recall[1] < course.recall[2] == 1.0
    log.clear()
    time_in_turn(courses, n_rounds=2, lowest=courses[0].recall[1])
    n = judge.Q.shape[0]
    assert log[::n] == [("a", 2), ("a", 40), ("b", 2), ("b", 40)] * 2
    assert [point.setting["n_terms"] for point in courses[0].points()] == [2, 40]


def test_a_peer_that_reaches_little_is_still_timed_at_its_best(data: Data) -> None:
    points = sweep(data, K, {"toy": (toy(data), SETTINGS[:1])}, n_rounds=1)["toy"]
    assert [point.setting for point in points] == SETTINGS[:1]


def test_time_at_a_recall_is_interpolated_on_the_front() -> None:
    points = [Point(0.90, 100.0, {"n": 1}), Point(0.94, 400.0, {"n": 2}), Point(0.93, 900.0, {"n": 3})]
    assert us_at(points, 0.92) == pytest.approx(200.0)  # halfway in recall, the geometric mean in time
    assert us_at(points, 0.80) == pytest.approx(100.0)
    assert math.isnan(us_at(points, 0.95))
    assert [point.setting["n"] for point in front(points)] == [1, 2]


def test_only_the_front_above_and_one_point_below_are_timed() -> None:
    points = [Point(r, us, {}) for r, us in ((0.5, 1.0), (0.8, 2.0), (0.92, 3.0), (0.91, 9.0), (0.99, 8.0))]
    assert [point.recall for point in worth_timing(points, lowest=0.90)] == [0.8, 0.92, 0.99]
    assert [point.recall for point in worth_timing(points[:2], lowest=0.90)] == [0.8]


def test_the_smallest_time_of_a_query_is_kept() -> None:
    asked: list[str] = []
    best = never(2)
    time_each(asked.append, ["a", "b"], best)
    assert asked == ["a", "b"] and (best < 10**9).all()
    kept = np.zeros(2, np.int64)
    time_each(asked.append, ["a", "b"], kept)
    assert (kept == 0).all()


# ---------------------------------------- scaling and layouts


POINTS = {
    "vecrecall": [Point(0.95, 10.0, {}), Point(0.99, 20.0, {})],
    EXACT: [Point(1.0, 40.0, {})],
    "Seismic {}": [Point(0.95, 80.0, {}), Point(0.99, 100.0, {})],
    "Seismic {'share': 0.65}": [Point(0.95, 50.0, {}), Point(0.97, 95.0, {})],
}


def test_a_power_law_has_its_exponent() -> None:
    sizes = [100, 1_000, 10_000]
    assert exponent(sizes, [3 * n**0.6 for n in sizes]) == pytest.approx(0.6)
    assert exponent(sizes, [1.0, math.nan, 100.0]) == pytest.approx(1.0)
    assert math.isnan(exponent(sizes, [1.0, math.nan, math.nan]))


def test_sizes_are_shown_with_and_without_seismic(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("bench.sparse_scaling.console", Console(file=screen, width=160))
    small = Size(1_000, series(POINTS), 10**6, {"vecrecall": 2.0, "Seismic": 20.0})
    alone = {name: points for name, points in POINTS.items() if not name.startswith("Seismic")}
    large = Size(10_000, series(alone), 10**7, {"vecrecall": 20.0})
    assert small.us["Seismic 0.95"] == pytest.approx(50.0) and small.us["Seismic 0.99"] == pytest.approx(100.0)
    show_table([small, large])
    assert "10,000" in screen.getvalue() and "exponent" in screen.getvalue()


def test_layouts_are_measured_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_layouts, "LEVEL", 0.5)  # so few queries may miss more than real ones
    us = sparse_layouts.measured(600, 5, n_queries=8, n_rounds=1)
    assert set(us) == {"impact", "blocked", "impact exact", "blocked exact"}
    assert all(0 < time < math.inf for time in us.values())
    assert sparse_layouts.chosen(100_000, 10) == "impact" and sparse_layouts.chosen(1_000_000, 10) == "blocked"


# ---------------------------------------- forms that peers take


def test_queries_take_every_form() -> None:
    queries = csr([0, 2, 0, 1], [5, 0, 0, 0])
    assert [row.toarray().tolist() for row in as_rows(queries)] == [[[0, 2, 0, 1]], [[5, 0, 0, 0]]]
    assert [(c.tolist(), w.tolist()) for c, w in as_pairs(queries)] == [([1, 3], [2, 1]), ([0], [5])]
    assert as_tokens(queries) == [{"1": 2.0, "3": 1.0}, {"0": 5.0}]


@pytest.mark.parametrize("block", [2, 100])
def test_seismics_file_holds_every_row(tmp_path: Any, block: int) -> None:
    docs = csr([0, 2, 0, 1], [0, 0, 0, 0], [5, 0, 0, 0], [0, 0, 7, 8], [0, 9, 0, 0])
    write_seismic_format(docs, tmp_path / "docs.bin", block)
    words = np.fromfile(tmp_path / "docs.bin", np.uint32)
    rows, at = [], 1
    for _ in range(words[0]):
        n = int(words[at])
        columns, weights = words[at + 1 : at + 1 + n], words[at + 1 + n : at + 1 + 2 * n].view(np.float32)
        rows.append(dict(zip(columns.tolist(), weights.tolist())))
        at += 1 + 2 * n
    assert at == len(words)
    assert rows == [{1: 2.0, 3: 1.0}, {}, {0: 5.0}, {2: 7.0, 3: 8.0}, {1: 9.0}]


def test_terms_need_one_weight_in_all_queries_to_be_added_up() -> None:
    assert one_weight_a_column(csr([0, 2, 3], [0, 2, 0])).tolist() == [1, 2, 3]
    with pytest.raises(Exception, match="weighs differently"):
        one_weight_a_column(csr([0, 2], [0, 3]))


# ---------------------------------------- the peers of the repository


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_can_be_named_without_its_library(name: str) -> None:
    kind = peer_class(name)
    assert issubclass(kind, Peer) and kind.package and kind.module


def test_an_unknown_peer_is_refused() -> None:
    with pytest.raises(ValueError, match="no peer 'hnsw'; there are"):
        peer_class("hnsw")
    for name in ("bench.pin:Nobody", "bench.pin:pin_core", "bench.pin:os"):
        with pytest.raises(ValueError, match="that is a bench.contract.Peer"):
            peer_class(name)


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_numpy_is_exact_in_both_modes(metric: str) -> None:
    rng = np.random.default_rng(1)
    X, Q = rng.standard_normal((300, 8), np.float32), rng.standard_normal((7, 8), np.float32)
    if metric == "cosine":
        X, Q = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (X, Q))
    keys = ((X - Q[:, None]) ** 2).sum(2) if metric == "l2" else -Q @ X.T
    judge = Judge(Data("x", X, Q, metric, np.argsort(keys, axis=1)), "all", K)
    peer = peer_class("numpy exact")(Wanted(metric, K))
    peer.build(X)
    ids, distances = peer.answers(peer.ask_batch(peer.batch_form(Q)))
    single = [peer.answers(peer.ask_one(form)) for form in peer.forms(Q)]
    for found in (ids, np.array([row for row, _ in single])):
        assert judge.verdict(found, None).recall.mean() == 1.0
    assert str(judge.verdict(ids, distances).faults) == ""


def test_scipy_is_exact(data: Data) -> None:
    peer = peer_class("scipy exact")(Wanted("ip", K))
    peer.build(data.X)
    judge = Judge(data, "timed", K)
    for i, form in enumerate(peer.forms(judge.Q)):
        ids, distances = peer.answers(peer.ask_one(form))
        assert len(ids) == len(distances) <= K
        exact = -(data.X[ids] @ judge.Q[[i]].T).toarray().ravel()
        assert distances == pytest.approx(exact)
    course = Course(peer, [{}], judge)
    course.measure_recall()
    assert course.recall == {0: 1.0}
