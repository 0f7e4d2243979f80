"""A sparse set as a folder: base.csr, queries.csr and base.gt, the forms of big-ann-benchmarks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import DataFileError
from vecrecall.io.csr import read_csr, write_csr
from vecrecall.io.dataset import Dataset, refuse_others
from vecrecall.io.ground_truth import read_ground_truth, write_ground_truth
from vecrecall.io.truth import checked_neighbors
from vecrecall.replacing import making_folder

_NAMES = ("base.csr", "queries.csr", "base.gt")
_PARTS = ("rows", "queries", "neighbors", "distances")


def refuse_folder(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Look, before any work is done, whether a folder can be written.

    Raises
    ------
    ValueError
        If there is a file of that name, or a folder that holds something and `force` is not given, or something else
        than such a set.
    FileNotFoundError
        If it would stand in a folder that does not exist.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path}: is a file, expected the name of a folder to make")
    there = sorted(os.listdir(path)) if path.exists() else []
    others = [name for name in there if name not in _NAMES]
    if others:
        raise ValueError(f"{path}: holds {others[0]}, which is no part of such a set; name another folder")
    if there and not force:
        raise ValueError(f"{path}: is there already; give --force (force=True) to replace it, or another name")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(2, "no such folder; make it first", str(path.absolute().parent))


def write_sparse_set(path: str | os.PathLike[str], data: Dataset, *, force: bool = False) -> None:
    """Write a sparse set with its truth.

    Parameters
    ----------
    path : path-like
        The folder, which appears whole or not at all. With `force` each file of one that is there is replaced, the
        truth last.
    data : Dataset
        `rows`, `queries`, `neighbors` and `distances` by "ip". Truth files of sparse sets hold scores, so distances
        are negated.
    force : bool, default False

    Raises
    ------
    ValueError, OSError
        If a part is missing, or one has no room in it; as `refuse_folder`, and as the operating system says.
    """
    refuse_others(data, _PARTS, "a sparse set")
    missing = [name for name in _PARTS if getattr(data, name) is None]
    if missing or data.metric not in (None, "ip"):
        raise ValueError(
            f"the dataset lacks {', '.join(missing)}, expected {', '.join(_PARTS)} for a sparse set" if missing else
            f"the dataset has the metric {data.metric!r}, expected 'ip' for a sparse set"
        )  # fmt: skip
    refuse_folder(path, force=force)
    if os.path.isdir(path) and os.listdir(path):
        _fill(os.fspath(path), data)
        return
    with making_folder(path) as folder:
        _fill(folder, data)


def _fill(folder: str, data: Dataset) -> None:
    rows, queries, truth = (os.path.join(folder, name) for name in _NAMES)
    write_csr(rows, data.rows)
    write_csr(queries, data.queries)
    write_ground_truth(truth, data.neighbors, -np.asarray(data.distances))


def read_sparse_set(path: str | os.PathLike[str]) -> Dataset:
    """Read a sparse set: what `write_sparse_set` wrote, or `get` downloaded.

    Parameters
    ----------
    path : path-like
        A folder with one base*.csr, one queries*.csr (both may be packed, .csr.gz) and, if truth is wanted, one *.gt.
        Where fewer rows than it has places share a column with a query, it may be filled up with others of score 0:
        these are missing (-1) in what is returned.

    Returns
    -------
    Dataset
        Metric "ip".

    Raises
    ------
    DataFileError
        If a file is missing, there are several, or one is damaged or does not fit the others.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> import scipy.sparse as sp
    >>> D = sp.csr_array([[0.0, 1.5], [2.0, 0.0]])
    >>> folder = os.path.join(tempfile.mkdtemp(), "tiny")
    >>> write_sparse_set(folder, Dataset(D, D[:1], np.array([[0]]), np.array([[-2.25]]), "ip"))
    >>> data = read_sparse_set(folder)
    >>> data.rows.shape, data.neighbors.tolist(), data.distances.tolist()
    ((2, 2), [[0]], [[-2.25]])
    """
    path = Path(path)
    rows = read_csr(_only(path, "base*.csr")).rows
    queries = read_csr(_only(path, "queries*.csr"), dim=rows.shape[1]).rows
    if not any(path.glob("*.gt")):
        return Dataset(rows, queries, metric="ip")
    truth_file = _only(path, "*.gt")
    truth = read_ground_truth(truth_file)
    neighbors = checked_neighbors(truth_file, np.asarray(truth.neighbors), rows.shape[0])
    if len(neighbors) != queries.shape[0]:
        raise DataFileError(
            f"{truth_file}: answers {len(neighbors)} queries, and beside it are {queries.shape[0]}; "
            "it belongs to another set"
        )
    distances = _distances(rows, queries, neighbors, truth.distances)
    return Dataset(rows, queries, *_without_fillers(rows, queries, neighbors, distances), "ip")


def _distances(rows: Any, queries: Any, neighbors: NDArray[Any], values: Any) -> NDArray[np.floating]:
    """Minus the inner products. The file does not say whether it holds these or scores; the first answer does."""
    answered = np.flatnonzero(neighbors[:, :1] >= 0)
    if len(answered) == 0:
        return values
    query = answered[0]
    score = (queries[[query]] @ rows[[neighbors[query, 0]]].T).sum()
    return np.negative(values) if score * values[query, 0] > 0 else values


def _without_fillers(
    rows: Any, queries: Any, neighbors: NDArray[Any], distances: NDArray[np.floating]
) -> tuple[NDArray[Any], NDArray[np.floating]]:
    """Make places missing whose row shares no column with the query: files fill up with them, searches do not."""
    at, place = np.nonzero((distances == 0) & (neighbors >= 0))
    shared = abs(rows[neighbors[at, place]]).multiply(abs(queries[at])).sum(axis=1) if len(at) else np.zeros(0)
    at, place = at[shared == 0], place[shared == 0]
    if len(at):
        neighbors, distances = np.array(neighbors), np.array(distances)
        neighbors[at, place], distances[at, place] = -1, np.inf
    return neighbors, distances


def _only(path: Path, pattern: str) -> Path:
    """The one file of a pattern, packed or not."""
    if not path.is_dir():
        raise FileNotFoundError(2, "no such folder", str(path))
    found = sorted({*path.glob(pattern), *path.glob(f"{pattern}.gz")})
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataFileError(f"{path}: holds {names}, expected one {pattern} or {pattern}.gz")
    return found[0]
