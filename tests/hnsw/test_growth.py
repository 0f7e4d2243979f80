"""Adding: recall of a grown index, codes that are trained again, and calls that fail and leave no trace."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vecrecall.hnsw.building import Builder
from vecrecall.hnsw.index import HNSW
from vecrecall.hnsw.training import FEWEST
from vecrecall.loading import load

METRICS = ("l2", "ip", "cosine")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2600, 24)).astype(np.float32)
Q = RNG.normal(size=(50, 24)).astype(np.float32)
Measured = Callable[..., float]
Undamaged = Callable[[HNSW], None]


def rows_like_a_corpus(n: int, dim: int = 64) -> np.ndarray:
    """Rows in a flat cloud of low intrinsic dimension."""
    rng = np.random.default_rng(1)
    return (rng.normal(size=(n, dim)) * 0.9 ** np.arange(dim)).astype(np.float32)


@pytest.mark.parametrize(("drifting", "metric"), [(False, "l2"), (False, "ip"), (True, "l2"), (True, "cosine")])
def test_an_index_grown_from_1000_rows_finds_what_one_built_at_once_finds(
    drifting: bool, metric: str, clusters: Callable, measured: Measured
) -> None:
    if drifting:  # one cluster after another, far apart
        X, Q = clusters(40, 20_000, 64, 30)
    else:
        X, Q = rows_like_a_corpus(20_000), rows_like_a_corpus(200)
    grown = HNSW.build(X[:1000], metric=metric)
    sizes = [1000, 1500, 3000, 6000, 12_000, 20_000]
    trained = []
    for lo, hi in zip(sizes, sizes[1:]):
        grown.add(X[lo:hi])
        trained.append(grown._content.walked.codec.n_trained)
    grown.check()
    assert trained == sorted(trained) and trained[0] == 1500 and trained[-1] == 8192
    at_once = HNSW.build(X, metric=metric)
    for ef in (32, 64):
        assert measured(grown, X, Q, ef=ef) > measured(at_once, X, Q, ef=ef) - 0.01


def test_codes_are_trained_again_when_rows_of_another_kind_arrive() -> None:
    first = rows_like_a_corpus(9000, 32)
    index = HNSW.build(first)
    codec = index._content.walked.codec
    index.add(first[:1000] + 0.1)
    assert index._content.walked.codec is codec
    index.add(100 + 10 * RNG.normal(size=(1500, 32)))
    assert getattr(index._content.walked, "codec", None) is not codec  # another, or floats where none is a guide


@pytest.mark.parametrize("n", [1200, 9000])
def test_rows_that_arrive_far_from_all_others_are_found_as_if_built_at_once(n: int, measured: Measured) -> None:
    first, far = rows_like_a_corpus(n, 32), rows_like_a_corpus(150, 32) + 8
    grown, together = HNSW.build(first), np.concatenate([first, far])
    grown.add(far)
    at_once = measured(HNSW.build(together), together, far)
    assert measured(grown, together, far) > at_once - 0.02 > 0.7  # 0.0 while codes are the old ones


def test_one_row_far_out_neither_trains_codes_anew_nor_spoils_them(measured: Measured) -> None:
    rows, Q = rows_like_a_corpus(9000, 32), rows_like_a_corpus(100, 32)
    index = HNSW.build(rows)
    codec = index._content.walked.codec
    index.add(rows[:1] + 1e6)
    assert index._content.walked.codec is codec
    with_it = np.concatenate([rows[:1] + 1e6, rows[1:]]).astype(np.float32)
    assert measured(HNSW.build(with_it), with_it, Q) > 0.98  # 0.003 when codes are made for its sake


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [1, 2, 24, FEWEST - 1])
def test_fewer_rows_than_codes_need_are_scanned_exactly(n: int, metric: str, measured: Measured) -> None:
    index = HNSW.build(X[:n], metric=metric)
    hits = index.search(Q, k=5, ef=1)
    assert (hits.evals == n).all() and (hits.counts == min(n, 5)).all()
    assert measured(index, X[:n], Q) == 1
    assert "scanned until" in repr(index)
    index.check()


def test_the_row_that_makes_enough_builds_the_graph(measured: Measured) -> None:
    index = HNSW.build(X[: FEWEST - 1])
    assert index._content.graph.n == 0
    index.add(X[FEWEST - 1 : FEWEST])
    assert index._content.graph.n == FEWEST and (index.search(Q, ef=16).evals < FEWEST).all()
    assert measured(index, X[:FEWEST], Q) > 0.99  # 1.0
    index.check()


@pytest.mark.parametrize("kind", [{}, {"storage": "f32"}, {"keep": None}, {"storage": "f32", "schedule": "sequential"}])
def test_rows_added_one_by_one_are_found(kind: dict) -> None:
    index = HNSW.build(X[:1100], M=6, **kind)
    for i in range(1100, 1130):
        index.add(X[i : i + 1])
    index.check()
    hits = index.search(X[1100:1130], k=1)
    assert (hits.ids[:, 0] == np.arange(1100, 1130)).mean() >= (0.9 if "keep" in kind else 1)


def test_adding_nothing_changes_nothing(undamaged: Undamaged) -> None:
    index = HNSW.build(X[:1200], M=6)
    undamaged(index)
    index.add(np.empty((0, 24)))


def test_an_index_may_begin_empty() -> None:
    for storage in ("sq4", "f32"):
        index = HNSW.build(np.empty((0, 24)), storage=storage, M=6)
        assert (len(index), index.dim) == (0, 24)
        hits = index.search(Q[:3], k=4)
        assert hits.counts.tolist() == [0, 0, 0] and (hits.ids == -1).all() and np.isinf(hits.distances).all()
        index.check()
        index.add(X[:1200])
        assert (index.search(X[:20], k=1).ids[:, 0] == np.arange(20)).all()
        index.check()


KINDS = [
    {"storage": "sq4"},
    {"storage": "sq8", "metric": "ip"},
    {"storage": "f32", "metric": "cosine"},
    {"storage": "sq4", "keep": None},
    {"storage": "f16", "keep": None},
    {"storage": "f32", "schedule": "sequential"},
]
named = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))


def interrupt(patch: pytest.MonkeyPatch, step: str, at_call: int) -> None:
    """Ctrl-C in the middle of a build: the n-th call of a step of the builder raises KeyboardInterrupt."""
    real, calls = getattr(Builder, step), []

    def interrupted(self: Builder, *args: object) -> object:
        calls.append(None)
        if len(calls) == at_call:
            raise KeyboardInterrupt
        return real(self, *args)

    patch.setattr(Builder, step, interrupted)


@named
@pytest.mark.parametrize(("step", "at_call"), [("_insert_batch", 3), ("link_back", 4), ("repair", 1)])
def test_an_interrupted_add_leaves_bytes_and_answers_as_they_were(
    step: str, at_call: int, kind: dict, digest: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind.get("schedule") == "sequential" and step != "repair":
        pytest.skip("the textbook has no batches")
    index, untouched = (HNSW.build(X[:1500], M=6, **kind) for _ in range(2))
    before = index.search(Q)
    with monkeypatch.context() as patch:
        interrupt(patch, step, at_call)
        with pytest.raises(KeyboardInterrupt):
            index.add(X[1500:2600])
    assert digest(index) == digest(untouched) and len(index) == 1500
    after = index.search(Q)
    assert after.ids.tobytes() == before.ids.tobytes() and after.distances.tobytes() == before.distances.tobytes()
    index.check()
    for one in (index, untouched):
        one.add(X[1500:1700])
    assert digest(index) == digest(untouched)
    index.check()


def test_an_interrupted_build_leaves_nothing_and_the_next_one_works(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, "_insert_batch", 2)
        with pytest.raises(KeyboardInterrupt):
            HNSW.build(X)
    HNSW.build(X[:1200]).check()


@pytest.mark.parametrize(
    ("rows", "ids", "error", "words"),
    [
        (np.where(np.arange(24) == 5, np.nan, X[:3]), None, ValueError, "row 0, column 5"),
        (X[:3, :7], None, ValueError, "7 columns, the index holds vectors of 24"),
        (X[:2], ["a", "new"], ValueError, "'a'"),
        (X[:2], ["new", "new"], ValueError, "'new'"),
        (X[:2], ["new"], ValueError, "1"),
        (X[:2], [7, 8], (TypeError, ValueError), ""),
        (X[:2], None, ValueError, "ids"),
    ],
)
def test_a_refused_add_leaves_the_index_as_it_was(
    rows: np.ndarray, ids: list | None, error: type, words: str, undamaged: Undamaged
) -> None:
    index = HNSW.build(X[:1100], ids=["a", *map(str, range(1, 1100))], M=6)
    undamaged(index)
    with pytest.raises(error, match=words or None):
        index.add(rows, ids=ids)


def test_a_type_of_kept_rows_that_would_lose_values_is_refused(undamaged: Undamaged) -> None:
    index = HNSW.build(np.round(X[:1100]), keep="f16", M=6)
    undamaged(index)
    with pytest.raises(ValueError, match="keep='f16' was given, but some values need f32"):
        index.add(X[:5])


def test_kept_rows_widen_when_wider_ones_arrive(measured: Measured) -> None:
    whole = np.round(X[:1200] * 20).clip(-100, 100) + 100
    index = HNSW.build(whole, M=6, storage="f32")
    assert "rows kept as u8" in repr(index)
    index.add(X[:100])
    assert "rows kept as f32" in repr(index)
    index.check()
    assert measured(index, np.concatenate([whole, X[:100]]).astype(np.float32), Q) > 0.98


def test_a_mapped_index_grows_without_touching_its_file(tmp_path, digest: Callable) -> None:
    index = HNSW.build(X[:1500], M=6)
    index.save(tmp_path / "i.vr")
    before = (tmp_path / "i.vr").read_bytes()
    mapped = load(tmp_path / "i.vr")
    mapped.add(X[1500:])
    mapped.check()
    assert (tmp_path / "i.vr").read_bytes() == before and len(mapped) == 2600
