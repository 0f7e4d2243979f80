"""The one search behind all estimates: every neighbour, at float64 distances, whatever the rows were given as."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from tests.analysis import slow_dimension as slow
from vecrecall.analysis.neighbouring.compared import Compared
from vecrecall.analysis.neighbouring.duplicates import distinct
from vecrecall.analysis.neighbouring.lists import Lists
from vecrecall.analysis.neighbours import Neighbours, neighbours_of
from vecrecall.inputs import as_rows

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(150, 9))


def assert_true(found: Neighbours, X: np.ndarray, k: int, metric: str, rel: float) -> None:
    """The neighbours of the compared rows are the nearest among them."""
    ids, distances = slow.neighbours(X[found.points.which], k, metric)
    np.testing.assert_allclose(found.distances, distances, rtol=rel, atol=1e-300)
    for own, true, reach in zip(found.ids, ids, distances):
        unequal = np.flatnonzero(own != true)
        assert all(np.abs(reach - reach[place]).min(initial=np.inf) <= rel * reach[place] for place in unequal)


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize(
    ("X", "rel"),
    [
        (NORMAL, 1e-13),
        (NORMAL.astype(np.float32), 1e-13),
        (NORMAL.astype(np.float16), 1e-13),
        ((20 * NORMAL).astype(np.int8), 1e-13),
        (RNG.integers(0, 256, (150, 9)).astype(np.uint8), 1e-13),
        (RNG.integers(-(2**40), 2**40, (150, 9)), 1e-13),
        (RNG.integers(0, 3, (150, 9)).astype(np.float64), 1e-13),  # ties
        (NORMAL + 1e6, 1e-6),
        (1e-20 * NORMAL, 1e-13),
        (np.where(np.arange(150)[:, None] % 2, NORMAL, 1 + 1e-8 * NORMAL), 1e-6),  # a cluster below float32's digits
    ],
    ids=["f8", "f4", "f2", "i1", "u1", "i8", "ties", "offset", "tiny", "cluster"],
)
def test_neighbours_are_the_nearest(X: np.ndarray, rel: float, metric: str) -> None:
    found = neighbours_of(X, 12, metric=metric)
    assert_true(found, X.astype(np.float64), 12, metric, rel)


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_rows_that_the_copy_cannot_tell_apart_are_compared_as_they_were_given(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    compare_all = Compared._compare_all

    def noted(self: Compared, asked: np.ndarray, k: int, n_threads: int) -> Any:
        compared.extend(asked.tolist())
        return compare_all(self, asked, k, n_threads)

    monkeypatch.setattr(Compared, "_compare_all", noted)
    X = np.vstack([NORMAL, NORMAL[0] + 1e-9 * RNG.normal(size=(60, 9))])  # more than are found beside the nearest
    found = neighbours_of(X, 12, metric=metric)
    assert_true(found, X, 12, metric, 1e-6)
    assert {0, *range(150, 210)} <= set(compared) and len(compared) < 100
    compared.clear()
    for rows in (NORMAL, NORMAL + 1e8):  # of which the mean is taken off
        neighbours_of(rows, 12, metric=metric)
    assert not compared


def test_the_lists_do_not_depend_on_the_number_of_threads() -> None:
    for X in (NORMAL, NORMAL.astype(np.float32), np.vstack([NORMAL, NORMAL[0] + 1e-9 * RNG.normal(size=(60, 9))])):
        one, three = neighbours_of(X, 12, threads=1), neighbours_of(X, 12, threads=3)
        assert one.ids.tobytes() == three.ids.tobytes() and one.distances.tobytes() == three.distances.tobytes()


@pytest.mark.parametrize("duplicates", ["merge", "drop", "keep"])
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_what_becomes_of_equal_rows(duplicates: str, metric: str) -> None:
    X = np.vstack([NORMAL, np.repeat(NORMAL[:2], 50, axis=0), NORMAL[9:12]])
    found = neighbours_of(X, 12, metric=metric, duplicates=duplicates)
    assert found.n == 253 and found.n_duplicates == 103 and found.k == 12
    assert found.points.n == (150 if duplicates == "merge" else 253)
    reach = slow.neighbours(X, 252, metric)[1]
    if duplicates == "merge":
        assert found.place[150:].tolist() == [0] * 50 + [1] * 50 + [9, 10, 11]
        expected = slow.neighbours(NORMAL, 12, metric)[1]
    elif duplicates == "drop":  # 50 copies: more than are found beside the neighbours
        expected = np.array([row[row > 1e-12][:12] for row in reach])
    else:
        expected = reach[:, :12]
    np.testing.assert_allclose(found.distances, expected, rtol=1e-9, atol=1e-12)
    assert (found.ids != np.arange(found.points.n)[:, None]).all()


def test_values_of_compared_rows_are_told_of_every_row() -> None:
    with pytest.warns(UserWarning, match="1 zero row vector under metric 'cosine'"):
        found = neighbours_of([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0], [2.0, 0.0]], 1, metric="cosine")
    np.testing.assert_array_equal(found.by_row(np.array([5.0, 7.0])), [5, np.nan, 7, 5])


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("duplicates", ["merge", "drop", "keep"])
def test_few_rows_have_few_neighbours(n: int, exact: bool, duplicates: str) -> None:
    found = neighbours_of(NORMAL[:n], 5, exact=exact, duplicates=duplicates)
    assert found.ids.shape == found.distances.shape == (n, max(0, n - 1))
    empty = neighbours_of(NORMAL[:n], 5, given=(np.empty((n, 0), int), np.empty((n, 0))))
    assert empty.ids.shape == (n, 0)


@pytest.mark.parametrize("dtype", [np.int8, np.float64])
def test_no_whole_copy_of_the_rows_in_float64_is_made(dtype: Any, tmp_path: Any) -> None:
    n, d = 2000, 5000
    np.save(tmp_path / "rows.npy", RNG.integers(-100, 100, (n, d)).astype(dtype))
    X = np.load(tmp_path / "rows.npy", mmap_mode="r")
    neighbours_of(X[:100], 10)
    tracemalloc.start()
    neighbours_of(X, 10, threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * d * 8  # the narrow copy, and tiles: 54 to 75 MB of 80


def test_the_first_of_equal_rows_stands_for_them() -> None:
    X = as_rows(np.array([[1, 2], [-0.0, 0], [1, 2], [3, 6], [0, -0.0]]))
    groups = distinct(X, "l2")
    assert groups.first.tolist() == [0, 1, 3] and groups.place.tolist() == [0, 1, 0, 2, 1]
    assert groups.n_duplicates == 2 and groups.pair() == (0, 2)
    joined = groups.joined(np.array([1, 0, 1]))
    assert joined.first.tolist() == [0, 1] and joined.place.tolist() == [0, 1, 0, 0, 1]
    assert distinct(X, "cosine").place.tolist() == [0, -1, 0, 0, -1]


def test_lists_close_up_where_neighbours_are_taken_out() -> None:
    lists = Lists(np.array([[4, 2, 1], [0, 3, -1]]), np.array([[1.0, 2.0, 3.0], [0.5, 0.7, np.inf]]))
    assert lists.drop(np.array([[False, True, False], [False, False, False]])).tolist() == [0]
    assert lists.ids.tolist() == [[4, 1, -1], [0, 3, -1]]
    assert lists.distances.tolist() == [[1, 3, np.inf], [0.5, 0.7, np.inf]] and lists.counts.tolist() == [2, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("metric", "scale"), [("l2", 1.0), ("l2", 1e-30), ("cosine", 1.0)])
def test_distances_of_an_approximate_search_have_the_digits_of_float32(
    metric: str, scale: float, dtype: Any
) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(600, 12)) + 20
    X = scale * np.vstack([X, X[:50] + 1e-5 * rng.normal(size=(50, 12))])  # near duplicates
    found = neighbours_of(X.astype(dtype), 10, metric=metric, exact=False)
    assert found.points.n == 650
    real = found.points.distances(np.arange(found.points.n), found.ids, 1)
    np.testing.assert_allclose(found.distances, real, rtol=1e-6)
    assert (np.diff(found.distances, axis=1) >= 0).all() and found.source == "approximate"
