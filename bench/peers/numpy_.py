"""numpy: products with all rows and a partial sort; exact but for float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer, below_one, euclidean

BLOCK = 100  # queries compared with all rows at a time


class Numpy(Peer):
    """No parameters, no settings."""

    package = module = "numpy"
    exact = keeps_rows = True

    def build(self, X: NDArray) -> None:
        self.rows = X
        self.squares = np.einsum("ij,ij->i", X, X) if self.wanted.metric == "l2" else np.zeros(len(X), np.float32)
        self.factor = np.float32(-2 if self.wanted.metric == "l2" else -1)

    def ask_one(self, q: NDArray) -> Any:
        ids, keys = self.ask_batch(q[None])
        return ids[0], keys[0]

    def ask_batch(self, Q: NDArray) -> Any:
        parts = [self._block(Q[first : first + BLOCK]) for first in range(0, len(Q), BLOCK)]
        return tuple(np.concatenate(part) for part in zip(*parts))

    def _block(self, Q: NDArray) -> tuple[NDArray, NDArray]:
        k = min(self.wanted.k, len(self.rows))
        keys = self.squares + self.factor * (Q @ self.rows.T)
        ids = np.argpartition(keys, k - 1, axis=1)[:, :k]
        own = np.take_along_axis(keys, ids, 1)
        order = np.argsort(own, axis=1, kind="stable")
        if self.wanted.metric == "l2":
            own = own + np.einsum("ij,ij->i", Q, Q)[:, None]
        return np.take_along_axis(ids, order, 1), np.take_along_axis(own, order, 1)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        ids, keys = raw
        return ids, euclidean(keys) if self.wanted.metric == "l2" else below_one(-keys, self.wanted.metric)

    def save(self, path: Path) -> None:
        with open(path, "wb") as file:
            np.save(file, self.rows)

    def load(self, path: Path, X: NDArray, **parameters: Any) -> None:
        self.build(X)
