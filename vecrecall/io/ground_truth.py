"""The truth files of big-ann-benchmarks.

::

    n uint32 | k uint32 | n * k ids int32 | n * k distances float32

All numbers little-endian. Some sets hold distances, others scores (the sparse one: inner products).
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from vecrecall.errors import DataFileError
from vecrecall.inputs import as_flag
from vecrecall.io.bins import HEADER, header_of, write_tiles
from vecrecall.io.dataset import Dataset
from vecrecall.io.mapping import check_size, mapped
from vecrecall.io.matrix import tiles_as
from vecrecall.io.truth import checked_distances, checked_neighbors

_IDS, _DISTANCES = np.dtype("<i4"), np.dtype("<f4")


def read_ground_truth(path: str | os.PathLike[str], *, squared: bool = False) -> Dataset:
    """Map a truth file of big-ann-benchmarks.

    Parameters
    ----------
    path : path-like
    squared : bool, default False
        Whether it holds squared Euclidean distances, as faiss computes them: the root is taken. The file itself does
        not say.

    Returns
    -------
    Dataset
        With `neighbors` and `distances`, smaller is nearer: values that fall from place to place are scores, and are
        negated.

    Raises
    ------
    DataFileError
        If the file has not the size that its header says, an id is below -1, or distances are NaN or in no order.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "truth.gt")
    >>> write_ground_truth(path, [[7, 3]], [[0.5, 2.0]])
    >>> read_ground_truth(path).neighbors
    array([[7, 3]], dtype=int32)
    """
    n, k = header_of(path, "truth")
    expected = HEADER.size + n * k * (_IDS.itemsize + _DISTANCES.itemsize)
    check_size(path, expected, f"{k} neighbours of {n} queries, with distances")
    neighbors = checked_neighbors(path, mapped(path, _IDS, (n, k), HEADER.size))
    given = mapped(path, _DISTANCES, (n, k), HEADER.size + neighbors.nbytes)
    distances = checked_distances(path, given, neighbors)
    if as_flag(squared, "squared"):
        if (given < 0).any() or distances is not given:
            raise DataFileError(f"{path}: holds scores or negative distances, expected squared ones; drop squared")
        distances = np.sqrt(distances)
    return Dataset(neighbors=neighbors, distances=distances)


def write_ground_truth(path: str | os.PathLike[str], neighbors: Any, distances: Any) -> None:
    """Write a truth file of big-ann-benchmarks, whole or not at all.

    Parameters
    ----------
    path : path-like
    neighbors : array_like of int, shape (n, k)
        Missing ones are -1.
    distances : array_like of float, shape (n, k)
        Written as they are; missing ones are infinite.

    Raises
    ------
    TypeError, ValueError
        If the shapes differ, or a number is beyond int32.
    OSError
        As the operating system says.
    """
    n, k, ids = tiles_as(neighbors, _IDS, name="neighbors")
    values = np.ascontiguousarray(distances, _DISTANCES)
    if values.shape != (n, k):
        raise ValueError(f"distances have shape {values.shape} and neighbors {(n, k)}, expected one shape")
    if np.isnan(values).any():
        raise ValueError(f"distances of query {np.argwhere(np.isnan(values))[0][0]} hold NaN, expected numbers")
    write_tiles(path, n, k, (part for parts in (ids, (values,)) for part in parts))
