"""Permutations of rows: by a key, by groups, or with some rows first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Permutation = NDArray[np.int64]
Groups = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ordering:
    """An order of rows, and what it is an order of.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        The row at each step.
    facts : dict
        By name: the range of the key that rows were sorted by, the number and the sizes of groups, or of picks.
    """

    rows: Permutation
    facts: dict[str, Any] = field(default_factory=dict)


def sorted_by(key: NDArray[np.float64], what: str, *, descending: bool = False) -> Ordering:
    """Sort rows by a key; those of equal keys stay as they stand, NaN counts as the median of the others.

    Examples
    --------
    >>> sorted_by(np.array([1.0, 3.0, 1.0, np.nan]), "length", descending=True).rows
    array([1, 0, 2, 3])
    """
    defined = key[~np.isnan(key)]
    middle = float(np.median(defined)) if len(defined) else 0.0
    facts: dict[str, Any] = {"key": what, "undefined": len(key) - len(defined)}
    if len(defined):
        facts |= {"least": float(defined.min()), "median": middle, "greatest": float(defined.max())}
    filled = np.where(np.isnan(key), middle, key)
    return Ordering(_stable(-filled if descending else filled), facts)


def grouped(groups: Groups, what: str) -> Ordering:
    """One group after another by their numbers, the rows of each as they stand.

    Examples
    --------
    >>> grouped(np.array([1, 0, 1, 0]), "label").rows
    array([1, 3, 0, 2])
    """
    return Ordering(_stable(groups), _sizes(groups, what))


def grouped_shuffled(groups: Groups, what: str, rng: np.random.Generator) -> Ordering:
    """One group after another, the groups shuffled among each other, and the rows within each."""
    rows = rng.permutation(len(groups))
    turns = rng.permutation(int(groups.max(initial=-1)) + 1)
    return Ordering(rows[_stable(turns[groups[rows]])], _sizes(groups, what))


def in_turn(groups: Groups, what: str) -> Ordering:
    """The first row of each group by their numbers, then the second of each, until the longest group is through.

    Examples
    --------
    >>> in_turn(np.array([0, 0, 0, 1, 1]), "label").rows
    array([0, 3, 1, 4, 2])
    """
    sizes, rows = np.bincount(groups), _stable(groups)
    place = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return Ordering(rows[_stable(place)], _sizes(groups, what))


def first_then_others(first: NDArray[np.int64], n: int) -> Permutation:
    """Some of n rows, then the others as they stand."""
    others = np.ones(n, bool)
    others[first] = False
    return np.concatenate([first, np.flatnonzero(others)]).astype(np.int64)


def _stable(key: NDArray[Any]) -> Permutation:
    return np.argsort(key, kind="stable").astype(np.int64, copy=False)


def _sizes(groups: Groups, what: str) -> dict[str, Any]:
    sizes = np.bincount(groups)
    some = {"smallest": int(sizes.min()), "largest": int(sizes.max())} if len(sizes) else {}
    return {"key": what, "groups": len(sizes), **some}
