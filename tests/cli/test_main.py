"""The command line as a whole: its commands, their help, and what it costs to ask for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

import vecrecall as vr
from tests.cli.conftest import Command
from vecrecall.cli.exits import EPILOG
from vecrecall.cli.main import app

COMMANDS = ["build", "search", "recall", "sweep", "info", "dimension", "order", "doctor", "warmup", "bench", "data"]
GROUP = typer.main.get_command(app)


def words_of(text: str) -> str:
    """Help as one line, without the frames around it."""
    return " ".join(text.replace("│", " ").split())


def test_the_commands_are_these() -> None:
    assert sorted(GROUP.commands) == sorted(COMMANDS)  # type: ignore[attr-defined]


def test_version_is_the_one_of_the_package(command: Command) -> None:
    assert command("--version") == (0, f"vecrecall {vr.__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_names_every_command_and_the_exit_codes(command: Command, arguments: list[str]) -> None:
    done = command(*arguments)
    assert (done.code, done.err) == (0, "")
    for name in COMMANDS:
        assert f"│ {name} " in done.out
    assert words_of(EPILOG) in words_of(done.out)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_and_the_exit_codes(command: Command, name: str) -> None:
    done = command(name, "--help")
    assert (done.code, done.err) == (0, "")
    shown = words_of(done.out)
    assert "Exit codes: " in shown
    if name != "data":  # a group; its commands have examples
        assert f"Example: vecrecall {name}" in shown


def nodes(group: object, path: tuple[str, ...] = ()) -> list[tuple[str, object]]:
    """Every command with its words."""
    found: list[tuple[str, object]] = []
    for name, node in group.commands.items():  # type: ignore[attr-defined]
        found += nodes(node, (*path, name)) if hasattr(node, "commands") else [(" ".join((*path, name)), node)]
    return found


@pytest.mark.parametrize(("name", "node"), nodes(GROUP), ids=[name for name, _ in nodes(GROUP)])
def test_every_option_and_argument_says_what_it_is(name: str, node: object) -> None:
    params = [param for param in node.params if param.name != "help"]  # type: ignore[attr-defined]
    assert [param.name for param in params if not param.help] == []


@pytest.mark.parametrize("name", ["build", "search", "recall", "sweep", "info", "warmup", "data list"])
def test_what_prints_results_prints_json(name: str) -> None:
    node = dict(nodes(GROUP))[name]
    assert any("--json" in param.opts for param in node.params)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(["frobnicate"], "No such command"), (["info"], "Missing argument"), (["--frobnicate"], "No such option")],
)
def test_wrong_usage_is_one_line_and_exit_code_2(command: Command, arguments: list[str], part: str) -> None:
    done = command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert part in done.err
    assert done.err.startswith("vecrecall: ")
    assert done.err.count("\n") == 1


def test_help_loads_neither_numpy_nor_a_kernel() -> None:
    code = (
        "import sys\nfrom vecrecall.cli.exits import run\nfrom vecrecall.cli.main import app\n"
        f"codes = [run(app, words.split() + ['--help']) for words in {['', *COMMANDS, 'data list']}]\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)\nsys.exit(any(codes))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "typer" in loaded
    assert loaded & {"numpy", "numba", "scipy", "h5py", "pandas", "matplotlib", "orjson"} == set()


def test_the_entry_point_exits_with_the_code(
    process: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = process("info", tmp_path / "absent.vr")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "absent.vr: No such file" in done.stderr
    assert process("--version").returncode == 0
