"""Text files line by line, plain or gzip, read and written."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import orjson

from vecrecall.errors import DataFileError
from vecrecall.replacing import replacing

LONGEST_LINE = 1 << 28  # bytes; what is longer is no file of lines

_GZIP = b"\x1f\x8b\x08"  # its only method, deflate, included
_PEEK = 1 << 12
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as gzip does, and goes on so if its name does not say it.

    A count of rows may begin with the same bytes.
    """
    with open(path, "rb") as file:
        head = file.read(_PEEK)
    if not head.startswith(_GZIP):
        return False
    if os.fspath(path).endswith(".gz"):
        return True
    try:
        zlib.decompressobj(wbits=31).decompress(head, _PEEK)
    except zlib.error:
        return False
    return True


@contextmanager
def unpacked(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file, gzip or not, for reading its content; damage to the packing is a DataFileError."""
    with open(path, "rb") as raw:
        if not is_packed(path):
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as content:
                yield content  # type: ignore[misc]  # it has what IO has
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataFileError(f"{path}: torn or damaged gzip ({error}); fetch it again") from None


def lines_of(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, line without its end) of each line that is not blank."""
    with unpacked(path) as content:
        number = 0
        while line := content.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise DataFileError(f"{path}: line {number} has {LONGEST_LINE} bytes or more, expected lines of text")
            line = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def fields_of(path: str | os.PathLike[str], separator: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """Yield (number from 1, fields) of each line that is not blank; None separates by any white space."""
    for number, line in lines_of(path):
        try:
            yield number, line.decode().split(separator)
        except UnicodeDecodeError as error:
            raise DataFileError(f"{path}: line {number} is not UTF-8 text ({error.reason})") from None


def objects_of(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 1, object) of each line of JSON that is not blank."""
    for number, line in lines_of(path):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataFileError(f"{path}: line {number} is not JSON ({error}); mend or drop that line") from None
        if not isinstance(value, dict):
            raise DataFileError(
                f"{path}: line {number} is a {type(value).__name__}, expected an object a line: "
                "give JSON lines, not one array"
            )
        yield number, value


def write_lines(path: str | os.PathLike[str], lines: Iterable[bytes | memoryview]) -> None:
    """Write lines, ends included, whole or not at all; packed, every time alike, where the path ends in .gz."""
    with replacing(path) as temporary, open(temporary, "xb") as raw:
        if not os.fspath(path).endswith(".gz"):
            raw.writelines(lines)
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            packed.writelines(lines)
