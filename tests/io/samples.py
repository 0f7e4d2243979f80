"""A small file of each format, for the tests that hold for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

import vecrecall as vr
from vecrecall.io import Dataset

RNG = np.random.default_rng(7)
ROWS = RNG.standard_normal((6, 3)).astype(np.float32)
BYTES = RNG.integers(0, 256, (6, 3)).astype(np.uint8)
QUERIES = ROWS[:2] + np.float32(0.25)
NEIGHBORS = np.array([[0, 3], [1, 5]], np.int32)
DISTANCES = np.array([[0.25, 1.5], [0.5, 2.0]], np.float32)
SPARSE = sp.csr_array(np.array([[0, 1.5, 0, 2], [0, 0, 0, 0], [0.1, 0, -3, 0]], np.float32))
VOCABULARY = {"cat": 0, "dog": 1, "##ing": 2, "Ärger": 3}
QRELS = {"q1": {"d1": 1, "d3": 0}, "q2": {"d2": 2}}
RUN = {"q1": {"d3": 0.75, "d1": 0.5}, "q2": {"d2": -1.25}}
TEXTS = Dataset(
    ids=np.array(["d1", "d2", "d3"]),
    texts=["one cat", "two dogs", "ein Ärger\nund Zeilen"],
    query_ids=np.array(["q1", "q2"]),
    query_texts=["cat?", "dog?"],
    qrels=QRELS,
)
FULL = Dataset(
    rows=ROWS,
    queries=QUERIES,
    neighbors=NEIGHBORS,
    distances=DISTANCES,
    metric="cosine",
    ids=np.arange(10, 16),
    query_ids=np.array(["a", "bé"]),
    attributes={"source": "a test", "train_category": np.arange(6) % 2, "n_photographs": 3},
)


SPARSE_SET = Dataset(
    SPARSE, SPARSE[:2], np.array([[0, 1], [1, 2]], np.int32), np.array([[-9.0, -1], [-4, -0.5]], np.float32), "ip"
)


class Sample(NamedTuple):
    """What is written, and what such a file is called."""

    name: str
    data: Any

    def write(self, folder: Path, format: str) -> Path:
        path = folder / self.name
        vr.io.write(path, self.data, format=format)
        return path


SAMPLES = {
    "hdf5": Sample("a.hdf5", FULL),
    "npy": Sample("a.npy", ROWS),
    "npz": Sample("a.npz", FULL),
    "fvecs": Sample("a.fvecs", ROWS),
    "ivecs": Sample("a.ivecs", Dataset(neighbors=NEIGHBORS)),
    "bvecs": Sample("a.bvecs", BYTES),
    "fbin": Sample("a.fbin", ROWS),
    "f16bin": Sample("a.f16bin", ROWS.astype(np.float16)),
    "u8bin": Sample("a.u8bin", BYTES),
    "i8bin": Sample("a.i8bin", BYTES.view(np.int8)),
    "ibin": Sample("a.ibin", Dataset(neighbors=NEIGHBORS)),
    "ground-truth": Sample("a.gt", Dataset(neighbors=NEIGHBORS, distances=DISTANCES)),
    "csr": Sample("a.csr", SPARSE),
    "jsonl": Sample("a.jsonl", Dataset(rows=SPARSE, attributes={"vocabulary": VOCABULARY})),
    "beir": Sample("folder", TEXTS),
    "sparse-set": Sample("folder", SPARSE_SET),
    "qrels": Sample("a.qrels", Dataset(qrels=QRELS)),
    "run": Sample("a.run", Dataset(run=RUN)),
}
FILES = [name for name, sample in SAMPLES.items() if sample.name != "folder"]
MARKLESS = ["fvecs", "ivecs", "bvecs", "fbin", "f16bin", "u8bin", "i8bin", "ibin", "ground-truth", "csr"]


def assert_equal(found: Dataset, expected: Any) -> None:
    """Same parts, same values, same dtypes."""
    expected = expected if isinstance(expected, Dataset) else Dataset(rows=expected)
    assert found.parts().keys() == expected.parts().keys()
    for name, value in expected.parts().items():
        other = getattr(found, name)
        if sp.issparse(value):
            assert other.shape == value.shape and other.dtype == value.dtype and abs(other - value).nnz == 0
        elif isinstance(value, (list, dict)):
            assert other == value
        else:
            assert other.dtype.kind == value.dtype.kind
            np.testing.assert_array_equal(other, value)
