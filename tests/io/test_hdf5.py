"""HDF5 as in ann-benchmarks: what is there, what it means, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import vecrecall as vr
from tests.io.samples import DISTANCES, FULL, NEIGHBORS, QUERIES, ROWS
from vecrecall.io import Dataset


def make(path: Path, attributes: dict[str, Any] | None = None, **datasets: Any) -> Path:
    """A file as the world writes it, with h5py alone."""
    with h5py.File(path, "w") as file:
        for name, value in ({"train": ROWS, "test": QUERIES} | datasets).items():
            if value is not None:
                file[name] = value
        file.attrs.update({"distance": "euclidean"} if attributes is None else attributes)
    return path


@pytest.mark.parametrize(
    ("attributes", "metric"),
    [
        ({"distance": "euclidean"}, "l2"),
        ({"distance": "angular"}, "cosine"),
        ({"distance": b"angular"}, "cosine"),
        ({"distance": np.bytes_(b"Euclidean")}, "l2"),
        ({"distance": "dot"}, "ip"),
        ({"metric": "ip"}, "ip"),
        ({"metric": "cosine", "distance": "angular"}, "cosine"),
        ({}, None),
    ],
)
def test_the_metric_is_read_from_the_attributes(
    tmp_path: Path, attributes: dict[str, Any], metric: str | None
) -> None:
    found = vr.io.read(make(tmp_path / "a", attributes, neighbors=NEIGHBORS, distances=DISTANCES))
    assert found.metric == metric and found.attributes == {}
    np.testing.assert_array_equal(found.distances, DISTANCES)


def test_distances_are_those_of_exact_search(tmp_path: Path) -> None:
    """Angular ones are 1 - cosine and Euclidean ones not squared, as in ann-benchmarks and in Hits."""
    for metric in ("l2", "cosine", "ip"):
        truth = vr.Exact.build(ROWS, metric=metric).search(QUERIES, k=3)
        data = Dataset(rows=ROWS, queries=QUERIES, neighbors=truth.ids, distances=truth.distances, metric=metric)
        vr.io.write(tmp_path / "a.hdf5", data)
        found = vr.io.read(tmp_path / "a.hdf5")
        assert vr.recall(truth, (found.neighbors, found.distances)) == 1.0
        np.testing.assert_array_equal(found.distances, truth.distances)
        with h5py.File(tmp_path / "a.hdf5") as file:
            assert file.attrs["distance"] == {"l2": "euclidean", "cosine": "angular", "ip": "ip"}[metric]
            assert (file.attrs["type"], file.attrs["point_type"], file.attrs["dimension"]) == ("dense", "float", 3)


def test_squared_distances_and_scores_become_distances(tmp_path: Path) -> None:
    squared = make(tmp_path / "a", {"distance": "sqeuclidean"}, neighbors=NEIGHBORS, distances=DISTANCES**2)
    assert vr.io.read(squared).metric == "l2"
    np.testing.assert_allclose(vr.io.read(squared).distances, DISTANCES, rtol=1e-6)
    scores = make(tmp_path / "b", {"distance": "ip"}, neighbors=NEIGHBORS, distances=-DISTANCES)
    np.testing.assert_array_equal(vr.io.read(scores).distances, DISTANCES)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "u1", "i1", "i2", ">f4", "?"])
@pytest.mark.parametrize(
    "settings", [{}, {"chunks": (2, 3), "compression": "gzip", "shuffle": True}, {"maxshape": (None, 3)}]
)
def test_any_stored_dtype_and_layout_is_read(tmp_path: Path, dtype: str, settings: dict[str, Any]) -> None:
    X = (ROWS * 3).astype(dtype)
    with h5py.File(tmp_path / "a", "w") as file:
        file.create_dataset("train", data=X, **settings)
    rows = vr.io.read(tmp_path / "a").rows
    assert rows.dtype == X.dtype
    np.testing.assert_array_equal(rows, X)
    assert vr.Exact.build(rows).search(X[:1], k=1).distances[0, 0] == 0


def test_small_datasets_within_their_description_are_read(tmp_path: Path) -> None:
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.COMPACT)
    with h5py.File(tmp_path / "a", "w") as file:
        space = h5py.h5s.create_simple(ROWS.shape)
        h5py.h5d.create(file.id, b"train", h5py.h5t.IEEE_F32LE, space, layout)
        file["train"][:] = ROWS
    np.testing.assert_array_equal(vr.io.read(tmp_path / "a").rows, ROWS)


def test_other_arrays_and_attributes_are_kept(tmp_path: Path) -> None:
    attributes = {"distance": "euclidean", "source": "photographs", "n": 3, "sizes": np.arange(2)}
    path = make(tmp_path / "a", attributes, train_category=np.arange(6), test_relevant=["x", "y"])
    with h5py.File(path, "a") as file:
        file.create_group("more")["train"] = ROWS
        file["alias"] = h5py.SoftLink("/train")
        file["records"] = np.zeros(2, [("a", "f4")])
    found = vr.io.read(path)
    assert sorted(found.attributes) == ["n", "sizes", "source", "test_relevant", "train_category"]
    assert found.attributes["train_category"].tolist() == list(range(6))
    assert found.attributes["test_relevant"].tolist() == ["x", "y"]
    assert (found.attributes["source"], found.attributes["n"]) == ("photographs", 3)


def test_texts_and_ids_come_back(tmp_path: Path) -> None:
    data = Dataset(
        rows=ROWS,
        queries=QUERIES,
        ids=np.array([f"ä{i}" for i in range(6)], object),
        texts=["", "a\nb", *"cdef"],
        query_ids=np.array([7, 8]),
        query_texts=["x", "ü"],
    )
    vr.io.write(tmp_path / "a.hdf5", data)
    found = vr.io.read(tmp_path / "a.hdf5")
    assert found.ids.tolist() == data.ids.tolist() and found.ids.dtype.kind == "U"
    assert found.query_ids.tolist() == [7, 8] and found.query_ids.dtype == np.int64
    assert (found.texts, found.query_texts) == (data.texts, data.query_texts)


def link_out(file: h5py.File) -> None:
    del file["train"]
    file["train"] = h5py.ExternalLink("other.hdf5", "/train")


def lie_elsewhere(file: h5py.File) -> None:
    del file["train"]
    file.create_dataset("train", (6, 3), "f4", external=[("/etc/passwd", 0, 72)])


def be_virtual(file: h5py.File) -> None:
    del file["train"]
    layout = h5py.VirtualLayout((6, 3), "f4")
    layout[:] = h5py.VirtualSource("other.hdf5", "train", (6, 3))
    file.create_virtual_dataset("train", layout)


def never_written(file: h5py.File) -> None:
    del file["train"]
    file.create_dataset("train", (2**40, 3), "f4")


def never_written_chunks(file: h5py.File) -> None:
    del file["train"]
    file.create_dataset("train", (2**40, 3), "f4", chunks=(2**20, 3), compression="gzip")


def half_written_chunks(file: h5py.File) -> None:
    del file["train"]
    file.create_dataset("train", (6, 3), "f4", chunks=(2, 3))[:4] = 1


def a_group(file: h5py.File) -> None:
    del file["train"]
    file.create_group("train")


def records(file: h5py.File) -> None:
    del file["train"]
    file["train"] = np.zeros((6, 3), [("a", "f4"), ("b", "f4")])


def replaced(name: str, value: Any) -> Any:
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file[name] = value

    return change


def attribute(name: str, value: Any) -> Any:
    def change(file: h5py.File) -> None:
        file.attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (link_out, "train holds no numbers or strings in the file itself"),
        (lie_elsewhere, "train holds no numbers or strings in the file itself"),
        (be_virtual, "train holds no numbers or strings in the file itself"),
        (a_group, "train holds no numbers or strings"),
        (records, "train holds no numbers or strings"),
        (never_written, "was not written to its end"),
        (never_written_chunks, "train"),
        (half_written_chunks, "has 2 of 3 chunks: it was not written to its end"),
        (replaced("train", np.zeros((6, 4), "f4")), "rows have 4 columns and queries 3"),
        (replaced("train", np.zeros(6, "f4")), "rows are float32 of shape"),
        (replaced("train", np.zeros((6, 0), "f4")), "rows are float32 of shape"),
        (replaced("train", [["a"]]), "rows are <U1 of shape"),
        (replaced("train", np.float32(1)), "rows are float32 of shape"),
        (replaced("neighbors", NEIGHBORS + 1), "query 1 has neighbour 6, expected the number of one of 6 rows"),
        (replaced("neighbors", NEIGHBORS.astype("f4")), "neighbors are float32"),
        (replaced("neighbors", NEIGHBORS[:1]), "neighbors has 1 entries and queries 2"),
        (replaced("distances", DISTANCES[:, :1]), "distances are float32 of shape"),
        (replaced("distances", DISTANCES[:, ::-1]), "query 0 has distances that fall from 1.5 to 0.25"),
        (replaced("distances", DISTANCES * np.nan), "query 0 has a distance that is NaN"),
        (replaced("train_ids", ["a"]), "ids has 1 entries and rows 6"),
        (replaced("train_texts", np.arange(6)), "texts are a ndarray, expected a list of strings"),
        (replaced("size_train", np.arange(6)), "holds sets of items"),
        (attribute("distance", "jaccard"), "holds distances by 'jaccard', expected one of l2"),
        (attribute("distance", "hamming"), "holds distances by 'hamming'"),
        (attribute("metric", "cosine"), "expected metric and distance to agree"),
        (attribute("dimension", 5), "expected the 5 columns it names"),
        (attribute("type", "sparse"), "holds sets of items"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    path = make(tmp_path / "a", neighbors=NEIGHBORS, distances=DISTANCES)
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(vr.DataFileError, match=message):
        vr.io.read(path)


def test_a_file_of_other_things_says_what_it_holds(tmp_path: Path) -> None:
    path = make(tmp_path / "a", {}, train=None, test=None, pictures=np.zeros((2, 2)))
    with pytest.raises(vr.DataFileError, match="holds pictures, expected train, test, neighbors, distances"):
        vr.io.read(path)


def test_a_large_claim_of_chunks_takes_no_memory(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a", "w") as file:  # one chunk of many is there
        file.create_dataset("train", (2**30, 3), "f4", chunks=(2**10, 3), compression="gzip")[:1024] = 1
    with pytest.raises(vr.DataFileError, match="claims 12884901888 bytes out of"):
        vr.io.read(tmp_path / "a")


def test_missing_places_of_a_truth_are_allowed(tmp_path: Path) -> None:
    data = Dataset(rows=ROWS, neighbors=np.array([[2, -1]]), distances=np.array([[0.5, np.inf]], "f4"))
    vr.io.write(tmp_path / "a.hdf5", data)
    assert vr.io.read(tmp_path / "a.hdf5").neighbors.tolist() == [[2, -1]]


def test_what_was_read_is_written_again(tmp_path: Path) -> None:
    vr.io.write(tmp_path / "a.hdf5", FULL)
    vr.io.write(tmp_path / "b.hdf5", vr.io.read(tmp_path / "a.hdf5"))
    assert (tmp_path / "a.hdf5").read_bytes() == (tmp_path / "b.hdf5").read_bytes()
