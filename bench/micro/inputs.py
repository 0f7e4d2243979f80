"""What kernels take, made for tests and benchmarks alike: posting lists, keys in awkward orders, sparse rows, sets."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from datasets.wordnet_small import WordNetSmall
from datasets.words import count_words, vocabulary
from vecrecall.kernels.memory import address
from vecrecall.kernels.postings import LOOK
from vecrecall.lexical import bm25
from vecrecall.sparse.weights import SIGNED, Table

N_UNITS = 65536  # of a range: what 16 bits can name


def posting_list(rng: np.random.Generator, n: int, low: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(units, impacts that descend), with the room behind them full of what must not be added."""
    units = rng.choice(N_UNITS, n + LOOK, replace=False).astype(np.uint16)
    impacts = np.full(n + LOOK, 255, np.uint8)
    impacts[:n] = np.sort(rng.integers(low, 256, n))[::-1]
    return units, impacts


def key_arrangements(n: int) -> dict[str, np.ndarray]:
    """Distinct keys in the orders that quicksorts are known to stumble over."""
    rng = np.random.default_rng(n)
    ascending = np.sort(np.unique(rng.integers(-(2**63), 2**63 - 1, n + 8))[:n])
    return {
        "random": rng.permutation(ascending),
        "sorted": ascending,
        "reversed": ascending[::-1],
        "near equal": rng.permutation(n) + (np.int64(123) << 32),  # equal scores: numbers alone differ
        "near equal, sorted": np.arange(n) - 5,
        "organ pipe": np.concatenate([ascending[::2], ascending[1::2][::-1]]),
        "sawtooth": ascending[np.argsort(np.arange(n) % 7, kind="stable")],
        "extremes first": np.roll(ascending, 1),
    }


class SparseRow:
    """A row as it lies in memory, at an odd address; what stands behind it must not be read as a part of it."""

    def __init__(self, rng: np.random.Generator, n: int, n_bytes: int, table: Table, odd: int = 1) -> None:
        most, self.n, self.n_bytes = 1 << 16 if n_bytes == 2 else 200_000, n, n_bytes
        self.columns = np.sort(rng.choice(most - 1, n, replace=False))
        if n:
            self.columns[-1] = most - 2
        n_codes = 256 if table is SIGNED else table.n
        self.codes = rng.integers(0, n_codes, n).astype(np.uint8)
        self.codes[: min(n, 4)] = [0, n_codes - 1, table.n - 1, table.n % n_codes][:n]
        self.residuals = np.full(n + 32, 4321, np.uint16)
        self.residuals[:n] = rng.integers(0, 65536, n)
        self.residuals[: min(n, 2)] = [0, 65535][:n]
        self.weights = np.full(most, np.nan, np.float32)  # of columns that the row has not
        self.weights[self.columns] = rng.normal(size=n) * 10.0 ** rng.integers(-3, 4, n)
        self.weights[self.columns[n // 2 :: 3]] = 0  # as most are
        kind = np.uint16 if n_bytes == 2 else np.uint32
        behind = np.full(64, most - 1, kind).view(np.uint8)  # their weight is NaN
        packed = np.concatenate([self.columns.astype(kind).view(np.uint8), self.codes, behind])
        self.memory = np.concatenate([np.zeros(odd, np.uint8), packed])
        self.at = address(self.memory) + odd
        self.products = self.weights[self.columns].astype(np.float64)

    def head(self) -> tuple[int, int, int]:
        return address(self.weights), self.at, self.n_bytes

    @property
    def codes_at(self) -> int:
        return self.at + self.n_bytes * self.n


def sparse_set(wordnet: WordNetSmall, name: str) -> tuple[sparse.csr_array, sparse.csr_array]:
    """(documents, queries): "learned", real SPLADE vectors, or "lexical", BM25 of real texts, few distinct scores."""
    if name == "learned":
        return wordnet.sparse_documents, wordnet.sparse_queries
    columns = vocabulary(wordnet.texts)
    impacts, idf = bm25(count_words(wordnet.texts, columns))
    queries = count_words(wordnet.query_texts, columns).multiply(idf[None, :])
    return impacts, sparse.csr_array(queries).astype(np.float32)
