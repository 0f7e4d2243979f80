"""Indexes that other libraries wrote: hnswlib's binary file, faiss's HNSW over floats.

`read_foreign` tells whose file it is. Each reader gives the vectors, the labels and the neighbour lists as they are in
the file; their `index` makes an index of this library around that very graph, and `write_hnswlib` writes a mended graph
back for hnswlib to load.

>>> import os, tempfile
>>> import numpy as np
>>> import vecrecall as vr
>>> from vecrecall.hnsw.graph import Graph
>>> pair = Graph.empty(2).with_room(np.zeros(2, np.int32))
>>> pair.links[:, 0], pair.n_links[:], pair.n_kept[:], pair.top = [1, 0], 1, 1, 0
>>> path = os.path.join(tempfile.mkdtemp(), "pair.bin")
>>> write_hnswlib(hnswlib_of(np.eye(2), pair, space="l2", ef_construction=40, labels=[7, 5]), path)
>>> file = read_foreign(path, space="l2")
>>> file
hnswlib index: 2 vectors of 2 dimensions, l2, M=2, ef_construction=40
>>> file.index().search([1, 0], k=2).ids
array([7, 5])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecrecall.io.foreign.faiss_index import FaissIndex, from_faiss, read_faiss
    from vecrecall.io.foreign.foreign_index import ForeignIndex
    from vecrecall.io.foreign.hnswlib_file import HnswlibFile, read_hnswlib
    from vecrecall.io.foreign.hnswlib_writing import hnswlib_of, write_hnswlib
    from vecrecall.io.foreign.reading import read_foreign

__all__ = [
    "FaissIndex",
    "ForeignIndex",
    "HnswlibFile",
    "from_faiss",
    "hnswlib_of",
    "read_faiss",
    "read_foreign",
    "read_hnswlib",
    "write_hnswlib",
]

_HOME = {
    "FaissIndex": "faiss_index",
    "ForeignIndex": "foreign_index",
    "HnswlibFile": "hnswlib_file",
    "from_faiss": "faiss_index",
    "hnswlib_of": "hnswlib_writing",
    "read_faiss": "faiss_index",
    "read_foreign": "reading",
    "read_hnswlib": "hnswlib_file",
    "write_hnswlib": "hnswlib_writing",
}


def __getattr__(name: str) -> Any:
    """Import the module that holds a name when the name is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'vecrecall.io.foreign' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"vecrecall.io.foreign.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
