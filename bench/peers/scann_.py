"""ScaNN: a tree of leaves, codes with anisotropic loss scanned in registers, candidates ranked by the float32 rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer, below_one, euclidean


class ScaNN(Peer):
    """build: n_leaves (its guide: about the root of n), dims (a code's block; its guide: 2), anisotropic threshold.

    settings: leaves, reorder (how many candidates are ranked exactly).
    """

    package = module = "scann"

    def build(self, X: NDArray, n_leaves: int = 300, dims: int = 2, anisotropic: float = 0.2) -> None:
        import scann

        inner = self.wanted.metric != "l2"
        builder = scann.scann_ops_pybind.builder(X, self.wanted.k, "dot_product" if inner else "squared_l2")
        builder = builder.tree(num_leaves=n_leaves, num_leaves_to_search=n_leaves // 10, training_sample_size=len(X))
        more = {"anisotropic_quantization_threshold": anisotropic} if inner else {}
        builder = builder.score_ah(dims, **more).reorder(100)
        builder.set_n_training_threads(self.wanted.n_threads)
        self.index: Any = builder.build()

    def set(self, leaves: int, reorder: int) -> None:
        self.setting = {
            "final_num_neighbors": self.wanted.k, "pre_reorder_num_neighbors": max(reorder, self.wanted.k),
            "leaves_to_search": leaves,
        }  # fmt: skip

    def ask_one(self, q: NDArray) -> Any:
        return self.index.search(q, **self.setting)

    def ask_batch(self, Q: NDArray) -> Any:
        together = self.wanted.n_threads > 1
        return (self.index.search_batched_parallel if together else self.index.search_batched)(Q, **self.setting)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        ids = raw[0].astype(np.int64)
        return ids, euclidean(raw[1]) if self.wanted.metric == "l2" else below_one(raw[1], self.wanted.metric)

    def save(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.index.serialize(str(path), relative_path=True)

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        import scann

        self.index = scann.scann_ops_pybind.load_searcher(str(path))
