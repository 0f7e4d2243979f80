"""What is written is read again: every format, by its content and by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from tests.io.samples import BYTES, FILES, FULL, NEIGHBORS, ROWS, SAMPLES, SPARSE, assert_equal
from vecrecall.inputs import as_rows
from vecrecall.io import Dataset


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("told", [True, False])
def test_what_was_written_comes_back(tmp_path: Path, name: str, told: bool) -> None:
    path = SAMPLES[name].write(tmp_path, name)
    options: dict[str, Any] = {"vocabulary": SAMPLES[name].data.attributes["vocabulary"]} if name == "jsonl" else {}
    found = vr.io.read(path, format=name if told else None, **options)
    expected = SAMPLES[name].data
    if name == "jsonl":
        assert found.ids.tolist() == [0, 1, 2]
        found = Dataset(rows=found.rows)
        expected = SPARSE
    assert_equal(found, expected)


@pytest.mark.parametrize("name", ["hdf5", "npz"])
def test_metric_and_attributes_come_back(tmp_path: Path, name: str) -> None:
    found = vr.io.read(SAMPLES[name].write(tmp_path, name))
    assert found.metric == "cosine"
    assert found.attributes.keys() == FULL.attributes.keys()
    assert found.attributes["source"] == "a test" and found.attributes["n_photographs"] == 3
    assert found.attributes["train_category"].tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("name", FILES)
def test_the_same_data_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    first = SAMPLES[name].write(tmp_path, name).read_bytes()
    assert SAMPLES[name].write(tmp_path, name).read_bytes() == first


@pytest.mark.parametrize("name", ["csr", "jsonl", "qrels", "run"])
def test_gzip_is_read_and_written(tmp_path: Path, name: str) -> None:
    plain = SAMPLES[name].write(tmp_path, name)
    packed = tmp_path / f"{plain.name}.gz"
    vr.io.write(packed, SAMPLES[name].data)
    again = tmp_path / f"again-{packed.name}"
    vr.io.write(again, SAMPLES[name].data)
    assert packed.read_bytes()[:2] == b"\x1f\x8b" and packed.read_bytes() == again.read_bytes()
    assert packed.read_bytes()[4:8] == bytes(4)  # the place of the time
    assert_equal(vr.io.read(packed), vr.io.read(plain))
    nameless = packed.rename(tmp_path / "nameless")
    assert_equal(vr.io.read(nameless), vr.io.read(plain))


MAPPED = ["hdf5", "npy", "fvecs", "bvecs", "fbin", "f16bin", "u8bin", "i8bin"]


def rests_on_a_map(array: Any) -> bool:
    while array is not None:
        if type(array).__module__ == "mmap" or isinstance(array, np.memmap):
            return True
        array = getattr(array, "base", None)
    return False


@pytest.mark.parametrize("name", MAPPED)
def test_rows_are_mapped_read_only_and_fit_for_an_index(tmp_path: Path, name: str) -> None:
    rows = vr.io.read(SAMPLES[name].write(tmp_path, name)).rows
    assert rests_on_a_map(rows) and not rows.flags.writeable
    np.testing.assert_array_equal(as_rows(rows).tile(0, 6), np.asarray(rows, np.float32))


def test_parts_of_a_csr_are_mapped(tmp_path: Path) -> None:
    rows = vr.io.read(SAMPLES["csr"].write(tmp_path, "csr")).rows
    assert rests_on_a_map(rows.data) and rests_on_a_map(rows.indices)


def test_an_index_is_built_of_mapped_rows(tmp_path: Path) -> None:
    rows = vr.io.read(SAMPLES["fvecs"].write(tmp_path, "fvecs")).rows
    assert vr.Exact.build(rows).search(rows[:2], k=1).ids[:, 0].tolist() == [0, 1]
    sparse = vr.io.read(SAMPLES["csr"].write(tmp_path, "csr")).rows
    assert vr.Exact.build(sparse).search(sparse[[0]], k=1).ids[:, 0].tolist() == [0]


@pytest.mark.parametrize("name", ["npy", "fbin", "fvecs"])
@pytest.mark.parametrize(
    "given",
    [ROWS.tolist(), ROWS.astype(np.float64), np.asfortranarray(ROWS), ROWS[::-1], BYTES, np.tile(ROWS, (1, 2))[:, :3]],
)
def test_any_layout_is_written(tmp_path: Path, name: str, given: Any) -> None:
    path = tmp_path / f"a.{name}"
    vr.io.write(path, given)
    np.testing.assert_array_equal(vr.io.read(path).rows, np.asarray(given, np.float32 if name != "npy" else None))


@pytest.mark.parametrize("name", ["fbin", "u8bin", "npy", "hdf5", "npz"])
def test_no_rows_are_rows_too(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name}"
    vr.io.write(path, np.empty((0, 4), np.uint8))
    assert vr.io.read(path).rows.shape == (0, 4)


def test_a_csr_without_values_is_a_matrix_too(tmp_path: Path) -> None:
    for name in ("a.csr", "a.csr.gz", "a.npz"):
        vr.io.write(tmp_path / name, sp.csr_array((3, 5), dtype=np.float32))
        assert vr.io.read(tmp_path / name).rows.shape == (3, 5)


def test_matrices_larger_than_a_tile_are_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("inputs", "io.matrix", "io.vecs", "io.hdf5"):
        monkeypatch.setattr(f"vecrecall.{module}._TILE_BYTES", 64)
    X = np.arange(300, dtype=np.float32).reshape(100, 3)
    for name in ("a.fvecs", "a.fbin", "a.hdf5"):
        vr.io.write(tmp_path / name, X)
        np.testing.assert_array_equal(vr.io.read(tmp_path / name).rows, X)
    vr.io.write(tmp_path / "a.ivecs", Dataset(neighbors=X.astype(np.int64)))
    np.testing.assert_array_equal(vr.io.read(tmp_path / "a.ivecs").neighbors, X)


def test_the_bytes_are_those_of_the_formats(tmp_path: Path) -> None:
    vr.io.write(tmp_path / "a.fvecs", [[1, 2]])
    assert (tmp_path / "a.fvecs").read_bytes() == np.array([2], "<i4").tobytes() + np.array([1, 2], "<f4").tobytes()
    vr.io.write(tmp_path / "a.u8bin", [[7, 255]])
    assert (tmp_path / "a.u8bin").read_bytes() == b"\1\0\0\0\2\0\0\0\x07\xff"
    vr.io.write(tmp_path / "a.gt", Dataset(neighbors=NEIGHBORS, distances=np.zeros((2, 2))))
    assert (tmp_path / "a.gt").read_bytes() == b"\2\0\0\0\2\0\0\0" + NEIGHBORS.tobytes() + bytes(16)
    vr.io.write(tmp_path / "a.csr", sp.csr_array([[0, 0.5]]))
    header = np.array([1, 2, 1, 0, 1], "<i8").tobytes()
    assert (tmp_path / "a.csr").read_bytes() == header + b"\1\0\0\0" + np.array([0.5], "<f4").tobytes()


def test_a_dataset_says_what_it_holds() -> None:
    assert repr(FULL).startswith("Dataset: rows (6, 3) float32, queries (2, 3) float32, neighbors (2, 2) int32")
    assert repr(Dataset(rows=SPARSE)) == "Dataset: rows (3, 4) sparse of 4 values"
    assert repr(Dataset()) == "Dataset: empty"
