"""Synthetic sets with their exact answers: the same arguments give the same arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from vecrecall.datasets import dense
from vecrecall.inputs import as_choice, as_count, as_number, as_seed, as_share
from vecrecall.io.dataset import Dataset
from vecrecall.progress import progress_bar

DEPTH = 100  # true neighbours of a query
ORDERS = ("shuffled", "grouped")
METRICS = ("l2", "ip", "cosine")

_BATCH = 256  # queries between two steps of the bar


def synthetic_dim(
    n: int = 10_000,
    dim: int = 256,
    *,
    intrinsic: int = 8,
    noise: float = 0.0,
    n_queries: int = 1_000,
    metric: str = "l2",
    seed: int = 0,
    progress: bool = False,
) -> Dataset:
    """Make vectors of a chosen intrinsic dimension: Gaussian coordinates on a random orthonormal basis.

    Parameters
    ----------
    n, dim : int
    intrinsic : int, default 8
        Dimension of the subspace that rows and queries lie in; at most `dim`.
    noise : float, default 0
        Standard deviation of what is added to each value; that of a coordinate is 1.
    n_queries : int, default 1,000
        Drawn as the rows are.
    metric : {"l2", "ip", "cosine"}, default "l2"
        Of the true neighbours.
    seed : int, default 0
    progress : bool, default False
        Whether to show a bar while the true neighbours are found, on a terminal only.

    Returns
    -------
    Dataset
        `rows`, `queries` (float32), `neighbors` (int32) and `distances` (float32, shape (n_queries, min(100, n)))
        by `vecrecall.Exact`; the attribute "source" is the command that makes the same.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated.

    References
    ----------
    Elliott & Clark (2024), The Impacts of Data, Ordering, and Intrinsic Dimensionality on Recall in Hierarchical
    Navigable Small Worlds, arXiv 2405.17813.

    Examples
    --------
    >>> data = synthetic_dim(200, 32, intrinsic=2, n_queries=5)
    >>> data.rows.shape, int(np.linalg.matrix_rank(data.rows, tol=1e-3)), data.neighbors.shape
    ((200, 32), 2, (5, 100))
    """
    n, dim, n_queries = as_count(n, "n"), as_count(dim, "dim"), as_count(n_queries, "n_queries")
    intrinsic, noise, seed = _as_intrinsic(intrinsic, dim), _as_deviation(noise, "noise"), as_seed(seed)
    as_choice(metric, "metric", METRICS)
    of_basis, of_rows, of_queries = np.random.default_rng(seed).spawn(3)
    basis = dense.orthonormal_basis(of_basis, intrinsic, dim)
    rows = dense.on_subspace(of_rows, n, basis, noise)
    queries = dense.on_subspace(of_queries, n_queries, basis, noise)
    options = {"n": n, "dim": dim, "intrinsic": intrinsic, "noise": noise}
    source = _command("synthetic-dim", **options, queries=n_queries, metric=metric, seed=seed)
    return _with_truth(Dataset(rows, queries, metric=metric, attributes={"source": source}), progress)


def clustered(
    n: int = 10_000,
    dim: int = 64,
    *,
    groups: int = 100,
    spread: float = 0.2,
    order: str = "shuffled",
    n_queries: int = 1_000,
    metric: str = "l2",
    seed: int = 0,
    progress: bool = False,
) -> Dataset:
    """Make Gaussian groups of equal size around centres that are Gaussian themselves.

    Parameters
    ----------
    n, dim : int
    groups : int, default 100
        At most `n`.
    spread : float, default 0.2
        Standard deviation within a group, where that of the centres is 1: at 0.2 groups lie well apart, at 1 they
        run into one another, at 0 their rows are all equal.
    order : {"shuffled", "grouped"}, default "shuffled"
        "grouped": one group after another, the order that hurts indexes which insert in the order of the file.
    n_queries, metric, seed, progress
        As of `synthetic_dim`; the group of a query is drawn at random.

    Returns
    -------
    Dataset
        As of `synthetic_dim`; the attributes "train_category" and "test_category" (int32) are the groups of rows and
        queries.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated.

    Examples
    --------
    >>> data = clustered(100, 8, groups=4, order="grouped", n_queries=5)
    >>> np.bincount(data.attributes["train_category"]).tolist()
    [25, 25, 25, 25]
    """
    n, dim, n_queries = as_count(n, "n"), as_count(dim, "dim"), as_count(n_queries, "n_queries")
    groups, spread, seed = as_count(groups, "groups"), _as_deviation(spread, "spread"), as_seed(seed)
    if groups > n:
        raise ValueError(f"groups is {groups}, expected at most n, {n}, so that no group is empty")
    as_choice(order, "order", ORDERS)
    as_choice(metric, "metric", METRICS)
    of_centres, of_order, of_rows, of_queries = np.random.default_rng(seed).spawn(4)
    centres = of_centres.standard_normal((groups, dim), dtype=np.float32)
    of_each = dense.groups_of(of_order, n, groups, order)
    of_each_query = of_queries.integers(groups, size=n_queries, dtype=np.int32)
    options = {"n": n, "dim": dim, "groups": groups, "spread": spread, "order": order}
    source = _command("clustered", **options, queries=n_queries, metric=metric, seed=seed)
    data = Dataset(
        dense.in_groups(of_rows, of_each, centres, spread),
        dense.in_groups(of_queries, of_each_query, centres, spread),
        metric=metric,
        attributes={"source": source, "train_category": of_each, "test_category": of_each_query},
    )
    return _with_truth(data, progress)


def duplicates(
    n: int = 10_000,
    dim: int = 64,
    *,
    share: float = 0.5,
    intrinsic: int = 16,
    n_queries: int = 1_000,
    metric: str = "l2",
    seed: int = 0,
    progress: bool = False,
) -> Dataset:
    """Make vectors of which a share are exact copies of others, shuffled.

    Parameters
    ----------
    n, dim : int
    share : float from 0 to 1, default 0.5
        Of the rows that are copies; each copies a row drawn at random, so some rows are copied several times. At 1
        all rows are equal.
    intrinsic : int, default 16
        As of `synthetic_dim`; at most `dim`.
    n_queries, metric, seed, progress
        As of `synthetic_dim`. No query is a copy of a row.

    Returns
    -------
    Dataset
        As of `synthetic_dim`. Copies of a row tie, and stand in `neighbors` in the order of rows: measure recall by
        distance.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated.

    Examples
    --------
    >>> data = duplicates(100, 8, share=0.3, intrinsic=8, n_queries=5)
    >>> len(np.unique(data.rows, axis=0))
    70
    """
    n, dim, n_queries = as_count(n, "n"), as_count(dim, "dim"), as_count(n_queries, "n_queries")
    share, intrinsic, seed = as_share(share, "share", zero=True), _as_intrinsic(intrinsic, dim), as_seed(seed)
    as_choice(metric, "metric", METRICS)
    of_basis, of_copies, of_rows, of_queries = np.random.default_rng(seed).spawn(4)
    basis = dense.orthonormal_basis(of_basis, intrinsic, dim)
    originals = dense.originals_of(of_copies, n, share)
    rows = dense.on_subspace(of_rows, int(originals.max()) + 1, basis, 0.0)[originals]
    queries = dense.on_subspace(of_queries, n_queries, basis, 0.0)
    options = {"n": n, "dim": dim, "share": share, "intrinsic": intrinsic}
    source = _command("duplicates", **options, queries=n_queries, metric=metric, seed=seed)
    return _with_truth(Dataset(rows, queries, metric=metric, attributes={"source": source}), progress)


def learned_sparse(
    n: int = 100_000, *, n_queries: int = 1_000, seed: int = 7, progress: bool = False
) -> Dataset:
    """Make documents and queries with the published statistics of SPLADE on MS MARCO.

    `vecrecall.datasets.sparse` says which, and how.

    Parameters
    ----------
    n : int, default 100,000
    n_queries, progress
        As of `synthetic_dim`.
    seed : int, default 7

    Returns
    -------
    Dataset
        `rows` and `queries` CSR of float32, metric "ip"; a query that fewer than 100 documents answer has -1, at
        distance infinity, in the places that are left.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated.
    """
    from vecrecall.datasets.sparse import generate

    rows, queries = generate(n, n_queries, seed, progress=progress)
    source = _command("learned-sparse", n=n, queries=n_queries, seed=seed)
    return _with_truth(Dataset(rows, queries, metric="ip", attributes={"source": source}), progress)


MAKERS: Mapping[str, Callable[..., Dataset]] = {
    "synthetic-dim": synthetic_dim,
    "clustered": clustered,
    "duplicates": duplicates,
    "learned-sparse": learned_sparse,
}


def _with_truth(data: Dataset, progress: bool) -> Dataset:
    """Add the exact neighbours of the queries."""
    from vecrecall.exact.index import Exact

    index = Exact.build(data.rows, metric=data.metric)
    n, depth = data.queries.shape[0], min(DEPTH, len(index))
    neighbors, distances = np.empty((n, depth), np.int32), np.empty((n, depth), np.float32)
    with progress_bar("true neighbours", n, progress) as done:
        for first in range(0, n, _BATCH):
            end = min(first + _BATCH, n)
            hits = index.search(data.queries[first:end], depth)
            neighbors[first:end], distances[first:end] = hits.ids, hits.distances
            done(end)
    return replace(data, neighbors=neighbors, distances=distances)


def _command(name: str, **options: Any) -> str:
    """The command that makes the same set."""
    return " ".join([f"vecrecall data make {name}", *(f"--{option} {value}" for option, value in options.items())])


def _as_intrinsic(value: Any, dim: int) -> int:
    intrinsic = as_count(value, "intrinsic")
    if intrinsic > dim:
        raise ValueError(f"intrinsic is {intrinsic}, expected at most dim, {dim}; raise dim or lower it")
    return intrinsic


def _as_deviation(value: Any, name: str) -> float:
    deviation = as_number(value, name)
    if not 0 <= deviation < 1e15:  # squares of more overflow float32
        raise ValueError(f"{name} is {value!r}, expected a number from 0 to 1e15")
    return deviation
