"""Where the k best are picked: heaps of exact search, keys of sparse search, buffers of a scan of lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.micro.cases import KEY_COUNTS, METRICS
from bench.micro.inputs import key_arrangements
from bench.micro.loops import cut_buffer, select_and_sort
from vecrecall.kernels.direct import METRIC_CODES, scan
from vecrecall.kernels.memory import address
from vecrecall.kernels.survivors import ROOM
from vecrecall.kernels.topk import select

N_KEYS = max(KEY_COUNTS)
KS = pytest.mark.parametrize("k", [10, 100])


@KS
def test_tile_of_exact(benchmark: Any, k: int) -> None:
    rng = np.random.default_rng(0)
    products, bias = rng.standard_normal((256, 1024), np.float32), np.zeros(1024, np.float32)
    left_out = np.full(256, -1)
    keys, slots = np.full((256, k), np.inf, np.float32), np.full((256, k), -1)
    for tile in range(20):  # heaps as they stand in the midst of a search
        select(rng.standard_normal((256, 1024), np.float32), bias, tile * 1024, left_out, keys, slots)

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (products, bias, 20 * 1024, left_out, keys.copy(), slots.copy()), {}

    benchmark.group = "offer a tile of 1,024 rows to the heaps of 256 queries"
    benchmark.pedantic(select, setup=fresh, rounds=200)


@pytest.mark.parametrize("metric", METRICS)
def test_direct_scan(benchmark: Any, metric: str) -> None:
    rng = np.random.default_rng(0)
    columns, scales = rng.standard_normal((128, 1024), np.float32), np.ones(1024)
    queries, left_out, sums = rng.standard_normal((1, 128)), np.full(1, -1), np.empty(1024)
    keys, slots = np.full((1, 10), np.inf), np.full((1, 10), -1)
    arguments = (columns, scales, 0, queries, left_out, METRIC_CODES[metric], sums, keys, slots)
    scan(*arguments)  # compiled; the heap is full from here on
    benchmark.group = "compare 1,024 rows of 128 dimensions with a query directly, in float64"
    benchmark(scan, *arguments)


@KS
@pytest.mark.parametrize("name", key_arrangements(N_KEYS))
def test_select_and_sort_keys(benchmark: Any, name: str, k: int) -> None:
    keys, stack = key_arrangements(N_KEYS)[name].astype(np.int64), np.empty(N_KEYS + 64, np.int64)

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        held[:] = keys
        return (address(held), N_KEYS, k, address(stack)), {}

    held = keys.copy()
    select_and_sort(*fresh()[0])  # compiled
    assert held[:k].tolist() == np.sort(keys)[:k].tolist()
    benchmark.group = f"the {k} least of {N_KEYS:,} keys, in order"
    benchmark.pedantic(select_and_sort, setup=fresh, rounds=500)


@KS
def test_cut_of_survivors(benchmark: Any, k: int) -> None:
    n = 4_000
    estimates = np.random.default_rng(0).standard_normal(n + ROOM).astype(np.float32)
    buffer, slots = estimates.copy(), np.arange(n + ROOM).astype(np.int32)

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        buffer[:] = estimates
        return (address(buffer), address(slots), n, k, k // 2), {}

    assert k <= cut_buffer(*fresh()[0]) <= k + k // 2  # compiled
    benchmark.group = f"cut a buffer of {n:,} survivors"
    benchmark.pedantic(cut_buffer, setup=fresh, rounds=500)
