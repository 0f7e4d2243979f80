"""The index file: a checked header and plain arrays, built to be mapped.

::

    "VECRECAL" | format version u32 | header length u32 | header checksum u64
    header: JSON {kind, library, parameters, counts,
                  sections: [{name, dtype, shape, offset, length, checksum}]}
    sections: each 64-byte aligned, little-endian, C order

Offsets count from the start of the file; checksums are xxh3_64, of sections in hexadecimal. The header is
padded with spaces up to the first section. Nothing in a file is believed before it is checked against the
length of the file, and nothing in it is ever executed.
"""

import json
import math
import mmap as memory_map
import os
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
import xxhash
from numpy.typing import NDArray

from vecrecall.errors import IndexFileError
from vecrecall.replacing import replacing

MAGIC = b"VECRECAL"
VERSION = 1
ALIGNMENT = 64

_PREFIX = struct.Struct("<8sIIQ")
_DTYPES = frozenset(("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8"))

Verify = Literal["header"] | bool


@dataclass(frozen=True)
class File:
    """What an index file holds: plain values and arrays (read-only views of the file when it is mapped)."""

    path: str
    version: int
    kind: str
    parameters: dict[str, Any]
    counts: dict[str, int]
    sections: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Section:
    """Where an array lies in the file: one entry of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int
    checksum: str


def write(
    path: str | os.PathLike[str],
    *,
    kind: str,
    parameters: dict[str, Any],
    counts: dict[str, int],
    sections: dict[str, NDArray[Any]],
) -> None:
    """Write an index file: the old file or the new one, never half.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and replace the old file by
    a rename, so that whoever has the old one mapped keeps it. After an error the temporary file is gone.

    Parameters
    ----------
    path : path-like
        A symbolic link is followed.
    kind : str
        Name of the engine.
    parameters, counts : dict
        JSON values, and non-negative integers.
    sections : dict of ndarray
        1, 2, 4 or 8-byte integers and 2, 4 or 8-byte floats of any shape. One that is not in C order
        is copied.

    Raises
    ------
    TypeError
        If an array has another dtype.
    OSError
        As the operating system says.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in sections.items()}
    arrays = {name: array.astype(array.dtype.newbyteorder("<"), copy=False) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.str not in _DTYPES:
            raise TypeError(f"section {name!r} has dtype {array.dtype}, expected plain integers or floats")
    manifest = {"kind": kind, "library": _library(), "parameters": parameters, "counts": counts}
    header, offsets = _header(manifest, arrays)
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(_PREFIX.pack(MAGIC, VERSION, len(header), xxhash.xxh3_64_intdigest(header)))
        file.write(header)
        for array, offset in zip(arrays.values(), offsets, strict=True):
            file.write(bytes(offset - file.tell()))
            file.write(_bytes_of(array))


def read(path: str | os.PathLike[str], *, mmap: bool = True, verify: Verify = "header") -> File:
    """Read an index file.

    Parameters
    ----------
    path : path-like
    mmap : bool, default True
        Give read-only arrays over the mapped file, read from the disk when first touched. False reads all
        into memory, 64-byte aligned and writable.
    verify : {"header", True, False}
        Lengths, offsets, overlaps and dtypes are always checked. "header" also checks the checksum of the
        header, True that of every section as well (which reads the whole file).

    Raises
    ------
    IndexFileError
        If the file is foreign, damaged, or of an unknown version; the message names the path and the reason.
    OSError
        As the operating system says.
    """
    if verify not in ("header", True, False):
        raise ValueError(f"verify is {verify!r}, expected 'header', True or False")
    path = os.fspath(path)
    with open(path, "rb") as file:
        try:
            size = os.fstat(file.fileno()).st_size
            version, manifest, end = _read_header(file, size, bool(verify))
            entries = _checked_sections(manifest["sections"], end, size)
            buffers = _map(file, entries) if mmap else _load(file, entries)
            if verify is True:
                _check_sums(entries, buffers)
        except IndexFileError as error:
            raise IndexFileError(f"{path}: {error}; restore the file or build the index again") from None
    arrays = {e.name: b.view(e.dtype).reshape(e.shape) for e, b in zip(entries, buffers, strict=True)}
    return File(path, version, manifest["kind"], manifest["parameters"], manifest["counts"], arrays)


def _library() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("vecrecall")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def _header(manifest: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> tuple[bytes, list[int]]:
    """Return the header, padded up to the first section, and the offsets of the sections."""
    entries: list[dict[str, Any]] = [
        {"name": name, "dtype": array.dtype.str, "shape": array.shape, "length": array.nbytes,
         "checksum": xxhash.xxh3_64_hexdigest(_bytes_of(array))}
        for name, array in arrays.items()
    ]  # fmt: skip
    start = 0
    while True:  # the offsets are part of the header whose length they depend on: twice or three times round
        position, offsets = start, []
        for entry in entries:
            offsets.append(position)
            entry["offset"] = position
            position = _aligned(position + entry["length"])
        header = json.dumps(
            {**manifest, "sections": entries}, allow_nan=False, separators=(",", ":")
        ).encode()
        if _PREFIX.size + len(header) <= start:
            return header.ljust(start - _PREFIX.size), offsets
        start = _aligned(_PREFIX.size + len(header))


def _read_header(file: BinaryIO, size: int, verify: bool) -> tuple[int, dict[str, Any], int]:
    """Return the version, the manifest (its outer shape checked) and where the header ends."""
    prefix = file.read(_PREFIX.size)
    if prefix[: len(MAGIC)] != MAGIC:
        raise IndexFileError("not an index file of this library")
    if len(prefix) < _PREFIX.size:
        raise IndexFileError(f"torn: {size} bytes, expected at least {_PREFIX.size}")
    _, version, length, checksum = _PREFIX.unpack(prefix)
    if version != VERSION:
        raise IndexFileError(f"format version {version}, expected {VERSION}; update the library")
    end = _PREFIX.size + length
    if end > size:
        raise IndexFileError(f"torn: {size} bytes, expected a header of {length}")
    header = file.read(length)
    actual = xxhash.xxh3_64_intdigest(header)
    if verify and actual != checksum:
        raise IndexFileError(f"header checksum {actual:016x}, expected {checksum:016x}")
    try:
        manifest = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise IndexFileError(f"the header is not JSON ({error})") from None
    types = {"kind": str, "parameters": dict, "counts": dict, "sections": list}
    for key, expected in types.items():
        if not isinstance(manifest, dict) or not isinstance(manifest.get(key), expected):
            raise IndexFileError(f"the header has no {key!r} of the expected type {expected.__name__}")
    if not all(_is_count(count) for count in manifest["counts"].values()):
        raise IndexFileError("a count in the header is not a non-negative 64-bit integer")
    return version, manifest, end


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _checked_sections(entries: list[Any], end_of_header: int, size: int) -> list[_Section]:
    """Return the sections after checking that they lie within the file, apart, and are what they say."""
    sections = [_checked_section(entry) for entry in entries]
    if len({section.name for section in sections}) < len(sections):
        raise IndexFileError("two sections have one name")
    end = end_of_header
    for section in sorted(sections, key=lambda section: (section.offset, section.length)):
        if section.offset < end:
            raise IndexFileError(f"section {section.name!r} overlaps what stands before it")
        end = section.offset + section.length
        if end > size:
            raise IndexFileError(f"torn: {size} bytes, expected section {section.name!r} to end at {end}")
    if end != size:
        raise IndexFileError(f"{size} bytes, expected {end}")
    return sections


def _checked_section(entry: Any) -> _Section:
    try:
        section = _Section(**{**entry, "shape": tuple(entry["shape"])})
    except (TypeError, KeyError):
        raise IndexFileError("a section in the header lacks a field or has a foreign one") from None
    name = section.name
    if not (isinstance(name, str) and isinstance(section.dtype, str) and isinstance(section.checksum, str)):
        raise IndexFileError(f"section {name!r} in the header has a field of the wrong type")
    if section.dtype not in _DTYPES:
        raise IndexFileError(
            f"section {name!r} has dtype {section.dtype!r}, expected plain integers or floats"
        )
    if not all(_is_count(value) for value in (section.offset, section.length, *section.shape)):
        raise IndexFileError(f"section {name!r} has a size that is not a non-negative 64-bit integer")
    if (
        len(section.shape) > 8
        or math.prod(section.shape) * np.dtype(section.dtype).itemsize != section.length
    ):
        raise IndexFileError(
            f"section {name!r} has {section.length} bytes, which is not its shape {section.shape}"
        )
    if section.offset % ALIGNMENT:
        raise IndexFileError(
            f"section {name!r} starts at {section.offset}, expected a multiple of {ALIGNMENT}"
        )
    return section


def _map(file: BinaryIO, sections: list[_Section]) -> list[NDArray[np.uint8]]:
    mapped = memory_map.mmap(file.fileno(), 0, access=memory_map.ACCESS_READ)
    whole = np.frombuffer(mapped, np.uint8)
    return [whole[section.offset : section.offset + section.length] for section in sections]


def _load(file: BinaryIO, sections: list[_Section]) -> list[NDArray[np.uint8]]:
    buffers = []
    for section in sections:
        pages = memory_map.mmap(-1, max(1, section.length))  # memory that is aligned, to a page
        buffer = np.frombuffer(pages, np.uint8)[: section.length]
        file.seek(section.offset)
        if file.readinto(_bytes_of(buffer)) != section.length:  # type: ignore[attr-defined]
            raise IndexFileError(f"torn: section {section.name!r} ended while it was read")
        buffers.append(buffer)
    return buffers


def _check_sums(sections: list[_Section], buffers: list[NDArray[np.uint8]]) -> None:
    for section, buffer in zip(sections, buffers, strict=True):
        actual = xxhash.xxh3_64_hexdigest(_bytes_of(buffer))
        if actual != section.checksum:
            raise IndexFileError(
                f"section {section.name!r} has checksum {actual}, expected {section.checksum}"
            )
