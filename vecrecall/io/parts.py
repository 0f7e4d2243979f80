"""Named arrays of a file, checked against one another and made into a dataset."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import DataFileError
from vecrecall.inputs import as_choice
from vecrecall.io.dataset import Dataset
from vecrecall.io.truth import checked_distances, checked_neighbors

METRICS = ("l2", "ip", "cosine")

# what files call a metric -> what this library calls it
METRIC_OF = {
    "l2": "l2",
    "euclidean": "l2",
    "ip": "ip",
    "dot": "ip",
    "inner_product": "ip",
    "cosine": "cosine",
    "angular": "cosine",
}

# dimensions and kinds of dtype
_SHAPES = {
    "rows": (2, "fiub"),
    "queries": (2, "fiub"),
    "neighbors": (2, "iu"),
    "distances": (2, "f"),
    "ids": (1, "iuU"),
    "query_ids": (1, "iuU"),
}
_TEXTS = ("texts", "query_texts")
_OF_ROWS = {"ids": "rows", "texts": "rows", "query_ids": "queries", "query_texts": "queries", "neighbors": "queries"}


def dataset_of(path: str | os.PathLike[str], parts: dict[str, Any], attributes: dict[str, Any]) -> Dataset:
    """Return the dataset of these parts after checking that they fit together.

    Parameters
    ----------
    path : path-like
        For messages.
    parts : dict
        Some of the parts of a `Dataset`, and `metric`. Scores in place of distances are negated.
    attributes : dict
        What else there is.

    Raises
    ------
    DataFileError
        If a part is no matrix, the dimensions of rows and queries differ, counts do not agree, or the truth is none.
    """
    parts = {name: part for name, part in parts.items() if part is not None}
    for name in _SHAPES.keys() & parts.keys():
        n_dimensions, kinds = _SHAPES[name]
        array = np.asarray(parts[name])
        if array.ndim != n_dimensions or array.dtype.kind not in kinds or 0 in array.shape[1:]:
            what = "real numbers (n, dim)" if n_dimensions == 2 else "integers or strings (n,)"
            raise DataFileError(f"{path}: {name} are {array.dtype} of shape {array.shape}, expected {what}")
    for name in {*_TEXTS} & parts.keys():
        if not isinstance(parts[name], list) or not all(isinstance(text, str) for text in parts[name]):
            raise DataFileError(f"{path}: {name} are a {type(parts[name]).__name__}, expected a list of strings")
    if {"rows", "queries"} <= parts.keys() and parts["rows"].shape[1] != parts["queries"].shape[1]:
        raise DataFileError(
            f"{path}: rows have {parts['rows'].shape[1]} columns and queries {parts['queries'].shape[1]}, expected "
            "one dimension"
        )
    for name, owner in _OF_ROWS.items():
        if {name, owner} <= parts.keys() and len(parts[name]) != len(parts[owner]):
            raise DataFileError(
                f"{path}: {name} has {len(parts[name])} entries and {owner} {len(parts[owner])}, expected as many"
            )
    if "neighbors" in parts:
        n_rows = len(parts["rows"]) if "rows" in parts else None
        parts["neighbors"] = checked_neighbors(path, parts["neighbors"], n_rows)
    if "distances" in parts:
        if "neighbors" not in parts:
            raise DataFileError(f"{path}: holds distances without neighbors, expected both")
        parts["distances"] = checked_distances(path, parts["distances"], parts["neighbors"], parts.get("metric"))
    return Dataset(**parts, attributes=attributes)


def metric_of(path: str | os.PathLike[str], name: str) -> str:
    """Return what this library calls a metric that a file names."""
    metric = METRIC_OF.get(name.lower())
    if metric is None:
        raise DataFileError(f"{path}: holds distances by {name!r}, expected one of {', '.join(METRIC_OF)}")
    return metric


def check_parts(dataset: Dataset) -> None:
    """Raise a ValueError, before anything is written, if the parts of a dataset do not fit together."""
    if dataset.metric is not None:
        as_choice(dataset.metric, "metric", METRICS)
    try:
        dataset_of("the dataset", plain_parts(dataset) | {"metric": dataset.metric}, {})
    except DataFileError as error:
        raise ValueError(str(error)) from None


def plain_parts(dataset: Dataset) -> dict[str, Any]:
    """Return the parts as arrays, ids as integers or str; texts stay a list, which takes less room."""
    parts = dataset.parts()
    parts |= {name: np.asarray(parts[name]) for name in ("rows", "queries", "neighbors", "distances") if name in parts}
    return parts | {name: names_of(parts[name]) for name in ("ids", "query_ids") if name in parts}


def names_of(ids: Any) -> NDArray[Any]:
    """Return ids as an array of integers, or else of str."""
    array = np.asarray(ids)
    return array if array.dtype.kind in "iu" else np.array([str(name) for name in array.tolist()], np.str_)


def plain_attributes(dataset: Dataset, what: str, reserved: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Return the attributes as arrays of numbers or strings; one that is neither is a ValueError."""
    plain = {}
    for name, value in dataset.attributes.items():
        array = np.asarray(value) if isinstance(value, (str, int, float, list, tuple, np.generic, np.ndarray)) else None
        if array is None or array.dtype.kind not in "fiubU":
            raise ValueError(f"attributes[{name!r}] is a {type(value).__name__}, which {what} has no room for; drop it")
        if name in reserved or not name:
            raise ValueError(f"attributes has the name {name!r}, which {what} uses itself; rename it")
        plain[name] = array
    return plain
