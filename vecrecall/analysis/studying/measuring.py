"""One graph of a study: built, searched at every ef, and looked at."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.degrees import degrees
from vecrecall.analysis.studying.asked import Asked, Truth
from vecrecall.analysis.studying.engines import Built, Engine, package_of
from vecrecall.exact.search import distances_of
from vecrecall.hnsw.index import HNSW
from vecrecall.hnsw.repair import Reach
from vecrecall.matching import among

Doubles = NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True)
class Cell:
    """Which graph: how it is built, of rows in which order, with which seed."""

    engine: str
    M: int
    ef_construction: int
    order: str
    seed: int

    def __str__(self) -> str:
        return (
            f"{self.engine} of order {self.order}, seed {self.seed}, M={self.M}, "
            f"ef_construction={self.ef_construction}"
        )


@dataclass(frozen=True)
class Structure:
    """The links of the base layer in numbers; NaN where an engine shows none.

    Attributes
    ----------
    out_degree : float
        Mean number of links of a node.
    in_p1, in_p99, in_max, in_skew : float
        Of the numbers of links to a node: the 1st and 99th percentile, the greatest, and the skewness.
    unreachable : float
        Nodes that links of the base layer do not lead to from the entry.
    """

    out_degree: float = NAN
    in_p1: float = NAN
    in_p99: float = NAN
    in_max: float = NAN
    in_skew: float = NAN
    unreachable: float = NAN


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one graph.

    Attributes
    ----------
    cell : Cell
    n_right : ndarray of int, shape (len(ladder), q)
        Right answers of each query among its k, by ef of the ladder.
    evals, hops, agreement : ndarray of float64, shape (len(ladder),)
        Means over queries of our own walk in the same graph: distance evaluations, nodes expanded in the base layer,
        and the share of the library's answers that the walk gave too. NaN where an engine shows no graph.
    self_recall : ndarray of float64, shape (len(efs),)
        Share of a sample of stored rows that are among the k answers to themselves, or a row equal to them is, by
        asked ef. Under "ip", where others may be nearer to a row than itself, it also counts if k such are found.
    build_s : float
    structure : Structure
    version : str
        Of the package that built it.
    order_digest : str
        Of an order that the caller gave as an array, else empty.
    """

    cell: Cell
    n_right: NDArray[np.integer]
    evals: Doubles
    hops: Doubles
    agreement: Doubles
    self_recall: Doubles
    build_s: float
    structure: Structure
    version: str
    order_digest: str = ""


def measure(
    cell: Cell, engine: Engine, asked: Asked, truth: Truth, order: NDArray[np.int64], threads: int, order_digest: str
) -> Measured:
    """Build one graph and measure it."""
    started = time.perf_counter()
    built = engine.build(
        asked.X, order, metric=asked.metric, M=cell.M, ef_construction=cell.ef_construction, seed=cell.seed,
        threads=threads,
    )  # fmt: skip
    build_s = time.perf_counter() - started
    n_right, walks = [], []
    for ef in asked.ladder:
        rows = answers_of(built, asked.Q, asked.k, ef, len(asked.X), cell.engine)
        n_right.append(truth.n_right(rows))
        walks.append(_walk(built, asked, ef, rows, threads))
    evals, hops, agreement = np.array(walks, np.float64).T
    return Measured(
        cell, np.array(n_right, np.uint16), evals, hops, agreement, _self_recall(built, asked, cell), build_s,
        structure_of(built.index), _version(engine), order_digest,
    )  # fmt: skip


def answers_of(
    built: Built, Q: NDArray[np.float32], k: int, ef: int, n: int, name: str
) -> NDArray[np.int64]:
    """What a library answers, rows of X (q, k), checked: an engine may be anybody's."""
    rows = np.asarray(built.search(Q, k, ef))
    if rows.shape != (len(Q), k) or rows.dtype.kind not in "iu":
        raise TypeError(
            f"{name} answered with {rows.dtype} of shape {rows.shape}, expected rows of X as integers of shape "
            f"({len(Q)}, {k})"
        )
    rows = rows.astype(np.int64)
    foreign = rows[(rows < -1) | (rows >= n)]
    if len(foreign):
        raise ValueError(f"{name} answered with row {foreign[0]}, expected 0 to {n - 1}, or -1 where there is none")
    return rows


def _walk(
    built: Built, asked: Asked, ef: int, rows: NDArray[np.int64], threads: int
) -> tuple[float, float, float]:
    """(evaluations, hops, agreement) of our own walk in the same graph; means over queries."""
    if built.index is None:
        return NAN, NAN, NAN
    hits = built.index.search(asked.Q, asked.k, ef=ef, threads=threads)
    same = among(rows, np.asarray(hits.ids, np.int64)) | (rows == -1)
    hops = getattr(hits, "hops", None)
    return float(np.mean(hits.evals)), NAN if hops is None else float(np.mean(hops)), float(same.mean())


def _self_recall(built: Built, asked: Asked, cell: Cell) -> Doubles:
    """Share of a sample of stored rows that are found, by asked ef."""
    sample = asked.self_sample()
    Q = np.ascontiguousarray(asked.X[sample])
    own = distances_of(asked.X, Q, sample[:, None], asked.metric)
    found = []
    for ef in asked.efs:
        rows = answers_of(built, Q, asked.k, ef, len(asked.X), cell.engine)
        near = distances_of(asked.X, Q, rows, asked.metric) <= own  # equal rows are equally far, to the last bit
        enough = near.all(axis=1) if asked.metric == "ip" else near.any(axis=1)
        found.append(float((enough | (rows == sample[:, None]).any(axis=1)).mean()))
    return np.array(found)


def structure_of(index: Any) -> Structure:
    """The links of the base layer of an `HNSW` in numbers; NaN for anything else, and where it has no graph yet."""
    if not isinstance(index, HNSW) or index._content.graph.top < 0:
        return Structure()
    graph = index._content.graph
    leaving, arriving = degrees(graph)
    return Structure(
        leaving.mean, arriving.percentile(1), arriving.percentile(99), arriving.max, arriving.skew,
        len(Reach(graph).unreached()),
    )  # fmt: skip


def _version(engine: Engine) -> str:
    """Name and version of the package that an engine is, as far as it says."""
    package = package_of(engine)
    try:
        return f"{package} {version(package)}" if package else ""
    except PackageNotFoundError:  # not installed as a package, such as a checkout
        from vecrecall import __version__

        return f"{package} {__version__}" if package == "vecrecall" else package
