"""`vecrecall search`: its answers are those of the index, in each form that it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from tests.cli.conftest import Command
from vecrecall.cli import search as module
from vecrecall.cli.answers import read_answers
from vecrecall.io import Dataset, read, write_csr, write_hdf5, write_jsonl

WORDS = {"cat": 0, "dog": 1, "eel": 2}


@pytest.fixture
def index(vectors: np.ndarray, tmp_path: Path) -> Path:
    vr.Exact.build(vectors).save(tmp_path / "index.vr")
    return tmp_path / "index.vr"


@pytest.fixture
def hits(vectors: np.ndarray) -> vr.Hits:
    return vr.Exact.build(vectors).search(vectors[10:15], k=3)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A saved index of three documents of words, with string ids, and the documents beside it."""
    rows = sp.csr_array([[1.0, 2.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0]])
    write_jsonl(tmp_path / "docs.jsonl", Dataset(rows=rows, ids=["a", "b", "c"], attributes={"vocabulary": WORDS}))
    vr.SparseIndex.build(rows, ids=["a", "b", "c"]).save(tmp_path / "words.vr")
    return tmp_path / "words.vr"


def test_a_line_a_query_holds_its_number_and_ids_and_distances(
    command: Command, index: Path, queries: Path, hits: vr.Hits
) -> None:
    done = command("search", index, queries, "-k", 3)
    assert (done.code, done.err) == (0, "")
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert [line[0] for line in lines] == ["0", "1", "2", "3", "4"]
    assert [[int(field.split(" ")[0]) for field in line[1:]] for line in lines] == hits.ids.tolist()
    distances = [[float(field.split(" ")[1]) for field in line[1:]] for line in lines]
    assert np.allclose(distances, hits.distances, rtol=1e-5)


def test_json_is_an_object_a_query(command: Command, index: Path, queries: Path, hits: vr.Hits) -> None:
    done = command("search", index, queries, "-k", 3, "--json")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [record["query"] for record in found] == [0, 1, 2, 3, 4]
    assert [record["ids"] for record in found] == hits.ids.tolist()
    assert np.array_equal(np.float32([record["distances"] for record in found]), hits.distances)
    assert np.array_equal(np.float32([record["scores"] for record in found]), hits.scores)


@pytest.mark.parametrize("suffix", [".npz", ".tsv", ".jsonl", ".trec", ".run"])
def test_what_is_written_is_read_again(
    command: Command, index: Path, queries: Path, hits: vr.Hits, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"found{suffix}"
    done = command("search", index, queries, "-k", 3, "--out", out)
    assert (done.code, done.err) == (0, "")
    assert f"found{suffix}: 5 queries, k=3, 200.0 distance evaluations a query" in done.out
    answers = read_answers(out, None, "--format")
    assert answers.names == ["0", "1", "2", "3", "4"]
    assert np.array_equal(answers.ids.astype(np.int64), hits.ids)
    if suffix in (".trec", ".run"):
        assert answers.distances is None
    else:
        assert np.array_equal(np.float32(answers.distances), hits.distances)


def test_other_libraries_read_the_archive(command: Command, index: Path, queries: Path, tmp_path: Path) -> None:
    command("search", index, queries, "-k", 3, "--out", tmp_path / "found.npz")
    with np.load(tmp_path / "found.npz", allow_pickle=False) as archive:
        assert archive["neighbors"].shape == archive["distances"].shape == (5, 3)


def test_what_was_written_is_told_as_json(command: Command, index: Path, queries: Path, tmp_path: Path) -> None:
    done = command("search", index, queries, "--out", tmp_path / "found.tsv", "--json")
    facts = json.loads(done.out)
    assert (facts["queries"], facts["k"], facts["evals"]) == (5, 10, 200.0)


def test_blocks_of_queries_answer_as_one(
    command: Command, index: Path, queries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = command("search", index, queries)
    monkeypatch.setattr(module, "_BLOCK", 2)
    assert command("search", index, queries) == whole


def test_queries_have_the_names_of_their_file(
    command: Command, vectors: np.ndarray, index: Path, tmp_path: Path
) -> None:
    given = Dataset(rows=vectors, queries=vectors[:2], query_ids=np.array(["q1", "q2"]), metric="l2")
    write_hdf5(tmp_path / "set.hdf5", given)
    done = command("search", index, tmp_path / "set.hdf5", "-k", 1)
    assert [line.split("\t")[0] for line in done.out.splitlines()] == ["q1", "q2"]
    command("search", index, tmp_path / "set.hdf5", "-k", 1, "--out", tmp_path / "found.trec")
    assert list(read(tmp_path / "found.trec").run) == ["q1", "q2"]


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("hnsw", ["--ef", "30"]),
        ("ivf", ["--nprobe", "2", "--rerank", "20"]),
        ("ivf", ["--target-recall", "0.9"]),
        ("exact", []),
    ],
)
def test_each_engine_takes_its_own_settings(
    command: Command, rows: Path, queries: Path, hits: vr.Hits, tmp_path: Path, engine: str, options: list[str]
) -> None:
    assert command("build", rows, tmp_path / "index.vr", "--engine", engine).code == 0
    done = command("search", tmp_path / "index.vr", queries, "-k", 3, "--threads", 1, *options, "--json")
    assert done.code == 0, done.err
    assert [json.loads(line)["ids"] for line in done.out.splitlines()] == hits.ids.tolist()


@pytest.mark.parametrize(
    "options", [[], ["--exact"], ["--query-cut", "8"], ["--heap-factor", "0.5"], ["--impact-cut", "0"]]
)
def test_a_sparse_index_takes_its_settings(
    command: Command, words: Path, tmp_path: Path, options: list[str]
) -> None:
    write_csr(tmp_path / "queries.csr", sp.csr_array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    done = command("search", words, tmp_path / "queries.csr", "-k", 3, *options)
    assert done.code == 0, done.err
    assert done.out == "0\tb -3\ta -2\n1\n"


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl", ".trec"])
def test_string_ids_are_written_and_read(command: Command, words: Path, tmp_path: Path, suffix: str) -> None:
    write_csr(tmp_path / "queries.csr", sp.csr_array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    out = tmp_path / f"found{suffix}"
    assert command("search", words, tmp_path / "queries.csr", "-k", 3, "--out", out).code == 0
    answers = read_answers(out, None, "--format")
    assert answers.ids[0].tolist() == ["b", "a"]
    assert answers.names == (["0", "1"] if suffix == ".jsonl" else ["0"])
    assert answers.whole == (suffix == ".jsonl")


def test_string_ids_have_no_place_in_an_archive(
    command: Command, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_searched", None)  # it is refused before
    write_csr(tmp_path / "queries.csr", sp.csr_array([[0.0, 1.0, 0.0]]))
    done = command("search", words, tmp_path / "queries.csr", "--out", tmp_path / "found.npz")
    assert (done.code, done.out) == (2, "")
    assert "write .jsonl or .tsv" in done.err
    assert not (tmp_path / "found.npz").exists()


def test_queries_of_words_need_the_documents(command: Command, words: Path, tmp_path: Path) -> None:
    """Their own numbering of words would find anything."""
    (tmp_path / "queries.jsonl").write_text('{"id": "q", "vector": {"eel": 1, "unheard": 5}}\n')
    done = command("search", words, tmp_path / "queries.jsonl")
    assert (done.code, done.out) == (2, "")
    assert "queries.jsonl: holds words" in done.err
    done = command("search", words, tmp_path / "queries.jsonl", "--documents", tmp_path / "docs.jsonl", "-k", 1)
    assert (done.code, done.out) == (0, "q\tc -1\n")


def test_documents_without_words_are_refused(command: Command, words: Path, tmp_path: Path) -> None:
    write_csr(tmp_path / "queries.csr", sp.csr_array([[0.0, 1.0, 0.0]]))
    done = command("search", words, tmp_path / "queries.csr", "--documents", tmp_path / "queries.csr")
    assert done.code == 2
    assert "queries.csr: holds no words" in done.err


def test_a_file_of_fewer_columns_than_the_documents_is_taken(command: Command, words: Path, tmp_path: Path) -> None:
    write_csr(tmp_path / "queries.csr", sp.csr_array([[0.0, 1.0]]))
    assert command("search", words, tmp_path / "queries.csr", "-k", 1).out == "0\tb -3\n"


@pytest.mark.parametrize("suffix", ["", ".npz", ".tsv", ".jsonl"])
def test_no_queries_are_no_lines(command: Command, index: Path, tmp_path: Path, suffix: str) -> None:
    np.save(tmp_path / "none.npy", np.empty((0, 12), np.float32))
    out = ["--out", tmp_path / f"found{suffix}"] if suffix else []
    done = command("search", index, tmp_path / "none.npy", *out)
    assert done.code == 0, done.err
    assert done.out == "" if not suffix else "0 queries" in done.out


def test_more_neighbours_than_rows_are_those_there_are(command: Command, queries: Path, tmp_path: Path) -> None:
    vr.Exact.build(np.load(queries)).save(tmp_path / "few.vr")
    done = command("search", tmp_path / "few.vr", queries, "-k", 9)
    assert {len(line.split("\t")) for line in done.out.splitlines()} == {6}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-k", "0"], "-k is 0, expected an integer of at least 1"),
        (["--ef", "10"], "--ef is an option of engine hnsw, but the engine is exact, which has no such options"),
        (["--exact"], "--exact is an option of engine sparse"),
        (["--threads", "0"], "threads is 0"),
        (["--out", "found.txt"], "found.txt: ends in '.txt', expected one of .npz"),
        (["--out", "found"], "found: ends in 'nothing'"),
        (["--out", "absent/found.tsv"], "the folder does not exist"),
        (["--documents", "absent.jsonl"], "absent.jsonl: No such file"),
        (["--format", "fbin"], "queries.npy"),
    ],
)
def test_bad_options_are_one_line_and_write_nothing(
    command: Command, index: Path, queries: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    before = sorted(tmp_path.iterdir())
    done = command("search", index, queries, *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((2, 5)), "has 5 columns, the index holds vectors of 12"),
        (np.where(np.arange(4100)[:, None] == 4099, np.inf, np.ones(12)), "query 4099, column 0 is inf"),
    ],
)
def test_bad_queries_are_refused_by_their_row_in_the_file(
    command: Command, index: Path, tmp_path: Path, given: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "queries.npy", given)
    done = command("search", index, tmp_path / "queries.npy")
    assert (done.code, done.out) == (2, "")
    assert f"queries.npy: {message}" in done.err


def test_dense_and_sparse_do_not_meet(
    command: Command, index: Path, words: Path, queries: Path, tmp_path: Path
) -> None:
    write_csr(tmp_path / "queries.csr", sp.csr_array([[0.0, 1.0, 0.0]]))
    dense = command("search", index, tmp_path / "queries.csr")
    sparse = command("search", words, queries)
    assert "holds sparse vectors, but the index dense ones" in dense.err
    assert "holds dense vectors, but the index sparse ones" in sparse.err
    assert dense.code == sparse.code == 2


def test_a_file_is_replaced_only_when_asked(command: Command, index: Path, queries: Path, tmp_path: Path) -> None:
    (tmp_path / "found.tsv").write_text("precious")
    assert command("search", index, queries, "--out", tmp_path / "found.tsv").code == 2
    assert (tmp_path / "found.tsv").read_text() == "precious"
    assert command("search", index, queries, "--out", tmp_path / "found.tsv", "--force").code == 0


@pytest.mark.parametrize("suffix", [".tsv", ".trec"])
def test_an_id_that_a_form_has_no_room_for_is_refused(
    command: Command, queries: Path, tmp_path: Path, suffix: str
) -> None:
    vr.Exact.build(np.load(queries), ids=["a\tb", "c", "d", "e", "f"]).save(tmp_path / "odd.vr")
    done = command("search", tmp_path / "odd.vr", queries, "--out", tmp_path / f"found{suffix}")
    assert (done.code, done.out) == (2, "")
    assert r"'a\tb'" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd.vr", "queries.npy"]


def test_a_file_that_is_no_index_is_refused(command: Command, queries: Path) -> None:
    done = command("search", queries, queries)
    assert done.code == 2
    assert "queries.npy: not an index file of this library" in done.err


def test_distances_of_codes_are_marked(command: Command, queries: Path, tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((1100, 12), dtype=np.float32)
    for name, keep in (("rows", "auto"), ("codes", None)):
        vr.IVF.build(X, keep=keep).save(tmp_path / f"{name}.vr")
        for suffix in (".npz", ".tsv", ".jsonl"):
            out = tmp_path / f"{name}{suffix}"
            assert command("search", tmp_path / f"{name}.vr", queries, "--out", out).code == 0
            assert read_answers(out, None, "--format").exact_distances is (name == "rows")
        lines = command("search", tmp_path / f"{name}.vr", queries, "--json").out.splitlines()
        assert [json.loads(line).get("exact_distances", True) for line in lines] == [name == "rows"] * 5


def test_a_missed_target_is_told_once(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = np.random.default_rng(0).standard_normal((1100, 24), dtype=np.float32)
    vr.IVF.build(X, keep=None).save(tmp_path / "codes.vr")
    np.save(tmp_path / "queries.npy", X[:5])
    monkeypatch.setattr(module, "_BLOCK", 2)
    done = command("search", tmp_path / "codes.vr", tmp_path / "queries.npy", "--target-recall", "0.9999")
    assert done.code == 1
    assert done.err.count("was not reached") == 1


def test_a_target_that_is_missed_is_a_no_but_answers_are_given(command: Command, words: Path, tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((1100, 24), dtype=np.float32)
    vr.IVF.build(X, keep=None).save(tmp_path / "codes.vr")
    np.save(tmp_path / "queries.npy", X[:3])
    done = command("search", tmp_path / "codes.vr", tmp_path / "queries.npy", "--target-recall", "0.9999")
    assert done.code == 1
    assert len(done.out.splitlines()) == 3
    assert "was not reached" in done.err
