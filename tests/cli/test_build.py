"""`vecrecall build`: which index it makes of which file, and what it refuses before any work is done."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from tests.cli.conftest import Command
from vecrecall.io import Dataset, write_csr, write_hdf5, write_jsonl


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    write_csr(tmp_path / "rows.csr", sp.random_array((40, 25), density=0.3, rng=np.random.default_rng(1), format="csr"))
    return tmp_path / "rows.csr"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ([], "ivf"),
        (["--target-recall", "1"], "exact"),
        (["--engine", "hnsw", "--M", "8", "--ef-construction", "40", "--ef", "20", "--order", "given"], "hnsw"),
        (["--engine", "hnsw", "--storage", "f32", "--keep", "f32", "--schedule", "sequential"], "hnsw"),
        (["--engine", "ivf", "--n-lists", "4", "--storage", "sq8", "--reduce", "none", "--keep", "none"], "ivf"),
        (["--engine", "ivf", "--reduce", "8", "--seed", "3", "--threads", "1"], "ivf"),
        (["--engine", "exact", "--keep", "float32"], "exact"),
    ],
)
def test_the_engine_and_its_parameters_are_those_asked_for(
    command: Command, rows: Path, tmp_path: Path, options: list[str], kind: str
) -> None:
    done = command("build", rows, tmp_path / "out.vr", *options)
    assert (done.code, done.err) == (0, "")
    index = vr.load(tmp_path / "out.vr", verify=True)
    assert (index.kind, len(index), index.dim, index.metric) == (kind, 200, 12, "l2")
    parameters = str(index._parameters())
    for name, value in zip(options[0::2], options[1::2], strict=True):
        if name not in ("--engine", "--threads", "--target-recall"):
            key = name.removeprefix("--").replace("-", "_")
            shown = {"none": "None"}.get(value, value if value.isdecimal() else f"'{value}'")
            assert f"'{key}': {shown}" in parameters


def test_it_prints_what_was_built_and_where(command: Command, rows: Path, tmp_path: Path) -> None:
    done = command("build", rows, tmp_path / "out.vr", "--engine", "exact", "--metric", "cosine")
    assert "Exact: 200 vectors of 12 dimensions, metric cosine" in done.out
    assert f"out.vr: {(tmp_path / 'out.vr').stat().st_size:,} bytes" in done.out


def test_json_is_one_object(command: Command, rows: Path, tmp_path: Path) -> None:
    done = command("build", rows, tmp_path / "out.vr", "--json")
    facts = json.loads(done.out)
    assert (facts["n"], facts["dim"], facts["metric"], facts["kind"]) == (200, 12, "l2", "ivf")
    assert facts["bytes"] == (tmp_path / "out.vr").stat().st_size
    assert facts["memory"]["rows"] >= 200 * 12 * 4
    assert facts["target_reached"] is True


def test_the_same_seed_makes_the_same_file(command: Command, rows: Path, tmp_path: Path) -> None:
    for name in ("a.vr", "b.vr"):
        assert command("build", rows, tmp_path / name, "--engine", "hnsw", "--seed", "5").code == 0
    assert (tmp_path / "a.vr").read_bytes() == (tmp_path / "b.vr").read_bytes()


def test_the_metric_and_the_ids_are_those_of_the_file(command: Command, vectors: np.ndarray, tmp_path: Path) -> None:
    names = np.array([f"d{row}" for row in range(len(vectors))])
    write_hdf5(tmp_path / "set.hdf5", Dataset(rows=vectors, metric="cosine", ids=names))
    assert command("build", tmp_path / "set.hdf5", tmp_path / "out.vr").code == 0
    index = vr.load(tmp_path / "out.vr")
    assert index.metric == "cosine"
    assert index.search(vectors[7], k=1).ids.tolist() == ["d7"]
    again = command("build", tmp_path / "set.hdf5", tmp_path / "out.vr", "--metric", "cosine", "--force")
    assert again.code == 0


def test_a_metric_that_contradicts_the_file_is_refused(command: Command, vectors: np.ndarray, tmp_path: Path) -> None:
    write_hdf5(tmp_path / "set.hdf5", Dataset(rows=vectors, metric="cosine"))
    done = command("build", tmp_path / "set.hdf5", tmp_path / "out.vr", "--metric", "l2")
    assert (done.code, done.out) == (2, "")
    assert "set.hdf5: says that its metric is cosine, but --metric is l2" in done.err
    assert not (tmp_path / "out.vr").exists()


def test_sparse_rows_make_a_sparse_index(command: Command, sparse: Path, tmp_path: Path) -> None:
    assert command("build", sparse, tmp_path / "out.vr", "--layout", "blocked", "--engine", "sparse").code == 0
    assert vr.load(tmp_path / "out.vr").layout == "blocked"  # type: ignore[attr-defined]
    assert command("build", sparse, tmp_path / "auto.vr").code == 0
    assert (vr.load(tmp_path / "auto.vr").kind, vr.load(tmp_path / "auto.vr").metric) == ("sparse", "ip")
    assert command("build", sparse, tmp_path / "exact.vr", "--engine", "exact").code == 0
    assert vr.load(tmp_path / "exact.vr").kind == "exact-sparse"


def test_words_are_columns(command: Command, tmp_path: Path) -> None:
    rows = sp.csr_array([[1.0, 2.0], [0.0, 3.0]])
    words = {"cat": 0, "dog": 1}
    write_jsonl(tmp_path / "docs.jsonl", Dataset(rows=rows, ids=["a", "b"], attributes={"vocabulary": words}))
    assert command("build", tmp_path / "docs.jsonl", tmp_path / "out.vr").code == 0
    assert vr.load(tmp_path / "out.vr").search({1: 1.0}, k=1).ids.tolist() == ["b"]


@pytest.mark.parametrize(
    ("content", "first"),
    [("d0\nd1\nd2\n", "d0"), ("10\n-20\n0", 10), ("007\n8\n9\n", "007"), ("ä b\r\nc\r\nd\r\n", "ä b")],
)
def test_ids_are_lines_of_a_file(command: Command, tmp_path: Path, content: str, first: str | int) -> None:
    np.save(tmp_path / "rows.npy", np.eye(3))
    (tmp_path / "ids.txt").write_bytes(content.encode())
    done = command("build", tmp_path / "rows.npy", tmp_path / "out.vr", "--ids", tmp_path / "ids.txt")
    assert (done.code, done.err) == (0, "")
    assert vr.load(tmp_path / "out.vr").search([1.0, 0, 0], k=1).ids.tolist() == [first]


@pytest.mark.parametrize("names", [np.array([5, 3, 9]), np.array(["x", "y", "z"])])
def test_ids_are_an_array_of_numpy(command: Command, tmp_path: Path, names: np.ndarray) -> None:
    np.save(tmp_path / "rows.npy", np.eye(3))
    np.save(tmp_path / "ids.npy", names)
    assert command("build", tmp_path / "rows.npy", tmp_path / "out.vr", "--ids", tmp_path / "ids.npy").code == 0
    assert vr.load(tmp_path / "out.vr").search([1.0, 0, 0], k=1).ids.tolist() == names[:1].tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nb\n", "ids holds 2 ids, expected one for each of the 3 rows"),
        ("a\n\nb\n", "line 2 is empty"),
        ("", "line 1 is empty"),
        ("a\nb\na\n", "ids holds 'a' twice"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
)
def test_bad_ids_are_refused_by_the_name_of_their_file(
    command: Command, tmp_path: Path, content: str | bytes, message: str
) -> None:
    np.save(tmp_path / "rows.npy", np.eye(3))
    (tmp_path / "ids.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    done = command("build", tmp_path / "rows.npy", tmp_path / "out.vr", "--ids", tmp_path / "ids.txt")
    assert (done.code, done.out) == (2, "")
    assert f"ids.txt: {message}" in done.err


def test_pickled_ids_are_refused(command: Command, rows: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.array([object()] * 200), allow_pickle=True)
    done = command("build", rows, tmp_path / "out.vr", "--ids", tmp_path / "ids.npy")
    assert (done.code, done.out) == (2, "")
    assert "ids.npy" in done.err


def test_a_file_is_replaced_only_when_asked(command: Command, rows: Path, tmp_path: Path) -> None:
    (tmp_path / "out.vr").write_text("precious")
    done = command("build", rows, tmp_path / "out.vr")
    assert done.code == 2
    assert "out.vr: is there already; give --force" in done.err
    assert (tmp_path / "out.vr").read_text() == "precious"
    assert command("build", rows, tmp_path / "out.vr", "--force").code == 0
    assert len(vr.load(tmp_path / "out.vr")) == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "l3"], "'l3' is not one of"),
        (["--engine", "annoy"], "'annoy' is not one of"),
        (["--M", "8"], "--M is an option of engine hnsw, but the engine is auto"),
        (["--engine", "ivf", "--ef", "8"], "--ef is an option of engine hnsw, but the engine is ivf"),
        (["--engine", "hnsw", "--n-lists", "8"], "--n-lists is an option of engine ivf"),
        (["--engine", "exact", "--seed", "8"], "--seed is an option of engine auto, hnsw, ivf, sparse"),
        (["--engine", "exact", "--target-recall", "0.9"], "--target-recall is an option of engine"),
        (["--engine", "sparse"], "rows.npy: holds dense vectors, but engine sparse takes sparse ones"),
        (["--engine", "hnsw", "--M", "1"], "M is 1, expected an integer of at least 2"),
        (["--engine", "hnsw", "--M", "many"], "Invalid value for '--M'"),
        (["--engine", "hnsw", "--keep", "f8"], "keep is 'f8'"),
        (["--engine", "hnsw", "--order", "sorted"], "order is 'sorted'"),
        (["--engine", "hnsw", "--ef", "9", "--target-recall", "0.9"], "leave one out"),
        (["--engine", "ivf", "--reduce", "-3"], "reduce is '-3'"),
        (["--target-recall", "1.5"], "--target-recall is 1.5, expected a number above 0 and at most 1"),
        (["--seed", "-1"], "seed is -1"),
        (["--threads", "0"], "threads is 0"),
        (["--format", "xml"], "format is 'xml'"),
        (["--format", "fvecs"], "rows.npy"),
        (["--ids", "absent.txt"], "absent.txt: No such file"),
        (["--frobnicate"], "No such option"),
    ],
)
def test_bad_options_are_one_line_and_write_nothing(
    command: Command, rows: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    done = command("build", rows, tmp_path / "out.vr", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("vecrecall: ")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[1.0, 2], [np.nan, 4]]), "rows.npy: row 1, column 0 is nan"),
        (np.array([[1e30, 2]]), "rows.npy: row 0 has a norm whose square overflows float32"),
        (np.array([1.0, 2]), "rows.npy: holds an array of shape (2,)"),
        (np.array([["a", "b"]]), "rows.npy: holds <U1"),
        (np.empty((3, 0)), "rows.npy: holds an array of shape (3, 0)"),
    ],
)
def test_bad_rows_are_refused_by_the_name_of_their_file(
    command: Command, tmp_path: Path, array: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "rows.npy", array)
    done = command("build", tmp_path / "rows.npy", tmp_path / "out.vr")
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "out.vr").exists()


def test_a_file_without_vectors_says_what_it_holds(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qrels").write_text("q1 0 d1 1\n")
    done = command("build", tmp_path / "a.qrels", tmp_path / "out.vr")
    assert done.code == 2
    assert "a.qrels: holds qrels, expected vectors to index" in done.err


@pytest.mark.parametrize(
    ("metric", "engine", "message"),
    [("cosine", "auto", "are searched by ip, but the metric is cosine"), ("ip", "hnsw", "but engine hnsw takes dense")],
)
def test_what_sparse_rows_cannot_be_is_refused(
    command: Command, sparse: Path, tmp_path: Path, metric: str, engine: str, message: str
) -> None:
    done = command("build", sparse, tmp_path / "out.vr", "--metric", metric, "--engine", engine)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize(
    ("out", "message"),
    [("absent/out.vr", "the folder does not exist"), (".", "is a folder"), ("rows.npy", "would replace what is read")],
)
def test_an_out_that_cannot_be_written_is_refused_before_the_rows_are_read(
    command: Command, rows: Path, tmp_path: Path, out: str, message: str
) -> None:
    before = rows.read_bytes()
    done = command("build", rows, tmp_path / out, "--force")
    assert done.code == 2
    assert message in done.err
    assert rows.read_bytes() == before


def test_a_target_that_is_missed_is_a_no_but_the_index_is_written(command: Command, tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((1100, 24), dtype=np.float32)
    np.save(tmp_path / "rows.npy", X)
    options = ["--engine", "ivf", "--keep", "none", "--target-recall", "0.9999", "--json"]
    done = command("build", tmp_path / "rows.npy", tmp_path / "out.vr", *options)
    assert done.code == 1
    assert json.loads(done.out)["target_reached"] is False
    assert done.err.startswith("vecrecall: warning: target_recall=0.9999 was not reached")
    assert len(vr.load(tmp_path / "out.vr", verify=True)) == 1100


def test_zero_rows_under_cosine_are_a_warning(command: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.array([[0.0, 0], [1, 0]]))
    done = command("build", tmp_path / "rows.npy", tmp_path / "out.vr", "--metric", "cosine", "--engine", "exact")
    assert done.code == 0
    assert done.err.startswith("vecrecall: warning: 1 zero row vector")
    assert done.err.count("\n") == 1
