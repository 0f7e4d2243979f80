"""`vecrecall search INDEX QUERIES`: the nearest neighbours of the queries in a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecrecall.cli.engines import SEARCHING, SPARSE, chosen
from vecrecall.cli.exits import NO, watched_target

if TYPE_CHECKING:
    from vecrecall.hits import Hits

_BLOCK = 4096  # queries in a call: enough to share work, few enough to show progress

_OUT = "File to write instead of lines: .npz, .tsv, .jsonl, or .trec or .run for a TREC run."
_DOCUMENTS = "The file the index was built from, for queries of words: it says which column a word is."


def search(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="A saved index.")],
    queries: Annotated[Path, typer.Argument(metavar="QUERIES", help="Queries, in any format that vecrecall reads.")],
    k: Annotated[int, typer.Option("-k", help="Neighbours of each query.")] = 10,
    out: Annotated[Path | None, typer.Option(help=_OUT)] = None,
    target_recall: Annotated[
        float | None, typer.Option(help="Recall for which the index chooses its settings (not exact).")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="Format of QUERIES, where its content does not tell.")
    ] = None,
    documents: Annotated[Path | None, typer.Option(help=_DOCUMENTS)] = None,
    threads: Annotated[int | None, typer.Option(help="Default: all that the process may use.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out if it is there.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a query, or one about the file of --out.")
    ] = False,
    ef: Annotated[int | None, typer.Option(help="Candidates held while walking.", rich_help_panel="hnsw")] = None,
    nprobe: Annotated[int | None, typer.Option(help="Lists scanned.", rich_help_panel="ivf")] = None,
    rerank: Annotated[int | None, typer.Option(help="Candidates ranked by rows.", rich_help_panel="ivf")] = None,
    query_cut: Annotated[
        int | None, typer.Option(help="Posting lists looked at.", rich_help_panel="sparse")
    ] = None,
    heap_factor: Annotated[
        float | None, typer.Option(help="Share of the k-th sum that candidates reach.", rich_help_panel="sparse")
    ] = None,
    impact_cut: Annotated[
        float | None, typer.Option(help="Share below which postings are passed over.", rich_help_panel="sparse")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="The true answers, by bounds.", rich_help_panel="sparse")
    ] = False,
) -> None:
    """Print the nearest neighbours of each query, or write them to a file.

    A line a query: its name, and then id and distance of each neighbour, with tabs between neighbours.

    Example: vecrecall search corpus.vr queries.npy -k 10 --out found.npz
    """
    from vecrecall.cli.answers import check_ids, check_suffix, write_answers
    from vecrecall.cli.inputs import about, queries_of, read_queries
    from vecrecall.cli.outputs import refuse_to_replace
    from vecrecall.inputs import as_count
    from vecrecall.loading import load
    from vecrecall.tuning import Tunable

    if out is not None:
        check_suffix(out)
        refuse_to_replace(out, force, *(path for path in (index, queries, documents) if path is not None))
    given = {
        "ef": ef, "nprobe": nprobe, "rerank": rerank, "query_cut": query_cut, "heap_factor": heap_factor,
        "impact_cut": impact_cut, "exact": exact or None, "target_recall": target_recall,
    }  # fmt: skip
    k = as_count(k, "-k")
    loaded: Any = load(index)
    options = chosen(SEARCHING, loaded.kind, given)
    if out is not None:
        check_ids(out, loaded._ids.kind == "str")
    exact_distances = loaded._exact_distances() if isinstance(loaded, Tunable) else True
    asked, names = queries_of(read_queries(queries, form, documents, loaded), queries)
    with watched_target() as missed, about(queries):
        before = time.perf_counter()
        hits = _searched(loaded, asked, k, threads, options)
        seconds = time.perf_counter() - before
    if out is None:
        _print(hits, names, as_json, exact_distances)
    else:
        write_answers(out, hits, names, exact_distances)
        _print_summary(out, hits, k, seconds, as_json)
    if missed:
        raise typer.Exit(NO)


def _searched(index: Any, asked: Any, k: int, threads: int | None, options: dict[str, Any]) -> Hits:
    """Search for all queries, which are checked first: a block would name its own rows."""
    import numpy as np
    import scipy.sparse as sp

    from vecrecall.csr import as_csr
    from vecrecall.hits import Hits
    from vecrecall.inputs import as_rows
    from vecrecall.progress import progress_bar

    sparse = index.kind in SPARSE
    if sparse != sp.issparse(asked):
        kinds = ("sparse", "dense") if sparse else ("dense", "sparse")
        raise ValueError(f"Q holds {kinds[1]} vectors, but the index {kinds[0]} ones; encode both with the same model")
    if sparse:
        n, asked = as_csr(asked, name="Q", dim=index.dim).n, asked.tocsr()
    else:
        rows = as_rows(asked, name="Q", dim=index.dim)
        n = rows.n
    blocks = []
    with progress_bar("searching", n, True) as advance:
        for lo in range(0, max(n, 1), _BLOCK):  # none is a block, too: it has the shape of the answer
            hi = min(lo + _BLOCK, n)
            Q = asked[lo:hi] if sparse else rows.tile(lo, hi)
            blocks.append(index.search(Q, k, threads=threads, **options))
            advance(hi)
    ids, distances = (np.concatenate([getattr(block, part) for block in blocks]) for part in ("ids", "distances"))
    return Hits(ids, distances, np.concatenate([block.evals for block in blocks]), index.metric)


def _print(hits: Hits, names: Any, as_json: bool, exact_distances: bool) -> None:
    from vecrecall.cli.answers import names_of, records
    from vecrecall.cli.outputs import print_json

    if as_json:
        for record in records(hits, names, exact_distances):
            print_json(record)
        return
    for name, (ids, distances) in zip(names_of(hits, names), hits, strict=True):
        found = (f"{i} {distance:.6g}" for i, distance in zip(ids.tolist(), distances.tolist()))
        typer.echo("\t".join([str(name), *found]))


def _print_summary(out: Path, hits: Hits, k: int, seconds: float, as_json: bool) -> None:
    import numpy as np

    from vecrecall.cli.outputs import print_json

    n, evals = len(hits), float(np.mean(hits.evals)) if len(hits) else 0.0
    if as_json:
        print_json({"file": str(out), "queries": n, "k": k, "evals": evals, "search_s": seconds})
    else:
        typer.echo(f"{out}: {n:,} queries, k={k}, {evals:,.1f} distance evaluations a query")
