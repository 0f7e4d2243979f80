"""BM25 weights, against the formula in loops and against another library."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from datasets.wordnet_small import WordNetSmall
from vecrecall.lexical import bm25

FORMATS = ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
TF = [[2, 0, 1], [0, 0, 3], [0, 0, 0], [1, 1, 1]]


def slow(tf: list[list[float]], n_terms: int, k1: float, b: float) -> tuple[list[list[float]], list[float]]:
    """Impacts and idf, entry by entry, by the words of the docstring."""
    n = len(tf)
    average = sum(map(sum, tf)) / n if n else 0.0
    impacts = [
        [count / (count + k1 * (1 - b + b * sum(row) / average)) if count else 0.0 for count in row] for row in tf
    ]
    df = [sum(row[term] > 0 for row in tf) for term in range(n_terms)]
    return impacts, [math.log(1 + (n - d + 0.5) / (d + 0.5)) for d in df]


@given(
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from(FORMATS),
    st.booleans(),
    st.sampled_from([0.0, 0.9, 2.5]),
    st.sampled_from([0.0, 0.4, 1.0]),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_weights_are_what_the_formula_says(
    n: int, n_terms: int, form: str, as_array: bool, k1: float, b: float, whole: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    tf = rng.integers(0, 5, (n, n_terms)) * rng.integers(0, 2, (n, n_terms)) * (1 if whole else 0.3)
    counts = (sparse.coo_array if as_array else sparse.coo_matrix)(tf).asformat(form)
    impacts, idf = bm25(counts, k1, b)
    expected, expected_idf = slow(tf.tolist(), n_terms, k1, b)
    assert isinstance(impacts, sparse.csr_array) and impacts.shape == (n, n_terms) and impacts.nnz == np.sum(tf > 0)
    assert impacts.dtype == idf.dtype == np.float32 and impacts.has_canonical_format
    np.testing.assert_allclose(impacts.toarray(), np.reshape(expected, (n, n_terms)), rtol=1e-6)
    np.testing.assert_allclose(idf, np.reshape(expected_idf, n_terms), rtol=1e-6)


def words(text: str) -> list[str]:
    return text.lower().replace(",", " ").replace(":", " ").replace(";", " ").split()


def counted(texts: list[list[str]], vocabulary: dict[str, int]) -> sparse.csr_array:
    """Term counts (len(texts), len(vocabulary)) of the words that the vocabulary knows."""
    entries = [
        (row, vocabulary[word], count)
        for row, text in enumerate(texts)
        for word, count in Counter(text).items()
        if word in vocabulary
    ]
    rows, columns, values = zip(*entries, strict=True)
    return sparse.csr_array((values, (rows, columns)), shape=(len(texts), len(vocabulary)))


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.5, 0.75)])
def test_scores_are_those_of_bm25s(wordnet: WordNetSmall, k1: float, b: float) -> None:
    bm25s = pytest.importorskip("bm25s")
    texts = [words(text) for text in wordnet.texts[:1000]]
    queries = [words(text) for text in wordnet.query_texts[:50]]
    vocabulary = {word: i for i, word in enumerate(sorted({word for text in texts for word in text}))}
    impacts, idf = bm25(counted(texts, vocabulary), k1, b)
    scores = impacts @ (counted(queries, vocabulary).toarray() * idf).T

    peer = bm25s.BM25(method="lucene", k1=k1, b=b)
    peer.index(texts, show_progress=False)
    expected = [peer.get_scores([word for word in query if word in vocabulary]) for query in queries]
    assert scores.max() > 5  # the queries find something
    np.testing.assert_allclose(scores.T, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_unsorted_and_repeated_entries_are_put_right_on_a_copy(dtype: Any) -> None:
    data, indices = np.array([1, 2, 1, 3, 1, 1, 0, 1], dtype), np.array([2, 0, 2, 2, 2, 0, 1, 1])
    indptr = [0, 3, 4, 4, 8]
    messy = sparse.csr_array((data.copy(), indices.copy(), indptr), shape=(4, 3))
    impacts, idf = bm25(messy)
    tidy, tidy_idf = bm25(sparse.csr_array([[2, 0, 2], [0, 0, 3], [0, 0, 0], [1, 1, 1]]))
    np.testing.assert_array_equal(impacts.toarray(), tidy.toarray())
    np.testing.assert_array_equal(idf, tidy_idf)
    assert impacts.has_canonical_format and impacts.nnz == tidy.nnz
    np.testing.assert_array_equal(messy.data, data)
    np.testing.assert_array_equal(messy.indices, indices)


def test_an_explicit_zero_is_no_occurrence() -> None:
    tf = sparse.csr_array(np.ones((3, 2)))
    tf.data[3] = 0
    impacts, idf = bm25(tf)
    assert impacts.nnz == 5
    np.testing.assert_allclose(idf, slow(tf.toarray().tolist(), 2, 0.9, 0.4)[1], rtol=1e-6)


def test_repeated_counts_may_exceed_their_own_dtype() -> None:
    entries = np.full(4, 100, np.int8), ([0, 0, 0, 1], [0, 0, 0, 1])
    impacts, _ = bm25(sparse.coo_array(entries, shape=(2, 2)))
    expected, _ = slow([[300, 0], [0, 100]], 2, 0.9, 0.4)
    np.testing.assert_allclose(impacts.toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.longdouble])
def test_counts_of_every_real_dtype_are_taken(dtype: Any) -> None:
    impacts, idf = bm25(sparse.csr_array(np.array(TF, dtype)))
    expected, expected_idf = slow(np.array(TF, dtype).astype(float).tolist(), 3, 0.9, 0.4)
    np.testing.assert_allclose(impacts.toarray(), expected, rtol=1e-6)
    np.testing.assert_allclose(idf, expected_idf, rtol=1e-6)


def test_empty_documents_count_in_the_collection() -> None:
    (with_empty, idf), (without, fewer_idf) = bm25(sparse.csr_array(TF)), bm25(sparse.csr_array(TF[:2] + TF[3:]))
    assert with_empty.toarray()[2].tolist() == [0, 0, 0]
    assert (with_empty.toarray()[0, 0] < without.toarray()[0, 0]) and (idf > fewer_idf).all()  # avgdl fell, N rose


@pytest.mark.parametrize("shape", [(0, 3), (0, 0), (2, 0), (2, 3)])
def test_collections_without_words_have_no_impacts(shape: tuple[int, int]) -> None:
    impacts, idf = bm25(sparse.csr_array(shape))
    assert impacts.shape == shape and impacts.nnz == 0
    np.testing.assert_allclose(idf, np.full(shape[1], math.log(1 + (shape[0] + 0.5) / 0.5)), rtol=1e-6)


@pytest.mark.parametrize("value", [-1, -0.5, np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_no_count_is_refused_by_row_and_column(value: float, form: str) -> None:
    tf = np.array(TF, float)
    tf[3, 1] = value
    with pytest.raises(ValueError, match=rf"counts row 3, column 1 is {value:g}, expected".replace("+", r"\+")):
        bm25(sparse.coo_array(tf).asformat(form))


def test_entries_that_cancel_are_judged_by_their_sum() -> None:
    impacts, _ = bm25(sparse.coo_array(([3, -1], ([0, 0], [1, 1])), shape=(1, 2)))
    assert impacts.toarray()[0, 1] == pytest.approx(2 / 2.9)
    with pytest.raises(ValueError, match="counts row 0, column 1 is -1,"):
        bm25(sparse.coo_array(([2, -3], ([0, 0], [1, 1])), shape=(1, 2)))


def out_of_bounds() -> sparse.csc_array:
    broken = sparse.csc_array(np.array(TF))
    broken.indices[0] = 9
    return broken


COUNTS = sparse.csr_array(TF)
REFUSED: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (np.array(TF), {}, TypeError, r"counts is a ndarray.*give scipy.sparse.csr_array\(counts\)"),
    (TF, {}, TypeError, "counts is a list, expected a scipy sparse matrix"),
    (sparse.csr_array(np.array(TF, complex)), {}, TypeError, "counts has dtype complex128, expected real"),
    (out_of_bounds(), {}, ValueError, "counts is no valid csc matrix"),
    (COUNTS, {"k1": -0.1}, ValueError, "k1 is -0.1, expected a finite number of at least 0"),
    (COUNTS, {"k1": np.inf}, ValueError, "k1 is inf"),
    (COUNTS, {"k1": np.nan}, ValueError, "k1 is nan"),
    (COUNTS, {"k1": "0.9"}, TypeError, "k1 is '0.9', expected a finite number"),
    (COUNTS, {"k1": None}, TypeError, "k1 is None"),
    (COUNTS, {"k1": [0.9]}, TypeError, r"k1 is \[0.9\]"),
    (COUNTS, {"b": 1.01}, ValueError, "b is 1.01, expected a number from 0 to 1"),
    (COUNTS, {"b": -0.01}, ValueError, "b is -0.01"),
    (COUNTS, {"b": np.nan}, ValueError, "b is nan"),
    (COUNTS, {"b": True}, TypeError, "b is True"),
]


@pytest.mark.parametrize(("counts", "options", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(
    counts: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        bm25(counts, **options)


def test_a_sparse_vector_is_refused() -> None:
    vector = sparse.coo_array([1, 0, 2])
    if vector.ndim == 2:
        pytest.skip("this scipy makes a row of it")
    with pytest.raises(ValueError, match=r"counts has shape \(3,\), expected two dimensions"):
        bm25(vector)
