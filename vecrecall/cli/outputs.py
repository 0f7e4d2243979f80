"""What commands write: files that replace none unasked, and JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer


def refuse_to_replace(path: Path, force: bool, *inputs: Path) -> None:
    """Look, before any work is done, whether a file may and can be written.

    Raises
    ------
    ValueError
        If it is there and `force` is not given, is one of the `inputs` or lies in one, or is a folder.
    OSError
        If its folder is missing or may not be written to.
    """
    if path.is_dir():
        raise ValueError(f"{path}: is a folder, expected the name of a file to write")
    for given in inputs:
        if not (path.exists() and given.exists()):
            continue
        if path.samefile(given):
            raise ValueError(f"{path}: would replace what is read; write to another file")
        if given.resolve() in path.resolve().parents:
            raise ValueError(f"{path}: is in the folder that is read, {given}; write to another place")
    if path.exists() and not force:
        raise ValueError(f"{path}: is there already; give --force to replace it, or another name")
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(2, "the folder does not exist; make it first", str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "the folder may not be written to", str(folder))


def refuse_one_twice(*paths: Path) -> None:
    """Refuse two files to write that are one."""
    places = [path.resolve() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise ValueError(f"{path}: was given for two files to write; give each a name of its own")


def check_picture(path: Path) -> None:
    """Refuse the name of a picture whose form matplotlib, which is there, cannot draw."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    known = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in known:
        raise ValueError(f"{path}: ends in {path.suffix!r}, expected one of {', '.join(sorted(known))}")


def print_json(value: Any) -> None:
    """Print a value as one line of JSON; arrays become lists, what is not finite becomes null."""
    typer.echo(as_json(value))


def as_json(value: Any) -> bytes:
    """One line of JSON, without its end.

    Examples
    --------
    >>> import numpy as np
    >>> as_json({"ids": np.array([3, 1]), "recall": np.float64("nan")})
    b'{"ids":[3,1],"recall":null}'
    """
    import orjson

    return orjson.dumps(value, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(value: Any) -> Any:
    """What orjson does not know: arrays of objects, and of other layouts than its own."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
