"""What commands read: the vectors and names in files of other tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vecrecall.cli.engines import SPARSE
from vecrecall.errors import DataFileError

if TYPE_CHECKING:
    from vecrecall.io.dataset import Dataset

# how messages begin that name an argument of Python: on the command line it was a file, or names in a file
_ARGUMENT = re.compile(r"(?:[XD]|(?P<queries>Q)|(?P<names>ids)) ")


def read_data(path: Path, form: str | None, option: str = "--format", **options: Any) -> Dataset:
    """Read a file of any format; `option` is how a command lets its user name one."""
    from vecrecall.io import read

    try:
        return read(path, format=form, **options)
    except DataFileError as error:
        raise DataFileError(str(error).replace("with format=", f"with {option}")) from None


def rows_of(dataset: Dataset, path: Path) -> Any:
    """The vectors to be indexed: a matrix, dense or sparse."""
    if dataset.rows is None:
        raise ValueError(f"{path}: holds {_holdings(dataset)}, expected vectors to index")
    return dataset.rows


def queries_of(dataset: Dataset, path: Path) -> tuple[Any, Any]:
    """(queries, their names or None): those of a file that holds some, else the one matrix that it holds."""
    if dataset.queries is not None:
        return dataset.queries, dataset.query_ids
    if dataset.rows is None:
        raise ValueError(f"{path}: holds {_holdings(dataset)}, expected vectors to ask with")
    return dataset.rows, dataset.ids


def read_queries(path: Path, form: str | None, documents: Path | None, index: Any) -> Dataset:
    """Read queries to an index; those of words get the columns that the words have in the documents.

    Raises
    ------
    ValueError
        If queries of words come without documents, or documents without words.
    """
    from vecrecall.io import recognise

    if documents is not None:
        vocabulary = read_data(documents, None).attributes.get("vocabulary")
        if vocabulary is None:
            raise ValueError(f"{documents}: holds no words, expected the JSON lines that the index was built from")
        return read_data(path, form or "jsonl", vocabulary=vocabulary)
    name = form or recognise(path)
    few = name == "csr" and index.kind in SPARSE  # such a file may count fewer columns than that of the documents
    options: dict[str, Any] = {"dim": index.dim} if few else {}
    dataset = read_data(path, form, **options)
    if "vocabulary" in dataset.attributes:
        raise ValueError(
            f"{path}: holds words, whose columns the index does not know; give --documents with the file that it was "
            "built from"
        )
    return dataset


def read_names(path: Path) -> Any:
    """Names of rows out of a file: an `.npy` array, or text with one name a line; whole numbers become integers.

    Raises
    ------
    ValueError
        If a line is empty, or the file is no text.
    """
    if path.suffix == ".npy":
        from vecrecall.io.npy import read_values

        with open(path, "rb") as file:
            return read_values(file, str(path), path.stat().st_size)
    try:
        text = path.read_text(encoding="utf-8")  # also turns other ends of lines into \n
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8 text, expected one id a line, or an .npy file") from error
    lines = text.removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise ValueError(f"{path}: line {number} is empty, expected one id a line")
    whole = all(re.fullmatch(r"0|-?[1-9]\d{0,17}", line) for line in lines)
    return [int(line) for line in lines] if whole else lines


@contextmanager
def about(path: Path, ids: Path | None = None) -> Iterator[None]:
    """Name a file, of vectors or of `ids`, in an error that names an argument of Python only."""
    try:
        yield
    except (ValueError, TypeError) as error:
        argument = _ARGUMENT.match(message := str(error))
        if argument is None or message.startswith(str(path)):
            raise
        if argument["names"]:
            raise ValueError(f"{ids or path}: {message}") from error
        said = message[argument.end() :]
        if argument["queries"]:  # a file may hold rows and queries
            said = re.sub("^row ", "query ", said)
        raise ValueError(f"{path}: {said}") from error


def _holdings(dataset: Dataset) -> str:
    names = ("rows", "queries", "neighbors", "distances", "texts", "query_texts", "qrels", "run")
    held = [name.replace("_", " ") for name in names if getattr(dataset, name) is not None]
    return " and ".join(held) or "nothing"
