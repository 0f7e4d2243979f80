"""`vecrecall dimension DATA`: intrinsic dimension by several methods, as a table."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecrecall.cli.engines import Metric

if TYPE_CHECKING:
    from vecrecall.analysis.estimating.results import Dimensions

_METHOD = "all, or some of mle, mom, twonn, gride, lpca between commas."
_DUPLICATES = "Equal rows: merge counts them as one, drop does not count them as neighbours, keep does, error refuses."
_POINTWISE = "File to write a value for each row to, as CSV (mle, mom, lpca); undefined ones are empty."
_WIDTH = 1_000  # a table wider than the terminal is broken by it, not cut: every number is there


class Duplicates(str, Enum):
    """What becomes of equal rows."""

    merge = "merge"
    drop = "drop"
    keep = "keep"
    error = "error"


class Convention(str, Enum):
    """The numerator of maximum likelihood."""

    levina_bickel = "levina-bickel"
    unbiased = "unbiased"
    amsaleg = "amsaleg"


def dimension(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Vectors, in any format that vecrecall reads.")],
    method: Annotated[str, typer.Option(help=_METHOD)] = "all",
    k: Annotated[
        str | None, typer.Option("-k", help="Neighbours of each row: one, or several between commas (default 100).")
    ] = None,
    metric: Annotated[Metric | None, typer.Option(help="l2 or cosine. Default: what DATA says; else l2.")] = None,
    duplicates: Annotated[Duplicates, typer.Option(help=_DUPLICATES)] = Duplicates.merge,
    convention: Annotated[
        Convention | None, typer.Option(help="Numerator of mle: k - 1 (levina-bickel), k - 2, or k.")
    ] = None,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Let an index find the neighbours, and measure its error.")
    ] = False,
    recall: Annotated[
        float | None, typer.Option(help="Share of the neighbours that it is to find (default 0.99).")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Take the first so many rows.")] = None,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Default: all that the process may use.")] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="Format of DATA, where its content does not tell.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="File to write the table to.")] = None,
    pointwise: Annotated[Path | None, typer.Option(help=_POINTWISE)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace those files if they are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Estimate the intrinsic dimension of the rows in DATA, from one search for neighbours.

    Estimates differ by method and k, and depend on how many rows there are: the table gives all of these. GRIDE is at
    several scales, from the nearest neighbours (n1=1) outwards.

    Example: vecrecall dimension corpus.hdf5 -k 20,100 --csv table.csv --pointwise lid.csv
    """
    from vecrecall.analysis.dimensions import dimension as estimate
    from vecrecall.cli.inputs import about, read_data, rows_of
    from vecrecall.cli.outputs import refuse_one_twice, refuse_to_replace
    from vecrecall.inputs import as_count

    outputs = [path for path in (csv, pointwise) if path is not None]
    for out in outputs:
        refuse_to_replace(out, force, data)
    refuse_one_twice(*outputs)
    if recall is not None and not approximate:
        raise ValueError(
            f"--recall is {recall}, but exact search finds all neighbours; give --approximate, or leave it out"
        )
    methods: Any = method if method == "all" else method.split(",")
    _refuse_without_values(methods, pointwise)
    limit = None if limit is None else as_count(limit, "--limit")
    options: dict[str, Any] = {
        "k": _counts(k), "duplicates": duplicates.value, "convention": None if convention is None else convention.value,
        "exact": not approximate, "recall": recall, "seed": seed, "threads": threads,
    }  # fmt: skip
    dataset = read_data(data, form)
    rows = rows_of(dataset, data)
    space = _metric(dataset.metric, metric, rows, data)
    with about(data):
        found: Any = estimate(rows[:limit], methods, metric=space, progress=True, **options)
    if csv is not None:
        found.to_csv(csv)
    if pointwise is not None:
        _write_pointwise(found, pointwise)
    (_print_object if as_json else _print_table)(data, found)


def _refuse_without_values(methods: Any, pointwise: Path | None) -> None:
    """Refuse a file of values for rows, before any search, where no method has some."""
    from vecrecall.analysis.estimating.methods import METHODS

    known = [name for name in methods if name in METHODS]
    if pointwise is not None and methods != "all" and known and not any(METHODS[name].pointwise for name in known):
        raise ValueError(f"--pointwise is {pointwise}, but no value for rows comes from {', '.join(known)}; add mle")


def _counts(k: str | None) -> int | list[int] | None:
    """Numbers of neighbours between commas."""
    if k is None:
        return None
    try:
        counts = [int(word) for word in k.split(",")]
    except ValueError:
        raise ValueError(f"-k is {k!r}, expected a number, or several between commas, such as 20,100") from None
    return counts if len(counts) > 1 else counts[0]


def _metric(of_file: str | None, wanted: Metric | None, rows: Any, data: Path) -> str:
    """What distances are: as wanted, even where the file says otherwise, since inner products are none."""
    import scipy.sparse as sp

    if sp.issparse(rows):
        raise ValueError(f"{data}: holds sparse vectors, expected dense ones")
    if wanted is not None:
        return wanted.value
    if of_file == "ip":
        raise ValueError(f"{data}: says that its metric is ip, which is no distance; give --metric cosine, or l2")
    return of_file or "l2"


def _write_pointwise(found: Dimensions, path: Path) -> None:
    """A column for each estimate that has values for rows."""
    from vecrecall.analysis.files import csv_of, save

    columns = {
        key if isinstance(key, str) else "{}_k{}".format(*key): each.pointwise
        for key, each in found.items()
        if each.pointwise is not None
    }
    lists = [["" if value != value else value for value in values.tolist()] for values in columns.values()]
    save(path, csv_of([dict(zip(("row", *columns), (row, *line))) for row, line in enumerate(zip(*lists))]))


def _print_table(data: Path, found: Dimensions) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, emoji=False, width=_WIDTH)
    console.print(f"{data}: {found.headline()}", soft_wrap=True)
    headings, lines = found.table()
    table = Table(*headings)
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for line in lines:
        table.add_row(*line)
    console.print(table)
    curve = [scale for each in found.values() for scale in each.curve]
    if curve:
        scales = Table("n1", "radius", "GRIDE", "standard error", "rows used")
        for column in scales.columns:
            column.justify = "right"
        for scale in curve:
            scales.add_row(
                str(scale.n1), f"{scale.radius:.4g}", f"{scale.estimate:.4g}", f"{scale.standard_error:.2g}",
                f"{scale.n_used:,}",
            )  # fmt: skip
        console.print(scales)


def _print_object(data: Path, found: Dimensions) -> None:
    from vecrecall.cli.outputs import print_json

    estimates = [each.as_dict() for each in found.values()]
    shared = ("n", "metric", "duplicates", "n_duplicates", "neighbours", "recall")
    facts = {name: estimates[0][name] for name in shared}
    own = [{name: value for name, value in each.items() if name not in shared} for each in estimates]
    print_json({"file": str(data), **facts, "estimates": own})
