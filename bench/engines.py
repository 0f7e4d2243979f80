"""The engines that are measured: ours and the peers, each built with the setting that its users would take.

Every maker takes rows (unit length under cosine), the metric, the number of threads and a clock, and gives an
`Engine`. A peer that is not installed raises ImportError; the caller leaves it out and says so.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.sweep import Clock, K

EFS = [10, 12, 14, 17, 20, 24, 28, 34, 40, 50, 64, 80, 100, 128, 160, 200, 280, 400]
PROBES = [2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256]
_FEW_PROBES = [2, 4, 6, 8, 12, 16, 24, 32, 48, 64]
N_WARM = 5_000  # rows of the small index that compiles the kernels outside the clock
Maker = Callable[[NDArray, str, int, Clock], "Engine"]


class Cost(NamedTuple):
    """What a build took: seconds, and what the process grew by (compiled kernels and libraries not counted)."""

    s: float
    mib: float


@dataclass
class Engine:
    """A built index and how to ask it."""

    cost: Cost
    search: Callable[[NDArray, Any], NDArray]  # (queries, parameter) -> ids
    parameters: list[Any]
    index: Any = None
    setting: str = ""


def rss_mib() -> float:
    """Memory of this process that is in RAM; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def timed(build: Callable[[], Any], clock: Clock) -> tuple[Any, Cost]:
    """Run a build; what it returns and what it took."""
    gc.collect()
    rss, before = rss_mib(), clock()
    index = build()
    took = clock() - before
    gc.collect()
    return index, Cost(took, rss_mib() - rss)


def ours(**parameters: Any) -> Maker:
    """vr.HNSW with the defaults but for `parameters`."""

    def make(X: NDArray, metric: str, threads: int, clock: Clock) -> Engine:
        import vecrecall as vr

        small = vr.HNSW.build(X[:N_WARM], metric=metric, threads=threads, **parameters)
        small.search(X[:8], K, ef=20, threads=threads)
        small.search(X[0], K, ef=20, threads=threads)
        index, cost = timed(lambda: vr.HNSW.build(X, metric=metric, threads=threads, **parameters), clock)

        def search(Q: NDArray, ef: int) -> NDArray:
            return index.search(Q, K, ef=ef, threads=threads).ids

        setting = " ".join(f"{name}={value}" for name, value in parameters.items()) or "defaults"
        return Engine(cost, search, EFS, index, setting)

    return make


def ours_ivf(X: NDArray, metric: str, threads: int, clock: Clock) -> Engine:
    """vr.IVF with the defaults."""
    import vecrecall as vr

    small = vr.IVF.build(X[:N_WARM], metric=metric, threads=threads)
    for Q in (X[:8], X[:4], X[0]):
        small.search(Q, K, nprobe=1, rerank=K, threads=threads)
    index, cost = timed(lambda: vr.IVF.build(X, metric=metric, threads=threads), clock)

    def search(Q: NDArray, parameter: tuple[int, int]) -> NDArray:
        return index.search(Q, K, nprobe=parameter[0], rerank=parameter[1], threads=threads).ids

    probes = [p for p in PROBES if p <= index.n_lists] or [1]
    parameters = [(p, r) for p in probes for r in (11, 13, 16, 20, 28, 40, 60, 90)]
    return Engine(cost, search, parameters, index, "defaults")


def exact(X: NDArray, metric: str, threads: int, clock: Clock) -> Engine:
    """vr.Exact."""
    import vecrecall as vr

    vr.Exact.build(X[:N_WARM], metric=metric).search(X[:8], K, threads=threads)
    index, cost = timed(lambda: vr.Exact.build(X, metric=metric), clock)

    def search(Q: NDArray, parameter: int) -> NDArray:
        return index.search(Q, K, threads=threads).ids

    return Engine(cost, search, [1], index, "defaults")


def hnswlib_(X: NDArray, metric: str, threads: int, clock: Clock) -> Engine:
    """hnswlib, float32, M=16, ef_construction=200."""
    import hnswlib

    index = hnswlib.Index("l2" if metric == "l2" else "ip", X.shape[1])
    index.set_num_threads(threads)

    def build() -> None:
        index.init_index(len(X), M=16, ef_construction=200, random_seed=1)
        index.add_items(X, num_threads=threads)

    _, cost = timed(build, clock)

    def search(Q: NDArray, ef: int) -> NDArray:
        index.set_ef(ef)
        return index.knn_query(Q, K, num_threads=threads)[0]

    return Engine(cost, search, EFS, index, "M=16 ef_construction=200 f32")


def _faiss_metric(metric: str) -> int:
    import faiss

    return faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT


def faiss_hnsw(spec: str) -> Maker:
    """A faiss graph by its factory string; "RFlat" ranks k_factor * k candidates by the float32 rows."""

    def make(X: NDArray, metric: str, threads: int, clock: Clock) -> Engine:
        import faiss

        faiss.omp_set_num_threads(threads)
        index = faiss.index_factory(X.shape[1], spec, _faiss_metric(metric))
        refined = spec.endswith("RFlat")
        graph = faiss.downcast_index(index.base_index) if refined else index
        graph.hnsw.efConstruction = 200
        _, cost = timed(lambda: (index.train(X), index.add(X)), clock)

        def search(Q: NDArray, parameter: tuple[int, float]) -> NDArray:
            graph.hnsw.efSearch = parameter[0]
            if refined:
                index.k_factor = parameter[1]
            return index.search(Q, K)[1]

        factors = (1.5, 3) if refined else (1,)
        parameters = [(ef, factor) for ef in EFS for factor in factors if ef >= factor * K]
        return Engine(cost, search, parameters, index, f"{spec} efConstruction=200")

    return make


def faiss_ivf(n_lists: int | None = None, dims: int | None = None) -> Maker:
    """faiss IVF-PQ fast scan with 4-bit codes for so many dimensions each, ranked by the float32 rows."""

    def make(X: NDArray, metric: str, threads: int, clock: Clock) -> Engine:
        import faiss

        faiss.omp_set_num_threads(threads)
        dim, named = X.shape[1], n_lists is not None
        lists = n_lists or (256 if len(X) < 150_000 else 512)
        spec = f"IVF{lists},PQ{dim // (dims or (2 if dim <= 256 else 4))}x4fs,RFlat"
        index = faiss.index_factory(dim, spec, _faiss_metric(metric))
        _, cost = timed(lambda: (index.train(X), index.add(X)), clock)
        inverted = faiss.downcast_index(index.base_index)

        def search(Q: NDArray, parameter: tuple[int, float]) -> NDArray:
            inverted.nprobe, index.k_factor = parameter
            return index.search(Q, K)[1]

        probes, factors = (PROBES, (1, 1.5, 2, 3, 4, 6, 10, 16)) if named else (_FEW_PROBES, (3, 6, 12))
        return Engine(cost, search, [(n, factor) for n in probes for factor in factors], index, spec)

    return make


def kannolo_(codes: bool) -> Maker:
    """kannolo: a float32 graph, or one on 4-bit RaBitQ codes whose candidates are ranked again."""

    def make(X: NDArray, metric: str, threads: int, clock: Clock) -> Engine:
        import kannolo

        # the codes want a multiple of 64 dimensions; zeros change no distance
        wide = -X.shape[1] % 64 if codes else 0
        rows = np.pad(X, ((0, 0), (0, wide))) if wide else X
        kind = kannolo.DenseRerankHNSW if codes else kannolo.DensePlainHNSW
        more = {"encoder": "rabitq-ext", "rabitq_total_bits": 4} if codes else {}
        name = "euclidean" if metric == "l2" else "dotproduct"
        index, cost = timed(
            lambda: kind.build_from_array(
                rows.ravel(), rows.shape[1], m=16, ef_construction=200, metric=name, **more
            ),
            clock,
        )

        def search(Q: NDArray, ef: int) -> NDArray:
            Q = np.pad(Q, ((0, 0), (0, wide))) if wide else Q
            depth = {"k_candidates": min(ef, 40)} if codes else {}
            found = index.batch_search(Q.ravel(), K, ef_search=ef, num_threads=threads, **depth)
            return np.asarray(found[1]).reshape(len(Q), K)

        setting = "m=16 ef_construction=200" + (" rabitq-ext 4 bits" if codes else " f32")
        return Engine(cost, search, EFS, index, setting)

    return make


def usearch_(X: NDArray, metric: str, threads: int, clock: Clock) -> Engine:
    """usearch, float16."""
    from usearch.index import Index

    index = Index(
        ndim=X.shape[1],
        metric="l2sq" if metric == "l2" else "ip",
        dtype="f16",
        connectivity=16,
        expansion_add=200,
        expansion_search=64,
    )
    _, cost = timed(lambda: index.add(np.arange(len(X)), X, threads=threads), clock)

    def search(Q: NDArray, ef: int) -> NDArray:
        index.expansion_search = ef
        return index.search(Q, K, threads=threads).keys

    return Engine(cost, search, EFS, index, "connectivity=16 expansion_add=200 f16")


def svs_(codes: bool) -> Maker:
    """Intel SVS Vamana on float16, or on LVQ codes (which end the process on other makers' processors)."""

    def make(X: NDArray, metric: str, threads: int, clock: Clock) -> Engine:
        import svs

        inner = metric != "l2"
        how = svs.VamanaBuildParameters(graph_max_degree=32, window_size=128, alpha=0.95 if inner else 1.2)
        distance = svs.DistanceType.MIP if inner else svs.DistanceType.L2
        data: Any = X.astype(np.float16)
        if codes:
            file = os.path.join(tempfile.mkdtemp(), "rows.fvecs")
            svs.write_vecs(X, file)
            data = svs.LVQLoader(svs.VectorDataLoader(file, svs.DataType.float32, X.shape[1]), 8, 0)
        index, cost = timed(lambda: svs.Vamana.build(how, data, distance, num_threads=threads), clock)

        def search(Q: NDArray, window: int) -> NDArray:
            index.search_window_size = window
            return index.search(Q, K)[0].astype(np.int64)

        return Engine(cost, search, EFS, index, f"degree 32 window 128 {'lvq8' if codes else 'f16'}")

    return make


OURS: dict[str, Maker] = {
    "ours": ours(), "ours-f32": ours(storage="f32"), "ours-ivf": ours_ivf, "exact": exact,
}  # fmt: skip

PEERS: dict[str, Maker] = {
    "hnswlib": hnswlib_,
    "faiss-hnsw": faiss_hnsw("HNSW16"),
    "faiss-hnsw-sq8": faiss_hnsw("HNSW32_SQ8,RFlat"),
    "faiss-hnsw-sq8-16": faiss_hnsw("HNSW16_SQ8,RFlat"),
    "faiss-ivfpqfs": faiss_ivf(),
    **{f"faiss-ivf{n}-{dims}": faiss_ivf(n, dims) for n in (256, 512, 1024) for dims in (2, 4)},
    "kannolo": kannolo_(codes=False),
    "kannolo-rq": kannolo_(codes=True),
    "svs-f16": svs_(codes=False),
    "svs-lvq": svs_(codes=True),
    "usearch": usearch_,
}


def make_engine(
    name: str, X: NDArray, metric: str, threads: int = 1, clock: Clock = time.perf_counter
) -> Engine:
    """Build an engine by its name in `OURS` or `PEERS`."""
    return {**OURS, **PEERS}[name](X, metric, threads, clock)
