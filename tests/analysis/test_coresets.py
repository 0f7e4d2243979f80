"""`vr.analysis.coreset` against a greedy loop in numpy, and what it does with odd rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from vecrecall.analysis.coresets import as_size, coreset

f32 = np.float32


def to_picks(X: np.ndarray, picks: Any) -> np.ndarray:
    """Distance of each row to the nearest pick."""
    X = X.astype(np.float64)
    return np.sqrt(((X[:, None] - X[np.asarray(picks)]) ** 2).sum(2)).min(1)


def greedy(X: np.ndarray, m: int, start: int) -> tuple[list[int], list[float]]:
    """Gonzalez (1985), as the paper has it; a row is picked once."""
    picks, radii = [start], []
    while True:
        distances = to_picks(X, picks)
        radii.append(float(distances.max()))
        if len(picks) == m:
            return picks, radii
        distances[picks] = -1
        picks.append(int(distances.argmax()))


def normal(n: int = 300, dim: int = 12) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, dim)).astype(f32)


def unit(X: np.ndarray) -> np.ndarray:
    X = X.astype(np.float64)
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(f32)


SETS = {
    "floats": normal(),
    "several tiles": normal(2500, 3) + f32(100),
    "uint8": np.random.default_rng(0).integers(0, 256, (300, 7)).astype(np.uint8),
    "a grid of ties": np.stack(np.meshgrid(*[np.arange(6)] * 3), -1).reshape(-1, 3),
    "copies": np.repeat(normal(20), 5, axis=0),
    "one column": np.arange(50.0)[:, None],
    "far off": normal().astype(np.float64) + 1e4,
    "minute": normal() * f32(1e-25),
    "huge": normal() * f32(1e17),
}


@pytest.mark.parametrize("name", SETS)
def test_picks_are_those_of_the_greedy_loop(name: str) -> None:
    X = SETS[name]
    chosen = coreset(X, 40, start=3, project=None)
    picks, radii = greedy(np.asarray(X, f32), 40, 3)
    assert chosen.picks.tolist() == picks
    np.testing.assert_allclose(chosen.radii, radii, rtol=1e-12)
    distances = to_picks(np.asarray(X, f32), picks)
    assert chosen.radius == chosen.walked_radius == pytest.approx(distances.max(), rel=1e-12)
    assert chosen.mean_distance == pytest.approx(distances.mean(), rel=1e-12)
    assert chosen.picks.dtype == np.int64


def test_cosine_is_the_chord_of_directions() -> None:
    X = normal() * np.random.default_rng(1).uniform(0.1, 9, (300, 1)).astype(f32)
    chosen = coreset(X, 30, metric="cosine", start=0)
    picks, radii = greedy(unit(X), 30, 0)
    assert chosen.picks.tolist() == picks
    np.testing.assert_allclose(chosen.radii, radii, rtol=1e-6)


def test_a_projection_finds_nearly_as_small_a_radius_and_says_what_it_is_in_full() -> None:
    X = normal(800, 300)
    walked, full = coreset(X, 40), coreset(X, 40, project=None)
    assert (walked.project, full.project) == (128, None)
    assert walked.radius == pytest.approx(to_picks(X, walked.picks).max(), rel=1e-6)
    assert walked.mean_distance == pytest.approx(to_picks(X, walked.picks).mean(), rel=1e-6)
    assert walked.walked_radius == pytest.approx(walked.radius, rel=0.3)  # Johnson & Lindenstrauss
    assert walked.radius < 1.1 * full.radius
    assert walked.evals == full.evals == 800 * 40


def test_a_projection_forgets_an_offset_of_all_rows() -> None:
    X = np.random.default_rng(0).integers(0, 50, (400, 300)).astype(f32)
    assert coreset(X, 30).picks.tolist() == coreset(X + f32(1e7), 30).picks.tolist()


@pytest.mark.parametrize("dim", [20, 300])
def test_all_groups_are_covered_before_one_has_two(dim: int) -> None:
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(25), 20))
    X = rng.normal(size=(25, dim))[groups] * 20 + rng.normal(size=(500, dim))
    assert sorted(groups[coreset(X, 25).picks]) == list(range(25))


def test_it_covers_better_and_stands_for_less_than_a_random_sample() -> None:
    X = np.random.default_rng(0).standard_t(3, size=(2000, 8)).astype(f32)
    chosen = coreset(X, 50)
    drawn = to_picks(X, np.random.default_rng(1).choice(2000, 50, replace=False))
    assert chosen.radius < 0.7 * drawn.max()
    assert chosen.mean_distance > 1.1 * drawn.mean()


@pytest.mark.parametrize("dim", [5, 300])
def test_copies_come_last_in_the_order_of_rows(dim: int) -> None:
    X = np.repeat(normal(7, dim), 9, axis=0)[np.random.default_rng(0).permutation(63)]
    chosen = coreset(X, 40)
    assert len(np.unique(X[chosen.picks[:7]], axis=0)) == 7
    assert sorted(chosen.picks[7:]) == chosen.picks[7:].tolist()
    assert len(set(chosen.picks.tolist())) == 40
    assert (chosen.radii[6:] == 0).all() and (chosen.radii[:6] > 0).all()
    assert (chosen.radius, chosen.mean_distance, chosen.evals) == (0, 0, 7 * 63)


def test_equal_rows_are_picked_in_their_order() -> None:
    chosen = coreset(np.ones((6, 4)), 4, start=2)
    assert chosen.picks.tolist() == [2, 0, 1, 3]
    assert (chosen.radius, chosen.radii.tolist(), chosen.evals) == (0, [0, 0, 0, 0], 6)


@pytest.mark.parametrize(("m", "n", "expected"), [(1, 1, 1), (5, 5, 5), (1.0, 5, 5), (0.5, 5, 2), (1e-9, 5, 1)])
def test_m_is_a_count_or_a_share(m: float, n: int, expected: int) -> None:
    assert as_size(m, n) == len(coreset(normal(n), m)) == expected
    assert sorted(set(coreset(normal(n), 1.0).picks.tolist())) == list(range(n))


def test_no_rows_have_an_empty_coreset() -> None:
    chosen = coreset(np.empty((0, 3)), 0.1)
    assert (len(chosen), len(chosen.radii), chosen.evals, chosen.n) == (0, 0, 0, 0)
    assert np.isnan([chosen.radius, chosen.mean_distance, chosen.walked_radius]).all()


@pytest.mark.parametrize("dim", [12, 300])
def test_threads_change_nothing_and_the_seed_decides(dim: int) -> None:
    X = normal(3000, dim)
    first = coreset(X, 25, seed=1, threads=1)
    again = coreset(X, 25, seed=1, threads=2)
    for name in ("picks", "radii"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert (first.radius, first.mean_distance) == (again.radius, again.mean_distance)
    assert coreset(X, 25, seed=2).picks.tolist() != first.picks.tolist()


def test_the_first_t_picks_are_the_coreset_of_t() -> None:
    X = normal()
    np.testing.assert_array_equal(coreset(X, 30).picks[:11], coreset(X, 11).picks)


def test_it_says_what_it_is() -> None:
    assert repr(coreset(normal(300, 256), 0.1)).startswith("Coreset: 30 of 300 rows, radius ")
    assert repr(coreset(normal(300, 256), 0.1)).endswith(", walked in 128 dimensions")


def test_zero_rows_under_cosine_are_told_of_once() -> None:
    X = normal(50)
    X[[3, 5]] = 0
    with pytest.warns(UserWarning, match="2 zero row vectors") as told:
        chosen = coreset(X, 50, metric="cosine", start=3)
    assert len(told) == 1
    assert chosen.radii[0] == pytest.approx(1, abs=1e-6)
    assert chosen.picks[-1] == 5  # a copy of row 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"m": 0}, ValueError, "m is 0, expected an integer of at least 1"),
        ({"m": 11}, ValueError, "m is 11, expected at most the 10 rows of X"),
        ({"m": 1.5}, ValueError, "m is 1.5, expected a number above 0 and at most 1, such as 0.02"),
        ({"m": True}, TypeError, "m is True"),
        ({"m": "few"}, TypeError, "m is 'few'"),
        ({"metric": "ip"}, ValueError, "metric is 'ip', expected 'l2' or 'cosine'"),
        ({"metric": "cos"}, ValueError, "metric is 'cos'"),
        ({"start": 10}, ValueError, "start is 10, expected the number of a row of X, which has 10"),
        ({"start": -1}, ValueError, "start is -1"),
        ({"project": 12}, ValueError, "project is 12, but X has 12 columns"),
        ({"project": 0}, ValueError, "project is 0"),
        ({"project": "some"}, ValueError, "project is 'some', expected 'auto', None or a number"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"X": [[1.0, float("nan")]], "m": 1}, ValueError, "X row 0, column 1 is nan"),
        ({"X": [1.0, 2.0], "m": 1}, ValueError, r"X has shape \(2,\)"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        coreset(**{"X": normal(10), "m": 3, **options})


def test_it_is_public() -> None:
    assert vr.analysis.coreset is coreset
