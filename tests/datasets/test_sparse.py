"""Generated learned-sparse collections have the statistics that were published of SPLADE on MS MARCO."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from vecrecall.datasets.sparse import VOCABULARY, generate, mass_of_heaviest
from vecrecall.exact.index import Exact

N = 20_000  # far fewer have but one field, whose terms are in most documents


@pytest.fixture(scope="module")
def generated() -> tuple[sparse.csr_array, sparse.csr_array]:
    return generate(N, 200, seed=3)


def test_generated_rows_have_the_statistics_of_splade(
    generated: tuple[sparse.csr_array, sparse.csr_array],
) -> None:
    docs, queries = generated
    assert docs.shape == (N, VOCABULARY) and queries.shape == (200, VOCABULARY)
    assert 116 < docs.nnz / N < 122
    assert 41 < queries.nnz / 200 < 45
    assert 0.72 < mass_of_heaviest(queries, 10) < 0.78
    assert 0.72 < mass_of_heaviest(docs, 50) < 0.78
    for matrix in generated:
        assert matrix.dtype == np.float32 and matrix.indices.dtype == np.int32
        assert matrix.data.min() > 0 and matrix.data.max() <= 3.5
        assert matrix.has_canonical_format


def test_generated_terms_follow_zipf(generated: tuple[sparse.csr_array, sparse.csr_array]) -> None:
    df = np.sort(np.bincount(generated[0].indices, minlength=VOCABULARY))[::-1]
    assert 0.2 < df[0] / N < 0.6
    ranks = np.arange(30, 3_000)
    slope = np.polyfit(np.log(ranks), np.log(df[ranks]), 1)[0]
    assert -1.2 < slope < -0.5
    common = np.argsort(-np.bincount(generated[0].indices, minlength=VOCABULARY))[:100]
    assert common.mean() == pytest.approx(VOCABULARY / 2, rel=0.3)  # columns are in no order of frequency


def test_generated_documents_cluster_and_queries_find_several(
    generated: tuple[sparse.csr_array, sparse.csr_array],
) -> None:
    docs, queries = generated
    scores = Exact.build(docs).search(queries, 100).scores
    relative = (scores / scores[:, :1]).mean(axis=0)
    assert 0.4 < relative[9] < 0.7  # measured 0.51
    assert relative[99] < 0.4
    of_any_document = queries @ np.asarray(docs.mean(axis=0)).ravel()
    assert (scores[:, 9] > 4 * of_any_document).mean() > 0.95


def test_generated_sets_are_the_same_again_and_differ_by_seed(
    generated: tuple[sparse.csr_array, sparse.csr_array],
) -> None:
    for matrix, again in zip(generated, generate(N, 200, seed=3)):
        assert np.array_equal(matrix.indptr, again.indptr)
        assert np.array_equal(matrix.indices, again.indices)
        assert np.array_equal(matrix.data, again.data)
    other, _ = generate(N, 1, seed=4)
    assert not np.array_equal(generated[0].indptr, other.indptr)
    with pytest.raises(ValueError, match="n is 0"):
        generate(0)


def test_the_collection_is_that_of_earlier_versions() -> None:
    docs, queries = generate(300, 20)
    assert (docs.nnz, queries.nnz) == (36_336, 860)
    assert docs.indices[:5].tolist() == [10, 33, 209, 382, 385]
    assert docs.data[:3] == pytest.approx([0.292033, 1.568941, 0.52086], rel=1e-5)
    assert queries.indices[-3:].tolist() == [29348, 29719, 29771]
