"""Curves: which settings stay on the front, which one a target picks, and that files cannot hold nonsense."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecrecall.curve import Curve, off_the_data, warn_of_missed_target
from vecrecall.errors import IndexFileError

NAMES = ("nprobe", "rerank")
POINTS = [  # k, recall, cost, nprobe, rerank
    (10, 0.60, 1.0, 1, 10),
    (10, 0.90, 4.0, 4, 20),
    (10, 0.80, 2.0, 2, 10),
    (10, 0.99, 9.0, 16, 40),
    (100, 0.50, 3.0, 2, 100),
    (100, 0.95, 30.0, 64, 400),
]
shares, costs = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.integers(1, 6).map(float)
DRAWN = st.lists(st.tuples(st.sampled_from([1.0, 10.0]), shares, costs, st.integers(1, 9)), min_size=1, max_size=30)


def curve() -> Curve:
    return Curve.of_points(NAMES, list(POINTS), 1000)


@given(DRAWN)
def test_the_front_is_what_no_other_point_is_both_cheaper_and_better_than(points: list[tuple[float, ...]]) -> None:
    front = [tuple(row) for row in Curve.of_points(("ef",), points, 5).table]
    for k, recall, cost, *_ in points:  # one of the front is at least as good and as cheap
        assert any(own[0] == k and own[1] >= recall and own[2] <= cost for own in front)
    for k, recall, cost, *_ in front:
        assert not any(p[0] == k and (p[1:3] != (recall, cost)) and p[1] >= recall and p[2] <= cost for p in points)
    assert set(front) <= set(points) and front == sorted(front, key=lambda row: (row[0], row[2]))
    assert len({row[:2] for row in front}) == len({(row[0], row[2]) for row in front}) == len(front)


def test_a_curve_knows_its_settings_and_when_it_was_measured() -> None:
    own = curve()
    assert (own.names, own.n, own.table.shape, own.table.dtype) == (NAMES, 1000, (6, 5), np.float64)
    np.testing.assert_array_equal(own.table[:, 2], [1, 2, 4, 9, 3, 30])
    assert Curve.of_points(NAMES, [], 3).table.shape == (0, 5)


@pytest.mark.parametrize(
    ("k", "target", "picked", "recall"),
    [
        (10, 0.5, (1, 10), 0.6),  # the cheapest
        (10, 0.8, (2, 10), 0.8),  # just reached
        (10, 0.81, (4, 20), 0.9),
        (10, 0.999, (16, 40), 0.99),  # not reached: the best
        (100, 0.5, (2, 100), 0.5),
        (100, 0.6, (64, 400), 0.95),
        (1, 0.9, (4, 20), 0.9),  # below the least k that was measured its settings
        (9, 0.9, (4, 20), 0.9),
        (200, 0.5, (4, 200), 0.5),  # beyond the greatest they grow with k
        (150, 0.5, (3, 150), 0.5),
        (1000, 0.9, (640, 4000), 0.95),
        (101, 0.5, (3, 101), 0.5),  # rounded up
    ],
)
def test_the_cheapest_that_reaches_a_target_is_picked_or_else_the_best(
    k: int, target: float, picked: tuple[int, int], recall: float
) -> None:
    settings, had = curve().pick(k, target)
    assert (tuple(settings), tuple(settings.values()), had) == (NAMES, picked, recall)
    assert all(type(value) is int for value in settings.values())


def test_between_two_measured_k_settings_are_interpolated_and_the_lesser_recall_counts() -> None:
    own = curve()
    settings, recall = own.pick(32, 0.85)  # half-way on logarithms, nearly
    share = np.log(3.2) / np.log(10)
    expected = np.ceil([4 ** (1 - share) * 64**share, 20 ** (1 - share) * 400**share])
    assert (settings["nprobe"], settings["rerank"], recall) == (*expected, 0.9)
    assert own.pick(32, 0.96)[1] == 0.95 and own.pick(32, 0.5)[1] == 0.5
    for target in (0.5, 0.9, 1.0):  # steady at what was measured, and never fewer for more
        every = [tuple(own.pick(k, target)[0].values()) for k in range(10, 130)]
        assert all(a <= c and b <= d for (a, b), (c, d) in zip(every, every[1:]))


def test_a_curve_of_one_k_serves_every_k() -> None:
    own = Curve.of_points(("ef",), [(10, 0.9, 1.0, 30)], 50)
    assert [own.pick(k, 0.99) for k in (1, 10, 40)] == [({"ef": ef}, 0.9) for ef in (30, 30, 120)]


def test_a_curve_comes_back_from_what_a_file_holds() -> None:
    own = curve()
    again = Curve.restored(NAMES, own.table.copy(), own.n)
    assert again.pick(10, 0.9) == own.pick(10, 0.9) and (again.names, again.n) == (NAMES, 1000)


@pytest.mark.parametrize("setting", [0.0, -3.0, 0.5, 2.0**40, np.nan, np.inf])
def test_settings_that_no_search_has_are_refused(setting: float) -> None:
    for column in (3, 4):
        table = curve().table
        table[1, column] = setting
        with pytest.raises(IndexFileError, match="curve"):
            Curve.restored(NAMES, table, 1000)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_numbers_that_are_not_finite_are_refused(column: int) -> None:
    for value in (np.nan, np.inf, -np.inf):
        table = curve().table
        table[-1, column] = value
        with pytest.raises(IndexFileError, match="curve"):
            Curve.restored(NAMES, table, 1000)


@pytest.mark.parametrize(
    "table",
    [
        None,
        [[10, 0.9, 1.0, 4, 20]],
        np.zeros((0, 5)),
        np.ones((2, 4)),
        np.ones((2, 6)),
        np.ones(5),
        np.ones((1, 2, 5)),
        np.ones((2, 5), np.float32),
        np.ones((2, 5), np.int64),
    ],
)
def test_what_is_no_table_of_settings_is_refused(table: object) -> None:
    with pytest.raises(IndexFileError, match="curve"):
        Curve.restored(NAMES, table, 1000)


@pytest.mark.parametrize("n", [None, 1000.0, "1000", True, np.int64(1000)])
def test_a_number_of_vectors_that_is_none_is_refused(n: object) -> None:
    with pytest.raises(IndexFileError, match="curve"):
        Curve.restored(NAMES, curve().table, n)


def test_rows_are_moved_straight_away_from_a_neighbour() -> None:
    rng = np.random.default_rng(0)
    rows, neighbours = rng.normal(size=(2, 20, 8)).astype(np.float32)
    before = rows.copy()
    moved = off_the_data(rows, neighbours)
    away = rows - neighbours
    share = ((moved - rows) * away).sum(1) / (away**2).sum(1)
    assert share.min() > 0 and np.ptp(share) < 1e-5  # by the same part of its distance
    np.testing.assert_allclose(moved, rows + share[0] * away, rtol=1e-4, atol=1e-5)
    assert moved.dtype == np.float32 and (rows == before).all()
    np.testing.assert_array_equal(off_the_data(rows, rows), rows)


def test_a_missed_target_is_told_and_a_reached_one_is_not() -> None:
    with pytest.warns(UserWarning, match=r"target_recall=0\.95 was not reached by any ef .* had 0\.900"):
        warn_of_missed_target(0.95, 0.9, "ef")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_missed_target(0.9, 0.9, "ef")
