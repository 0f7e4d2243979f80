"""Fronts of recall and speed, and what is read off them."""

from __future__ import annotations

import numpy as np
import pytest

from bench.results import pareto_front, qps_at


def test_the_front_drops_what_is_beaten_in_both() -> None:
    points = [(0.9, 100.0), (0.95, 50.0), (0.92, 40.0), (0.99, 10.0)]
    assert pareto_front(points) == [(0.9, 100.0), (0.95, 50.0), (0.99, 10.0)]


def test_speed_at_a_recall_is_log_linear_between_points() -> None:
    points = [(0.90, 100.0), (0.94, 25.0)]
    assert qps_at(points, 0.92) == pytest.approx(50.0)
    assert qps_at(points, 0.80) == 100.0
    assert np.isnan(qps_at(points, 0.95))
