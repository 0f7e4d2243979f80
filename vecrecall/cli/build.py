"""`vecrecall build DATA OUT`: an index of the vectors in a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from vecrecall.cli.engines import BUILDING, Engine, Metric, chosen
from vecrecall.cli.exits import NO, watched_target

_OUT = "File to write, all of it or none; its name is yours to choose (.vr says what it is)."


def build(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Vectors, in any format that vecrecall reads.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help=_OUT)],
    metric: Annotated[
        Metric | None, typer.Option(help="Default: what DATA says; else l2, and ip for sparse vectors.")
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="auto: sparse for sparse vectors, exact for --target-recall 1, else ivf.")
    ] = Engine.auto,
    target_recall: Annotated[
        float | None, typer.Option(help="Recall that searches aim for, measured on DATA (hnsw, ivf, auto).")
    ] = None,
    ids: Annotated[
        Path | None, typer.Option(help="Names of the rows: text with one a line, or .npy. Default: those in DATA.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="Format of DATA, where its content does not tell.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of every random choice (default 0).")] = None,
    threads: Annotated[int | None, typer.Option(help="Default: all that the process may use.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    M: Annotated[int | None, typer.Option("--M", help="Links of a node.", rich_help_panel="hnsw")] = None,
    ef_construction: Annotated[
        int | None, typer.Option(help="Candidates looked at for each new node.", rich_help_panel="hnsw")
    ] = None,
    ef: Annotated[int | None, typer.Option(help="Default of searches.", rich_help_panel="hnsw")] = None,
    order: Annotated[str | None, typer.Option(help="random or given: of insertion.", rich_help_panel="hnsw")] = None,
    schedule: Annotated[str | None, typer.Option(help="parallel or sequential.", rich_help_panel="hnsw")] = None,
    n_lists: Annotated[
        int | None, typer.Option(help="Lists that vectors are shared among.", rich_help_panel="ivf")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Codes: auto, sq4, sq8, f16, f32 (ivf: sq4, sq8).", rich_help_panel="hnsw and ivf"),
    ] = None,
    reduce: Annotated[
        str | None, typer.Option(help="Dimensions of codes: auto, none or a number.", rich_help_panel="hnsw and ivf")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Rows kept: auto, u8, f16, f32, none (sparse: f24, f32; exact: auto, uint8, float16, float32).",
            rich_help_panel="hnsw and ivf",
        ),
    ] = None,
    layout: Annotated[str | None, typer.Option(help="impact or blocked.", rich_help_panel="sparse")] = None,
    n_postings: Annotated[int | None, typer.Option(help="Longest posting list.", rich_help_panel="sparse")] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Share of a document's weights in the lists.", rich_help_panel="sparse")
    ] = None,
) -> None:
    """Build an index of the vectors in DATA and save it to OUT.

    Example: vecrecall build corpus.npy corpus.vr --metric cosine --engine hnsw
    """
    from vecrecall.cli.inputs import about, read_data, read_names, rows_of
    from vecrecall.cli.outputs import refuse_to_replace
    from vecrecall.inputs import as_recall

    given = {
        "M": M, "ef_construction": ef_construction, "ef": ef, "order": order, "schedule": schedule, "n_lists": n_lists,
        "storage": storage, "reduce": _reduce(reduce), "keep": keep, "layout": layout, "n_postings": n_postings,
        "alpha": alpha, "target_recall": target_recall, "seed": seed,
    }  # fmt: skip
    if target_recall is not None:
        as_recall(target_recall, "--target-recall")
    refuse_to_replace(out, force, *(path for path in (data, ids) if path is not None))
    if engine is not Engine.auto:  # before a long read
        chosen(BUILDING, engine.value, given)
    dataset = read_data(data, form)
    rows = rows_of(dataset, data)
    names = dataset.ids if ids is None else read_names(ids)
    before = time.perf_counter()
    with watched_target() as missed, about(data, ids):
        space = _metric(dataset.metric, metric, rows, data)
        index = _built(rows, engine, given, data, metric=space, ids=names, threads=threads)
    seconds = time.perf_counter() - before
    index.save(out)
    _show(index, out, seconds, as_json, target_recall is None or not missed)
    if missed:
        raise typer.Exit(NO)


def _built(rows: Any, engine: Engine, given: dict[str, Any], data: Path, *, metric: str, ids: Any, threads: Any) -> Any:
    """The index, of the engine that is asked for or that the rows ask for."""
    import scipy.sparse as sp

    sparse, name = sp.issparse(rows), engine.value
    if name == "auto" and sparse:
        name = "sparse"
    options = chosen(BUILDING, name, given)
    for setting in ("keep", "reduce"):
        if options.get(setting) == "none":
            options[setting] = None
    if name == "auto":
        from vecrecall.choosing import build as build_auto

        recall = {"recall": options.pop("target_recall")} if "target_recall" in options else {}
        return build_auto(rows, metric=metric, ids=ids, threads=threads, progress=True, **recall, **options)
    if sparse != (name == "sparse") and name != "exact":
        kind, takes = ("sparse", "dense") if sparse else ("dense", "sparse")
        raise ValueError(f"{data}: holds {kind} vectors, but engine {name} takes {takes} ones; give --engine auto")
    if name == "exact":
        from vecrecall.exact.index import Exact

        return Exact.build(rows, metric=metric, ids=ids, threads=threads, **options)
    if name == "sparse":
        from vecrecall.sparse.index import SparseIndex

        return SparseIndex.build(rows, ids=ids, threads=threads, progress=True, **options)
    from vecrecall.hnsw.index import HNSW
    from vecrecall.ivf.index import IVF

    graph_or_lists: Any = HNSW if name == "hnsw" else IVF
    return graph_or_lists.build(rows, metric=metric, ids=ids, threads=threads, progress=True, **options)


def _metric(of_file: str | None, wanted: Metric | None, rows: Any, data: Path) -> str:
    """The metric: of the file and of the command line, which may not contradict each other."""
    import scipy.sparse as sp

    if wanted is not None and of_file not in (None, wanted.value):
        raise ValueError(
            f"{data}: says that its metric is {of_file}, but --metric is {wanted.value}; leave --metric out, or give "
            "the rows in a file that names no metric, such as .npy"
        )
    metric = wanted.value if wanted is not None else of_file
    if not sp.issparse(rows):
        return metric or "l2"
    if metric not in (None, "ip"):
        raise ValueError(f"{data}: holds sparse vectors, which are searched by ip, but the metric is {metric}")
    return "ip"


def _reduce(value: str | None) -> str | int | None:
    return int(value) if value is not None and value.isdecimal() else value


def _show(index: Any, out: Path, seconds: float, as_json: bool, reached: bool) -> None:
    size = out.stat().st_size
    if not as_json:
        typer.echo(f"{index!r}\n{out}: {size:,} bytes, built in {seconds:.1f} s")
        return
    from vecrecall.cli.outputs import print_json

    print_json({
        "file": str(out), "kind": index.kind, "n": len(index), "dim": index.dim, "metric": index.metric,
        "bytes": size, "memory": index.memory(), "build_s": seconds, "target_reached": reached,
    })  # fmt: skip
