"""pynndescent: nearest-neighbour descent, compiled by Numba; candidates of its codes are ranked by the float32 rows."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer

METRICS = {"l2": "euclidean", "cosine": "cosine", "ip": "dot"}


class NNDescent(Peer):
    """build: n_neighbors, pruning_degree_multiplier, quantization, ...; settings: epsilon, candidate_width."""

    package = module = "pynndescent"
    metrics = ("l2", "cosine")
    compiles = True

    def build(self, X: NDArray, **parameters: Any) -> None:
        import pynndescent

        # unit length is told to its queries, not to its build, which copies rows of another metric
        self.index: Any = pynndescent.NNDescent(
            X, metric=METRICS[self.wanted.metric], n_jobs=self.wanted.n_threads, random_state=self.wanted.seed,
            parallel_batch_queries=self.wanted.n_threads > 1, **parameters,
        )  # fmt: skip
        self.index.prepare()

    def set(self, epsilon: float, candidate_width: int | None = None) -> None:
        self.setting: dict[str, Any] = {"epsilon": epsilon}
        if candidate_width is not None:
            self.setting["candidate_width"] = candidate_width
        if self.wanted.metric == "cosine":
            self.setting["pre_normalized"] = True

    def forms(self, Q: NDArray) -> list[NDArray]:
        return [Q[i : i + 1] for i in range(len(Q))]

    def ask_one(self, q: NDArray) -> Any:
        return self.index.query(q, k=self.wanted.k, **self.setting)

    ask_batch = ask_one

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return raw[0].astype(np.int64), raw[1].astype(np.float64)

    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self.index, protocol=5))  # its documented way; rows are in it

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        self.index = pickle.loads(path.read_bytes())
