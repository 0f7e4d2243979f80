"""What `vecrecall sweep` measures: an index, queries, their truth and judgements, out of files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from vecrecall.cli.answers import Answers, answers_of, read_answers
from vecrecall.cli.engines import SEARCHING, Engine, Metric, TruthIds, chosen
from vecrecall.cli.inputs import about, queries_of, read_data, read_queries, rows_of
from vecrecall.cli.truths import take_truth

if TYPE_CHECKING:
    from vecrecall.io.dataset import Dataset

_HELD_OUT = 1_000  # rows that serve as queries where there are none, but not more than a tenth
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
    beside : Dataset or None
        What else is in the file that the queries are from, if it has queries of its own.
    """

    index: Any
    queries: Any
    query_ids: Any = None
    truth: Any = None
    qrels: Any = None
    settings: dict[str, Any] = field(default_factory=dict)
    build_s: float | None = None
    notes: list[str] = field(default_factory=list)
    beside: Dataset | None = None


@dataclass(frozen=True)
class Wanted:
    """What the command line says."""

    source: Path
    queries: Path | None
    truth: Path | None
    truth_ids: TruthIds | None
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
    given = _truth_of(wanted)
    subject = _of_index(wanted) if _is_index(wanted.source) else _of_data(wanted)
    _add_truth(subject, wanted, given)
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
    settings = _settings(index.kind, wanted)
    dataset = read_queries(wanted.queries, None, wanted.documents, index)
    queries, names = _first(wanted.limit, *queries_of(dataset, wanted.queries))
    beside = None if dataset.queries is None else dataset
    notes: list[str] = []
    qrels = _judgements(wanted, beside, names, queries.shape[0], index._ids.kind != "str", notes)
    return Subject(index, queries, names, qrels=qrels, settings=settings, notes=notes, beside=beside)


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
    asked = dataset if wanted.queries is None else _queries_beside(dataset, wanted.queries, wanted.documents)
    beside = None if asked.queries is None else asked
    if wanted.queries is not None or beside is not None:
        queries, names = _first(wanted.limit, *queries_of(asked, wanted.queries or wanted.source))
    else:
        with about(wanted.source):
            _check(rows)
        rows, ids, queries, names = _held_out(rows, ids, wanted, notes)
    with about(wanted.queries or wanted.source):
        _check(queries, rows)
    engine = _engine(rows, wanted)
    settings = _settings(engine, wanted)
    numbers = ids is None or np.asarray(ids).dtype.kind in "iu"
    qrels = _judgements(wanted, beside, names, queries.shape[0], numbers, notes)
    before = time.perf_counter()
    with about(wanted.source):
        index = _built(engine, rows, ids, metric, wanted)
    build_s = time.perf_counter() - before
    return Subject(
        index, queries, names, qrels=qrels, settings=settings, build_s=build_s, notes=notes, beside=beside
    )


def _check(vectors: Any, rows: Any = None) -> None:
    """Refuse, before anything is built, vectors that cannot be rows, or cannot be queries to some rows."""
    from vecrecall.csr import as_csr, as_sparse_queries
    from vecrecall.inputs import as_queries, as_rows

    if rows is None:
        if hasattr(vectors, "nnz"):
            as_csr(vectors)
        else:
            as_rows(vectors)
    elif hasattr(rows, "nnz"):
        as_sparse_queries(vectors, rows.shape[1])
    else:
        as_queries(vectors, rows.shape[1])


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


def _queries_beside(dataset: Dataset, path: Path, documents: Path | None) -> Dataset:
    """Queries of another file; those of words get the columns that the words have among the rows."""
    if "vocabulary" in dataset.attributes:
        return read_data(path, "jsonl", vocabulary=dataset.attributes["vocabulary"])
    kind = "sparse" if hasattr(dataset.rows, "nnz") else "hnsw"
    of_rows = SimpleNamespace(kind=kind, dim=dataset.rows.shape[1])
    return read_queries(path, None, documents, of_rows)


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


def _truth_of(wanted: Wanted) -> Answers | None:
    """The answers in the file of --truth, read before anything is built."""
    if wanted.truth is None:
        return None
    if wanted.exact_truth:
        raise ValueError(f"--truth {wanted.truth} was given with --exact-truth, which takes none; leave one out")
    return read_answers(wanted.truth, None, "--format")


def _add_truth(subject: Subject, wanted: Wanted, given: Answers | None) -> None:
    """Take the truth of --truth, or that of the file which the queries are from."""
    from vecrecall.tuning import Tunable

    asked, beside = wanted.queries or wanted.source, subject.beside
    if given is not None and wanted.truth is not None:
        take_truth(subject, given, wanted.truth, asked, wanted.k, wanted.truth_ids)
    elif not wanted.exact_truth and beside is not None and beside.neighbors is not None:
        take_truth(subject, answers_of(beside, asked), asked, asked, wanted.k, wanted.truth_ids)
    if subject.truth is None and isinstance(subject.index, Tunable) and not subject.index._exact_distances():
        raise ValueError(
            f"{wanted.source}: no rows are kept to compute the truth from; give --truth with {wanted.k} or more "
            "neighbours of each query"
        )


def _judgements(
    wanted: Wanted, beside: Dataset | None, names: Any, n: int, numbers: bool, notes: list[str]
) -> Any:
    """Judgements of --qrels, or those of the file which the queries are from, if they fit; before anything is built.

    `names` are those of the n queries, or None; `numbers` says whether the ids of the index will be numbers.
    """
    qrels: Any = None
    if wanted.qrels is not None:
        qrels = read_data(wanted.qrels, None).qrels
        if qrels is None:
            raise ValueError(f"{wanted.qrels}: holds no judgements, expected TREC qrels or those of BEIR")
    elif beside is not None:
        qrels = beside.qrels or next((beside.attributes.get(name) for name in _RELEVANT), None)
    if isinstance(qrels, np.ndarray):
        return qrels[:n] if qrels.ndim == 1 and qrels.dtype.kind in "iu" else None
    if not isinstance(qrels, Mapping):
        return None
    fault = _fault_of(qrels, list(map(str, range(n) if names is None else np.asarray(names).tolist())), numbers)
    if fault is None:
        return qrels
    if wanted.qrels is not None:
        raise ValueError(f"{wanted.qrels}: {fault}")
    notes.append(f"{wanted.queries or wanted.source}: {fault}; they are left out")
    return None


def _fault_of(qrels: Mapping[str, Mapping[str, int]], asked: list[str], numbers: bool) -> str | None:
    """Why judgements do not fit queries of some names, and an index whose ids are numbers or not."""
    judged = [name for name in asked if name in qrels]
    if asked and not judged:
        return f"its judgements know none of the {len(asked)} queries, such as {asked[0]!r}"
    other = next((doc for name in judged for doc in qrels[name] if numbers and not _is_number(doc)), None)
    return None if other is None else f"its judgements name document {other!r}, but the ids of the index are numbers"


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _settings(kind: str, wanted: Wanted) -> dict[str, Any]:
    """The settings that were given, checked before anything is built."""
    from vecrecall.measure.grids import grid

    settings = chosen(_SETTINGS, kind, wanted.settings)
    grid(SimpleNamespace(kind=kind), wanted.k, settings)
    return settings
