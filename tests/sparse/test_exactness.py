"""exact=True gives the k best, equal scores by insertion, whatever documents, queries and history are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from vecrecall.sparse.index import SparseIndex
from vecrecall.sparse.postings import RANGE

HUGE = 2**31
LAYOUTS = ("impact", "blocked")
KEEPS = ("f24", "f32")
DOCUMENTS = {
    "non-negative": {},
    "signed": {"signed": True},
    "ones": {"equal": 1.0},
    "all -0.3": {"equal": -0.3},
}
Rows = Callable[..., sp.csr_array]
Check = Callable[..., None]
laid_out = pytest.mark.parametrize("layout", LAYOUTS)
kept = pytest.mark.parametrize("keep", KEEPS)


def in_steps(D: sp.csr_array, cuts: list[int], **parameters: object) -> SparseIndex:
    """Built on the rows before the first cut, then one add a cut."""
    index = SparseIndex.build(D[: cuts[0]], **parameters)
    for lo, hi in zip(cuts, cuts[1:]):
        index.add(D[lo:hi])
    return index


@laid_out
@kept
@pytest.mark.parametrize("columns", [60, HUGE])
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_exact_answers_are_the_true_ones(
    kind: str, columns: int, keep: str, layout: str, rows: Rows, exactly: Check, as_exact: Check
) -> None:
    D = rows(1100, columns, 6, **DOCUMENTS[kind])
    index = in_steps(D, [700, 1000, 1070, 1100], layout=layout, keep=keep)
    assert index.n_segments == 4
    dead = np.unique(np.random.default_rng(1).integers(0, 1100, 150)).tolist() + list(range(1070, 1080))
    Q = sp.vstack([rows(4, columns, 5, seed=2), rows(4, columns, 5, signed=True, seed=3)], format="csr")
    for gone in ([], dead):
        index.delete(gone)
        index.check()
        exactly(index, D, Q, (1, 10, 1000, 1100, 1107), gone)
        if keep == "f32" or "equal" in DOCUMENTS[kind]:
            as_exact(index, D, Q, (1, 10, 1000, 1100, 1107), gone)


@laid_out
@pytest.mark.parametrize(
    "pruned", [{"n_postings": 4}, {"alpha": 0.3}, {"alpha": 0.6, "n_postings": 30}, {"summary_energy": 0.3}], ids=str
)
@pytest.mark.parametrize("signed", [False, True])
def test_pruned_lists_change_no_exact_answer(
    signed: bool, pruned: dict, layout: str, rows: Rows, exactly: Check
) -> None:
    if layout == "impact" and "summary_energy" in pruned:
        pytest.skip("of blocks only")
    D, Q = rows(600, 40, 8, signed=signed), rows(12, 40, 5, signed=signed, seed=1)
    index = in_steps(D, [500, 600], layout=layout, **pruned)
    assert index.memory()["postings"] < in_steps(D, [500, 600], layout=layout).memory()["postings"]
    exactly(index, D, Q, (1, 10, 100, 600))


@laid_out
@pytest.mark.parametrize("pruned", [{"n_postings": 4}, {"alpha": 0.3}, {"summary_energy": 0.3}], ids=str)
def test_a_column_of_light_entries_alone_is_searched_exactly(pruned: dict, layout: str, exactly: Check) -> None:
    """Its list may have lost all its postings."""
    if layout == "impact" and "summary_energy" in pruned:
        pytest.skip("of blocks only")
    D = np.zeros((64, 3), np.float32)
    D[:, 0], D[:40, 1], D[::2, 2] = 1, 0.01, 0.5
    D = sp.csr_array(D)
    index = SparseIndex.build(D, layout=layout, **pruned)
    for q in ({1: 1.0}, {1: 100.0, 2: 0.1}, {1: 1.0, 0: -1.0}):
        Q = sp.csr_array((list(q.values()), (np.zeros(len(q), int), list(q))), shape=(1, 3), dtype=np.float32)
        exactly(index, D, Q, (1, 10, 50, 64))


@laid_out
@kept
def test_equal_documents_come_in_the_order_of_insertion(layout: str, keep: str, as_exact: Check) -> None:
    row = np.array([[0, 0.7, 0, 1.3, 0.1]], np.float32)
    for D in (np.repeat(row, 400, axis=0), np.repeat(np.concatenate([row, row[:, ::-1]]), 150, axis=0)):
        D = sp.csr_array(D)
        index = in_steps(D, [200, D.shape[0]], layout=layout, keep=keep)
        index.delete([0, 5, 201])
        ids = np.setdiff1d(np.arange(D.shape[0]), [0, 5, 201])
        assert index.search({3: 2.0}, k=10, exact=True).ids.tolist() == ids[:10].tolist()
        if keep == "f32":
            as_exact(index, D, D[:3], (1, 10, 400), [0, 5, 201])


@laid_out
@kept
def test_one_document_is_found_where_it_shares_a_column(layout: str, keep: str) -> None:
    index = SparseIndex.build(sp.csr_array([[0, 2.5, 0, -0.5]]), layout=layout, keep=keep)
    for q, ids, score in (({1: 2.0}, [0, -1], 5), ({3: 2.0}, [0, -1], -1), ({0: 1.0, 2: 1.0}, [-1, -1], None)):
        for exact in (False, True):
            hits = index.search(q, k=2, exact=exact)
            assert hits.ids.tolist() == ids and (score is None or hits.scores[0] == pytest.approx(score, rel=1e-6))


@laid_out
@pytest.mark.parametrize("weight", [1.0, -1.0, 1e-20])
def test_400_equal_terms_of_a_query_all_count(weight: float, layout: str, rows: Rows, exactly: Check) -> None:
    D = rows(900, 400, 30)
    Q = sp.csr_array(np.full((1, 400), weight, np.float32))
    exactly(SparseIndex.build(D, layout=layout), D, Q, (1, 10, 300, 900))


@laid_out
@pytest.mark.parametrize("n_terms", [255, 256, 257, 29_999, 30_001, 65_535, 70_000])
def test_queries_of_very_many_terms_are_answered(
    n_terms: int, layout: str, rows: Rows, exactly: Check, in_child: Callable
) -> None:
    D = rows(100, 70_000, 40)
    Q = sp.csr_array(rows(1, n_terms, n_terms, seed=4) + sp.csr_array(np.ones((1, n_terms), np.float32)))
    Q = sp.csr_array((Q.data, Q.indices, Q.indptr), shape=(1, 70_000))
    assert Q.nnz == n_terms

    def ask() -> bool:
        index = SparseIndex.build(D, layout=layout)
        exactly(index, D, Q, (1, 10, 100))
        for query_cut in (None, 200, 40_000, 70_000):
            assert index.search(Q, k=5, query_cut=query_cut).counts.tolist() == [5]
        return True

    assert in_child(ask)


def test_a_long_query_of_one_document_stays_in_its_memory(in_child: Callable) -> None:
    D = sp.csr_array(np.arange(1, 5001, dtype=np.float32)[None])

    def ask() -> bool:
        index = SparseIndex.build(D)
        true = float((D.data.astype(float) ** 2).sum())
        found = [index.search(D, k=3, exact=exact) for exact in (False, True) for _ in range(20)]
        return all(hits.ids.tolist() == [[0, -1, -1]] and abs(hits.scores[0, 0] / true - 1) < 1e-6 for hits in found)

    assert in_child(ask)


@laid_out
@pytest.mark.parametrize("signed", [False, True])
def test_weights_of_sixty_powers_of_ten_are_ranked_right(
    signed: bool, layout: str, rows: Rows, exactly: Check, as_exact: Check
) -> None:
    rng = np.random.default_rng(0)
    D, Q = rows(300, 20, 6), rows(12, 20, 4, seed=1)
    D.data[:], Q.data[:] = 10 ** rng.uniform(-30, 30, D.nnz), 10 ** rng.uniform(-7, 7, Q.nnz)
    if signed:
        D.data *= rng.choice(np.float32([-1, 1]), D.nnz)
        Q.data *= rng.choice(np.float32([-1, 1]), Q.nnz)
    whole = in_steps(D, [250, 300], layout=layout, keep="f32")
    exactly(whole, D, Q, (1, 10, 300))
    as_exact(whole, D, Q, (1, 10, 300))
    short = in_steps(D, [250, 300], layout=layout)
    short.check()
    greatest = abs(D).max(axis=1).toarray().reshape(-1)
    hits, expected = short.search(Q, k=300, exact=True), whole.search(Q, k=300, exact=True)
    for i in range(Q.shape[0]):
        n = int(hits.counts[i])
        assert n == expected.counts[i]
        by_id = np.zeros(300)
        by_id[expected.ids[i, :n]] = expected.scores[i, :n]
        found = hits.ids[i, :n]
        scale = greatest[found] * abs(Q[[i]].data).sum()  # what is lost is lost beside the row's greatest weight
        assert (np.abs(hits.scores[i, :n] - by_id[found]) <= 1e-6 * scale).all()


@laid_out
@pytest.mark.parametrize("power", [-38, -40, -42, -44])
def test_denormal_weights_and_scores_are_ranked_right(power: int, layout: str, rows: Rows, as_exact: Check) -> None:
    for seed in range(40):
        D, Q = rows(60, 10, 4, seed=seed), rows(8, 10, 4, seed=100 + seed)
        D.data *= np.float32(10.0**power)
        Q.data /= 8
        D.eliminate_zeros()
        as_exact(SparseIndex.build(D, keep="f32", layout=layout), D, Q, (1, 5, 60))


@laid_out
@pytest.mark.parametrize("equal", [None, 1.0])
def test_where_all_scores_are_negative_the_nearest_to_zero_wins(
    equal: float | None, layout: str, rows: Rows, exactly: Check
) -> None:
    D, Q = rows(900, 50, 6, equal=equal), rows(8, 50, 4, seed=1)
    Q.data *= -1
    exactly(in_steps(D, [800, 900], layout=layout), D, Q, (1, 10, 900))


@laid_out
@kept
def test_documents_whose_products_cancel_are_answers_of_score_zero(layout: str, keep: str) -> None:
    D = np.zeros((300, 4), np.float32)
    D[:, 0], D[:, 1] = 1.5, -1.5
    D[100], D[200], D[250] = [2, -1, 0, 0], [1, -2, 0, 0], [0, 0, 1, 1]
    index = SparseIndex.build(sp.csr_array(D), layout=layout, keep=keep)
    hits = index.search({0: 1.0, 1: 1.0}, k=299, exact=True)
    assert hits.counts == 299 and hits.ids[0] == 100 and hits.ids[-1] == 200
    assert hits.ids[1:-1].tolist() == np.setdiff1d(np.arange(300), [100, 200, 250]).tolist()
    assert (hits.scores[1:-1] == 0).all()
    assert not np.signbit(hits.scores[1:-1]).any() or np.signbit(hits.scores[1:-1]).all()


@laid_out
@pytest.mark.parametrize("columns", [60, HUGE])
def test_a_query_of_unknown_columns_has_no_answers(columns: int, layout: str, rows: Rows) -> None:
    D = rows(300, columns, 3)
    D.data[D.indices == D.indices.max()] = 0
    unknown = int(D.indices.max())
    index = SparseIndex.build(D, layout=layout)
    for exact in (False, True):
        hits = index.search({unknown: 3.0}, k=4, exact=exact)
        assert hits.counts == 0 and hits.ids.tolist() == [-1] * 4 and hits.evals == 0
        assert index.search({unknown: 3.0, 0: 1.0}, k=4, exact=exact).counts == 4


@pytest.mark.parametrize(("layout", "n"), [("impact", RANGE), ("impact", RANGE + 464), ("blocked", 8 * RANGE + 500)])
def test_collections_of_two_ranges_are_searched_across(layout: str, n: int, exactly: Check) -> None:
    rng = np.random.default_rng(0)
    columns, weights = rng.integers(0, 9, n).astype(np.int32), rng.gamma(2, 1, n).astype(np.float32)
    weights[-300:] += 3
    D = sp.csr_array((weights, columns, np.arange(n + 1)), shape=(n, 9))
    index = SparseIndex.build(D, layout=layout)
    Q = sp.csr_array(np.float32([[0, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, -1, 0, 2, 0, 0]]))
    scores = (D @ Q.T).toarray().T
    shared = (D.astype(bool).astype(np.float32) @ abs(Q).T).toarray().T > 0
    dead = np.argsort(-scores[0])[:7]
    for gone in ([], dead):
        index.delete(gone)
        living = np.ones(n, bool)
        living[gone] = False
        for k in (1, 10, 1000):
            for i, (ids, distances) in enumerate(index.search(Q, k=k, exact=True)):
                among = np.flatnonzero(shared[i] & living)
                best = np.sort(scores[i, among])[::-1][:k]
                np.testing.assert_allclose(-distances, best, rtol=2e-6)
                np.testing.assert_allclose(scores[i, ids], best, rtol=2e-6)
                assert len(set(ids.tolist())) == k and living[ids].all()


@laid_out
def test_heavy_ties_of_lexical_scores_stand_in_the_order_of_insertion(
    layout: str, lexical: tuple[sp.csr_array, sp.csr_array], as_exact: Check, exactly: Check
) -> None:
    D, Q = lexical[0], lexical[1][:60]
    index = SparseIndex.build(D, layout=layout, keep="f32")
    as_exact(index, D, Q, (1, 10, 100))
    ties = [distances for _, distances in index.search(Q, k=100, exact=True) if len(distances)]
    assert np.mean([len(np.unique(d)) / len(d) for d in ties]) < 0.9  # 0.58: many are equal
    exactly(SparseIndex.build(D, layout=layout), D, Q[:8], (1, 10, 1000))


@laid_out
@kept
def test_learned_vectors_are_searched_exactly(
    layout: str, keep: str, learned: tuple[sp.csr_array, sp.csr_array], exactly: Check, as_exact: Check
) -> None:
    D, Q = learned[0], learned[1][:10]
    index = SparseIndex.build(D, layout=layout, keep=keep)
    exactly(index, D, Q, (1, 10, 1000))
    if keep == "f32":
        as_exact(index, D, learned[1][:100], (10, 100))


def test_signed_documents_of_one_direction_each_are_ranked_by_the_terms_that_take_off(exactly: Check) -> None:
    D = np.zeros((200, 6), np.float32)
    D[:, 0] = np.linspace(1, 2, 200)
    D[:, 1:] = -np.random.default_rng(0).gamma(1, 1, (200, 5)).astype(np.float32)
    Q = sp.csr_array(np.float32([[3, 1, 1, 1, 1, 1], [1, 5, 0, 0, 0, 0], [0.1, 1, 1, 1, 1, -1]]))
    for layout, keep in product(LAYOUTS, KEEPS):
        exactly(SparseIndex.build(sp.csr_array(D), layout=layout, keep=keep), sp.csr_array(D), Q, (1, 10, 200))


@pytest.mark.parametrize(("span", "signed"), [(1.0, False), (1.0, True), (1e-2, False), (1e-2, True), (1e-4, False)])
def test_scores_are_inner_products_to_a_millionth(span: float, signed: bool, rows: Rows, exactly: Check) -> None:
    """Relative to the sum of the absolute products, also where the query meets the smaller weights of a row alone."""
    D = sp.hstack([rows(300, 20, 5, signed=signed), span * rows(300, 20, 5, signed=signed, seed=1)], format="csr")
    Q = sp.hstack([sp.csr_array((6, 20)), rows(6, 20, 5, seed=2)], format="csr").astype(np.float32)
    exactly(SparseIndex.build(D.astype(np.float32)), D.astype(np.float32), Q, (10, 300))


def test_scores_stay_as_precise_where_segments_of_several_kinds_are_merged(rows: Rows, exactly: Check) -> None:
    kinds = [{}, {"signed": True}, {"equal": 0.3}, {"equal": -7.0}]
    parts = [rows(100, 30, 6, seed=i, **kind) for i, kind in enumerate(kinds)]
    D, Q = sp.vstack(parts, format="csr"), rows(10, 30, 5, signed=True, seed=9)
    index = SparseIndex.build(parts[0], keep="f32")
    for part in parts[1:]:
        index.add(part)
    index.check()
    exactly(index, D, Q, (10, 400))
    index.compact()
    exactly(index, D, Q, (10, 400))


@pytest.mark.parametrize(("signed", "known"), [(False, 2.0**-39), (True, 2.0**-30)])
def test_weights_far_below_the_greatest_of_their_row_have_an_absolute_error(signed: bool, known: float) -> None:
    small = np.float32(10.0) ** -np.arange(5, 12, 0.25, dtype=np.float32)
    D = np.zeros((len(small), 2), np.float32)
    D[:, 0], D[:, 1] = -1 if signed else 1, small
    scores = SparseIndex.build(sp.csr_array(D)).search({1: 1.0}, k=len(small), exact=True)
    error = np.abs(scores.scores - small[scores.ids])
    assert (error <= known + 1e-6 * small[scores.ids]).all()


@laid_out
def test_an_approximate_search_fills_its_places_and_scores_are_true(layout: str, rows: Rows, twin: Callable) -> None:
    for signed, k in product((False, True), (1, 10, 300, 800)):
        D, Q = rows(800, 60, 4, signed=signed), rows(12, 60, 4, signed=signed, seed=1)
        index = in_steps(D, [600, 700, 800], layout=layout)
        scores, masses, shared = twin(D, Q)
        hits = index.search(Q, k=k)
        assert hits.counts.tolist() == np.minimum((shared > 0).sum(axis=1), k).tolist()
        for i, (ids, distances) in enumerate(hits):
            assert len(set(ids.tolist())) == len(ids) and (shared[i, ids] > 0).all()
            assert (np.diff(distances) >= 0).all()
            assert (np.abs(-distances.astype(float) - scores[i, ids]) <= 1e-6 * masses[i, ids]).all()


def test_documents_scored_are_counted_and_fewer_than_all(learned: tuple[sp.csr_array, sp.csr_array]) -> None:
    D, Q = learned
    index = SparseIndex.build(D)
    fast, exact = index.search(Q), index.search(Q, exact=True)
    assert (fast.evals >= fast.counts).all() and (exact.evals >= exact.counts).all()
    assert fast.evals.mean() < exact.evals.mean() < 0.05 * D.shape[0]  # 18, 47


WEIGHT = st.integers(-3, 3).map(float)


@st.composite
def collections(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[int], list[int]]:
    """(documents, queries, cuts of adds, dead)."""
    columns, n = draw(st.integers(1, 5)), draw(st.integers(1, 14))
    weight = draw(st.sampled_from([WEIGHT, st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0, 2.0, 1e-3, 1e20])]))
    D = draw(st.lists(st.lists(weight, min_size=columns, max_size=columns), min_size=n, max_size=n))
    Q = draw(st.lists(st.lists(WEIGHT, min_size=columns, max_size=columns), min_size=1, max_size=3))
    cuts = sorted(draw(st.sets(st.integers(0, n), max_size=3)) | {n})
    dead = sorted(draw(st.sets(st.integers(0, n - 1), max_size=n)))
    return np.array(D, np.float32), np.array(Q, np.float32), cuts, dead


def search_small_collections_exactly(pruned: list[dict], n_examples: int, as_exact: Check) -> None:
    """Exact answers before and after `compact`, of any history."""

    @settings(max_examples=n_examples, deadline=None)
    @given(collections(), st.sampled_from(LAYOUTS), st.sampled_from(pruned), st.integers(1, 16))
    def search(collection: tuple, layout: str, pruned: dict, k: int) -> None:
        dense, queries, cuts, dead = collection
        D, Q = sp.csr_array(dense), sp.csr_array(queries)
        index = in_steps(D, cuts, layout=layout, keep="f32", **pruned)
        index.delete(dead)
        for _ in range(2):
            index.check()
            as_exact(index, D, Q, (k,), dead)
            index.compact()

    search()


def test_small_collections_of_any_kind_are_searched_exactly(as_exact: Check) -> None:
    search_small_collections_exactly([{}], 150, as_exact)


def test_small_collections_in_pruned_lists_are_searched_exactly(as_exact: Check) -> None:
    search_small_collections_exactly([{"alpha": 0.5}, {"n_postings": 1}], 60, as_exact)
