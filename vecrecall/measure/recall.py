"""Recall: which part of the true nearest neighbours a search found."""

from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vecrecall.inputs import as_count, as_seed
from vecrecall.intervals import bootstrap
from vecrecall.matching import TOLERANCE, Answers, shares_found


@dataclass(frozen=True, eq=False)
class Recall:
    """Recall with what was asked for beside the mean.

    Attributes
    ----------
    value : float
        Mean over the queries.
    per_query : ndarray of float64, shape (q,)
    low, high : float or None
        Ends of the bootstrap interval of the mean, if one was asked for.
    """

    value: float
    per_query: NDArray[np.float64]
    low: float | None = None
    high: float | None = None

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        interval = "" if self.low is None else f", interval {self.low:.4f} to {self.high:.4f}"
        return f"Recall: {self.value:.4f} over {len(self.per_query):,} queries{interval}"


@overload
def recall(
    hits: Answers | ArrayLike,
    truth: Answers | ArrayLike,
    *,
    k: int | None = ...,
    by: str = ...,
    tolerance: float = ...,
    per_query: Literal[False] = ...,
    interval: None = ...,
    n_resamples: int = ...,
    seed: int = ...,
) -> float: ...
@overload
def recall(
    hits: Answers | ArrayLike,
    truth: Answers | ArrayLike,
    *,
    k: int | None = ...,
    by: str = ...,
    tolerance: float = ...,
    per_query: bool = ...,
    interval: float | None = ...,
    n_resamples: int = ...,
    seed: int = ...,
) -> float | Recall: ...
def recall(
    hits: Any,
    truth: Any,
    *,
    k: int | None = None,
    by: str = "distance",
    tolerance: float = TOLERANCE,
    per_query: bool = False,
    interval: float | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> float | Recall:
    """Compute recall@k.

    Parameters
    ----------
    hits, truth : Hits, or (ids, distances), or (by="id") ids alone; shape (q, width) or, for one, (width,)
        `truth` should come from exact search (`Exact`), nearest first. Missing places are id -1 or None; an
        id that an answer repeats counts once.
    k : int, optional
        How many places of both to look at. Default: the width of the narrower one.
    by : {"distance", "id"}, default "distance"
        "distance": an answer is right if it is as near as the k-th true neighbour, so that any of several rows
        at one distance will do. "id": an answer is right if the truth holds its id, so that ties may count as
        errors; for a truth of which only ids are known.
    tolerance : float, default 1e-5
        By distance: how much farther than the k-th true neighbour still counts, relative to that distance.
        It allows for distances that were computed in another arithmetic, but not for those of codes: an index that
        keeps no rows is compared by id.
    per_query : bool, default False
        Whether to return a `Recall` with the value of each query.
    interval : float in (0, 1), optional
        Level, such as 0.95, of a bootstrap interval of the mean over the queries, which allows for a query that
        none of them is like; then a `Recall` is returned.
    n_resamples : int, default 2000
    seed : int, default 0
        Of the bootstrap.

    Returns
    -------
    float or Recall
        Mean over the queries of found / existing, where existing is k, or the number of true neighbours where
        the truth holds fewer (a query with none counts as 1). NaN without queries.

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit together, k is wider than either, distances are missing, or a number is not as stated.

    References
    ----------
    Aumueller, Bernhardsson & Faithfull (2020), ANN-Benchmarks, section 2.1, defines recall by distance.
    Rubin (1981), The Bayesian Bootstrap, and Gaffke (2005): intervals, as ``docs/measuring.md`` has them.

    Examples
    --------
    >>> recall(np.array([[1, 2, 9]]), np.array([[2, 1, 3]]), by="id", k=2)
    1.0
    >>> recall(([5, 6], [0.0, 1.0]), ([5, 7], [0.0, 1.0]))
    1.0
    """
    seed, n_resamples = as_seed(seed), as_count(n_resamples, "n_resamples")
    values = shares_found(hits, truth, k=k, by=by, tolerance=tolerance)
    mean = float(values.mean()) if len(values) else float("nan")
    if interval is None:
        return Recall(mean, values) if per_query else mean
    low, high = bootstrap(values, interval, n_resamples=n_resamples, seed=seed)
    return Recall(mean, values, low, high)
