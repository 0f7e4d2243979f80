"""Which options belong to which engine: none is ever ignored."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any


class Engine(str, Enum):
    """An index that `vecrecall build` makes; "auto" chooses by the data and the recall wanted."""

    auto = "auto"
    hnsw = "hnsw"
    ivf = "ivf"
    sparse = "sparse"
    exact = "exact"


class Metric(str, Enum):
    """What is near."""

    l2 = "l2"
    ip = "ip"
    cosine = "cosine"


class TruthIds(str, Enum):
    """What the numbers in a file of the truth are."""

    rows = "rows"
    ids = "ids"


BUILDING: Mapping[str, tuple[str, ...]] = {
    "auto": ("target_recall", "seed"),
    "hnsw": (
        "M", "ef_construction", "storage", "reduce", "keep", "order", "schedule", "ef", "target_recall", "seed",
    ),
    "ivf": ("n_lists", "storage", "reduce", "keep", "target_recall", "seed"),
    "sparse": ("layout", "n_postings", "alpha", "keep", "seed"),
    "exact": ("keep",),
}  # fmt: skip

SEARCHING: Mapping[str, tuple[str, ...]] = {
    "hnsw": ("ef", "target_recall"),
    "ivf": ("nprobe", "rerank", "target_recall"),
    "sparse": ("query_cut", "heap_factor", "impact_cut", "exact", "target_recall"),
    "exact": (),
    "exact-sparse": (),
}

SPARSE = ("sparse", "exact-sparse")  # kinds of index


def chosen(table: Mapping[str, tuple[str, ...]], engine: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given (are not None), all of which must be of the engine.

    Raises
    ------
    ValueError
        Naming the first that is not, and the engines that have it.

    Examples
    --------
    >>> chosen(SEARCHING, "ivf", {"nprobe": 8, "ef": None})
    {'nprobe': 8}
    >>> chosen(SEARCHING, "ivf", {"ef": 40})
    Traceback (most recent call last):
    ValueError: --ef is an option of engine hnsw, but the engine is ivf, which has --nprobe, --rerank, --target-recall
    """
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if name not in table[engine]:
            others = ", ".join(e for e, names in table.items() if name in names)
            own = ", ".join(map(option, table[engine])) or "no such options"
            mend = "; name one with --engine" if engine == "auto" else ""
            raise ValueError(
                f"{option(name)} is an option of engine {others}, but the engine is {engine}, which has {own}{mend}"
            )
    return options


def option(name: str) -> str:
    """The option of the command line for a parameter of Python.

    Examples
    --------
    >>> option("ef_construction")
    '--ef-construction'
    """
    return "--" + name.replace("_", "-")
