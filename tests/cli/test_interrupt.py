"""Ctrl-C, a full disk and a reader that goes away leave no half file behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vecrecall as vr
from tests.cli.conftest import ENTRY, Command

# tells when a build is under way; what it prints instead of the bar is the first sign of life
TELLING = """
import contextlib, signal, vecrecall.progress

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background inherits that it is ignored

@contextlib.contextmanager
def telling(label, total, wanted):
    def advance(done):
        print(label, done, total, flush=True)
    yield advance

vecrecall.progress.progress_bar = telling
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_ctrl_c_in_the_midst_of_a_build_leaves_nothing(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((50_000, 32), dtype=np.float32)
    np.save(tmp_path / "rows.npy", rows)
    command = ["build", str(tmp_path / "rows.npy"), str(tmp_path / "out.vr"), "--engine", "hnsw", "--storage", "f32"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", TELLING + ENTRY, *command], **pipes) as process:  # type: ignore[call-overload]
        label, done, total = process.stdout.readline().split()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (label, total) == ("inserting", "50000")
    assert int(done) < 50_000, "the build was over before it could be interrupted"
    assert process.returncode == 130
    assert err == "vecrecall: interrupted\n"
    assert "out.vr" not in out
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]


@pytest.mark.parametrize(
    ("out", "there", "error", "code"),
    [(f"found{suffix}", True, KeyboardInterrupt(), 130) for suffix in (".npz", ".tsv", ".jsonl", ".run")]
    + [("index.vr", True, KeyboardInterrupt(), 130)]
    + [(out, False, OSError(28, "No space left on device"), 2) for out in ("index.vr", "found.npz", "found.jsonl")],
)
def test_an_end_while_the_file_is_written_leaves_the_old_one_or_none(
    command: Command, rows: Path, queries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    out: str, there: bool, error: BaseException, code: int,
) -> None:  # fmt: skip
    vr.Exact.build(np.load(rows)).save(tmp_path / "saved.vr")
    if there:
        (tmp_path / out).write_text("old")
    before = sorted(path.name for path in tmp_path.iterdir())

    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    arguments = ["build", rows, tmp_path / out] if out == "index.vr" else ["search", tmp_path / "saved.vr", queries]
    done = command(*arguments, *([] if out == "index.vr" else ["--out", tmp_path / out]), "--force")
    assert (done.code, done.out) == (code, "")
    assert done.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    if there:
        assert (tmp_path / out).read_text() == "old"


def test_a_reader_that_has_enough_ends_a_search_quietly(tmp_path: Path) -> None:
    rows = np.zeros((5_000, 2), np.float32)
    np.save(tmp_path / "rows.npy", rows)
    vr.Exact.build(rows[:50]).save(tmp_path / "index.vr")
    line = [sys.executable, "-c", ENTRY, "search", str(tmp_path / "index.vr"), str(tmp_path / "rows.npy"), "-k", "50"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(line, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline().startswith(b"0\t0 0\t1 0\t")
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)
