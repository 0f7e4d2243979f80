"""Judgements (qrels) and runs as TREC has them, and the judgements of BEIR; plain or gzip.

::

    query 0 document relevance                  qrels
    query <tab> document <tab> relevance        qrels of BEIR, with a line of titles
    query Q0 document rank score tag            run
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from vecrecall.errors import DataFileError
from vecrecall.hits import Hits
from vecrecall.io.dataset import Dataset, Qrels, Run
from vecrecall.io.lines import fields_of, write_lines

_TITLES = ("query-id", "corpus-id", "score")


def read_qrels(path: str | os.PathLike[str]) -> Dataset:
    """Read judgements.

    Parameters
    ----------
    path : path-like
        Lines of four fields (TREC), or of three between tabs (BEIR), of which the first may hold titles.

    Returns
    -------
    Dataset
        With `qrels`: query id -> document id -> relevance, ids as str.

    Raises
    ------
    DataFileError
        If a line has other fields, a relevance is no integer, or one pair is judged twice and not alike; the message
        names the line.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "judged.qrels")
    >>> write_qrels(path, {"q1": {"d3": 2, "d9": 0}})
    >>> read_qrels(path).qrels
    {'q1': {'d3': 2, 'd9': 0}}
    """
    qrels: dict[str, dict[str, int]] = {}
    tabs: bool | None = None
    for number, fields in fields_of(path, "\t"):
        if tabs is None:  # the first line says which form it is
            tabs = len(fields) == 3
            if tabs and not _is_integer(fields[2]):
                continue
        fields = fields if tabs else " ".join(fields).split()
        if len(fields) != (3 if tabs else 4) or not _is_integer(fields[-1]):
            form = "query <tab> document <tab> relevance" if tabs else "query 0 document relevance"
            raise DataFileError(f"{path}: line {number} has fields {fields}, expected {form}, an integer")
        if not tabs:
            del fields[1]
        query, document, relevance = fields
        judged = qrels.setdefault(query, {})
        if judged.setdefault(document, int(relevance)) != int(relevance):
            raise DataFileError(
                f"{path}: line {number} judges document {document} of query {query} again, otherwise; drop one"
            )
    if not qrels:
        raise DataFileError(f"{path}: holds no line, expected judgements")
    return Dataset(qrels=qrels)


def write_qrels(path: str | os.PathLike[str], qrels: Qrels) -> None:
    """Write judgements, whole or not at all: as BEIR has them where the path ends in .tsv, else as TREC has them.

    Parameters
    ----------
    path : path-like
        Packed by gzip if it ends in .gz.
    qrels : mapping
        Query id -> document id -> relevance, an integer.

    Raises
    ------
    ValueError
        If there is none, or an id is empty or has white space (BEIR: a tab or the end of a line).
    OSError
        As the operating system says.
    """
    tabs = os.fspath(path).removesuffix(".gz").endswith(".tsv")
    if not any(qrels.values()):
        raise ValueError("qrels hold no judgement, expected one at least")
    form = "{}\t{}\t{}\n" if tabs else "{} 0 {} {}\n"
    lines = [form.format(*_TITLES)] if tabs else []
    for query, judged in qrels.items():
        for document, relevance in judged.items():
            lines.append(form.format(_word(query, tabs), _word(document, tabs), int(relevance)))
    write_lines(path, (line.encode() for line in lines))


def read_run(path: str | os.PathLike[str]) -> Dataset:
    """Read a run.

    Parameters
    ----------
    path : path-like
        Lines of six fields.

    Returns
    -------
    Dataset
        With `run`: query id -> document id -> score, ids as str, greatest score first and ties by rank.

    Raises
    ------
    DataFileError
        If a line has other fields, a rank or score is no number, or a query finds a document twice; the message names
        the line.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "found.run")
    >>> write_run(path, {"q1": {"d3": 0.5, "d9": 0.75}})
    >>> read_run(path).run
    {'q1': {'d9': 0.75, 'd3': 0.5}}
    """
    found: dict[str, dict[str, tuple[float, int]]] = {}
    for number, fields in fields_of(path):
        if len(fields) != 6 or not _is_integer(fields[3]) or not _is_number(fields[4]):
            raise DataFileError(f"{path}: line {number} has fields {fields}, expected query Q0 document rank score tag")
        query, _, document, rank, score, _ = fields
        answers = found.setdefault(query, {})
        if document in answers:
            raise DataFileError(f"{path}: line {number} finds document {document} of query {query} again; drop one")
        answers[document] = (-float(score), int(rank))
    if not found:
        raise DataFileError(f"{path}: holds no line, expected a run")
    run = {
        query: {document: -answers[document][0] for document in sorted(answers, key=answers.__getitem__)}
        for query, answers in found.items()
    }
    return Dataset(run=run)


def write_run(path: str | os.PathLike[str], run: Run, *, tag: str = "vecrecall") -> None:
    """Write a run, whole or not at all: best first, ranks from 1.

    Parameters
    ----------
    path : path-like
        Packed by gzip if it ends in .gz.
    run : mapping
        Query id -> document id -> score; `run_of` makes one of hits. Equal scores stay in the given order.
    tag : str, default "vecrecall"
        Name of the run, without white space.

    Raises
    ------
    ValueError
        If there is none, an id or the tag is empty or has white space, or a score is NaN.
    OSError
        As the operating system says.
    """
    _word(tag, False)
    if not any(run.values()):
        raise ValueError("run holds no answer, expected one at least")
    write_lines(path, list(_run_lines(run, tag)))


def run_of(hits: Hits, query_ids: Any = None) -> dict[str, dict[str, float]]:
    """Return hits as a run.

    Parameters
    ----------
    hits : Hits
        Missing places are left out.
    query_ids : sequence, optional
        Name of each query. Default: their numbers.

    Returns
    -------
    dict
        Query id -> document id -> score, greatest first; a query without hits has an empty mapping.

    Raises
    ------
    ValueError
        If there are not as many names as queries.

    Examples
    --------
    >>> run_of(Hits(np.array([[7, 3]]), np.array([[0.5, 2.0]], "f4"), 9, "l2"), ["q1"])
    {'q1': {'7': -0.5, '3': -2.0}}
    """
    names = range(len(hits)) if query_ids is None else list(query_ids)
    if len(names) != len(hits):
        raise ValueError(f"query_ids has {len(names)} entries and hits answer {len(hits)} queries, expected as many")
    scores = np.atleast_2d(hits.scores)
    return {
        str(name): {str(i): float(score) for i, score in zip(ids.tolist(), row)}
        for name, (ids, _), row in zip(names, hits, scores)
    }


def _run_lines(run: Mapping[str, Mapping[str, float]], tag: str) -> Iterator[bytes]:
    for query, answers in run.items():
        for document, score in answers.items():
            if math.isnan(score):
                raise ValueError(f"query {query} has document {document} with a score that is NaN, expected a number")
        ranked = sorted(answers, key=lambda document: -answers[document])
        for rank, document in enumerate(ranked, 1):
            score = float(answers[document])
            yield f"{_word(query, False)} Q0 {_word(document, False)} {rank} {score!r} {tag}\n".encode()


def _word(name: Any, tabs: bool) -> str:
    """Return a name after checking that it will be one field when it is read again."""
    text = str(name)
    broken = any(mark in text for mark in "\t\r\n") if tabs else text.split() != [text]
    if not text or broken:
        raise ValueError(f"id {text!r} is empty or has white space, which this format has no room for; rename it")
    return text


def _is_integer(text: str) -> bool:
    return text.strip().removeprefix("-").isdecimal() and len(text) < 20


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False
