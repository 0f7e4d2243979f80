"""What `vecrecall sweep` measures: an index, queries, their truth and judgements, out of files."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from vecrecall.cli.engines import SEARCHING, Engine, Metric, chosen
from vecrecall.cli.inputs import about, queries_of, read_data, read_queries, rows_of

if TYPE_CHECKING:
    from vecrecall.io.dataset import Dataset

_HELD_OUT = 1_000  # rows that serve as queries where there are none, but not more than a tenth
_ASKED = 32  # queries whose truth is compared with exact search
_RIGHT = 0.99  # of the neighbours in a truth that is one: two ways of rounding may differ
_SETTINGS = {
    kind: tuple(name for name in names if name not in ("target_recall", "exact")) for kind, names in SEARCHING.items()
}
_RELEVANT = ("test_relevant", "relevant")  # arrays of files that hold a judgement a query


@dataclass
class Subject:
    """An index and what it is asked.

    Attributes
    ----------
    index, queries : as `vecrecall.sweep` takes them
    truth : tuple of (ids, distances), or ids; or None
        None: to be computed.
    qrels, query_ids, settings : as `vecrecall.sweep` takes them
    build_s : float or None
        Seconds that the index took, None where it was loaded.
    notes : list of str
        What was taken for granted.
    """

    index: Any
    queries: Any
    query_ids: Any = None
    truth: Any = None
    qrels: Any = None
    settings: dict[str, Any] = field(default_factory=dict)
    build_s: float | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """What the command line says."""

    source: Path
    queries: Path | None
    truth: Path | None
    qrels: Path | None
    documents: Path | None
    exact_truth: bool
    form: str | None
    engine: Engine
    metric: Metric | None
    k: int
    limit: int | None
    seed: int
    threads: int | None
    settings: dict[str, Any]  # what search takes, None where it is not given


def subject_of(wanted: Wanted) -> Subject:
    """Load the index, or build one of the data."""
    if wanted.truth is not None and wanted.exact_truth:
        raise ValueError(f"--truth {wanted.truth} was given with --exact-truth, which takes none; leave one out")
    subject = _of_index(wanted) if _is_index(wanted.source) else _of_data(wanted)
    _add_truth(subject, wanted)
    _add_judgements(subject, wanted)
    return subject


def _is_index(path: Path) -> bool:
    from vecrecall.file import MAGIC

    if path.is_dir():
        return False
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _of_index(wanted: Wanted) -> Subject:
    from vecrecall.loading import load

    given = {
        "--engine": wanted.engine is not Engine.auto, "--metric": wanted.metric is not None,
        "--format": wanted.form is not None,
    }  # fmt: skip
    for option in [option for option, is_given in given.items() if is_given]:
        raise ValueError(f"{wanted.source}: is an index, which has its own {option[2:]}; leave {option} out")
    if wanted.queries is None:
        raise ValueError(f"{wanted.source}: is an index; give --queries, a file of queries that it does not hold")
    index = load(wanted.source)
    dataset = read_queries(wanted.queries, None, wanted.documents, index)
    asked = _first(wanted.limit, *queries_of(dataset, wanted.queries))
    return Subject(index, *asked, settings=chosen(_SETTINGS, index.kind, wanted.settings))


def _first(limit: int | None, queries: Any, names: Any) -> tuple[Any, Any]:
    """The first of some queries, and their names."""
    if limit is None:
        return queries, names
    return (queries.tocsr() if hasattr(queries, "nnz") else queries)[:limit], None if names is None else names[:limit]


def _of_data(wanted: Wanted) -> Subject:
    """Build an index of the rows of a file, with the file's own settings of truth and judgements."""
    dataset = read_data(wanted.source, wanted.form)
    rows, ids = rows_of(dataset, wanted.source), dataset.ids
    notes: list[str] = []
    metric = _metric(dataset, wanted, notes)
    own = wanted.queries is None and dataset.queries is not None
    if wanted.queries is not None:
        queries, names = _first(wanted.limit, *_queries_beside(dataset, wanted.queries, wanted.documents))
    elif own:
        queries, names = _first(wanted.limit, dataset.queries, dataset.query_ids)
    else:
        rows, ids, queries, names = _held_out(rows, ids, wanted, notes)
    engine = _engine(rows, wanted)
    settings = chosen(_SETTINGS, engine, wanted.settings)  # before a long build
    before = time.perf_counter()
    with about(wanted.source):
        index = _built(engine, rows, ids, metric, wanted)
    build_s = time.perf_counter() - before
    subject = Subject(index, queries, names, settings=settings, build_s=build_s, notes=notes)
    if own:
        if dataset.neighbors is not None and wanted.truth is None and not wanted.exact_truth:
            _take_truth(subject, dataset, wanted.source, wanted.k)
        subject.qrels = dataset.qrels or next((dataset.attributes.get(n) for n in _RELEVANT), None)
    return subject


def _metric(dataset: Dataset, wanted: Wanted, notes: list[str]) -> str:
    of_file, of_line = dataset.metric, None if wanted.metric is None else wanted.metric.value
    if of_line is not None and of_file not in (None, of_line):
        raise ValueError(
            f"{wanted.source}: says that its metric is {of_file}, but --metric is {of_line}; leave --metric out"
        )
    metric = of_line or of_file
    if hasattr(dataset.rows, "nnz"):
        if metric not in (None, "ip"):
            raise ValueError(f"{wanted.source}: holds sparse vectors, which are searched by ip, not by {metric}")
        return "ip"
    if metric is None:
        notes.append("metric l2: the file names none; give --metric for another")
    return metric or "l2"


def _queries_beside(dataset: Dataset, path: Path, documents: Path | None) -> tuple[Any, Any]:
    """Queries of another file; those of words get the columns that the words have among the rows."""
    if "vocabulary" in dataset.attributes:
        return queries_of(read_data(path, "jsonl", vocabulary=dataset.attributes["vocabulary"]), path)
    kind = "sparse" if hasattr(dataset.rows, "nnz") else "hnsw"
    of_rows = SimpleNamespace(kind=kind, dim=dataset.rows.shape[1])
    return queries_of(read_queries(path, None, documents, of_rows), path)


def _held_out(rows: Any, ids: Any, wanted: Wanted, notes: list[str]) -> tuple[Any, Any, Any, Any]:
    """(rows, ids, queries, their names): a sample of rows asks, and is left out of the rows."""
    n = rows.shape[0]
    n_out = min(_HELD_OUT, n // 10) if wanted.limit is None else wanted.limit
    if not 1 <= n_out < n:
        raise ValueError(
            f"{wanted.source}: holds {n} rows and no queries, too few to hold {max(n_out, 1)} of them out; "
            "give --queries, or --limit"
        )
    out = np.zeros(n, bool)
    out[np.random.Generator(np.random.PCG64(wanted.seed)).choice(n, n_out, replace=False)] = True
    names = np.arange(n) if ids is None else np.asarray(ids)
    notes.append(f"{n_out:,} rows were held out as queries: the file holds none; give --queries for real ones")
    rows = rows.tocsr() if hasattr(rows, "nnz") else np.asarray(rows)
    return rows[~out], names[~out], rows[out], names[out]


def _engine(rows: Any, wanted: Wanted) -> str:
    engine, sparse = wanted.engine.value, hasattr(rows, "nnz")
    if engine == "auto":
        engine = "sparse" if sparse else "hnsw"
    if engine != "exact" and sparse != (engine == "sparse"):
        kind, takes = ("sparse", "dense") if sparse else ("dense", "sparse")
        raise ValueError(f"{wanted.source}: holds {kind} vectors, but engine {engine} takes {takes} ones")
    return engine


def _built(engine: str, rows: Any, ids: Any, metric: str, wanted: Wanted) -> Any:
    given = {"ids": ids, "threads": wanted.threads}
    if engine == "exact":
        from vecrecall.exact.index import Exact

        return Exact.build(rows, metric=metric, **given)
    if engine == "sparse":
        from vecrecall.sparse.index import SparseIndex

        return SparseIndex.build(rows, k=wanted.k, seed=wanted.seed, progress=True, **given)
    from vecrecall.hnsw.index import HNSW
    from vecrecall.ivf.index import IVF

    of_kind: Any = HNSW if engine == "hnsw" else IVF
    return of_kind.build(rows, metric=metric, seed=wanted.seed, progress=True, **given)


def _add_truth(subject: Subject, wanted: Wanted) -> None:
    if wanted.truth is None:
        return
    dataset = read_data(wanted.truth, None)
    if dataset.neighbors is None:
        raise ValueError(f"{wanted.truth}: holds {dataset!r}, expected neighbours of the queries")
    _take_truth(subject, dataset, wanted.truth, wanted.k)


def _take_truth(subject: Subject, dataset: Dataset, path: Path, k: int) -> None:
    """Take the truth of a file, whose numbers count the rows in the order in which the index got them.

    Distances of dense rows are computed again: files have squared ones, scores, or none. And some queries are asked
    exactly: with the truth of other rows or of another metric, whatever is found looks right.
    """
    index, n = subject.index, subject.queries.shape[0]
    slots = np.asarray(dataset.neighbors)[:n]
    if slots.shape[0] < n:
        raise ValueError(f"{path}: holds the neighbours of {slots.shape[0]} queries, expected those of {n}")
    if slots.shape[1] < k:
        subject.notes.append(f"{path} holds {slots.shape[1]} neighbours a query, fewer than {k}: truth is computed")
        return
    slots = slots[:, :k].astype(np.int64)
    if slots.max(initial=-1) >= index._ids.n:
        raise ValueError(f"{path}: names row {slots.max()}, but the index has {index._ids.n}; it is of other rows")
    ids = index._ids.outer(slots)
    kept = getattr(index._content, "kept", None) if index.kind in ("hnsw", "ivf") else None
    if kept is not None:
        from vecrecall.exact.kept import kept_distances
        from vecrecall.inputs import as_queries

        with about(path):
            asked, _ = as_queries(subject.queries, index.dim)
        subject.truth = ids, kept_distances(kept, asked, slots, index.metric)
    elif dataset.distances is not None:
        subject.truth = ids, np.asarray(dataset.distances)[:n, :k]
    else:
        subject.truth = ids
    _refuse_other_truth(subject, path, k)


def _refuse_other_truth(subject: Subject, path: Path, k: int) -> None:
    from vecrecall.matching import shares_found
    from vecrecall.threads import n_threads
    from vecrecall.tuning import Tunable

    index: Any = subject.index
    truth = subject.truth
    if not isinstance(truth, tuple) or not isinstance(index, Tunable):
        return
    queries, n = index._checked_queries(subject.queries[:_ASKED])
    exact = index._exact_answer(queries, k, n_threads(None))
    if exact is None:
        return
    share = float(shares_found((truth[0][:n], truth[1][:n]), exact, tolerance=1e-3).mean())
    if share < _RIGHT:
        raise ValueError(
            f"{path}: its neighbours are not the nearest by {subject.index.metric} (exact search agrees with "
            f"{share:.0%} of those of {n} queries); give the right --metric, or --exact-truth in place of them"
        )


def _add_judgements(subject: Subject, wanted: Wanted) -> None:
    if wanted.qrels is not None:
        subject.qrels = read_data(wanted.qrels, None).qrels
        if subject.qrels is None:
            raise ValueError(f"{wanted.qrels}: holds no judgements, expected TREC qrels or those of BEIR")
        return
    if isinstance(subject.qrels, np.ndarray):
        fits = subject.qrels.ndim == 1 and subject.qrels.dtype.kind in "iu"
        subject.qrels = subject.qrels[: subject.queries.shape[0]] if fits else None
