"""A set of sparse vectors, its queries cut into those by which settings are chosen and those that are timed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from bench.data import as_csr
from bench.sparse_truth import SparseTruth
from vecrecall.datasets.sparse import generate
from vecrecall.io.csr import read_csr


@dataclass
class Half:
    """Queries and their exact answers."""

    queries: sparse.csr_array
    truth: SparseTruth


@dataclass
class SparseSet:
    """Documents and two halves of the queries."""

    name: str
    docs: sparse.csr_array
    k: int
    choosing: Half
    timed: Half

    def __str__(self) -> str:
        """What it is, in a line."""
        queries = self.timed.queries
        return (
            f"{self.name}: {self.docs.shape[0]:,} documents of {self.docs.nnz / self.docs.shape[0]:.1f} non-zeros; "
            f"{queries.shape[0]} queries of {queries.nnz / queries.shape[0]:.1f} timed, with settings chosen on "
            f"{self.choosing.queries.shape[0]} others; k = {self.k}"
        )


def halved(name: str, docs: sparse.csr_array, queries: sparse.csr_array, n_queries: int, k: int) -> SparseSet:
    """Take the first queries that are not empty; every second one is timed, the others choose."""
    kept = np.flatnonzero(np.diff(queries.indptr))[:n_queries]
    if len(kept) < 2:
        raise ValueError(f"{name} has {len(kept)} queries that are not empty, expected two or more")
    halves = [Half(q, SparseTruth(docs, q, k)) for q in (queries[kept[0::2]], queries[kept[1::2]])]
    return SparseSet(name, docs, k, *halves)


def read_set(docs: Path, queries: Path, n_queries: int, k: int) -> SparseSet:
    """Read two files: what scipy.sparse.save_npz wrote, or the csr files of big-ann-benchmarks."""
    name = docs.stem.removesuffix("-docs").removesuffix("_docs")
    if name.startswith("base"):  # they are all called so, and tell themselves apart by their folder
        name = docs.absolute().parent.name
    rows = read_matrix(docs)
    return halved(name, rows, read_matrix(queries, rows.shape[1]), n_queries, k)


def read_matrix(path: Path, dim: int | None = None) -> sparse.csr_array:
    """Read a file of either kind; `dim` columns where a csr file counts fewer."""
    return as_csr(sparse.load_npz(path) if path.suffix == ".npz" else read_csr(path, dim=dim).rows)


def generated_set(n: int, n_queries: int, k: int) -> SparseSet:
    """Generate a set of a size."""
    return halved(f"generated {n:,}", *generate(n, n_queries), n_queries, k)
