"""By which rules a figure is a fault, or worth a word of advice. Every threshold has a name here."""

from __future__ import annotations

from collections.abc import Callable
from math import hypot
from shlex import quote

import numpy as np

from vecrecall.analysis.doctor.findings import Diagnosis, Finding
from vecrecall.analysis.self_recall import LEVEL
from vecrecall.intervals import bootstrap

SELF_RECALL = 0.999  # of stored rows, at the greatest ef; fewer are a fault where the whole interval lies below
RECALL = 0.99  # below, at the greatest ef, it is asked whether ef cures it
CURED = 0.25  # of what was missing, that the last doubling of ef has to find, or ef does not cure it
NOTHING = 0.005  # of the queries find none of their neighbours at the greatest ef, or it is no such fault
REACHED = 0.95  # recall that some ef must reach
OF_GROUP = 0.99  # of a group's rows; fewer are a fault where the whole interval lies below
DELETED = 0.2  # of all nodes
FILLED = 0.5  # of the places for links, on average
_NAMED = 5  # ids and groups that are named


def findings_of(diagnosis: Diagnosis) -> list[Finding]:
    """What the rules find in the figures of an examination, faults first."""
    found = [finding for rule in _RULES if (finding := rule(diagnosis)) is not None]
    return sorted(found, key=lambda finding: finding.severity != "fault")


def _unreachable(diagnosis: Diagnosis) -> Finding | None:
    """Links lead to every row that is not deleted."""
    if diagnosis.health is None:
        return None
    slots, patient = diagnosis.health.reachability.unreachable, diagnosis.patient
    lost = slots[~patient.deleted[slots]]
    if not len(lost):
        return None
    named = ", ".join(map(repr, patient.names_of(lost[:_NAMED])))
    text = (
        f"{len(lost):,} of {diagnosis.n - diagnosis.n_deleted:,} rows cannot be found at any ef: no links lead to them "
        f"from where searches enter ({'among them' if len(lost) > _NAMED else 'ids'} {named})"
    )
    return Finding("unreachable rows", "fault", text, _another_graph(diagnosis))


def _lost(diagnosis: Diagnosis) -> Finding | None:
    """Stored rows, or a copy of them, are among the answers to themselves."""
    recall, top = diagnosis.self_recall, diagnosis.questions.top
    if recall is None:
        return None
    of = next(row for row in recall.shares if row["ef"] == top)
    if of["found"] >= SELF_RECALL:
        return None
    text = (
        f"{_percent(1 - of['found'])} of {of['n']:,} stored rows do not find themselves at ef={top} (self-recall "
        f"{of['found']:.4f}, interval {of['low']:.4f} to {of['high']:.4f}; a copy counts as the row itself)"
    )
    cured = None
    for deeper in (row for row in recall.shares if row["ef"] > top):
        cured = cured or (deeper["ef"] if deeper["found"] >= SELF_RECALL else None)
        text += f"; at ef={deeper['ef']} {_percent(1 - deeper['found'])}"
    remedy = _another_graph(diagnosis) if cured is None else f"raise ef to {cured}, or {_another_graph(diagnosis)}"
    severity = "fault" if of["high"] < SELF_RECALL else "advice"
    return Finding("lost rows", severity, text, remedy)


def _not_cured(diagnosis: Diagnosis) -> Finding | None:
    """Below a good recall, a doubling of ef finds a good part of what was missing, or all find some neighbours."""
    recalls, top = diagnosis.recalls, diagnosis.questions.top
    half = max(diagnosis.k, top // 2)
    if recalls is None or half == top:
        return None
    before, after = 1 - recalls.at(half), 1 - recalls.at(top)
    nothing, last = recalls.record(top)["nothing"], recalls.efs[-1]
    if after <= 1 - RECALL or before - after >= CURED * before or nothing < NOTHING:
        return None
    text = (
        f"recall@{diagnosis.k} is {1 - before:.4f} at ef={half} and {1 - after:.4f} at ef={top}: twice the ef finds "
        f"{_percent(max(0.0, 1 - after / before))} of what was missing; {_percent(nothing)} of the queries find none "
        "of their neighbours, as where a search ends among the wrong rows"
    )
    if last > top:
        text += f"; at ef={last} it is {recalls.at(last):.4f}"
    return Finding("recall that ef does not cure", "fault", text, _in_random_order(diagnosis))


def _low(diagnosis: Diagnosis) -> Finding | None:
    """Some ef reaches a fair recall, and the greatest one asked for does."""
    recalls, top, k = diagnosis.recalls, diagnosis.questions.top, diagnosis.k
    if recalls is None or recalls.at(top) >= REACHED:
        return None
    last = recalls.efs[-1]
    if recalls.at(last) < REACHED:
        remedy = f"build with a greater M than {diagnosis.M}, and a greater ef_construction"
        if _unreachable(diagnosis) is not None:
            remedy = f"{_another_graph(diagnosis)}; or {remedy}"
        if diagnosis.library == "hnswlib":
            remedy += (
                f"; or, if the index was made with another space than {diagnosis.metric!r}, give that: the file does "
                "not say"
            )
        text = f"recall@{k} is {recalls.at(top):.4f} at ef={top}, and {recalls.at(last):.4f} at ef={last} still"
        return Finding("low recall", "fault", text, remedy)
    if _not_cured(diagnosis) is not None:
        return None
    wanted = ", ".join(f"{ef} for recall {target:g}" for target, ef in diagnosis.ef_for.items() if ef is not None)
    text = f"recall@{k} is {recalls.at(top):.4f} at ef={top}"
    return Finding("small ef", "advice", text, f"raise ef to {wanted or last}")


def _by_time(diagnosis: Diagnosis) -> Finding | None:
    """Rows find themselves alike, whether they were inserted first or last."""
    recall, top = diagnosis.self_recall, diagnosis.questions.top
    if recall is None:
        return None
    found = recall.found[recall.ef.index(top)].astype(np.float64)
    ends = [found[recall.tenth == tenth] for tenth in (1, 10)]
    if not all(map(len, ends)):
        return None
    (first, last), intervals = map(float, map(np.mean, ends)), [bootstrap(end, LEVEL) for end in ends]
    (first_low, first_high), (last_low, last_high) = intervals
    # interval of a difference: Newcombe (1998), "Interval estimation for the difference between independent
    # proportions", Statistics in Medicine 17, method 10
    low = first - last - hypot(first - first_low, last_high - last)
    high = first - last + hypot(first_high - first, last - last_low)
    if low <= 0 <= high:
        return None
    text = (
        f"{_percent(first)} of the rows in the first tenth of the insertions find themselves at ef={top}, and "
        f"{_percent(last)} of those in the last (difference {100 * (last - first):+.1f} points, interval "
        f"{-100 * high:+.1f} to {-100 * low:+.1f}); the time is known by {recall.insertion}"
    )
    return Finding("recall by time of insertion", "fault", text, _in_random_order(diagnosis))


def _groups(diagnosis: Diagnosis) -> Finding | None:
    """The rows of every group find themselves."""
    recall, top = diagnosis.self_recall, diagnosis.questions.top
    if recall is None or recall.labels is None:
        return None
    groups = [row for row in recall.by_group if row["ef"] == top]
    groups.sort(key=lambda row: row["found"])
    lost = [row for row in groups if row["found"] < 1 and _high(row["found"], row["n"]) < OF_GROUP]
    if not lost:
        return None
    named = ", ".join(f"{row['label']} ({_percent(row['found'])} of {row['n']:,})" for row in lost[:_NAMED])
    text = (
        f"the rows of {len(lost):,} of {len(groups):,} groups do not all find themselves at ef={top}: {named}"
        f"{', ...' if len(lost) > _NAMED else ''}"
    )
    return Finding("lost groups", "fault", text, _in_random_order(diagnosis))


def _deleted(diagnosis: Diagnosis) -> Finding | None:
    """Few nodes are deleted: searches walk over them."""
    n, share = diagnosis.n_deleted, diagnosis.n_deleted / diagnosis.n
    if share <= DELETED:
        return None
    text = f"{n:,} of {diagnosis.n:,} rows ({_percent(share)}) are deleted; searches walk over them at the same cost"
    remedy = f"write an index of the others alone: {_command(diagnosis, format='vecrecall')}"
    return Finding("many deleted rows", "advice", text, remedy)


def _short_lists(diagnosis: Diagnosis) -> Finding | None:
    """Lists of links are filled to a good part."""
    if diagnosis.health is None:
        return None
    places, mean = 2 * diagnosis.M, diagnosis.health.out_degree.mean
    if mean >= FILLED * min(places, diagnosis.n - 1):
        return None
    text = f"a row has {mean:.1f} links on average, in room for {places}, which takes memory all the same"
    remedy = (
        "a smaller M would do; or fill the lists, which finds more at the same ef and takes more evaluations: "
        f"{_command(diagnosis)}"
    )
    return Finding("short lists", "advice", text, remedy)


def _copies(diagnosis: Diagnosis) -> Finding | None:
    """No row has so many copies that they fill an answer."""
    copies = diagnosis.copies
    if copies is None or copies.largest <= diagnosis.k:
        return None
    text = (
        f"{copies.n:,} rows are equal to an earlier one, and {copies.largest:,} are all alike: an answer of "
        f"{diagnosis.k} can consist of them, and which of them is chance"
    )
    return Finding("copies", "advice", text, "leave copies out, and keep beside the index which rows each stands for")


def _repeated(diagnosis: Diagnosis) -> Finding | None:
    """Labels are unique."""
    if not diagnosis.n_repeated:
        return None
    text = f"{diagnosis.n_repeated:,} of {diagnosis.n:,} rows have the label of another; here they are called by number"
    return Finding("labels that occur twice", "advice", text, "give each row a label of its own, if that is not meant")


_RULES: tuple[Callable[[Diagnosis], Finding | None], ...] = (
    _unreachable, _lost, _groups, _not_cured, _low, _by_time, _deleted, _short_lists, _copies, _repeated,
)  # fmt: skip


def _another_graph(diagnosis: Diagnosis) -> str:
    return f"build another graph, in a random order: {_command(diagnosis)}"


def _in_random_order(diagnosis: Diagnosis) -> str:
    return f"{_another_graph(diagnosis)}; and insert in a random order, not group by group"


def _command(diagnosis: Diagnosis, format: str | None = None) -> str:
    """How to have the index mended."""
    if not diagnosis.patient.path:
        return f"diagnosis.fix(OUT{f', format={format!r}' if format else ''})"
    space = f" --space {diagnosis.metric}" if diagnosis.library == "hnswlib" else ""
    return f"vecrecall doctor {quote(diagnosis.source)}{space} --fix OUT{f' --format {format}' if format else ''}"


def _high(share: float, n: int) -> float:
    """Upper end of the interval of a share of n."""
    found = np.zeros(n)
    found[: round(share * n)] = 1
    return bootstrap(found, LEVEL)[1]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share in (0.0, 1.0) or 0.0005 <= share <= 0.9995 else f"{100 * share:.2g} %"
