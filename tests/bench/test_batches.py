"""Batches of any size: tuned on one half of the queries, timed on the other."""

from __future__ import annotations

import numpy as np

from bench.batches import Engine, family, queries_of, speed, tune
from bench.data import Data


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
