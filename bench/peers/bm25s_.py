"""bm25s: adds up every posting of the query's terms, compiled by Numba; exact, for queries without own weights only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.contract import LeftOut, Peer
from bench.sparse_forms import as_pairs


class Bm25s(Peer):
    """It is given the scores of the set in place of its own, so its answers are those of the set. No settings."""

    package = module = "bm25s"
    compiles = True
    metrics, sparse, exact, has_batches = ("ip",), True, True, False

    def build(self, X: sparse.csr_array) -> None:
        import bm25s

        self.index: Any = bm25s.BM25(backend="numba")
        self.index.nonoccurrence_array = None
        self.inverted = X.tocsc()

    def forms(self, Q: sparse.csr_array) -> list[Any]:
        weights = one_weight_a_column(Q)
        inverted, n_columns = self.inverted, self.inverted.shape[1]
        self.index.scores = {
            "data": inverted.data * np.repeat(weights, np.diff(inverted.indptr)),
            "indices": inverted.indices.astype(np.int32),
            "indptr": inverted.indptr.astype(np.int32),
            "num_docs": inverted.shape[0],
        }
        self.index.vocab_dict = {str(column): column for column in range(n_columns)}
        self.index.unique_token_ids_set = set(range(n_columns))
        return [[columns.tolist()] for columns, _ in as_pairs(Q)]

    def ask_one(self, q: list[list[int]]) -> Any:
        return self.index.retrieve(q, k=self.wanted.k, show_progress=False)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        ids, scores = raw.documents[0], raw.scores[0].astype(np.float64)
        return ids[scores > 0].astype(np.int64), -scores[scores > 0]

    def save(self, path: Path) -> None:
        sparse.save_npz(path, self.inverted, compressed=False)
        path.with_name(path.name + ".npz").rename(path)

    def load(self, path: Path, X: sparse.csr_array, **parameters: Any) -> None:
        self.build(X)


def one_weight_a_column(queries: sparse.csr_array) -> NDArray[np.float32]:
    """The weight that a column has in every query that holds it; 1 where none does."""
    weights = np.ones(queries.shape[1], np.float32)
    weights[queries.indices] = queries.data
    if not np.allclose(weights[queries.indices], queries.data):
        raise LeftOut("bm25s adds up weights of documents; here a term weighs differently in different queries")
    return weights
