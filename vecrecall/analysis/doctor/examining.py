"""Examining an index that hnswlib, faiss or this library built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from vecrecall.analysis.doctor.asking import Questions, questions_for
from vecrecall.analysis.doctor.findings import Copies, Diagnosis
from vecrecall.analysis.doctor.measuring import measured_recalls, measured_self_recall
from vecrecall.analysis.doctor.patients import Patient, patient_of
from vecrecall.analysis.doctor.rules import findings_of
from vecrecall.analysis.health import graph
from vecrecall.analysis.labels import groups_of_labels
from vecrecall.analysis.neighbouring.duplicates import distinct
from vecrecall.analysis.studying.arguments import as_counts
from vecrecall.inputs import Rows, as_count, as_seed
from vecrecall.progress import progress_bar
from vecrecall.threads import n_threads


def doctor(
    source: Any,
    *,
    dim: int | None = None,
    space: str | None = None,
    queries: Any = None,
    labels: Any = None,
    k: int = 10,
    ef: int | Iterable[int] = (10, 40, 128),
    sample: int = 1000,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Diagnosis:
    """Examine an index that hnswlib, faiss or this library built: its graph, what it finds, and what to do about it.

    Parameters
    ----------
    source : path-like, HNSW, hnswlib.Index or faiss.IndexHNSWFlat
        A file of any of the three, or an index in memory, which is not changed. Of faiss also one in an IndexIDMap.
    dim : int, optional
        Dimensions that the vectors should have; another number is refused.
    space : {"l2", "ip", "cosine"}, optional
        The metric. A file of hnswlib does not say, so it has to be given there; another one than the index has is
        refused.
    queries : array_like of real numbers, shape (q, dim), optional
        Default: made of rows of the index, each moved away from one of its neighbours, off the data. Those of your
        users tell more.
    labels : array_like of int or str, shape (n,), optional
        A group for each row, in the order of the index; rows that find themselves are then told by group too.
    k : int, default 10
        Answers of a query.
    ef : int or several, default (10, 40, 128)
        Where recall is reported; raised to k. Faults are judged at the greatest.
    sample : int, default 1000
        Rows that are searched for, that links are measured of, and that queries are made of; all where there are fewer.
    seed : int, default 0
        Of the samples.
    threads : int, optional
        Default: all that the process may use. The result is the same for any number.
    progress : bool, default False
        Show a progress bar on a terminal.

    Returns
    -------
    Diagnosis
        Its repr is a report. ``findings``, ``verdict``, ``healthy``, ``as_dict()``; ``fix(out)`` writes an index of the
        same vectors with another graph.

    Raises
    ------
    IndexFileError
        If the file is damaged, of none of the libraries, or has another dimension or metric.
    TypeError, ValueError
        If the source is of another kind, holds no vectors, does not say its space, or an argument is not as stated.
    ImportError
        If it is a file of faiss, and faiss is not installed.
    OSError
        As the operating system says.

    Notes
    -----
    The graph is walked as its own library walks it: the same steps from the same entry, float32 distances, deleted rows
    walked over and not returned (nor are they among the true answers). Degrees, reachability and components are those
    of the whole graph; recall, self-recall and lengths of links those of samples, against exact search, with bootstrap
    intervals of 95 %. An index of this library that holds codes alone has no recall: there is nothing to compare with.

    A finding is a "fault" where it costs answers, else "advice". The rules:

    - unreachable rows: links lead to all rows from where searches enter;
    - lost rows: at the greatest ef at least 0.999 of stored rows find themselves, or a copy; a fault where the whole
      interval is below;
    - lost groups: the same of each group, at 0.99;
    - recall that ef does not cure: below recall 0.99 at the greatest ef, it must find a quarter of what half of it
      missed, or else nearly all queries (0.995) some neighbour;
    - low recall: some ef up to 1,280 reaches 0.95;
    - recall by time of insertion: the first tenth of the insertions and the last find themselves alike;
    - advice: a small ef, more than a fifth of the rows deleted, lists less than half full, more equal rows than an
      answer has places, labels that occur twice.

    Memory: the index, once more where it is of another library, and about n * (50 M + 60) bytes.

    References
    ----------
    Malkov & Yashunin (2018), arXiv 1603.09320: the graph. Elliott & Clark (2024), arXiv 2405.17813: what the order of
    insertion does to it.

    Examples
    --------
    >>> import vecrecall as vr
    >>> X = np.random.default_rng(0).standard_normal((2000, 8), dtype=np.float32)
    >>> diagnosis = doctor(vr.HNSW.build(X, storage="f32"), sample=200)
    >>> diagnosis.healthy, diagnosis.faults
    (True, [])
    >>> [row["found"] for row in diagnosis.self_recall.shares]
    [1.0, 1.0, 1.0]
    """
    k, sample, seed, n_workers = as_count(k, "k"), as_count(sample, "sample"), as_seed(seed), n_threads(threads)
    efs = tuple(sorted({max(one, k) for one in as_counts(ef, "ef")}))
    patient = patient_of(source, dim, space)
    of_living = None if labels is None else _labels(labels, patient)
    questions = questions_for(
        patient, queries=queries, labels=of_living, k=k, efs=efs, sample=sample, seed=seed, n_workers=n_workers
    )
    return examined(patient, questions, n_workers, progress)


def examined(patient: Patient, questions: Questions, n_workers: int, progress: bool) -> Diagnosis:
    """Put questions to an index."""
    index, content = patient.index, patient.content
    with progress_bar("examining", len(questions.ladder) + 3, progress) as advance:
        health = None
        if content.graph.top >= 0:
            health = graph(
                index, sample=len(questions.sample), ef=questions.k, k=questions.k, hubness=None, seed=questions.seed,
                threads=n_workers,
            )  # fmt: skip
        advance(1)
        with index._lock.shared:
            recall = measured_self_recall(patient, questions, n_workers)
            advance(2)
            copies = _copies(patient)
            advance(3)
            recalls = measured_recalls(patient, questions, n_workers, lambda done: advance(3 + done))
    if health is not None:
        health = replace(health, self_recall=recall)
    diagnosis = Diagnosis(
        patient.name, patient.library, len(patient.deleted), int(patient.deleted.sum()), index.dim, index.metric,
        index._settings.M, index.ef_construction, questions.k, health, recall, recalls, copies, patient.n_repeated,
        questions.source, patient=patient, questions=questions,
    )  # fmt: skip
    return replace(diagnosis, findings=findings_of(diagnosis))


def _labels(labels: Any, patient: Patient) -> list[Any]:
    """Labels of the rows that are not deleted."""
    groups_of_labels(labels, len(patient.deleted))
    listed = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    return [listed[slot] for slot in patient.living.tolist()]


def _copies(patient: Patient) -> Copies | None:
    """Equal rows among those that are not deleted."""
    rows, metric = patient.living_rows, patient.index.metric
    if rows is None:
        return None
    found = distinct(Rows(rows.values[: rows.n, : rows.dim]), "cosine" if metric == "cosine" else "l2")
    sizes = np.bincount(found.place[found.place >= 0], minlength=1)
    return Copies(found.n_duplicates, int(sizes.max()))
