"""A sparse set as a folder: written whole or not at all, read back as it was, refused when its files do not fit."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from vecrecall.io import sparse_set as folders
from vecrecall.io.csr import write_csr
from vecrecall.io.dataset import Dataset
from vecrecall.io.ground_truth import write_ground_truth
from vecrecall.io.sparse_set import read_sparse_set, refuse_folder, write_sparse_set

ROWS = sp.csr_array(np.array([[0, 1.5, 0], [2, 0, 0.5], [0, 0, 4]], np.float32))
QUERIES = sp.csr_array(np.array([[1, 1, 0], [0, 0, 2]], np.float32))
NEIGHBORS = np.array([[1, 0], [2, 1]], np.int32)
DISTANCES = np.array([[-2, -1.5], [-8, -1]], np.float32)
DATA = Dataset(ROWS, QUERIES, NEIGHBORS, DISTANCES, "ip")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_set_comes_back_as_it_was(tmp_path: Path) -> None:
    write_sparse_set(tmp_path / "set", DATA)
    assert names(tmp_path / "set") == ["base.csr", "base.gt", "queries.csr"]
    back = read_sparse_set(tmp_path / "set")
    assert (back.rows != ROWS).nnz == 0 and (back.queries != QUERIES).nnz == 0
    assert back.metric == "ip" and back.neighbors.tolist() == NEIGHBORS.tolist()
    assert back.distances.tolist() == DISTANCES.tolist()


def test_truth_is_written_as_scores(tmp_path: Path) -> None:
    write_sparse_set(tmp_path / "set", DATA)
    stored = np.fromfile(tmp_path / "set" / "base.gt", np.float32)[-4:]
    assert stored.tolist() == [2, 1.5, 8, 1]


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("sign", [1, -1], ids=["distances", "scores"])
def test_scores_and_distances_are_told_apart(tmp_path: Path, sign: int, depth: int) -> None:
    write_sparse_set(tmp_path / "set", DATA)
    write_ground_truth(tmp_path / "set" / "base.gt", NEIGHBORS[:, :depth], sign * DISTANCES[:, :depth])
    assert read_sparse_set(tmp_path / "set").distances.tolist() == DISTANCES[:, :depth].tolist()


def test_missing_neighbours_stay_missing(tmp_path: Path) -> None:
    neighbors = np.array([[-1, -1], [2, -1]], np.int32)
    distances = np.array([[np.inf, np.inf], [-8, np.inf]], np.float32)
    write_sparse_set(tmp_path / "set", Dataset(ROWS, QUERIES, neighbors, distances, "ip"))
    back = read_sparse_set(tmp_path / "set")
    assert back.neighbors.tolist() == neighbors.tolist() and back.distances.tolist() == distances.tolist()


def test_a_downloaded_folder_is_read_packed_and_with_queries_of_fewer_columns(tmp_path: Path) -> None:
    write_csr(tmp_path / "base_small.csr.gz", ROWS)
    write_csr(tmp_path / "queries.dev.csr.gz", QUERIES[:1, :2])
    assert gzip.decompress((tmp_path / "queries.dev.csr.gz").read_bytes())[8] == 2
    (tmp_path / "base_small.csr.gz.sha256").write_text("0" * 64)
    back = read_sparse_set(tmp_path)
    assert back.queries.shape == (1, 3) and back.neighbors is None
    write_ground_truth(tmp_path / "base_small.dev.gt", NEIGHBORS[:1], -DISTANCES[:1])
    assert read_sparse_set(tmp_path).distances.tolist() == DISTANCES[:1].tolist()


def test_a_folder_that_cannot_be_filled_does_not_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "write_ground_truth", full)
    with pytest.raises(OSError, match="No space"):
        write_sparse_set(tmp_path / "set", DATA)
    assert names(tmp_path) == []


def test_a_set_is_replaced_only_when_asked(tmp_path: Path) -> None:
    write_sparse_set(tmp_path / "set", DATA)
    with pytest.raises(ValueError, match="is there already; give --force"):
        write_sparse_set(tmp_path / "set", DATA)
    write_sparse_set(tmp_path / "set", Dataset(ROWS[:2], QUERIES, NEIGHBORS % 2, DISTANCES, "ip"), force=True)
    assert read_sparse_set(tmp_path / "set").rows.shape == (2, 3)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    write_sparse_set(tmp_path, DATA)
    assert names(tmp_path) == ["base.csr", "base.gt", "queries.csr"]


@pytest.mark.parametrize("force", [False, True])
def test_what_is_something_else_is_never_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="is a file, expected the name of a folder"):
        refuse_folder(tmp_path / "file", force=force)
    with pytest.raises(ValueError, match="holds file, which is no part of such a set"):
        refuse_folder(tmp_path, force=force)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        refuse_folder(tmp_path / "none" / "set", force=force)


@pytest.mark.parametrize(
    ("missing", "extra", "message"),
    [
        ("base.csr", None, r"holds none, expected one base\*.csr"),
        ("queries.csr", None, r"holds none, expected one queries\*.csr"),
        (None, "base_1M.csr", r"holds base.csr, base_1M.csr, expected one base\*.csr"),
        (None, "other.gt", r"holds base.gt, other.gt, expected one \*.gt"),
    ],
)
def test_a_folder_that_is_no_set_is_refused(
    tmp_path: Path, missing: str | None, extra: str | None, message: str
) -> None:
    write_sparse_set(tmp_path, DATA)
    if missing:
        (tmp_path / missing).unlink()
    if extra:
        (tmp_path / extra).write_bytes(b"")
    with pytest.raises(ValueError, match=message) as caught:
        read_sparse_set(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_truth_of_another_set_is_refused(tmp_path: Path) -> None:
    write_sparse_set(tmp_path, DATA)
    write_ground_truth(tmp_path / "base.gt", NEIGHBORS[:1], DISTANCES[:1])
    with pytest.raises(ValueError, match="answers 1 queries, and beside it are 2"):
        read_sparse_set(tmp_path)
    write_ground_truth(tmp_path / "base.gt", NEIGHBORS + 1, DISTANCES)
    with pytest.raises(ValueError, match="query 1 has neighbour 3, expected the number of one of 3 rows"):
        read_sparse_set(tmp_path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read_sparse_set(tmp_path / "none")
