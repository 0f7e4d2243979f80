"""The demo's second part: the same queries by word pieces, by words, by meaning, and by all of them together.

Learned-sparse vectors (SPLADE) and BM25 impacts stand beside the dense graph. Each way is asked one query a call on
one thread. Recall compares it with exact search in its own vectors; nDCG asks whether the synset is found that the
sentence illustrates, so it compares the vectors, and what their fusion gains.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import sparse

import vecrecall as vr
from bench.courses import never, time_each
from bench.demo_sweep import K
from bench.sparse_forms import as_rows
from datasets.wordnet_small import WordNetSmall
from datasets.words import count_words, vocabulary

DEPTH = 50  # answers of each kind that are fused
N_ROUNDS = 5


@dataclass
class Way:
    """A way to answer query i, as a batch of one, and the exact answers to all; ties count where scores tell them."""

    name: str
    search: Callable[[int, int], vr.Hits]  # (number of the query, k)
    truth: vr.Hits
    by: str = "distance"


def bm25_vectors(data: WordNetSmall) -> tuple[sparse.csr_array, sparse.csr_array]:
    """(impacts of the documents, queries whose words weigh by their rarity)."""
    columns = vocabulary(data.texts)
    impacts, idf = vr.bm25(count_words(data.texts, columns))
    queries = count_words(data.query_texts, columns)
    queries.data *= idf[queries.indices]
    return impacts, queries


def dense_way(index: vr.HNSW, exact: vr.Exact, Q: NDArray[np.float32]) -> Way:
    """The graph with its defaults."""
    return Way(
        "dense (MiniLM), HNSW",
        lambda i, k: index.search(Q[i : i + 1], k, threads=1),
        exact.search(Q, DEPTH, threads=1),
    )


def sparse_way(name: str, docs: sparse.csr_array, queries: sparse.csr_array) -> Way:
    """A sparse index with its defaults, asked with a CSR row, which is its shortest way."""
    index = vr.SparseIndex.build(docs, threads=1)
    rows = as_rows(queries)
    exact = vr.Exact.build(docs).search(queries, DEPTH, threads=1)
    return Way(name, lambda i, k: index.search(rows[i], k), exact)


def fused_way(name: str, method: str, parts: Sequence[Way]) -> Way:
    """The answers of several ways fused; by id, since a fused score says nothing of ties."""
    return Way(
        name,
        lambda i, k: vr.fuse([way.search(i, DEPTH) for way in parts], method, k),
        vr.fuse([way.truth for way in parts], method, K),
        by="id",
    )


def microseconds(ways: Sequence[Way], n_queries: int) -> list[float]:
    """Mean over the queries of the smallest time each took in rounds that take the ways in turn."""
    best = [never(n_queries) for _ in ways]
    for _ in range(N_ROUNDS):
        for way, best_ns in zip(ways, best):
            time_each(lambda i, search=way.search: search(i, K), range(n_queries), best_ns)
    return [float(best_ns.mean()) / 1e3 for best_ns in best]


def answers(way: Way, n_queries: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(ids, distances) of all queries, asked one by one."""
    hits = [way.search(i, K) for i in range(n_queries)]
    return np.concatenate([h.ids for h in hits]), np.concatenate([h.distances for h in hits])


def show_sparse(
    data: WordNetSmall, index: vr.HNSW, exact: vr.Exact, Q: NDArray[np.float32], console: Console
) -> None:
    """Build the sparse indexes and print one table of all ways."""
    before = time.perf_counter()
    with console.status("building the sparse indexes (compiled once a machine)"):
        single = [
            dense_way(index, exact, Q),
            sparse_way("learned sparse (SPLADE)", data.sparse_documents, data.sparse_queries),
            sparse_way("words (BM25)", *bm25_vectors(data)),
        ]
        fused = [fused_way(f"all three, fused ({method})", method, single) for method in ("rrf", "linear")]
    console.print(f"sparse     {time.perf_counter() - before:6.2f} s to build and search both sparse indexes")
    ways, n = [*single, *fused], len(Q)
    title = "the same queries, one a call, one thread"
    table = Table("answers by", f"recall@{K}", "nDCG@10", "us a query", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    with console.status("measuring"):
        found = [answers(way, n) for way in ways]
        times = microseconds(ways, n)
    for way, (ids, distances), us in zip(ways, found, times):
        recall = vr.recall((ids, distances), way.truth, k=K, by=way.by)
        table.add_row(way.name, f"{recall:.4f}", f"{vr.ndcg(ids, data.relevant):.3f}", f"{us:,.0f}")
    console.print(table)
