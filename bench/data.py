"""The data sets of tasks: rows, queries in two halves, and where the truth comes from.

A name is one of the small sets of the repository, or a file in the folder of data: ``NAME.hdf5`` laid out as in
ann-benchmarks, ``NAME-docs.npz`` with ``NAME-queries.npz``, CSR as scipy.sparse writes it, or a sparse set as a folder
of big-ann-benchmarks' files. ``NAME:N`` is the first N rows of a dense set; ``learned-sparse:N`` is generated, see
`vecrecall.datasets.sparse`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

METRICS = {"l2": "l2", "euclidean": "l2", "cosine": "cosine", "angular": "cosine"}


@dataclass(frozen=True, eq=False)
class Data:
    """A set as every peer is given it.

    Attributes
    ----------
    X, Q : ndarray of float32, C order, shape (n, d) and (q, d); or csr_array of float32 with sorted columns
        Of unit length under cosine. Sparse queries have at least one entry.
    neighbors : ndarray of int64, shape (q, depth >= k), or None
        The exact answers. None for sparse sets, whose exact scores are computed where they are needed.
    """

    name: str
    X: Any
    Q: Any
    metric: str
    neighbors: NDArray[np.int64] | None
    source: str = ""

    @property
    def is_sparse(self) -> bool:
        return sparse.issparse(self.X)

    def digest(self) -> str:
        """A digest of rows, queries and truth: equal for equal sets only."""
        parts = [self.neighbors] if self.neighbors is not None else []
        for matrix in (self.X, self.Q):
            parts += [matrix.data, matrix.indices, matrix.indptr] if sparse.issparse(matrix) else [matrix]
        whole = hashlib.blake2b(digest_size=16)
        for part in parts:
            whole.update(np.ascontiguousarray(part).data)
        return whole.hexdigest()

    @property
    def n(self) -> int:
        return int(self.X.shape[0])

    def half(self, which: str) -> tuple[Any, NDArray[np.int64]]:
        """(queries, their numbers): settings are chosen on "choosing", figures come from "timed"; or "all" of them."""
        part = {"choosing": slice(0, None, 2), "timed": slice(1, None, 2), "all": slice(None)}[which]
        numbers = np.arange(self.Q.shape[0])[part]
        return self.Q[numbers], numbers


def of_unit_length(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows divided by their length; rows of zeros stay."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-30))


def dense(name: str, X: Any, Q: Any, metric: str, neighbors: Any, source: str) -> Data:
    """A dense set in the form in which peers are given it."""
    X, Q = (np.ascontiguousarray(part, np.float32) for part in (X, Q))
    if metric == "cosine":
        X, Q = of_unit_length(X), of_unit_length(Q)
    return Data(name, X, Q, metric, np.asarray(neighbors).astype(np.int64), source)


def as_csr(matrix: sparse.spmatrix | sparse.sparray) -> sparse.csr_array:
    """CSR of float32, columns sorted, nothing twice and nothing zero."""
    csr = sparse.csr_array(matrix).astype(np.float32)
    csr.sum_duplicates()
    csr.eliminate_zeros()
    return csr


def sparse_set(name: str, docs: Any, queries: Any, n_queries: int, source: str) -> Data:
    """A sparse set of the first queries that are not empty."""
    docs, queries = as_csr(docs), as_csr(queries)
    kept = np.flatnonzero(np.diff(queries.indptr))[:n_queries]
    return Data(name, docs, queries[kept], "ip", None, source)


def wordnet_small(n_queries: int) -> Data:
    """MiniLM vectors of WordNet's synsets, of datasets/wordnet-small."""
    from bench.make_data import exact_neighbours
    from datasets.wordnet_small import load

    data = load()
    ids, _ = exact_neighbours(data.documents, data.queries[:n_queries], "cosine")
    source = "datasets/wordnet-small: all-MiniLM-L6-v2 on WordNet 3.0"
    return dense("wordnet-small", data.documents, data.queries[:n_queries], "cosine", ids, source)


def wordnet_small_splade(n_queries: int) -> Data:
    """SPLADE vectors of the same synsets."""
    from datasets.wordnet_small import load

    data = load()
    source = "datasets/wordnet-small: a SPLADE model on WordNet 3.0"
    return sparse_set("wordnet-small-splade", data.sparse_documents, data.sparse_queries, n_queries, source)


SMALL: dict[str, Callable[[int], Data]] = {
    "wordnet-small": wordnet_small,
    "wordnet-small-splade": wordnet_small_splade,
}


def first_rows(data: Data, n: int, name: str) -> Data:
    """The first rows of a dense set, with neighbours found anew."""
    from bench.make_data import exact_neighbours

    if data.is_sparse or data.metric == "ip" or not 0 < n <= data.n:
        raise ValueError(f"{name}: expected at most {data.n:,} rows of a dense set under l2 or cosine")
    ids, _ = exact_neighbours(data.X[:n], data.Q, data.metric)
    return Data(name, np.ascontiguousarray(data.X[:n]), data.Q, data.metric, ids.astype(np.int64), data.source)


def generated(n: int, n_queries: int, name: str) -> Data:
    """Learned-sparse vectors with the statistics of SPLADE on MS MARCO."""
    from vecrecall.datasets.sparse import generate

    return sparse_set(name, *generate(n, n_queries), n_queries, "generated: vecrecall.datasets.sparse")


def load(name: str, folder: Path, n_queries: int) -> Data:
    """Load a set by its name, with at most so many queries."""
    whole, _, count = name.partition(":")
    if count:
        if not count.isdecimal():
            raise ValueError(f"{name!r} has {count!r} after the colon, expected a number of rows")
        if whole == "learned-sparse":
            return generated(int(count), n_queries, name)
        return first_rows(load(whole, folder, n_queries), int(count), name)
    if name in SMALL:
        return SMALL[name](n_queries)
    file = folder / f"{name}.hdf5"
    if file.exists():
        return read_hdf5(file, n_queries)
    docs, queries = (folder / f"{name}-{part}.npz" for part in ("docs", "queries"))
    if docs.exists() and queries.exists():
        return sparse_set(name, sparse.load_npz(docs), sparse.load_npz(queries), n_queries, "")
    if (folder / name).is_dir():
        from vecrecall.io import read

        found = read(folder / name)
        return sparse_set(name, found.rows, found.queries, n_queries, str(found.attributes.get("source", "")))
    raise FileNotFoundError(
        f"{folder} has neither {file.name} nor {docs.name} with {queries.name}; `python -m bench.make_data {folder}` "
        f"or `python -m bench.make_sparse_data {folder}` makes those of the repository, `vecrecall data get` others"
    )


def read_hdf5(path: Path, n_queries: int) -> Data:
    """Read a file of ann-benchmarks' layout."""
    import h5py

    with h5py.File(path) as file:
        name = file.attrs.get("metric", file.attrs.get("distance"))
        name = name.decode() if isinstance(name, bytes) else str(name)
        if name not in METRICS and name not in ("ip", "dot"):
            raise ValueError(f"{path} has the metric {name!r}, expected l2, euclidean, cosine, angular, ip or dot")
        return dense(
            path.stem, file["train"][:], file["test"][:n_queries], METRICS.get(name, "ip"),
            file["neighbors"][:n_queries], str(file.attrs.get("source", "")),
        )  # fmt: skip


# ---------------------------------------- staged on disk, so that every process maps the same pages


def stage(data: Data, folder: Path) -> None:
    """Write a set into a folder as plain arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("X", data.X), ("Q", data.Q)):
        if sparse.issparse(part):
            for field in ("data", "indices", "indptr"):
                np.save(folder / f"{name}-{field}.npy", getattr(part, field))
            np.save(folder / f"{name}-shape.npy", np.array(part.shape))
        else:
            np.save(folder / f"{name}.npy", part)


def staged(folder: Path, name: str) -> Any:
    """Rows ("X") or queries ("Q") out of a folder; rows are mapped, and private to whoever writes to them."""
    if (folder / f"{name}.npy").exists():
        rows = np.load(folder / f"{name}.npy", mmap_mode="c").view(np.ndarray)
        rows.sum()  # bring the pages in, so that no build is charged for the disk
        return rows
    parts = [np.load(folder / f"{name}-{field}.npy") for field in ("data", "indices", "indptr")]
    matrix = sparse.csr_array(tuple(parts), shape=tuple(np.load(folder / f"{name}-shape.npy").tolist()))
    matrix.has_canonical_format = True
    return matrix
