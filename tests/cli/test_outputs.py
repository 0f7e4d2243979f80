"""Files that commands write: never one that they read, and never two as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command

# a command, what it reads by its place in the line, what writes, and options that read more
LINES: list[tuple[str, list[str], str, list[str]]] = [
    ("build", ["DATA"], "", ["--ids"]),
    ("search", ["INDEX", "QUERIES"], "--out", ["--documents"]),
    *[
        ("sweep", ["DATA"], option, ["--queries", "--truth", "--qrels", "--documents"])
        for option in ("--csv", "--parquet", "--plot")
    ],
]
CASES = [
    (" ".join([name, *read, option, "OUT"]), place)
    for name, read, option, options in LINES
    for place in [*read, *options]
]


@pytest.mark.parametrize(("line", "place"), CASES)
def test_force_never_replaces_a_file_that_is_read(
    line: str, place: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATA", "INDEX", "QUERIES", "precious.npz"):
        Path(name).write_text("precious")
    words = ["precious.npz" if word in ("OUT", place) else word for word in line.split()]
    words += [place, "./precious.npz"] if place.startswith("--") else []
    done = command(*words, "--force")
    assert (done.code, done.out) == (2, "")
    assert "precious.npz: would replace what is read" in done.err
    assert Path("precious.npz").read_text() == "precious"


def test_force_replaces_nothing_in_a_folder_that_is_read(command: Command, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "corpus.jsonl").write_text("precious")
    done = command("build", tmp_path / "set", tmp_path / "set" / "corpus.jsonl", "--force")
    assert done.code == 2 and "is in the folder that is read" in done.err
    assert (tmp_path / "set" / "corpus.jsonl").read_text() == "precious"


@pytest.mark.parametrize("options", [("--csv", "--parquet"), ("--csv", "--plot"), ("--parquet", "--plot")])
def test_two_files_are_not_written_as_one(
    options: tuple[str, str], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.eye(4))
    done = command("sweep", "rows.npy", options[0], "c.png", options[1], "./c.png")
    assert (done.code, done.out) == (2, "")
    assert "c.png: was given for two files to write" in done.err
    assert not Path("c.png").exists()
