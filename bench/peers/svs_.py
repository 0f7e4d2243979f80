"""Intel's Scalable Vector Search: a Vamana graph over float16, or over LVQ codes.

The kernels for codes end the process on processors of other makers; the harness reports that.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import Peer, below_one, euclidean


class Vamana(Peer):
    """build: degree, window; setting: window (of the search)."""

    package, module = "scalable-vs", "svs"

    def _distance(self) -> Any:
        import svs

        return svs.DistanceType.L2 if self.wanted.metric == "l2" else svs.DistanceType.MIP

    def _parameters(self, degree: int, window: int) -> Any:
        import svs

        alpha = 1.2 if self.wanted.metric == "l2" else 0.95
        return svs.VamanaBuildParameters(graph_max_degree=degree, window_size=window, alpha=alpha)

    def build(self, X: NDArray, degree: int = 32, window: int = 128) -> None:
        import svs

        self.index: Any = svs.Vamana.build(
            self._parameters(degree, window), X.astype(np.float16), self._distance(), num_threads=self.wanted.n_threads
        )

    def set(self, window: int) -> None:
        self.index.search_window_size = max(window, self.wanted.k)

    def forms(self, Q: NDArray) -> list[NDArray]:
        return [Q[i : i + 1] for i in range(len(Q))]

    def ask_one(self, q: NDArray) -> Any:
        return self.index.search(q, self.wanted.k)

    ask_batch = ask_one

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        ids, distances = raw[0].astype(np.int64), raw[1]
        return ids, euclidean(distances) if self.wanted.metric == "l2" else below_one(distances, self.wanted.metric)

    def save(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.index.save(*(str(path / part) for part in ("config", "graph", "data")))

    def load(self, path: Path, X: NDArray, **parameters: Any) -> None:
        import svs

        self.index = svs.Vamana(
            str(path / "config"), svs.GraphLoader(str(path / "graph")), self._stored(path / "data", X.shape[1]),
            self._distance(), num_threads=self.wanted.n_threads,
        )  # fmt: skip

    def _stored(self, path: Path, dim: int) -> Any:
        import svs

        return svs.VectorDataLoader(str(path), svs.DataType.float16, dim)


class CodedVamana(Vamana):
    """build: degree, window, bits and rest (of the codes that are walked, and of what they miss)."""

    def build(self, X: NDArray, degree: int = 32, window: int = 128, bits: int = 4, rest: int = 8) -> None:
        import svs

        with tempfile.TemporaryDirectory() as folder:  # codes are made of files only
            file = str(Path(folder) / "rows.fvecs")
            svs.write_vecs(X, file)
            rows = svs.VectorDataLoader(file, svs.DataType.float32, X.shape[1])
            self.index = svs.Vamana.build(
                self._parameters(degree, window), svs.LVQLoader(rows, bits, rest), self._distance(),
                num_threads=self.wanted.n_threads,
            )  # fmt: skip

    def _stored(self, path: Path, dim: int) -> Any:
        import svs

        return svs.LVQLoader(str(path))
