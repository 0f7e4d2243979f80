"""Seismic: blocked inverted lists with summaries, in Rust (Bruch et al. 2024)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.contract import Peer, below_one
from bench.sparse_forms import as_pairs

BLOCK = 50_000


class Seismic(Peer):
    """build: n_postings, or share (of the mean list: its guide prunes to 0.65), max_fraction, nknn.

    settings: query_cut, heap_factor, in_order, n_knn (neighbours of what was found, where it was built with nknn).
    Asked with arrays of columns and weights, its fastest call for one.
    """

    package, module = "pyseismic-lsr", "seismic"
    metrics, sparse, has_batches = ("ip",), True, False

    def _kind(self, n_columns: int) -> Any:
        import seismic

        # two bytes a column, or four for a larger vocabulary
        return seismic.SeismicIndexRaw if n_columns <= 2**16 else seismic.SeismicIndexRawLV

    def build(
        self, X: sparse.csr_array, n_postings: int = 3_500, share: float | None = None, max_fraction: float = 1.5,
        nknn: int = 0,
    ) -> None:  # fmt: skip
        if share is not None:
            n_postings = max(20, int(share * X.nnz / len(np.unique(X.indices))))
        with tempfile.TemporaryDirectory() as folder:  # it builds from a file only
            path = Path(folder) / "documents.bin"
            write_seismic_format(X, path)
            self.index: Any = self._kind(X.shape[1]).build(
                str(path), n_postings=n_postings, centroid_fraction=0.1, summary_energy=0.4, max_fraction=max_fraction,
                nknn=nknn,
            )  # fmt: skip

    def set(self, query_cut: int, heap_factor: float, in_order: bool = True, n_knn: int = 0) -> None:
        self.setting = (query_cut, heap_factor, n_knn, in_order)

    def forms(self, Q: sparse.csr_array) -> list[Any]:
        return as_pairs(Q)

    def ask_one(self, q: tuple[NDArray, NDArray]) -> Any:
        return self.index.search(q[0], q[1], self.wanted.k, *self.setting)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return np.array([row for _, row in raw], np.int64), below_one([score for score, _ in raw], "ip")

    def save(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)  # some of its versions add an ending of their own
        self.index.save(str(path / "index"))

    def load(self, path: Path, X: sparse.csr_array, **parameters: Any) -> None:
        self.index = self._kind(X.shape[1]).load(str(next(path.iterdir())))


def write_seismic_format(docs: sparse.csr_array, path: Path, block: int = BLOCK) -> None:
    """Write the file that Seismic builds from: the number of rows; of each its length, columns and weights.

    All of them 32 bits wide: columns unsigned, weights float32.
    """
    with open(path, "wb") as file:
        np.array([docs.shape[0]], np.uint32).tofile(file)
        for top in range(0, docs.shape[0], block):
            indptr = docs.indptr[top : top + block + 1].astype(np.int64)
            entries = slice(indptr[0], indptr[-1])
            lengths, before = np.diff(indptr), indptr[:-1] - indptr[0]
            words = np.empty(len(lengths) + 2 * int(lengths.sum()), np.uint32)
            heads = np.arange(len(lengths)) + 2 * before
            words[heads] = lengths
            place = np.repeat(heads + 1 - before, lengths) + np.arange(lengths.sum())
            words[place] = docs.indices[entries]
            words[place + np.repeat(lengths, lengths)] = docs.data[entries].view(np.uint32)
            words.tofile(file)

