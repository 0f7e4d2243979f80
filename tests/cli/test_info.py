"""`vecrecall info`: the header of a saved index for people and for programs, and a check of all of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from tests.cli.conftest import Command
from vecrecall import file as index_file

BUILDS = {
    "exact": lambda X: vr.Exact.build(X),
    "hnsw": lambda X: vr.HNSW.build(X, metric="cosine", ids=[f"d{i}" for i in range(len(X))]),
    "ivf": lambda X: vr.IVF.build(X, storage="sq8"),
    "sparse": lambda X: vr.SparseIndex.build(sp.csr_array(np.maximum(X, 0))),
    "exact-sparse": lambda X: vr.Exact.build(sp.csr_array(np.maximum(X, 0))),
}


@pytest.fixture(params=BUILDS)
def saved(request: pytest.FixtureRequest, vectors: np.ndarray, tmp_path: Path) -> vr.HNSW:
    index = BUILDS[request.param](vectors)
    index.save(tmp_path / "index.vr")
    return index


def test_it_shows_what_the_index_is(command: Command, saved: vr.HNSW, tmp_path: Path) -> None:
    done = command("info", tmp_path / "index.vr")
    assert (done.code, done.err) == (0, "")
    size = (tmp_path / "index.vr").stat().st_size
    first, second, *rest = done.out.splitlines()
    assert first.endswith(f"index.vr: {saved.kind}, format 1, {size:,} bytes")
    assert second.startswith(f"n 200, dim 12, metric {saved.metric}, ids ")
    assert "counts: n 200" in rest[0]
    for name in index_file.read(tmp_path / "index.vr").sections:
        assert name in done.out


def test_json_has_the_same_and_all_parameters(command: Command, saved: vr.HNSW, tmp_path: Path) -> None:
    facts = json.loads(command("info", tmp_path / "index.vr", "--json").out)
    content = index_file.read(tmp_path / "index.vr")
    assert (facts["kind"], facts["n"], facts["dim"], facts["metric"]) == (saved.kind, 200, 12, saved.metric)
    assert facts["parameters"] == content.parameters
    assert facts["counts"] == content.counts
    sections = {section["name"]: section for section in facts["sections"]}
    assert {name: section["bytes"] for name, section in sections.items()} == {
        name: array.nbytes for name, array in content.sections.items()
    }
    assert "check" not in facts


def test_a_sound_index_passes_the_check(command: Command, saved: vr.HNSW, tmp_path: Path) -> None:
    done = command("info", tmp_path / "index.vr", "--check")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("check: passed\n")
    facts = json.loads(command("info", tmp_path / "index.vr", "--check", "--json").out)
    assert (facts["check"], facts["problem"]) == (True, None)


def test_storage_is_what_was_decided_or_given(command: Command, tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((1100, 24), dtype=np.float32)
    vr.HNSW.build(X, keep="f32").save(tmp_path / "index.vr")
    facts = json.loads(command("info", tmp_path / "index.vr", "--json").out)
    assert facts["parameters"]["graph"]["storage"] == "auto"
    assert facts["storage"] in ("sq4", "sq8")
    assert facts["keep"] == "f32"
    vr.IVF.build(X[:100], storage="sq8").save(tmp_path / "index.vr")
    assert json.loads(command("info", tmp_path / "index.vr", "--json").out)["storage"] == "sq8"


def test_one_flipped_byte_fails_the_check_only(command: Command, vectors: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "index.vr"
    vr.Exact.build(vectors).save(path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert command("info", path).code == 0  # the header is sound
    done = command("info", path, "--check")
    assert (done.code, done.err) == (1, "")
    assert "check: FAILED, " in done.out
    assert "section 'rows' has checksum" in done.out
    done = command("info", path, "--check", "--json")
    assert done.code == 1
    facts = json.loads(done.out)
    assert facts["check"] is False
    assert "checksum" in facts["problem"]


def test_an_invariant_that_is_broken_fails_the_check(command: Command, tmp_path: Path) -> None:
    """Checksums alone would pass."""
    rows = np.full((3, 4), np.nan, np.float32)
    parameters = {"metric": "l2", "dim": 4, "ids": "range", "keep": "auto"}
    path = tmp_path / "index.vr"
    index_file.write(path, kind="exact", parameters=parameters, counts={"n": 3}, sections={"rows": rows})
    done = command("info", path, "--check")
    assert done.code == 1
    assert "check: FAILED" in done.out


def test_a_kind_that_is_not_known_is_shown_but_fails_the_check(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "index.vr"
    index_file.write(path, kind="tree", parameters={}, counts={}, sections={})
    done = command("info", path)
    assert (done.code, done.out.splitlines()[0]) == (0, f"{path}: tree, format 1, {path.stat().st_size:,} bytes")
    assert command("info", path, "--check").code == 1


@pytest.mark.parametrize("options", [[], ["--check"], ["--json"]])
@pytest.mark.parametrize("content", [b"", b"VECRECAL", b"something else" * 20, None])
def test_what_is_no_index_is_one_line_and_exit_code_2(
    command: Command, tmp_path: Path, content: bytes | None, options: list[str]
) -> None:
    path = tmp_path / "foreign.vr"
    if content is not None:
        path.write_bytes(content)
    done = command("info", path, *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("vecrecall: ")
    assert "foreign.vr" in done.err
    assert done.err.count("\n") == 1


def test_names_are_printed_as_they_are(command: Command, tmp_path: Path) -> None:
    """Square brackets are no markup."""
    path = tmp_path / "a[red]b.vr"
    index_file.write(path, kind="exact", parameters={"metric": "[bold]"}, counts={}, sections={})
    shown = command("info", path).out
    assert "a[red]b.vr" in shown
    assert "metric [bold]" in shown
