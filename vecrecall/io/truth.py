"""True neighbours as files hold them, checked and brought into the form of `Hits`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import DataFileError

_TILE = 1 << 22  # numbers looked at together


def checked_neighbors(path: str | os.PathLike[str], neighbors: NDArray[Any], n_rows: int | None = None) -> NDArray[Any]:
    """Return numbers of rows, shape (q, depth), after checking that they are such: from 0 (or -1, missing) to n_rows.

    Raises
    ------
    DataFileError
        Naming the first query with a number that is none.
    """
    if neighbors.ndim != 2 or neighbors.dtype.kind not in "iu":
        raise DataFileError(
            f"{path}: neighbors are {neighbors.dtype} of shape {neighbors.shape}, expected integers (queries, depth)"
        )
    step = max(1, _TILE // max(1, neighbors.shape[1]))
    for lo in range(0, len(neighbors), step):
        tile = neighbors[lo : lo + step]
        wrong = (tile < -1) if n_rows is None else (tile < -1) | (tile >= n_rows)
        if wrong.any():
            query, place = np.argwhere(wrong)[0]
            most = "the number of a row" if n_rows is None else f"the number of one of {n_rows} rows"
            raise DataFileError(
                f"{path}: query {lo + query} has neighbour {tile[query, place]}, expected {most}, or -1; "
                "the file is damaged or its truth belongs to other rows"
            )
    return neighbors


def checked_distances(
    path: str | os.PathLike[str], distances: NDArray[Any], neighbors: NDArray[Any], metric: str | None = None
) -> NDArray[Any]:
    """Return distances, smaller is nearer; what falls from place to place are scores, and is negated.

    Raises
    ------
    DataFileError
        If they do not stand beside the neighbors, are NaN, or neither grow nor fall.
    """
    if distances.shape != neighbors.shape or distances.dtype.kind != "f":
        raise DataFileError(
            f"{path}: distances are {distances.dtype} of shape {distances.shape}, expected floats of shape "
            f"{neighbors.shape}, one a neighbour"
        )
    if np.isnan(distances).any():
        query = int(np.flatnonzero(np.isnan(distances).any(axis=1))[0])
        raise DataFileError(f"{path}: query {query} has a distance that is NaN; make the truth anew")
    if distances.shape[1] < 2:
        return distances
    first, last = distances[:, 0], distances[:, -1]
    if (first <= last).all():
        return distances
    if (first >= last).all() and metric in (None, "ip"):
        negated: NDArray[Any] = -distances
        return negated
    query = int(np.flatnonzero(first > last)[0])
    raise DataFileError(
        f"{path}: query {query} has distances that fall from {first[query]} to {last[query]}, expected nearest first; "
        "sort the neighbours of each query"
    )
