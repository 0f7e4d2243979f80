"""`vecrecall data list | get NAME | make NAME`: sets of vectors to measure on."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from vecrecall.cli.engines import Metric
from vecrecall.cli.exits import EPILOG

if TYPE_CHECKING:
    from vecrecall.datasets.download import Fetched
    from vecrecall.datasets.registry import Recipe


class Order(str, Enum):
    """How the rows of groups stand in a file."""

    shuffled = "shuffled"
    grouped = "grouped"


class Makers(TyperGroup):
    """The commands of `vecrecall data make`: another name is answered with how that set is got, or with close ones."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a name."""
        return super().get_command(ctx, cmd_name) or _not_made(cmd_name)


app = typer.Typer(help="List, download and make sets of vectors to measure on.", epilog=EPILOG)
make = typer.Typer(
    cls=Makers,
    help="Make a synthetic set with the exact answers to its queries; the same options give the same arrays.",
    epilog=EPILOG,
)
app.add_typer(make, name="make")

Json = Annotated[bool, typer.Option("--json", help="Print JSON in place of words.")]
Rows = Annotated[int, typer.Option(help="Rows.")]
Dim = Annotated[int, typer.Option(help="Dimensions of a vector.")]
Intrinsic = Annotated[int, typer.Option(help="Dimension of the subspace that the vectors lie in.")]
Queries = Annotated[int, typer.Option(help="Queries.")]
Near = Annotated[Metric, typer.Option(help="Of the true neighbours.")]
Seed = Annotated[int, typer.Option(help="Of every random choice.")]
Out = Annotated[Path | None, typer.Option(help="File to write.", show_default="NAME.hdf5")]
OutFolder = Annotated[Path | None, typer.Option(help="Folder to write.", show_default="NAME")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]


@make.callback(invoke_without_command=True)
@app.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)


@app.command("list", epilog=EPILOG)
def list_sets(as_json: Json = False) -> None:
    """List the sets that there are: what they hold, their licences, and how each is got.

    Example: vecrecall data list
    """
    from dataclasses import asdict

    from vecrecall.datasets.registry import load_registry

    recipes = load_registry().values()
    if as_json:
        from vecrecall.cli.outputs import print_json

        print_json([{**asdict(recipe), "how": recipe.how} for recipe in recipes])
        return
    for kind, title in (
        ("download", "downloads: vecrecall data get NAME"),
        ("synthetic", "made of random numbers: vecrecall data make NAME (sizes are defaults)"),
        ("checkout", "made in a checkout of the repository, by the commands below"),
    ):
        _print_table(title, [recipe for recipe in recipes if recipe.kind == kind])
    for recipe in recipes:
        if recipe.kind == "checkout":
            typer.echo(recipe.how)


@app.command(epilog=EPILOG)
def get(
    name: Annotated[str, typer.Argument(help="A set of `vecrecall data list`.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="Folder for it.", show_default="$VECRECALL_DATA, or ~/.cache/vecrecall/data")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Download again what is there.")] = False,
    as_json: Json = False,
) -> None:
    """Download a set; what is there already is checked instead.

    Prints where it lies. What was broken off, by Ctrl-C too, goes on where it ended.

    Checksums are compared with the registry's, or with what was seen at the first download.

    Example: vecrecall data get sift-128-euclidean
    """
    from vecrecall.datasets.download import get as get_set

    try:
        path, files = get_set(name, out, force=force, progress=True)
    except KeyboardInterrupt:
        typer.echo("what came so far is kept: the same command goes on from there", err=True)
        raise
    if as_json:
        from vecrecall.cli.outputs import print_json

        print_json({"name": name, "path": str(path), "files": [_facts(file) for file in files]})
        return
    for file in files:
        typer.echo(_sentence(file), err=True)
    typer.echo(str(path))


@make.command("synthetic-dim", epilog=EPILOG)
def synthetic_dim(
    n: Rows = 10_000,
    dim: Dim = 256,
    intrinsic: Intrinsic = 8,
    noise: Annotated[float, typer.Option(help="Standard deviation added to each value; a coordinate's is 1.")] = 0.0,
    queries: Queries = 1_000,
    metric: Near = Metric.l2,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Gaussian vectors of a chosen intrinsic dimension, on a random basis of a larger space.

    Example: vecrecall data make synthetic-dim --n 10000 --dim 256 --intrinsic 8 --seed 0 --out file.hdf5
    """
    options = {"intrinsic": intrinsic, "noise": noise, "metric": metric.value}
    _make("synthetic-dim", out, force, as_json, n=n, dim=dim, n_queries=queries, seed=seed, **options)


@make.command("clustered", epilog=EPILOG)
def clustered(
    n: Rows = 10_000,
    dim: Dim = 64,
    groups: Annotated[int, typer.Option(help="Groups, of equal size.")] = 100,
    spread: Annotated[
        float, typer.Option(help="Standard deviation within a group; that of the centres is 1.")
    ] = 0.2,
    order: Annotated[Order, typer.Option(help="grouped: one group after another.")] = Order.shuffled,
    queries: Queries = 1_000,
    metric: Near = Metric.l2,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Gaussian groups; the group of each row is in train_category, that of each query in test_category.

    Example: vecrecall data make clustered --groups 50 --spread 0.1 --order grouped
    """
    options = {"groups": groups, "spread": spread, "order": order.value, "metric": metric.value}
    _make("clustered", out, force, as_json, n=n, dim=dim, n_queries=queries, seed=seed, **options)


@make.command("duplicates", epilog=EPILOG)
def duplicates(
    n: Rows = 10_000,
    dim: Dim = 64,
    share: Annotated[float, typer.Option(help="Of the rows that are exact copies of others, 0 to 1.")] = 0.5,
    intrinsic: Intrinsic = 16,
    queries: Queries = 1_000,
    metric: Near = Metric.l2,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Gaussian vectors, a share of which are exact copies of others.

    Example: vecrecall data make duplicates --share 0.3
    """
    options = {"share": share, "intrinsic": intrinsic, "metric": metric.value}
    _make("duplicates", out, force, as_json, n=n, dim=dim, n_queries=queries, seed=seed, **options)


@make.command("learned-sparse", epilog=EPILOG)
def learned_sparse(
    n: Rows = 100_000,
    queries: Queries = 1_000,
    seed: Seed = 7,
    out: OutFolder = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Sparse documents and queries with the published statistics of SPLADE on MS MARCO.

    The folder holds base.csr, queries.csr and base.gt, the forms of big-ann-benchmarks.

    Example: vecrecall data make learned-sparse --n 200000 --out generated
    """
    _make("learned-sparse", out, force, as_json, n=n, n_queries=queries, seed=seed)


def _make(name: str, out: Path | None, force: bool, as_json: bool, **options: Any) -> None:
    """Make a set, write it, and say where."""
    from vecrecall.datasets.make import MAKERS

    is_sparse = name == "learned-sparse"
    path = out or Path(name if is_sparse else f"{name}.hdf5")
    (_refuse_folder if is_sparse else _refuse_file)(path, force)  # before minutes of work
    data = MAKERS[name](**options, progress=True)
    if is_sparse:
        from vecrecall.io.sparse_set import write_sparse_set

        write_sparse_set(path, data, force=force)
    else:
        from vecrecall.io.hdf5 import write_hdf5

        write_hdf5(path, data)
    if as_json:
        from vecrecall.cli.outputs import print_json

        print_json({"name": name, "path": str(path), "metric": data.metric, **options})
        return
    n, dim = data.rows.shape
    typer.echo(f"{n:,} rows of {dim:,} dimensions, {data.queries.shape[0]:,} queries, metric {data.metric}", err=True)
    typer.echo(str(path))


def _refuse_folder(path: Path, force: bool) -> None:
    from vecrecall.io.sparse_set import refuse_folder

    refuse_folder(path, force=force)


def _refuse_file(path: Path, force: bool) -> None:
    from vecrecall.cli.outputs import refuse_to_replace

    if path.suffix not in (".hdf5", ".h5"):
        raise ValueError(f"--out is {path}, expected a name that ends in .hdf5, since that is what is written")
    refuse_to_replace(path, force)


def _not_made(name: str) -> NoReturn:
    from vecrecall.datasets.registry import find_recipe

    raise ValueError(f"{name} is not made here: it {find_recipe(name).way}")


def _facts(file: Fetched) -> dict[str, Any]:
    return {"path": str(file.path), "sha256": file.sha256, "loaded": file.loaded, "certain": file.certain}


def _sentence(file: Fetched) -> str:
    verb = "loaded" if file.loaded else "there already, unchanged"
    seen = f"which the registry does not know; kept in {file.path.name}.sha256"
    known = "as the registry says" if file.certain else seen
    return f"{file.path.name}: {verb}, {file.path.stat().st_size:,} bytes, SHA-256 {file.sha256}, {known}"


def _print_table(title: str, recipes: list[Recipe]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console, Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("name and content")  # below one another: room in a narrow terminal
    for column in ("rows x dim", "queries", "metric"):
        table.add_column(column, justify="right", no_wrap=True)
    for recipe in recipes:
        licence = "" if recipe.kind == "synthetic" else f" (licence: {recipe.licence})"
        size = f"{recipe.n:,}" + ("" if recipe.dim is None else f" x {recipe.dim:,}")
        what = Group(Text(recipe.name, "bold"), Padding(Text(recipe.description + licence), (0, 0, 0, 2)))
        table.add_row(what, size, f"{recipe.queries:,}", recipe.metric)
    Console(highlight=False, markup=False).print(table)
