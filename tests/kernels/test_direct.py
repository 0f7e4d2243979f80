"""Direct float64 distances against numpy, and one value for a pair whichever kernel asks."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.kernels.direct import METRIC_CODES, norms, scan, values_of


def slow(x: np.ndarray, scale: float, q: np.ndarray, metric: str) -> float:
    x = x.astype(np.float64)
    if metric == "ip":
        return float(-x @ q)
    if metric == "cosine" and (scale == 0 or not q.any()):
        return 2.0
    return float(((scale * x - q) ** 2).sum())


@pytest.mark.parametrize("metric", METRIC_CODES)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (5, 3), (70, 17), (33, 128)])
def test_both_kernels_give_numpys_values_and_the_same_bits(n: int, d: int, metric: str) -> None:
    rng = np.random.default_rng(n * d)
    rows, queries = rng.normal(size=(n, d)).astype(np.float32), rng.normal(size=(3, d))
    scales = rng.uniform(0.5, 2, n) if metric == "cosine" else np.ones(n)
    scales[0] = 0 if metric == "cosine" else 1
    queries[2] = 0
    expected = [[slow(x, s, q, metric) for x, s in zip(rows, scales, strict=True)] for q in queries]

    listed = np.empty((3, n))
    every_row, every_scale = np.stack([rows] * 3), np.stack([scales] * 3)
    values_of(every_row, every_scale, queries, METRIC_CODES[metric], listed)
    np.testing.assert_allclose(listed, expected, rtol=1e-13, atol=1e-13)

    keys, slots = np.full((3, n), np.inf), np.full((3, n), -1)
    columns = np.ascontiguousarray(rows.T)
    scan(columns, scales, 0, queries, np.full(3, -1), METRIC_CODES[metric], np.empty(n), keys, slots)
    for i in range(3):
        assert sorted(slots[i]) == list(range(n))
        np.testing.assert_array_equal(keys[i], listed[i, slots[i]])


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 31])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_neither_overflow_nor_vanish(d: int, dtype: type) -> None:
    for size in (1e-30, 1.0, 1e30):
        rows = (np.random.default_rng(0).normal(size=(9, d)) * size).astype(dtype)
        out = np.empty(9)
        norms(rows, out)
        np.testing.assert_allclose(out, np.linalg.norm(rows.astype(np.float64), axis=1), rtol=1e-14)
