"""Approximate nearest neighbour search whose contract is recall.

>>> import numpy as np
>>> import vecrecall as vr
>>> X = np.random.default_rng(0).standard_normal((1000, 32), dtype=np.float32)
>>> truth = vr.Exact.build(X).search(X[:5], k=10)
>>> truth.ids[:, 0].tolist()
[0, 1, 2, 3, 4]

Names are loaded when they are first used (PEP 562): importing the package imports no kernel and compiles
nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecrecall import analysis as analysis
    from vecrecall import io as io
    from vecrecall.analysis.doctor.examining import doctor
    from vecrecall.analysis.explaining import explain
    from vecrecall.choosing import build
    from vecrecall.errors import CorruptIndexError, DataFileError, IndexFileError, VecrecallError
    from vecrecall.exact.index import Exact
    from vecrecall.fusing import fuse
    from vecrecall.graph import knn_graph
    from vecrecall.hits import Hits
    from vecrecall.hnsw.index import HNSW
    from vecrecall.ivf.index import IVF
    from vecrecall.lexical import bm25
    from vecrecall.loading import load
    from vecrecall.measure.ndcg import ndcg
    from vecrecall.measure.recall import recall
    from vecrecall.measure.sweep import sweep
    from vecrecall.sparse.index import SparseIndex

__version__ = "0.1.0"

__all__ = [
    "HNSW",
    "IVF",
    "CorruptIndexError",
    "DataFileError",
    "Exact",
    "Hits",
    "IndexFileError",
    "SparseIndex",
    "VecrecallError",
    "bm25",
    "build",
    "doctor",
    "explain",
    "fuse",
    "knn_graph",
    "load",
    "ndcg",
    "recall",
    "sweep",
]

_HOME = {
    "HNSW": "vecrecall.hnsw.index",
    "IVF": "vecrecall.ivf.index",
    "CorruptIndexError": "vecrecall.errors",
    "DataFileError": "vecrecall.errors",
    "Exact": "vecrecall.exact.index",
    "Hits": "vecrecall.hits",
    "IndexFileError": "vecrecall.errors",
    "SparseIndex": "vecrecall.sparse.index",
    "VecrecallError": "vecrecall.errors",
    "bm25": "vecrecall.lexical",
    "build": "vecrecall.choosing",
    "doctor": "vecrecall.analysis.doctor.examining",
    "explain": "vecrecall.analysis.explaining",
    "fuse": "vecrecall.fusing",
    "knn_graph": "vecrecall.graph",
    "load": "vecrecall.loading",
    "ndcg": "vecrecall.measure.ndcg",
    "recall": "vecrecall.measure.recall",
    "sweep": "vecrecall.measure.sweep",
}

_PACKAGES = ("analysis", "io")


def __getattr__(name: str) -> Any:
    """Import the module that holds a public name when the name is first asked for."""
    if name in _PACKAGES:
        return import_module(f"vecrecall.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'vecrecall' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted([*__all__, *_PACKAGES, "__version__"])
