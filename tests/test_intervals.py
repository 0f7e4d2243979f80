"""Intervals of the bootstrap: against a loop by the words of the docstring, and by how often they hold the mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vecrecall.intervals import as_level, bootstrap

RNG = np.random.default_rng(0)
FEW = RNG.integers(0, 11, 300) / 10.0  # as recall is: weights are drawn by how often each value occurs
MANY = RNG.random(300)  # all different


def slow(parts: np.ndarray, wholes: np.ndarray, level: float, n_resamples: int) -> tuple[float, float]:
    """Weigh the queries and the one that is added, as the docstring describes it."""
    rng, lows, highs = np.random.default_rng(1), [], []
    whole = wholes[wholes > 0].mean()
    for _ in range(n_resamples):
        weights, added = rng.exponential(size=len(parts)), rng.exponential() * whole
        part, total = (weights * parts).sum(), (weights * wholes).sum()
        lows.append(min(part / total, part / (total + added)))
        highs.append(max(part / total, (part + added) / (total + added)))
    return float(np.quantile(lows, (1 - level) / 2)), float(np.quantile(highs, (1 + level) / 2))


@pytest.mark.parametrize("parts", [FEW, MANY, FEW[:7]], ids=["few", "many", "seven"])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_a_mean_lies_in_the_interval_that_the_loop_gives(parts: np.ndarray, level: float) -> None:
    low, high = bootstrap(parts, level, n_resamples=4000)
    assert low < parts.mean() < high
    expected = slow(parts, np.ones(len(parts)), level, 4000)
    np.testing.assert_allclose((low, high), expected, atol=0.1 * (high - low))


@pytest.mark.parametrize("parts", [FEW, MANY], ids=["few", "many"])
def test_parts_and_wholes_are_weighed_together(parts: np.ndarray) -> None:
    low, high = bootstrap(parts, 0.9, wholes=parts * 2)
    assert 0.49 < low < 0.5 < high < 0.51
    wholes = np.round(parts * 2 + RNG.random(300))
    low, high = bootstrap(parts - 0.2, 0.9, wholes=wholes, n_resamples=4000)
    np.testing.assert_allclose((low, high), slow(parts - 0.2, wholes, 0.9, 4000), atol=0.1 * (high - low))


@pytest.mark.parametrize("kinds", [11, None], ids=["few", "many"])
def test_of_many_queries_the_interval_is_that_of_plain_resampling(kinds: int | None) -> None:
    rng = np.random.default_rng(2)
    parts = rng.random(5_000) if kinds is None else rng.integers(0, kinds, 5_000) / (kinds - 1)
    drawn = [parts[rng.integers(0, 5_000, 5_000)].mean() for _ in range(2_000)]
    low, high = bootstrap(parts, 0.95)
    np.testing.assert_allclose((low, high), np.quantile(drawn, [0.025, 0.975]), atol=0.1 * (high - low))


def test_a_seed_gives_the_same_interval_again_and_another_seed_another() -> None:
    for parts in (FEW, MANY):
        assert bootstrap(parts, 0.95) == bootstrap(parts, 0.95, seed=0) != bootstrap(parts, 0.95, seed=1)


def test_blocks_of_resamples_change_nothing_but_the_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap(MANY, 0.95)
    for n_weights in (700, 1):  # for 300 different values: two resamples at a time, of which one is left over; and one
        monkeypatch.setattr("vecrecall.intervals._WEIGHTS", n_weights)
        np.testing.assert_allclose(bootstrap(MANY, 0.95, n_resamples=2001), whole, atol=0.01)


def test_nothing_to_draw_from_has_no_interval() -> None:
    assert np.isnan(bootstrap(np.empty(0), 0.95)).all()
    assert np.isnan(bootstrap(np.zeros(4), 0.95, wholes=np.zeros(4))).all()


@pytest.mark.parametrize("n", [1, 2, 10, 30, 200])
def test_where_all_found_all_the_low_end_is_that_of_a_share(n: int) -> None:
    expected = 0.025 ** (1 / n)  # Clopper and Pearson
    low, high = bootstrap(np.ones(n), 0.95, n_resamples=20_000)
    assert high == 1 and low == pytest.approx(expected, abs=0.06 * (1 - expected))
    low, high = bootstrap(np.zeros(n), 0.95, n_resamples=20_000)
    assert low == 0 and 1 - high == pytest.approx(expected, abs=0.06 * (1 - expected))


def test_worse_answers_never_have_a_higher_low_end() -> None:
    lows = [bootstrap(np.array([1.0] * 20 + [last]), 0.95, n_resamples=20_000)[0] for last in (1.0, 0.9, 0.5, 0.0)]
    assert lows == sorted(lows, reverse=True) and lows[-1] < lows[0] - 0.05


SHARES: dict[str, tuple[float, Callable[[np.random.Generator, int], np.ndarray]]] = {  # means, and how to draw
    "neighbours missed by chance": (0.95, lambda rng, n: rng.binomial(10, 0.95, n) / 10),
    "some queries find nothing": (0.95, lambda rng, n: (rng.random(n) < 0.95).astype(float)),
    "one in a hundred finds nothing": (0.99, lambda rng, n: (rng.random(n) < 0.99).astype(float)),
    "all kinds": (0.5, lambda rng, n: rng.random(n)),
}


@pytest.mark.parametrize("n", [1, 5, 10, 20])
@pytest.mark.parametrize("shares", SHARES)
def test_intervals_of_few_queries_hold_the_mean_as_often_as_they_say(shares: str, n: int) -> None:
    mean, drawn = SHARES[shares]
    rng = np.random.default_rng(3)
    intervals = [bootstrap(drawn(rng, n), 0.95, n_resamples=500) for _ in range(300)]
    assert sum(low <= mean <= high for low, high in intervals) >= 0.93 * 300  # plain resampling: 0 to 0.95 of them


def test_queries_without_any_whole_say_nothing() -> None:
    wholes = np.array([2.0, 0.0, 0.0, 0.0])
    low, high = bootstrap(np.array([1.0, 0.0, 0.0, 0.0]), 0.9, wholes=wholes, n_resamples=20_000)
    assert low == pytest.approx(0.5 * 0.05, abs=0.01) and high == pytest.approx(1 - 0.5 * 0.05, abs=0.01)


def test_a_ratio_below_none_has_no_end_at_none() -> None:
    low, high = bootstrap(np.full(20, -0.1), 0.95, wholes=np.ones(20))  # better than the whole
    assert low == pytest.approx(-0.1) and -0.1 < high < 0.2


@pytest.mark.parametrize(
    ("level", "error"), [(0, ValueError), (1, ValueError), (95, ValueError), ("0.95", TypeError), (None, TypeError)]
)
def test_a_level_that_is_none_is_refused(level: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"interval is {level!r}, expected a level between 0 and 1"):
        bootstrap(FEW, level, name="interval")
    assert as_level(0.9) == 0.9
