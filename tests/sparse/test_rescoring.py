"""Scores of candidates against float64 products of the very weights that rows hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.csr import Csr
from vecrecall.kernels.memory import address
from vecrecall.sparse import rescoring
from vecrecall.sparse.parameters import Parameters
from vecrecall.sparse.rows import EXPONENT_BIAS, Rows, parted
from vecrecall.sparse.scratch import CHOSEN, N_SCORED, WEIGHTS, Scratch
from vecrecall.sparse.segment import Segment, arranged
from vecrecall.sparse.weights import float_of, table_of
from vecrecall.threads import Workers

F = np.float32
CALLER = Workers(1)
COLUMNS = 40
IMPACT = Parameters.checked(
    layout=None, n_postings=None, alpha=1.0, block_size=None, summary_energy=None, keep="f24", seed=0, k=10
)
STORED = pytest.mark.parametrize("stored", ["f24", "f32", "equal", "blocked", "many"])


@njit
def rescore(plan, scratch, n, k, weight_sum, floor, out):
    return rescoring.rescore(plan, scratch, n, k, weight_sum, floor, out)


def part(scratch: Scratch, name: int, n: int, dtype: type = np.int64) -> np.ndarray:
    """A part of scratch memory, as an array that shares it."""
    first = int(scratch.memory[name]) - scratch.address
    return scratch.memory.view(np.uint8)[first : first + n * np.dtype(dtype).itemsize].view(dtype)


def dense_rows(n: int, seed: int, *, signed: bool, near: bool = False) -> np.ndarray:
    """near: codes of weights are the same, so that codes alone tell nothing."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(1, 1.03, (n, COLUMNS)) if near else rng.gamma(2, 1, (n, COLUMNS)) + 0.01
    if signed:
        values *= rng.choice([-1, 1], (n, COLUMNS))
    scale = 1.0 if near else 10.0 ** rng.choice([0, 0, -1, 2], (n, 1))
    return np.where(rng.random((n, COLUMNS)) < (0.9 if near else 0.2), values * scale, 0).astype(F)


def segment_of(dense: np.ndarray, stored: str, first: int = 0) -> Segment:
    rows, columns = np.nonzero(dense)
    values, dim = dense[rows, columns], COLUMNS
    if stored == "equal":
        values = np.full(len(rows), -1.5 if values.min(initial=0) < 0 else 1.5)
    if stored == "many":
        columns, dim = columns * 50_000, 50_000 * COLUMNS
    csr = Csr(np.searchsorted(rows, np.arange(len(dense) + 1)), columns.astype(np.int32), values.astype(F), dim)
    parameters = replace(IMPACT, layout="blocked", block_size=4) if stored == "blocked" else IMPACT
    keep = "f32" if stored == "f32" else "f24"
    return arranged(parted(csr, keep, CALLER), first, parameters, CALLER)


def held_by(rows: Rows) -> np.ndarray:
    """The weights of rows by place, as their codes and residuals are defined: float64, not rounded to float32."""
    columns, codes = rows.unpacked()
    ends, out = rows.indptr(), np.zeros((rows.n, rows.n_terms))
    if rows.residuals is None:
        weights = np.full(rows.nnz, rows.weight)
    elif rows.residuals.dtype == np.uint32:
        weights = rows.residuals.view(F).astype(np.float64)
    else:
        table, bare = table_of(rows.signed), codes.astype(np.int64)
        negative = bare >= table.n
        bare -= table.n * negative
        place = rows.residuals.astype(np.int64) + 1
        bits = table.lowest + bare * table.step + (place * table.unit + 128) // 256
        sizes = np.where(bare == 0, (place * table.tiny / 65536).astype(F), float_of(bits))
        scales = 2.0 ** ((rows.heads[:-1] & 0xFFFF) - EXPONENT_BIAS).astype(np.float64)
        weights = np.where(negative, -sizes, sizes) * np.repeat(scales, np.diff(ends))
    out[np.repeat(np.arange(rows.n), np.diff(ends)), columns] = weights
    return out


class Asked:
    """A segment and a query; the true scores of its places, and which of them share a term with it."""

    def __init__(self, segment: Segment, query: np.ndarray, k: int) -> None:
        self.segment, self.k, n = segment, k, segment.n
        held, weights = held_by(segment.rows), np.zeros(segment.rows.n_terms)
        used = np.arange(COLUMNS) if segment.rows.terms is None else segment.rows.terms // 50_000
        weights[:] = query.astype(F)[used]
        self.scores = held @ weights
        self.spreads = np.abs(held) @ np.abs(weights)
        self.living = np.ones(n, bool) if segment.dead is None else segment.dead == 0
        self.shares = (held != 0) @ (weights != 0)
        self.slots = segment.first + (np.arange(n) if segment.slots is None else segment.slots)
        self.n_units = -(-n // segment.block)
        self.scratch = Scratch(
            n_terms=COLUMNS, k=max(k, 1), n_docs=n, n_units=self.n_units, n_columns=segment.rows.n_terms
        )
        part(self.scratch, WEIGHTS, len(weights), F)[:] = weights
        self.weight_sum = float(np.abs(weights).sum())

    def ask(self, units: np.ndarray | None, floor: float = -np.inf) -> tuple[np.ndarray, np.ndarray]:
        """(slots, scores) of the answers; None: of all documents."""
        n = -1 if units is None else len(units)
        if units is not None:
            part(self.scratch, CHOSEN, n, np.int32)[:] = units
        out = np.full(self.k + 1, 77)
        plan = address(self.segment.plan)
        m = rescore(plan, self.scratch.address, n, self.k, self.weight_sum, F(floor), address(out))
        assert 0 <= m <= self.k and out[self.k] == 77
        keys = np.sort(out[:m])
        high = -(keys >> 32)  # scores are their ordinals
        slots, bits = keys & 0xFFFFFFFF, (keys >> 32).astype(np.int32)
        found = -np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int32).view(F).astype(np.float64)
        assert len(high) == m and len(set(slots.tolist())) == m
        return slots, found

    def assert_best(self, units: np.ndarray | None, floor: float = -np.inf, near: float = 3e-7) -> None:
        """The best of those asked for, each with its score; near: relative to the sum of absolute products."""
        block = self.segment.block
        asked = np.ones(self.segment.n, bool) if units is None else np.isin(np.arange(self.segment.n) // block, units)
        part(self.scratch, N_SCORED, 1)
        before = int(self.scratch.memory[N_SCORED])
        slots, found = self.ask(units, floor)
        assert self.scratch.memory[N_SCORED] - before == (asked & self.living).sum()
        asked &= self.living & (self.shares > 0)
        place_of = np.empty(self.segment.n, int)
        place_of[self.slots - self.segment.first] = np.arange(self.segment.n)
        places = place_of[slots - self.segment.first]
        assert asked[places].all()
        error = near * self.spreads + 1e-45
        assert (np.abs(found - self.scores[places]) <= error[places]).all()
        assert (np.diff(found) <= 0).all() and (np.diff(slots)[np.diff(found) == 0] > 0).all()
        others = asked.copy()
        others[places] = False
        if len(slots) < self.k:  # all were given that reach the floor
            assert (self.scores[others] - error[others] <= floor).all()
        elif len(slots):
            worst = found[-1]
            assert (self.scores[others] - error[others] <= max(worst, floor)).all()


QUERIES = {
    "positive": lambda rng: rng.gamma(2, 1, COLUMNS) * (rng.random(COLUMNS) < 0.4),
    "signed": lambda rng: rng.normal(size=COLUMNS) * (rng.random(COLUMNS) < 0.4),
    "one": lambda rng: np.eye(COLUMNS)[7] * 3,
    "none": lambda rng: np.zeros(COLUMNS),
}


@STORED
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("near", [False, True])
def test_the_best_of_some_and_of_all_are_those_of_float64(stored: str, signed: bool, near: bool) -> None:
    rng = np.random.default_rng(0)
    segment = segment_of(dense_rows(500, 3, signed=signed, near=near), stored, first=1000)
    assert segment.rows.column_bytes == 2 and (segment.slots is not None) == (stored == "blocked")
    for dead in (None, rng.random(500) < 0.2, np.ones(500, bool)):
        with_dead = segment if dead is None else segment.without(1000 + np.flatnonzero(dead))
        for name, make in QUERIES.items():
            query = make(rng)
            for k in (1, 7, 500, 600):
                asked = Asked(with_dead, query, k)
                asked.assert_best(None)
                touched = np.flatnonzero(asked.shares)  # what a caller asks for shares a term
                units = np.unique(touched // segment.block)
                asked.assert_best(units)
                some = rng.permutation(units)[: max(1, 3 * k)]
                asked.assert_best(some)
                asked.assert_best(some[:0])
                if name != "none" and len(touched):
                    asked.assert_best(None, float(np.median(asked.scores[touched])))
                    asked.assert_best(units, float(asked.scores[touched].max()) * 1.001 + 1)


def test_wide_columns_are_scored_alike() -> None:
    rng = np.random.default_rng(1)
    n, dim = 7000, 200_000
    columns = np.sort(rng.choice(dim, (n, 10)), axis=1)
    columns = np.array([np.unique(row)[:8] if len(np.unique(row)) >= 8 else row[:1] for row in columns], object)
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.concatenate(columns).astype(np.int32)
    csr = Csr(ends, flat, (rng.gamma(2, 1, len(flat)) + 0.01).astype(F), dim + 70_000)
    filler = Csr(np.array([0, 70_000]), np.arange(dim, dim + 70_000, dtype=np.int32), np.full(70_000, 0.5, F), csr.dim)
    segment = arranged(parted(csr.followed_by(filler), "f24", CALLER), 0, IMPACT, CALLER)
    assert segment.rows.column_bytes == 4
    rows = segment.rows
    weights = np.where(rng.random(rows.n_terms) < 0.3, rng.normal(size=rows.n_terms), 0).astype(F)
    scratch = Scratch(n_terms=10, k=20, n_docs=rows.n, n_units=rows.n, n_columns=rows.n_terms)
    part(scratch, WEIGHTS, rows.n_terms, F)[:] = weights
    place, values = rows.contents()
    products = values.astype(np.float64) * weights[place]
    scores = np.add.reduceat(products, rows.indptr()[:-1])
    out = np.zeros(20, np.int64)
    m = rescore(
        address(segment.plan), scratch.address, -1, 20, float(np.abs(weights).sum()), F(-np.inf), address(out)
    )
    assert m == 20 and np.sort(out & 0xFFFFFFFF).tolist() == np.sort(np.argsort(-scores)[:20]).tolist()


@pytest.mark.parametrize("stored", ["f24", "f32", "equal"])
def test_equal_scores_go_to_the_lower_slots(stored: str) -> None:
    dense = np.zeros((400, COLUMNS), F)
    dense[:, 3], dense[:, 4] = 0.7, 1.0
    dense[::2, 3] = 0.3
    segment = segment_of(dense, stored, first=50)
    for k in (1, 5, 199, 200, 201, 400):
        slots, _ = Asked(segment, np.eye(COLUMNS)[3], k).ask(None)
        best = np.arange(400) if stored == "equal" else np.r_[1:400:2, 0:400:2]
        assert slots.tolist() == (50 + best[:k]).tolist()


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from(["f24", "f32"]), st.sampled_from([1e-37, 1e-20, 1.0, 1e20, 1e37]),
    st.sampled_from([1e-30, 1.0, 1e30]), st.booleans(),
)  # fmt: skip
def test_sizes_of_weights_do_not_matter(seed: int, stored: str, of_rows: float, of_query: float, signed: bool) -> None:
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((60, COLUMNS)) < 0.3, rng.uniform(0.01, 3, (60, COLUMNS)) * of_rows, 0).astype(F)
    if signed:
        dense *= rng.choice([-1, 1], dense.shape).astype(F)
    query = rng.normal(size=COLUMNS) * of_query
    if not 1e-36 < of_rows * of_query < 1e36:
        return
    asked = Asked(segment_of(dense, stored), query, 3)
    asked.assert_best(None)
    asked.assert_best(np.flatnonzero(asked.shares))


@pytest.mark.parametrize("stored", ["f24", "f32"])
def test_products_that_are_no_float32_do_not_hide_documents(stored: str) -> None:
    """Query weights at the bottom of float32 meet weights in a scale of their own: scores are ordinary numbers."""
    dense = np.zeros((60, COLUMNS), F)
    dense[:, 9] = 1
    dense[:20, 3:6] = 0.45 + 0.001 * np.arange(20)[:, None]  # of three products each is nearer to 0 than to 1e-45
    dense[20:, 3] = 0.6 + 0.005 * np.arange(40)
    query = np.zeros(COLUMNS)
    for weight in (2.0**-149, 3 * 2.0**-149):
        query[3:6] = weight
        for k in (4, 14, 30):
            asked = Asked(segment_of(dense * F(2.0**100), stored), query, k)
            asked.assert_best(None)
            asked.assert_best(np.arange(60))


@pytest.mark.parametrize("stored", ["f24", "f32"])
def test_sums_beyond_float32_do_not_hide_documents(stored: str) -> None:
    """Query weights at the top of float32 meet small weights: in their row's scale sums overflow, scores do not."""
    dense = np.zeros((60, COLUMNS), F)
    dense[:30, 3] = dense[:30, 4] = np.linspace(1e-12, 2e-12, 30)
    dense[30:, 3] = np.linspace(1e-9, 2e-9, 30)
    dense[30:, 5] = 1e-3
    dense[5, 3] = -1e-12
    query = np.zeros(COLUMNS)
    query[3] = query[4] = 3e38
    asked = Asked(segment_of(dense, stored), query, 4)
    assert np.isfinite(asked.scores.astype(F)).all()
    asked.assert_best(None)
    asked.assert_best(np.arange(60))
