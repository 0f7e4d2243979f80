"""What tests of the sparse index share: matrices of many kinds, twins in numpy, digests, and a watch on damage."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import xxhash

from bench.micro.inputs import sparse_set
from datasets.wordnet_small import WordNetSmall
from vecrecall.exact.index import Exact
from vecrecall.hits import Hits
from vecrecall.sparse.index import SparseIndex

HUGE = 2**31  # columns at most


def random_rows(
    n: int, columns: int, per_row: int, *, signed: bool = False, equal: float | None = None, seed: int = 0
) -> sp.csr_array:
    """float32 rows of 0 to 2 * per_row entries; of huge vocabularies 97 columns occur, the last one among them."""
    rng = np.random.default_rng(seed)
    names = np.arange(columns) if columns < 10**6 else np.append(np.arange(96) * (columns // 97), columns - 1)
    lengths = rng.integers(0, min(2 * per_row, len(names)) + 1, n)
    indices = np.concatenate([np.sort(rng.permutation(names)[:length]) for length in lengths] or [names[:0]])
    weights = rng.gamma(2, 1, len(indices)) + 0.01
    if signed:
        weights *= rng.choice([-1, 1], len(indices))
    if equal is not None:
        weights[:] = equal
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return sp.csr_array((weights.astype(np.float32), indices.astype(np.int32), starts), shape=(n, columns))


@pytest.fixture(scope="session")
def rows() -> Callable[..., sp.csr_array]:
    return random_rows


def products(D: sp.csr_array, Q: sp.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each query (row) and document: inner product, sum of the absolute products, shared columns; in float64."""
    used, at = np.unique(np.concatenate([D.indices, Q.indices]), return_inverse=True)
    parts = zip((D, Q), np.split(at, [D.nnz]))
    D, Q = (
        sp.csr_array((M.data.astype(np.float64), i, M.indptr), shape=(M.shape[0], max(1, len(used)))) for M, i in parts
    )
    ones = (M._with_data((M.data != 0).astype(float)) for M in (Q, D))
    q, d = ones
    return (Q @ D.T).toarray(), (abs(Q) @ abs(D).T).toarray(), (q @ d.T).toarray()


def assert_exact(
    index: SparseIndex, D: sp.csr_array, Q: sp.csr_array, ks: tuple[int, ...] = (1, 10), dead: Any = (),
    near: float = 1e-6, **settings: Any,
) -> None:  # fmt: skip
    """The answers of exact search are the true ones: of documents D (by slot, some dead) that share a column.

    near : what scores may be off, relative to the sum of the absolute products.
    """
    scores, masses, shared = products(D, Q)
    living = np.ones(D.shape[0], bool)
    living[list(dead)] = False
    n = D.shape[0]
    whole = index.search(Q, k=max(n, 1), exact=True, **settings)
    for k in ks:
        hits = index.search(Q, k=k, exact=True, **settings)
        assert hits.ids.shape == hits.distances.shape == (Q.shape[0], k)
        for i in range(Q.shape[0]):
            those = (shared[i] > 0) & living
            count = min(k, int(those.sum()))
            assert hits.counts[i] == count and (hits.ids[i, count:] == -1).all()
            found, reached = hits.ids[i, :count], hits.scores[i, :count].astype(np.float64)
            assert those[found].all() and len(set(found.tolist())) == count
            error = near * masses[i] + 1e-45
            assert (np.abs(reached - scores[i, found]) <= error[found]).all()
            assert (np.lexsort((found, -reached)) == np.arange(count)).all()  # ties by insertion
            those[found] = False
            assert count == 0 or (scores[i, those] - error[those] <= reached[-1]).all()  # nobody better is left
            same = slice(0, min(k, n))
            assert hits.ids[i, same].tolist() == whole.ids[i, same].tolist()
            assert hits.distances[i, same].tobytes() == whole.distances[i, same].tobytes()


def assert_as_exact(index: SparseIndex, D: sp.csr_array, Q: sp.csr_array, ks: tuple[int, ...], dead: Any = ()) -> None:
    """Weights that are kept as float32, or are all equal, give what `Exact` gives, to the bit."""
    slots = np.setdiff1d(np.arange(D.shape[0]), list(dead))
    truth = Exact.build(D[slots], ids=slots)
    for k in ks:
        expected, hits = truth.search(Q, k=k), index.search(Q, k=k, exact=True)
        assert hits.ids.tolist() == expected.ids.tolist()
        assert hits.distances.tobytes() == expected.distances.tobytes()


@pytest.fixture(scope="session")
def exactly() -> Callable[..., None]:
    return assert_exact


@pytest.fixture(scope="session")
def as_exact() -> Callable[..., None]:
    return assert_as_exact


@pytest.fixture(scope="session")
def twin() -> Callable[[sp.csr_array, sp.csr_array], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    return products


def digest_of(index: SparseIndex) -> dict[str, str]:
    out = {name: xxhash.xxh3_64_hexdigest(a.tobytes()) for name, a in index._sections().items()}
    out |= {name: xxhash.xxh3_64_hexdigest(np.array(a.tolist()).tobytes()) for name, a in index._ids.arrays().items()}
    return out | {"parameters": str(index._parameters()), "counts": str(index._counts())}


@pytest.fixture(scope="session")
def digest() -> Callable[[SparseIndex], dict[str, str]]:
    """Checksums of everything that goes into the file."""
    return digest_of


def equal_hits(a: Hits, b: Hits) -> bool:
    return a.ids.tolist() == b.ids.tolist() and all(
        np.asarray(getattr(a, name)).tobytes() == np.asarray(getattr(b, name)).tobytes()
        for name in ("distances", "evals")
    )


@pytest.fixture(scope="session")
def same() -> Callable[[Hits, Hits], bool]:
    """Whether two answers are equal in every bit."""
    return equal_hits


@pytest.fixture
def undamaged() -> Iterator[Callable[[SparseIndex], None]]:
    """Call it with an index: at the end of the test the index must be what it was, to the byte, and sound."""
    noted: list[tuple[SparseIndex, dict[str, str], int]] = []
    yield lambda index: noted.append((index, digest_of(index), len(index)))
    assert noted
    for index, before, n in noted:
        assert digest_of(index) == before and len(index) == n
        index.check()


@pytest.fixture(scope="session")
def in_child() -> Callable[[Callable[[], bool]], bool]:
    """Run a function in a forked child, which alone ends if memory is damaged; whether it returned True."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")

    def run(function: Callable[[], bool]) -> bool:
        child = os.fork()
        if child == 0:
            code = 1
            faulthandler.disable()  # whoever started it tells what happened
            try:
                code = 0 if function() else 2
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    return run


@pytest.fixture(scope="session")
def learned(wordnet: WordNetSmall) -> tuple[sp.csr_array, sp.csr_array]:
    """(documents, queries): real learned-sparse vectors."""
    return sparse_set(wordnet, "learned")


@pytest.fixture(scope="session")
def lexical(wordnet: WordNetSmall) -> tuple[sp.csr_array, sp.csr_array]:
    """(documents, queries): BM25 of real texts, few distinct scores."""
    return sparse_set(wordnet, "lexical")
