"""What insertion order does to recall: the studies behind docs/insertion-order.md, on whole sets.

    python -m bench.insertion_order --data DATA --out results/insertion-order            everything, then the report
    python -m bench.insertion_order --data DATA --out OUT --engines hnswlib --record-name two --no-report    a part
    python -m bench.insertion_order --out OUT --report                                   tables and pictures once more
    python -m bench.insertion_order --data DATA --out OUT --plan                         how much is left to build

Every graph is written to a record (``OUT/records/SET.NAME.jsonl``) when it is measured: a run that was stopped goes on
where it was. Processes can share the work by ``--sets``, ``--engines``, ``--seeds`` or ``--orders``, each with a
``--record-name`` of its own; the report joins all records of a set.

DATA holds the files of `python -m bench.make_data`; the other sets are made of random numbers: ``groups-SEP``, 100
Gaussian groups in 64 dimensions whose centres are SEP times as far apart as their rows, and ``dim-D``, Gaussian vectors
of intrinsic dimension D in 512.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.insertion_order_report import write_report
from bench.pin import pin_threads
from vecrecall.analysis.studies import Study, study
from vecrecall.analysis.studying.engines import NAMES

FILES = ("wordnet-minilm-384", "fashion-mnist-784", "sift-images-128")
OF_UNIT_LENGTH = ("wordnet-minilm-384",)
GROUPS = ("groups-10", "groups-2", "groups-0.5")
DIMENSIONS = tuple(f"dim-{2**power}" for power in range(1, 9))
SETS = (*FILES, *GROUPS, *DIMENSIONS)
ENGINES = ("sequential", "default", "hnswlib", "faiss", "faiss-batches")
BY_LABEL = ("category", "category_shuffled", "round_robin")
ORDERS = (
    "random", "lid_desc", "lid_asc", "dense_first", "sparse_first", "central_first", "central_last", *BY_LABEL,
    "cluster", "norm_desc",
)  # fmt: skip
OF_DIMENSIONS = ("random", "lid_desc", "lid_asc", "dense_first", "sparse_first")  # where nothing else is to be seen
M, EF_CONSTRUCTION, EFS, K = 16, 128, (10, 40, 128), 10


@dataclass(frozen=True, eq=False)
class Set:
    """Rows and queries, and the category of each row where there are any."""

    X: NDArray[Any]
    Q: NDArray[Any]
    metric: str
    labels: NDArray[Any] | None


def loaded(name: str, data: Path | None, n_rows: int | None) -> Set:
    """A set by its name; of a file a sample of the rows, where so many are asked for."""
    from vecrecall.datasets.make import clustered, synthetic_dim

    kind, _, number = name.partition("-")
    if kind == "groups":
        made = clustered(n_rows or 10_000, 64, groups=100, spread=1 / float(number))
        return Set(made.rows, made.queries, made.metric, made.attributes["train_category"])
    if kind == "dim":
        made = synthetic_dim(n_rows or 10_000, 512, intrinsic=int(number))
        return Set(made.rows, made.queries, made.metric, None)
    if data is None or not (data / f"{name}.hdf5").exists():
        raise FileNotFoundError(f"there is no {name}.hdf5 in {data}; `python -m bench.make_data {data}` makes it")
    return of_file(data / f"{name}.hdf5", n_rows)


def of_file(path: Path, n_rows: int | None) -> Set:
    """All rows and queries of a file, or a fixed sample of the rows."""
    import h5py

    from bench.data import METRICS

    with h5py.File(path) as file:
        named = file.attrs["metric"]
        metric = METRICS[named.decode() if isinstance(named, bytes) else str(named)]
        X, Q, labels = file["train"][:], file["test"][:], file["train_category"][:]
    if n_rows is not None and n_rows < len(X):
        kept = np.sort(np.random.Generator(np.random.PCG64(0)).choice(len(X), n_rows, replace=False))
        X, labels = X[kept], labels[kept]
    return Set(X, Q, metric, labels)


def orders_for(name: str, wanted: tuple[str, ...] | None) -> list[str]:
    """The orders that a set has: by category where rows have one, by length where lengths differ."""
    if name in DIMENSIONS:
        return [order for order in wanted or OF_DIMENSIONS if order not in BY_LABEL]
    return [order for order in wanted or ORDERS if not (name in OF_UNIT_LENGTH and order.startswith("norm"))]


def records_of(out: Path, name: str) -> list[Path]:
    """All records of a set, whoever wrote them."""
    return sorted((out / "records").glob(f"{name}.*.jsonl"))


def n_planned(args: argparse.Namespace) -> dict[str, tuple[int, int]]:
    """(graphs that are asked for, those of them that a record holds), by set."""
    planned = {}
    for name in args.sets:
        wanted = set(product(args.engines, orders_for(name, args.orders), range(args.seeds)))
        paths = records_of(args.out, name)
        done = set()
        if paths:
            try:
                records = Study.read(*paths, evals=()).as_dicts("seeds")
            except ValueError as error:  # nothing measured yet
                print(error, file=sys.stderr)
                records = []
            done = {(record["engine"], record["order"], record["seed"]) for record in records}
        planned[name] = len(wanted), len(wanted & done)
    return planned


def run(args: argparse.Namespace) -> None:
    """Study the sets one after another."""
    (args.out / "records").mkdir(parents=True, exist_ok=True)
    for name in args.sets:
        own = loaded(name, args.data, args.rows)
        study(
            own.X, own.Q[: args.queries], orders=orders_for(name, args.orders), seeds=args.seeds, engines=args.engines,
            M=M, ef_construction=EF_CONSTRUCTION, ef=EFS, k=K, metric=own.metric, labels=own.labels, evals=(),
            name=name, record=args.out / "records" / f"{name}.{args.record_name}.jsonl", progress=True,
        )  # fmt: skip
        print(f"{name}: done", flush=True)


def report(out: Path, suffix: str) -> Path:
    """Write the report of all records that are there."""
    studies = {}
    for name in SETS:
        if paths := records_of(out, name):
            try:
                studies[name] = Study.read(*paths)
            except ValueError as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
    if not studies:
        raise SystemExit(f"there is no record in {out / 'records'}; run this without --report first")
    return write_report(studies, out, suffix)


def main(arguments: list[str] | None = None) -> None:
    """Study and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = {"sets": SETS, "engines": NAMES, "orders": None}
    defaults: dict[str, tuple[str, ...] | None] = {"sets": SETS, "engines": ENGINES, "orders": None}
    parser.add_argument("--data", type=Path, help="folder of the HDF5 files")
    parser.add_argument("--out", type=Path, required=True, help="folder of records, tables and pictures")
    for option, known in names.items():
        words = f"of {', '.join(known)}" if known else "of vecrecall.analysis.order"
        parser.add_argument(f"--{option}", default=defaults[option], type=_listed, help=f"{words}; by comma")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--queries", type=int, help="only the first so many")
    parser.add_argument("--rows", type=int, help="only so many rows of each set, to try this out")
    parser.add_argument("--record-name", default="all", help="of the records that this process writes")
    parser.add_argument("--plan", action="store_true", help="print how many graphs there are to build, and stop")
    parser.add_argument("--no-report", action="store_true", help="write records only, as beside another process")
    parser.add_argument("--report", action="store_true", help="only write the report, of the records that are there")
    parser.add_argument("--pictures", choices=("svg", "png", "pdf"), default="svg", help="what the report draws")
    args = parser.parse_args(arguments)
    for option, known in names.items():
        if known and (unknown := [name for name in getattr(args, option) if name not in known]):
            parser.error(f"no {option[:-1]} {', '.join(unknown)}; there are {', '.join(known)}")
    pin_threads(1)
    if not args.report:
        planned = n_planned(args)
        for name, (wanted, done) in planned.items():
            print(f"{name:20s} {wanted:5,} graphs, {done:5,} of them are there")
        print(f"{'together':20s} {sum(w for w, _ in planned.values()):5,} graphs, "
              f"{sum(d for _, d in planned.values()):5,} of them are there", flush=True)  # fmt: skip
        if args.plan:
            return
        run(args)
    if args.no_report:
        return
    print(f"report: {report(args.out, args.pictures)}")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    main()
