"""numpy's archives of several arrays: a sparse matrix as scipy saves it, or the parts of a dataset by name."""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import DataFileError
from vecrecall.io.csr import MOST_COLUMNS, checked_csr
from vecrecall.io.dataset import Dataset, refuse_others
from vecrecall.io.mapping import check_inflated
from vecrecall.io.npy import read_values
from vecrecall.io.parts import check_parts, dataset_of, metric_of, plain_attributes, plain_parts
from vecrecall.replacing import replacing

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_NAMES = {"train": "rows", "test": "queries"}  # of ann-benchmarks
_PARTS = ("rows", "queries", "neighbors", "distances", "ids", "query_ids")
_SPARSE = ("indptr", "indices", "data")


def read_npz(path: str | os.PathLike[str]) -> Dataset:
    """Read an archive into memory.

    Parameters
    ----------
    path : path-like
        What `scipy.sparse.save_npz` wrote of a CSR matrix; or arrays named rows (or train), queries (or test),
        neighbors, distances (or scores, which are negated), ids, query_ids, metric; or one array of any name, which is
        the rows.

    Returns
    -------
    Dataset
        Other arrays are in `attributes`.

    Raises
    ------
    DataFileError
        If the archive is damaged, or its arrays are not such, or do not fit together.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "points.npz")
    >>> write_npz(path, Dataset(rows=np.eye(2), queries=np.ones((1, 2)), metric="l2"))
    >>> read_npz(path)
    Dataset: rows (2, 2) float64, queries (1, 2) float64, metric l2
    """
    arrays = _arrays_of(os.fspath(path))
    if {"format", "shape", "data"} <= arrays.keys():
        return Dataset(rows=_sparse(path, arrays))
    if len(arrays) == 1:
        arrays = {"rows": next(iter(arrays.values()))}
    parts: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    if "distances" not in arrays and _are_scores(arrays.get("scores"), arrays.get("neighbors")):
        arrays["distances"] = -arrays.pop("scores")
    for name, array in arrays.items():
        part = _NAMES.get(name, name)
        if part in parts:
            raise DataFileError(f"{path}: holds {name} and {part}, expected one of them")
        if part in _PARTS:
            parts[part] = array
        elif part != "metric":
            attributes[part] = array if array.ndim else array.item()
    if not {"rows", "queries", "neighbors"} & parts.keys():
        raise DataFileError(
            f"{path}: holds arrays {', '.join(arrays) or '(none)'}, expected a scipy.sparse matrix, one array, or "
            f"arrays named {', '.join(_PARTS)}; save it with numpy.savez(path, rows=..., queries=...)"
        )
    if "metric" in arrays:
        parts["metric"] = metric_of(path, str(arrays["metric"]))
    return dataset_of(path, parts, attributes)


def write_npz(path: str | os.PathLike[str], dataset: Dataset) -> None:
    """Write an archive, whole or not at all, compressed.

    Parameters
    ----------
    path : path-like
    dataset : Dataset
        Sparse rows alone, as `scipy.sparse.save_npz` writes them; or dense parts by their names, with the metric and
        the attributes, which have to be numbers, strings or arrays of them.

    Raises
    ------
    ValueError
        If the dataset holds something else.
    OSError
        As the operating system says.
    """
    if hasattr(dataset.rows, "nnz"):
        import scipy.sparse as sp

        refuse_others(dataset, ("rows",), "an npz file of sparse vectors")
        with replacing(path) as temporary, open(temporary, "xb") as file:
            sp.save_npz(file, sp.csr_array(dataset.rows))
        return
    refuse_others(dataset, _PARTS, "an npz file")
    check_parts(dataset)
    arrays = plain_attributes(dataset, "an npz file", (*_PARTS, *_NAMES, "metric", "file"))
    arrays |= plain_parts(dataset)
    if dataset.metric is not None:
        arrays["metric"] = np.asarray(dataset.metric)
    with replacing(path) as temporary, open(temporary, "xb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _arrays_of(path: str) -> dict[str, NDArray[Any]]:
    """Read every array of an archive; what members claim to be is compared with the size of the file first."""
    arrays = {}
    with open(path, "rb") as raw:
        try:
            with zipfile.ZipFile(raw) as archive:
                members = archive.infolist()
                check_inflated(path, sum(member.file_size for member in members), os.path.getsize(path), "the archive")
                for member in members:
                    name = member.filename.removesuffix(".npy")
                    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                        raise DataFileError(f"{path}: {name} is packed as numpy does not pack; save it anew")
                    with archive.open(member) as content:
                        arrays[name] = read_values(content, f"{path}: {name}", member.file_size)
        except DataFileError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
            raise DataFileError(f"{path}: torn or damaged archive ({error}); fetch it again") from None
    return arrays


def _are_scores(scores: NDArray[Any] | None, neighbors: NDArray[Any] | None) -> bool:
    """Whether an array holds the scores of neighbours: greater is nearer."""
    return scores is not None and neighbors is not None and scores.dtype.kind == "f" and scores.shape == neighbors.shape


def _sparse(path: str | os.PathLike[str], arrays: dict[str, NDArray[Any]]) -> csr_array:
    """Return the matrix that `scipy.sparse.save_npz` wrote."""
    kind, shape = arrays["format"].tolist(), arrays["shape"]
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else kind
    if kind != "csr":
        raise DataFileError(f"{path}: holds a sparse matrix of format {kind!r}, expected 'csr'; save matrix.tocsr()")
    if shape.dtype.kind not in "iu" or shape.shape != (2,) or shape.min() < 0 or not 1 <= shape[1] <= MOST_COLUMNS:
        raise DataFileError(f"{path}: holds a sparse matrix of shape {shape.tolist()}, expected (n, 1 to 2**31)")
    for name, kinds in zip(_SPARSE, ("iu", "iu", "fiub")):
        part = arrays.get(name)
        if part is None or part.ndim != 1 or part.dtype.kind not in kinds:
            found = "lacks" if part is None else f"has {part.dtype} {part.shape} as"
            raise DataFileError(f"{path}: {found} {name}, expected a row of numbers; save the matrix anew")
    parts = (arrays["indptr"], arrays["indices"], arrays["data"])
    return checked_csr(path, parts, (int(shape[0]), int(shape[1])))
