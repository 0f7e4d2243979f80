"""Orders in which rows may be inserted into an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vecrecall.analysis.order_keys import Keys
from vecrecall.analysis.ordering import (
    Ordering,
    Permutation,
    first_then_others,
    grouped,
    grouped_shuffled,
    in_turn,
    sorted_by,
)  # fmt: skip
from vecrecall.analysis.points import Points
from vecrecall.inputs import as_choice, as_rows, as_seed
from vecrecall.threads import n_threads
from vecrecall.vectors.spaces import METRICS


@dataclass(frozen=True)
class Order:
    """A named order: how it is made, which options it takes, and whether it asks how far rows are from each other."""

    make: Callable[[Keys], Ordering]
    takes: tuple[str, ...] = ()
    by_distance: bool = False


def order(
    X: ArrayLike,
    by: str | ArrayLike = "random",
    *,
    labels: ArrayLike | None = None,
    lid: ArrayLike | None = None,
    neighbours: Any = None,
    k: int | None = None,
    n_clusters: int | None = None,
    share: float | None = None,
    metric: str = "l2",
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Permutation:
    """Put rows in an order of insertion: ``HNSW.build(X, order=order(X, by))``.

    ===================================== ==============================================================================
    by                                    order
    ===================================== ==============================================================================
    "random"                              shuffled
    "given"                               as the rows stand
    "lid_desc", "lid_asc"                 by local intrinsic dimension, from the highest, from the lowest
    "dense_first", "sparse_first"         by the distance to the k-th neighbour, from the least, from the greatest
    "central_first", "central_last"       by the distance to the mean of all rows, from the least, from the greatest
    "norm_desc", "norm_asc"               by length, from the longest, from the shortest
    "category"                            one label after another, labels sorted, rows of each as given
    "category_shuffled"                   one label after another, labels shuffled, and so are the rows of each
    "round_robin"                         a row of each label in turn, labels sorted, rows of each as given
    "cluster"                             one cluster of k-means after another, by their first rows, rows as given
    "cluster_round_robin"                 a row of each cluster in turn
    "coreset"                             the rows that `coreset` picks, in its order, then the others as given
    a permutation                         itself, checked: the row at each step
    ===================================== ==============================================================================

    Parameters
    ----------
    X : array_like of real numbers, shape (n, dim)
    by : str, or array_like of int, shape (n,), default "random"
    labels : array_like of int or str, shape (n,), optional
        For the orders by label, which need it.
    lid : array_like of float, shape (n,), optional
        For the orders by LID: the values, where they are known. Default: estimated as by `dimension`, method "mle".
        NaN, where LID is undefined, counts as the median of the others.
    neighbours : optional
        For the orders by LID and density: the neighbours of each row, as `dimension` takes them. Default: found by
        exact search.
    k : int, optional
        Neighbours behind LID and density, or as many as there are; default 100. For LID copies of a row are one,
        for density they are neighbours of each other.
    n_clusters : int, optional
        For the orders by cluster. Default 100, or n / 16 where that is fewer.
    share : float in (0, 1], optional
        Of the rows that a coreset holds; default 0.02.
    metric : {"l2", "ip", "cosine"}, default "l2"
        What distances are: cosine takes rows at length 1. Under ip only orders that ask for none can be made.
    seed : int, default 0
        Of what is random: shuffling, the start of k-means, the first pick and the projection of a coreset.
    threads : int, optional
        Default all the process may use. The order does not depend on it.
    progress : bool, default False
        Whether to show bars for what takes long, on a terminal only.

    Returns
    -------
    ndarray of int64, shape (n,)
        The row at each step; rows with equal keys stay in the order in which they were given.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated, is missing, or belongs to another order; X holds NaN or infinity.

    Warns
    -----
    UserWarning
        With their count, if rows are zero under cosine, where the order goes by distances.

    See Also
    --------
    vecrecall.analysis.orders.orders : several at once, from one search for neighbours.

    Notes
    -----
    Beside X, in bytes: LID and density 16 * n * k and what exact search takes; a coreset as `coreset` says; clusters
    4 * dim for each of 64 rows a cluster.

    References
    ----------
    Elliott & Clark (2024), The Impacts of Data, Ordering, and Intrinsic Dimensionality on Recall in Hierarchical
    Navigable Small Worlds, arXiv 2405.17813: by LID and by category. Gonzalez (1985): `coreset`.

    Examples
    --------
    >>> X = [[0.0, 3.0], [1.0, 0.0], [0.0, 2.0], [4.0, 0.0]]
    >>> order(X, "norm_asc")
    array([1, 2, 0, 3])
    >>> order(X, "round_robin", labels=["b", "a", "b", "a"])
    array([1, 0, 3, 2])
    """
    if not isinstance(by, str):
        options = {"labels": labels, "lid": lid, "neighbours": neighbours, "k": k, "n_clusters": n_clusters}
        _refuse_others({name for name, value in {**options, "share": share}.items() if value is not None}, set(), [])
        return _as_permutation(by, _points(X, metric, seed, threads).n)
    return orders(
        X, [by], labels=labels, lid=lid, neighbours=neighbours, k=k, n_clusters=n_clusters, share=share, metric=metric,
        seed=seed, threads=threads, progress=progress,
    )[by]  # fmt: skip


def orders(X: ArrayLike, by: Iterable[str], **options: Any) -> dict[str, Permutation]:
    """Several orders of one matrix: neighbours, clusters and all else are computed once.

    Parameters
    ----------
    X : array_like of real numbers, shape (n, dim)
    by : iterable of str
        Names, as of `order`.
    **options
        As of `order`; each has to belong to one of the names at least.

    Returns
    -------
    dict of str to ndarray of int64, shape (n,)
        By name, each as `order` gives it alone.

    Examples
    --------
    >>> orders([[2.0], [1.0], [3.0]], ["norm_asc", "given"])
    {'norm_asc': array([1, 0, 2]), 'given': array([0, 1, 2])}
    """
    return {name: ordering.rows for name, ordering in orderings(X, by, **options).items()}


def orderings(
    X: ArrayLike, by: Iterable[str], *, metric: str = "l2", seed: int = 0, threads: int | None = None,
    progress: bool = False, **options: Any,
) -> dict[str, Ordering]:  # fmt: skip
    """As `orders`, with what each is an order of."""
    names = [as_choice(name, "by", tuple(ORDERS)) for name in ([by] if isinstance(by, str) else by)]
    unknown = sorted(options.keys() - {option for each in ORDERS.values() for option in each.takes})
    if unknown:
        raise TypeError(f"{unknown[0]} is no option of an order")
    given = {name for name, value in options.items() if value is not None}
    _refuse_others(given, {option for name in names for option in _taken(name, given)}, names)
    points = _points(X, metric, seed, threads)
    for name in names:
        _refuse_unmade(name, given, metric)
    if any(ORDERS[name].by_distance and "neighbours" not in ORDERS[name].takes for name in names):
        points.warn_of_zeros()  # where neighbours are searched for, that is said there
    keys = Keys(X, points, **options, seed=seed, threads=threads, progress=progress)
    return {name: ORDERS[name].make(keys) for name in names}


def _points(X: Any, metric: str, seed: Any, threads: Any) -> Points:
    """The rows, after checking what every order takes."""
    as_choice(metric, "metric", METRICS)
    as_seed(seed)
    n_threads(threads)
    return Points(as_rows(X), metric)


def _taken(name: str, given: set[str]) -> tuple[str, ...]:
    """Options that an order looks at: of those that are `lid` no neighbours are asked for where that is given."""
    takes = ORDERS[name].takes
    return ("lid",) if "lid" in takes and "lid" in given else takes


def _refuse_others(given: set[str], taken: set[str], names: list[str]) -> None:
    """Refuse options that none of the orders takes."""
    for option in sorted(given - taken):
        owners = ", ".join(repr(name) for name, each in ORDERS.items() if option in each.takes)
        raise ValueError(
            f"{option} is given, but order {', '.join(map(repr, names)) or 'of a permutation'} takes none: it is for "
            f"{owners}; leave it out"
        )


def _refuse_unmade(name: str, given: set[str], metric: str) -> None:
    """Refuse an order that cannot be made of what is given."""
    if "labels" in ORDERS[name].takes and "labels" not in given:
        raise ValueError(f"order {name!r} goes by labels, and none are given; give labels=, one for each row of X")
    known = "lid" in ORDERS[name].takes and "lid" in given
    if ORDERS[name].by_distance and metric == "ip" and not known:
        raise ValueError(
            f"order {name!r} goes by distances, and metric is 'ip': an inner product is none; take 'cosine' for "
            "directions, 'l2' for the vectors as they are"
        )


def _as_permutation(by: Any, n: int) -> Permutation:
    rows = np.asarray(by)
    if rows.dtype.kind in "US":
        raise TypeError(f"by is {by!r}, expected one name or a permutation; for several names take `orders`")
    if rows.shape != (n,) or (rows.dtype.kind not in "iu" and n):
        raise ValueError(
            f"by has dtype {rows.dtype} and shape {rows.shape}, expected one of {', '.join(map(repr, ORDERS))}, or "
            f"{n} integers: each row of X once"
        )
    if not np.array_equal(np.sort(rows), np.arange(n)):
        raise ValueError(f"by does not hold each row 0..{n - 1} once; numpy.argsort gives such an order")
    return rows.astype(np.int64)


def _coreset(keys: Keys) -> Ordering:
    chosen = keys.coreset
    facts = {"key": "farthest first", "picks": len(chosen), "radius": chosen.radius}
    return Ordering(first_then_others(chosen.picks, keys.n), facts)


_LID, _SPREAD = "local intrinsic dimension", "distance to the k-th neighbour"
_CENTRALITY, _NORM = "distance to the mean", "length"
_NEIGHBOURS = ("neighbours", "k")

ORDERS: Mapping[str, Order] = {
    "random": Order(lambda keys: Ordering(keys.rng().permutation(keys.n))),
    "given": Order(lambda keys: Ordering(np.arange(keys.n, dtype=np.int64))),
    "lid_desc": Order(lambda keys: sorted_by(keys.by_lid, _LID, descending=True), ("lid", *_NEIGHBOURS), True),
    "lid_asc": Order(lambda keys: sorted_by(keys.by_lid, _LID), ("lid", *_NEIGHBOURS), True),
    "dense_first": Order(lambda keys: sorted_by(keys.by_spread, _SPREAD), _NEIGHBOURS, True),
    "sparse_first": Order(lambda keys: sorted_by(keys.by_spread, _SPREAD, descending=True), _NEIGHBOURS, True),
    "central_first": Order(lambda keys: sorted_by(keys.by_centrality, _CENTRALITY), (), True),
    "central_last": Order(lambda keys: sorted_by(keys.by_centrality, _CENTRALITY, descending=True), (), True),
    "norm_desc": Order(lambda keys: sorted_by(keys.by_norm, _NORM, descending=True)),
    "norm_asc": Order(lambda keys: sorted_by(keys.by_norm, _NORM)),
    "category": Order(lambda keys: grouped(keys.by_label, "label"), ("labels",)),
    "category_shuffled": Order(lambda keys: grouped_shuffled(keys.by_label, "label", keys.rng()), ("labels",)),
    "round_robin": Order(lambda keys: in_turn(keys.by_label, "label"), ("labels",)),
    "cluster": Order(lambda keys: grouped(keys.by_cluster, "cluster"), ("n_clusters",), True),
    "cluster_round_robin": Order(lambda keys: in_turn(keys.by_cluster, "cluster"), ("n_clusters",), True),
    "coreset": Order(_coreset, ("share",), True),
}
