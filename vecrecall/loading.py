"""Loading an index of any kind from its file."""

import os
from importlib import import_module

from vecrecall import file as index_file
from vecrecall.errors import CorruptIndexError, IndexFileError
from vecrecall.file import Verify
from vecrecall.index import Index

# kind in the file -> where its class lives; imported only when such a file is loaded
_ENGINES = {
    "exact": ("vecrecall.exact.index", "Exact"),
    "exact-sparse": ("vecrecall.exact.sparse", "SparseExact"),
    "hnsw": ("vecrecall.hnsw.index", "HNSW"),
    "ivf": ("vecrecall.ivf.index", "IVF"),
    "sparse": ("vecrecall.sparse.index", "SparseIndex"),
}


def load(path: str | os.PathLike[str], *, mmap: bool = True, verify: Verify = "header") -> Index:
    """Load an index from the file that ``save`` wrote, whichever engine it is of.

    Parameters
    ----------
    path : path-like
    mmap : bool, default True
        Map the file instead of reading it: loading is immediate, pages are read when first touched and are
        shared between processes. The first change to the index copies what must grow; the file never changes.
    verify : {"header", True, False}
        Lengths, offsets, dtypes and counts are always checked. "header" also checks the checksum of the
        header. True also checks that of every section and runs ``check()``, which reads the whole file.

    Returns
    -------
    Index
        An `Exact`, `HNSW`, `IVF` or `SparseIndex`, with every setting it was saved with.

    Raises
    ------
    IndexFileError
        If the file is damaged, foreign, or of an unknown version; the message names the path and the reason.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from vecrecall.exact.index import Exact
    >>> path = os.path.join(tempfile.mkdtemp(), "points.vr")
    >>> Exact.build(np.eye(3)).save(path)
    >>> load(path).search([0, 1, 0], k=1).ids
    array([1])
    """
    file = index_file.read(path, mmap=mmap, verify=verify)
    if file.kind not in _ENGINES:
        raise IndexFileError(
            f"{file.path}: holds an index of kind {file.kind!r}, expected one of "
            f"{', '.join(map(repr, _ENGINES))}; update the library"
        )
    module, name = _ENGINES[file.kind]
    engine: type[Index] = getattr(import_module(module), name)
    try:
        index = engine._restore(file)
        if verify is True:
            index.check()
    except (ValueError, TypeError, KeyError, CorruptIndexError) as error:
        raise IndexFileError(f"{file.path}: {error}; restore the file or build the index again") from error
    return index
