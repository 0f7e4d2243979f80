"""`vecrecall doctor FILE`: what is wrong with an index that hnswlib, faiss or this library built, and a mended one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecrecall.cli.engines import Metric
from vecrecall.cli.exits import NO

if TYPE_CHECKING:
    from rich.console import Console

_FILE = "An index that hnswlib, faiss (HNSWFlat) or vecrecall saved. It is never changed."
_SPACE = "The metric. A file of hnswlib does not say, so it has to be given there; others say it."
_QUERIES = "Queries, in any format that vecrecall reads. Default: made of rows of the index, moved off the data."
_LABELS = "A group for each row, in the order of the index: .npy, or text with one a line."
_FIX = "File to write: an index of the same vectors with another graph, built in a random order. Both are compared."
_FORMAT = "Of that file. Default: that of FILE, and vecrecall for an index of faiss."
_WIDTH = 1_000  # a table wider than the terminal is broken by it, not cut: every number is there


class Format(str, Enum):
    """Whose index is written."""

    vecrecall = "vecrecall"
    hnswlib = "hnswlib"


def doctor(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_FILE)],
    space: Annotated[Metric | None, typer.Option(help=_SPACE)] = None,
    dim: Annotated[
        int | None, typer.Option(help="Dimensions that the vectors should have; another number is refused.")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help=_QUERIES)] = None,
    labels: Annotated[Path | None, typer.Option(help=_LABELS)] = None,
    ef: Annotated[
        str, typer.Option(help="Candidates held: one, or several between commas. Faults are judged at the greatest.")
    ] = "10,40,128",
    k: Annotated[int, typer.Option("-k", help="Answers of a query.")] = 10,
    sample: Annotated[int, typer.Option(help="Rows that are searched for, and that queries are made of.")] = 1000,
    fix: Annotated[Path | None, typer.Option(help=_FIX)] = None,
    form: Annotated[Format | None, typer.Option("--format", help=_FORMAT)] = None,
    ef_construction: Annotated[
        int | None, typer.Option(help="Candidates looked at for each node of that file. Default: that of FILE.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace that file if it is there.")] = False,
    seed: Annotated[int, typer.Option(help="Of the samples, and of the order of building.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Default: all that the process may use.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Examine an index: its graph, recall against exact search, whether stored rows find themselves, what to do.

    Exit code 0 if it is healthy, 1 if a fault was found; with --fix, if the index that was written has one.

    Example: vecrecall doctor index.bin --space cosine --fix mended.bin
    """
    from vecrecall.analysis.doctor.examining import doctor as examine
    from vecrecall.cli.inputs import read_names
    from vecrecall.cli.outputs import print_json, refuse_to_replace
    from vecrecall.inputs import as_count

    efs = _numbers(ef)
    if ef_construction is not None:
        as_count(ef_construction, "--ef-construction")
    if fix is None:
        given = {
            "--format": form is not None, "--ef-construction": ef_construction is not None, "--force": force,
        }  # fmt: skip
        for option in given:
            if given[option]:
                raise ValueError(f"{option} is for the file that --fix writes; give --fix, or leave {option} out")
    else:
        refuse_to_replace(fix, force, *(path for path in (file, queries, labels) if path is not None))
    groups = None if labels is None else read_names(labels)
    asked = None if queries is None else _queries(queries)
    with _named(queries=queries, labels=labels):
        diagnosis = examine(
            file, dim=dim, space=None if space is None else space.value, queries=asked, labels=groups, k=k, ef=efs,
            sample=sample, seed=seed, threads=threads, progress=True,
        )  # fmt: skip
    if not as_json:
        from vecrecall.analysis.doctor import words

        _print(words.before_table(diagnosis), diagnosis.table(), words.after_table(diagnosis))
    repair = None
    if fix is not None:
        repair = diagnosis.fix(
            fix, format=None if form is None else form.value, ef_construction=ef_construction, force=force, seed=seed,
            threads=threads, progress=True,
        )  # fmt: skip
    if as_json:
        print_json(diagnosis.as_dict() | ({} if repair is None else {"repair": repair.as_dict()}))
    elif repair is not None:
        from vecrecall.analysis.doctor import comparing

        _print(comparing.before_table(repair), repair.table(), comparing.after_table(repair))
    if not (diagnosis if repair is None else repair.after).healthy:
        raise typer.Exit(NO)


def _numbers(words: str) -> list[int]:
    """The numbers of a list between commas."""
    try:
        return [int(word) for word in words.split(",")]
    except ValueError:
        raise ValueError(f"--ef is {words!r}, expected numbers between commas, such as 10,40,128") from None


def _queries(path: Path) -> Any:
    """The dense queries in a file."""
    from vecrecall.cli.inputs import queries_of, read_queries

    asked, _ = queries_of(read_queries(path, None, None, SimpleNamespace(kind="hnsw")), path)
    if hasattr(asked, "nnz"):
        raise ValueError(f"{path}: holds sparse vectors, expected dense ones")
    return asked


@contextmanager
def _named(**files: Path | None) -> Iterator[None]:
    """Name the file in an error that begins with the name of what was read from it."""
    try:
        yield
    except (ValueError, TypeError) as error:
        argument = str(error).partition(" ")[0]
        if files.get(argument) is None:
            raise
        raise ValueError(f"{files[argument]}: {error}") from error


def _print(before: Sequence[str], table: tuple[list[str], list[list[str]]], after: Sequence[str]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, width=_WIDTH)
    for words in before:
        console.print(words, soft_wrap=True)
    if table[1]:
        _print_table(console, *table)
    for words in after:
        console.print(words, soft_wrap=True)


def _print_table(console: Console, headings: list[str], lines: list[list[str]]) -> None:
    from rich.table import Table

    table = Table(*headings)
    for column in table.columns:
        column.justify, column.no_wrap = "right", True
    for line in lines:
        table.add_row(*line)
    console.print(table)
