"""`vecrecall order DATA`: the rows of a file in an order of insertion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecrecall.cli.engines import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vecrecall.analysis.ordering import Ordering
    from vecrecall.io.dataset import Dataset

_BY = (
    "random, given, lid_desc, lid_asc, dense_first, sparse_first, central_first, central_last, norm_desc, norm_asc, "
    "category, category_shuffled, round_robin, cluster, cluster_round_robin, coreset."
)
_OUT = "File to write: .npy (int64), or .txt with one number a line; the row at each step, counted from 0."
_LABELS = "Labels of the rows, for orders by label: text with one a line, or .npy. Default: the array train_category."
_KEY = "train_category"  # what sets of this library call the labels of their rows


def order(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Vectors, in any format that vecrecall reads.")],
    out: Annotated[Path, typer.Option(help=_OUT, show_default=False)],
    by: Annotated[str, typer.Option(help=_BY)] = "random",
    labels: Annotated[Path | None, typer.Option(help=_LABELS)] = None,
    labels_key: Annotated[
        str | None, typer.Option(help="Name of another array in DATA that holds the labels.")
    ] = None,
    k: Annotated[int | None, typer.Option("-k", help="Neighbours behind LID and density (default 100).")] = None,
    n_clusters: Annotated[
        int | None, typer.Option(help="Of k-means (default 100, or n / 16 where that is fewer).")
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Of the rows that a coreset holds (default 0.02).")
    ] = None,
    metric: Annotated[Metric | None, typer.Option(help="Default: what DATA says; else l2.")] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="Format of DATA, where its content does not tell.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Default: all that the process may use.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write an order in which the rows of DATA may be inserted into an index.

    By local intrinsic dimension (lid), density, distance to the centre, length, label, cluster of k-means, or farthest
    first (coreset); first and last, desc and asc say what comes first.

    Example: vecrecall order corpus.hdf5 --by lid_desc --out order.npy
    """
    from vecrecall.analysis.orders import ORDERS, orderings
    from vecrecall.cli.inputs import about, read_data, rows_of
    from vecrecall.cli.outputs import refuse_to_replace
    from vecrecall.inputs import as_choice

    as_choice(by, "--by", tuple(ORDERS))
    given = {"labels": labels, "labels_key": labels_key, "k": k, "n_clusters": n_clusters, "share": share}
    _refuse_others(by, given)
    if out.suffix not in (".npy", ".txt"):
        raise ValueError(f"--out is {out}, expected a name that ends in .npy or .txt, since that is what is written")
    refuse_to_replace(out, force, *(path for path in (data, labels) if path is not None))
    dataset = read_data(data, form)
    rows = rows_of(dataset, data)
    space = _metric(dataset.metric, metric, rows, data)
    options: dict[str, Any] = {"k": k, "n_clusters": n_clusters, "share": share}
    if "labels" in ORDERS[by].takes:
        options["labels"] = _labels(dataset, data, by, labels, labels_key)
    with about(data):
        done = orderings(rows, by, metric=space, seed=seed, threads=threads, progress=True, **options)[by]
    _write(out, done.rows)
    facts = {"file": str(out), "by": by, "n": len(done.rows), "metric": space, "seed": seed, **done.facts}
    if as_json:
        from vecrecall.cli.outputs import print_json

        print_json(facts)
    else:
        _show(out, by, done)


def _refuse_others(by: str, given: dict[str, Any]) -> None:
    """Refuse options of other orders."""
    from vecrecall.analysis.orders import ORDERS
    from vecrecall.cli.engines import option

    for name, value in given.items():
        takes = "labels" if name == "labels_key" else name
        if value is not None and takes not in ORDERS[by].takes:
            owners = ", ".join(owner for owner, each in ORDERS.items() if takes in each.takes)
            dashed = "-k" if name == "k" else option(name)
            raise ValueError(f"{dashed} is for {owners}, but --by is {by}; leave it out")
    if given["labels"] is not None and given["labels_key"] is not None:
        raise ValueError("--labels and --labels-key are both given, expected one of them")


def _metric(of_file: str | None, wanted: Metric | None, rows: Any, data: Path) -> str:
    """The metric: of the file and of the command line, which may not contradict each other."""
    import scipy.sparse as sp

    if sp.issparse(rows):
        raise ValueError(f"{data}: holds sparse vectors, expected dense ones")
    if wanted is not None and of_file not in (None, wanted.value):
        raise ValueError(f"{data}: says that its metric is {of_file}, but --metric is {wanted.value}; leave it out")
    return wanted.value if wanted is not None else of_file or "l2"


def _labels(dataset: Dataset, data: Path, by: str, labels: Path | None, key: str | None) -> Any:
    """Labels of the rows, from a file of their own or from an array in DATA; checked, so that a message names it."""
    from vecrecall.analysis.labels import groups_of_labels
    from vecrecall.cli.inputs import read_names

    if labels is not None:
        source, values = str(labels), read_names(labels)
    else:
        source, values = str(data), dataset.attributes.get(key or _KEY)
        if values is None:
            held = ", ".join(dataset.attributes) or "nothing of the kind"
            raise ValueError(
                f"{data}: holds no array {key or _KEY}, by which order {by} would group rows, but {held}; give "
                "--labels FILE with one a line, or the name of an array with --labels-key"
            )
    try:
        groups_of_labels(values, dataset.rows.shape[0])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: {error}") from error
    return values


def _write(out: Path, rows: NDArray[Any]) -> None:
    """Write the numbers of rows, all of them or no file."""
    import numpy as np

    from vecrecall.replacing import replacing

    with replacing(out) as temporary, open(temporary, "xb") as file:
        if out.suffix == ".npy":
            np.lib.format.write_array(file, rows, allow_pickle=False)
        else:
            np.savetxt(file, rows, "%d")


def _show(out: Path, by: str, done: Ordering) -> None:
    typer.echo(f"{out}: {len(done.rows):,} rows in order {by}")
    words = _words(done.facts)
    if words:
        typer.echo(words)
    load = f"numpy.load({str(out)!r})" if out.suffix == ".npy" else f"numpy.loadtxt({str(out)!r}, int, ndmin=1)"
    typer.echo(f"to use it: vecrecall.HNSW.build(X, order={load}); for other libraries, X[order]")


def _words(facts: dict[str, Any]) -> str:
    """What rows were put in order by, in words.

    Examples
    --------
    >>> _words({"key": "length", "undefined": 1, "least": 0.5, "median": 1.0, "greatest": 2.0})
    'length: from 0.5 to 2, median 1; undefined for 1 row, placed at the median'
    >>> _words({"key": "label", "groups": 3, "smallest": 1, "largest": 2000})
    'label: 3 groups of 1 to 2,000 rows'
    """
    if "groups" in facts:
        sizes = f" of {facts['smallest']:,} to {facts['largest']:,} rows" if facts["groups"] else ""
        return f"{facts['key']}: {facts['groups']:,} groups{sizes}"
    if "picks" in facts:
        radius = f"{facts['radius']:.4g}"
        return f"{facts['key']}: {facts['picks']:,} rows, then the others as given; covering radius {radius}"
    if "key" not in facts:
        return ""
    n = facts["undefined"]
    undefined = f"undefined for {n:,} row{'s' * (n > 1)}, placed at the median" if n else ""
    if "least" not in facts:
        return f"{facts['key']}: {undefined or 'of no rows'}"
    said = f"from {facts['least']:.4g} to {facts['greatest']:.4g}, median {facts['median']:.4g}"
    return f"{facts['key']}: {said}" + f"; {undefined}" * bool(undefined)
