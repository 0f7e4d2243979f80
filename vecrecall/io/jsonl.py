"""Sparse vectors as lines of JSON, as Seismic and Anserini have them; plain or gzip.

::

    {"id": 7, "content": "text", "vector": {"token": weight, ...}}

The text may also be called "contents" or "text", or be left out. Tokens become columns in the order in which they are
first met; `attributes["vocabulary"]` has the column of each.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from vecrecall.errors import DataFileError
from vecrecall.io.csr import checked_csr
from vecrecall.io.dataset import Dataset, refuse_others
from vecrecall.io.lines import objects_of, write_lines

_TEXTS = ("contents", "content", "text")


def read_jsonl(path: str | os.PathLike[str], *, vocabulary: Mapping[str, int] | None = None) -> Dataset:
    """Read sparse vectors line by line.

    Parameters
    ----------
    path : path-like
    vocabulary : mapping of str to int, optional
        Column of each token: give that of the documents to read their queries. Tokens that it lacks are left out, as
        no document holds them; `attributes["n_unknown"]` says how many entries that were. Default: made of the tokens
        of the file.

    Returns
    -------
    Dataset
        With `rows`, a csr_array of float32; `ids`, int64 if all are integers, else str; `texts` if every line has
        one; and `attributes["vocabulary"]`.

    Raises
    ------
    DataFileError
        If a line is no object with an id and a vector, a weight is no number that float32 holds, or an id occurs
        twice; the message names the line.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "documents.jsonl")
    >>> with open(path, "w") as file:
    ...     _ = file.write('{"id": 7, "vector": {"cat": 1.5, "dog": 2}}')
    >>> documents = read_jsonl(path)
    >>> documents.rows.toarray(), documents.attributes["vocabulary"]
    (array([[1.5, 2. ]], dtype=float32), {'cat': 0, 'dog': 1})
    """
    tokens: dict[str, int] = {} if vocabulary is None else _checked_vocabulary(vocabulary)
    ids: dict[Any, int] = {}  # and the line of each
    texts: list[Any] = []
    starts, columns, weights = array("q", [0]), array("i"), array("f")
    n_unknown = 0
    for number, line in objects_of(path):
        vector, name = _checked_line(path, number, line)
        if vocabulary is not None:
            n_entries, vector = len(vector), {token: w for token, w in vector.items() if token in tokens}
            n_unknown += n_entries - len(vector)
        columns.extend([tokens.setdefault(token, len(tokens)) for token in vector])
        weights.extend(vector.values())
        starts.append(len(columns))
        if ids.setdefault(name, number) != number:
            raise DataFileError(f"{path}: line {number} repeats id {name!r} of line {ids[name]}, expected unique ids")
        texts.append(next((line[key] for key in _TEXTS if key in line), None))
    if not ids:
        raise DataFileError(f"{path}: holds no line, expected vectors")
    indptr, values = np.array(starts, np.int64), np.array(weights, np.float32)
    if not np.isfinite(values).all():
        row = int(np.searchsorted(indptr, np.flatnonzero(~np.isfinite(values))[0], side="right")) - 1
        line_number = list(ids.values())[row]
        raise DataFileError(f"{path}: line {line_number} has a weight that overflows float32; scale the weights down")
    shape = (len(ids), max(1, 1 + max(tokens.values(), default=0)))
    return Dataset(
        rows=checked_csr(path, (indptr, np.array(columns, np.int32), values), shape),
        ids=ids_of(ids),
        texts=texts if all(isinstance(text, str) for text in texts) else None,
        attributes={"vocabulary": tokens} | ({} if vocabulary is None else {"n_unknown": n_unknown}),
    )


def write_jsonl(path: str | os.PathLike[str], dataset: Dataset) -> None:
    """Write sparse vectors as lines of JSON, whole or not at all; packed by gzip where the path ends in .gz.

    Parameters
    ----------
    path : path-like
    dataset : Dataset
        With sparse `rows`, and `ids` and `texts` if there are; or with `queries`, `query_ids` and `query_texts`
        instead. Columns get the names that `attributes["vocabulary"]` has for them, or else their numbers.

    Raises
    ------
    TypeError, ValueError
        If the vectors are dense or not finite, the dataset holds something else, or the vocabulary lacks a column.
    OSError
        As the operating system says.
    """
    from vecrecall.csr import as_csr

    names = ("queries", "query_ids", "query_texts") if dataset.rows is None else ("rows", "ids", "texts")
    refuse_others(dataset, names, "a jsonl file")
    given, ids, texts = (getattr(dataset, name) for name in names)
    rows = as_csr(given, name=names[0])
    for part, name in ((ids, names[1]), (texts, names[2])):
        if part is not None and len(part) != rows.n:
            raise ValueError(f"{name} has {len(part)} entries and {names[0]} {rows.n}, expected as many")
    tokens = _token_of(dataset.attributes.get("vocabulary"), rows.columns)
    outer = range(rows.n) if ids is None else np.asarray(ids).tolist()
    write_lines(path, _lines(rows, tokens, outer, texts))


def ids_of(names: Iterable[Any]) -> NDArray[Any]:
    """Return ids as an array: int64 if all are integers of that range, else str."""
    names = list(names)
    if all(type(name) is int and -(2**63) <= name < 2**63 for name in names):
        return np.array(names, np.int64)
    return np.array([str(name) for name in names])


def _checked_line(path: str | os.PathLike[str], number: int, line: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return the vector and the id of a line."""
    vector, name = line.get("vector"), line.get("id")
    if type(name) not in (int, str):
        raise DataFileError(f"{path}: line {number} has id {name!r}, expected an integer or a string as 'id'")
    if not isinstance(vector, dict):
        raise DataFileError(
            f"{path}: line {number} has a vector of type {type(vector).__name__}, expected "
            "'vector': {token: weight, ...}"
        )
    if not set(map(type, vector.values())) <= {int, float}:
        token, weight = next((t, w) for t, w in vector.items() if type(w) not in (int, float))
        raise DataFileError(f"{path}: line {number} gives token {token!r} the weight {weight!r}, expected a number")
    return vector, name


def _checked_vocabulary(vocabulary: Mapping[str, int]) -> dict[str, int]:
    columns = dict(vocabulary)
    for token, column in columns.items():
        if type(column) is not int or not 0 <= column < 2**31:
            raise ValueError(f"vocabulary gives token {token!r} the column {column!r}, expected 0 to 2**31 - 1")
    return columns


def _token_of(vocabulary: Mapping[str, int] | None, columns: NDArray[np.int32]) -> dict[int, str]:
    """Return the token of each column that occurs."""
    used = np.unique(columns).tolist()
    if vocabulary is None:
        return {column: str(column) for column in used}
    tokens = {column: token for token, column in vocabulary.items()}
    missing = next((column for column in used if column not in tokens), None)
    if missing is not None:
        raise ValueError(f"the vocabulary has no token for column {missing}; give the one of these vectors")
    return tokens


def _lines(rows: Any, tokens: Mapping[int, str], ids: Iterable[Any], texts: Iterable[str] | None) -> Iterator[bytes]:
    for row, (name, text) in enumerate(zip(ids, repeat(None) if texts is None else texts)):
        lo, hi = rows.indptr[row], rows.indptr[row + 1]
        line = {"id": name} | ({} if text is None else {"contents": text})
        names = [tokens[column] for column in rows.columns[lo:hi].tolist()]
        # numpy's own scalars are written with the fewest digits that give the same float32
        line["vector"] = dict(zip(names, rows.values[lo:hi]))
        yield orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
