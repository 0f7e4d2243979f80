"""Exact answers over the rows that an approximate engine keeps: those of `Exact`, without a copy."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.exact.index import Exact
from vecrecall.exact.kept import exact_hits, kept_distances
from vecrecall.ids import Ids
from vecrecall.inputs import as_rows
from vecrecall.vectors.rows import TYPES, KeptRows

RNG = np.random.default_rng(0)
X = RNG.integers(0, 9, (60, 21)).astype(np.float32)
Q = RNG.normal(size=(7, 21)).astype(np.float32)


def kept(metric: str, dtype: str) -> KeptRows:
    rows = KeptRows.empty(21, metric == "cosine", TYPES[dtype])
    return rows.extended(as_rows(X[:40]), TYPES[dtype]).extended(as_rows(X[40:]), TYPES[dtype])


@pytest.mark.parametrize("dtype", ["u8", "f16", "f32"])
@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_answers_over_kept_rows_are_those_of_exact(metric: str, dtype: str) -> None:
    names = [f"d{i}" for i in range(60)]
    ids = Ids()
    ids = ids.extended(ids.checked(names, 60), 60)
    hits = exact_hits(kept(metric, dtype), ids, Q, 5, metric, 2)
    truth = Exact.build(X, metric=metric, ids=names).search(Q, 5)
    np.testing.assert_array_equal(hits.ids, truth.ids)
    np.testing.assert_array_equal(hits.distances, truth.distances)
    assert (hits.metric, hits.evals.tolist()) == (metric, [60] * 7)


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_distances_of_named_rows_are_those_of_exact(metric: str) -> None:
    truth = Exact.build(X, metric=metric).search(Q, 62)  # two places are missing
    distances = kept_distances(kept(metric, "f32"), Q, truth.ids, metric)
    np.testing.assert_array_equal(distances, truth.distances)
    assert kept_distances(kept(metric, "f32"), Q[:0], truth.ids[:0], metric).shape == (0, 62)
