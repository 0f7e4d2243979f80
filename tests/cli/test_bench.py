"""`vecrecall bench` hands over to the benchmark of a checkout, or says what is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import vecrecall
from tests.cli.conftest import Command

Process = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = "import sys\nprint(sys.argv[1:])\nsys.exit(int(sys.argv[-1]) if sys.argv[-1].isdecimal() else 0)\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout; its benchmark prints what it is given and ends with the last number."""
    for name, content in (("bench/__main__.py", PROGRAM), ("bench/__init__.py", ""), ("vecrecall/__init__.py", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.mark.parametrize("there", [None, "bench/__main__.py", "vecrecall/__init__.py"])
def test_without_a_checkout_it_says_how_to_get_one(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str | None
) -> None:
    if there is not None:  # of another project
        (tmp_path / there).parent.mkdir()
        (tmp_path / there).write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    done = command("bench", "run", "small")
    assert (done.code, done.out) == (2, "")
    assert "needs a checkout" in done.err
    assert "clone the repository" in done.err
    assert "pip install" in done.err
    assert done.err.count("\n") == 1


def test_arguments_and_exit_code_pass_through(checkout: Path) -> None:
    root = Path(vecrecall.__file__).parents[1]
    # the installed package, not that of the folder
    code = f"import sys; sys.path[0] = {str(root)!r}; from vecrecall.cli.main import main; main()"
    given = ["run", "small", "--data", "DIR", "--help", "-k", "3", "7"]
    done = subprocess.run([sys.executable, "-c", code, "bench", *given], capture_output=True, text=True, cwd=checkout)
    assert (done.returncode, done.stdout, done.stderr) == (7, f"{given}\n", "")


def test_its_own_help_is_shown_without_a_checkout(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("bench", "--help")
    assert done.code == 0
    assert "Exit codes: those of the benchmark" in done.out
