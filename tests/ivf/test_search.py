"""Answers: exact where everything is looked at, the same alone and in a batch, and counted."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.exact.index import Exact
from vecrecall.hits import Hits
from vecrecall.ivf.index import IVF
from vecrecall.ivf.rotated import Rotated
from vecrecall.threads import Workers

METRICS = ("l2", "ip", "cosine")
STORAGES = ("sq4", "sq8")
N, LISTS = 2600, 40
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 20)).astype(np.float32)
Q = RNG.normal(size=(130, 20)).astype(np.float32)
WHOLE = np.round(2 * RNG.normal(size=(N, 6))).astype(np.float32)  # equal rows, and many at equal distances
KINDS = [(metric, storage) for metric in METRICS for storage in STORAGES]
of_all_kinds = pytest.mark.parametrize(("metric", "storage"), KINDS)
Indexes = dict[tuple[str, str], IVF]


@pytest.fixture(scope="module")
def indexes() -> Indexes:
    return {kind: IVF.build(X, metric=kind[0], storage=kind[1], n_lists=LISTS) for kind in KINDS}


def same(a: Hits, b: Hits) -> bool:
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in ("ids", "distances", "evals"))


SETTINGS = [{}, {"nprobe": 1, "rerank": 10}, {"nprobe": 3, "rerank": 30}, {"nprobe": LISTS}, {"nprobe": 9, "k": 200}]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@of_all_kinds
def test_an_answer_depends_on_neither_batch_nor_threads(
    metric: str, storage: str, settings: dict, indexes: Indexes
) -> None:
    index = indexes[metric, storage]
    together = index.search(Q, threads=1, **settings)
    assert same(index.search(Q, threads=2, **settings), together)
    for size in (1, 3, 8, 9, 100):
        parts = [index.search(Q[lo : lo + size], **settings) for lo in range(0, len(Q), size)]
        for name in ("ids", "distances", "evals"):
            got = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(got, getattr(together, name))
    single = index.search(Q[5], **settings)
    assert single.ids.tolist() == together.ids[5].tolist() and single.evals == together.evals[5]


@pytest.mark.parametrize("keep", ["auto", None])
@pytest.mark.parametrize("metric", METRICS)
def test_equal_rows_and_ties_are_answered_alike_alone_and_in_a_batch(metric: str, keep: str | None) -> None:
    index = IVF.build(WHOLE[WHOLE.any(1)], metric=metric, n_lists=LISTS, keep=keep)
    queries = WHOLE[WHOLE.any(1)][:100]
    for settings in ({}, {"nprobe": 2, "rerank": 11}, {"nprobe": 30, "rerank": 40}):
        together = index.search(queries, **settings)
        for size in (1, 7):
            parts = [index.search(queries[lo : lo + size], **settings) for lo in range(0, 100, size)]
            assert np.concatenate([part.ids for part in parts]).tolist() == together.ids.tolist()


@of_all_kinds
def test_all_lists_and_deep_ranking_give_exact_search(metric: str, storage: str, indexes: Indexes) -> None:
    truth = Exact.build(X, metric=metric).search(Q, k=20)
    for many in (N, 10**6):  # more than there is means all there is
        hits = indexes[metric, storage].search(Q, k=20, nprobe=many, rerank=many)
        np.testing.assert_array_equal(hits.ids, truth.ids)
        np.testing.assert_allclose(hits.distances, truth.distances, rtol=2e-6, atol=1e-7)
        assert (hits.evals == LISTS + N).all()


@of_all_kinds
def test_distances_are_exact_whatever_is_probed(metric: str, storage: str, indexes: Indexes) -> None:
    hits = indexes[metric, storage].search(Q, k=10, nprobe=2, rerank=10)
    exact = Exact.build(X, metric=metric)
    every = exact.search(Q, k=N)
    by_row = np.empty((len(Q), N), np.float32)
    np.put_along_axis(by_row, every.ids, every.distances, axis=1)
    np.testing.assert_allclose(hits.distances, np.take_along_axis(by_row, hits.ids, 1), rtol=2e-6, atol=1e-7)
    assert (hits.distances[:, -1] >= every.distances[:, 9] - 1e-6).all() and (hits.ids != every.ids[:, :10]).any()


@of_all_kinds
def test_a_probe_looks_at_whole_lists_the_nearest_ones_and_counts_them(
    metric: str, storage: str, indexes: Indexes
) -> None:
    index, nprobe, queries = indexes[metric, storage], 6, Q[:40]
    content = index._content
    assert content.lists is not None and content.rotation is not None and content.trained is not None
    list_of = np.empty(N, int)
    for number in range(LISTS):
        list_of[content.lists.rows(number)[1]] = number
    with Workers(1) as alone:
        rotated = Rotated(content.space, content.rotation, content.trained.shift, alone)
        z, *_ = rotated(queries, np.arange(len(queries)))
    c = content.centroids.values.astype(float)
    distance = -2 * z @ c.T if metric != "ip" else -z @ c.T
    distance += 0 if metric == "ip" else (c**2).sum(1)
    nearest = np.argsort(distance, axis=1)[:, :nprobe]

    hits = index.search(queries, k=N, nprobe=nprobe)  # more places than candidates: all of them are shown
    agreed = 0
    for query, (ids, evals) in enumerate(zip(hits.ids, hits.evals)):
        found = ids[ids >= 0]
        probed = np.unique(list_of[found])
        assert len(found) == evals - LISTS == content.lists.sizes[probed].sum() and len(probed) == nprobe
        assert nearest[query, 0] in probed
        agreed += len(np.intersect1d(probed, nearest[query]))
    assert agreed > 0.96 * nearest.size  # 0.979 to 1.0: centroids are chosen by 8-bit codes


@pytest.mark.parametrize("n", [3, 1000, 1100])
def test_k_beyond_n_gives_n_hits_and_missing_places(n: int) -> None:
    for metric in METRICS:
        hits = IVF.build(X[:n], metric=metric, n_lists=5).search(Q, k=n + 5, nprobe=5)
        assert (hits.counts == n).all() and (hits.ids[:, n:] == -1).all() and np.isposinf(hits.distances[:, n:]).all()
        assert (np.sort(hits.ids[:, :n], axis=1) == np.arange(n)).all()


@pytest.mark.parametrize("keep", ["auto", None])
def test_fewer_candidates_than_k_leave_places_missing(keep: str | None) -> None:
    index = IVF.build(X, n_lists=200, keep=keep)
    assert index._content.lists is not None
    hits = index.search(Q, k=50, nprobe=1)
    assert (hits.counts == hits.evals - 200).all() and 0 < hits.counts.min() and hits.counts.max() < 50
    missing = np.arange(50) >= hits.counts[:, None]
    assert (hits.ids[missing] == -1).all() and np.isposinf(hits.distances[missing]).all()
    assert (hits.ids[~missing] >= 0).all() and np.isfinite(hits.distances[~missing]).all()


def test_rerank_below_k_is_raised_to_k_and_more_of_either_finds_more(indexes: Indexes) -> None:
    index = indexes["l2", "sq4"]
    assert same(index.search(Q, k=30, nprobe=9, rerank=2), index.search(Q, k=30, nprobe=9, rerank=30))
    truth = Exact.build(X).search(Q, k=10).ids

    def found(nprobe: int, rerank: int) -> int:
        ids = index.search(Q, nprobe=nprobe, rerank=rerank).ids
        return sum(len(np.intersect1d(ours, true)) for ours, true in zip(ids, truth))

    assert found(2, 10) < found(10, 10) < found(40, 10) < found(40, 14) < found(40, 60) == truth.size


@pytest.mark.parametrize("metric", ["l2", "ip"])
@pytest.mark.parametrize("storage", STORAGES)
def test_equally_near_rows_are_told_in_their_order(storage: str, metric: str) -> None:
    index = IVF.build(WHOLE, metric=metric, storage=storage, n_lists=LISTS)
    queries = np.round(2 * RNG.normal(size=(60, 6)))
    some, every = index.search(queries, k=30, nprobe=5), index.search(queries, k=30, nprobe=LISTS, rerank=N)
    for hits in (some, every):
        assert (np.diff(hits.distances) == 0).mean() > 0.5
        assert np.array_equal(np.lexsort((hits.ids, hits.distances)), np.tile(np.arange(30), (60, 1)))
    truth = Exact.build(WHOLE, metric=metric).search(queries, k=30)
    np.testing.assert_array_equal(every.ids, truth.ids)


@pytest.mark.filterwarnings("ignore:.* zero .* vector")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [0, 1])
def test_rows_that_are_all_equal_are_told_in_their_order(value: int, metric: str) -> None:
    rows = np.full((6000, 12), value, np.float32)
    index = IVF.build(rows, metric=metric)
    index.check()
    hits = index.search(rows[:70], k=12)
    truth = Exact.build(rows, metric=metric).search(rows[:70], k=12)
    np.testing.assert_allclose(hits.distances, truth.distances, rtol=2e-6, atol=1e-7)
    assert (hits.counts == 12).all() and (index.search(rows[:70], k=12, nprobe=6000).ids == np.arange(12)).all()


def test_large_scratch_that_waits_changes_no_later_answer(indexes: Indexes) -> None:
    index = indexes["cosine", "sq4"]
    before = index.search(Q[:20], k=5, nprobe=4, rerank=9)
    index.search(np.tile(Q, (8, 1)), k=N, nprobe=LISTS, rerank=N)
    assert same(index.search(Q[:20], k=5, nprobe=4, rerank=9), before)


@pytest.mark.parametrize("n", [1000, 1100])  # scanned, in lists
def test_zero_vectors_under_cosine_are_at_distance_1_and_counted_in_a_warning(n: int) -> None:
    rows = X[:n].copy()
    rows[[3, 700]] = 0
    with pytest.warns(UserWarning, match="2 zero row vectors under metric 'cosine': at distance 1"):
        index = IVF.build(rows, metric="cosine", n_lists=4)
    hits = index.search(Q, k=n, nprobe=4)
    for zero in (3, 700):
        assert (hits.distances[hits.ids == zero] == 1).all() and (hits.ids == zero).sum() == len(Q)
    with pytest.warns(UserWarning, match="1 zero query vector"):
        answer = index.search(np.zeros(20), k=5)
    assert (answer.distances == 1).all() and answer.ids.tolist() == [0, 1, 2, 3, 4]
    with pytest.warns(UserWarning, match="2 zero query vectors"):
        answers = index.search(np.concatenate([Q[:9], np.zeros((2, 20))]), k=5)
    assert (answers.distances[9:] == 1).all() and same(index.search(Q[:9], k=5), first_of(answers, 9))
    with pytest.warns(UserWarning, match="1 zero row vector"):
        index.add(np.zeros((1, 20)))
    index.check()


def first_of(hits: Hits, n: int) -> Hits:
    """The first n answers."""
    return Hits(hits.ids[:n], hits.distances[:n], hits.evals[:n], "cosine")
