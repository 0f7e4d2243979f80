"""What the demo measures is what it says."""

from __future__ import annotations

import numpy as np

from bench.demo_sparse import Way, answers, fused_way
from bench.demo_sweep import Sweep, time_in_turn
from vecrecall.hits import Hits


def test_rounds_take_the_engines_in_turn() -> None:
    asked: list[tuple[str, int]] = []

    def engine(name: str) -> Sweep:
        def search(Q: np.ndarray, ef: int) -> np.ndarray:
            asked.append((name, ef))
            return Q

        return Sweep(search, [1, 2])

    sweeps = {"a": engine("a"), "b": engine("b")}
    time_in_turn(sweeps.values(), np.zeros(1), n_rounds=2)
    assert asked == [("a", 1), ("a", 2), ("b", 1), ("b", 2)] * 2
    assert set(sweeps["a"].best_s) == {1, 2}


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
