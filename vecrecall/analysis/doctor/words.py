"""The report on an examination, in words and in tables of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vecrecall.analysis.doctor.findings import Diagnosis

NONE = "-"


def in_words(diagnosis: Diagnosis) -> str:
    """The whole report."""
    headings, lines = recall_table(diagnosis)
    table = aligned(headings, lines) if lines else []
    return "\n".join([*before_table(diagnosis), *table, *after_table(diagnosis)])


def before_table(diagnosis: Diagnosis) -> list[str]:
    """What was examined, its graph, and which queries were asked."""
    return [
        (f"{diagnosis.source}: " if diagnosis.patient.path else "")
        + f"{diagnosis.library} index of {diagnosis.n:,} vectors of {diagnosis.dim} dimensions, {diagnosis.metric}, "
        f"M={diagnosis.M}, ef_construction={diagnosis.ef_construction}"
        + (f", {diagnosis.n_deleted:,} deleted" if diagnosis.n_deleted else ""),
        *(["no graph yet: every search compares all rows"] if diagnosis.health is None else [repr(diagnosis.health)]),
        *_copies(diagnosis),
        *_asked(diagnosis),
    ]


def after_table(diagnosis: Diagnosis) -> list[str]:
    """What was found, what to do about it, and the verdict."""
    return [*_findings(diagnosis), diagnosis.verdict]


def verdict_of(diagnosis: Diagnosis) -> str:
    """The verdict, one sentence."""
    if diagnosis.faults:
        return f"Not healthy: {', '.join(fault.name for fault in diagnosis.faults)}."
    if diagnosis.recalls is None:
        return "No fault in the graph; recall was not measured, since the index holds codes alone."
    known = [f"ef={ef} gives recall@{diagnosis.k} {target:g}" for target, ef in diagnosis.ef_for.items() if ef]
    unknown = [f"{target:g}" for target, ef in diagnosis.ef_for.items() if not ef]
    if unknown:
        known.append(f"none up to {diagnosis.recalls.efs[-1]} is sure to give {' or '.join(unknown)}")
    return f"Healthy: no fault was found; {', '.join(known)}."


def recall_table(diagnosis: Diagnosis) -> tuple[list[str], list[list[str]]]:
    """(headings, a line for each ef that was asked for or is suggested)."""
    of_rows = {} if diagnosis.self_recall is None else {row["ef"]: row for row in diagnosis.self_recall.shares}
    headings = ["ef", f"recall@{diagnosis.k}", "interval", "find nothing", "evals", "hops", "self-recall", "interval"]
    shown = {*diagnosis.questions.efs, *diagnosis.ef_for.values()}
    lines = []
    for row in diagnosis.recall:
        if row["ef"] in shown:
            own = of_rows.get(row["ef"])
            lines.append([
                f"{row['ef']:.0f}", f"{row['recall']:.4f}", interval(row["low"], row["high"]),
                f"{100 * row['nothing']:.1f} %", f"{row['evals']:,.0f}", f"{row['hops']:,.1f}",
                *([NONE, NONE] if own is None else [f"{own['found']:.4f}", interval(own["low"], own["high"])]),
            ])  # fmt: skip
    return headings, lines


def interval(low: float, high: float) -> str:
    """Both ends in words."""
    return f"{low:.4f}-{high:.4f}"


def aligned(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, columns right-aligned."""
    widths = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
    return ["  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)) for line in
            (headings, *lines)]  # fmt: skip


def _copies(diagnosis: Diagnosis) -> Iterator[str]:
    copies = diagnosis.copies
    if copies is not None:
        alike = f", at most {copies.largest:,} alike" if copies.n else ""
        yield f"equal rows: {copies.n:,} are equal to an earlier one{alike}"
    if diagnosis.n_repeated:
        yield f"labels: {diagnosis.n_repeated:,} rows have that of another"


def _asked(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.recalls is None:
        yield f"queries: {diagnosis.queries}"
        return
    living = " among the rows that are not deleted" if diagnosis.n_deleted else ""
    yield f"{diagnosis.queries}, compared by distance with exact search{living}; intervals of 95 %"


def _findings(diagnosis: Diagnosis) -> Iterator[str]:
    for finding in diagnosis.findings:
        yield f"{finding.severity}, {finding.name}: {finding.text}"
    remedies = list(dict.fromkeys(finding.remedy for finding in diagnosis.findings))
    for remedy in remedies:
        if not any(other.startswith(remedy) for other in remedies if other != remedy):  # another says that and more
            yield f"what to do: {remedy}"
