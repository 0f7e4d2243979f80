"""The small real set: whole, what its README says, and small enough for a repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from datasets.bert import model_folder
from datasets.make_wordnet_small import N_DOCUMENTS, N_QUERIES, quotas
from datasets.make_wordnet_small_sparse import write_compact
from datasets.wordnet import LEXICOGRAPHER_FILES, parse_line, split_gloss
from datasets.wordnet_small import FOLDER, WordNetSmall, load_texts, read_sparse
from datasets.words import count_words, vocabulary, words


def test_the_set_is_whole(wordnet: WordNetSmall) -> None:
    assert wordnet.documents.shape == (N_DOCUMENTS, 384)
    assert wordnet.queries.shape == (N_QUERIES, 384)
    assert wordnet.documents.dtype == wordnet.queries.dtype == np.float16
    assert len(wordnet.texts) == len(wordnet.categories) == N_DOCUMENTS
    assert len(wordnet.query_texts) == len(wordnet.relevant) == N_QUERIES
    assert set(wordnet.categories) == set(LEXICOGRAPHER_FILES)
    assert len(set(wordnet.texts)) == N_DOCUMENTS


def test_vectors_have_unit_length_up_to_float16(wordnet: WordNetSmall) -> None:
    for vectors in (wordnet.documents, wordnet.queries):
        norms = np.linalg.norm(vectors.astype(np.float32), axis=1)
        assert np.abs(norms - 1).max() < 2e-4


def test_queries_find_their_synset_far_more_often_than_by_chance(wordnet: WordNetSmall) -> None:
    scores = wordnet.queries.astype(np.float32) @ wordnet.documents.T.astype(np.float32)
    nearest = np.argpartition(-scores, 10, axis=1)[:, :10]
    found = (nearest == wordnet.relevant[:, None]).any(axis=1).mean()
    assert found > 0.70  # measured 0.7175; by chance 0.0013


def test_sparse_vectors_belong_to_the_same_rows(wordnet: WordNetSmall) -> None:
    assert wordnet.sparse_documents.shape == (N_DOCUMENTS, 30_522)
    assert wordnet.sparse_queries.shape == (N_QUERIES, 30_522)
    for matrix in (wordnet.sparse_documents, wordnet.sparse_queries):
        assert matrix.dtype == np.float32
        assert matrix.has_canonical_format and matrix.data.min() > 0
        assert np.diff(matrix.indptr).min() > 0
    scores = (wordnet.sparse_queries @ wordnet.sparse_documents.T).toarray()
    nearest = np.argpartition(-scores, 10, axis=1)[:, :10]
    found = (nearest == wordnet.relevant[:, None]).any(axis=1).mean()
    assert found > 0.72  # measured 0.7425


def test_words_find_synsets_too(wordnet: WordNetSmall) -> None:
    columns = vocabulary(wordnet.texts)
    counts = count_words(wordnet.texts, columns)
    shared = (count_words(wordnet.query_texts, columns) @ (counts > 0).astype(np.float32).T).toarray()
    relevant = shared[np.arange(N_QUERIES), wordnet.relevant]
    assert counts.shape == (N_DOCUMENTS, len(columns)) and counts.data.min() == 1
    assert (relevant > shared.mean(axis=1)).mean() > 0.85  # by chance about a half


def test_texts_load_by_themselves(wordnet: WordNetSmall) -> None:
    assert load_texts() == (wordnet.texts, wordnet.query_texts)


def test_sparse_vectors_are_stored_in_sixteen_bits(tmp_path: Path) -> None:
    matrix = sparse.csr_array(np.array([[0, 1.5, 0, 1e-9], [0, 0, 0, 0], [0.1, 0, 3, 0]], np.float32))
    write_compact(tmp_path / "small.npz", matrix)
    back = read_sparse(tmp_path / "small.npz")
    assert back.dtype == np.float32 and back.nnz == 3  # what float16 rounds to zero is gone
    assert back.toarray() == pytest.approx(matrix.toarray(), rel=2**-11, abs=1e-8)
    with pytest.raises(ValueError, match="70000 columns"):
        write_compact(tmp_path / "wide.npz", sparse.csr_array((1, 70_000), dtype=np.float32))


def test_words_are_lower_case_without_stop_words_and_plurals() -> None:
    assert words("The Cities' horses (2 dogs) were glass; the lens is mine") == [
        "city", "horse", "2", "dog", "glass", "len", "mine"
    ]  # fmt: skip
    columns = vocabulary(["a dog", "Dogs barking"])
    assert columns == {"barking": 0, "dog": 1}
    assert count_words(["dog dogs cat", "of"], columns).toarray().tolist() == [[0, 2], [0, 0]]


def test_a_model_that_is_not_installed_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-model"):
        model_folder("no-such-model")


def test_files_fit_a_repository() -> None:
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    assert max(sizes) < 3_000_000
    assert sum(sizes) < 8_000_000


def test_a_line_of_the_database_is_read() -> None:
    line = '02693319 15 n 02 oak 0 oak_tree(a) 1 002 @ 00001740 n 0000 | a tree; "an oak; an elm" '
    synset = parse_line(line, "n")
    assert (synset.id, synset.lemmas) == ("02693319-n", ["oak", "oak tree"])
    assert synset.text == "oak, oak tree: a tree"
    assert LEXICOGRAPHER_FILES[synset.category] == "noun.location"
    assert synset.examples == ["an oak; an elm"]
    assert split_gloss("no example") == ("no example", [])


def test_quotas_add_up_and_grow_with_size() -> None:
    shares = quotas(np.array([51, 400, 10_000]), 300)
    assert shares.sum() == 300
    assert (np.diff(shares) > 0).all()
