"""`vecrecall sweep INDEX_OR_DATA`: recall, speed and latency over the settings of an index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecrecall.cli.engines import Engine, Metric, TruthIds
from vecrecall.cli.exits import NO

if TYPE_CHECKING:
    from vecrecall.cli.swept import Subject
    from vecrecall.measure.findings import Sweep

_SOURCE = "A saved index; or vectors, in any format that vecrecall reads, of which an index is built."
_QUERIES = "Queries. Default: those in DATA; else rows of DATA that are held out (1,000, or a tenth)."
_TRUTH = "True neighbours. Default: those beside the queries; else computed by exact search."
_TRUTH_IDS = "What numbers in the truth are. Default: ids in what `search` wrote, rows in files of benchmarks."
_DOCUMENTS = "The file the index was built from, for queries of words: it says which column a word is."
_LISTS = "one, or several between commas"
_WIDTH = 1_000  # a table wider than the terminal is broken by it, not cut: every number is there


def sweep(
    source: Annotated[Path, typer.Argument(metavar="INDEX_OR_DATA", help=_SOURCE)],
    queries: Annotated[Path | None, typer.Option(help=_QUERIES)] = None,
    truth: Annotated[Path | None, typer.Option(help=_TRUTH)] = None,
    truth_ids: Annotated[TruthIds | None, typer.Option(help=_TRUTH_IDS)] = None,
    qrels: Annotated[
        Path | None, typer.Option(help="Judgements (TREC, BEIR): adds nDCG@10 and the share of relevant answers lost.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Neighbours of each query.")] = 10,
    target: Annotated[
        float | None, typer.Option(help="Recall to suggest a setting for (default 0.95); exit code 1 if not reached.")
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="What is built of DATA. auto: sparse for sparse vectors, else hnsw.")
    ] = Engine.auto,
    metric: Annotated[
        Metric | None, typer.Option(help="Default: what DATA says; else l2, and ip for sparse vectors.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Take the first so many queries, or hold out so many.")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Of the second speed, beside that of one. Default: all there are.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="How often each setting is timed; the best counts.")] = 3,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    exact_truth: Annotated[
        bool, typer.Option("--exact-truth", help="Compute the truth, whatever files hold.")
    ] = False,
    form: Annotated[
        str | None, typer.Option("--format", help="Format of DATA, where its content does not tell.")
    ] = None,
    documents: Annotated[Path | None, typer.Option(help=_DOCUMENTS)] = None,
    csv: Annotated[Path | None, typer.Option(help="File to write the table to.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="File to write the table to.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture to draw: .png, .svg, .pdf.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace those files if they are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    ef: Annotated[str | None, typer.Option(help=f"Candidates held: {_LISTS}.", rich_help_panel="hnsw")] = None,
    nprobe: Annotated[str | None, typer.Option(help=f"Lists scanned: {_LISTS}.", rich_help_panel="ivf")] = None,
    rerank: Annotated[
        str | None, typer.Option(help=f"Candidates ranked by rows: {_LISTS}.", rich_help_panel="ivf")
    ] = None,
    query_cut: Annotated[
        str | None, typer.Option(help=f"Posting lists looked at: {_LISTS}.", rich_help_panel="sparse")
    ] = None,
    heap_factor: Annotated[
        str | None, typer.Option(help=f"Share of the k-th sum to reach: {_LISTS}.", rich_help_panel="sparse")
    ] = None,
    impact_cut: Annotated[
        str | None, typer.Option(help=f"Share to be passed over below: {_LISTS}.", rich_help_panel="sparse")
    ] = None,
) -> None:
    """Measure recall, speed and latency over the settings of an index, and suggest one.

    Settings are those that are worth a look, unless lists of them are given, which are crossed.

    Example: vecrecall sweep corpus.hdf5 --engine ivf --plot curve.png
    """
    from vecrecall.cli.inputs import about
    from vecrecall.cli.outputs import check_picture, refuse_one_twice, refuse_to_replace
    from vecrecall.cli.swept import Wanted, subject_of
    from vecrecall.inputs import as_count, as_recall, as_seed
    from vecrecall.measure.findings import require
    from vecrecall.measure.sweep import sweep as measure
    from vecrecall.threads import n_threads

    inputs = [path for path in (source, queries, truth, qrels, documents) if path is not None]
    outputs = [path for path in (csv, parquet, plot) if path is not None]
    for out in outputs:
        refuse_to_replace(out, force, *inputs)
    refuse_one_twice(*outputs)
    for wanted, package, extra in ((parquet, "pyarrow", "parquet"), (plot, "matplotlib", "plot")):
        if wanted is not None:  # before anything is measured
            require(package, extra)
    if plot is not None:
        check_picture(plot)
    rounds, _ = as_count(rounds, "--rounds"), n_threads(threads)
    whole, shares = (("ef", ef), ("nprobe", nprobe), ("rerank", rerank), ("query_cut", query_cut)), (
        ("heap_factor", heap_factor), ("impact_cut", impact_cut),
    )  # fmt: skip
    settings = {name: _values(name, words, int) for name, words in whole}
    settings |= {name: _values(name, words, float) for name, words in shares}
    aim = 0.95 if target is None else as_recall(target, "--target")
    subject = subject_of(Wanted(
        source, queries, truth, truth_ids, qrels, documents, exact_truth, form, engine, metric, as_count(k, "-k"),
        None if limit is None else as_count(limit, "--limit"), as_seed(seed), threads, settings,
    ))  # fmt: skip
    with about(queries or source):
        found = measure(
            subject.index, subject.queries, subject.truth, k, qrels=subject.qrels,
            query_ids=subject.query_ids if hasattr(subject.qrels, "keys") else None, threads=threads, rounds=rounds,
            seed=seed, progress=True, **subject.settings,
        )  # fmt: skip
    (_print_object if as_json else _print_table)(subject, found, aim)
    for wanted_path, write in ((csv, found.to_csv), (parquet, found.to_parquet), (plot, found.plot)):
        if wanted_path is not None:
            write(wanted_path)
    if target is not None and not found.suggest(aim).reached:
        raise typer.Exit(NO)


def _values(name: str, words: str | None, kind: Callable[[str], Any]) -> list[Any] | None:
    """The numbers of a list between commas."""
    if words is None:
        return None
    try:
        return [kind(word) for word in words.split(",")]
    except ValueError:
        option = "--" + name.replace("_", "-")
        raise ValueError(f"{option} is {words!r}, expected numbers between commas, such as 10,20,40") from None


def _print_table(subject: Subject, found: Sweep, aim: float) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, emoji=False, width=_WIDTH)
    for words in (repr(subject.index), *_facts(subject), found.headline()):
        console.print(words, soft_wrap=True)
    headings, lines = found.table()
    table = Table(*headings)
    for column in table.columns:
        column.justify, column.no_wrap = "right", True
    for line in lines:
        table.add_row(*line)
    console.print(table)
    console.print(repr(found.suggest(aim)), soft_wrap=True)


def _facts(subject: Subject) -> list[str]:
    built = [] if subject.build_s is None else [f"built in {subject.build_s:.1f} s"]
    return [*built, *subject.notes]


def _print_object(subject: Subject, found: Sweep, aim: float) -> None:
    from vecrecall.cli.outputs import print_json

    index, suggestion = subject.index, found.suggest(aim)
    print_json({
        "kind": index.kind, "n": len(index), "dim": index.dim, "metric": index.metric, "memory": index.memory(),
        "build_s": subject.build_s, "k": found.k, "queries": found.n_queries, "threads": found.threads,
        "truth": found.truth, "by": found.by, "level": found.level, "compile_s": found.compile_s,
        "exact_ndcg": found.exact_ndcg, "judged": found.n_judged, "notes": subject.notes, "rows": found.as_dicts(),
        "suggestion": {
            "target": aim, "reached": suggestion.reached, "settings": suggestion.setting.settings,
            "recall": suggestion.setting.recall, "recall_low": suggestion.setting.low, "text": repr(suggestion),
        },
    })  # fmt: skip
