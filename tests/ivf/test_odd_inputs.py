"""Odd inputs, ordinary answers: the tables of what is accepted and what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from vecrecall.exact.index import Exact
from vecrecall.ivf.index import IVF
from vecrecall.loading import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1100, 12)).astype(np.float32)
Q = RNG.normal(size=(20, 12)).astype(np.float32)
Measured = Callable[..., float]

SHAPES = {
    "one row": X[:1],
    "two rows": X[:2],
    "31 rows": X[:31],
    "32 rows": X[:32],
    "33 rows": X[:33],
    "1023 rows": X[:1023],
    "1024 rows": X[:1024],
    "1025 rows": X[:1025],
    "one dimension": X[:, :1],  # under cosine and ip two directions
    "17 dimensions": np.tile(X, 2)[:, :17],
    "all equal": np.ones((1100, 12), np.float32),
    "all zero": np.zeros((1100, 12), np.float32),
    "each row twice": np.repeat(X[:550], 2, axis=0),
    "two different rows": np.repeat(X[:2], 550, axis=0),
    "half of the rows equal": np.where(np.arange(1100)[:, None] % 2 == 0, 3, X),
    "a fifth of the rows zero": np.where(np.arange(1100)[:, None] % 5 == 0, 0, X),
    "constant columns": X * (np.arange(12) % 3 == 0) + 5,
    "a hub": np.where(np.arange(1100)[:, None] == 7, 0, X / np.linalg.norm(X, axis=1, keepdims=True)),
    "far from the origin": X + 1000,
    "huge": X * 1e17,
    "tiny": X * 1e-12,
    "whole numbers": np.round(40 * X),
    "bits": (X > 0).astype(np.float32),
}


def questions(rows: np.ndarray) -> np.ndarray:
    """Rows, moved a little in the directions in which rows differ."""
    rng = np.random.default_rng(1)
    return (rows[rng.integers(0, len(rows), 40)] + 0.3 * rows.std(0) * rng.normal(size=(40, 1))).astype(np.float32)


@pytest.mark.filterwarnings("ignore:.* zero .* vector")
@pytest.mark.parametrize(("metric", "storage"), [("l2", "sq4"), ("ip", "sq4"), ("cosine", "sq4"), ("l2", "sq8")])
@pytest.mark.parametrize("name", SHAPES)
def test_odd_rows_are_found(name: str, metric: str, storage: str) -> None:
    rows = SHAPES[name].astype(np.float32)
    index = IVF.build(rows, metric=metric, storage=storage, n_lists=8)
    index.check()
    hits = index.search(questions(rows), k=3)
    assert (hits.counts >= min(3, len(rows), 1)).all() and np.isfinite(hits.distances[hits.ids >= 0]).all()
    assert all(len(set(found.tolist())) == len(found) for found, _ in hits)
    deep = index.search(questions(rows), k=10, nprobe=8, rerank=len(rows))
    truth = Exact.build(rows, metric=metric).search(questions(rows), k=10)
    near = 1e-6 * np.abs(truth.distances[np.isfinite(truth.distances)]).max() + 1e-10 * (metric == "cosine")
    np.testing.assert_allclose(deep.distances, truth.distances, rtol=3e-6, atol=near)
    few = index.search(questions(rows), k=10, nprobe=8, rerank=100)
    assert np.isclose(few.distances, truth.distances, rtol=3e-6, atol=near).mean() > 0.9
    for part in (rows[:1], rows[:3]):
        index.add(part)
    index.check()


def mapped(path: Path, rows: np.ndarray) -> np.ndarray:
    np.save(path / "rows.npy", rows)
    return np.load(path / "rows.npy", mmap_mode="r")


def read_only(rows: np.ndarray) -> np.ndarray:
    rows = rows.copy()
    rows.flags.writeable = False
    return rows


CONVERSIONS = {
    "list": lambda rows, path: rows.tolist(),
    "float64": lambda rows, path: rows.astype(np.float64),
    "big-endian": lambda rows, path: rows.astype(">f4"),
    "Fortran order": lambda rows, path: np.asfortranarray(rows),
    "strided": lambda rows, path: np.repeat(rows, 2, axis=0)[::2],
    "backwards": lambda rows, path: rows[::-1].copy()[::-1],
    "read-only": lambda rows, path: read_only(rows),
    "memmap": lambda rows, path: mapped(path, rows),
}


@pytest.mark.parametrize("name", CONVERSIONS)
@pytest.mark.parametrize("keep", ["auto", None])
def test_a_matrix_of_any_kind_builds_adds_and_asks_the_same(
    name: str, keep: str | None, tmp_path: Path, digest: Callable
) -> None:
    convert = CONVERSIONS[name]
    plain, other = (IVF.build(rows, n_lists=5, keep=keep) for rows in (X[:1050], convert(X[:1050], tmp_path)))
    plain.add(X[1050:])
    other.add(convert(X[1050:], tmp_path))
    assert digest(plain) == digest(other)
    for k in (1, 7):
        assert plain.search(Q, k=k).ids.tolist() == other.search(convert(Q, tmp_path), k=k).ids.tolist()
    assert plain.search(Q[0]).distances.tolist() == other.search(convert(Q[:1], tmp_path)).distances[0].tolist()
    np.testing.assert_array_equal(plain.search(Q[0]).ids, other.search(convert(Q[0], tmp_path)).ids)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.float16, ml_dtypes.bfloat16])
def test_numbers_of_any_type_are_found(dtype: type, measured: Measured) -> None:
    rows = np.round(np.abs(X) * 40).clip(0, 100).astype(dtype)
    index = IVF.build(rows, n_lists=5)
    assert measured(index, rows.astype(np.float32), Q, nprobe=5, rerank=100) == 1
    assert "rows kept as u8" in repr(index)


def test_the_callers_memory_is_not_kept() -> None:
    rows, queries = X.copy(), Q.copy()
    for n in (500, 1100):
        index = IVF.build(rows[:n])
        before = index.search(queries).ids.tolist()
        rows[:n] = 0
        index.check()
        assert index.search(queries).ids.tolist() == before
        rows[:n] = X[:n]


def test_ordinary_rows_and_zero_rows_of_other_metrics_give_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        IVF.build(X, metric="cosine").search(Q)
        for metric in ("l2", "ip"):
            for n in (5, 1100):
                IVF.build(np.zeros((n, 2)), metric=metric).search(np.zeros((2, 2)))


REFUSED_ROWS = [
    (X[0], ValueError, "X has shape .12,., expected two dimensions"),
    (X[None], ValueError, "shape"),
    (np.empty((5, 0)), ValueError, "at least one value"),
    ([[1.0, 2.0], [3.0]], ValueError, "ragged"),
    ([["a", "b"]], TypeError, "dtype"),
    (X * 1j, TypeError, "complex"),
    (X.astype(object), TypeError, "object"),
    (np.ma.masked_array(X), TypeError, "masked"),
    (np.where(X == X[5, 3], np.nan, X), ValueError, "X row 5, column 3 is nan"),
    (np.where(X == X[5, 3], -np.inf, X), ValueError, "X row 5, column 3 is -inf"),
    (np.full((2, 12), 1e39), ValueError, "overflows float32"),
    (np.full((2, 12), 1e20), ValueError, "X row 0 has a norm"),
]


@pytest.mark.parametrize(("rows", "error", "words"), REFUSED_ROWS, ids=[words for *_, words in REFUSED_ROWS])
def test_rows_that_cannot_be_right_are_refused_by_builds_and_adds(
    rows: object, error: type, words: str, undamaged: Callable[[IVF], None]
) -> None:
    with pytest.raises(error, match=words):
        IVF.build(rows)
    index = IVF.build(X)
    undamaged(index)
    with pytest.raises(error, match=f"{words}|2 columns" if isinstance(rows, list) else words):
        index.add(rows)


REFUSED_QUERIES = [
    (Q[:, :5], ValueError, "5 columns, the index holds vectors of 12"),
    (Q[0, :5], ValueError, "5 columns, the index holds vectors of 12"),
    (Q[None], ValueError, "shape"),
    (3.0, ValueError, "shape"),
    (np.where(Q == Q[4, 2], np.nan, Q), ValueError, "Q row 4, column 2 is nan"),
    (np.where(Q == Q[4, 2], np.inf, Q).astype(np.float64), ValueError, "Q row 4, column 2 is inf"),
    (np.full(12, np.nan, np.float32), ValueError, "Q row 0, column 0 is nan"),
    (np.full(12, 1e19, np.float32), ValueError, "norm"),
    (np.full(12, 1e300), ValueError, "overflows float32"),
]


@pytest.mark.parametrize("n", [500, 1100])
@pytest.mark.parametrize(("queries", "error", "words"), REFUSED_QUERIES, ids=[words for *_, words in REFUSED_QUERIES])
def test_queries_that_cannot_be_right_are_refused_and_the_next_ones_answered(
    queries: object, error: type, words: str, n: int
) -> None:
    index = IVF.build(X[:n], n_lists=5)
    before = index.search(Q, k=4)
    for _ in range(2):
        for settings in ({}, {"nprobe": 1}, {"nprobe": 5}):
            with pytest.raises(error, match=words):
                index.search(queries, k=4, **settings)
    after = index.search(Q, k=4)
    assert after.ids.tolist() == before.ids.tolist() and after.distances.tobytes() == before.distances.tobytes()


def test_no_queries_and_no_rows_give_no_answers() -> None:
    for n in (0, 10, 1100):
        hits = IVF.build(X[:n]).search(np.empty((0, 12)), k=3)
        assert hits.ids.shape == hits.distances.shape == (0, 3) and len(hits) == 0
    for keep in ("auto", "u8", None):
        empty = IVF.build(np.empty((0, 12)), keep=keep)
        assert (len(empty), empty.dim, empty.n_lists, empty.curve.shape) == (0, 12, 0, (0, 5))
        for queries in (Q, Q[:1], np.tile(Q, (5, 1))):
            hits = empty.search(queries, k=4)
            assert (hits.counts == 0).all() and (hits.ids == -1).all() and np.isinf(hits.distances).all()
            assert (hits.evals == 0).all()
        empty.check()


@pytest.mark.parametrize("n", [20, 1100])
def test_ids_of_strings_and_scattered_integers_come_back(n: int, tmp_path: Path) -> None:
    for ids in ([f"w{i}" for i in range(n)], (RNG.permutation(n) * 10**12 - 5 * 10**12).tolist()):
        index = IVF.build(X[:n], ids=ids, n_lists=4)
        hits = index.search(X[:9], k=1, nprobe=4)
        assert hits.ids[:, 0].tolist() == ids[:9]
        missing = index.search(X[0], k=n + 2).ids[-1]
        assert missing is None if isinstance(ids[0], str) else missing == -1
        index.save(tmp_path / "i.vr")
        assert load(tmp_path / "i.vr").search(X[:9], k=1, nprobe=4).ids.tolist() == hits.ids.tolist()
        for repeated in ([ids[3]], ["x", "x"] if isinstance(ids[0], str) else [17, 17]):
            with pytest.raises(ValueError, match="ids holds"):
                index.add(X[: len(repeated)], ids=repeated)
        index.add(X[:1] + 0.5, ids=["new" if isinstance(ids[0], str) else 17])
        assert index.search(X[0] + 0.5, k=1, nprobe=4).ids[0] in ("new", 17)
        index.check()
