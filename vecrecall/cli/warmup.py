"""`vecrecall warmup`: compile every kernel by building and searching tiny indexes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_METRICS = ("l2", "ip", "cosine")
_STORAGES = ("sq4", "sq8", "f16", "f32")
_CODES = ("sq4", "sq8")
_N_ROWS = 2_200  # half of them are enough for every storage to train and use its codes
_DIM = 160  # more than one block of 128 dimensions, and a remainder


def warmup(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Compile every kernel now, into the cache on disk, so that no later process has to.

    What is compiled, and in how many seconds, is told on the error stream. NUMBA_CACHE_DIR names another folder for
    the cache than beside the package.

    Example: vecrecall warmup
    """
    seconds = compile_all()
    if as_json:
        from vecrecall.cli.outputs import print_json

        print_json({"kernels": seconds, "total_s": sum(seconds.values())})


def compile_all() -> dict[str, float]:
    """Run every engine once on random rows, which leaves what is compiled on disk; returns the seconds of each use."""
    import numpy as np

    from vecrecall.progress import progress_bar

    X = np.random.default_rng(0).standard_normal((_N_ROWS, _DIM), dtype=np.float32)
    uses = list(_uses(X))
    seconds: dict[str, float] = {}
    with progress_bar("compiling", len(uses), True) as advance:
        for name, use in uses:
            before = time.perf_counter()
            use()
            seconds[name] = time.perf_counter() - before
            typer.echo(f"{name:<18} {seconds[name]:6.2f} s", err=True)
            advance(len(seconds))
    typer.echo(f"all kernels are compiled, {sum(seconds.values()):.1f} s", err=True)
    return seconds


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
    yield "analysis", partial(_use_analysis, X)


def _use_sparse(X: NDArray[np.float32]) -> None:
    """Build, grow, compact and search a sparse index, and search the same rows exactly."""
    import numpy as np
    import scipy.sparse as sp

    from vecrecall.exact.index import Exact
    from vecrecall.sparse.index import SparseIndex

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


def _use_analysis(X: NDArray[np.float32]) -> None:
    """Estimate dimensions, put rows in order, trace a search."""
    import numpy as np

    from vecrecall.analysis.coresets import coreset
    from vecrecall.analysis.dimensions import dimension
    from vecrecall.analysis.explaining import explain
    from vecrecall.analysis.orders import order
    from vecrecall.hnsw.index import HNSW

    few = X[:300]
    dimension(few, "all", k=20)
    order(few, "cluster", n_clusters=4)
    coreset(few, 3)
    coreset(np.abs(10 * few).astype(np.uint8), 3, project=None)
    index = HNSW.build(X[: len(X) // 2])
    explain(index, X[0], 1)


def _use_exact(X: NDArray[np.float32], metric: str) -> None:
    """Search a batch exactly."""
    from vecrecall.exact.index import Exact

    Exact.build(X, metric=metric).search(X[:9], 10)


def _use_graph(X: NDArray[np.float32], storage: str, metric: str) -> None:
    """Build, grow and search a graph: a batch, one query; the textbook schedule once a storage."""
    from vecrecall.hnsw.index import HNSW

    half = len(X) // 2
    index = HNSW.build(X[:half], metric=metric, storage=storage)
    index.add(X[half:])
    index.search(X[:9], 10)
    index.search(X[0], 10)
    index.refine()
    if metric == _METRICS[0]:
        HNSW.build(X[:half], metric=metric, storage=storage, schedule="sequential")


def _use_lists(X: NDArray[np.float32], storage: str, metric: str) -> None:
    """Build, grow and search an inverted file: with and without rows, a batch and one query."""
    from vecrecall.ivf.index import IVF

    half = len(X) // 2
    for keep in ("auto", None):
        index = IVF.build(X[:half], metric=metric, storage=storage, keep=keep, n_lists=8)
        index.add(X[half:])
        for Q in (X[:9], X[:3], X[0]):
            index.search(Q, 10, nprobe=8, rerank=20)
