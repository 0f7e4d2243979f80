"""Opening an index of any library."""

from __future__ import annotations

import os

from vecrecall.errors import IndexFileError
from vecrecall.file import MAGIC
from vecrecall.index import Index
from vecrecall.inputs import as_choice, as_count
from vecrecall.io.foreign.faiss_index import is_faiss, read_faiss
from vecrecall.io.foreign.foreign_index import ForeignIndex
from vecrecall.io.foreign.hnswlib_file import read_hnswlib
from vecrecall.vectors.spaces import METRICS

_HNSWLIB = bytes(8)  # how all of its files begin; no other format does


def read_foreign(
    path: str | os.PathLike[str], *, dim: int | None = None, space: str | None = None
) -> ForeignIndex | Index:
    """Read an index that hnswlib, faiss or this library wrote, told by how the file begins.

    Parameters
    ----------
    path : path-like
    dim : int, optional
        Dimensions that the vectors should have; another number in the file is refused.
    space : {"l2", "ip", "cosine"}, optional
        The metric. A file of hnswlib does not say, so it has to be given there; another one in the file is refused.

    Returns
    -------
    HnswlibFile, FaissIndex or Index
        An `Index` from a file of this library; the others have :meth:`ForeignIndex.index`.

    Raises
    ------
    IndexFileError
        If the file is damaged, of none of the three, or has another dimension or metric.
    ValueError
        If it is of hnswlib and space is not given.
    OSError
        As the operating system says.
    """
    path = os.fspath(path)
    dim = None if dim is None else as_count(dim, "dim")
    space = None if space is None else as_choice(space, "space", METRICS)
    with open(path, "rb") as file:
        start = file.read(8)
    found: ForeignIndex | Index
    if start == _HNSWLIB:
        if space is None:
            raise ValueError(
                f"{path}: a file of hnswlib does not say which space it is of; give space (--space) as the index was "
                "made with, 'l2', 'ip' or 'cosine'"
            )
        return read_hnswlib(path, space=space, dim=dim)
    if start == MAGIC:
        from vecrecall.loading import load

        found = load(path)
    elif is_faiss(start[:4]):
        found = read_faiss(path)
    else:
        raise IndexFileError(
            f"{path}: begins with {start!r}, expected an index of hnswlib (eight zero bytes), of faiss (as b'IHNf') or "
            f"of this library ({MAGIC!r})"
        )
    for name, given, has in (("dim", dim, found.dim), ("space", space, found.metric)):
        if given is not None and given != has:
            raise IndexFileError(f"{path}: {name} is {given!r}, but the file says {has!r}; leave {name} out")
    return found
