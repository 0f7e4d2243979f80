"""The command line: its commands and how an error is shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from vecrecall import __version__
from vecrecall.errors import VecrecallError

app = typer.Typer(
    help="Approximate nearest neighbour search whose contract is recall.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vecrecall {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


@app.command()
def warmup() -> None:
    """Compile every kernel now, into the cache on disk, so that no later process has to."""
    from vecrecall.cli.warmup import compile_all

    compile_all()


@app.command()
def info(file: Annotated[Path, typer.Argument(help="A saved index.", show_default=False)]) -> None:
    """Show what a saved index holds: its kind, parameters, counts and sections."""
    from vecrecall.cli.info import show

    show(file)


def main() -> None:
    """Run the command; what goes wrong is one line on the error stream and exit code 2."""
    try:
        app()
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (VecrecallError, ValueError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    print("vecrecall:", " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
