"""Load datasets/wordnet-small: real sentence embeddings with texts, categories and queries."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "wordnet-small"


@dataclass(frozen=True)
class WordNetSmall:
    """A small real set; row i of one part belongs to row i of another.

    Attributes
    ----------
    documents : ndarray of float16, shape (n, 384)
        MiniLM vectors of the synsets, of unit length up to the rounding.
    queries : ndarray of float16, shape (q, 384)
        MiniLM vectors of example sentences, which the documents do not contain.
    texts : list of str, length n
        "lemma, lemma: definition".
    query_texts : list of str, length q
        The example sentences.
    categories : ndarray of str, shape (n,)
        Lexicographer file of each synset, such as "noun.animal".
    relevant : ndarray of int64, shape (q,)
        Row of the synset that the example illustrates: one judgement a query.
    """

    documents: NDArray[np.float16]
    queries: NDArray[np.float16]
    texts: list[str]
    query_texts: list[str]
    categories: NDArray[np.str_]
    relevant: NDArray[np.int64]


def _read_tsv(path: Path) -> list[list[str]]:
    """Rows of a compressed table without its header."""
    return [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]


def load(folder: Path = FOLDER) -> WordNetSmall:
    """Load the set.

    >>> data = load()
    >>> data.documents.shape[1], len(data.texts) == len(data.documents)
    (384, True)
    """
    parts = sorted(folder.glob("documents-*.npy"))
    documents = np.concatenate([np.load(part, allow_pickle=False) for part in parts])
    rows = _read_tsv(folder / "documents.tsv.gz")
    queries = _read_tsv(folder / "queries.tsv.gz")
    return WordNetSmall(
        documents=documents,
        queries=np.load(folder / "queries.npy", allow_pickle=False),
        texts=[text for _, _, text in rows],
        query_texts=[text for _, text in queries],
        categories=np.array([category for _, category, _ in rows]),
        relevant=np.array([int(row) for row, _ in queries], np.int64),
    )
