"""Training of codes: how many dimensions, which steps, and that the rotation is one."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.blas import one_blas_thread
from vecrecall.vectors.axes import Reduction, padded
from vecrecall.vectors.codes import BLOCK, train


def with_variances(variances: np.ndarray, n: int = 3000) -> np.ndarray:
    """Rows whose principal variances are nearly the given ones, turned at random."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(len(variances),) * 2))[0]
    return ((rng.normal(size=(n, len(variances))) * np.sqrt(variances)) @ turn + 5).astype(np.float32)


def trained(X: np.ndarray, storage: str, reduce: int | str | None = "auto", seed: int = 0, products: bool = False):
    with one_blas_thread:  # as builds do; more would only wait for each other here
        return train(X, storage, reduce, np.random.default_rng(seed), products=products)


@pytest.mark.parametrize(
    ("storage", "dim", "strong", "p"),
    [
        ("sq4", 300, 20, 128),  # 95 % in one block
        ("sq4", 300, 200, 256),
        ("sq4", 300, 300, 300),  # fewer blocks do not hold 95 %
        ("sq4", 100, 2, 100),  # less than a block: nothing to gain
        ("sq8", 300, 20, 64),
        ("sq8", 300, 100, 128),
        ("sq8", 64, 2, 64),
    ],
)
def test_auto_keeps_the_fewest_blocks_that_hold_95_percent_of_the_variance(
    storage: str, dim: int, strong: int, p: int
) -> None:
    X = with_variances(np.where(np.arange(dim) < strong, 1.0, 1e-5))
    codec = trained(X, storage)
    assert (codec.p, codec.padded_p) == (p, padded(p, BLOCK[storage]))
    assert codec.axes.rotation.shape == (p, padded(dim, 64)) and codec.axes.rotation.ctypes.data % 64 == 0


@pytest.mark.parametrize(("reduce", "p"), [(None, 40), (1, 1), (7, 7), (40, 40), (41, 40)])
def test_reduce_is_obeyed(reduce: int | None, p: int) -> None:
    assert trained(with_variances(np.ones(40)), "sq4", reduce).p == p


def test_equal_rows_keep_all_dimensions() -> None:
    assert Reduction(128, 0.95).kept(np.zeros(300)) == 300
    codec = trained(np.full((50, 300), 2, np.float32), "sq4")
    assert codec.p == 300 and codec.mean_error == pytest.approx(300 / 4 * 0.33**2, rel=0.01)
    axes = codec.axes
    assert all(np.isfinite(a).all() for a in (axes.inverse_range, axes.scale, axes.offset, codec.steps))


@pytest.mark.parametrize("storage", BLOCK)
def test_the_rotation_keeps_lengths_and_mixes_all_dimensions(storage: str) -> None:
    X = with_variances(np.linspace(5, 0.01, 48))
    codec = trained(X, storage, None)
    turn = codec.axes.rotation[:, :48] * codec.axes.scale[:, None] * codec.axes.inverse_range  # acts on x
    np.testing.assert_allclose(turn @ turn.T, np.eye(48), atol=0.05)
    z = (X - codec.axes.mean) @ turn.T
    assert z.std(0).max() < 3 * z.std(0).min()  # one step fits all


def test_queries_of_products_are_shifted_by_the_rotated_mean() -> None:
    X = with_variances(np.ones(20)) + 3
    codec = trained(X, "sq4", products=True)
    np.testing.assert_allclose(codec.axes.mean, X.mean(0), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(codec.shift), np.linalg.norm(codec.axes.mean), rtol=1e-4)
    assert not trained(X, "sq4").shift.any()


def test_the_seed_decides_the_rotation_and_nothing_else_does() -> None:
    X = with_variances(np.ones(30))
    first, again, other = trained(X, "sq4"), trained(X, "sq4"), trained(X, "sq4", seed=1)
    assert first.axes.rotation.tobytes() == again.axes.rotation.tobytes()
    assert first.steps.tobytes() == again.steps.tobytes()
    assert first.axes.rotation.tobytes() != other.axes.rotation.tobytes()


def test_the_unit_is_what_a_step_of_the_keys_stands_for() -> None:
    codec = trained(with_variances(np.ones(30)), "sq4")
    query_step, code_step = 1 / codec.steps[0], codec.steps[2]
    assert codec.unit == pytest.approx(2 * query_step * code_step, rel=1e-6)
    assert codec.steps[1] == pytest.approx(1 / code_step, rel=1e-6)


def test_one_row_is_enough() -> None:
    codec = trained(np.ones((1, 5), np.float32), "sq8")
    assert codec.n_trained == 1 and np.isfinite(codec.steps).all()
