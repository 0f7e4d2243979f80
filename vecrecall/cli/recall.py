"""`vecrecall recall RESULTS TRUTH`: which part of the true neighbours a file of answers holds."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecrecall.cli.exits import NO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vecrecall.cli.answers import Answers

_RESULTS = "What a search found: a file of `vecrecall search --out`, an ivecs, truth or HDF5 file, or a TREC run."
_TRUTH = "The true neighbours, in any of these forms."
_IDS = (
    "Ids of the index by row, as given to build, where TRUTH numbers rows (files of benchmarks do). Default: those in "
    "TRUTH; else the numbers themselves."
)
_BY = (
    "What makes an answer right: being as near as the k-th true neighbour, or being one. Default: distance, where both "
    "files have some, and none of codes."
)


_A_SCORE = -1e-3  # a distance below is a score, negated; those by cosine may be below 0 by rounding
_HARDLY_ANY = 0.1  # of the true neighbours by id: so few that ids may mean something else


class By(str, Enum):
    """What makes an answer right."""

    distance = "distance"
    id = "id"


def recall(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help=_RESULTS)],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help=_TRUTH)],
    k: Annotated[int, typer.Option("-k", help="Places of both that are looked at.")] = 10,
    by: Annotated[By | None, typer.Option(help=_BY)] = None,
    ids: Annotated[Path | None, typer.Option("--ids", help=_IDS)] = None,
    interval: Annotated[
        float | None, typer.Option(help="Level, such as 0.95, of a bootstrap interval over the queries.")
    ] = None,
    target: Annotated[float | None, typer.Option(help="Exit with 1 if the recall is below.")] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    results_format: Annotated[
        str | None, typer.Option(help="Format of RESULTS, where its content does not tell.")
    ] = None,
    truth_format: Annotated[
        str | None, typer.Option(help="Format of TRUTH, where its content does not tell.")
    ] = None,
    squared: Annotated[
        bool, typer.Option("--squared", help="TRUTH is a file of big-ann with squared distances: take the roots.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print recall@k of answers in a file, against the truth in another.

    Queries are matched by name; those of a file without names are numbered from 0. To search an index and measure it
    in one step, take `vecrecall sweep`.

    Example: vecrecall recall found.npz sift-128-euclidean.hdf5 -k 10 --interval 0.95
    """
    from vecrecall.cli.answers import read_answers
    from vecrecall.inputs import as_count, as_recall, as_seed, warn_user
    from vecrecall.measure.recall import recall as recall_of

    k = as_count(k, "-k")
    target, seed = None if target is None else as_recall(target, "--target"), as_seed(seed)
    found = read_answers(results, results_format, "--results-format")
    true = read_answers(truth, truth_format, "--truth-format", squared=squared)
    true = _named(true, truth, ids, found)
    for path, answers in ((results, found), (truth, true)):
        _refuse_narrow(path, answers, k)
    measure = _measure(by, (results, found), (truth, true))
    positions, n_unanswered = _matched(results, found, truth, true)
    found_ids, distances = found.at(positions, k)
    true_ids, true_distances = true.at(range(len(true.names)), k)
    n_fillers = _drop_fillers(true_ids, true_distances)
    if n_fillers:
        warn_user(f"{truth}: {n_fillers} places have a score of 0; they fill it up, and are taken as missing")
    found_ids, true_ids = _of_one_kind(found_ids, true_ids)
    if measure is By.distance:
        _refuse_unlike(results, found_ids, distances, truth, true_ids, true_distances)
        _refuse_beaten(found_ids, distances, truth, true_distances)
    pair: Any = ((found_ids, distances), (true_ids, true_distances))
    pair = pair if measure is By.distance else (found_ids, true_ids)
    measured: Any = recall_of(*pair, k=k, by=measure.value, per_query=True, interval=interval, seed=seed)
    if measure is By.id and true.of_rows and not found.of_rows and measured.value < _HARDLY_ANY:
        warn_user(
            f"{truth}: numbers rows, and hardly any of these numbers is among the ids of {results}; if the index was "
            "built with ids of its own, give --ids"
        )
    facts = {
        "recall": measured.value, "k": k, "by": measure.value, "queries": len(true.names),
        "unanswered": n_unanswered, "level": interval, "low": measured.low, "high": measured.high, "target": target,
        "reached": None if target is None else measured.value >= target,
    }  # fmt: skip
    if as_json:
        from vecrecall.cli.outputs import print_json

        print_json(facts)
    else:
        typer.echo(_sentence(facts))
    if facts["reached"] is False:
        raise typer.Exit(NO)


def _refuse_narrow(path: Path, answers: Answers, k: int) -> None:
    if not answers.names:
        raise ValueError(f"{path}: holds no queries, expected at least one")
    if answers.width < k:
        raise ValueError(f"{path}: holds {answers.width} places a query, but -k is {k}; give that or less")


def _measure(by: By | None, *files: tuple[Path, Answers]) -> By:
    """How to measure: as asked for, or by distance where both files have some that can be compared."""
    from vecrecall.inputs import warn_user

    without = [path for path, answers in files if answers.distances is None]
    if by is By.distance and without:
        raise ValueError(f"{without[0]}: holds no distances, which --by distance needs; give --by id")
    of_codes = [path for path, answers in files if not answers.exact_distances]
    if by is None and of_codes and not without:
        warn_user(
            f"{of_codes[0]}: holds distances of codes, since its index keeps no rows; recall is measured by id, so "
            "that ties may count as errors"
        )
    return by or (By.id if without or of_codes else By.distance)


def _matched(results: Path, found: Answers, truth: Path, true: Answers) -> tuple[list[int], int]:
    """(place in the results of each query of the truth, -1 if it has none; how many have none)."""
    known = set(true.names)
    stranger = next((name for name in found.names if name not in known), None)
    if stranger is not None:
        raise ValueError(
            f"{results}: answers query {stranger!r}, which {truth} does not know; give both for the same queries"
        )
    place = {name: row for row, name in enumerate(found.names)}
    lacking = [name for name in true.names if name not in place]
    if lacking and found.whole:
        raise ValueError(
            f"{results}: does not answer query {lacking[0]!r} of {truth}, nor {len(lacking) - 1} others; "
            "give both for the same queries"
        )
    return [place.get(name, -1) for name in true.names], len(lacking)


def _refuse_unlike(
    results: Path, ids: NDArray[Any], distances: Any, truth: Path, true_ids: NDArray[Any], true_distances: Any
) -> None:
    """Refuse distances of two kinds, such as squared ones beside others: no recall could be told from them.

    Most of the neighbours that both files put first have to be as far in both, to one in a hundred.
    """
    import numpy as np

    same = (ids[:, 0] == true_ids[:, 0]) & np.isfinite(true_distances[:, 0]) & np.isfinite(distances[:, 0])
    one, other = distances[same, 0], true_distances[same, 0]
    scale = np.median(np.abs(true_distances[np.isfinite(true_distances)])) if len(one) else 0.0
    unlike = np.abs(one - other) > 0.01 * np.abs(other) + 0.001 * scale
    if 2 * unlike.sum() > len(one):
        first = int(np.flatnonzero(unlike)[0])
        raise ValueError(
            f"{results}: has the same first neighbours as {truth} at other distances ({one[first]:g} and "
            f"{other[first]:g}), so that they cannot be compared: another metric, or squared; give --by id"
        )


def _refuse_beaten(ids: NDArray[Any], distances: Any, truth: Path, true_distances: Any) -> None:
    """Refuse a truth that answers beat; an id that one repeats counts once."""
    import numpy as np

    from vecrecall.matching import first_times, numbered, refuse_beaten

    places, _ = numbered(ids, ids)
    try:
        refuse_beaten(np.where(first_times(places), distances, np.inf), true_distances)
    except ValueError as error:
        raise ValueError(f"{truth}: {error}; or --by id") from None


def _drop_fillers(ids: NDArray[Any], distances: NDArray[Any] | None) -> int:
    """Make places missing whose score is 0, where all others are above: sparse truth is filled up with such rows."""
    import numpy as np

    if distances is None:
        return 0
    known = distances[np.isfinite(distances)]
    if len(known) == 0 or known.max() != 0 or known.min() > _A_SCORE:
        return 0
    fillers = distances == 0
    ids[fillers], distances[fillers] = -1 if ids.dtype.kind == "i" else None, np.inf
    return int(fillers.sum())


def _named(true: Answers, truth: Path, ids: Path | None, found: Answers) -> Answers:
    """The truth by ids of the index, where something says which row has which."""
    from vecrecall.cli.inputs import read_names

    if ids is not None and not true.of_rows:
        raise ValueError(f"{truth}: holds ids, not numbers of rows; leave --ids out")
    names = read_names(ids) if ids is not None else None if found.of_rows else true.row_ids
    return true if names is None else true.named(names, truth)


def _of_one_kind(ids: NDArray[Any], true: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as strings if one of them is: files of text know no integers."""
    if ids.dtype.kind == true.dtype.kind:
        return ids, true
    from vecrecall.cli.answers import as_text

    return as_text(ids), as_text(true)


def _sentence(facts: dict[str, Any]) -> str:
    text = f"recall@{facts['k']} {facts['recall']:.4f} by {facts['by']} over {facts['queries']:,} queries"
    if facts["level"] is not None:
        text += f", interval {facts['low']:.4f} to {facts['high']:.4f} (level {facts['level']})"
    if facts["unanswered"]:
        text += f"; {facts['unanswered']:,} of them have no line in RESULTS and count as not found"
    if facts["reached"] is not None:
        text += f"; target {facts['target']} {'reached' if facts['reached'] else 'not reached'}"
    return text
