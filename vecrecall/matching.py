"""Which answers are right: those as near as the true neighbours, or those that the truth names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vecrecall.hits import Hits
from vecrecall.inputs import as_choice, as_count, as_number

Answers = Hits | tuple[ArrayLike, ArrayLike]
TOLERANCE = 1e-5  # relative to the k-th distance: what two ways of computing it may differ by
_NEARER = 0.01  # an answer that is nearer than the truth by this share of the distance was computed otherwise
_FEW = 0.1  # of the queries: a truth of another's approximate search may be beaten in some


def shares_found(
    hits: Any, truth: Any, *, k: int | None = None, by: str = "distance", tolerance: float = TOLERANCE
) -> NDArray[np.float64]:
    """Return the recall@k of each query, shape (q,); parameters and errors as of :func:`vecrecall.recall`.

    Examples
    --------
    >>> shares_found(np.array([[1, 2], [5, 6]]), np.array([[2, 1], [7, 6]]), by="id")
    array([1. , 0.5])
    """
    as_choice(by, "by", ("distance", "id"))
    tolerance = _as_tolerance(tolerance)
    found, reached = as_answers(hits, "hits", by)
    true, distances = as_answers(truth, "truth", by)
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
    found, true = numbered(found[:, :k], true[:, :k])
    if by == "distance":
        right, existing = _by_distance(reached[:, :k], true, distances[:, :k], tolerance)
    else:
        right, existing = _by_id(found, true)
    right &= first_times(found) & (found != -1)
    n_right = np.minimum(right.sum(axis=1), existing)
    return np.where(existing > 0, n_right / np.maximum(existing, 1), 1.0)


def as_answers(answers: Any, name: str, by: str) -> tuple[NDArray[Any], NDArray[np.float64]]:
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


def as_truth(truth: Any, n_queries: int, k: int, *, by_distance: bool) -> tuple[tuple[Any, Any], str]:
    """Return ((ids, distances or None), "distance" or "id") of the true answers to some queries, k places of each.

    They are compared by distance where the truth has distances and those of the answers are exact (by_distance).
    """
    by = "distance" if by_distance and isinstance(truth, (Hits, tuple)) else "id"
    ids, distances = as_answers(truth, "truth", by)
    if len(ids) != n_queries or ids.shape[1] < k:
        raise ValueError(
            f"truth holds {ids.shape[1]} places for each of {len(ids)} queries, expected at least k={k} for each of "
            f"{n_queries}; give the exact answers to the same queries"
        )
    return (ids[:, :k], distances[:, :k] if by == "distance" else None), by


def refuse_beaten(answers: NDArray[np.floating], truth: NDArray[np.floating]) -> None:
    """Refuse a truth that answers to the same queries beat: the k nearest of them are nearer than its k nearest.

    By distance whatever is as near as the truth counts as found, so the truth of other rows would flatter any answer.

    Parameters
    ----------
    answers, truth : ndarray of float, shape (q, k)
        Distances; infinite where missing.

    Raises
    ------
    ValueError
        If so for more than a tenth of the queries.

    Examples
    --------
    >>> refuse_beaten(np.array([[1.0, 2.0]]), np.array([[1.0, 1.9]]))
    """
    answers, truth = np.sort(answers, axis=1), np.sort(truth, axis=1)
    both = np.isfinite(answers) & np.isfinite(truth)
    scale = float(np.median(np.abs(truth[both]))) if both.any() else 0.0
    with np.errstate(invalid="ignore"):
        nearer = both & (answers < truth - _NEARER * np.abs(truth) - 0.1 * _NEARER * scale)
    n_beaten = int(nearer.any(axis=1).sum())
    if n_beaten > _FEW * len(truth):
        row = int(np.flatnonzero(nearer.any(axis=1))[0])
        place = int(np.flatnonzero(nearer[row])[0])
        raise ValueError(
            f"truth has its neighbour {place + 1} of query {row} at distance {truth[row, place]:g}, but one was found "
            f"at {answers[row, place]:g}, and so for {n_beaten} of {len(truth)} queries; it is of other rows, of "
            "another metric, or squared: give the exact answers among the same rows"
        )


def numbered(found: NDArray[Any], true: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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


def first_times(ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where an id stands in its row for the first time."""
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, 1)
    first = np.ones(ids.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    placed = np.empty(ids.shape, bool)
    np.put_along_axis(placed, order, first, 1)
    return placed


def among(ids: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which places of each row of ids (q, k) hold an id that the same row of known (q, m) holds."""
    found = np.zeros(ids.shape, bool)
    for row, own, others in zip(found, ids, known, strict=True):
        row[:] = np.isin(own, others)
    return found


def _by_distance(
    reached: NDArray[np.float64], true: NDArray[np.int64], distances: NDArray[np.float64], tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which places are as near as the last true neighbour, and how many of those exist."""
    named = true != -1
    exists = named & np.isfinite(distances)  # others write the greatest float, not infinity, where a place is missing
    _refuse_no_distances(named, exists, distances)
    last = np.where(exists, distances, -np.inf).max(axis=1, initial=-np.inf)[:, None]
    last = np.where(np.isfinite(last), last, 0.0)
    return reached <= last + tolerance * np.abs(last), exists.sum(axis=1)


def _refuse_no_distances(
    named: NDArray[np.bool_], exists: NDArray[np.bool_], distances: NDArray[np.float64]
) -> None:
    """Refuse a truth that names neighbours without saying how far they are: whatever was found would be right."""
    unknown = named & (np.isnan(distances) | ~exists.any(axis=1, keepdims=True))
    if unknown.any():
        row, place = np.argwhere(unknown)[0]
        raise ValueError(
            f"truth names a neighbour at distance {distances[row, place]} (row {row}, place {place}), expected a "
            "finite one; compute the distances again, or compare by='id'"
        )


def _as_tolerance(value: Any) -> float:
    expected = "a number of at least 0 such as 1e-5"
    tolerance = as_number(value, "tolerance", expected)
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance is {value!r}, expected {expected}")
    return tolerance


def _by_id(found: NDArray[np.int64], true: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which places hold an id of the truth, and how many ids that has."""
    return among(found, true), (first_times(true) & (true != -1)).sum(axis=1)
