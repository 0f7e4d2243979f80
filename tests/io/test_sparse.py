"""Sparse vectors: csr files of big-ann-benchmarks, lines of JSON, and archives of scipy."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import vecrecall as vr
from tests.io.samples import SPARSE, VOCABULARY
from vecrecall.io import Dataset, read_jsonl, write_jsonl

# the forms in which Seismic and Anserini have them
SEISMIC = [
    {"id": 1048585, "content": "what is it", "vector": {"it": 0.3141832649707794, "##n": 1.390192985534668}},
    {"id": 2, "content": "", "vector": {}},
    {"id": 524332, "content": "Kopfweh – was tun", "vector": {"kopf": 2.0, "it": 0.25}},
]
ANSERINI = [
    {"id": "d7", "contents": "a cat", "vector": {"cat": 12, "a": 1}},
    {"id": "d8", "contents": "two dogs", "vector": {"dog": 200, "cat": 3}},
]


def lines(path: Path, objects: list[dict[str, Any]]) -> Path:
    text = "\n".join(json.dumps(each) for each in objects).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def test_the_form_of_seismic_is_read(tmp_path: Path) -> None:
    found = vr.io.read(lines(tmp_path / "documents.jsonl", SEISMIC))
    assert found.attributes["vocabulary"] == {"it": 0, "##n": 1, "kopf": 2}
    assert found.ids.tolist() == [1048585, 2, 524332] and found.ids.dtype == np.int64
    assert found.texts == ["what is it", "", "Kopfweh – was tun"]
    expected = np.array([[0.3141832649707794, 1.390192985534668, 0], [0, 0, 0], [0.25, 0, 2]], np.float32)
    np.testing.assert_array_equal(found.rows.toarray(), expected)
    assert found.rows.dtype == np.float32


def test_the_form_of_anserini_is_read_packed(tmp_path: Path) -> None:
    found = vr.io.read(lines(tmp_path / "part00.jsonl.gz", ANSERINI))
    assert found.ids.tolist() == ["d7", "d8"] and found.texts == ["a cat", "two dogs"]
    assert found.rows.toarray().tolist() == [[12, 1, 0], [3, 0, 200]]


def test_queries_are_read_with_the_vocabulary_of_the_documents(tmp_path: Path) -> None:
    documents = vr.io.read(lines(tmp_path / "d.jsonl", ANSERINI))
    asked = lines(tmp_path / "q.jsonl", [{"id": "q1", "vector": {"dog": 2, "wolf": 9, "cat": 1, "fox": 1}}])
    queries = vr.io.read(asked, vocabulary=documents.attributes["vocabulary"])
    assert queries.rows.shape == (1, 3) and queries.rows.toarray().tolist() == [[1, 0, 2]]
    assert queries.attributes == {"vocabulary": documents.attributes["vocabulary"], "n_unknown": 2}
    assert documents.attributes["vocabulary"] == {"cat": 0, "a": 1, "dog": 2}
    hits = vr.SparseIndex.build(documents.rows, ids=documents.ids).search(queries.rows, k=2, exact=True)
    assert hits.ids.tolist() == [["d8", "d7"]]


def test_ids_of_mixed_kinds_are_strings_and_partial_texts_none(tmp_path: Path) -> None:
    mixed = [{"id": 7, "text": "word", "vector": {"a": 1}}, {"id": "x", "vector": {}}, {"id": 2**63, "vector": {}}]
    found = vr.io.read(lines(tmp_path / "a.jsonl", mixed))
    assert found.ids.tolist() == ["7", "x", str(2**63)] and found.texts is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "d7", "vector": {}}', "line 3 repeats id 'd7' of line 1, expected unique ids"),
        ('{"id": true, "vector": {}}', "line 3 has id True, expected an integer or a string"),
        ('{"vector": {}}', "line 3 has id None"),
        ('{"id": "x", "vector": [1, 2]}', "line 3 has a vector of type list, expected 'vector': {token: weight, ...}"),
        ('{"id": "x", "vector": {"a": 1, "b": null}}', "line 3 gives token 'b' the weight None, expected a number"),
        ('{"id": "x", "vector": {"a": 1e39}}', "line 3 has a weight that overflows float32"),
        ('["x"]', "line 3 is a list, expected an object a line"),
        ('{"id": "x", "vector"', "line 3 is not JSON"),
    ],
)
def test_the_line_that_is_wrong_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = lines(tmp_path / "a.jsonl", ANSERINI)
    path.write_text(f"{path.read_text()}\n{line}\n")
    with pytest.raises(vr.DataFileError) as caught:
        vr.io.read(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("vocabulary", [{"a": -1}, {"a": "0"}, {"a": 2**31}, {"a": True}])
def test_a_vocabulary_that_is_none_is_refused(tmp_path: Path, vocabulary: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="vocabulary gives token 'a' the column"):
        vr.io.read(lines(tmp_path / "a.jsonl", ANSERINI), vocabulary=vocabulary)


def test_queries_of_a_dataset_are_written_with_their_names(tmp_path: Path) -> None:
    names = {"query_ids": ["x", "y", "z"], "query_texts": ["1", "2", "3"]}
    write_jsonl(tmp_path / "a.jsonl", Dataset(queries=SPARSE, **names, attributes={"vocabulary": VOCABULARY}))
    found = read_jsonl(tmp_path / "a.jsonl", vocabulary=VOCABULARY)
    assert (found.ids.tolist(), found.texts) == (["x", "y", "z"], ["1", "2", "3"])
    assert abs(found.rows - SPARSE).nnz == 0
    first = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first == {"id": "x", "contents": "1", "vector": {"dog": 1.5, "Ärger": 2.0}}


def test_columns_without_a_vocabulary_are_named_by_number(tmp_path: Path) -> None:
    vr.io.write(tmp_path / "a.jsonl", SPARSE)
    assert json.loads((tmp_path / "a.jsonl").read_text().splitlines()[2]) == {"id": 2, "vector": {"0": 0.1, "2": -3.0}}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False).filter(bool), min_size=1, max_size=20))
def test_every_float32_comes_back_from_json(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    path = tmp_path_factory.mktemp("io") / "a.jsonl"
    vr.io.write(path, sp.csr_array(np.array([values], np.float32)))
    assert vr.io.read(path).rows.data.tolist() == values


def test_a_query_file_may_be_widened_to_its_documents(tmp_path: Path) -> None:
    vr.io.write(tmp_path / "queries.csr", SPARSE)
    for name in ("queries.csr", "queries.csr.gz"):
        vr.io.write(tmp_path / name, SPARSE)
        found = vr.io.read(tmp_path / name, dim=30109)
        assert found.rows.shape == (3, 30109) and abs(found.rows[:, :4] - SPARSE).nnz == 0
        with pytest.raises(ValueError, match="dim is 3, expected at least the 4 columns"):
            vr.io.read(tmp_path / name, dim=3)


def test_unsorted_columns_are_read_and_accepted_by_an_index(tmp_path: Path) -> None:
    parts = [np.array([1, 9, 2, 0, 2], "<i8"), np.array([7, 3], "<i4"), np.array([1, 2], "<f4")]
    (tmp_path / "a.csr").write_bytes(b"".join(part.tobytes() for part in parts))
    rows = vr.io.read(tmp_path / "a.csr").rows
    assert rows.toarray()[0, [3, 7]].tolist() == [2, 1]
    assert vr.SparseIndex.build(rows).search(rows, k=1, exact=True).scores.tolist() == [[5.0]]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_archives_of_scipy_are_read(tmp_path: Path, dtype: str) -> None:
    matrix = SPARSE.astype(dtype)
    for given_matrix in (matrix, sp.csr_matrix(matrix)):
        sp.save_npz(tmp_path / "a.npz", given_matrix)
        found = vr.io.read(tmp_path / "a.npz").rows
        assert found.dtype == matrix.dtype and abs(found - matrix).nnz == 0
    vr.io.write(tmp_path / "b.npz", Dataset(rows=matrix))
    assert abs(sp.load_npz(tmp_path / "b.npz") - matrix).nnz == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "csc"}, "format 'csc', expected 'csr'; save matrix.tocsr()"),
        ({"indices": np.array([1, 3, 0, 9], np.int32)}, "row 2 names column 9, expected 0 to 3"),
        ({"indices": np.array([1, 3, 0, -1], np.int32)}, "row 2 names column -1"),
        ({"indptr": np.array([0, 2, 1, 4], np.int32)}, "row starts fall after row 1"),
        ({"indptr": np.array([0, 2, 2, 9], np.int32)}, "row starts run from 0 to 9"),
        ({"indptr": np.array([0, 4], np.int32)}, "2 row starts, 4 columns and 4 values, expected 4 starts"),
        ({"data": np.ones(3)}, "3 row starts|expected 4 starts and as many values as columns"),
        ({"indices": np.ones(4)}, "has float64 (4,) as indices".replace("(", r"\(").replace(")", r"\)")),
        ({"shape": np.array([2**40, 4])}, "expected 1099511627777 starts"),
        ({"shape": np.array([3, 0])}, r"of shape \[3, 0\]"),
        ({"shape": np.array([3])}, r"of shape \[3\]"),
    ],
)
def test_archives_that_are_no_matrix_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    parts = {"indices": SPARSE.indices, "indptr": SPARSE.indptr, "data": SPARSE.data, "shape": SPARSE.shape}
    np.savez(tmp_path / "a.npz", **({"format": "csr"} | parts | changes))
    with pytest.raises(vr.DataFileError, match=message):
        vr.io.read(tmp_path / "a.npz")
