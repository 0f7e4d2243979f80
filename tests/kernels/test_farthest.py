"""Farthest-first kernels against numpy, and equal rows that stay equal."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.kernels.farthest import approach, project


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_rows_come_nearer_and_the_first_of_the_farthest_is_named(dtype) -> None:
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 4, (3, 5, 8)).astype(dtype)
    point, before = rng.integers(0, 4, 5).astype(np.float64), rng.integers(0, 40, (3, 8)).astype(np.float64)
    before[2, 6:] = -1.0
    squares, farthest = before.copy(), np.full(3, -7)
    approach(tiles, 1, 3, point, np.empty(8), squares, farthest)

    expected = before.copy()
    expected[1:] = np.minimum(before[1:], ((tiles[1:] - point[:, None]) ** 2).sum(1))
    np.testing.assert_array_equal(squares, expected)
    assert farthest.tolist() == [-7, *expected[1:].argmax(1).tolist()]


@pytest.mark.parametrize(("m", "d", "p"), [(1, 1, 1), (6, 17, 5), (40, 33, 16)])
def test_a_projection_is_a_matrix_product(m: int, d: int, p: int) -> None:
    rng = np.random.default_rng(m)
    rows, matrix = rng.normal(size=(m, d)), rng.normal(size=(d, p)).astype(np.float32)
    tile = np.full((p, m + 2), 7, np.float32)
    project(rows, matrix, np.empty(p), tile)
    np.testing.assert_allclose(tile[:, :m].T, rows @ matrix, rtol=1e-5, atol=1e-6)
    assert (tile[:, m:] == 7).all()


def test_equal_rows_have_equal_projections_wherever_they_stand() -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(1, 61)), 37, axis=0)
    tile = np.empty((9, 37), np.float32)
    project(rows, rng.normal(size=(61, 9)).astype(np.float32), np.empty(9), tile)
    assert (tile == tile[:, :1]).all()
