"""The small real set: whole, what its README says, and small enough for a repository."""

from __future__ import annotations

import numpy as np

from datasets.make_wordnet_small import N_DOCUMENTS, N_QUERIES, quotas
from datasets.wordnet import LEXICOGRAPHER_FILES, parse_line, split_gloss
from datasets.wordnet_small import FOLDER, WordNetSmall


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
