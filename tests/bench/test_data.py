"""Data sets of tasks: names, halves, and that what is staged is what was read."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import sparse

from bench.data import as_csr, load, stage, staged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    X, Q = rng.standard_normal((600, 5)), rng.standard_normal((9, 5))
    distances = ((X - Q[:, None]) ** 2).sum(2)
    for name, metric in (("dense", "euclidean"), ("odd", "hamming")):
        with h5py.File(tmp_path / f"{name}.hdf5", "w") as file:
            file["train"], file["test"] = X, Q
            file["neighbors"] = np.argsort(distances, axis=1)[:, :20]
            file.attrs["distance"] = metric
    entries = sparse.random(50, 30, 0.2, format="coo", random_state=rng)
    sparse.save_npz(tmp_path / "sparse-docs.npz", entries)
    queries = sparse.csr_array(np.array([[0, 1.0, 0], [0, 0, 0], [2, 0, 3]]))
    queries.resize((3, 30))
    sparse.save_npz(tmp_path / "sparse-queries.npz", queries)
    return tmp_path


def test_a_dense_file_is_float32_with_its_neighbours(folder: Path) -> None:
    data = load("dense", folder, n_queries=4)
    assert (data.X.dtype, data.X.shape, data.Q.shape, data.metric) == (np.float32, (600, 5), (4, 5), "l2")
    assert data.neighbors.shape == (4, 20)


def test_sparse_queries_without_entries_are_left_out(folder: Path) -> None:
    data = load("sparse", folder, n_queries=9)
    assert data.is_sparse and data.Q.shape == (2, 30) and data.X.has_sorted_indices


def test_sparse_rows_are_brought_into_one_form() -> None:
    entries = (np.array([1, 2, 4, 0.0]), (np.array([0, 0, 0, 1]), np.array([2, 0, 2, 1])))
    rows = as_csr(sparse.coo_matrix(entries, shape=(2, 3)))
    assert (rows.dtype, rows.nnz, rows.toarray().tolist()) == (np.float32, 2, [[2, 0, 5], [0, 0, 0]])


def test_the_first_rows_of_a_set_have_their_own_neighbours(folder: Path) -> None:
    part = load("dense:300", folder, n_queries=4)
    distances = ((part.X.astype(float) - part.Q[:, None].astype(float)) ** 2).sum(2)
    assert part.n == 300 and part.name == "dense:300"
    assert np.array_equal(part.neighbors[:, :10], np.argsort(distances, axis=1)[:, :10])


def test_learned_sparse_vectors_are_generated() -> None:
    data = load("learned-sparse:60", Path("nowhere"), n_queries=4)
    assert data.is_sparse and data.X.shape == (60, 30_522) and data.Q.shape[0] == 4


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("absent", FileNotFoundError, "neither absent.hdf5 nor"),
        ("odd", ValueError, "metric 'hamming'"),
        ("dense:many", ValueError, "expected a number of rows"),
        ("dense:601", ValueError, "at most 600 rows"),
        ("sparse:10", ValueError, "of a dense set"),
    ],
)
def test_a_set_that_cannot_be_is_refused(folder: Path, name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        load(name, folder, n_queries=4)


@pytest.mark.parametrize("name", ["dense", "sparse"])
def test_what_is_staged_is_what_was_read(folder: Path, tmp_path: Path, name: str) -> None:
    data = load(name, folder, n_queries=9)
    stage(data, tmp_path / "staged")
    for part in ("X", "Q"):
        given, back = getattr(data, part), staged(tmp_path / "staged", part)
        if data.is_sparse:
            assert (given != back).nnz == 0 and back.indices.dtype == given.indices.dtype
        else:
            assert np.array_equal(given, back) and type(back) is np.ndarray and back.flags.writeable
