"""The yardsticks of the benchmarks measure what they say."""

from __future__ import annotations

import numpy as np
import pytest

from bench.batches import Engine, family, queries_of, speed, tune
from bench.data import Data
from bench.make_data import DEPTH, equal_cap, exact_neighbours
from bench.results import pareto_front, qps_at
from bench.sweep import Sweep, time_in_turn
from bench.truth import Truth


@pytest.fixture
def truth() -> Truth:
    """Five points on a line, two of them in one place; the queries are at 0 and at 3."""
    X = np.array([[0.0], [1.0], [1.0], [2.0], [3.0]], np.float32)
    Q = np.array([[0.0], [3.0]], np.float32)
    return Truth(X, Q, np.array([[0, 1], [4, 3]]), "l2")


@pytest.mark.parametrize(
    ("ids", "recall"),
    [
        ([[0, 1], [4, 3]], 1.0),
        ([[1, 0], [3, 4]], 1.0),  # the order does not matter
        ([[0, 2], [4, 3]], 1.0),  # row 2 ties with row 1
        ([[0, 3], [4, 3]], 0.75),
        ([[0, 0], [4, 4]], 0.5),  # a repeated id counts once
        ([[0, -1], [-1, -1]], 0.25),
        ([[0, 99], [4, 3]], 0.75),
    ],
)
def test_recall_counts_by_distance(truth: Truth, ids: list[list[int]], recall: float) -> None:
    assert truth.recall(np.array(ids)) == recall


def test_inner_products_are_nearest_when_largest() -> None:
    X = np.array([[1.0], [2.0], [5.0]], np.float32)
    truth = Truth(X, np.array([[1.0]], np.float32), np.array([[2]]), "ip")
    assert truth.recall(np.array([[2]])) == 1.0
    assert truth.recall(np.array([[1]])) == 0.0


def test_the_front_drops_what_is_beaten_in_both() -> None:
    points = [(0.9, 100.0), (0.95, 50.0), (0.92, 40.0), (0.99, 10.0)]
    assert pareto_front(points) == [(0.9, 100.0), (0.95, 50.0), (0.99, 10.0)]


def test_speed_at_a_recall_is_log_linear_between_points() -> None:
    points = [(0.90, 100.0), (0.94, 25.0)]
    assert qps_at(points, 0.92) == pytest.approx(50.0)
    assert qps_at(points, 0.80) == 100.0
    assert np.isnan(qps_at(points, 0.95))


def test_a_sweep_ends_above_enough_and_keeps_its_band() -> None:
    sweep = Sweep(lambda Q, ef: np.full(len(Q), ef), [10, 20, 30, 40, 50])
    sweep.measure_recall(np.zeros(3), lambda ids: float(ids[0]) / 40, enough=0.9)
    assert sweep.recall == {10: 0.25, 20: 0.5, 30: 0.75, 40: 1.0}
    sweep.keep_band(low=0.7, below=0.7)
    assert sweep.parameters == [20, 30, 40]


def test_rounds_take_the_engines_in_turn() -> None:
    asked: list[tuple[str, int]] = []

    def engine(name: str) -> Sweep:
        def search(Q: np.ndarray, ef: int) -> np.ndarray:
            asked.append((name, ef))
            return Q

        return Sweep(search, [1, 2])

    sweeps = {"a": engine("a"), "b": engine("b")}
    assert time_in_turn(sweeps, np.zeros(1), n_rounds=2) == 2
    assert asked == [("a", 1), ("a", 2), ("b", 1), ("b", 2)] * 2
    assert set(sweeps["a"].best_s) == {1, 2}


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_exact_neighbours_equal_a_full_sort(metric: str) -> None:
    rng = np.random.default_rng(0)
    train = rng.integers(0, 4, (600, 3)).astype(np.uint8) + np.uint8(1)  # many ties
    test = rng.integers(0, 4, (7, 3)).astype(np.uint8) + np.uint8(1)
    ids, distances = exact_neighbours(train, test, metric)
    x, q = train.astype(float), test.astype(float)
    if metric == "cosine":
        x, q = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, q))
    squared = ((x - q[:, None]) ** 2).sum(axis=2)
    expected = np.sort(squared, axis=1)[:, :DEPTH]
    assert distances == pytest.approx(np.sqrt(expected) if metric == "l2" else expected / 2, abs=1e-6)
    assert np.take_along_axis(squared, ids, axis=1) == pytest.approx(expected)
    assert all(len(set(row)) == DEPTH for row in ids)


def test_an_equal_cap_is_the_least_that_suffices() -> None:
    assert equal_cap(np.array([2, 10, 10]), 12) == 5
    assert equal_cap(np.array([2, 10, 10]), 13) == 6


def line(n: int = 50) -> Data:
    """Points on a line; the queries are the first ten."""
    X = np.arange(n, dtype=np.float32)[:, None]
    neighbours = np.argsort(np.abs(X[:10] - X.T), axis=1, kind="stable")[:, :10]
    return Data("line", X, X[:10].copy(), "l2", neighbours)


class Partly:
    """Finds so many of the ten nearest, and one row that is wrong in place of the others."""

    ours = False

    def __init__(self, data: Data, worst: int) -> None:
        self.X, self.worst, self.sizes = data.X, worst, []

    def set(self, n_right: int) -> None:
        self.n_right = n_right

    def forms(self, Q: np.ndarray) -> list[np.ndarray]:
        return list(Q)

    def batch_form(self, Q: np.ndarray) -> np.ndarray:
        return Q

    def ask_batch(self, Q: np.ndarray) -> np.ndarray:
        self.sizes.append(len(Q))
        ids = np.argsort(np.abs(Q - self.X.T), axis=1, kind="stable")[:, :10]
        ids[:, self.n_right :] = self.worst
        return ids

    def ask_one(self, q: np.ndarray) -> np.ndarray:
        return self.ask_batch(q[None])

    def answers(self, raw: np.ndarray) -> tuple[np.ndarray, None]:
        return raw, None


def test_the_settings_that_are_timed_reach_the_recall_and_variants_are_one_peer() -> None:
    data = line()

    def engine(worst: int) -> Engine:
        return Engine(Partly(data, worst), [{"n_right": n} for n in (5, 9, 10)])

    chosen = tune(data, {"faiss-ivf256-4": engine(49), "faiss-ivf512-2": engine(48), "ours": engine(49)})
    assert family("faiss-ivf512-2") == "faiss IVF-PQ" and family("ours") == "vecrecall HNSW"
    assert {name for name, _ in chosen["faiss IVF-PQ", 0.90]} <= {"faiss-ivf256-4", "faiss-ivf512-2"}
    assert sorted(p["n_right"] for _, p in chosen["vecrecall HNSW", 0.90]) == [9, 10]
    assert [p["n_right"] for _, p in chosen["vecrecall HNSW", 0.99]] == [10]


def test_calls_of_more_queries_than_there_are_repeat_them_nearly() -> None:
    data = line()
    timed = data.half("timed")[0]
    assert np.array_equal(queries_of(data, 5), timed)  # settings were chosen on the others
    many = queries_of(data, 25)
    assert len(many) == 25 and np.array_equal(many[:5], timed)
    assert 0 < np.abs(many[5:10] - timed).max() < 0.1


def test_all_queries_are_asked_in_calls_of_the_size() -> None:
    peer = Partly(line(), 49)
    assert speed(Engine(peer, []), {"n_right": 10}, np.zeros((10, 1), np.float32), 4) > 0
    assert peer.sizes == [4, 4]
