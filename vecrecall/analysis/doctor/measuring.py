"""Recall by ef of an index's own walk, and which stored rows find themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.doctor.asking import DEEPER, Questions
from vecrecall.analysis.doctor.patients import Patient
from vecrecall.analysis.self_recall import LEVEL, SelfRecall, insertion_tenths
from vecrecall.exact.kept import kept_distances
from vecrecall.intervals import bootstrap
from vecrecall.matching import shares_found
from vecrecall.vectors.rows import KeptRows

ENOUGH = 0.999  # ef grows no further when so much is found
_TILE = 1_024  # rows that ask at a time

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recalls:
    """Recall of queries at a ladder of efs.

    Attributes
    ----------
    k : int
    efs : tuple of int
        Ascending.
    shares : ndarray of float64, shape (len(efs), q)
        Recall@k of each query.
    evals, hops : ndarray of float64, shape (len(efs),)
        Means over queries: distances taken, and nodes expanded in the base layer.
    """

    k: int
    efs: tuple[int, ...]
    shares: Doubles
    evals: Doubles
    hops: Doubles

    @property
    def means(self) -> Doubles:
        """Recall by ef."""
        return self.shares.mean(axis=1)

    def at(self, ef: int) -> float:
        """Recall at an ef of the ladder."""
        return float(self.means[self.efs.index(ef)])

    def record(self, ef: int) -> dict[str, float]:
        """Return what was measured at an ef: ``recall`` with ``low`` and ``high``, ``evals``, ``hops``, ``nothing``.

        ``nothing`` is the share of the queries that found none of their true neighbours.
        """
        at = self.efs.index(ef)
        low, high = bootstrap(self.shares[at], LEVEL)
        return {
            "ef": ef, "recall": float(self.shares[at].mean()), "low": low, "high": high, "evals": float(self.evals[at]),
            "hops": float(self.hops[at]), "nothing": float((self.shares[at] == 0).mean()),
        }  # fmt: skip

    def ef_for(self, recall: float) -> int | None:
        """Return the least ef of the ladder whose interval lies above a recall; None where there is none."""
        enough = (ef for ef in self.efs if self.at(ef) >= recall and self.record(ef)["low"] >= recall)
        return next(enough, None)


def measured_recalls(
    patient: Patient, questions: Questions, n_workers: int, advance: Callable[[int], None]
) -> Recalls | None:
    """Ask the queries at efs of the ladder, ascending, until nearly all is found; None where there are no queries."""
    rows, queries, truth, k = patient.rows, questions.queries, questions.truth, questions.k
    if rows is None or queries is None or truth is None:
        return None
    efs, shares, evals, hops = [], [], [], []
    n = len(patient.living)
    for step, ef in enumerate(questions.ladder):
        slots, evaluated, hopped = patient.answer(queries, k, ef, n_workers)
        reached = kept_distances(rows, queries, slots, patient.index.metric)
        efs.append(ef)
        shares.append(shares_found((slots, reached), truth, k=k))
        evals.append(float(evaluated.mean()))
        hops.append(float(hopped.mean()))
        advance(step + 1)
        if ef >= questions.top and (shares[-1].mean() >= ENOUGH or ef >= n):
            break
    return Recalls(k, tuple(efs), np.array(shares), np.array(evals), np.array(hops))


def measured_self_recall(patient: Patient, questions: Questions, n_workers: int) -> SelfRecall | None:
    """Search for the sampled rows; None where codes alone are held.

    Where some are not found at the greatest ef, all are searched for with four times that, which is then the last.
    """
    rows = patient.rows
    if rows is None:
        return None
    slots = patient.living[questions.sample]
    efs = questions.self_efs
    found = [find_themselves(patient, rows, slots, ef, questions.k, n_workers) for ef in efs]
    if not found[-1].all():
        efs = (*efs, DEEPER * efs[-1])
        found.append(find_themselves(patient, rows, slots, efs[-1], questions.k, n_workers))
    tenth, known = insertion_tenths(None, slots, patient.content.n, patient.index._settings)
    if patient.library != "vecrecall":
        known += " in the file" if patient.path else " in the index"
    if patient.library == "faiss":
        known += " (faiss shuffles those of one add)"
    labels = None if questions.labels is None else [questions.labels[at] for at in questions.sample.tolist()]
    return SelfRecall(slots, efs, np.array(found), questions.k, tenth, known, labels)


def find_themselves(
    patient: Patient, rows: KeptRows, slots: NDArray[np.int64], ef: int, k: int, n_workers: int
) -> NDArray[np.bool_]:
    """Whether each of some rows is among its own k nearest as found, or another as near as itself is.

    Under "ip", where others may be nearer to a row than itself, k of these count too.
    """
    metric, found = patient.index.metric, np.zeros(len(slots), bool)
    for lo in range(0, len(slots), _TILE):
        own = slots[lo : lo + _TILE, None]
        asking = np.ascontiguousarray(rows.take(own[:, 0]))
        answers, _, _ = patient.answer(asking, k, ef, n_workers)
        limit = kept_distances(rows, asking, own, metric)
        near = kept_distances(rows, asking, answers, metric) <= limit
        found[lo : lo + _TILE] = (answers == own).any(1) | (near.all(1) if metric == "ip" else near.any(1))
    return found
