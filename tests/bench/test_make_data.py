"""The makers of the benchmark's data: exact answers, equal shares, words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from bench.make_data import DEPTH, WordNetTexts, equal_cap, exact_neighbours
from bench.make_sparse_data import bm25, exact_top, write


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_exact_neighbours_equal_a_full_sort(metric: str) -> None:
    rng = np.random.default_rng(0)
    train = rng.integers(0, 4, (600, 3)).astype(np.uint8) + np.uint8(1)  # many ties
    test = rng.integers(0, 4, (7, 3)).astype(np.uint8) + np.uint8(1)
    ids, distances = exact_neighbours(train, test, metric)
    x, q = train.astype(float), test.astype(float)
    if metric == "cosine":
        x, q = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, q))
    squared = ((x - q[:, None]) ** 2).sum(axis=2)
    expected = np.sort(squared, axis=1)[:, :DEPTH]
    assert distances == pytest.approx(np.sqrt(expected) if metric == "l2" else expected / 2, abs=1e-6)
    assert np.take_along_axis(squared, ids, axis=1) == pytest.approx(expected)
    assert all(len(set(row)) == DEPTH for row in ids)


def test_an_equal_cap_is_the_least_that_suffices() -> None:
    assert equal_cap(np.array([2, 10, 10]), 12) == 5
    assert equal_cap(np.array([2, 10, 10]), 13) == 6


def test_exact_answers_equal_a_full_sort() -> None:
    rng = np.random.default_rng(0)
    docs, queries = (
        sparse.csr_array((rng.integers(1, 4, (n, 40)) * (rng.random((n, 40)) < 0.2)).astype(np.float32))
        for n in (300, 9)
    )  # few different weights, so that scores tie often
    ids, scores = exact_top(docs, queries, 50)
    full = (queries @ docs.T).toarray().astype(np.float64)
    order = np.argsort(-full, axis=1, kind="stable")[:, :50]  # stable: ties to the lower row
    assert np.array_equal(ids, order)
    assert scores == pytest.approx(np.take_along_axis(full, order, 1))


TEXTS = WordNetTexts(
    ["dog, domestic dog: an animal that barks", "oak: a tree", "cat: an animal"],
    ["the dogs and the dog of animals", "an unknownword in a tree"],
    np.array([0, 1]),
)


def test_bm25_vectors_rank_documents_by_the_words_that_they_share() -> None:
    docs, queries = bm25(TEXTS)
    scores = (queries @ docs.T).toarray()
    assert scores[0].argmax() == 0 and scores[0, 2] > 0 == scores[0, 1]
    assert scores[1].argmax() == 1 and queries[[1]].nnz == 1
    assert queries[[0]].nnz == 2 and queries.data.max() < 2.5  # a word that is repeated weighs once


def test_a_set_is_written_with_its_exact_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.make_sparse_data.DEPTH", 2)
    vectors = bm25(TEXTS)
    write(tmp_path / "tiny", vectors, TEXTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"tiny-{p}.npz" for p in ("docs", "queries", "truth")]
    with np.load(tmp_path / "tiny-truth.npz") as truth:
        assert truth["neighbors"].tolist() == [[0, 2], [1, -1]]  # one document has a word of the second query
        assert truth["relevant"].tolist() == [0, 1]
    assert (sparse.load_npz(tmp_path / "tiny-docs.npz") != vectors.docs).nnz == 0
