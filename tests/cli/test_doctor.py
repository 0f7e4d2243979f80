"""`vecrecall doctor`: the report and the exit code are those of the library, and a hostile file is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.cli.conftest import Command
from vecrecall.analysis.doctor.examining import doctor
from vecrecall.io.foreign import hnswlib_of, read_hnswlib, write_hnswlib

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 8)).astype(np.float32)
Q = RNG.normal(size=(60, 8)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A healthy file of hnswlib and one with rows that nothing leads to, queries and labels."""
    monkeypatch.chdir(tmp_path)
    graph = vr.HNSW.build(X, storage="f32", M=8, ef_construction=40)._content.graph
    write_hnswlib(hnswlib_of(X, graph, space="l2", ef_construction=40), "healthy.bin")
    cut = np.flatnonzero(graph.levels[:600] == 0)[:2].tolist()
    for row in np.flatnonzero(np.isin(graph.links[:600], cut).any(axis=1)):
        kept = [other for other in graph.links[row, : graph.n_links[row]].tolist() if other not in cut]
        graph.links[row] = row
        graph.links[row, : len(kept)] = kept
        graph.n_links[row] = graph.n_kept[row] = len(kept)
    write_hnswlib(hnswlib_of(X, graph, space="l2", ef_construction=40), "cut.bin")
    np.save("queries.npy", Q)
    np.save("narrow.npy", Q[:, :3])
    np.save("labels.npy", np.arange(600) % 2)
    Path("few.txt").write_text("a\nb\n")
    return tmp_path


def test_a_healthy_index_ends_with_0_and_the_report_of_the_library(command: Command, folder: Path) -> None:
    done = command("doctor", "healthy.bin", "--space", "l2", "--queries", "queries.npy", "--ef", "10,64")
    assert (done.code, done.err) == (0, "")
    diagnosis = doctor("healthy.bin", space="l2", queries=Q, ef=(10, 64))
    lines = done.out.splitlines()
    assert lines[0].startswith("healthy.bin: hnswlib index of 600 vectors of 8 dimensions, l2, M=8")
    assert lines[-1] == diagnosis.verdict and lines[-1].startswith("Healthy: ")
    headings, rows = diagnosis.table()
    for words in (headings, *rows):
        assert any(all(word in line for word in words) for line in lines), "a line of the table, whole"


def test_a_fault_ends_with_1_and_a_fix_with_what_was_written(command: Command, folder: Path) -> None:
    done = command("doctor", "cut.bin", "--space", "l2")
    assert (done.code, done.err) == (1, "")
    assert "fault, unreachable rows: 2 of 600 rows cannot be found at any ef" in done.out
    assert "what to do: build another graph, in a random order: vecrecall doctor cut.bin --space l2 --fix" in done.out
    before = Path("cut.bin").read_bytes()
    done = command("doctor", "cut.bin", "--space", "l2", "--fix", "out.bin", "--ef-construction", 60)
    assert (done.code, done.err) == (0, "")
    assert "before: Not healthy: unreachable rows" in done.out and "after: Healthy" in done.out
    assert "difference in points" in done.out and "evals before" in done.out
    assert Path("cut.bin").read_bytes() == before
    again = command("doctor", "out.bin", "--space", "l2")
    assert again.code == 0
    assert read_hnswlib("out.bin", space="l2").M == 8


def test_json_holds_what_the_library_says(command: Command, folder: Path) -> None:
    line = ["doctor", "cut.bin", "--space", "l2", "--labels", "labels.npy", "-k", 5, "--sample", 300, "--seed", 7]
    done = command(*line, "--threads", 1, "--json", "--fix", "out.vr", "--format", "vecrecall")
    assert (done.code, done.err) == (0, "")
    printed = json.loads(done.out)
    labels = np.arange(600) % 2
    diagnosis = doctor("cut.bin", space="l2", labels=labels, k=5, sample=300, seed=7)
    repair = printed.pop("repair")
    assert printed == json.loads(json.dumps(diagnosis.as_dict()))
    assert (repair["format"], repair["file"], repair["reached"]) == ("vecrecall", "out.vr", True)
    assert repair["after"]["healthy"] and vr.load("out.vr").search(X[3], k=1).ids.tolist() == [3]
    assert "0.0 % of" not in done.out and len(repair["rows"]) >= 3


def test_an_index_of_this_library_says_its_own_metric(command: Command, folder: Path) -> None:
    vr.HNSW.build(X, storage="f32", metric="cosine").save("own.vr")
    assert "vecrecall index of 600 vectors of 8 dimensions, cosine" in command("doctor", "own.vr").out
    done = command("doctor", "own.vr", "--space", "l2")
    assert done.code == 2 and "own.vr: space is 'l2', but the file says 'cosine'" in done.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "healthy.bin: a file of hnswlib does not say which space it is of; give space (--space)"),
        (["--space", "l2", "--dim", "9"], "healthy.bin: dim is 9, but the size of a row says"),
        (["--space", "l2", "--ef", "10;20"], "--ef is '10;20', expected numbers between commas"),
        (["--space", "l2", "--ef", "0"], "ef is 0, expected an integer of at least 1"),
        (["--space", "l2", "--queries", "narrow.npy"], "narrow.npy: queries has 3 columns, the index holds"),
        (["--space", "l2", "--labels", "few.txt"], "few.txt: labels has shape (2,), expected (600,)"),
        (["--space", "l2", "--queries", "none.npy"], "none.npy: No such file"),
        (["--space", "l2", "--format", "hnswlib"], "--format is for the file that --fix writes; give --fix"),
        (["--space", "l2", "--ef-construction", "9"], "--ef-construction is for the file that --fix writes"),
        (["--space", "l2", "--fix", "out", "--ef-construction", "0"], "--ef-construction is 0, expected an integer"),
        (["--space", "l2", "--force"], "--force is for the file that --fix writes"),
        (["--space", "l2", "--fix", "healthy.bin", "--force"], "healthy.bin: would replace what is read"),
        (["--space", "l2", "--fix", "link.bin", "--force"], "link.bin: would replace what is read"),
        (["--space", "l2", "--fix", "few.txt"], "few.txt: is there already; give --force to replace it"),
        (["--space", "l2", "--fix", "no/out.bin"], "no: the folder does not exist"),
        (["--space", "l2", "--fix", "out", "--format", "faiss"], "--format"),
        (["--space", "l1"], "--space"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_no_file(
    command: Command, folder: Path, line: list[str], message: str
) -> None:
    Path("link.bin").symlink_to("healthy.bin")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = command("doctor", "healthy.bin", *line)
    assert (done.code, done.out) == (2, "")
    assert message in done.err and done.err.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_damaged_and_foreign_files_are_one_line(command: Command, folder: Path) -> None:
    content = Path("healthy.bin").read_bytes()
    vr.Exact.build(X).save("exact.vr")
    hostile: dict[str, Any] = {
        "torn.bin": content[: len(content) // 3], "header.bin": content[:40], "empty.bin": b"",
        "random.bin": RNG.bytes(5000), "zeros.bin": bytes(4000), "exact.vr": Path("exact.vr").read_bytes(),
        "faiss.bin": b"IHNf" + RNG.bytes(100),
    }  # fmt: skip
    for name, damage in hostile.items():
        Path(name).write_bytes(damage)
        done = command("doctor", name, "--space", "l2", "--fix", "out.bin")
        assert (done.code, done.out) == (2, ""), name
        assert (name in done.err or "faiss is not installed" in done.err) and done.err.count("\n") == 1
        assert not Path("out.bin").exists()
    done = command("doctor", ".", "--space", "l2")
    assert done.code == 2 and done.err.count("\n") == 1
