"""Writers: whole files or none, no part left out in silence, refusals before anything is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from tests.io.samples import DISTANCES, FILES, FULL, NEIGHBORS, QRELS, ROWS, SAMPLES, SPARSE, TEXTS
from vecrecall.io import Dataset

NAN = np.where(np.arange(18).reshape(6, 3) == 7, np.nan, ROWS)

REFUSED: dict[str, tuple[str, Any, type[Exception], str]] = {
    "a name without a format": ("a.csv", ROWS, ValueError, "does not end in a known format"),
    "nothing": ("a.hdf5", Dataset(), ValueError, "the dataset is empty"),
    "two matrices into one": ("a.fbin", FULL, ValueError, "expected one matrix for a file of format 'fbin'"),
    "texts into a matrix": ("a.npy", TEXTS, ValueError, "expected one matrix"),
    "judgements into HDF5": ("a.hdf5", Dataset(rows=ROWS, qrels=QRELS), ValueError, "the dataset has qrels too"),
    "sparse vectors into HDF5": ("a.hdf5", SPARSE, ValueError, "expected dense ones"),
    "sparse vectors into fbin": ("a.fbin", SPARSE, TypeError, "expected a dense matrix"),
    "dense vectors into csr": ("a.csr", ROWS, TypeError, "expected a scipy sparse matrix"),
    "dense vectors into jsonl": ("a.jsonl", ROWS, TypeError, "expected a scipy sparse matrix"),
    "NaN into fvecs": ("a.fvecs", NAN, ValueError, "row 2, column 1 is nan"),
    "NaN into bvecs": ("a.bvecs", NAN, ValueError, "row 0, column 0 is"),
    "NaN into csr": ("a.csr", sp.csr_array([[np.nan]]), ValueError, "row 0, column 0 is nan"),
    "fractions into ivecs": ("a.ivecs", [[1, 2], [3, 0.5]], ValueError, "row 1, column 1 is 0.5, expected integers"),
    "256 into u8bin": ("a.u8bin", [[1, 256]], ValueError, "column 1 is 256, expected integers from 0 to 255"),
    "-1 into bvecs": ("a.bvecs", [[-1]], ValueError, "is -1, expected integers from 0 to 255"),
    "2**31 into ibin": ("a.ibin", [[2**31]], ValueError, "to 2147483647"),
    "1e6 into f16bin": ("a.f16bin", [[1.0], [1e6]], ValueError, "row 1 holds a value that overflows float16"),
    "words into fbin": ("a.fbin", [["a"]], TypeError, "expected real numbers"),
    "words into u8bin": ("a.u8bin", [["a"]], TypeError, "expected integers"),
    "one vector": ("a.fbin", [1.0, 2.0], ValueError, r"shape \(2,\), expected two dimensions"),
    "one vector of bytes": ("a.u8bin", [1, 2], ValueError, r"shape \(2,\), expected \(n, dim\)"),
    "no rows into fvecs": ("a.fvecs", np.empty((0, 3)), ValueError, "no rows, expected at least one"),
    "objects into npy": ("a.npy", np.array([[None]]), TypeError, "expected real numbers"),
    "one vector into npy": ("a.npy", np.ones(3), ValueError, r"shape \(3,\), expected \(n, dim\)"),
    "neighbours without distances": ("a.gt", Dataset(neighbors=NEIGHBORS), ValueError, "lacks neighbors or distances"),
    "distances of another shape": (
        "a.gt",
        Dataset(neighbors=NEIGHBORS, distances=DISTANCES[:, :1]),
        ValueError,
        "expected one shape",
    ),
    "distances that are NaN": (
        "a.gt",
        Dataset(neighbors=NEIGHBORS, distances=DISTANCES * np.nan),
        ValueError,
        "distances of query 0 hold NaN",
    ),
    "a metric of its own": ("a.hdf5", Dataset(rows=ROWS, metric="hamming"), ValueError, "metric is 'hamming'"),
    "queries of another dimension": (
        "a.hdf5",
        Dataset(rows=ROWS, queries=ROWS[:, :2]),
        ValueError,
        "rows have 3 columns and queries 2",
    ),
    "neighbours out of range": (
        "a.npz",
        Dataset(rows=ROWS, neighbors=[[6]]),
        ValueError,
        "query 0 has neighbour 6, expected the number of one of 6 rows",
    ),
    "too few ids": ("a.hdf5", Dataset(rows=ROWS, ids=np.arange(5)), ValueError, "ids has 5 entries and rows 6"),
    "too few ids into jsonl": ("a.jsonl", Dataset(rows=SPARSE, ids=[1]), ValueError, "ids has 1 entries and rows 3"),
    "a vocabulary that lacks a column": (
        "a.jsonl",
        Dataset(rows=SPARSE, attributes={"vocabulary": {"cat": 0}}),
        ValueError,
        "no token for column 1",
    ),
    "a mapping as attribute": (
        "a.hdf5",
        Dataset(rows=ROWS, attributes={"vocabulary": {"cat": 0}}),
        ValueError,
        r"attributes\['vocabulary'\] is a dict",
    ),
    "an attribute that is a part": (
        "a.npz",
        Dataset(rows=ROWS, attributes={"queries": 3}),
        ValueError,
        "uses itself; rename it",
    ),
    "a query with a space": ("a.qrels", Dataset(qrels={"q 1": {"d": 1}}), ValueError, "'q 1' is empty or has white"),
    "a document with a tab": ("a.tsv", Dataset(qrels={"q": {"d\t1": 1}}), ValueError, "is empty or has white space"),
    "an empty id": ("a.run", Dataset(run={"": {"d": 1.0}}), ValueError, "'' is empty"),
    "a score that is NaN": ("a.run", Dataset(run={"q": {"d": float("nan")}}), ValueError, "score that is NaN"),
    "no judgements": ("a.qrels", Dataset(qrels={"q": {}}), ValueError, "hold no judgement"),
    "no answers": ("a.run", Dataset(run={}), ValueError, "holds no answer"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("there", [True, False])
def test_what_has_no_place_is_refused_and_nothing_is_left(tmp_path: Path, case: str, there: bool) -> None:
    name, data, error, message = REFUSED[case]
    if there:
        (tmp_path / name).write_bytes(b"old")
    with pytest.raises(error, match=message):
        vr.io.write(tmp_path / name, data)
    assert os.listdir(tmp_path) == ([name] if there else [])
    assert not there or (tmp_path / name).read_bytes() == b"old"


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, name: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in FILES:
        (tmp_path / SAMPLES[name].name).write_bytes(b"old")
    before = os.listdir(tmp_path)

    def full(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(type(error)):
        SAMPLES[name].write(tmp_path, name)
    assert os.listdir(tmp_path) == before
    assert all((tmp_path / file).read_bytes() == b"old" for file in before)


def test_a_mapped_file_survives_being_replaced(tmp_path: Path) -> None:
    vr.io.write(tmp_path / "a.fbin", ROWS)
    mapped = vr.io.read(tmp_path / "a.fbin").rows
    vr.io.write(tmp_path / "a.fbin", np.zeros((1, 3)))
    np.testing.assert_array_equal(mapped, ROWS)
    vr.io.write(tmp_path / "b.fbin", mapped[:2])
    vr.io.write(tmp_path / "b.fbin", vr.io.read(tmp_path / "b.fbin"))  # onto itself
    np.testing.assert_array_equal(vr.io.read(tmp_path / "b.fbin").rows, ROWS[:2])


def test_a_link_is_followed(tmp_path: Path) -> None:
    vr.io.write(tmp_path / "a.npy", ROWS)
    (tmp_path / "link.npy").symlink_to(tmp_path / "a.npy")
    vr.io.write(tmp_path / "link.npy", ROWS[:1])
    assert (tmp_path / "link.npy").is_symlink() and len(vr.io.read(tmp_path / "a.npy").rows) == 1


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder; make it first: .*nowhere'"):
        vr.io.write(tmp_path / "nowhere" / "a.npy", ROWS)


def test_one_matrix_of_any_part_is_written_as_such(tmp_path: Path) -> None:
    vr.io.write(tmp_path / "a.fbin", Dataset(queries=ROWS, metric="l2", attributes={"source": "x"}))
    found = vr.io.read(tmp_path / "a.fbin")
    assert (found.metric, found.attributes) == (None, {})
    np.testing.assert_array_equal(found.rows, ROWS)


@pytest.mark.parametrize("options", [{"kind": "ibin"}, {"split": "dev"}, {"tag": "x"}])
def test_options_that_there_are_not_are_refused(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="does not belong to format 'fbin'"):
        vr.io.write(tmp_path / "a.fbin", ROWS, **options)
