"""Which layout of a sparse index is faster, by the number of documents and of answers, on generated sets.

    python -m bench.sparse_layouts
    python -m bench.sparse_layouts --sizes 200000 --answers 10,100

One thread on one core, one query a call, settings chosen on one half of the queries and timed on the other.
``layout=None`` follows this table (`vecrecall.sparse.parameters.MANY`). A million documents take 5 GB.
"""

from __future__ import annotations

import argparse

from rich.table import Table

from bench.courses import sweep, us_at
from bench.data import generated
from bench.pin import pin_core, pin_threads
from bench.sparse_scaling import EXACT, console, ours

SIZES = (200_000, 500_000, 1_000_000)
ANSWERS = (10, 100, 1_000)
LAYOUTS = ("impact", "blocked")
LEVEL = 0.95


def measured(n: int, k: int, n_queries: int, n_rounds: int) -> dict[str, float]:
    """Microseconds a query of either layout, at a recall and exact."""
    data = generated(n, n_queries, f"learned-sparse:{n}")
    peers = {
        f"{layout}{' exact' if mode == EXACT else ''}": asked
        for layout in LAYOUTS
        for mode, asked in ours(data, k, layout=layout)[0].items()
    }
    return {name: us_at(reached, LEVEL) for name, reached in sweep(data, k, peers, n_rounds).items()}


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
