"""Where a graph takes a number of evaluations, and which numbers are looked at."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.analysis.studying.equal_evals import chosen_levels, weights_at


@pytest.mark.parametrize("level", [50.0, 50.1, 74.9, 120.0, 299.0, 300.0])
def test_weights_interpolate_as_numpy_does(level: float) -> None:
    evals, values = np.array([50.0, 75.0, 120.0, 300.0]), np.array([0.5, 0.8, 0.7, 0.9])
    weights = weights_at(evals, level)
    assert weights is not None and weights.sum() == pytest.approx(1) and (weights >= 0).all()
    assert weights @ evals == pytest.approx(level)
    assert weights @ values == pytest.approx(np.interp(level, evals, values))


@pytest.mark.parametrize("level", [49.9, 300.1, 0.0])
def test_nothing_is_extrapolated(level: float) -> None:
    assert weights_at(np.array([50.0, 75.0, 300.0]), level) is None


@pytest.mark.parametrize("evals", [[np.nan, np.nan], [50.0], [80.0, 80.0], []])
def test_ladders_that_enclose_nothing_have_no_weights(evals: list[float]) -> None:
    assert weights_at(np.array(evals), 60.0) is None


def test_a_ladder_that_turns_back_is_read_at_its_first_crossing() -> None:
    weights = weights_at(np.array([10.0, 30.0, 20.0, 40.0]), 25.0)
    assert weights is not None and weights.tolist() == [0.25, 0.75, 0, 0]


def test_levels_are_what_random_order_takes_and_lie_within_every_ladder() -> None:
    random = [np.array([100.0, 210.0, 830.0, 1500.0]), np.array([104.0, 214.0, 834.0, 1500.0])]
    longer, shorter = np.array([131.0, 290.0, 1000.0, 1900.0]), np.array([80.0, 150.0, 560.0, 1120.0])
    levels = chosen_levels(random, [0, 1, 3], [*random, longer, shorter])
    assert levels == (140.0, 170.0, 210.0, 490.0, 1100.0)
    assert all(weights_at(evals, level) is not None for evals in (*random, longer, shorter) for level in levels)


def test_ladders_without_a_common_number_have_no_levels() -> None:
    assert chosen_levels([np.array([10.0, 20.0])], [0, 1], [np.array([10.0, 20.0]), np.array([30.0, 40.0])]) == ()
