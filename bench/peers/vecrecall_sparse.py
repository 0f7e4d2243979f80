"""vecrecall's engine for sparse vectors, approximate and exact."""

from __future__ import annotations

from typing import Any

from scipy import sparse

from bench.peers.vecrecall_dense import _Engine
from bench.sparse_forms import as_rows


class Sparse(_Engine):
    """vr.SparseIndex asked with a CSR row; settings: query_cut, heap_factor, impact_cut."""

    module = "vecrecall.sparse.index"
    metrics, sparse = ("ip",), True

    def build(self, X: sparse.csr_array, **parameters: Any) -> None:
        import vecrecall as vr

        self.index: Any = vr.SparseIndex.build(X, k=self.wanted.k, threads=self.wanted.n_threads, **parameters)

    def forms(self, Q: sparse.csr_array) -> list[Any]:
        return as_rows(Q)


class SparseExact(Sparse):
    """The same index, asked for exact answers; no settings."""

    exact = True

    def set(self, **setting: Any) -> None:
        self.setting = {"exact": True, **setting}
