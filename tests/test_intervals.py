"""Bootstrap intervals: against plain resampling, of means and of ratios."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vecrecall.intervals import as_level, bootstrap

RNG = np.random.default_rng(0)
FEW = RNG.integers(0, 11, 300) / 10.0  # as recall is: drawn by how often each value occurs
MANY = RNG.random(300)  # all different: drawn place by place


def slow(parts: np.ndarray, wholes: np.ndarray, level: float, n_resamples: int) -> tuple[float, float]:
    """Resample the queries, as Efron & Tibshirani describe it."""
    rng, ratios = np.random.default_rng(1), []
    for _ in range(n_resamples):
        drawn = rng.integers(0, len(parts), len(parts))
        ratios.append(parts[drawn].sum() / wholes[drawn].sum())
    return float(np.quantile(ratios, (1 - level) / 2)), float(np.quantile(ratios, (1 + level) / 2))


@pytest.mark.parametrize("parts", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_a_mean_lies_in_the_interval_that_plain_resampling_gives(parts: np.ndarray, level: float) -> None:
    low, high = bootstrap(parts, level, n_resamples=4000)
    assert low < parts.mean() < high
    np.testing.assert_allclose((low, high), slow(parts, np.ones(300), level, 4000), atol=0.003)


@pytest.mark.parametrize("parts", [FEW, MANY], ids=["few", "many"])
def test_parts_and_wholes_are_drawn_together(parts: np.ndarray) -> None:
    wholes = parts * 2
    assert bootstrap(parts, 0.9, wholes=wholes) == pytest.approx((0.5, 0.5))
    wholes = np.round(wholes + RNG.random(300))
    found = bootstrap(parts, 0.9, wholes=wholes, n_resamples=4000)
    np.testing.assert_allclose(found, slow(parts, wholes, 0.9, 4000), atol=0.004)


def test_a_seed_gives_the_same_interval_again_and_another_seed_another() -> None:
    for parts in (FEW, MANY):
        assert bootstrap(parts, 0.95) == bootstrap(parts, 0.95, seed=0) != bootstrap(parts, 0.95, seed=1)


def test_nothing_to_draw_from_has_no_interval() -> None:
    assert np.isnan(bootstrap(np.empty(0), 0.95)).all()
    assert np.isnan(bootstrap(np.zeros(4), 0.95, wholes=np.zeros(4))).all()


def test_equal_values_have_an_interval_of_no_width() -> None:
    equal = np.full(50, 0.594044558082667)
    assert bootstrap(equal, 0.95) == (equal.mean(), equal.mean())


def test_resamples_without_any_whole_are_passed_over() -> None:
    low, high = bootstrap(np.array([1.0, 0.0]), 0.9, wholes=np.array([2.0, 0.0]))
    assert (low, high) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("level", "error"), [(0, ValueError), (1, ValueError), (95, ValueError), ("0.95", TypeError), (None, TypeError)]
)
def test_a_level_that_is_none_is_refused(level: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"interval is {level!r}, expected a level between 0 and 1"):
        bootstrap(FEW, level, name="interval")
    assert as_level(0.9) == 0.9
