"""`vecrecall bench ...`: the benchmark against other libraries, which lives in a checkout of the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

_MISSING = (
    "the benchmark is not part of the installed package and needs a checkout: there is no bench/__main__.py and "
    "vecrecall/__init__.py in {folder}; clone the repository, change into it, and install it with "
    "pip install --editable '.[bench]'"
)


def bench(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENTS", help="Go to the benchmark as they are.")
    ] = None,
) -> None:
    """Run the benchmark against other libraries: what `python -m bench` does in a checkout of the repository.

    Its exit code comes back. `vecrecall bench run --help` and the like show its own help.

    Example: vecrecall bench run small
    """
    folder = Path.cwd()
    if not all((folder / part).is_file() for part in ("bench/__main__.py", "vecrecall/__init__.py")):
        raise ValueError(_MISSING.format(folder=folder))
    command = [sys.executable, "-m", "bench", *(arguments or ())]
    if os.name == "posix":  # become it: signals and exit codes are then its own
        sys.stdout.flush()
        os.execv(sys.executable, command)
    raise typer.Exit(subprocess.call(command))
