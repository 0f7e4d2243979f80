"""`vecrecall warmup`: compile every kernel by building and searching tiny indexes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from rich.console import Console

from vecrecall.exact.index import Exact
from vecrecall.hnsw.index import HNSW
from vecrecall.ivf.index import IVF
from vecrecall.sparse.index import SparseIndex

_METRICS = ("l2", "ip", "cosine")
_STORAGES = ("sq4", "sq8", "f16", "f32")
_CODES = ("sq4", "sq8")
_N_ROWS = 2_200  # half of them are enough for every storage to train and use its codes
_DIM = 160  # more than one block of 128 dimensions, and a remainder


def _uses(X: NDArray[np.float32]) -> Iterator[tuple[str, Callable[[], None]]]:
    """What is to be run, each with a name for people."""
    for metric in _METRICS:
        yield f"Exact {metric}", partial(_use_exact, X, metric)
    for storage in _STORAGES:
        for metric in _METRICS:
            yield f"HNSW {storage} {metric}", partial(_use_graph, X, storage, metric)
    for storage in _CODES:
        for metric in _METRICS:
            yield f"IVF {storage} {metric}", partial(_use_lists, X, storage, metric)
    yield "Sparse", partial(_use_sparse, X)


def _use_sparse(X: NDArray[np.float32]) -> None:
    """Build, grow, compact and search a sparse index, and search the same rows exactly."""
    D = sp.csr_array(np.maximum(X[:300], 0))
    index = SparseIndex.build(D[:200])
    index.add(D[200:])
    index.add(D[:20])
    index.delete([0])
    index.compact()
    index.search(D[:3], 10)
    index.search(D[:1], 10, exact=True)
    SparseIndex.build(D[:50], layout="blocked").search(D[:1], 5)
    Exact.build(D).search(D[:3], 10)


def _use_exact(X: NDArray[np.float32], metric: str) -> None:
    """Search a batch exactly."""
    Exact.build(X, metric=metric).search(X[:9], 10)


def _use_graph(X: NDArray[np.float32], storage: str, metric: str) -> None:
    """Build, grow and search a graph: a batch, one query; the textbook schedule once a storage."""
    half = len(X) // 2
    index = HNSW.build(X[:half], metric=metric, storage=storage)
    index.add(X[half:])
    index.search(X[:9], 10)
    index.search(X[0], 10)
    if metric == _METRICS[0]:
        HNSW.build(X[:half], metric=metric, storage=storage, schedule="sequential")


def _use_lists(X: NDArray[np.float32], storage: str, metric: str) -> None:
    """Build, grow and search an inverted file: with and without rows, a batch and one query."""
    half = len(X) // 2
    for keep in ("auto", None):
        index = IVF.build(X[:half], metric=metric, storage=storage, keep=keep, n_lists=8)
        index.add(X[half:])
        for Q in (X[:9], X[:3], X[0]):
            index.search(Q, 10, nprobe=8, rerank=20)


def compile_all() -> None:
    """Run every engine once on random rows; what is compiled lands in numba's cache on disk."""
    console = Console(stderr=True, highlight=False)
    X = np.random.default_rng(0).standard_normal((_N_ROWS, _DIM), dtype=np.float32)
    started = time.perf_counter()
    for name, use in _uses(X):
        before = time.perf_counter()
        with console.status(f"compiling {name}"):
            use()
        console.print(f"{name:<18} {time.perf_counter() - before:6.2f} s")
    console.print(f"all kernels are compiled, {time.perf_counter() - started:.1f} s")
