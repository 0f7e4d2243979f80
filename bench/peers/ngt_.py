"""NGT: Yahoo Japan's neighbourhood graph, optimised (ONNG), float32. Its quantised graphs cannot be made in Python."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer

DISTANCES = {"l2": "L2", "cosine": "Normalized Cosine", "ip": "Inner product"}


class Onng(Peer):
    """build: edges (of the first graph), outgoing and incoming (of the optimised one); setting: epsilon."""

    package, module = "ngt", "ngtpy"
    metrics = ("l2", "cosine")

    def build(self, X: NDArray, edges: int = 100, outgoing: int = 10, incoming: int = 120) -> None:
        import ngtpy

        self.folder = tempfile.TemporaryDirectory()
        first, optimised = (str(Path(self.folder.name) / name) for name in ("anng", "onng"))
        ngtpy.create(
            first, X.shape[1], distance_type=DISTANCES[self.wanted.metric], edge_size_for_creation=edges,
            edge_size_for_search=0,
        )  # fmt: skip
        index = ngtpy.Index(first, log_disabled=True)
        index.batch_insert(X, num_threads=self.wanted.n_threads)
        index.save()
        index.close()
        optimiser = ngtpy.Optimizer(num_of_outgoings=outgoing, num_of_incomings=incoming, log_disabled=True)
        # the edges only: trials of searches take minutes, and their epsilon is given
        optimiser.set_processing_modes(True, False, False, False)
        optimiser.execute(first, optimised)
        shutil.rmtree(first)
        self.path = Path(optimised)
        self.index: Any = ngtpy.Index(optimised, read_only=True, log_disabled=True)

    def set(self, epsilon: float) -> None:
        self.index.set(num_of_search_objects=self.wanted.k, epsilon=epsilon)

    has_batches = False  # its batches are for many threads

    def ask_one(self, q: NDArray) -> Any:
        return self.index.search(q, self.wanted.k)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return np.array([row for row, _ in raw], np.int64), np.array([distance for _, distance in raw])

    def save(self, path: Path) -> None:
        shutil.copytree(self.path, path, dirs_exist_ok=True)

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        import ngtpy

        self.index = ngtpy.Index(str(path), read_only=True, log_disabled=True)
