"""The curve of a sparse index: recall by steps of a ladder of settings, against exact search, on queries off the data.

Queries are made of documents that are spread over the index: the heavier half of their entries, after each weight was
changed at random. On real sets their recall is not above that of real queries.
"""

from __future__ import annotations

import numpy as np

from vecrecall.csr import Csr
from vecrecall.curve import ASKING, ENOUGH, Curve, cautious
from vecrecall.sparse.content import Content
from vecrecall.sparse.parameters import Settings
from vecrecall.sparse.rows import taken
from vecrecall.sparse.searcher import Searcher
from vecrecall.threads import Workers

NAMES = ("step",)
LADDER = (
    Settings(8, 0.95, 0.16), Settings(12, 0.95, 0.1), Settings(12, 0.9, 0.1), Settings(20, 0.9, 0.08),
    Settings(32, 0.9, 0.06), Settings(32, 0.85, 0.06), Settings(64, 0.8, 0.06), Settings(64, 0.7, 0.05),
    Settings(128, 0.6, 0.04), Settings(256, 0.5, 0.02), Settings(1024, 0.4, 0.01), Settings(30000, 0.3, 0.0),
)  # fmt: skip
_CHANGED = 0.7  # standard deviation of the logarithm of what weights are multiplied by
_ROUNDING = np.float32(1e-6)


def measured_curve(searcher: Searcher, seed: int, n_workers: int) -> Curve | None:
    """The curve of what a searcher holds; None where it holds nothing to ask with."""
    points: list[tuple[float, ...]] = []
    for k, n_asking in ASKING.items():
        queries = asking(searcher.content, n_asking, np.random.Generator(np.random.PCG64(seed)))
        if queries.n == 0:
            return None
        truth = searcher.answer(queries, k, LADDER[0], True, n_workers)[1]
        existing = np.isfinite(truth)
        last = np.where(existing, truth, -np.inf).max(axis=1)[:, None]
        for step, settings in enumerate(LADDER, start=1):
            found = searcher.answer(queries, k, settings, False, n_workers)[1]
            right = np.minimum((found <= last + _ROUNDING * np.abs(last)).sum(axis=1), existing.sum(axis=1))
            shares = np.where(existing.any(axis=1), right / np.maximum(existing.sum(axis=1), 1), 1.0)
            recall = float(cautious(shares[:, None])[0])
            points.append((k, recall, step, step))
            if recall >= ENOUGH:
                break
    return Curve.of_points(NAMES, points, searcher.content.n)


def asking(content: Content, n_asking: int, rng: np.random.Generator) -> Csr:
    """Queries made of living documents with entries that are spread over the segments."""
    indptr, columns, values = [np.zeros(1, np.int64)], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    with Workers(1) as workers:
        for segment in content.segments:
            filled = np.flatnonzero((np.diff(segment.rows.indptr()) > 0) & (segment.living()))
            wanted = min(len(filled), -(-n_asking * segment.n // content.n))
            places = filled[np.unique(np.linspace(0, len(filled) - 1, wanted).astype(np.int64))]
            parts = taken(segment.rows, places)
            indptr.append(parts.indptr[1:] + indptr[-1][-1])
            columns.append(parts.columns.astype(np.int32))
            values.append(parts.packed(workers).weights())
    rows = Csr(np.concatenate(indptr), np.concatenate(columns), np.concatenate(values), content.dim)
    return _heavier_half(rows, rng)


def _heavier_half(rows: Csr, rng: np.random.Generator) -> Csr:
    changed = (rows.values * np.exp(rng.normal(0, _CHANGED, len(rows.values)))).astype(np.float32)
    changed = np.where(np.isfinite(changed) & (changed != 0), changed, rows.values)
    lengths = np.diff(rows.indptr)
    row = np.repeat(np.arange(rows.n), lengths)
    order = np.lexsort((-np.abs(changed), row))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(rows.indptr[:-1], lengths)
    kept = 2 * rank < np.repeat(lengths, lengths)
    ends = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    return Csr(ends, rows.columns[kept], changed[kept], rows.dim)
