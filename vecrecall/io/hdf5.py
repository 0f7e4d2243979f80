"""The HDF5 files of ann-benchmarks: train, test, neighbors, distances, and attributes that name the distance.

Aumueller, Bernhardsson & Faithfull (2020), "ANN-Benchmarks". Angular distances are 1 - cosine, Euclidean ones are not
squared: the same as `Hits.distances`.

Nothing outside the file is read: links and data that point to other files are refused. The library that parses HDF5 is
written in C and has had faults that a crafted file can use; open files of strangers in a process of their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import DataFileError
from vecrecall.io.dataset import Dataset, refuse_others
from vecrecall.io.hdf5_bounds import Span, check_heaps, checked_spans, is_plain, is_plain_attribute
from vecrecall.io.mapping import mapped
from vecrecall.io.parts import check_parts, dataset_of, metric_of, plain_attributes, plain_parts
from vecrecall.replacing import replacing

if TYPE_CHECKING:
    import h5py

MAGIC = b"\x89HDF\r\n\x1a\n"

_NAMES = {
    "train": "rows",
    "test": "queries",
    "neighbors": "neighbors",
    "distances": "distances",
    "train_ids": "ids",
    "test_ids": "query_ids",
    "train_texts": "texts",
    "test_texts": "query_texts",
}
_OWN = ("type", "distance", "metric", "dimension", "point_type")  # attributes that say what is known otherwise
_DISTANCE_OF = {"l2": "euclidean", "cosine": "angular", "ip": "ip"}
_SQUARED = "sqeuclidean"
_TILE_BYTES = 1 << 24


def read_hdf5(path: str | os.PathLike[str]) -> Dataset:
    """Read a file as in ann-benchmarks; arrays that lie in the file in one piece, as there, are mapped.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Dataset
        `rows` and `queries` in the dtype they are stored in; `metric` from the attribute `metric` or `distance`. Other
        arrays, such as train_category, and other attributes are in `attributes`.

    Raises
    ------
    DataFileError
        If the file is damaged or holds sets of items (the sparse form of ann-benchmarks), the distance is none of this
        library, a dataset was not written to its end or lies in another file, or its parts do not fit together.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "points.hdf5")
    >>> write_hdf5(path, Dataset(rows=np.eye(2), queries=np.ones((1, 2)), metric="l2", attributes={"source": "a test"}))
    >>> read_hdf5(path)
    Dataset: rows (2, 2) float64, queries (1, 2) float64, metric l2, attributes source
    """
    import h5py

    path = os.fspath(path)
    with open(path, "rb"):  # errors of the operating system come from here; those of HDF5 are damage
        pass
    with _damage_of(path), h5py.File(path, "r") as file:
        plain = {str(name): is_plain(file, name) for name in file}
        odd = next((name for name in _NAMES if not plain.get(name, True)), None)
        if odd is not None:
            raise DataFileError(
                f"{path}: {odd} holds no numbers or strings in the file itself, expected an array that is no link, "
                "group, record, or view of another file; copy it"
            )
        datasets: dict[str, Any] = {name: file[name] for name in plain if plain[name]}
        spans = {name: checked_spans(path, name, dataset) for name, dataset in datasets.items()}
        check_heaps(path, file, [span for found in spans.values() for span in found])
        arrays = {name: _array(path, dataset, spans[name]) for name, dataset in datasets.items()}
        attributes = _attributes(file)
    if attributes.get("type") == "sparse" or "size_train" in arrays:
        raise DataFileError(f"{path}: holds sets of items, as ann-benchmarks has them for Jaccard; expected vectors")
    parts: dict[str, Any] = {_NAMES[name]: array for name, array in arrays.items() if name in _NAMES}
    if not {"rows", "queries", "neighbors"} & parts.keys():
        raise DataFileError(
            f"{path}: holds {', '.join(arrays) or 'no dataset'}, expected train, test, neighbors, distances as in "
            "ann-benchmarks"
        )
    _set_metric(path, parts, attributes)
    dimension = attributes.get("dimension")
    if isinstance(dimension, int) and "rows" in parts and parts["rows"].shape[1:] != (dimension,):
        raise DataFileError(f"{path}: rows have shape {parts['rows'].shape}, expected the {dimension} columns it names")
    attributes = {name: value for name, value in attributes.items() if name not in _OWN}
    attributes |= {name: array for name, array in arrays.items() if name not in _NAMES}
    return dataset_of(path, parts, attributes)


def write_hdf5(path: str | os.PathLike[str], dataset: Dataset) -> None:
    """Write a file as in ann-benchmarks, whole or not at all.

    Parameters
    ----------
    path : path-like
    dataset : Dataset
        Dense vectors are written in the dtype they have, tile by tile. Attributes have to be numbers, strings or arrays
        of them; arrays become datasets of their own.

    Raises
    ------
    ValueError
        If the dataset holds something else, or its parts do not fit together.
    OSError
        As the operating system says.
    """
    import h5py

    refuse_others(dataset, tuple(_NAMES.values()), "an HDF5 file as in ann-benchmarks")
    if any(hasattr(part, "nnz") for part in dataset.parts().values()):
        raise ValueError("the dataset holds sparse vectors, expected dense ones; write them as csr, jsonl or npz")
    check_parts(dataset)
    more = plain_attributes(dataset, "an HDF5 file as in ann-benchmarks", (*_NAMES, *_OWN))
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        parts = plain_parts(dataset)
        for name, part in _NAMES.items():
            if part in parts:
                _write_array(file, name, parts[part])
        for name, array in sorted(more.items()):
            if array.ndim:
                _write_array(file, name, array)
            else:
                file.attrs[name] = array.item()
        file.attrs["type"], file.attrs["point_type"] = "dense", "float"
        if dataset.rows is not None:
            file.attrs["dimension"] = int(parts["rows"].shape[1])
        if dataset.metric is not None:
            file.attrs["metric"], file.attrs["distance"] = dataset.metric, _DISTANCE_OF[dataset.metric]


@contextmanager
def _damage_of(path: str) -> Iterator[None]:
    """Make a DataFileError of whatever the library says about a damaged file: it has not promised what it raises."""
    try:
        yield
    except (DataFileError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise DataFileError(f"{path}: torn or damaged HDF5 ({reason}); fetch or write it again") from None


def _attributes(file: h5py.File) -> dict[str, Any]:
    """Return the attributes that are numbers or strings."""
    plain = {str(name): is_plain_attribute(file, name) for name in file.attrs}
    odd = next((name for name in _OWN if not plain.get(name, True)), None)
    if odd is not None:
        raise ValueError(f"attribute {odd} is neither number nor string")
    return {name: _plain(file.attrs[name]) for name in plain if plain[name]}


def _array(path: str, dataset: Any, spans: list[Span]) -> Any:
    """Return a dataset as an array, mapped if it lies in one piece; or strings."""
    if dataset.dtype.kind not in "fiub":
        return _strings(dataset)
    if dataset.chunks is None and len(spans) == 1 and dataset.file.userblock_size == 0:
        return mapped(path, dataset.dtype, dataset.shape, spans[0][0])
    array: NDArray[Any] = dataset[()]
    return array


def _strings(dataset: Any) -> Any:
    """Return strings as an array of str if they are ids, as a list if they are texts."""
    values = [v.decode() if isinstance(v, bytes) else v for v in dataset[()].ravel().tolist()]
    return values if dataset.name.endswith("_texts") else np.array(values, np.str_).reshape(dataset.shape)


def _plain(value: Any) -> Any:
    """Return an attribute as str, int, float, bool or array."""
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def _set_metric(path: str, parts: dict[str, Any], attributes: dict[str, Any]) -> None:
    """Set the metric that the attributes name; squared distances become plain ones."""
    named = {key: str(attributes[key]).lower() for key in ("metric", "distance") if key in attributes}
    metrics = {metric_of(path, "l2" if name == _SQUARED else name) for name in named.values()}
    if len(metrics) > 1:
        raise DataFileError(f"{path}: the attributes say {named}, expected metric and distance to agree")
    if metrics:
        parts["metric"] = metrics.pop()
    if _SQUARED in named.values() and "distances" in parts:
        parts["distances"] = np.sqrt(parts["distances"])


def _write_array(file: h5py.File, name: str, array: NDArray[Any] | list[str]) -> None:
    import h5py

    if isinstance(array, list) or array.dtype.kind == "U":
        words, shape = (array, (len(array),)) if isinstance(array, list) else (array.ravel().tolist(), array.shape)
        file.create_dataset(name, shape, h5py.string_dtype(), words)
        return
    dataset = file.create_dataset(name, array.shape, array.dtype)
    step = max(1, _TILE_BYTES // max(1, array[:1].nbytes))
    for lo in range(0, len(array), step):
        dataset[lo : lo + step] = array[lo : lo + step]
