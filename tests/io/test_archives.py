"""Archives of named arrays, and plain arrays in any layout that numpy saves."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.io.samples import DISTANCES, NEIGHBORS, QUERIES, ROWS


def test_one_array_of_any_name_is_the_rows(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", embeddings=ROWS)
        np.testing.assert_array_equal(vr.io.read(tmp_path / "a.npz").rows, ROWS)


def test_names_of_ann_benchmarks_are_understood(tmp_path: Path) -> None:
    parts = {"train": ROWS, "test": QUERIES, "neighbors": NEIGHBORS, "distances": DISTANCES}
    np.savez(tmp_path / "a.npz", **parts, metric="angular", labels=np.arange(6), seed=3)
    found = vr.io.read(tmp_path / "a.npz")
    assert found.metric == "cosine" and found.attributes["seed"] == 3
    assert found.attributes["labels"].tolist() == list(range(6))
    np.testing.assert_array_equal(found.queries, QUERIES)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": ROWS, "b": ROWS}, "holds arrays a, b, expected a scipy.sparse matrix, one array, or arrays named rows"),
        ({"rows": ROWS, "train": ROWS}, "holds train and rows, expected one of them"),
        ({"rows": ROWS, "queries": ROWS[:, :2]}, "rows have 3 columns and queries 2"),
        ({"rows": ROWS, "metric": "hamming"}, "holds distances by 'hamming'"),
        ({"rows": ROWS, "metric": np.zeros(3)}, "holds distances by"),
        ({"rows": ROWS[0]}, r"rows are float32 of shape \(3,\), expected real numbers"),
        ({"rows": ROWS.astype(complex)}, "holds complex128, expected numbers or strings"),
        ({"rows": np.array([[None]])}, "holds object, expected numbers or strings"),
        ({"rows": ROWS, "distances": DISTANCES}, "holds distances without neighbors"),
        ({"rows": ROWS, "ids": np.ones((6, 2))}, "ids are float64"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(vr.DataFileError, match=message):
        vr.io.read(tmp_path / "a.npz")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "u1", "i8", "?", ">f4", ">i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_files_of_any_dtype_and_layout_are_mapped(tmp_path: Path, dtype: str, order: Any) -> None:
    X = np.asarray((ROWS * 3).astype(dtype), order=order)
    np.save(tmp_path / "a.npy", X)
    rows = vr.io.read(tmp_path / "a.npy").rows
    assert rows.dtype == X.dtype and not rows.flags.writeable
    np.testing.assert_array_equal(rows, X)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(3), r"shape \(3,\), expected \(n, dim\); save it as array\[None, :\]"),
        (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.float32(1), r"shape \(\)"),
        (np.ones((2, 2), complex), "holds complex128"),
        (np.array([["a"]]), "holds <U1"),
        (np.zeros((2, 1), [("a", "f4")]), "expected real numbers"),
        (np.zeros((2, 1), [("ł", "f4")]), "damaged .npy header .version 3.0 of the format is for arrays of records"),
    ],
)
def test_npy_files_of_other_things_are_refused(tmp_path: Path, array: Any, message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of its newest format
        np.save(tmp_path / "a.npy", array)
    with pytest.raises(vr.DataFileError, match=message):
        vr.io.read(tmp_path / "a.npy")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "a.npy", np.array([[Trap()]], object), allow_pickle=bool(1))
    np.savez(tmp_path / "a.npz", rows=np.array([[Trap()]], object))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(vr.DataFileError):
            vr.io.read(tmp_path / name)
    assert not (tmp_path / "sprung").exists()
