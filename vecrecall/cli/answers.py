"""What a search answered, in a file: written by `vecrecall search`, read by `vecrecall recall`.

::

    query <tab> rank <tab> id <tab> distance <tab> score                     .tsv, a line a hit, with a line of titles
    {"query": 7, "k": 1, "ids": [3], "distances": [0.5], "scores": [-0.5]}   .jsonl, a line a query

and what `vecrecall.io` has: .npz, TREC runs, and the truth in files of other tools. Where distances are those of codes,
the fourth title is "code distance", and an object and an archive have "exact_distances" false.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import DataFileError

if TYPE_CHECKING:
    from vecrecall.hits import Hits
    from vecrecall.io.dataset import Dataset

SUFFIXES = (".npz", ".tsv", ".jsonl", ".trec", ".run")
_TITLES = ["query", "rank", "id", "distance", "score"]
_OF_CODES = [*_TITLES[:3], "code distance", "score"]
_PEEK = 1 << 12  # bytes that tell our own forms from others


@dataclass(frozen=True, eq=False)
class Answers:
    """What a file says was found, nearest first.

    Attributes
    ----------
    names : list of str
        Of the queries; their numbers where the file has no names.
    ids : ndarray of int64, or of str objects, shape (q, width)
        Missing places hold -1 or None.
    distances : ndarray of float64, shape (q, width), or None
        Missing places hold +inf.
    whole : bool
        Whether a query that found nothing has its place; it has none in a file with a line a hit.
    asked : int
        How many neighbours of each query were asked for, if the file says; there may be fewer.
    exact_distances : bool
        False where they are known to be those of codes, which only compare among themselves.
    numbered : bool
        Whether the file has no names of queries.
    of_rows : bool
        Whether the ids are numbers of rows, as in files of benchmarks, and not those of an index that was searched.
    row_ids : ndarray or sequence, or None
        The ids that the file gives to the rows which it numbers.
    """

    names: list[str]
    ids: NDArray[Any]
    distances: NDArray[np.float64] | None
    whole: bool
    asked: int = 0
    exact_distances: bool = True
    numbered: bool = False
    of_rows: bool = False
    row_ids: Any = None

    @property
    def width(self) -> int:
        """How many places of each query are known."""
        return max(self.ids.shape[1], self.asked)

    def at(self, positions: Sequence[int], k: int) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        """Return k ids and distances of some queries, at most `width`; position -1 is a query that found nothing."""
        at, missing = np.array(positions, np.int64), -1 if self.ids.dtype.kind == "i" else None
        return _taken(self.ids, at, k, missing), _taken(self.distances, at, k, np.inf)

    def named(self, row_ids: Any, path: Path) -> Answers:
        """Return answers that number rows with the ids that these have; `path` is for messages."""
        names = np.asarray(row_ids)
        last = self.ids.max(initial=-1)
        if last >= len(names):
            raise ValueError(f"{path}: names row {last}, but there are {len(names)} ids; give those of all rows")
        plain = names.dtype.kind in "iu"
        ids = np.full(self.ids.shape, -1 if plain else None, np.int64 if plain else object)
        ids[self.ids >= 0] = (names if plain else names.astype(str).astype(object))[self.ids[self.ids >= 0]]
        return replace(self, ids=ids, of_rows=False)


def _taken(table: Any, at: NDArray[np.int64], k: int, missing: Any) -> Any:
    if table is None:
        return None
    taken = np.full((len(at), k), missing, table.dtype)
    there, width = np.flatnonzero(at >= 0), min(k, table.shape[1])
    taken[there, :width] = table[at[there], :width]
    return taken


def check_suffix(path: Path) -> None:
    """Refuse the name of a file whose form it does not tell."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: ends in {path.suffix or 'nothing'!r}, expected one of {', '.join(SUFFIXES)}")


def check_ids(path: Path, strings: bool) -> None:
    """Refuse a file that has no room for the ids of an index, which are strings or not."""
    if strings and path.suffix == ".npz":
        raise ValueError(f"{path}: the ids of the index are strings, expected integers for .npz; write .jsonl or .tsv")


def records(hits: Hits, names: Sequence[Any] | None, exact_distances: bool = True) -> Iterator[dict[str, Any]]:
    """Yield what was found for each query, without missing places, as JSON has it."""
    scores = np.atleast_2d(hits.scores)
    k, marks = hits.ids.shape[-1], {} if exact_distances else {"exact_distances": False}
    for name, (ids, distances), row in zip(names_of(hits, names), hits, scores, strict=True):
        found = {"ids": ids.tolist(), "distances": distances, "scores": row[: len(ids)]}
        yield {"query": name, "k": k, **found, **marks}


def names_of(hits: Hits, names: Sequence[Any] | None) -> list[Any]:
    """Names of the queries, or their numbers."""
    return list(range(len(hits))) if names is None else np.asarray(names).tolist()


def write_answers(path: Path, hits: Hits, names: Sequence[Any] | None, exact_distances: bool = True) -> None:
    """Write what was found, whole or not at all, in the form that the name of the file ends with."""
    from vecrecall.cli.outputs import as_json
    from vecrecall.io import Dataset, run_of, write_npz, write_run
    from vecrecall.io.lines import write_lines

    if path.suffix == ".jsonl":
        write_lines(path, (as_json(record) + b"\n" for record in records(hits, names, exact_distances)))
    elif path.suffix == ".tsv":
        write_lines(path, _table(hits, names, exact_distances))
    elif path.suffix in (".trec", ".run"):
        write_run(path, run_of(hits, names))
    else:
        check_ids(path, hits.ids.dtype.kind == "O")
        parts: dict[str, Any] = {"neighbors": hits.ids, "distances": hits.distances, "metric": hits.metric}
        given = None if names is None else np.asarray(names)
        marks = {} if exact_distances else {"exact_distances": False}
        write_npz(path, Dataset(query_ids=given, attributes=marks, **parts))


def read_answers(path: Path, form: str | None, option: str, *, squared: bool = False) -> Answers:
    """Read what a search found, or what is true.

    Parameters
    ----------
    path : Path
    form : str or None
        Name of a format of `vecrecall.io`, or None to tell it by the content.
    option : str
        How a user may name it.
    squared : bool
        Whether the file is a truth of big-ann with squared distances.

    Raises
    ------
    DataFileError
        If the file is damaged, or holds no neighbours and no run.
    OSError
        As the operating system says.
    """
    from vecrecall.cli.inputs import read_data

    if form is None and path.is_file() and not squared:
        with open(path, "rb") as file:
            head = file.read(_PEEK)
        if head.startswith("\t".join(_TITLES[:3]).encode()):
            return _of_table(path)
        if head.startswith(b'{"query":'):
            return _of_records(path)
    dataset = read_data(path, form, option, **({"squared": True} if squared else {}))
    if dataset.run is not None:
        return _listed({name: list(found) for name, found in dataset.run.items()}, None, whole=False)
    if dataset.neighbors is None:
        raise DataFileError(f"{path}: holds no neighbours and no run, expected what a search found, or the truth")
    return answers_of(dataset, path)


def answers_of(dataset: Dataset, path: Path) -> Answers:
    """The neighbours that a file holds, as answers; what `search` writes is an archive of nothing else."""
    assert dataset.neighbors is not None
    alone = path.suffix == ".npz" and dataset.rows is None and dataset.queries is None
    ids = np.asarray(dataset.neighbors, np.int64)
    names = list(map(str, range(len(ids)) if dataset.query_ids is None else np.asarray(dataset.query_ids).tolist()))
    if len(names) != len(ids) or len(set(names)) < len(names):
        raise DataFileError(f"{path}: has {len(set(names))} names for {len(ids)} queries, expected one for each")
    distances = None if dataset.distances is None else np.asarray(dataset.distances, np.float64)
    return Answers(
        names, ids, distances, whole=True, exact_distances=dataset.attributes.get("exact_distances") is not False,
        numbered=dataset.query_ids is None, of_rows=not alone, row_ids=dataset.ids,
    )  # fmt: skip


def _table(hits: Hits, names: Sequence[Any] | None, exact_distances: bool) -> Iterator[bytes]:
    yield ("\t".join(_TITLES if exact_distances else _OF_CODES) + "\n").encode()
    for record in records(hits, names):
        found = zip(record["ids"], record["distances"], record["scores"])
        for rank, (name, distance, score) in enumerate(found, 1):
            fields = (_field(record["query"]), str(rank), _field(name), str(distance), str(score))
            yield ("\t".join(fields) + "\n").encode()


def _field(name: Any) -> str:
    text = str(name)
    if any(mark in text for mark in "\t\r\n"):
        raise ValueError(f"id {text!r} has a tab or the end of a line, which .tsv has no room for; write .jsonl")
    return text


def _of_table(path: Path) -> Answers:
    from vecrecall.io.lines import fields_of

    ids: dict[str, list[Any]] = {}
    distances: dict[str, list[float]] = {}
    exact_distances = True
    for number, fields in fields_of(path, "\t"):
        if number == 1:
            exact_distances = fields != _OF_CODES
            continue
        try:
            query, _, name, distance, _ = fields
            reached = float(distance)
        except ValueError:
            raise DataFileError(f"{path}: line {number} has fields {fields}, expected {', '.join(_TITLES)}") from None
        ids.setdefault(query, []).append(name)
        distances.setdefault(query, []).append(reached)
    return _listed(ids, distances, whole=False, exact_distances=exact_distances)


def _of_records(path: Path) -> Answers:
    from vecrecall.io.lines import objects_of

    ids: dict[str, list[Any]] = {}
    distances: dict[str, list[float]] = {}
    asked: list[int] = []
    exact_distances = True
    for number, line in objects_of(path):
        found, reached = line.get("ids"), line.get("distances")
        sound = isinstance(found, list) and isinstance(reached, list) and len(found) == len(reached)
        if not sound or not _are(found, (int, str)) or not _are(reached, (int, float)):
            raise DataFileError(f"{path}: line {number} has no ids and distances, expected as many of both")
        name = str(line.get("query"))
        if name in ids:
            raise DataFileError(f"{path}: line {number} answers query {name!r} again; drop one")
        ids[name], distances[name] = found or [], reached or []
        k = line.get("k", 0)
        if type(k) is not int:
            raise DataFileError(f"{path}: line {number} has k {k!r}, expected how many neighbours were asked for")
        asked.append(k)
        exact_distances &= line.get("exact_distances") is not False
    return _listed(ids, distances, whole=True, asked=min(asked, default=0), exact_distances=exact_distances)


def _are(values: Any, types: tuple[type, ...]) -> bool:
    return all(type(value) in types for value in values)


def _listed(ids: dict[str, list[Any]], distances: dict[str, list[float]] | None, **facts: Any) -> Answers:
    """Answers of lists of unequal lengths, filled up with missing places."""
    width = max(map(len, ids.values()), default=0)
    plain = all(type(name) is int for found in ids.values() for name in found)
    table = np.full((len(ids), width), -1 if plain else None, np.int64 if plain else object)
    reached = None if distances is None else np.full((len(ids), width), np.inf)
    for row, (query, found) in enumerate(ids.items()):
        table[row, : len(found)] = found if plain else list(map(str, found))
        if reached is not None and distances is not None:
            reached[row, : len(found)] = distances[query]
    return Answers(list(ids), table, reached, **facts)


def as_text(ids: NDArray[Any]) -> NDArray[Any]:
    """Ids as strings, None where missing."""
    if ids.dtype.kind == "O":
        return ids
    texts = [None if name == -1 else str(name) for name in ids.ravel().tolist()]
    return np.array(texts, object).reshape(ids.shape)
