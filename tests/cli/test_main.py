"""The command line: what it prints, and that an error is one line and exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vecrecall as vr
from vecrecall import file as index_file


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as the installed entry point does."""
    code = "from vecrecall.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A file of a made-up kind: `info` reads the header of any index."""
    path = tmp_path / "index.vr"
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    index_file.write(
        path, kind="exact", parameters={"metric": "l2"}, counts={"n": 3, "dim": 4}, sections={"rows": rows}
    )
    return path


def test_version_is_the_one_of_the_package() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"vecrecall {vr.__version__}\n")


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "warmup" in done.stdout
    assert "info" in done.stdout


def test_info_shows_kind_parameters_counts_and_sections(saved: Path) -> None:
    done = run("info", str(saved))
    assert done.returncode == 0, done.stderr
    for word in ("exact", "format 1", "metric l2", "n 3", "dim 4", "rows", "3 x 4", "48"):
        assert word in done.stdout


@pytest.mark.parametrize("content", [b"", b"VECRECAL", b"something else" * 20])
def test_a_foreign_file_is_one_line_and_exit_code_2(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.vr"
    path.write_bytes(content)
    done = run("info", str(path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("vecrecall: ")
    assert "foreign.vr" in done.stderr


def test_a_missing_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run("info", str(tmp_path / "absent.vr"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "absent.vr" in done.stderr


def test_an_unknown_command_is_exit_code_2() -> None:
    assert run("frobnicate").returncode == 2
