"""Labels: one a row, whole numbers or strings, as the numbers of groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXPECTED = "whole numbers or strings, one a row"


def groups_of_labels(labels: Any, n: int) -> NDArray[np.int64]:
    """Number of the group of each row, groups counted in the order of their labels.

    Parameters
    ----------
    labels : array_like of int, bool or str, shape (n,)
    n : int
        Rows there are.

    Raises
    ------
    TypeError
        If a label is something else, or strings and numbers are mixed.
    ValueError
        If there is not one for each row.

    Examples
    --------
    >>> groups_of_labels(["verb", "noun", "verb"], 3)
    array([1, 0, 1])
    """
    if isinstance(labels, (str, bytes)):
        raise TypeError(f"labels is {labels!r}, expected {_EXPECTED}")
    values = _as_array(labels)
    if values.ndim != 1 or len(values) != n:
        raise ValueError(f"labels has shape {values.shape}, expected ({n},): one label for each row of X")
    if n == 0:
        return np.empty(0, np.int64)
    if values.dtype.kind in "OT":  # T: strings of numpy 2
        values = _of_one_kind(values)
    if values.dtype.kind not in "iubUS":
        raise TypeError(
            f"labels has dtype {values.dtype}, expected {_EXPECTED}; if they are whole, give labels.astype('int64')"
        )
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _as_array(labels: Any) -> NDArray[Any]:
    """Labels as an array; numpy would make strings of the numbers in a list of both."""
    if not isinstance(labels, (list, tuple)):
        return np.asarray(labels)
    return np.fromiter(labels, object, len(labels))


def _of_one_kind(values: NDArray[Any]) -> NDArray[Any]:
    """Objects as an array of numbers or of strings."""
    listed = values.tolist()
    kind: tuple[type, ...] = (str,) if isinstance(listed[0], str) else (int, np.integer, np.bool_)
    for row, value in enumerate(listed):
        if not isinstance(value, kind):
            mixed = " beside strings" if kind == (str,) else " beside numbers" if isinstance(value, str) and row else ""
            raise TypeError(
                f"labels row {row} is {value!r}{mixed}, expected {_EXPECTED}; give rows without one a label of their "
                "own"
            )
    return np.array(listed)
