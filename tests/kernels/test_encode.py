"""Rotation, query forms and codes against numpy, written from the docstrings of the kernels."""

from __future__ import annotations

import numpy as np
import pytest

from bench.micro.cases import ENCODED as CASES
from vecrecall.blas import one_blas_thread
from vecrecall.threads import Workers
from vecrecall.vectors.codes import Codec, train
from vecrecall.vectors.encoding import Codes, QueryForms, Rotation, encode, forms_from_codes
from vecrecall.vectors.memory import aligned_zeros

f32 = np.float32


def sample(dim: int) -> np.ndarray:
    rng = np.random.default_rng(dim)
    return (rng.normal(size=(600, dim)) * np.linspace(3, 0.1, dim) + 1).astype(f32)


def trained(storage: str, dim: int, reduce: int | str | None, products: bool) -> Codec:
    with one_blas_thread:  # as builds do; more would only wait for each other here
        return train(sample(dim), storage, reduce, np.random.default_rng(0), products=products)


def slow_rotate(codec: Codec, X: np.ndarray) -> np.ndarray:
    """z = R'(x - mean): x as 255 levels a dimension, R in int8; float32 (m, padded p), zeros behind p."""
    levels = np.floor(np.clip((X - codec.axes.low) * codec.axes.inverse_range, f32(0), f32(255)) + f32(0.5))
    dots = levels.astype(np.int64) @ codec.axes.rotation[:, : codec.axes.dim].T.astype(np.int64)
    z = np.zeros((len(X), codec.padded_p), f32)
    z[:, : codec.p] = codec.axes.offset + dots.astype(f32) * codec.axes.scale
    return z


def slow_forms(codec: Codec, z: np.ndarray) -> np.ndarray:
    return np.floor(np.clip((z + codec.shift) * codec.steps[0], f32(-127), f32(127)) + f32(0.5)).astype(np.int64)


def slow_codes(codec: Codec, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(codes as whole numbers from 0, values they stand for, packed bytes)."""
    if codec.storage == "sq8":
        c = np.floor(np.clip(z * codec.steps[1], f32(-127), f32(127)) + f32(0.5)).astype(np.int64)
        return c + 128, c * codec.steps[2], (c + 128).astype(np.uint8)
    c = np.floor(np.clip(z * codec.steps[1], f32(-8), f32(7.5))).astype(np.int64)
    blocks = (c + 8).reshape(len(z), -1, 2, 64)
    packed = (blocks[:, :, 0] | blocks[:, :, 1] << 4).astype(np.uint8)
    return c + 8, (c + 0.5) * codec.steps[2], packed.reshape(len(z), -1)


def slow_correction(codec: Codec, forms: np.ndarray) -> np.ndarray:
    """Codes are held without a sign: 8-bit ones stand 128 too high, 4-bit ones 8 less the half step."""
    return np.floor((128 if codec.storage == "sq8" else 7.5) * forms.sum(1)).astype(np.int64)


def encoded(codec: Codec, X: np.ndarray, products: bool, workers: int = 1) -> tuple[Codes, QueryForms, np.ndarray]:
    codes = Codes.empty(codec).grown(len(X))
    forms = QueryForms(aligned_zeros((len(X), codec.padded_p), np.uint8), aligned_zeros((len(X),), np.int32))
    padded = np.zeros((len(X), -(-codec.axes.dim // 16) * 16), f32)
    padded[:, : codec.axes.dim] = X
    with Workers(workers) as several:
        return codes, forms, encode(Rotation(codec.axes, codec, products=products), padded, 0, codes, forms, several)


@pytest.mark.parametrize("products", [False, True])
@pytest.mark.parametrize(("storage", "dim", "reduce"), CASES)
def test_codes_forms_biases_and_errors_are_numpys(
    storage: str, dim: int, reduce: int | str | None, products: bool
) -> None:
    codec = trained(storage, dim, reduce, products)
    X = np.concatenate([sample(dim)[:200], 3 * sample(dim)[:50], np.zeros((1, dim), f32)])  # also out of range
    codes, forms, error = encoded(codec, X, products)
    z = slow_rotate(codec, X)
    held, values, packed = slow_codes(codec, z)
    queries = slow_forms(codec, z)
    np.testing.assert_array_equal(codes.codes, packed)
    np.testing.assert_array_equal(forms.forms.view(np.int8), queries)

    values = values[:, : codec.p].astype(np.float64)
    inside = X if products else np.clip(X, codec.axes.low, codec.axes.low + 255 / codec.axes.inverse_range)
    beyond = ((X - inside).astype(np.float64) ** 2).sum(1)  # how far rows were moved counts in errors alone
    full = ((inside - codec.axes.mean).astype(np.float64) ** 2).sum(1)
    lost = np.maximum(full - (z.astype(np.float64) ** 2).sum(1), 0)
    squares = lost + beyond + ((z[:, : codec.p] - values) ** 2).sum(1)
    np.testing.assert_allclose(error, squares, rtol=1e-4, atol=1e-4 * full.mean())
    correction, per_unit = slow_correction(codec, queries), float(codec.steps[3])
    close = {"rtol": 1e-5, "atol": 1.01}
    if products:  # twice the product of a unit vector with the mean; biases of rows are the scales of whoever asked
        with_mean = 1 + (codec.axes.mean.astype(np.float64) ** 2).sum() - full
        np.testing.assert_allclose(forms.bias + correction, with_mean * per_unit, **close)
        assert not codes.bias.any()
        return
    np.testing.assert_allclose(forms.bias - correction, full * per_unit, **close)
    np.testing.assert_allclose(codes.bias, ((values**2).sum(1) + lost) * per_unit, **close)


@pytest.mark.parametrize(("storage", "worst"), [("sq4", 0.1), ("sq8", 0.02)])
def test_a_key_times_the_unit_is_the_squared_distance(storage: str, worst: float) -> None:
    X = sample(300)
    codec = trained(storage, 300, "auto", False)
    codes, forms, _ = encoded(codec, X, False)
    held = slow_codes(codec, slow_rotate(codec, X))[0]
    dots = forms.forms.view(np.int8)[:50].astype(np.int64) @ held.T
    keys = codes.bias + forms.bias[:50, None] - dots
    squares = ((X[:50, None].astype(np.float64) - X) ** 2).sum(2)
    off = np.abs(keys * codec.unit - squares) / squares.mean()
    assert off.mean() < worst


@pytest.mark.parametrize("products", [False, True])
@pytest.mark.parametrize(("storage", "dim", "reduce"), CASES)
def test_forms_come_back_out_of_codes(storage: str, dim: int, reduce: int | str | None, products: bool) -> None:
    codec, X = trained(storage, dim, reduce, products), sample(dim)[:100]
    codes, forms, _ = encoded(codec, X, products)
    back = QueryForms(aligned_zeros(forms.forms.shape, np.uint8), aligned_zeros((len(X),), np.int32))
    forms_from_codes(Rotation(codec.axes, codec, products=products), codes, len(X), back)
    held = slow_codes(codec, slow_rotate(codec, X))[0]
    signed = (held - (128 if storage == "sq8" else 7.5)).astype(f32)
    signed[:, codec.p :] = 0
    z = signed * codec.steps[2]
    expected = slow_forms(codec, z)
    np.testing.assert_array_equal(back.forms.view(np.int8), expected)
    correction = slow_correction(codec, expected)
    if products:  # twice the product with the mean: the mean's own, and what z adds along it
        with_mean = 2 * ((codec.axes.mean.astype(np.float64) ** 2).sum() + z.astype(np.float64) @ codec.shift)
        np.testing.assert_allclose(back.bias + correction, with_mean * float(codec.steps[3]), rtol=1e-4, atol=2)
    else:
        np.testing.assert_array_equal(back.bias, codes.bias + correction)


def test_codes_do_not_depend_on_threads() -> None:
    X, codec = np.tile(sample(150), (20, 1)), trained("sq4", 150, None, False)
    one, two = encoded(codec, X, False, 1), encoded(codec, X, False, 2)
    assert one[0].codes.tobytes() == two[0].codes.tobytes() and one[0].bias.tobytes() == two[0].bias.tobytes()
    assert one[1].forms.tobytes() == two[1].forms.tobytes() and one[2].tobytes() == two[2].tobytes()
