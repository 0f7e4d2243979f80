"""From a record to results: every figure of the report is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.records import AnswersRow, BuiltRow, Records
from bench.results import Built, DataFacts, Faults, Point, Results
from bench.tasks import parse

N_RESAMPLES = 2_000


def results(records: Records) -> Results:
    """All that a record holds."""
    task = parse(records.fact("name", ""), records.fact("task"))
    data = []
    for name in task.data:
        facts = records.fact(f"data {name}")
        if facts is not None:
            facts = {field: value for field, value in facts.items() if field in DataFacts.__dataclass_fields__}
            data.append(DataFacts(name=name, k=task.k, **facts))
    built = tuple(_built(records, row) for row in records.built())
    return Results(
        task=task.name, data=tuple(data), built=built, machine=records.fact("machine", {}),
        command=records.fact("command", ""), finished=bool(records.fact("finished", False)),
    )  # fmt: skip


def together(several: Sequence[Results]) -> Results:
    """The results of several records, such as one a data set, as those of one.

    Raises
    ------
    ValueError
        If they are not of one machine and one state of the code, or two hold the same data set.
    """
    first = several[0]
    for other in several[1:]:
        differing = [name for name in first.machine if first.machine[name] != other.machine.get(name)]
        if differing or len(first.machine) != len(other.machine):
            what = differing[0] if differing else "what is said of the machine"
            raise ValueError(
                f"the records differ in {what} ({first.machine.get(what)!r} and {other.machine.get(what)!r}), so that "
                "their figures cannot stand side by side; report them one by one"
            )
    data = [facts for of in several for facts in of.data]
    names = [facts.name for facts in data]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]} is in two records; report them one by one")
    return Results(
        task=" and ".join(dict.fromkeys(of.task for of in several)), data=tuple(data),
        built=tuple(built for of in several for built in of.built), machine=first.machine,
        command="; ".join(of.command for of in several), finished=all(of.finished for of in several),
    )  # fmt: skip


def _built(records: Records, row: BuiltRow) -> Built:
    facts = {name: row.facts[name] for name in Built.__dataclass_fields__ if name in row.facts}
    judged = [answers for answers in records.answers(row.number, "timed") if answers.recall is not None]
    points = tuple(_point(records, answers) for answers in judged if records.rounds_done(answers.number))
    return Built(data=row.data, peer=row.peer, build=row.build, problem=row.problem, points=points, **facts)


def _point(records: Records, answers: AnswersRow) -> Point:
    assert answers.recall is not None
    totals, each = records.times(answers.number)
    n = len(answers.recall)
    low, high = interval(answers.recall)
    latency: dict[str, float] = {}
    best = float(totals.min())
    if answers.mode != "batch":
        least = np.min([times for times in each if times is not None], axis=0)  # the round that nothing disturbed
        best = float(least.sum())
        if answers.mode == "single":
            latency = {"mean": float(least.mean() / 1e3)}
            latency |= {f"p{q}": float(np.percentile(least, q) / 1e3) for q in (50, 95, 99)}
    faults: dict[str, Any] = dict(answers.faults)
    return Point(
        setting=answers.setting, recall=float(answers.recall.mean()), recall_low=low, recall_high=high,
        qps={answers.mode: n / best * 1e9}, rounds={answers.mode: (n / totals * 1e9).tolist()}, latency_us=latency,
        faults=Faults(**faults),
    )  # fmt: skip


def interval(values: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron & Tibshirani 1993, section 13.3)."""
    rng = np.random.Generator(np.random.PCG64(0))
    means = values[rng.integers(0, len(values), (N_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
