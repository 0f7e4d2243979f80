"""How a command ends: its exit code, and what went wrong as one line on the error stream."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from vecrecall.errors import VecrecallError

DONE, NO, BAD, FAULT, INTERRUPTED = 0, 1, 2, 70, 130

EPILOG = (
    "Exit codes: 0 done; 1 the answer is no (a check failed, a target recall was not reached); 2 bad input or usage; "
    "70 a fault of the program; 130 interrupted."
)

_MISSED = "was not reached"  # in the words of `vecrecall.curve`


class _Interrupted(BaseException):
    """Ctrl-C, under a name that typer does not catch: its versions end in different ways, some with an empty line."""


class Commands(TyperGroup):
    """The group of all commands; an interrupt passes through it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Interrupted from None


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code.

    What is wrong with the input is one line on the error stream, and so is a warning. A reader that has gone, such
    as ``head``, had what it wanted: that is no error. A fault of the program itself is raised.
    """
    interrupted: list[int] = []
    try:
        with _warnings_as_lines(), _noted_interrupt() as interrupted:
            code = get_command(app).main(list(arguments), prog_name="vecrecall", standalone_mode=False)
        if code == INTERRUPTED:  # before the command began, as some versions of typer say it
            raise _Interrupted
        sys.stdout.flush()
        return code if type(code) is int else DONE
    except (_Interrupted, KeyboardInterrupt):
        return _said("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return _without_reader()
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # how typer and rich leave
            return _without_reader()
        raise
    except _Usage as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # some versions take a group without a word for a mistake
            typer.echo(str(error), nl=False)  # empty where the help was printed as it was made
            return DONE
        return _said(_usage(error))
    except MemoryError as error:
        return _said(f"not enough memory: {error}" if str(error) else "not enough memory")
    except OSError as error:
        return _said(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyError as error:
        return _said(str(error.args[0] if error.args else error))
    except (VecrecallError, ValueError, TypeError, ImportError) as error:
        return _said("interrupted", INTERRUPTED) if interrupted else _said(str(error))
    except Exception:
        if interrupted:  # a compiler makes an error of its own of it
            return _said("interrupted", INTERRUPTED)
        raise


@contextmanager
def _noted_interrupt() -> Iterator[list[int]]:
    """Yield a list that is empty until Ctrl-C is pressed, which is raised as ever."""
    noted: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, frame: Any) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def watched_target() -> Iterator[list[str]]:
    """Yield a list that tells, after the block, whether a target recall was missed in it: it holds the warnings."""
    missed: list[str] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("always", f".*{_MISSED}", UserWarning)
        show = warnings.showwarning

        def see(message: Warning | str, *where: Any, **more: Any) -> None:
            if _MISSED in str(message):
                if str(message) in missed:  # each call of a search in blocks says it anew
                    return
                missed.append(str(message))
            show(message, *where, **more)

        warnings.showwarning = see
        yield missed


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show warnings that are for users as errors are shown; a line of a program says nothing to them."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def say(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, UserWarning):
                _said(f"warning: {message}")
            else:
                show(message, category, *where, **more)

        warnings.showwarning = say
        yield


# the class that all usage errors of typer derive from; it lives in click or in typer itself, by the version
_Usage: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def _usage(error: Any) -> str:
    command = getattr(getattr(error, "ctx", None), "command_path", "vecrecall")
    return f"{error.format_message().rstrip('.')}; see {command} --help"


def _said(message: str, code: int = BAD) -> int:
    print("vecrecall:", " ".join(message.split()), file=sys.stderr)
    return code


def _without_reader() -> int:
    """Give standard output a place to go, or the interpreter complains when it flushes at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # not a file of the system
        pass
    return DONE
