"""Intervals of recall and of differences allow for other queries, and for other graphs where these differ."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.analysis.resampling import Resamples
from vecrecall.analysis.studying.contrasts import Contrast, Estimate, between_graphs, estimates

rng = np.random.default_rng(0)


def recalls(n_graphs: int, n_queries: int, graph_sd: float, centre: float, query: np.ndarray) -> np.ndarray:
    """Each query has a mean of its own, each graph too, and each pair its luck."""
    graph = rng.normal(0, graph_sd, (n_graphs, 1))
    return np.clip(centre + query + graph + rng.normal(0, 0.1, (n_graphs, n_queries)), 0, 1)


@pytest.mark.parametrize("graph_sd", [0.0, 0.01, 0.05])
def test_a_difference_is_covered_as_often_as_the_level_says(graph_sd: float) -> None:
    contrasts: list[Contrast | None] = []
    for _ in range(400):
        query = rng.normal(0, 0.1, 80)
        own, random = (recalls(3, 80, graph_sd, centre, query) for centre in (0.52, 0.5))
        contrasts.append(Contrast((own,), (random,)))
    found = estimates(contrasts, 0.9, 0)
    assert np.mean([each.low <= 0.02 <= each.high for each in found]) > 0.88
    if graph_sd == 0.05:  # what resampling the queries alone would make of it
        columns = np.stack([each.by_query for each in contrasts if each is not None], axis=1)
        low, high = Resamples(80).intervals(columns, 0.9, lowest=-1.0)
        assert np.mean((low <= 0.02) & (high >= 0.02)) < 0.7


def test_graphs_that_differ_by_the_luck_of_queries_only_hardly_widen_an_interval() -> None:
    widths = []
    for _ in range(100):
        contrast = Contrast((recalls(3, 200, 0.0, 0.5, rng.normal(0, 0.1, 200)),))
        low, high = Resamples(200).intervals(contrast.by_query[:, None], 0.95)
        (found,) = estimates([contrast], 0.95, 0)
        widths.append((found.high - found.low) / (high[0] - low[0]))
    assert np.min(widths) >= 1 - 1e-9 and np.median(widths) < 1.05


def test_one_graph_is_judged_by_its_queries_alone() -> None:
    values = rng.random((1, 50))
    low, high = Resamples(50).intervals(values.T, 0.95)
    assert estimates([Contrast((values,))], 0.95, 0) == [Estimate(values.mean(), low[0], high[0])]


def test_graphs_that_shift_all_queries_alike_are_told_from_luck() -> None:
    query = rng.random(30)
    assert between_graphs(np.stack([query, query + 0.1, query + 0.2])) == pytest.approx(0.01 / 3)
    assert between_graphs(np.stack([query, query[::-1]])) == 0.0
    assert between_graphs(rng.random((3, 1))) == 0.0


@pytest.mark.parametrize(("plus", "minus", "bounds"), [(1, 0, (0, 1)), (1, 1, (-1, 1)), (2, 2, (-2, 2))])
def test_an_interval_stays_within_what_can_be(plus: int, minus: int, bounds: tuple[float, float]) -> None:
    ones, zeros = (tuple(np.full((2, 3), value) for _ in range(n)) for value, n in ((1.0, plus), (0.0, minus)))
    contrast = Contrast(ones, zeros)
    (found,) = estimates([contrast], 0.95, 0)
    assert contrast.bounds == bounds and found.mean == found.high == bounds[1] and found.low >= bounds[0]
    apart = Contrast((np.array([[0.0] * 9, [1.0] * 9]),) * plus, (np.array([[1.0] * 9, [0.0] * 9]),) * minus)
    (wide,) = estimates([apart], 0.95, 0)
    assert bounds[0] <= wide.low < wide.mean < wide.high <= bounds[1] and wide.high - wide.low > 0.9


def test_what_there_is_not_has_no_estimate() -> None:
    nothing, something = estimates([None, Contrast((np.ones((1, 4)),))], 0.95, 0)
    assert np.isnan([nothing.mean, nothing.low, nothing.high]).all() and something.mean == 1.0
