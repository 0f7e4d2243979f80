"""Truth files: distances and scores, plain and squared; what is no truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vecrecall as vr
from tests.io.samples import DISTANCES, NEIGHBORS
from vecrecall.io import Dataset, read_ground_truth, write_ground_truth


def test_scores_of_the_sparse_sets_become_distances(tmp_path: Path) -> None:
    """big-ann-benchmarks writes inner products for them, greatest first."""
    write_ground_truth(tmp_path / "a.gt", NEIGHBORS, DISTANCES[:, ::-1] * 10)
    found = vr.io.read(tmp_path / "a.gt")
    np.testing.assert_array_equal(found.distances, -DISTANCES[:, ::-1] * 10)
    assert (np.diff(found.distances) > 0).all()


def test_squared_distances_become_plain_if_told(tmp_path: Path) -> None:
    write_ground_truth(tmp_path / "a.gt", NEIGHBORS, DISTANCES**2)
    np.testing.assert_array_equal(vr.io.read(tmp_path / "a.gt").distances, DISTANCES**2)
    np.testing.assert_allclose(vr.io.read(tmp_path / "a.gt", squared=True).distances, DISTANCES, rtol=1e-6)
    write_ground_truth(tmp_path / "b.gt", NEIGHBORS, -DISTANCES[:, ::-1])
    with pytest.raises(vr.DataFileError, match="expected squared ones; drop squared"):
        read_ground_truth(tmp_path / "b.gt", squared=True)


def test_missing_places_stay_missing(tmp_path: Path) -> None:
    ids, distances = np.array([[3, -1], [-1, -1]]), np.array([[0.5, np.inf], [np.inf, np.inf]])
    write_ground_truth(tmp_path / "a.gt", ids, distances)
    found = vr.io.read(tmp_path / "a.gt")
    np.testing.assert_array_equal(found.neighbors, ids)
    np.testing.assert_array_equal(found.distances, distances)
    assert vr.recall((ids, distances), (found.neighbors, found.distances)) == 1.0


def test_one_place_is_left_as_it_is(tmp_path: Path) -> None:
    write_ground_truth(tmp_path / "a.gt", NEIGHBORS[:, :1], DISTANCES[:, :1])
    np.testing.assert_array_equal(vr.io.read(tmp_path / "a.gt").distances, DISTANCES[:, :1])


@pytest.mark.parametrize("name", ["a.ivecs", "a.ibin"])
def test_ids_alone_are_neighbours(tmp_path: Path, name: str) -> None:
    vr.io.write(tmp_path / name, Dataset(neighbors=NEIGHBORS.astype(np.uint64)))
    assert vr.recall(NEIGHBORS, vr.io.read(tmp_path / name).neighbors, by="id") == 1.0
