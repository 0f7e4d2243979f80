"""Load datasets/wordnet-small: real sentence embeddings and sparse vectors with texts, categories and queries."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

FOLDER = Path(__file__).parent / "wordnet-small"
SPARSE_DOCUMENTS, SPARSE_QUERIES = "splade-documents.npz", "splade-queries.npz"


@dataclass(frozen=True)
class WordNetSmall:
    """A small real set; row i of one part belongs to row i of another.

    Attributes
    ----------
    documents : ndarray of float16, shape (n, 384)
        MiniLM vectors of the synsets, of unit length up to the rounding.
    queries : ndarray of float16, shape (q, 384)
        MiniLM vectors of example sentences, which the documents do not contain.
    sparse_documents : csr_array of float32, shape (n, 30522)
        SPLADE vectors of the synsets, all weights above 0, columns sorted.
    sparse_queries : csr_array of float32, shape (q, 30522)
        SPLADE vectors of the example sentences.
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
    sparse_documents: sparse.csr_array
    sparse_queries: sparse.csr_array
    texts: list[str]
    query_texts: list[str]
    categories: NDArray[np.str_]
    relevant: NDArray[np.int64]


def _read_tsv(path: Path) -> list[list[str]]:
    """Rows of a compressed table without its header."""
    return [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]


def read_sparse(path: Path) -> sparse.csr_array:
    """CSR of float32 out of 16-bit weights and columns."""
    with np.load(path, allow_pickle=False) as file:
        parts = file["weights"].astype(np.float32), file["columns"].astype(np.int32), file["starts"]
        return sparse.csr_array(parts, shape=tuple(file["shape"].tolist()))


def load_texts(folder: Path = FOLDER) -> tuple[list[str], list[str]]:
    """Load only the words: (texts of the documents, of the queries)."""
    documents, queries = _read_tsv(folder / "documents.tsv.gz"), _read_tsv(folder / "queries.tsv.gz")
    return [text for _, _, text in documents], [text for _, text in queries]


def load(folder: Path = FOLDER) -> WordNetSmall:
    """Load the set.

    >>> data = load()
    >>> data.documents.shape[1], len(data.texts) == len(data.documents)
    (384, True)
    """
    parts = sorted(folder.glob("documents-*.npy"))
    texts, query_texts = load_texts(folder)
    return WordNetSmall(
        documents=np.concatenate([np.load(part, allow_pickle=False) for part in parts]),
        queries=np.load(folder / "queries.npy", allow_pickle=False),
        sparse_documents=read_sparse(folder / SPARSE_DOCUMENTS),
        sparse_queries=read_sparse(folder / SPARSE_QUERIES),
        texts=texts,
        query_texts=query_texts,
        categories=np.array([category for _, category, _ in _read_tsv(folder / "documents.tsv.gz")]),
        relevant=np.array([int(row) for row, _ in _read_tsv(folder / "queries.tsv.gz")], np.int64),
    )
