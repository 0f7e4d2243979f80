"""Recall against exact search. A floor stands a little under what was measured, which the comment beside it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from bench.micro.cases import SPARSE_SEARCHES
from vecrecall.exact.index import Exact
from vecrecall.hits import Hits
from vecrecall.measure.recall import recall
from vecrecall.sparse.index import SparseIndex

Pair = tuple[sp.csr_array, sp.csr_array]


@pytest.fixture(scope="module")
def sets(learned: Pair, lexical: Pair) -> dict[str, tuple[sp.csr_array, sp.csr_array, Hits]]:
    """(documents, queries, true answers) by name."""
    pairs = {"learned": learned, "lexical": lexical}
    return {name: (D, Q, Exact.build(D).search(Q, k=10)) for name, (D, Q) in pairs.items()}


@pytest.mark.parametrize(("name", "build", "search", "floor"), SPARSE_SEARCHES, ids=lambda x: str(x))
def test_real_queries_find_their_documents(
    name: str, build: dict[str, Any], search: dict[str, Any], floor: float, sets: dict[str, Any]
) -> None:
    D, Q, truth = sets[name]
    hits = SparseIndex.build(D, **build).search(Q, k=10, **search)
    assert recall(hits, truth) > floor
    assert hits.evals.mean() < 0.06 * D.shape[0]  # 10 to 355 of 7,500


@pytest.mark.parametrize(
    "build", [{}, {"keep": "f32"}, {"layout": "blocked"}, {"n_postings": 50}, {"alpha": 0.6}], ids=str
)
@pytest.mark.parametrize("name", ["learned", "lexical"])
def test_exact_search_has_all_recall(name: str, build: dict[str, Any], sets: dict[str, Any]) -> None:
    D, Q, truth = sets[name]
    assert recall(SparseIndex.build(D, **build).search(Q, k=10, exact=True), truth) == 1


def test_more_of_any_setting_finds_more(sets: dict[str, Any]) -> None:
    D, Q, truth = sets["learned"]
    index = SparseIndex.build(D)
    for name, values in (
        ("query_cut", (2, 6, 32)), ("heap_factor", (1.0, 0.95, 0.8)), ("impact_cut", (0.5, 0.2, 0.0)),
    ):  # fmt: skip
        found = [recall(index.search(Q, **{name: value}), truth) for value in values]
        assert found[0] < found[1] < found[2]


@pytest.mark.parametrize("k", [1, 100, 1000])
def test_other_ks_are_found_as_well(k: int, sets: dict[str, Any]) -> None:
    D, Q, _ = sets["learned"]
    hits, truth = SparseIndex.build(D).search(Q[:100], k=k), Exact.build(D).search(Q[:100], k=k)
    assert recall(hits, truth) > 0.96  # 0.990 to 0.996


def test_by_id_equal_scores_count_as_errors_and_by_score_they_do_not(sets: dict[str, Any]) -> None:
    """Short texts that hold a word equally often tie in BM25, and any of them is a right answer."""
    D, Q, truth = sets["lexical"]
    index = SparseIndex.build(D, alpha=0.6)
    hits = index.search(Q, k=10)
    by_score, by_id = recall(hits, truth, per_query=True), recall(hits, truth, by="id", per_query=True)
    assert by_score.value > by_id.value + 0.01  # 0.763, 0.747
    assert (by_score.per_query >= by_id.per_query).all()
    ties = Exact.build(D).search(Q, k=11).scores
    cut_through = ties[:, 9] == ties[:, 10]  # the 10th place is one of several
    assert cut_through.any() and (by_score.per_query == by_id.per_query)[~cut_through & (truth.counts == 10)].all()


def test_adding_and_deleting_keep_recall(sets: dict[str, Any]) -> None:
    D, Q, _ = sets["learned"]
    index = SparseIndex.build(D[:3000])
    for lo in range(3000, 7500, 500):
        index.add(D[lo : lo + 500])
    dead = np.random.default_rng(0).permutation(7500)[:2500]
    index.delete(dead)
    living = np.setdiff1d(np.arange(7500), dead)
    truth = Exact.build(D[living], ids=living).search(Q, k=10)
    assert recall(index.search(Q, k=10), truth) > 0.97  # 0.990
    index.compact()
    assert recall(index.search(Q, k=10), truth) > 0.97  # 0.991
