"""What a sparse search is made of: posting lists added to accumulators, and products of forward rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.micro.cases import COLUMN_BYTES, POSTING_COUNTS, POSTING_FACTORS, ROW_LENGTHS
from bench.micro.inputs import N_UNITS, SparseRow, posting_list
from bench.micro.loops import add_each, dot_both_of_each, dot_codes_of_each
from vecrecall.kernels.memory import address
from vecrecall.kernels.postings import LOOK
from vecrecall.sparse.weights import SIGNED, UNSIGNED, Table

N_POSTINGS = 100_000  # of all lists together: microseconds a round are hundredths of nanoseconds a posting
N_ROWS = 200
LONG_LISTS = [n for n in POSTING_COUNTS if n >= 64]
LONG_ROWS = [n for n in ROW_LENGTHS if n >= 33]
TABLES = pytest.mark.parametrize("table", [UNSIGNED, SIGNED], ids=["unsigned", "signed"])


@pytest.mark.parametrize("floor", [1, 128])  # all, or the half that contributes more
@pytest.mark.parametrize("wide", POSTING_FACTORS, ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("n", LONG_LISTS)
def test_add_postings(benchmark: Any, n: int, wide: bool, floor: int) -> None:
    rng, n_lists = np.random.default_rng(0), N_POSTINGS // n
    lists = [posting_list(rng, n) for _ in range(n_lists)]
    units, impacts = (np.concatenate([part[i] for part in lists]) for i in (0, 1))
    sums = np.zeros(N_UNITS, np.uint16 if wide else np.uint8)
    benchmark.group = f"add {N_POSTINGS:,} postings, those with an impact of {floor} or more"
    benchmark.extra_info["postings"] = n * n_lists
    arguments = (
        address(sums), address(units), address(impacts), n, n_lists - 1, n + LOOK, POSTING_FACTORS[wide][-1], 128,
        floor, wide,
    )  # fmt: skip
    add_each(*arguments)  # compiled
    assert sums.any()
    benchmark(add_each, *arguments)


@pytest.mark.parametrize("n_bytes", COLUMN_BYTES)
@TABLES
@pytest.mark.parametrize("n", LONG_ROWS)
@pytest.mark.parametrize("planes", ["codes", "both"])
def test_products_of_rows(benchmark: Any, planes: str, n: int, table: Table, n_bytes: int) -> None:
    rng = np.random.default_rng(0)
    rows = [SparseRow(rng, n, n_bytes, table) for _ in range(N_ROWS)]
    weights = np.zeros(len(rows[0].weights), np.float32)  # of a query: one column in a thousand
    weights[rng.integers(0, len(weights), len(weights) // 1000)] = 1
    starts = np.array([row.at for row in rows], np.int64)
    residuals = np.array([address(row.residuals) for row in rows], np.int64)
    of_table = n_bytes, n, table.n, table.unit, table.lowest
    benchmark.group = f"products of {N_ROWS} rows of {n} entries with a query, {planes}"
    if planes == "codes":
        arguments: tuple[Any, ...] = (address(weights), starts, *of_table)
        benchmarked = dot_codes_of_each
    else:
        arguments = (address(weights), starts, residuals, *of_table, table.tiny)
        benchmarked = dot_both_of_each
    assert np.isfinite(benchmarked(*arguments))  # compiled
    benchmark(benchmarked, *arguments)
