"""The choice of an engine, for people who do not want to make it."""

from __future__ import annotations

from typing import Any

from vecrecall.exact.index import Exact
from vecrecall.hnsw.index import HNSW
from vecrecall.inputs import as_choice, as_recall, as_seed
from vecrecall.ivf.index import IVF

_QUERIES = ("batches", "single")


def build(
    X: Any,
    *,
    metric: str = "l2",
    recall: float = 0.95,
    queries: str = "batches",
    ids: Any = None,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Exact | HNSW | IVF:
    """Build an index of the engine that serves a recall and a kind of use best.

    ========== =============== ======== ==========================================================================
    recall     queries         engine   because
    ========== =============== ======== ==========================================================================
    1          either          `Exact`  nothing else promises it
    below 1    "batches"       `IVF`    queries of a call share the reading of lists; built several times faster
    below 1    "single"        `HNSW`   a walk compares with fewest vectors, which counts most on data that is hard
    ========== =============== ======== ==========================================================================

    ``docs/choosing.md`` has the measurements behind it, and what else to think of (memory, updates).

    Parameters
    ----------
    X : array-like, shape (n, dim)
    metric : {"l2", "ip", "cosine"}
    recall : float, default 0.95
        Recall@k, above 0 and at most 1, that searches aim for, as measured on the data.
    queries : {"batches", "single"}
        Whether most calls of `search` will bring tens of queries or more, or one.
    ids, seed, threads, progress :
        As for the engines' own ``build``; `Exact` has neither seed nor progress, and needs none.

    Returns
    -------
    Exact, HNSW or IVF
        With the engine's defaults, and `recall` as its ``target_recall``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as stated.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((500, 16))
    >>> type(build(X, recall=1)).__name__, type(build(X)).__name__
    ('Exact', 'IVF')
    """
    recall, queries = as_recall(recall, "recall"), as_choice(queries, "queries", _QUERIES)
    seed = as_seed(seed)
    if recall == 1:
        return Exact.build(X, metric=metric, ids=ids, threads=threads)
    engine: type[HNSW] | type[IVF] = IVF if queries == "batches" else HNSW
    return engine.build(
        X, metric=metric, ids=ids, target_recall=recall, seed=seed, threads=threads, progress=progress
    )
