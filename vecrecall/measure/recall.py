"""Recall: which part of the true nearest neighbours a search found."""

from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vecrecall.hits import Hits
from vecrecall.inputs import as_choice, as_count

Answers = Hits | tuple[ArrayLike, ArrayLike]


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
    tolerance: float = 1e-5,
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
        It allows for distances that were computed in another arithmetic.
    per_query : bool, default False
        Whether to return a `Recall` with the value of each query.
    interval : float in (0, 1), optional
        Level, such as 0.95, of a percentile bootstrap interval of the mean over the queries; then a `Recall`
        is returned.
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
        If shapes do not fit together, k is wider than either, or distances are missing.

    References
    ----------
    Aumueller, Bernhardsson & Faithfull (2020), ANN-Benchmarks, section 2.1, defines recall by distance.
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 13.3: percentile intervals.

    Examples
    --------
    >>> recall(np.array([[1, 2, 9]]), np.array([[2, 1, 3]]), by="id", k=2)
    1.0
    >>> recall(([5, 6], [0.0, 1.0]), ([5, 7], [0.0, 1.0]))
    1.0
    """
    as_choice(by, "by", ("distance", "id"))
    found, reached = _answers(hits, "hits", by)
    true, distances = _answers(truth, "truth", by)
    if len(found) != len(true):
        raise ValueError(
            f"hits answer {len(found)} queries and truth {len(true)}; give both for the same queries"
        )
    k = min(found.shape[1], true.shape[1]) if k is None else as_count(k, "k")
    for name, ids in (("hits", found), ("truth", true)):
        if ids.shape[1] < k:
            raise ValueError(
                f"k is {k}, but {name} hold {ids.shape[1]} places a query; search with k={k} or more"
            )
    if by == "id" and (found.dtype.kind in "iu") != (true.dtype.kind in "iu"):
        raise TypeError(
            f"hits have {found.dtype} ids and truth {true.dtype}, expected one kind; map one to the other"
        )
    found, true = _numbered(found[:, :k], true[:, :k])
    if by == "distance":
        right, existing = _by_distance(reached[:, :k], distances[:, :k], tolerance)
    else:
        right, existing = _by_id(found, true)
    right &= _first_times(found) & (found != -1)
    n_right = np.minimum(right.sum(axis=1), existing)
    values = np.where(existing > 0, n_right / np.maximum(existing, 1), 1.0)
    mean = float(values.mean()) if len(values) else float("nan")
    if interval is None:
        return Recall(mean, values) if per_query else mean
    low, high = _bootstrap(values, interval, as_count(n_resamples, "n_resamples"), seed)
    return Recall(mean, values, low, high)


def _answers(answers: Any, name: str, by: str) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return ids (q, width) and distances of the same shape (empty if none are needed)."""
    if isinstance(answers, Hits):
        answers = answers.ids, answers.distances
    if not isinstance(answers, tuple):
        if by == "distance":
            raise TypeError(f"{name} is ids alone, expected Hits or (ids, distances); or give by='id'")
        answers = answers, None
    if len(answers) != 2:
        raise TypeError(f"{name} is a tuple of {len(answers)}, expected (ids, distances)")
    ids = np.atleast_2d(np.asarray(answers[0]))
    if ids.ndim != 2 or ids.dtype.kind not in "iuUO":
        raise TypeError(
            f"{name} has ids of {ids.dtype} and shape {ids.shape}, expected int or str ids (q, k)"
        )
    if by == "id":
        return ids, np.empty((len(ids), 0))
    distances = np.atleast_2d(np.asarray(answers[1], np.float64))
    if distances.shape != ids.shape:
        raise ValueError(f"{name} has ids {ids.shape} and distances {distances.shape}, expected one shape")
    return ids, distances


def _numbered(found: NDArray[Any], true: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both with ids as integers, -1 where missing: strings become the number of their first place."""
    if found.dtype.kind in "iu" and true.dtype.kind in "iu":
        return found.astype(np.int64), true.astype(np.int64)
    numbers: dict[Any, int] = {None: -1, -1: -1}
    found, true = (
        np.array([numbers.setdefault(name, len(numbers)) for name in ids.ravel().tolist()], np.int64).reshape(
            ids.shape
        )
        for ids in (found, true)
    )
    return found, true


def _by_distance(
    reached: NDArray[np.float64], true: NDArray[np.float64], tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which places are as near as the last true neighbour, and how many of those exist."""
    existing = np.isfinite(true).sum(axis=1)
    last = np.where(np.isfinite(true), true, -np.inf).max(axis=1, initial=-np.inf)[:, None]
    last = np.where(np.isfinite(last), last, 0.0)
    return reached <= last + tolerance * np.abs(last), existing


def _by_id(found: NDArray[np.int64], true: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which places hold an id of the truth, and how many ids that has."""
    right = np.zeros(found.shape, bool)
    for row, ids, known in zip(right, found, true, strict=True):
        row[:] = np.isin(ids, known)
    return right, (_first_times(true) & (true != -1)).sum(axis=1)


def _first_times(ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where an id stands in its row for the first time."""
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, 1)
    first = np.ones(ids.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    placed = np.empty(ids.shape, bool)
    np.put_along_axis(placed, order, first, 1)
    return placed


def _bootstrap(values: NDArray[np.float64], level: float, n_resamples: int, seed: int) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ValueError(f"interval is {level!r}, expected a level between 0 and 1 such as 0.95, or None")
    if len(values) == 0:
        return float("nan"), float("nan")
    generator = np.random.Generator(np.random.PCG64(seed))
    means = [values[generator.integers(0, len(values), len(values))].mean() for _ in range(n_resamples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
