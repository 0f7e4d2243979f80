"""Exact search against float64 numpy: ordinary data, and all that the expanded form gets wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.micro.cases import KEPT_TYPES, METRICS
from vecrecall import blas
from vecrecall.blas import one_blas_thread
from vecrecall.exact import search
from vecrecall.exact.search import nearest, nearest_values


def slow(X: np.ndarray, Q: np.ndarray, metric: str) -> np.ndarray:
    """Values (q, n) in float64: squared distance, minus the product, or 2 - 2 cosine; summed column by column."""
    X, Q = X.astype(np.float64), Q.astype(np.float64)
    if metric == "ip":
        return np.add.accumulate(-X * Q[:, None, :], axis=2)[:, :, -1]
    if metric == "cosine":
        zero = ~Q.any(axis=1)[:, None] | ~X.any(axis=1)[None, :]
        X, Q = (A / np.where(A.any(axis=1), np.linalg.norm(A, axis=1), 1)[:, None] for A in (X, Q))
        return np.where(zero, 2.0, ((X - Q[:, None, :]) ** 2).sum(axis=2))
    return np.add.accumulate((X - Q[:, None, :]) ** 2, axis=2)[:, :, -1]


def nearest_by(values: np.ndarray, k: int, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = values.copy()
    slots = np.broadcast_to(np.arange(values.shape[1]), values.shape).copy()
    for i, out in enumerate(left_out):
        if out >= 0:
            values[i, out], slots[i, out] = np.inf, values.shape[1]
    order = np.lexsort((slots, values))[:, :k]
    found, slots = np.take_along_axis(values, order, 1), np.take_along_axis(slots, order, 1)
    slots[np.isinf(found)] = -1
    pad = [(0, 0), (0, max(0, k - values.shape[1]))]
    return np.pad(slots, pad, constant_values=-1), np.pad(found, pad, constant_values=np.inf)


def assert_exact(X: np.ndarray, Q: np.ndarray, k: int, metric: str, leave_out: bool = False) -> None:
    X, Q = X.astype(np.float32), Q.astype(np.float32)
    left_out = np.arange(len(Q)) if leave_out else np.full(len(Q), -1)
    slots, distances = nearest(X, Q, k, metric, left_out, 1)
    values = slow(X, Q, metric)
    expected_slots, expected = nearest_by(values, k, left_out)
    expected = {"l2": np.sqrt, "ip": lambda v: v, "cosine": lambda v: v / 2}[metric](expected)
    if metric == "cosine":  # the twin scales rows in another order: ids may differ where distances do not
        np.testing.assert_allclose(distances, expected, rtol=1e-6, atol=1e-15)
        chosen = np.take_along_axis(values, np.maximum(slots, 0), 1) / 2
        np.testing.assert_allclose(np.where(slots < 0, np.inf, chosen), expected, rtol=1e-12, atol=1e-15)
        assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in slots)
    else:
        np.testing.assert_array_equal(slots, expected_slots)
        np.testing.assert_array_equal(distances, expected.astype(np.float32))


def clustered(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.normal(size=(9, d))[rng.integers(0, 9, n)] + 0.01 * rng.normal(size=(n, d))


DATA = {
    "normal": lambda rng, n, d: rng.normal(size=(n, d)),
    "clustered": clustered,
    "far from zero": lambda rng, n, d: clustered(rng, n, d) + 1e6,
    "two far groups": lambda rng, n, d: rng.normal(size=(n, d)) + 1e5 * rng.integers(0, 2, (n, 1)),
    "near duplicates": lambda rng, n, d: 1000 + 1e-3 * rng.integers(0, 4, (n, d)),
    "duplicates": lambda rng, n, d: rng.normal(size=(5, d))[rng.integers(0, 5, n)],
    "all equal": lambda rng, n, d: np.full((n, d), 0.3),
    "all zero": lambda rng, n, d: np.zeros((n, d)),
    "some zero": lambda rng, n, d: rng.normal(size=(n, d)) * rng.integers(0, 2, (n, 1)),
    "small integers": lambda rng, n, d: rng.integers(0, 3, (n, d)),
    "constant columns": lambda rng, n, d: np.where(np.arange(d) % 2, 7, rng.normal(size=(n, d))),
    "one far row": lambda rng, n, d: np.vstack([rng.normal(size=(n - 1, d)), np.full((1, d), 1e6)]),
    "uneven norms": lambda rng, n, d: rng.normal(size=(n, d)) * np.exp(3 * rng.normal(size=(n, 1))),
    "tiny": lambda rng, n, d: 1e-25 * rng.normal(size=(n, d)),
    "subnormal": lambda rng, n, d: 1e-42 * rng.normal(size=(n, d)),
    "huge": lambda rng, n, d: 1e18 * rng.uniform(-1, 1, (n, d)),
    "huge and not centred": lambda rng, n, d: np.vstack([np.full((1, d), -1e18), np.full((n - 1, d), 1.7e18)]),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", DATA)
def test_every_kind_of_data_is_answered_exactly(name: str, metric: str) -> None:
    rng = np.random.default_rng(len(name))
    for n, d, k in [(1, 3, 2), (2, 1, 1), (60, 7, 10), (400, 33, 5), (2100, 4, 3)]:
        X = DATA[name](rng, n, d)
        Q = np.vstack([X[rng.integers(0, n, 6)], DATA[name](rng, max(n, 3), d)[:3], np.zeros((1, d))])
        assert_exact(X, Q, k, metric)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("size", [1e-30, 1e-6, 1e6, 3e18])
def test_queries_far_longer_or_shorter_than_rows_are_answered_exactly(size: float, metric: str) -> None:
    rng = np.random.default_rng(5)
    for offset in (0, 1, 1e6, 1e18):
        X = rng.normal(size=(300, 20)) * max(1, 1e-3 * offset) + offset
        assert_exact(X, size * rng.uniform(-1, 1, (6, 20)), 5, metric)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(METRICS),
    st.integers(1, 80),
    st.integers(1, 9),
    st.integers(1, 90),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_any_shape_is_answered_exactly(metric: str, n: int, d: int, k: int, leave_out: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (n, d)) * rng.choice([1.0, 0.3])
    assert_exact(X, X if leave_out else rng.integers(-2, 3, (7, d)), k, metric, leave_out)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", DATA)
def test_no_row_that_was_dropped_is_nearer_than_the_bound(name: str, metric: str) -> None:
    rng = np.random.default_rng(0)
    X = DATA[name](rng, 300, 20).astype(np.float32)
    Q = np.vstack([X[:8], 1.5 * X[8:16]]).astype(np.float32)
    queries = search._unit(Q) if metric == "cosine" else Q.astype(np.float64)
    values = slow(X, Q, metric)
    with np.errstate(all="ignore"):
        space = search._Space.over(X, metric)
        for n_kept in (1, 7, 299):
            kept, bound = search._select(space, queries, np.full(len(Q), -1), n_kept)
            for i in range(len(Q)):
                dropped = np.setdiff1d(np.arange(len(X)), kept[i])
                assert not values[i, dropped].min() < bound[i]  # a bound of NaN claims nothing


def count_scanned(monkeypatch: pytest.MonkeyPatch, X: np.ndarray, Q: np.ndarray, metric: str) -> int:
    scanned = []
    scan_all = search._scan_all
    monkeypatch.setattr(search, "_scan_all", lambda *a: scanned.append(len(a[1])) or scan_all(*a))
    nearest(X.astype(np.float32), Q.astype(np.float32), 10, metric, np.full(len(Q), -1), 1)
    return sum(scanned)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", ["normal", "uneven norms", "one far row", "constant columns"])
def test_ordinary_data_is_proved_without_a_scan(name: str, metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    X = DATA[name](rng, 3000, 32)
    assert count_scanned(monkeypatch, X, rng.normal(size=(40, 32)), metric) == 0


def test_equal_rows_are_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    X = DATA["duplicates"](np.random.default_rng(0), 400, 8)
    assert count_scanned(monkeypatch, X, X[:20], "l2") == 20


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", KEPT_TYPES)
def test_answers_do_not_depend_on_threads_or_on_the_batch(metric: str, dtype: str) -> None:
    rng = np.random.default_rng(2)
    X = rng.integers(0, 9, (1500, 12)).astype(dtype)
    Q = rng.integers(0, 9, (50, 12)).astype(np.float32)
    none = np.full(50, -1)
    one, two, five = (nearest(X, Q, 7, metric, none, n) for n in (1, 2, 5))
    single = [nearest(X, Q[i : i + 1], 7, metric, none[:1], 1) for i in range(50)]
    alone = np.vstack([slots for slots, _ in single]), np.vstack([distances for _, distances in single])
    for other in (two, five, alone, nearest(X.astype(np.float32), Q, 7, metric, none, 1)):
        assert one[0].tobytes() == other[0].tobytes() and one[1].tobytes() == other[1].tobytes()


def test_small_tiles_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    X, Q = clustered(rng, 500, 6), clustered(rng, 40, 6)
    monkeypatch.setattr(search, "_TILE_BYTES", 4 * 6 * 70)
    monkeypatch.setattr(search, "_HEAP_BYTES", 12 * 32 * 9)
    for metric in METRICS:
        assert_exact(X, Q, 10, metric)
        assert_exact(X[:40], X[:40], 100, metric, leave_out=True)


def test_ties_that_are_not_nearest_need_no_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    X, Q = DATA["some zero"](rng, 3000, 32), rng.normal(size=(40, 32))  # half of the rows at distance 1
    assert count_scanned(monkeypatch, X, Q, "cosine") == 0
    assert count_scanned(monkeypatch, X, Q, "ip") == 0


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in blas._libraries().info() if library["user_api"] == "blas"]


def test_blas_has_one_thread_inside_and_what_it_had_before_afterwards() -> None:
    before = blas_threads()
    with one_blas_thread:
        assert set(blas_threads()) <= {1}
        with one_blas_thread:
            pass
        assert set(blas_threads()) <= {1}
    assert blas_threads() == before
    with pytest.raises(KeyError), one_blas_thread:
        raise KeyError
    assert blas_threads() == before


@pytest.mark.parametrize("metric", METRICS)
def test_values_are_what_distances_are_rounded_from(metric: str) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 7)).astype(np.float32)
    left_out = np.arange(300)
    slots, distances = nearest(X, X, 9, metric, left_out, 2)
    same, values = nearest_values(X, X, 9, metric, left_out, 2)
    np.testing.assert_array_equal(slots, same)
    of_values = {"l2": np.sqrt, "ip": lambda v: v, "cosine": lambda v: v / 2}[metric](values)
    np.testing.assert_array_equal(distances, of_values.astype(np.float32))
    np.testing.assert_allclose(values, np.take_along_axis(slow(X, X, metric), slots, 1), rtol=1e-13, atol=1e-15)
