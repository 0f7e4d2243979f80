"""What tests of the inverted file share: digests, recall against Exact, clusters, and a watch on damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import xxhash

from vecrecall.exact.index import Exact
from vecrecall.hits import Hits
from vecrecall.ivf.index import IVF
from vecrecall.measure.recall import recall


@pytest.fixture(scope="session")
def digest() -> Callable[[IVF], dict[str, str]]:
    """Checksums of everything that goes into the file."""

    def of(index: IVF) -> dict[str, str]:
        out = {name: xxhash.xxh3_64_hexdigest(a.tobytes()) for name, a in index._sections().items()}
        return out | {"parameters": str(index._parameters()), "counts": str(index._counts())}

    return of


@pytest.fixture(scope="session")
def measured() -> Callable[..., float]:
    """Recall@10 of an index that was built on X in this order, against exact search."""
    truths: dict[tuple[str, str, str], Hits] = {}

    def of(index: IVF, X: np.ndarray, Q: np.ndarray, *, by: str = "distance", **settings: Any) -> float:
        key = (index.metric, *(xxhash.xxh3_64_hexdigest(np.ascontiguousarray(part)) for part in (X, Q)))
        if key not in truths:
            truths[key] = Exact.build(X, metric=index.metric).search(Q, k=10)
        return float(recall(index.search(Q, k=10, **settings), truths[key], by=by))

    return of


def clustered(n_clusters: int, n: int, dim: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(rows, queries): unit normal clusters, one after another; queries are drawn from all of them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_clusters, dim)) * apart / np.sqrt(2 * dim)
    rows = np.repeat(centres, n // n_clusters, axis=0)
    queries = centres[rng.integers(0, n_clusters, 200)]
    return tuple((part + rng.normal(size=part.shape)).astype(np.float32) for part in (rows, queries))


@pytest.fixture(scope="session")
def clusters() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return clustered


@pytest.fixture
def undamaged(digest: Callable[[IVF], dict[str, str]]) -> Iterator[Callable[[IVF], None]]:
    """Call it with an index: at the end of the test the index must be what it was, to the byte, and sound."""
    noted: list[tuple[IVF, dict[str, str], int]] = []
    yield lambda index: noted.append((index, digest(index), len(index)))
    assert noted
    for index, before, n in noted:
        assert digest(index) == before and len(index) == n
        index.check()
