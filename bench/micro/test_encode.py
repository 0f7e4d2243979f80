"""Query forms and codes of 1,000 rows: microseconds a round are nanoseconds a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.micro.cases import ENCODED
from vecrecall.threads import Workers
from vecrecall.vectors.codes import train
from vecrecall.vectors.spaces import Space
from vecrecall.vectors.walked import CodedRows

N_ROWS = 1_000


@pytest.mark.parametrize(("storage", "dim", "reduce"), [*ENCODED, ("sq4", 384, "auto"), ("sq8", 384, "auto")])
def test_encode(benchmark: Any, documents: np.ndarray, storage: str, dim: int, reduce: int | str | None) -> None:
    documents, space = np.ascontiguousarray(documents[:, :dim]), Space("l2", dim)
    codec = train(documents[:4_096], storage, reduce, np.random.default_rng(0), products=False)
    walked = CodedRows.empty(space, codec).with_room(N_ROWS)
    forms = walked.no_forms().grown(N_ROWS)
    walked.write(documents[:N_ROWS], 0, forms, Workers(1))  # compiled
    benchmark.group = f"encode {N_ROWS:,} rows of {dim} dimensions"
    benchmark.extra_info.update(rows=N_ROWS, p=codec.p)
    benchmark(walked.write, documents[:N_ROWS], 0, forms, Workers(1))
