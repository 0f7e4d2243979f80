"""The command line: its commands.

Their modules import what they need when they run, so that `vecrecall --help` costs no more than typer.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from vecrecall import __version__
from vecrecall.cli import data
from vecrecall.cli.bench import bench
from vecrecall.cli.build import build
from vecrecall.cli.dimension import dimension
from vecrecall.cli.doctor import doctor
from vecrecall.cli.exits import EPILOG, FAULT, Commands, run
from vecrecall.cli.info import info
from vecrecall.cli.order import order
from vecrecall.cli.recall import recall
from vecrecall.cli.search import search
from vecrecall.cli.sweep import sweep
from vecrecall.cli.warmup import warmup


def in_paragraphs(command: Callable[..., None]) -> str:
    """What a command's docstring says; typer would keep its ends of lines."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


app = typer.Typer(
    cls=Commands,
    help="Approximate nearest neighbour search whose contract is recall.",
    epilog=EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)
for command in (build, search, recall, sweep, dimension, order, doctor, info, warmup):
    app.command(help=in_paragraphs(command), epilog=EPILOG)(command)
app.add_typer(data.app, name="data", epilog=EPILOG)
# options after the first word are the benchmark's own
app.command(
    help=in_paragraphs(bench),
    epilog="Exit codes: those of the benchmark; 2 without a checkout.",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
)(bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vecrecall {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)


def main() -> None:
    """Run the command line of this process and exit with its code."""
    try:
        code = run(app, sys.argv[1:])
    except Exception:
        traceback.print_exc()
        code = FAULT  # 1 would be an answer
    sys.exit(code)
