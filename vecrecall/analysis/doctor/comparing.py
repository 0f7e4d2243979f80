"""Before and after: recall of two indexes at equal ef and at equal evaluations, in one table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.doctor.findings import Diagnosis
from vecrecall.analysis.doctor.measuring import Recalls
from vecrecall.analysis.doctor.words import NONE, aligned, interval
from vecrecall.analysis.resampling import Resamples
from vecrecall.analysis.self_recall import LEVEL, SelfRecall
from vecrecall.analysis.studying.equal_evals import chosen_levels, weights_at
from vecrecall.intervals import bootstrap
from vecrecall.vectors.walked import CodedRows

if TYPE_CHECKING:
    from vecrecall.analysis.doctor.repair import Repair

Doubles = NDArray[np.float64]


def compared(before: Diagnosis, after: Diagnosis) -> list[dict[str, Any]]:
    """A record for each ef that was asked for, and for each level of equal evaluations; see :attr:`Repair.rows`."""
    old, new = before.recalls, after.recalls
    if old is None or new is None:
        return []
    records = []
    for ef in before.questions.efs:
        at = old.efs.index(ef), new.efs.index(ef)
        records.append({
            "ef": ef, "evals": None, **_shares(old.shares[at[0]], new.shares[at[1]]),
            "self_recall_before": _found(before.self_recall, ef), "self_recall_after": _found(after.self_recall, ef),
            "evals_before": float(old.evals[at[0]]), "evals_after": float(new.evals[at[1]]),
        })  # fmt: skip
    for level in _levels(old, new, before.questions.efs):
        weights = weights_at(old.evals, level), weights_at(new.evals, level)
        if weights[0] is not None and weights[1] is not None:
            records.append({
                "ef": None, "evals": level, **_shares(weights[0] @ old.shares, weights[1] @ new.shares),
                "self_recall_before": None, "self_recall_after": None, "evals_before": level, "evals_after": level,
            })  # fmt: skip
    return records


def comparison_table(repair: Repair) -> tuple[list[str], list[list[str]]]:
    """(headings, a line for each record)."""
    k = repair.before.k
    headings = [
        "at", f"recall@{k} before", "interval", "after", "interval", "difference in points", "self-recall before",
        "after", "evals before", "after",
    ]  # fmt: skip
    return headings, [_line(row) for row in repair.rows]


def before_table(repair: Repair) -> list[str]:
    """What was written, and by what both are compared."""
    return [
        f"{repair.path}: {repair.how}; what was examined is as it was",
        *([f"before and after by {repair.after.queries}, at equal ef and at equal evaluations; intervals of 95 %"]
          if repair.rows else []),
    ]  # fmt: skip


def after_table(repair: Repair) -> list[str]:
    """What became of the fault."""
    return [*_notes(repair), f"before: {repair.before.verdict}", f"after: {repair.after.verdict}"]


def in_words(repair: Repair) -> str:
    """The report on a repair."""
    table = aligned(*comparison_table(repair)) if repair.rows else []
    return "\n".join([*before_table(repair), *table, *after_table(repair)])


def _shares(old: Doubles, new: Doubles) -> dict[str, float]:
    lows, highs = Resamples(len(old)).intervals((new - old)[:, None], LEVEL, lowest=-1.0)
    named = {"recall_before": old, "recall_after": new}
    found: dict[str, float] = {}
    for name, shares in named.items():
        low, high = bootstrap(shares, LEVEL)
        found |= {name: float(shares.mean()), f"{name}_low": low, f"{name}_high": high}
    return found | {
        "difference": float((new - old).mean()), "difference_low": float(lows[0]), "difference_high": float(highs[0]),
    }  # fmt: skip


def _levels(old: Recalls, new: Recalls, efs: tuple[int, ...]) -> tuple[float, ...]:
    """Numbers of evaluations that both were measured around: those of the old graph at the asked efs, and between."""
    return chosen_levels([old.evals], [old.efs.index(ef) for ef in efs], [old.evals, new.evals])


def _found(of: SelfRecall | None, ef: int) -> float | None:
    return None if of is None else float(of.found[of.ef.index(ef)].mean())


def _line(row: dict[str, Any]) -> list[str]:
    points = f"{100 * row['difference']:+.2f} ({100 * row['difference_low']:+.2f} to "
    words = [f"ef={row['ef']}" if row["ef"] is not None else f"{row['evals']:,.0f} evals"]
    for name in ("recall_before", "recall_after"):
        words += [f"{row[name]:.4f}", interval(row[f"{name}_low"], row[f"{name}_high"])]
    words.append(points + f"{100 * row['difference_high']:+.2f})")
    words += [NONE if row[f"self_recall_{when}"] is None else f"{row[f'self_recall_{when}']:.4f}"
              for when in ("before", "after")]  # fmt: skip
    return words + [f"{row[f'evals_{when}']:,.0f}" for when in ("before", "after")]


def _notes(repair: Repair) -> Iterator[str]:
    from vecrecall.analysis.doctor.repair import AT_EF, TARGET

    if repair.self_recall is None:
        yield "the index holds codes alone: neither recall nor self-recall could be measured"
        return
    before, after = (isinstance(each.patient.content.walked, CodedRows) for each in (repair.before, repair.after))
    if after and not before:
        yield (
            "after the fix an evaluation compares codes, and the last candidates are ranked by vectors besides; before "
            "it compares vectors: equal evaluations are not equal work"
        )
    if not repair.reached:
        yield (
            f"the fix did not reach self-recall {TARGET} at ef={max(AT_EF, repair.after.k)}: it is "
            f"{repair.self_recall:.4f}; a greater ef_construction may, or a greater M"
        )
