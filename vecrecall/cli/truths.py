"""The truth that `vecrecall sweep` takes out of a file, as ids of the index, compared with exact search.

Files of benchmarks number the rows in the order in which the index got them; what `search` wrote holds the index's ids.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.cli.answers import Answers, as_text
from vecrecall.cli.engines import SPARSE, TruthIds
from vecrecall.cli.inputs import about

if TYPE_CHECKING:
    from vecrecall.cli.swept import Subject

_ASKED = 32  # queries whose truth is compared with exact search
_DEEP = 1_000  # answers of it: neighbours that are not among them are farther
_RIGHT = 0.99  # of the neighbours in a truth that is one: two ways of rounding may differ


def take_truth(subject: Subject, answers: Answers, path: Path, asked: Path, k: int, meant: TruthIds | None) -> None:
    """Take the truth of a file as the subject's, or say in a note why not.

    Distances of dense rows are computed again: files have squared ones, scores, or none. And some queries are asked
    exactly: with the truth of other rows or of another metric, whatever is found looks right.

    Parameters
    ----------
    asked : Path
        The file of the queries.
    meant : TruthIds or None
        None: as the form of the file has it.

    Raises
    ------
    ValueError
        If the file answers other queries, names rows or ids that the index does not hold, or is not the truth.
    """
    from vecrecall.inputs import as_queries

    index = subject.index
    if answers.width < k:
        subject.notes.append(f"{path} holds {answers.width} neighbours a query, fewer than {k}: truth is computed")
        return
    distances: NDArray[Any] | None
    found, distances = answers.at(_positions(subject, answers, path), k)
    of_rows = answers.of_rows if meant is None else meant is TruthIds.rows
    slots = (_slots_of_rows if of_rows else _slots_of_ids)(index, found, path)
    ids = index._ids.outer(slots)
    rows = _dense_rows(index)
    if index.kind in SPARSE:
        with about(asked):
            _drop_fillers(subject, ids, distances)
    if rows is not None:
        from vecrecall.exact.search import distances_of

        with about(asked):
            queries, _ = as_queries(subject.queries, index.dim)
        distances = distances_of(rows, queries, slots, index.metric)
    with about(asked):
        near = _exactly(index, subject.queries[:_ASKED], max(k, min(_DEEP, len(index))))
    if near is None:
        subject.notes.append(f"{path} was not compared with exact search: the index keeps no rows")
        distances = None  # those of answers are of codes
    else:
        real = _distances_among(near, ids)
        _refuse_other(path, index.metric, (ids[: len(real)], real), near, k)
        if rows is None and distances is not None and not _alike(distances[: len(real)], real, near):
            subject.notes.append(f"{path} has other distances than the index: answers are compared by id")
            distances = None
    subject.truth = ids if distances is None else (ids, distances)


def _positions(subject: Subject, answers: Answers, path: Path) -> list[int]:
    """The place of each query in the file, by name where it has names; -1 for one without a line in a file of lines."""
    n, names = subject.queries.shape[0], subject.query_ids
    if answers.numbered:
        if len(answers.names) < n:
            raise ValueError(f"{path}: holds the neighbours of {len(answers.names)} queries, expected those of {n}")
        return list(range(n))
    place = {name: row for row, name in enumerate(answers.names)}
    wanted = list(map(str, range(n) if names is None else np.asarray(names).tolist()))
    lacking = [name for name in wanted if name not in place]
    if lacking and (answers.whole or len(lacking) == n):
        raise ValueError(f"{path}: does not answer query {lacking[0]!r}; give the truth of the queries that are asked")
    if lacking:
        subject.notes.append(f"{path} has no line for {len(lacking):,} queries, which count as having no neighbours")
    return [place.get(name, -1) for name in wanted]


def _slots_of_rows(index: Any, found: NDArray[Any], path: Path) -> NDArray[np.int64]:
    slots, hint = _as_numbers(found, path, "rows are numbers"), "if these are ids, give --truth-ids ids"
    n = index._ids.n
    if slots.max(initial=-1) >= n or slots.min(initial=0) < -1:
        far = slots.max() if slots.max() >= n else slots.min()
        raise ValueError(f"{path}: names row {far}, but the index has {n}; it is of other rows, or {hint}")
    dead = slots[(slots >= 0) & index._ids.dead[slots]] if n else slots[:0]
    if len(dead):
        raise ValueError(f"{path}: names row {dead[0]}, which was deleted from the index; {hint}")
    return slots


def _slots_of_ids(index: Any, found: NDArray[Any], path: Path) -> NDArray[np.int64]:
    from vecrecall.tuning import slots_of_truth

    strings = index._ids.kind == "str"
    names = as_text(found) if strings else _as_numbers(found, path, "the ids of the index are numbers")
    try:
        return slots_of_truth(index._ids, names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; if these are numbers of rows, give --truth-ids rows") from None


def _as_numbers(found: NDArray[Any], path: Path, since: str) -> NDArray[np.int64]:
    """Ids as integers; files of text have them as text."""
    if found.dtype.kind != "O":
        return found.astype(np.int64)
    numbers = np.full(found.shape, -1, np.int64)
    for place, name in np.ndenumerate(found):
        try:
            numbers[place] = -1 if name is None else int(name)
        except (ValueError, OverflowError):
            raise ValueError(f"{path}: names {name!r}, but {since}; give the truth of this index") from None
    return numbers


def _drop_fillers(subject: Subject, ids: NDArray[Any], distances: NDArray[Any] | None) -> None:
    """Make places missing whose row shares no column with the query: files fill up with them, searches do not."""
    scored = None if distances is None else distances == 0
    doubtful = np.arange(len(ids)) if scored is None else np.flatnonzero(scored.any(axis=1))
    near = _exactly(subject.index, subject.queries[doubtful], ids.shape[1]) if len(doubtful) else None
    missing = -1 if ids.dtype.kind == "i" else None
    for row, found in zip(doubtful, () if near is None else near.ids.tolist()):
        if missing in found:  # else there are as many answers as places
            fillers = [name not in found for name in ids[row].tolist()]
            ids[row, fillers] = missing
            if distances is not None:
                distances[row, fillers] = np.inf


def _dense_rows(index: Any) -> NDArray[Any] | None:
    """The rows of an index, by slot; None where they are sparse or not kept."""
    if index.kind == "exact":
        rows: NDArray[Any] = index._rows[: len(index)]
        return rows
    kept = getattr(index._content, "kept", None) if index.kind in ("hnsw", "ivf") else None
    return None if kept is None else kept.values[: kept.n, : kept.dim]


def _exactly(index: Any, some: Any, k: int) -> Any:
    """What exact search finds; None where the index keeps no rows."""
    from vecrecall.threads import n_threads
    from vecrecall.tuning import Tunable

    if not isinstance(index, Tunable):
        return index.search(some, k)
    queries, _ = index._checked_queries(some)
    return index._exact_answer(queries, k, n_threads(None))


def _distances_among(near: Any, ids: NDArray[Any]) -> NDArray[np.float64]:
    """Distances of ids by those that exact search found; of others the last of these, which they are not below."""
    reached = np.full((len(near), ids.shape[1]), np.inf)
    for row, own, found, distances in zip(reached, ids.tolist(), near.ids.tolist(), near.distances.tolist()):
        known = dict(zip(found, distances)) | {None: np.inf, -1: np.inf}
        row[:] = [known.get(name, distances[-1]) for name in own]
    return reached


def _refuse_other(path: Path, metric: str, truth: tuple[Any, Any], near: Any, k: int) -> None:
    from vecrecall.matching import shares_found

    share = float(shares_found(truth, (near.ids[:, :k], near.distances[:, :k]), tolerance=1e-3).mean())
    if share < _RIGHT:
        raise ValueError(
            f"{path}: its neighbours are not the nearest by {metric} (exact search agrees with {share:.0%} of those of "
            f"{len(near)} queries); give the right --metric or --truth-ids, or --exact-truth in place of them"
        )


def _alike(distances: NDArray[Any], real: NDArray[np.float64], near: Any) -> bool:
    """Whether distances of a file are those of the index, to a thousandth."""
    both = np.isfinite(real)
    scale = np.abs(near.distances[np.isfinite(near.distances)]).max(initial=0.0)
    return bool(np.allclose(distances[both], real[both], rtol=1e-3, atol=1e-6 * scale))
