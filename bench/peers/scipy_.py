"""scipy: a product of sparse matrices and a partial sort; exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.contract import Peer
from bench.sparse_forms import as_rows


class Scipy(Peer):
    """No parameters, no settings."""

    package = module = "scipy"
    metrics, sparse, exact, has_batches = ("ip",), True, True, False

    def build(self, X: sparse.csr_array) -> None:
        self.inverted = sparse.csr_array(X.T)

    def forms(self, Q: sparse.csr_array) -> list[Any]:
        return as_rows(Q)

    def ask_one(self, q: sparse.csr_array) -> Any:
        scores = (q @ self.inverted).toarray().ravel()
        k = min(self.wanted.k, len(scores))
        best = np.argpartition(scores, len(scores) - k)[len(scores) - k :]
        best = best[np.argsort(-scores[best])]
        best = best[scores[best] > 0]
        return best, scores[best]

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return raw[0].astype(np.int64), -raw[1].astype(np.float64)

    def save(self, path: Path) -> None:
        with open(path, "wb") as file:
            sparse.save_npz(file, self.inverted, compressed=False)

    def load(self, path: Path, X: sparse.csr_array, **parameters: Any) -> None:
        self.build(X)
