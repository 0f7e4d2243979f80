"""Folders as BEIR has them: corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv; each may be packed as .gz.

Thakur et al. (2021), "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models".
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import orjson

from vecrecall.errors import DataFileError
from vecrecall.io.dataset import Dataset, Qrels, refuse_others
from vecrecall.io.lines import objects_of, write_lines
from vecrecall.io.trec import read_qrels, write_qrels
from vecrecall.replacing import making_folder

_PARTS = ("ids", "query_ids", "texts", "query_texts", "qrels")


def read_beir(path: str | os.PathLike[str], *, split: str | None = "test") -> Dataset:
    """Read a folder of texts, queries and judgements.

    Parameters
    ----------
    path : path-like
        The folder.
    split : str or None, default "test"
        Which judgements; only the queries that they judge are given, as BEIR's own loader does. None: no judgements
        and all queries.

    Returns
    -------
    Dataset
        With `ids` and `texts` (title and text, a space between them), `query_ids` and `query_texts`, and `qrels`.
        There are no vectors: an encoder makes them of the texts.

    Raises
    ------
    DataFileError
        If a file is missing (the message names the splits that there are), a line is no object with the expected
        keys, or an id occurs twice; or the judgements name a query that is not there.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> folder = os.path.join(tempfile.mkdtemp(), "set")
    >>> texts = Dataset(ids=["d1"], texts=["a cat"], query_ids=["q1"], query_texts=["pet?"], qrels={"q1": {"d1": 1}})
    >>> write_beir(folder, texts)
    >>> sorted(os.listdir(folder)), read_beir(folder).texts
    (['corpus.jsonl', 'qrels', 'queries.jsonl'], ['a cat'])
    """
    folder = os.fspath(path)
    corpus = _texts_of(_file(folder, "corpus.jsonl"))
    queries = _texts_of(_file(folder, "queries.jsonl"))
    qrels: Qrels | None = None
    if split is not None:
        judgements = _file(folder, os.path.join("qrels", f"{split}.tsv"))
        qrels = read_qrels(judgements).qrels or {}
        missing = next((query for query in qrels if query not in queries), None)
        if missing is not None:
            raise DataFileError(f"{judgements}: judges query {missing!r}, which queries.jsonl does not have")
        queries = {name: text for name, text in queries.items() if name in qrels}
    return Dataset(
        ids=np.array(list(corpus), np.str_),
        texts=list(corpus.values()),
        query_ids=np.array(list(queries), np.str_),
        query_texts=list(queries.values()),
        qrels=qrels,
    )


def write_beir(path: str | os.PathLike[str], dataset: Dataset, *, split: str = "test") -> None:
    """Write a folder of texts, queries and judgements, whole or not at all.

    Parameters
    ----------
    path : path-like
        A folder that is not there yet, or is empty.
    dataset : Dataset
        With `texts` and `query_texts`, and `qrels` if there are; `ids` and `query_ids` default to numbers. Texts are
        written without titles.
    split : str, default "test"
        Name of the judgements.

    Raises
    ------
    ValueError
        If texts are missing, or the dataset holds something else.
    OSError
        As the operating system says, and if the folder holds something.
    """
    refuse_others(dataset, _PARTS, "a BEIR folder")
    if dataset.texts is None or dataset.query_texts is None:
        raise ValueError("the dataset has no texts or no query_texts, expected both for a BEIR folder")
    corpus = _lines(dataset.ids, dataset.texts, "texts", {"title": ""})
    queries = _lines(dataset.query_ids, dataset.query_texts, "query_texts", {})
    with making_folder(path) as folder:
        write_lines(os.path.join(folder, "corpus.jsonl"), corpus)
        write_lines(os.path.join(folder, "queries.jsonl"), queries)
        if dataset.qrels is not None:
            os.mkdir(os.path.join(folder, "qrels"))
            write_qrels(os.path.join(folder, "qrels", f"{split}.tsv"), dataset.qrels)


def _file(folder: str, name: str) -> str:
    """Return the path of a file of the folder, packed or not."""
    path = os.path.join(folder, name)
    for there in (path, f"{path}.gz"):
        if os.path.isfile(there):
            return there
    beside = os.path.dirname(path)
    names = sorted(os.listdir(beside)) if os.path.isdir(beside) else []
    raise DataFileError(f"{path}: missing, expected it in a BEIR folder; there is {', '.join(names) or 'nothing'}")


def _texts_of(path: str) -> dict[str, str]:
    """Return the text of each id, with its title before it."""
    texts: dict[str, str] = {}
    for number, line in objects_of(path):
        name, title, text = line.get("_id"), line.get("title"), line.get("text")
        if type(name) not in (str, int) or not isinstance(text, str) or not isinstance(title, (str, type(None))):
            raise DataFileError(
                f"{path}: line {number} has keys {', '.join(line)}, expected '_id' and 'text', and 'title' if there is "
                "one, as strings"
            )
        if str(name) in texts:
            raise DataFileError(f"{path}: line {number} repeats the id {name!r}, expected unique ids")
        texts[str(name)] = f"{title} {text}" if title else text
    return texts


def _lines(ids: Any, texts: list[str], name: str, more: dict[str, str]) -> Iterable[bytes]:
    names = [str(i) for i in (range(len(texts)) if ids is None else np.asarray(ids).tolist())]
    if len(names) != len(texts) or len(set(names)) != len(names):
        raise ValueError(f"{name} has {len(texts)} entries and there are {len(set(names))} ids, expected one id a text")
    return _objects(names, texts, more)


def _objects(names: list[str], texts: list[str], more: dict[str, str]) -> Iterator[bytes]:
    for name, text in zip(names, texts):
        yield orjson.dumps({"_id": name, **more, "text": text}, option=orjson.OPT_APPEND_NEWLINE)
