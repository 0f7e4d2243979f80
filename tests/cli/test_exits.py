"""Exit codes, and that whatever goes wrong is one line on the error stream and nothing on the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from typing import Any

import pytest
import typer

from vecrecall.cli.exits import BAD, DONE, FAULT, INTERRUPTED, NO, Commands, run, watched_target
from vecrecall.errors import CorruptIndexError, IndexFileError


def app_of(function: object) -> typer.Typer:
    """A command line of two commands: one alone would have no name."""
    app = typer.Typer(cls=Commands)
    app.command("work")(function)  # type: ignore[type-var]
    app.command("rest")(lambda: None)
    return app


def raising(error: BaseException) -> typer.Typer:
    def work() -> None:
        raise error

    return app_of(work)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("k is 0,\nexpected 1"), "k is 0, expected 1"),
        (TypeError("X is sparse"), "X is sparse"),
        (KeyError("id 7 is not in the index"), "id 7 is not in the index"),
        (IndexFileError("a.vr: torn"), "a.vr: torn"),
        (CorruptIndexError("an id occurs twice"), "an id occurs twice"),
        (FileNotFoundError(2, "No such file or directory", "a.npy"), "a.npy: No such file or directory"),
        (OSError("no space left"), "no space left"),
        (MemoryError(), "not enough memory"),
        (MemoryError("Unable to allocate 9 TiB"), "not enough memory: Unable to allocate 9 TiB"),
        (ModuleNotFoundError("no matplotlib; install it"), "no matplotlib; install it"),
        (typer.BadParameter("unknown set"), "Invalid value: unknown set; see vecrecall work --help"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(error), ["work"]) == BAD == 2
    assert capsys.readouterr() == ("", f"vecrecall: {line}\n")


def test_an_interrupt_is_one_line_and_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(KeyboardInterrupt()), ["work"]) == INTERRUPTED == 130
    assert capsys.readouterr() == ("", "vecrecall: interrupted\n")


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()), ["work"])


@pytest.mark.parametrize("code", [DONE, NO, BAD])
def test_a_command_chooses_its_exit_code(code: int) -> None:
    assert run(raising(typer.Exit(code)), ["work"]) == code


def test_what_a_command_returns_is_no_exit_code() -> None:
    assert run(app_of(lambda: "text"), ["work"]) == DONE


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(["wrok"], "No such command 'wrok'"), (["work", "--fast"], "No such option: --fast"), (["work", "x"], "extra")],
)
def test_wrong_usage_is_one_line_that_points_to_the_help(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app_of(lambda: None), arguments) == BAD
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("vecrecall: ")
    assert part in shown.err
    assert shown.err.endswith("--help\n")
    assert shown.err.count("\n") == 1


def test_a_warning_for_users_is_one_line_without_a_place_in_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("2 zero row vectors", UserWarning, stacklevel=1)

    assert run(app_of(work), ["work"]) == DONE
    assert capsys.readouterr() == ("", "vecrecall: warning: 2 zero row vectors\n")


def test_a_target_that_was_missed_is_seen_and_still_shown(capsys: pytest.CaptureFixture[str]) -> None:
    from vecrecall.curve import warn_of_missed_target

    seen = []

    def work() -> None:
        with watched_target() as missed:
            warn_of_missed_target(0.9, 0.95, "ef")
        seen.append(list(missed))
        with watched_target() as missed:
            warn_of_missed_target(0.99, 0.5, "ef")
        seen.append(list(missed))

    assert run(app_of(work), ["work"]) == DONE
    assert [len(missed) for missed in seen] == [0, 1]
    assert "0.99" in capsys.readouterr().err


WRITERS = {
    "echo": "[typer.echo('x' * 1000) for _ in range(1000)]",
    "rich": "[Console().print('x' * 70) for _ in range(9000)]",
    "buffered": "print('x')",  # seen when the stream is flushed at the end only
}


@pytest.mark.parametrize("writing", WRITERS)
def test_a_reader_that_has_gone_ends_a_command_quietly(writing: str) -> None:
    code = (
        "import sys, typer\nfrom rich.console import Console\nfrom vecrecall.cli.exits import Commands, run\n"
        f"app = typer.Typer(cls=Commands)\n@app.command()\ndef work(): {WRITERS[writing]}\n"
        "@app.command()\ndef rest(): pass\nsys.stdin.readline()\nsys.exit(run(app, ['work']))"
    )
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    pipes["env"] = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        process.stdout.close()
        process.stdin.write(b"now\n")
        process.stdin.close()
        assert (process.stderr.read(), process.wait()) == (b"", DONE)


def test_an_interrupt_that_a_compiler_turns_into_an_error_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("no compiled object yet") from None

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    try:
        assert run(app_of(work), ["work"]) == INTERRUPTED
        assert capsys.readouterr() == ("", "vecrecall: interrupted\n")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_fault_has_a_traceback_and_a_code_of_its_own() -> None:
    code = "from vecrecall.cli import main\nmain.run = lambda app, arguments: 1 / 0\nmain.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == FAULT == 70 and "ZeroDivisionError" in done.stderr


def test_the_package_is_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "vecrecall", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("vecrecall ")
