"""Coded vectors scanned in tiles, where none survives: microseconds a round over vectors and queries are the cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.micro.cases import TILE_KINDS
from bench.micro.loops import run_tile
from vecrecall.kernels.memory import address
from vecrecall.kernels.tile_functions import tile_function
from vecrecall.kernels.tiles import BLOCK, FACTOR, FOUND, NUMBERS, TILES
from vecrecall.vectors.memory import aligned_zeros

N_BLOCKS, DIM = 64, 256


@pytest.mark.parametrize(("n_queries", "bits"), TILE_KINDS)
def test_tile(benchmark: Any, n_queries: int, bits: int) -> None:
    rng = np.random.default_rng(0)
    blocks = aligned_zeros((N_BLOCKS, BLOCK * DIM * bits // 8), np.uint8)
    blocks[:] = rng.integers(0, 256, blocks.shape)
    codes = aligned_zeros((n_queries, DIM), np.int8)
    codes[:] = rng.integers(-127, 128, codes.shape)
    queries = np.array([address(code) for code in codes], np.int64)
    numbers = np.zeros((n_queries, NUMBERS), np.float32)
    numbers[:, FACTOR] = 1
    limits = np.full(N_BLOCKS + n_queries + 4, -np.inf, np.float32)  # one a query, or one a place
    addends, scales = np.zeros((N_BLOCKS, BLOCK), np.float32), np.ones((N_BLOCKS, BLOCK), np.float32)
    listed = np.append(np.arange(N_BLOCKS), np.zeros(8)).astype(np.int32)
    out = np.empty((n_queries, BLOCK * TILES[n_queries] + 16), np.float32)
    found = np.empty(FOUND // 4 + n_queries * TILES[n_queries] + 8, np.int32)
    arguments = (
        address(blocks), blocks.shape[1], address(listed), 0, N_BLOCKS, DIM // 8, address(queries), address(numbers),
        address(limits), address(addends), address(scales), address(out), out.strides[0], address(found),
    )  # fmt: skip
    function = tile_function(n_queries, bits)
    run_tile(function, arguments)  # compiled
    assert found[:2].view(np.int64)[0] >= N_BLOCKS  # it went through all of them
    benchmark.group = f"compare queries with {N_BLOCKS * BLOCK:,} coded vectors of {DIM} dimensions"
    benchmark(run_tile, function, arguments)
