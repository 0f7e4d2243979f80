"""Search as callers ask for it: one query a call, and 400 queries a call, on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecrecall as vr


@pytest.mark.parametrize("ef", [20, 64, 200])
def test_one_query(benchmark: Any, index: vr.HNSW, queries: np.ndarray, ef: int) -> None:
    index.search(queries[0], 10, ef=ef)  # compiled
    benchmark.group = "search, one query a call (always the same: its rows are hot)"
    benchmark(index.search, queries[0], 10, ef=ef)


@pytest.mark.parametrize("ef", [20, 64, 200])
def test_batch(benchmark: Any, index: vr.HNSW, queries: np.ndarray, ef: int) -> None:
    index.search(queries, 10, ef=ef, threads=1)  # compiled
    benchmark.group = f"search, {len(queries)} queries a call"
    benchmark(index.search, queries, 10, ef=ef, threads=1)
