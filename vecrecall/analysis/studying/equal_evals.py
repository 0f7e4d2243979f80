"""Recall at a number of distance evaluations: between the two efs of the ladder that take a little less and more.

Equal ef misleads where orders fill the lists of links differently: a step along a longer list costs more. What a
search costs is its evaluations.
"""

from __future__ import annotations

from math import floor, log10

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def weights_at(evals: Doubles, level: float) -> Doubles | None:
    """Weights of the efs of a ladder whose mean evaluations are a level; None where none are below or above.

    Linear between two neighbours, so that weighted means of what each query has at these efs (recall, hops) are what
    it has at the level. Where several pairs of efs enclose the level, the first does.

    Parameters
    ----------
    evals : ndarray of float64, shape (n,)
        Means over queries by ef, ascending but for chance.
    level : float

    Examples
    --------
    >>> weights_at(np.array([100.0, 200.0, 400.0]), 250.0)
    array([0.  , 0.75, 0.25])
    >>> weights_at(np.array([100.0, 200.0]), 250.0) is None
    True
    """
    weights = np.zeros(len(evals))
    exact = np.flatnonzero(evals == level)
    if len(exact):
        weights[exact[0]] = 1
        return weights
    enclosing = np.flatnonzero((evals[:-1] < level) & (level < evals[1:]))
    if not len(enclosing):
        return None
    low = enclosing[0]
    share = (level - evals[low]) / (evals[low + 1] - evals[low])
    weights[low : low + 2] = 1 - share, share
    return weights


def chosen_levels(reference: list[Doubles], at: list[int], all_ladders: list[Doubles]) -> tuple[float, ...]:
    """Levels of equal evaluations that suit a set of graphs.

    The mean evaluations of the reference graphs at some places of their ladders, the first of them raised until every
    graph can take so few, the last lowered until every graph was measured with so many, and geometric means between
    neighbours; rounded to two digits.

    Parameters
    ----------
    reference : list of ndarray of float64, shape (n,)
        Ladders of evaluations of the graphs in random order.
    at : list of int
        Places of the efs that were asked for.
    all_ladders : list of ndarray of float64, shape (n,)
        Those of all graphs that are to be compared, the reference among them.

    Examples
    --------
    >>> chosen_levels([np.array([110.0, 240.0, 1000.0])], [0, 1, 2], [np.array([150.0, 300.0, 900.0])])
    (150.0, 190.0, 240.0, 460.0, 900.0)
    """
    least, most = max(ladder.min() for ladder in all_ladders), min(ladder.max() for ladder in all_ladders)
    usual = np.clip(np.mean(reference, axis=0)[at], least, most)
    levels = {_two_digits(level, least, most) for level in (*usual, *np.sqrt(usual[:-1] * usual[1:]))}
    return tuple(sorted(level for level in levels if least <= level <= most))


def _two_digits(value: float, least: float, most: float) -> float:
    """A number rounded to two digits, within bounds where that can be."""
    unit = 10.0 ** (floor(log10(value)) - 1)
    rounded = round(value / unit)
    rounded += int(rounded * unit < least) - int(rounded * unit > most)
    return float(round(rounded * unit, 12))
