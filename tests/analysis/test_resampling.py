"""Joint resampling says of each column what the bootstrap of one says."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.analysis.resampling import Resamples
from vecrecall.intervals import bootstrap


@pytest.mark.parametrize("n_queries", [1, 7, 200])
def test_intervals_are_those_of_the_bootstrap(n_queries: int) -> None:
    rng = np.random.default_rng(n_queries)
    columns = np.stack([rng.integers(0, 11, n_queries) / 10, np.ones(n_queries), np.zeros(n_queries)], axis=1)
    lows, highs = Resamples(n_queries, n_resamples=20_000).intervals(columns, 0.9)
    for column, low, high in zip(columns.T, lows, highs, strict=True):
        assert (low, high) == pytest.approx(bootstrap(column, 0.9, n_resamples=20_000), abs=0.02)
        assert low <= column.mean() <= high


def test_a_difference_is_judged_as_a_share_stretched_to_its_range() -> None:
    differences = np.random.default_rng(0).integers(-3, 4, 150) / 10
    lows, highs = Resamples(150, n_resamples=20_000).intervals(differences[:, None], 0.95, lowest=-1.0)
    stretched = [2 * end - 1 for end in bootstrap((differences + 1) / 2, 0.95, n_resamples=20_000)]
    assert (lows[0], highs[0]) == pytest.approx(stretched, abs=0.004)


def test_no_difference_in_any_query_is_not_certain_to_be_none_in_all() -> None:
    lows, highs = Resamples(50).intervals(np.zeros((50, 1)), 0.95, lowest=-1.0)
    assert -0.2 < lows[0] < 0 < highs[0] < 0.2


def test_columns_share_their_resamples() -> None:
    column = np.random.default_rng(1).random(40)
    means = Resamples(40, n_resamples=300).means(np.stack([column, column + 0.001], axis=1))
    assert means.shape == (300, 2)
    assert np.allclose(means[:, 1] - means[:, 0], 0.001)
    assert means[:, 0].std() == pytest.approx(column.std() / np.sqrt(41), rel=0.15)


def test_the_pieces_that_weights_are_drawn_in_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.random.default_rng(2).random((30, 2))
    whole = Resamples(30, n_resamples=100).means(columns)
    monkeypatch.setattr("vecrecall.analysis.resampling._WEIGHTS", 30 * 7)
    assert np.allclose(Resamples(30, n_resamples=100).means(columns), whole, atol=1e-12)


def test_a_seed_decides_and_another_decides_otherwise() -> None:
    columns = np.random.default_rng(3).random((30, 1))
    first, again, other = (Resamples(30, seed=seed).intervals(columns, 0.95) for seed in (1, 1, 2))
    assert first == again and first != other
