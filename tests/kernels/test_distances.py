"""Keys of listed rows against numpy, form by form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from bench.micro.cases import CODE_FORMS as CODES
from bench.micro.cases import FLOAT_FORMS as FLOATS
from vecrecall.kernels.distances import distances
from vecrecall.kernels.forms import distance_function
from vecrecall.kernels.memory import address

CANARY = 123456789
ONE = np.ones(1, np.float32)


@njit
def call(view, query, query_bias, listed, m, out):
    distances(view, query, query_bias, listed, m, out)


def keys_of(view: tuple[int, ...], query: np.ndarray, query_bias: int, rows: list[int]) -> np.ndarray:
    """What the kernel writes for listed rows; nothing behind the next multiple of four is touched."""
    room = -(-len(rows) // 4) * 4
    listed = np.full(room + 4, 2**31 - 1, np.int32)
    listed[: len(rows)] = rows
    out = np.full(room + 4, CANARY, np.int32)
    call(view, address(query), query_bias, address(listed), len(rows), address(out))
    assert (out[room:] == CANARY).all() and (listed[room:] == 2**31 - 1).all()
    return out[: len(rows)]


def codes_view(form: str, codes: np.ndarray, side: np.ndarray) -> tuple[int, ...]:
    return (address(codes), codes.shape[1], codes.shape[1] // 64, address(side), distance_function(form), 0)


def slow_dots(form: str, codes: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Integer products of every code with the query."""
    if form.startswith("sq4"):  # a block of 128: 64 low nibbles, then 64 high ones
        blocks = codes.reshape(len(codes), -1, 64)
        codes = np.concatenate([blocks & 15, blocks >> 4], axis=2).reshape(len(codes), -1)
    return codes.astype(np.int64) @ query.astype(np.int64)


def slow_keys(form: str, codes: np.ndarray, side: np.ndarray, query: np.ndarray, query_bias: int) -> np.ndarray:
    dots = slow_dots(form, codes, query)
    if not form.endswith("_ip"):
        return side + query_bias - dots
    values = -(query_bias + dots).astype(np.float32) * side.view(np.float32)
    return np.trunc(np.clip(values, -(2.0**30), 2.0**30)).astype(np.int64)


def drawn(rng: np.random.Generator, dtype: type, shape: tuple[int, ...], extreme: bool) -> np.ndarray:
    ends = np.iinfo(dtype)
    return rng.choice([ends.min, ends.max], shape).astype(dtype) if extreme else rng.integers(
        ends.min, ends.max, shape, dtype, endpoint=True
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(CODES),
    st.integers(1, 30),
    st.integers(1, 5),
    st.lists(st.integers(0, 29), min_size=1),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_keys_of_codes_are_numpys(form: str, n: int, n_blocks: int, rows: list[int], extreme: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [row % n for row in rows]
    codes = drawn(rng, np.int8 if form == "s8" else np.uint8, (n, 64 * n_blocks), extreme)
    dim = codes.shape[1] * (2 if form.startswith("sq4") else 1)
    query = drawn(rng, np.uint8 if form == "s8" else np.int8, (dim,), extreme)
    side = rng.integers(-(2**29), 2**29, n).astype(np.int32)
    if form.endswith("_ip"):
        side = (10.0 ** rng.uniform(-6, 6, n)).astype(np.float32).view(np.int32)
    query_bias = int(rng.integers(-(2**24), 2**24))
    expected = slow_keys(form, codes, side, query, query_bias)[rows]
    np.testing.assert_array_equal(keys_of(codes_view(form, codes, side), query, query_bias, rows), expected)


def float_view(form: str, rows: np.ndarray, scales: np.ndarray) -> tuple[int, ...]:
    step = 4 if len(scales) > 1 else 0
    return (address(rows), rows.strides[0], rows.shape[1] // 16, address(scales), distance_function(form), step)


def float_rows(rng: np.random.Generator, name: str, n: int, dim: int) -> np.ndarray:
    if name == "u8":
        return rng.integers(0, 256, (n, dim), np.uint8)
    return rng.normal(size=(n, dim)).astype(FLOATS[name])


def value_of(keys: np.ndarray) -> np.ndarray:
    """The float32 that a key of a product stands for."""
    return (keys ^ ((keys >> 31) & 0x7FFFFFFF)).view(np.float32)


@pytest.mark.parametrize("one_scale", [True, False])
@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("dim", [16, 48, 400])
def test_keys_of_float_rows_are_squared_distances_of_scaled_rows(name: str, dim: int, one_scale: bool) -> None:
    rng = np.random.default_rng(dim)
    rows, query = float_rows(rng, name, 37, dim), rng.normal(size=dim).astype(np.float32)
    scales = ONE if one_scale else rng.uniform(0.1, 3, 37).astype(np.float32)
    keys = keys_of(float_view(f"{name}_l2", rows, scales), query, 0, list(range(37)))
    wide = rows.astype(np.float64) * scales.astype(np.float64).reshape(-1, 1) - query
    np.testing.assert_allclose(keys.view(np.float32), (wide**2).sum(1), rtol=2e-6)


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("dim", [16, 48, 400])
def test_keys_of_products_order_as_minus_the_product(name: str, dim: int) -> None:
    rng = np.random.default_rng(dim)
    rows, query = float_rows(rng, name, 200, dim), rng.normal(size=dim).astype(np.float32)
    rows[7], rows[8] = 0, rows[9]
    query -= query.mean()  # products of both signs, of uint8 too
    keys = keys_of(float_view(f"{name}_ip", rows, ONE), query, 0, list(range(200)))
    products = rows.astype(np.float64) @ query
    size = np.abs(rows.astype(np.float64)) @ np.abs(query)
    assert (np.abs(value_of(keys) + products) <= 1e-6 * size).all()
    assert (products < 0).any() and (products > 0).any()
    np.testing.assert_array_equal(np.argsort(keys, kind="stable"), np.argsort(value_of(keys), kind="stable"))


def test_every_finite_half_is_read_without_loss() -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    rows = np.zeros((len(halves), 16), np.float16)
    rows[:, 3] = halves
    query = np.zeros(16, np.float32)
    query[3] = 1
    keys = keys_of(float_view("f16_ip", rows, ONE), query, 0, list(range(len(rows))))
    np.testing.assert_array_equal(value_of(keys), -halves.astype(np.float32))


def test_whole_numbers_are_exact_in_every_float_form() -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 256, (50, 64), np.uint8)
    query = rng.integers(-100, 100, 64).astype(np.float32)
    for name, dtype in FLOATS.items():
        rows = whole.astype(dtype)
        squares = keys_of(float_view(f"{name}_l2", rows, ONE), query, 0, list(range(50))).view(np.float32)
        np.testing.assert_array_equal(squares, ((whole - query) ** 2).sum(1))
        products = value_of(keys_of(float_view(f"{name}_ip", rows, ONE), query, 0, list(range(50))))
        np.testing.assert_array_equal(products, -(whole @ query))


@pytest.mark.parametrize("name", FLOATS)
def test_a_key_does_not_depend_on_its_neighbours_in_the_list(name: str) -> None:
    rng = np.random.default_rng(3)
    rows, query = float_rows(rng, name, 30, 80), rng.normal(size=80).astype(np.float32)
    for form in ("l2", "ip"):
        view = float_view(f"{name}_{form}", rows, ONE)
        together = keys_of(view, query, 0, list(range(30)))
        assert together.tolist() == [keys_of(view, query, 0, [row])[0] for row in range(30)]
