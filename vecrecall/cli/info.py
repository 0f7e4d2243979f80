"""`vecrecall info FILE`: what a saved index holds, read from its header alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecrecall.cli.exits import NO

if TYPE_CHECKING:
    from vecrecall.file import File

_CHECK = "Also read all of it: every checksum, and every invariant of the index. Exit code 1 if one is broken."
_SETTINGS = ("graph", "lists", "sparse")  # what engines call the parameters that a caller gave


def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A saved index.")],
    check: Annotated[bool, typer.Option("--check", help=_CHECK)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what a saved index holds: its kind, metric, size, parameters, and bytes by section.

    Example: vecrecall info corpus.vr --check
    """
    from vecrecall import file as index_file

    content = index_file.read(file)
    problem = _problem(file) if check else None
    facts = _facts(content, file) | ({"check": problem is None, "problem": problem} if check else {})
    if as_json:
        from vecrecall.cli.outputs import print_json

        print_json(facts)
    else:
        _print(facts)
    if problem is not None:
        raise typer.Exit(NO)


def _problem(file: Path) -> str | None:
    """What is broken in the file, if anything."""
    from vecrecall.errors import IndexFileError
    from vecrecall.loading import load

    try:
        load(file, verify=True)
    except IndexFileError as error:
        return str(error)
    return None


def _facts(content: File, file: Path) -> dict[str, Any]:
    parameters = content.parameters
    return {
        "file": str(file),
        "kind": content.kind,
        "format": content.version,
        "bytes": file.stat().st_size,
        "metric": parameters.get("metric"),
        "dim": parameters.get("dim"),
        "n": content.counts.get("n"),
        "ids": parameters.get("ids"),
        "storage": _storage(parameters),
        "keep": _given(parameters).get("keep"),
        "counts": content.counts,
        "parameters": parameters,
        "sections": [
            {"name": name, "dtype": str(array.dtype), "shape": array.shape, "bytes": array.nbytes}
            for name, array in content.sections.items()
        ],
    }


def _storage(parameters: dict[str, Any]) -> str | None:
    """The codes that are searched: as decided by the data, or as given while there were too few to decide."""
    codec = parameters.get("codec")
    decided = codec.get("storage") if isinstance(codec, dict) else None
    return decided or _given(parameters).get("storage")


def _given(parameters: dict[str, Any]) -> dict[str, Any]:
    return next((parameters[name] for name in _SETTINGS if isinstance(parameters.get(name), dict)), parameters)


def _print(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    title = f"{facts['file']}: {facts['kind']}, format {facts['format']}, {facts['bytes']:,} bytes"
    console.print(title, soft_wrap=True)
    what = {name: facts[name] for name in ("n", "dim", "metric", "ids", "storage", "keep") if facts[name] is not None}
    console.print(", ".join(f"{name} {_words(value)}" for name, value in what.items()), soft_wrap=True)
    for title in ("counts", "parameters"):
        console.print(f"{title}: {_listed(facts[title])}", soft_wrap=True)
    table = Table("section", "dtype", "shape", "bytes", "share")
    for column in table.columns[3:]:
        column.justify = "right"
    total = sum(section["bytes"] for section in facts["sections"])
    for section in facts["sections"]:
        shape = " x ".join(map(str, section["shape"]))
        share = f"{section['bytes'] / max(total, 1):.1%}"
        table.add_row(section["name"], section["dtype"], shape, f"{section['bytes']:,}", share)
    console.print(table)
    if "check" in facts:
        console.print("check: passed" if facts["check"] else f"check: FAILED, {facts['problem']}", soft_wrap=True)


def _listed(values: dict[str, Any]) -> str:
    """Values by name, those within values in brackets."""
    words = (f"({_listed(value)})" if isinstance(value, dict) else str(value) for value in values.values())
    return ", ".join(f"{name} {word}" for name, word in zip(values, words))


def _words(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
