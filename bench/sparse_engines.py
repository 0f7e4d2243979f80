"""The sparse engines that are measured: ours and the peers, each asked one query a call.

Every maker takes the documents (CSR of float32, columns sorted), k and a folder, and gives one or more
`SparseEngine`: two modes of one index are two engines. Queries are brought into an engine's own form by its
`prepare`, outside the clock. Peers write their index into the folder and read it from there, so a folder that is
kept spares their builds next time. A peer that is not installed raises ImportError, one that cannot take the data
ValueError; the caller leaves it out and says so.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.engines import timed
from bench.peers.seismic_ import write_seismic_format
from bench.sparse_forms import as_pairs, as_rows, as_tokens

N_WARM = 200  # documents of the small index that compiles the kernels outside the clock

OUR_CUTS = (3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 60)
OUR_FACTORS = (0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
OUR_IMPACT_CUTS = (0.06, 0.1, 0.15, 0.2)
SEISMIC_CUTS = (2, 3, 4, 5, 6, 8, 10, 14, 20, 30)
SEISMIC_FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
KANNOLO_EFS = (10, 20, 40, 60, 80, 120, 160, 240, 400, 800, 1500)
BMP_ALPHAS = (0.6, 0.7, 0.8, 0.9, 1.0)
BMP_BETAS = (0.3, 0.5, 0.7, 1.0)


@dataclass
class SparseEngine:
    """A built index and how to ask it."""

    name: str
    setting: str  # of the build
    prepare: Callable[[sparse.csr_array], list[Any]]  # queries -> each in the engine's own form
    search: Callable[[Any, Any], Any]  # (a prepared query, parameter) -> the engine's own answer
    ids: Callable[[Any], NDArray]  # rows in an answer
    parameters: list[Any]
    build_s: float | None = None  # processor time
    file_bytes: int | None = None
    index: Any = None


Maker = Callable[[sparse.csr_array, int, Path], list[SparseEngine]]


# ---------------------------------------- ours


def ours(docs: sparse.csr_array, k: int, folder: Path, layout: str | None = None) -> list[SparseEngine]:
    """vr.SparseIndex with the defaults but for the layout, approximate and exact, asked with a CSR row."""
    import vecrecall as vr

    small = vr.SparseIndex.build(docs[:N_WARM], layout=layout, threads=1)
    for more in ({"query_cut": 5, "heap_factor": 0.9, "impact_cut": 0.1}, {"exact": True}):
        small.search(docs[[0]], min(k, N_WARM), **more)
    index, cost = timed(lambda: vr.SparseIndex.build(docs, layout=layout, k=k, threads=1), time.process_time)
    path = folder / "vecrecall.vr"
    index.save(path)
    n_bytes = path.stat().st_size
    path.unlink()

    def approximate(row: sparse.csr_array, parameter: tuple[int, float, float]) -> Any:
        cut, heap_factor, impact_cut = parameter
        return index.search(row, k, query_cut=cut, heap_factor=heap_factor, impact_cut=impact_cut)

    def exact(row: sparse.csr_array, parameter: None) -> Any:
        return index.search(row, k, exact=True)

    def ids(hits: Any) -> NDArray:
        return hits.ids[hits.ids >= 0]

    grid = list(itertools.product(OUR_CUTS, OUR_FACTORS, OUR_IMPACT_CUTS))
    return [
        SparseEngine("vecrecall", "defaults", as_rows, approximate, ids, grid, cost.s, n_bytes, index),
        SparseEngine("vecrecall, exact", "defaults", as_rows, exact, ids, [None], cost.s, n_bytes, index),
    ]


# ---------------------------------------- peers


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keep what compiled libraries print to standard output away from the screen."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def built(path: Path, build: Callable[[], Any]) -> float:
    """Processor time of a build that leaves `path` behind; a build that is there already is not repeated."""
    note = path.with_name(path.name + ".json")
    if not note.exists():
        with silenced():
            _, cost = timed(build, time.process_time)
        note.write_text(json.dumps(cost.s))
    return float(json.loads(note.read_text()))


def seismic_(pruned: bool) -> Maker:
    """Seismic: its defaults, or lists pruned to 0.65 of the mean list as its guide advises."""

    def make(docs: sparse.csr_array, k: int, folder: Path) -> list[SparseEngine]:
        import seismic

        # two bytes a column, or four for a larger vocabulary
        kind = seismic.SeismicIndexRaw if docs.shape[1] <= 2**16 else seismic.SeismicIndexRawLV
        mean_list = docs.nnz / len(np.unique(docs.indices))
        n_postings = max(20, int(0.65 * mean_list)) if pruned else 3_500
        max_fraction = 6.0 if pruned else 1.5
        path = folder / f"seismic-{n_postings}.index"

        def build() -> None:
            write_seismic_format(docs, path.with_suffix(".bin"))
            index = kind.build(
                str(path.with_suffix(".bin")),
                n_postings=n_postings,
                centroid_fraction=0.1,
                summary_energy=0.4,
                max_fraction=max_fraction,
            )
            index.save(str(path))
            path.with_suffix(".bin").unlink()

        build_s = built(path, build)
        # some of its versions add an ending of their own
        file = path if path.exists() else path.with_name(path.name + ".index.seismic")
        index = kind.load(str(file))

        def search(query: tuple[NDArray, NDArray], parameter: tuple[int, float, bool]) -> Any:
            cut, heap_factor, in_order = parameter
            return index.search(query[0], query[1], k, cut, heap_factor, 0, in_order)

        def ids(answer: Any) -> NDArray:
            return np.array([row for _, row in answer], np.int64)

        grid = list(itertools.product(SEISMIC_CUTS, SEISMIC_FACTORS, (True, False)))
        name = "seismic, pruned lists" if pruned else "seismic, defaults"
        setting = f"n_postings={n_postings} max_fraction={max_fraction}"
        return [SparseEngine(name, setting, as_pairs, search, ids, grid, build_s, file.stat().st_size, index)]

    return make


def kannolo_(docs: sparse.csr_array, k: int, folder: Path) -> list[SparseEngine]:
    """kannolo: a graph over float32 sparse vectors."""
    import kannolo

    path = folder / "kannolo.index"

    def build() -> None:
        kannolo.SparsePlainHNSW.build_from_arrays(
            docs.indices.astype(np.int32), docs.data, docs.indptr.astype(np.int64), m=16, ef_construction=200
        ).save(str(path))

    build_s = built(path, build)
    index = kannolo.SparsePlainHNSW.load(str(path))

    def search(query: tuple[NDArray, NDArray], ef: int) -> Any:
        return index.search(query[0], query[1], k, ef)

    def ids(answer: Any) -> NDArray:
        return np.asarray(answer[1], np.int64)

    efs = [ef for ef in KANNOLO_EFS if ef >= k] or [k]
    setting = "m=16 ef_construction=200"
    return [SparseEngine("kannolo", setting, as_pairs, search, ids, efs, build_s, path.stat().st_size, index)]


def bmp_(docs: sparse.csr_array, k: int, folder: Path) -> list[SparseEngine]:
    """BMP: block-max pruning over impacts of 8 bits."""
    import bmp

    path = folder / "bmp.index"

    def build() -> None:
        indexer = bmp.Indexer(str(path), bsize=16, compress_range=False)
        impacts = np.maximum(1, np.rint(docs.data * (255 / docs.data.max()))).astype(int)
        for row, (first, end) in enumerate(zip(docs.indptr[:-1], docs.indptr[1:])):
            columns = map(str, docs.indices[first:end])
            indexer.add_document(str(row), dict(zip(columns, impacts[first:end].tolist())))
        indexer.finish()

    build_s = built(path, build)
    index = bmp.Searcher(str(path))

    def search(query: dict[str, float], parameter: tuple[float, float]) -> Any:
        return index.search(query, k, *parameter)

    def ids(answer: Any) -> NDArray:
        return np.array(answer[0], dtype=np.int64)

    grid = list(itertools.product(BMP_ALPHAS, BMP_BETAS))
    return [SparseEngine("bmp", "bsize=16", as_tokens, search, ids, grid, build_s, path.stat().st_size, index)]


def one_weight_a_column(queries: sparse.csr_array) -> NDArray[np.float32]:
    """The weight that a column has in every query that holds it; 1 where none does."""
    weights = np.ones(queries.shape[1], np.float32)
    weights[queries.indices] = queries.data
    if not np.allclose(weights[queries.indices], queries.data):
        raise ValueError("bm25s adds up weights of documents; here a term weighs differently in different queries")
    return weights


def bm25s_(docs: sparse.csr_array, k: int, folder: Path) -> list[SparseEngine]:
    """bm25s: adds up every posting of the query's terms, compiled by Numba; only for queries without own weights.

    It is given the scores of the set in place of its own, so its answers are those of the set.
    """
    import bm25s

    index = bm25s.BM25(backend="numba")
    index.nonoccurrence_array = None
    inverted = docs.tocsc()

    def prepare(queries: sparse.csr_array) -> list[list[list[int]]]:
        weights = one_weight_a_column(queries)
        index.scores = {
            "data": inverted.data * np.repeat(weights, np.diff(inverted.indptr)),
            "indices": inverted.indices.astype(np.int32),
            "indptr": inverted.indptr.astype(np.int32),
            "num_docs": docs.shape[0],
        }
        index.vocab_dict = {str(column): column for column in range(docs.shape[1])}
        index.unique_token_ids_set = set(range(docs.shape[1]))
        return [[columns.tolist()] for columns, _ in as_pairs(queries)]

    def search(query: list[list[int]], parameter: None) -> Any:
        return index.retrieve(query, k=k, show_progress=False)

    def ids(answer: Any) -> NDArray:
        return answer.documents[0][answer.scores[0] > 0].astype(np.int64)

    return [SparseEngine("bm25s", "backend=numba", prepare, search, ids, [None], index=index)]


def scipy_(docs: sparse.csr_array, k: int, folder: Path) -> list[SparseEngine]:
    """scipy: a product of sparse matrices and a partial sort; exact."""
    inverted = sparse.csr_array(docs.T)

    def search(row: sparse.csr_array, parameter: None) -> NDArray:
        scores = (row @ inverted).toarray().ravel()
        best = np.argpartition(scores, len(scores) - k)[len(scores) - k :]
        best = best[np.argsort(-scores[best])]
        return best[scores[best] > 0]

    n_bytes = docs.data.nbytes + docs.indices.nbytes + docs.indptr.nbytes
    return [
        SparseEngine("scipy", "product with CSR", as_rows, search, np.asarray, [None], None, n_bytes, inverted)
    ]


PEERS: dict[str, list[Maker]] = {
    "seismic": [seismic_(pruned=False), seismic_(pruned=True)],
    "kannolo": [kannolo_],
    "bmp": [bmp_],
    "bm25s": [bm25s_],
    "scipy": [scipy_],
}
