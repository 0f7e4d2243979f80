"""Axes: how many, that they are orthonormal, and rows brought along them against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.blas import one_blas_thread
from vecrecall.ivf.rotated import Rotated
from vecrecall.threads import Workers
from vecrecall.vectors.axes import SAMPLE, Axes, Reduction, heard, ordinary, outgrown, sample_slots, train_axes
from vecrecall.vectors.encoding import Rotation
from vecrecall.vectors.spaces import METRICS, Space

f32 = np.float32


def sample(dim: int, n: int = 1500, seed: int = 0) -> np.ndarray:
    """Rows of falling variances, turned, away from the origin."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0]
    return ((rng.normal(size=(n, dim)) * np.linspace(2, 0.05, dim)) @ turn + 1).astype(f32)


def trained(rows: np.ndarray, reduce: Reduction | int | None, seed: int = 0) -> tuple[Axes, np.ndarray, np.ndarray]:
    with one_blas_thread:
        return train_axes(rows, reduce, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("rule", "variances", "p"),
    [
        (Reduction(32, 0.9), np.ones(200), 192),  # 180 hold 90 %, in whole blocks 192
        (Reduction(64, 0.9), np.ones(200), 192),
        (Reduction(128, 0.9), np.ones(200), 200),  # no more than there are
        (Reduction(32, 0.9), np.r_[np.ones(10), np.zeros(190)], 32),
        (Reduction(32, 0.9, least=96), np.r_[np.ones(10), np.zeros(190)], 96),
        (Reduction(32, 0.9, least=97), np.r_[np.ones(10), np.zeros(190)], 128),
        (Reduction(1, 0.8), np.array([4.0, 3, 2, 1]), 3),
        (Reduction(1, 0.3), np.array([4.0, 3, 2, 1]), 1),
        (Reduction(8, 0.5, least=4), np.ones(3), 3),
        (Reduction(8, 0.5), np.zeros(20), 20),  # no variance at all: nothing can be told
    ],
)
def test_the_fewest_blocks_that_hold_the_share_are_kept(rule: Reduction, variances: np.ndarray, p: int) -> None:
    assert rule.kept(variances) == p


@pytest.mark.parametrize(("reduce", "p"), [(None, 80), (12, 12), (Reduction(16, 0.8), 48)])
def test_axes_are_orthonormal_and_held_in_int8_to_half_a_step(reduce: Reduction | int | None, p: int) -> None:
    rows = sample(80)
    axes, turn, moved = trained(rows, reduce)
    assert turn.shape == (80, p) and axes.p == p
    np.testing.assert_allclose(turn.T @ turn, np.eye(p), atol=1e-9)
    np.testing.assert_allclose(moved, rows - rows.mean(0, dtype=np.float64), atol=1e-6)
    held = axes.rotation[:, :80] * axes.scale[:, None].astype(np.float64)  # acts on levels of x
    off = np.abs(held - turn.T / axes.inverse_range)
    assert (off <= 0.501 * axes.scale[:, None]).all()
    assert (np.abs(axes.rotation).max(1) == 127).all() and not axes.rotation[:, 80:].any()
    acting = held * axes.inverse_range
    np.testing.assert_allclose(acting @ acting.T, np.eye(p), atol=0.006)  # 0.0045


def test_a_number_of_axes_keeps_the_greatest_variances_and_spreads_them_alike() -> None:
    rows = sample(80)
    _, turn, moved = trained(rows, 24)
    variances = np.linalg.eigvalsh(np.cov(rows.T.astype(np.float64)))[::-1]
    z = moved @ turn
    assert z.var(0).sum() == pytest.approx(variances[:24].sum(), rel=1e-3)
    assert z.std(0).max() < 1.25 * z.std(0).min()  # 1.19; unturned 1.38


@pytest.mark.parametrize("reduce", [None, 24])
def test_the_seed_decides_the_axes_within_the_space_that_they_span(reduce: int | None) -> None:
    rows = sample(80)
    first, again, other = (trained(rows, reduce, seed)[:2] for seed in (0, 0, 1))
    assert first[0].rotation.tobytes() == again[0].rotation.tobytes() != other[0].rotation.tobytes()
    np.testing.assert_allclose(first[1] @ first[1].T, other[1] @ other[1].T, atol=1e-6)


def slow(axes: Axes, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(z, the energy that it lacks, the square of how far beyond the range): x as 255 levels a dimension, R in int8."""
    inside = np.clip(x, axes.low, axes.low + 255 / axes.inverse_range)
    levels = np.floor(np.clip((inside - axes.low) * axes.inverse_range, f32(0), f32(255)) + f32(0.5)).astype(np.int64)
    z = np.zeros((len(x), -(-axes.p // 16) * 16), f32)
    z[:, : axes.p] = axes.offset + (levels @ axes.rotation[:, : axes.dim].T.astype(np.int64)).astype(f32) * axes.scale
    beyond = ((x - inside).astype(np.float64) ** 2).sum(1)
    within = ((inside - axes.mean).astype(np.float64) ** 2).sum(1)
    return z, np.maximum(within - (z.astype(np.float64) ** 2).sum(1), 0), beyond


def rotated(
    rows: np.ndarray, metric: str, reduce: int | None, more: np.ndarray, workers: int = 1
) -> tuple[Axes, np.ndarray, np.ndarray, np.ndarray]:
    """(axes trained on rows, shift, z, rests and beyond of other rows)."""
    space, slots = Space(metric, rows.shape[1]), np.arange(len(rows))
    axes, turn, _ = trained(space.asking(rows, slots)[:, : space.dim], reduce)
    rotation = Rotation(axes, products=metric == "ip")
    shift = np.zeros(rotation.padded_p, f32)
    if metric == "ip":
        shift[: axes.p] = axes.mean @ turn
    with Workers(workers) as several:
        return axes, shift, *Rotated(space, rotation, shift, several)(more, np.arange(len(more)))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("dim", "reduce"), [(5, None), (40, None), (80, 33)])
def test_rows_along_the_axes_and_the_energy_they_lack_are_numpys(dim: int, reduce: int | None, metric: str) -> None:
    rows, more = sample(dim), sample(dim, 600, seed=1)
    axes, shift, z, rests, outside = rotated(rows, metric, reduce, more)
    x = Space(metric, dim).asking(more, np.arange(600))[:, :dim]
    along, lost, beyond = slow(axes, x)
    if metric == "ip":  # a direction, not moved by the mean, times its length
        lengths = np.linalg.norm(more.astype(np.float64), axis=1)
        np.testing.assert_allclose(z, (along + shift) * lengths[:, None], rtol=1e-5, atol=1e-5)
        assert not rests.any()
        return
    np.testing.assert_array_equal(z, along)
    assert (beyond > 0).any() and lost.any()
    np.testing.assert_allclose(outside, beyond, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rests, lost, rtol=1e-4, atol=1e-5 * ((x - axes.mean) ** 2).sum(1).mean())


def test_distances_of_rows_along_all_axes_are_those_of_the_rows() -> None:
    rows = sample(40)
    z = rotated(rows, "l2", None, rows)[2].astype(np.float64)
    squares, exact = (((a[:200, None] - a[200:400]) ** 2).sum(2) for a in (z, rows.astype(np.float64)))
    np.testing.assert_allclose(squares, exact, atol=0.03 * exact.mean())  # 0.017 at most


def test_products_of_rows_along_all_axes_are_those_of_the_rows() -> None:
    rows = sample(40) * np.random.default_rng(0).uniform(0.5, 2, (1500, 1)).astype(f32)
    z = rotated(rows, "ip", None, rows)[2].astype(np.float64)
    products, exact = (a[:200] @ a[200:400].T for a in (z, rows.astype(np.float64)))
    np.testing.assert_allclose(products, exact, atol=0.06 * exact.std())  # 0.052 at most


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_rows_outside_the_range_are_moved_in_and_what_is_beyond_counts_apart(metric: str) -> None:
    far = np.zeros((4, 40), f32)
    far[0], far[1, 3], far[2, :2], far[3] = 50, -70, (-80, 90), 1
    before = far.tobytes()
    axes, _, z, rests, outside = rotated(sample(40), metric, None, far)
    assert far.tobytes() == before  # the caller's rows stay as they were
    along, lost, beyond = slow(axes, Space(metric, 40).asking(far, np.arange(4))[:, :40])
    assert (beyond[1:3] > 0.5 * lost[1:3]).all() and beyond[3] == 0
    np.testing.assert_array_equal(z, along)
    np.testing.assert_allclose(rests, lost, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(outside, beyond, rtol=1e-4)


def test_rows_along_the_axes_do_not_depend_on_threads() -> None:
    rows = sample(40)
    one, two = (rotated(rows, "l2", 17, rows, workers) for workers in (1, 2))
    assert one[2].tobytes() == two[2].tobytes() and one[3].tobytes() == two[3].tobytes()


def test_axes_are_trained_again_at_each_doubling_until_the_sample_is_full() -> None:
    assert not outgrown(1000, 1.0, 1999, 999, 999.0)
    assert outgrown(1000, 1.0, 2000, 0, 0.0)
    assert outgrown(SAMPLE - 1, 1.0, 2 * SAMPLE, 0, 0.0)
    assert not outgrown(SAMPLE, 1.0, 100 * SAMPLE, 99 * SAMPLE, 99.0 * SAMPLE)


def test_axes_are_trained_again_when_added_rows_are_coded_clearly_worse() -> None:
    n = SAMPLE
    assert not outgrown(n, 2.0, 2 * n, n, 2.9 * n) and outgrown(n, 2.0, 2 * n, n, 3.1 * n)
    assert not outgrown(n, 1.0, n + 10, 10, 100.0)  # ten rows, ten times worse: too few to be heard
    assert outgrown(n, 1.0, n + 10, 10, 1280.0)
    assert outgrown(n, 1.0, n + n // 16, n // 16, 1.6 * (n // 16 + n / 256))
    assert not outgrown(n, 0.0, n + 10, 10, 0.0)  # nothing was lost, nothing is
    assert outgrown(n, 0.0, n + 10, 10, 1e-3)


def test_errors_of_rows_far_out_count_less_unless_nothing_was_lost_before() -> None:
    assert heard(np.array([1.0, 1e6]), 2.0).tolist() == [1, 128]
    assert heard(np.array([1.0, 1e6]), 0.0).tolist() == [1, 1e6]


def test_rows_far_out_are_not_ordinary() -> None:
    rows = sample(20)
    assert ordinary(rows).all() and ordinary(np.ones((5, 3), f32)).all() and ordinary(rows[:1]).all()
    rows[[3, 700]] *= 1000
    np.testing.assert_array_equal(np.flatnonzero(~ordinary(rows)), [3, 700])


@pytest.mark.parametrize("n", [1, 2, 100, SAMPLE - 1, SAMPLE, SAMPLE + 1, 3 * SAMPLE + 5, 10**7])
def test_a_training_sample_is_spread_evenly(n: int) -> None:
    slots = sample_slots(n)
    assert len(slots) == min(n, SAMPLE) and slots[0] == 0 and slots[-1] == n - 1
    steps = np.diff(slots)
    assert n == 1 or (steps.min() >= 1 and steps.max() - steps.min() <= 1)
