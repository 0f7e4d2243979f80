"""Another graph over the same vectors, written for the library that had the old one, and both side by side."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.doctor.findings import Diagnosis
from vecrecall.analysis.doctor.patients import Patient, patient_of
from vecrecall.hnsw.index import HNSW
from vecrecall.inputs import as_choice, as_count, as_seed
from vecrecall.io.foreign import HnswlibFile, hnswlib_of, write_hnswlib
from vecrecall.loading import load
from vecrecall.threads import n_threads

FORMATS = ("vecrecall", "hnswlib")
TARGET, AT_EF = 0.999, 128  # self-recall that a fix is to reach, and where


@dataclass(frozen=True, eq=False, repr=False)
class Repair:
    """A source and the index that was made of it, examined alike; made by :meth:`Diagnosis.fix`.

    Attributes
    ----------
    before, after : Diagnosis
        The same queries and the same rows were asked of both.
    path : str
        What was written.
    format : {"vecrecall", "hnswlib"}
    how : str
        What was done, in words.
    n_left_out : int
        Deleted rows that it does not hold.
    """

    before: Diagnosis
    after: Diagnosis
    path: str
    format: str
    how: str
    n_left_out: int

    @property
    def self_recall(self) -> float | None:
        """Share of the sampled rows that find themselves at ef=128 now; None where codes alone are held."""
        of = self.after.self_recall
        return None if of is None else float(of.found[of.ef.index(max(AT_EF, self.after.k))].mean())

    @property
    def reached(self) -> bool | None:
        """Whether that is at least 0.999."""
        return None if self.self_recall is None else self.self_recall >= TARGET

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A record for each ef that was asked for, then for each number of evaluations that both can be compared at.

        ``ef`` or ``evals``; ``recall_before`` and ``recall_after`` with their intervals (``_low``, ``_high``);
        ``difference``, of each query with itself, with its interval; at an ef also ``self_recall_before`` and
        ``_after``, ``evals_before`` and ``_after``.
        """
        from vecrecall.analysis.doctor.comparing import compared

        return compared(self.before, self.after)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return (headings, a line of words for each record)."""
        from vecrecall.analysis.doctor.comparing import comparison_table

        return comparison_table(self)

    def as_dict(self) -> dict[str, Any]:
        """Return what was done and measured as plain numbers, text, lists and dicts, as JSON takes them."""
        return {
            "file": self.path, "format": self.format, "how": self.how, "n_left_out": self.n_left_out,
            "self_recall": self.self_recall, "target": TARGET, "target_ef": max(AT_EF, self.after.k),
            "reached": self.reached, "rows": self.rows, "after": self.after.as_dict(),
        }  # fmt: skip

    def __repr__(self) -> str:
        from vecrecall.analysis.doctor.comparing import in_words

        return in_words(self)


def repaired(
    diagnosis: Diagnosis, out: str | os.PathLike[str], *, format: str | None, ef_construction: int | None, force: bool,
    seed: int, threads: int | None, progress: bool,
) -> Repair:  # fmt: skip
    """Write an index with another graph and examine it; see :meth:`Diagnosis.fix`."""
    patient, path = diagnosis.patient, os.fspath(out)
    _refuse_in_place(path, patient.path, force)
    if format is None:
        format = "hnswlib" if patient.library == "hnswlib" else "vecrecall"
    as_choice(format, "format", FORMATS)
    if ef_construction is not None:
        ef_construction = as_count(ef_construction, "ef_construction")
    making = _Making(patient, ef_construction, as_seed(seed), n_threads(threads), progress)
    write, how = making.for_hnswlib() if format == "hnswlib" else making.for_vecrecall()
    write(path)
    fresh = patient_of(path, None, patient.index.metric)
    from vecrecall.analysis.doctor.examining import examined

    after = examined(fresh, diagnosis.questions, n_threads(threads), progress)
    return Repair(diagnosis, after, path, format, how, len(patient.deleted) - len(fresh.deleted))


def _refuse_in_place(path: str, source: str, force: bool) -> None:
    """Refuse to write where something is, before any work is done."""
    if os.path.isdir(path):
        raise ValueError(f"{path}: is a folder, expected the name of a file to write")
    if not os.path.exists(path):
        return
    if source and os.path.exists(source) and os.path.samefile(path, source):
        raise ValueError(f"{path}: is what was examined, which is never changed; write to another file")
    if not force:
        raise ValueError(f"{path}: is there already; give force=True (--force) to replace it, or another name")


Writing = tuple[Callable[[str], None], str]


@dataclass(frozen=True)
class _Making:
    """How an index is made of another one. Methods return what writes it, and what was done in words."""

    patient: Patient
    ef_construction: int | None
    seed: int
    threads: int
    progress: bool

    def for_hnswlib(self) -> Writing:
        """All nodes in their places, deleted ones too; links chosen by the distances that hnswlib will walk by."""
        patient, foreign = self.patient, self.patient.foreign
        rows, metric = patient.rows, patient.index.metric
        if rows is None:
            raise ValueError(
                f"{patient.name} holds codes alone, and no vectors to write for hnswlib; give format='vecrecall'"
            )
        labels = self._labels(foreign.labels if foreign is not None else None)
        if not isinstance(foreign, HnswlibFile):  # what cannot be written is refused before anything is built
            _refuse_labels(labels, patient.name)
        vectors = rows.values[: rows.n, : rows.dim] if foreign is None else foreign.vectors
        graph = self._built(vectors, storage="f32", keep=None)._content.graph
        how = f"a graph built in a random order and refined, of the same {len(vectors):,} nodes"

        def write(path: str) -> None:
            if isinstance(foreign, HnswlibFile):
                write_hnswlib(foreign, path, graph=graph)
            else:
                settings: Any = {"space": metric, "ef_construction": self._width(len(vectors))}
                write_hnswlib(hnswlib_of(vectors, graph, labels=labels, **settings), path)

        return write, how

    def for_vecrecall(self) -> Writing:
        """The living rows with a graph and entries as `HNSW.build` makes them."""
        patient, index = self.patient, self.patient.index
        if patient.foreign is None:
            return self._again(index)
        living = patient.living
        labels = self._labels(patient.foreign.labels).astype(np.int64)
        if (labels[living] == -1).any():
            raise ValueError(
                f"{patient.name}: node {living[np.argmax(labels[living] == -1)]} has the label "
                f"{patient.foreign.labels[living].max()}, which marks a missing place here; give it another one"
            )
        numbered = np.array_equal(labels[living], np.arange(len(living)))
        fresh = self._built(patient.foreign.vectors[living], ids=None if numbered else labels[living])
        left_out = len(patient.deleted) - len(living)
        how = "an index of this library, built in a random order and refined" + (
            f"; {left_out:,} deleted rows are left out" if left_out else ""
        )
        return fresh.save, how

    def _again(self, index: HNSW) -> Writing:
        """An index of this library with its own parameters."""
        content, settings, rows = index._content, index._settings, self.patient.rows
        if content.graph.top < 0:
            raise ValueError(f"{self.patient.name} has no graph yet: every search is exact, there is nothing to mend")
        if rows is None:
            return self._refined(index), "the graph refined, on codes: no vectors are held to build another one of"
        ids = None if index._ids.kind == "range" else index._ids.outer(np.arange(content.n))
        fresh = self._built(
            rows.values[: rows.n, : rows.dim], ids=ids, storage=settings.storage, reduce=settings.reduce,
            keep=settings.keep, fill=settings.fill if settings.schedule == "parallel" else None, ef=index._ef,
        )  # fmt: skip
        fresh.target_recall = index._target
        return fresh.save, "the same index, built in a random order and refined"

    def _refined(self, index: HNSW) -> Callable[[str], None]:
        with TemporaryDirectory() as folder:
            copy = os.path.join(folder, "index.vr")
            index.save(copy)
            fresh = load(copy, mmap=False)
        assert isinstance(fresh, HNSW)
        fresh.refine(threads=self.threads, progress=self.progress)
        return fresh.save

    def _built(self, vectors: NDArray[Any], **more: Any) -> HNSW:
        """A graph of the same M and ef_construction, inserted in a random order; refined, which costs less than that.

        Groups that are far apart are found at a smaller ef after the refining, others about as before.
        """
        index = self.patient.index
        fresh = HNSW.build(
            vectors, metric=index.metric, M=index._settings.M, ef_construction=self._width(len(vectors)),
            seed=self.seed, threads=self.threads, progress=self.progress, **more,
        )  # fmt: skip
        fresh.refine(threads=self.threads, progress=self.progress)
        return fresh

    def _width(self, n: int) -> int:
        """ef_construction: as asked for, else that of the source, but no more than there are nodes."""
        return self.ef_construction or min(self.patient.index.ef_construction, n)

    def _labels(self, labels: NDArray[Any] | None) -> Any:
        """Labels as they are, or the ids of an index of this library; refuses those that occur twice."""
        if self.patient.n_repeated:
            raise ValueError(
                f"{self.patient.name}: {self.patient.n_repeated:,} rows have the label of another, which no "
                "format allows; build an index whose labels are unique"
            )
        if labels is None:
            return self.patient.index._ids.outer(np.arange(self.patient.content.n))
        return labels


def _refuse_labels(labels: NDArray[Any], name: str) -> None:
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise ValueError(
            f"{name}: has labels such as {labels[np.argmin(labels)] if labels.dtype.kind in 'iu' else labels[0]!r}, "
            "expected numbers from 0, since hnswlib has no others; give format='vecrecall'"
        )
