"""BMP: block-max pruning over impacts of 8 bits, in Rust (Mallia et al. 2024)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.contract import Peer
from bench.sparse_forms import as_tokens


class BlockMax(Peer):
    """build: bsize (documents a block); settings: alpha, beta."""

    package = module = "bmp"
    metrics, sparse, has_batches = ("ip",), True, False

    def build(self, X: sparse.csr_array, bsize: int = 16) -> None:
        import bmp

        self.folder = tempfile.TemporaryDirectory()  # it writes a file while it builds
        self.path = Path(self.folder.name) / "index"
        indexer = bmp.Indexer(str(self.path), bsize=bsize, compress_range=False)
        impacts = np.maximum(1, np.rint(X.data * (255 / X.data.max()))).astype(int)
        for row, (first, end) in enumerate(zip(X.indptr[:-1], X.indptr[1:])):
            columns = map(str, X.indices[first:end])
            indexer.add_document(str(row), dict(zip(columns, impacts[first:end].tolist())))
        indexer.finish()
        self.index: Any = bmp.Searcher(str(self.path))

    def set(self, alpha: float = 1.0, beta: float = 1.0) -> None:
        self.setting = (alpha, beta)

    def forms(self, Q: sparse.csr_array) -> list[Any]:
        return as_tokens(Q)

    def ask_one(self, q: dict[str, float]) -> Any:
        return self.index.search(q, self.wanted.k, *self.setting)

    def answers(self, raw: Any) -> tuple[NDArray[np.int64], None]:
        return np.array(raw[0], dtype=np.int64), None  # its scores are sums of rounded impacts, in a unit of their own

    def save(self, path: Path) -> None:
        shutil.copy(self.path, path)

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        import bmp

        self.index = bmp.Searcher(str(path))
