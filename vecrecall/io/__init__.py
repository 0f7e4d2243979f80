"""Files of other tools: vectors, queries, truth, texts, judgements and runs.

`read` tells the format of a file by what is in it and gives a `Dataset`; `write` goes by the name of the file. Each
format has functions of its own besides, one module a family.

>>> import os, tempfile
>>> import numpy as np
>>> import vecrecall as vr
>>> path = os.path.join(tempfile.mkdtemp(), "points.fbin")
>>> vr.io.write(path, np.eye(3, dtype=np.float32))
>>> vr.io.read(path)
Dataset: rows (3, 3) float32
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecrecall.io.beir import read_beir, write_beir
    from vecrecall.io.bins import read_bin, write_bin
    from vecrecall.io.csr import read_csr, write_csr
    from vecrecall.io.dataset import Dataset
    from vecrecall.io.formats import FORMATS
    from vecrecall.io.ground_truth import read_ground_truth, write_ground_truth
    from vecrecall.io.hdf5 import read_hdf5, write_hdf5
    from vecrecall.io.jsonl import read_jsonl, write_jsonl
    from vecrecall.io.npy import read_npy, write_npy
    from vecrecall.io.npz import read_npz, write_npz
    from vecrecall.io.reading import read
    from vecrecall.io.recognising import recognise
    from vecrecall.io.sparse_set import read_sparse_set, write_sparse_set
    from vecrecall.io.trec import read_qrels, read_run, run_of, write_qrels, write_run
    from vecrecall.io.vecs import read_vecs, write_vecs
    from vecrecall.io.writing import write

_HOME = {
    "FORMATS": "formats",
    "Dataset": "dataset",
    "read": "reading",
    "read_beir": "beir",
    "read_bin": "bins",
    "read_csr": "csr",
    "read_ground_truth": "ground_truth",
    "read_hdf5": "hdf5",
    "read_jsonl": "jsonl",
    "read_npy": "npy",
    "read_npz": "npz",
    "read_qrels": "trec",
    "read_run": "trec",
    "read_sparse_set": "sparse_set",
    "read_vecs": "vecs",
    "recognise": "recognising",
    "run_of": "trec",
    "write": "writing",
    "write_beir": "beir",
    "write_bin": "bins",
    "write_csr": "csr",
    "write_ground_truth": "ground_truth",
    "write_hdf5": "hdf5",
    "write_jsonl": "jsonl",
    "write_npy": "npy",
    "write_npz": "npz",
    "write_qrels": "trec",
    "write_run": "trec",
    "write_sparse_set": "sparse_set",
    "write_vecs": "vecs",
}

__all__ = [
    "FORMATS",
    "Dataset",
    "read",
    "read_beir",
    "read_bin",
    "read_csr",
    "read_ground_truth",
    "read_hdf5",
    "read_jsonl",
    "read_npy",
    "read_npz",
    "read_qrels",
    "read_run",
    "read_sparse_set",
    "read_vecs",
    "recognise",
    "run_of",
    "write",
    "write_beir",
    "write_bin",
    "write_csr",
    "write_ground_truth",
    "write_hdf5",
    "write_jsonl",
    "write_npy",
    "write_npz",
    "write_qrels",
    "write_run",
    "write_sparse_set",
    "write_vecs",
]


def __getattr__(name: str) -> Any:
    """Import the module that holds a name when the name is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'vecrecall.io' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"vecrecall.io.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
