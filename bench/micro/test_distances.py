"""Distances of one query to 1,000 listed rows: microseconds a round are nanoseconds a distance.

Hot: 64 rows, in the nearest cache. Random: other rows each round out of 64 MiB, asked for 40 at a time as a walk does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.micro.cases import FLOAT_FORMS, FORMS
from bench.micro.loops import distances_in_steps
from vecrecall.kernels.forms import distance_function
from vecrecall.kernels.memory import address
from vecrecall.vectors.memory import aligned_zeros

N_LISTED = 1_000
N_ROUNDS = 2_000
STEP = 40
DIM = 256


@pytest.mark.parametrize("place", ["hot", "random"])
@pytest.mark.parametrize("form", FORMS)
def test_distances(benchmark: Any, form: str, place: str) -> None:
    rng = np.random.default_rng(0)
    dtype, width = FLOAT_FORMS.get(form.split("_")[0], np.uint8), DIM // 2 if form.startswith("sq4") else DIM
    row_bytes = width * np.dtype(dtype).itemsize
    rows = aligned_zeros((2**26 // row_bytes, width), dtype)
    rows[:] = rng.integers(0, 100, width)
    is_float = form[0] in "fu"
    n_blocks = width // 16 if is_float else row_bytes // 64
    beside = np.ones(len(rows), np.float32)  # scales, or the bits of small biases: their values cost nothing
    query = aligned_zeros((DIM,), np.float32 if is_float else np.int8)
    query[:] = rng.integers(0, 100, DIM)
    listed = rng.integers(0, 64 if place == "hot" else len(rows), N_ROUNDS * N_LISTED).astype(np.int32)
    out, lists = np.zeros(N_LISTED, np.int32), iter(range(0, len(listed), N_LISTED))
    view = (address(rows), row_bytes, n_blocks, address(beside), distance_function(form), 4)
    benchmark.group = f"distances, {place} rows of {DIM} dimensions"
    benchmark.extra_info["distances"] = N_LISTED

    def others() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (view, address(query), address(listed[next(lists) :]), N_LISTED, STEP, address(out)), {}

    distances_in_steps(view, address(query), address(listed), N_LISTED, STEP, address(out))  # compiled
    benchmark.pedantic(distances_in_steps, setup=others, rounds=N_ROUNDS)
