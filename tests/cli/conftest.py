"""Commands run as the entry point runs them: in this process, or in one of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from vecrecall.cli.exits import run
from vecrecall.cli.main import app

ENTRY = "from vecrecall.cli.main import main; main()"


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, where kernels are compiled once."""

    def run_here(*arguments: Any) -> Done:
        capsys.readouterr()
        code = run(app, [str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return run_here


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a process of its own."""

    def run_there(*arguments: Any) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", ENTRY, *(str(argument) for argument in arguments)]
        return subprocess.run(line, capture_output=True, text=True)

    return run_there


@pytest.fixture(scope="session")
def vectors() -> np.ndarray:
    """Few enough rows to be scanned exactly: no codes are trained."""
    return np.random.default_rng(0).standard_normal((200, 12), dtype=np.float32)


@pytest.fixture
def rows(tmp_path: Path, vectors: np.ndarray) -> Path:
    """The vectors in a file."""
    np.save(tmp_path / "rows.npy", vectors)
    return tmp_path / "rows.npy"


@pytest.fixture
def queries(tmp_path: Path, vectors: np.ndarray) -> Path:
    """Five of the vectors, from row 10 on."""
    np.save(tmp_path / "queries.npy", vectors[10:15])
    return tmp_path / "queries.npy"
