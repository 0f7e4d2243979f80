"""Fronts of recall and speed, and what is read off them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.results import Built, DataFacts, Results, pareto_front, qps_at
from bench.summing import together


def test_the_front_drops_what_is_beaten_in_both() -> None:
    points = [(0.9, 100.0), (0.95, 50.0), (0.92, 40.0), (0.99, 10.0)]
    assert pareto_front(points) == [(0.9, 100.0), (0.95, 50.0), (0.99, 10.0)]


def test_speed_at_a_recall_is_log_linear_between_points() -> None:
    points = [(0.90, 100.0), (0.94, 25.0)]
    assert qps_at(points, 0.92) == pytest.approx(50.0)
    assert qps_at(points, 0.80) == 100.0
    assert np.isnan(qps_at(points, 0.95))


MACHINE = {"processor": "x", "vecrecall's sources": "1"}


def of(data: str, **changes: Any) -> Results:
    facts = DataFacts(data, n=9, dim=2, metric="l2", k=5, n_choosing=4, n_timed=4)
    built = Built(data=data, peer="hnswlib", build={})
    return replace(Results("full", (facts,), (built,), MACHINE, f"run {data}", finished=True), **changes)


def test_records_of_several_sets_make_one_report() -> None:
    both = together([of("a"), of("b", finished=False)])
    assert [facts.name for facts in both.data] == [built.data for built in both.built] == ["a", "b"]
    assert (both.task, both.command, both.finished) == ("full", "run a; run b", False)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (of("a"), "a is in two records"),
        (of("b", machine={**MACHINE, "processor": "y"}), "the records differ in processor \\('x' and 'y'\\)"),
        (of("b", machine={"processor": "x"}), "the records differ in vecrecall's sources"),
        (of("b", machine={**MACHINE, "more": "1"}), "the records differ in what is said of the machine"),
    ],
)
def test_records_that_cannot_stand_side_by_side_are_refused(other: Results, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        together([of("a"), other])
