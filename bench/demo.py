"""The demo: build, search and measure an index of real sentence embeddings (`make demo`).

    python -m bench.demo [--out demo.png]

7,500 WordNet synsets are searched with 400 example sentences: by dense vectors, with hnswlib beside where it is
installed, then by learned-sparse vectors, by words, and by all of them together. Everything runs on one thread.
"""

from __future__ import annotations

import argparse
import platform
import time
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import vecrecall as vr
from bench.contract import Peer, Wanted
from bench.data import dense
from bench.demo_sparse import show_sparse
from bench.demo_sweep import K, Sweep, time_in_turn
from bench.judge import Judge
from bench.peers import peer_class
from bench.pin import pin_threads
from bench.worker import N_WARM
from datasets.wordnet_small import WordNetSmall, load

EFS = [10, 14, 20, 28, 40, 64, 100, 160]
N_ROUNDS = 15
SHOWN = (45, 51, 99, 198, 250)  # queries whose answers are shown in words
console = Console(highlight=False)


def compile_kernels(X: NDArray) -> None:
    """Build and search a tiny index twice: what the first time costs more is compiling, or the cache."""

    def use() -> float:
        before = time.perf_counter()
        index = vr.HNSW.build(X[:N_WARM], metric="cosine", threads=1)
        index.search(X[:8], K, threads=1)
        vr.Exact.build(X[:N_WARM], metric="cosine").search(X[:8], K, threads=1)
        return time.perf_counter() - before

    with console.status("compiling the kernels (once a machine)"):
        first = use()
    compile_s = max(0.0, first - use())
    console.print(f"kernels    {compile_s:6.2f} s to compile them, or to read them from the disk cache")


def build(data: WordNetSmall) -> vr.HNSW:
    """Build our index with the defaults, with progress."""
    before = time.perf_counter()
    index = vr.HNSW.build(data.documents, metric="cosine", threads=1, progress=True)
    console.print(f"vecrecall  {time.perf_counter() - before:6.2f} s to build")
    console.print(repr(index), soft_wrap=True)
    return index


def build_hnswlib(X: NDArray[np.float32]) -> Peer | None:
    """Build hnswlib's index, or say that it is not there."""
    peer = peer_class("hnswlib")(Wanted("cosine", K))
    before = time.perf_counter()
    try:
        with console.status("building hnswlib"):
            peer.build(X, M=16, ef_construction=200)
    except ImportError:
        console.print("hnswlib    not installed here, left out")
        return None
    console.print(f"hnswlib    {time.perf_counter() - before:6.2f} s to build M=16 ef_construction=200")
    return peer


def asked(peer: Peer, Q: NDArray[np.float32], ef: int) -> NDArray[np.int64]:
    """The ids that a peer finds."""
    peer.set(ef=ef)
    return peer.answers(peer.ask_batch(Q))[0]


def show_answers(index: vr.HNSW, data: WordNetSmall) -> None:
    """Show a few queries in words with their nearest glosses."""
    hits = index.search(data.queries[list(SHOWN)], k=3, threads=1)
    console.print("\nsentences and the synsets nearest to them (*: the one that the sentence illustrates)")
    for number, ids, scores in zip(SHOWN, hits.ids, hits.scores):
        console.print(f"  [bold]{data.query_texts[number]}[/]")
        for row, score in zip(ids, scores):
            mark = "*" if row == data.relevant[number] else " "
            console.print(
                f"    {score:.2f}{mark} {shorten(data.texts[row], console.width - 12, placeholder=' …')}"
            )
    console.print()


def exact_neighbours(data: WordNetSmall) -> tuple[vr.Exact, NDArray]:
    """Build the exact index and find the true neighbours of every query."""
    exact = vr.Exact.build(data.documents, metric="cosine")
    return exact, exact.search(data.queries, K, threads=1).ids


def sweep(engines: dict[str, Sweep], queries: NDArray, judge: Judge) -> None:
    """Measure recall of each engine, then its speed in rounds that take the engines in turn."""
    with console.status("measuring"):
        for engine in engines.values():
            engine.measure_recall(queries, lambda ids: float(judge.verdict(ids, None).recall.mean()))
        time_in_turn(engines.values(), queries, N_ROUNDS)


def show_table(engines: dict[str, Sweep], n_queries: int, n_evals: dict[Any, float], n_rows: int) -> None:
    """Show recall, queries a second and distance evaluations by ef."""
    title = f"recall@{K} of {n_queries} queries, one thread, best of {N_ROUNDS} rounds"
    table = Table("engine", "ef", f"recall@{K}", "queries/s", "evaluations a query", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, engine in engines.items():
        for parameter in engine.parameters:
            evals = {"vecrecall": n_evals.get(parameter), "exact search": n_rows}.get(name)
            table.add_row(
                name,
                "" if parameter is None else str(parameter),
                f"{engine.recall[parameter]:.4f}",
                f"{n_queries / engine.best_s[parameter]:,.0f}",
                "" if evals is None else f"{evals:,.0f}",
                end_section=parameter == engine.parameters[-1],
            )
    console.print(table)


def draw(engines: dict[str, Sweep], n_queries: int, out: Path) -> None:
    """Write the picture: recall against queries a second."""
    try:
        import matplotlib
    except ImportError:
        console.print("no picture: matplotlib is not installed (pip install matplotlib)")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for (name, engine), marker in zip(engines.items(), "os*"):
        recall, qps = zip(*engine.points(n_queries))
        axes.plot(recall, qps, marker=marker, markersize=12 if marker == "*" else 6, label=name)
    axes.set(yscale="log", xlabel=f"recall@{K}", ylabel="queries a second, one thread")
    axes.set_title(f"WordNet glosses, MiniLM, cosine ({platform.machine()}): up and to the right is better")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.savefig(out, dpi=150)
    console.print(f"picture    {out}")


def run(out: Path) -> None:
    """Run the demo."""
    data = load()
    X = data.documents.astype(np.float32)
    Q = data.queries.astype(np.float32)
    for rows in (X, Q):
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    console.print(
        f"vecrecall {vr.__version__}, {len(X):,} synsets of WordNet as {X.shape[1]}-dimensional vectors"
    )
    compile_kernels(X)
    index = build(data)
    peer = build_hnswlib(X)
    exact, neighbours = exact_neighbours(data)
    show_answers(index, data)

    engines = {"vecrecall": Sweep(lambda q, ef: index.search(q, K, ef=ef, threads=1).ids, list(EFS))}
    if peer:
        engines["hnswlib"] = Sweep(partial(asked, peer), list(EFS))
    engines["exact search"] = Sweep(lambda q, _: exact.search(q, K, threads=1).ids, [None])
    sweep(engines, Q, Judge(dense("wordnet-small", X, Q, "cosine", neighbours, ""), "all", K))
    n_evals = {ef: float(np.mean(index.search(Q, K, ef=ef, threads=1).evals)) for ef in EFS}
    show_table(engines, len(Q), n_evals, len(X))
    show_sparse(data, index, exact, Q, console)
    draw(engines, len(Q), out)


def main() -> None:
    """Read the arguments and run the demo."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("demo.png"), help="picture to write")
    arguments = parser.parse_args()
    pin_threads(1)
    started = time.perf_counter()
    run(arguments.out)
    console.print(f"all of it  {time.perf_counter() - started:6.1f} s")


if __name__ == "__main__":
    main()
