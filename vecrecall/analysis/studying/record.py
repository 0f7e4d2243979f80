"""The record of a study: a line for each graph, so that a study that was stopped goes on where it was.

JSON lines. The first says what is asked (with a fingerprint of rows and queries), each other one holds all that was
measured of a graph. A line carries a digest of itself; the last one may be torn, and is then dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from vecrecall.analysis.studying.measuring import Cell, Measured
from vecrecall.analysis.studying.packed import Header, graph_line, graph_of, header_line, header_of
from vecrecall.errors import DataFileError
from vecrecall.replacing import replacing

Path = str | os.PathLike[str]


class Record:
    """A file of measured graphs, open for adding.

    Parameters
    ----------
    path : path-like
    header : Header
        What is asked now; a file that is there must have been asked the same.

    Attributes
    ----------
    measured : dict of Cell to Measured
        What the file held, and what was added.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = os.fspath(path)
        self.measured: dict[Cell, Measured] = {}
        if not os.path.exists(self._path):
            with replacing(self._path) as temporary, open(temporary, "xb") as file:
                file.write(header_line(header))
            return
        found, cells, end = _read(self._path)
        if found.fingerprint != header.fingerprint:
            raise ValueError(
                f"{self._path} is the record of a study of other rows, queries, labels or settings "
                f"({_in_words(found)}; now {_in_words(header)}); name another file, or remove it"
            )
        self.measured = cells
        if end < os.path.getsize(self._path):
            os.truncate(self._path, end)

    def add(self, measured: Measured) -> None:
        """Write a graph behind those that are there, and wait until it is on the disk."""
        with open(self._path, "ab") as file:
            file.write(graph_line(measured))
            file.flush()
            os.fsync(file.fileno())
        self.measured[measured.cell] = measured


def read_records(paths: tuple[Path, ...]) -> tuple[Header, list[Measured]]:
    """The graphs of one or more records of the same questions; of a graph that is in several, the first.

    Raises
    ------
    DataFileError
        If a file is no record, or damaged.
    ValueError
        If there is no path, or the records are of different studies.
    """
    if not paths:
        raise ValueError("no record was given, expected the path of one or more")
    header: Header | None = None
    all_cells: dict[Cell, Measured] = {}
    for path in [os.fspath(path) for path in paths]:
        found, cells, _ = _read(path)
        if header is not None and found.fingerprint != header.fingerprint:
            raise ValueError(
                f"{path} is the record of another study than {os.fspath(paths[0])} ({_in_words(found)}; "
                f"{_in_words(header)}); read each by itself"
            )
        header = header or found
        for cell, measured in cells.items():
            other = all_cells.setdefault(cell, measured)
            if other.order_digest != measured.order_digest:
                raise ValueError(f"{path} has another order {cell.order!r} than {os.fspath(paths[0])}; rename one")
    assert header is not None
    return header, list(all_cells.values())


def _in_words(header: Header) -> str:
    name = f"{header.name}: " if header.name else ""
    efs = ",".join(map(str, header.efs))
    return f"{name}{header.n:,} x {header.dim} {header.metric}, {header.n_queries:,} queries, k={header.k}, ef={efs}"


def _read(path: str) -> tuple[Header, dict[Cell, Measured], int]:
    """(header, graphs, where the last whole line ends)."""
    with open(path, "rb") as file:
        content = file.read()
    lines = list(_whole_lines(content))
    try:
        header = header_of(lines[0][0])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise DataFileError(f"{path} is not the record of a study: its first line is none ({_reason(error)})") from None
    cells: dict[Cell, Measured] = {}
    end = lines[0][1]
    for number, (line, line_end) in enumerate(lines[1:], start=2):
        try:
            measured = graph_of(line, header)
        except (KeyError, TypeError, ValueError) as error:
            if number == len(lines):  # torn when the machine stopped
                break
            raise DataFileError(
                f"{path}, line {number} is damaged ({_reason(error)}); remove that line, and its graph is built again"
            ) from None
        cells.setdefault(measured.cell, measured)
        end = line_end
    return header, cells, end


def _reason(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__


def _whole_lines(content: bytes) -> Iterator[tuple[bytes, int]]:
    """(line, where it ends) of all lines that end."""
    start = 0
    while (end := content.find(b"\n", start)) >= 0:
        yield content[start:end], end + 1
        start = end + 1
