"""Which layout of a sparse index is faster, by the number of documents and of answers, on generated sets.

    python -m bench.sparse_layouts
    python -m bench.sparse_layouts --sizes 200000 --answers 10,100

Both layouts are measured as bench.sparse_speed measures engines: one thread on one core, one query a call, settings
chosen on one half of the queries and timed on the other. ``layout=None`` follows this table
(`vecrecall.sparse.parameters.MANY`). A million documents take 5 GB.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from bench.pin import pin_core, pin_threads
from bench.sparse_engines import ours
from bench.sparse_sets import generated_set
from bench.sparse_speed import console
from bench.sparse_sweep import sweep, us_at

SIZES = (200_000, 500_000, 1_000_000)
ANSWERS = (10, 100, 1_000)
LAYOUTS = ("impact", "blocked")
LEVEL = 0.95


def measured(n: int, k: int, n_queries: int, n_rounds: int) -> dict[str, float]:
    """Microseconds a query of either layout, at a recall and exact, and which of them is chosen."""
    data = generated_set(n, n_queries, k)
    with tempfile.TemporaryDirectory() as folder:
        engines = [
            replace(engine, name=f"{layout}{' exact' if 'exact' in engine.name else ''}")
            for layout in LAYOUTS
            for engine in ours(data.docs, k, Path(folder), layout)
        ]
        points = sweep(data, engines, n_rounds)
    return {name: us_at(reached, LEVEL) for name, reached in points.items()}


def chosen(n: int, k: int) -> str:
    """The layout that is taken where it is left open."""
    from vecrecall.sparse.parameters import Parameters

    open_ = Parameters.checked(
        layout=None, n_postings=None, alpha=1.0, block_size=None, summary_energy=None, keep="f24", seed=0, k=k
    )
    return LAYOUTS[open_.block_of(n) > 1]


def main() -> None:
    """Measure every pair of sizes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="documents, separated by commas")
    parser.add_argument("--answers", default=",".join(map(str, ANSWERS)), help="values of k, separated by commas")
    parser.add_argument("--queries", type=int, default=120, help="half of them choose settings, half are timed")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    pin_threads(1)
    pin_core()
    names = [f"{layout}{mode}" for mode in ("", " exact") for layout in LAYOUTS]
    table = Table("documents", "k", *names, "chosen", title=f"microseconds a query, recall@k {LEVEL} or exact")
    for column in table.columns[:-1]:
        column.justify = "right"
    for n in (int(size) for size in args.sizes.split(",")):
        for k in (int(answers) for answers in args.answers.split(",")):
            with console.status(f"{n:,} documents, k = {k:,}"):
                us = measured(n, k, args.queries, args.rounds)
            table.add_row(f"{n:,}", f"{k:,}", *(f"{us[name]:,.1f}" for name in names), chosen(n, k))
    console.print(table)


if __name__ == "__main__":
    main()
