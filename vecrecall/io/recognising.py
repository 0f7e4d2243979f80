"""Which format a file has, told by what is in it; its name decides only where that leaves several."""

from __future__ import annotations

import os
import struct

import orjson

from vecrecall.errors import DataFileError
from vecrecall.io import bins, csr, hdf5, npy, vecs
from vecrecall.io.formats import FORMATS, ending_in
from vecrecall.io.lines import is_packed, unpacked

_HEAD = 1 << 16  # bytes looked at
_MARKS = {hdf5.MAGIC: "hdf5", npy.MAGIC: "npy", b"PK\x03\x04": "npz", b"PK\x05\x06": "npz"}
_MARKLESS = (*bins.KINDS, *vecs.KINDS, "ground-truth", "csr")
_PACKED = ("csr", "jsonl", "qrels", "run")
_WAY_OUT = "name the format with format="


def recognise(path: str | os.PathLike[str]) -> str:
    """Return the name of a file's or folder's format.

    Marks at the start of a file decide first, then the form of its first line. Formats without a mark are told by
    sizes: what the header says has to be the size of the file to the byte. Where several fit, as float32 and int32
    values do, the name of the file decides among them.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    DataFileError
        If no format fits, or several do and the name does not decide.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "points")
    >>> with open(path, "wb") as file:
    ...     _ = file.write(struct.pack("<II2b", 1, 2, 5, -5))
    >>> recognise(path)
    Traceback (most recent call last):
    vecrecall.errors.DataFileError: ...: may be u8bin or i8bin; name the format with format=
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        return _of_folder(path)
    with unpacked(path) as content:
        head = content.read(_HEAD)
    if not head:
        raise DataFileError(f"{path}: is empty, expected vectors, truth, texts, judgements or a run")
    packed = is_packed(path)
    fitting = _fitting(head, None if packed else os.path.getsize(path))
    name = _of_mark(path, head) or _of_first_line(path, head) or _chosen(path, fitting)
    if packed and name not in _PACKED:
        raise DataFileError(f"{path}: packed by gzip, expected so of {', '.join(_PACKED)} only; unpack it with gunzip")
    return name


def _of_folder(path: str) -> str:
    names = sorted(os.listdir(path))
    if {"corpus.jsonl", "corpus.jsonl.gz"} & set(names):
        return "beir"
    if any(name.startswith("base") and name.endswith((".csr", ".csr.gz")) for name in names):
        return "sparse-set"
    there = ", ".join(names[:9]) or "nothing"
    raise DataFileError(
        f"{path}: a folder with neither corpus.jsonl nor base.csr, expected one as in BEIR, a sparse set, or a file; "
        f"there is {there}"
    )


def _of_mark(path: str, head: bytes) -> str | None:
    if head.startswith(b"VECRECAL"):
        raise DataFileError(f"{path}: a saved index, expected vectors; open it with vecrecall.load")
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)


def _of_first_line(path: str, head: bytes) -> str | None:
    """Return the format of a text file; None if it is none."""
    if b"\0" in head:  # the numbers at the start of every binary format have zeros
        return None
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < _HEAD - 4:  # else a letter was cut in two
            return None
        text = head[: error.start].decode("utf-8-sig")
    line = next((line for line in text.split("\n") if line.strip()), "")
    if line.lstrip().startswith("{"):
        return _of_object(path, line, cut="\n" not in text and len(head) == _HEAD)
    words = line.split()
    if len(words) == 6 and words[3].isdecimal():
        return "run"
    if len(line.split("\t")) == 3 or (len(words) == 4 and words[3].removeprefix("-").isdecimal()):
        return "qrels"
    raise DataFileError(
        f"{path}: text that begins with {line[:60]!r}, expected lines of JSON, of qrels or of a run; {_WAY_OUT}"
    )


def _of_object(path: str, line: str, cut: bool) -> str:
    """Return the format of lines of JSON by the keys of the first; `cut` if only its beginning is known."""
    if cut:
        return "jsonl"
    try:
        keys = set(orjson.loads(line))
    except orjson.JSONDecodeError as error:
        raise DataFileError(f"{path}: line 1 is not JSON ({error}); mend or drop that line") from None
    if "_id" in keys:
        folder = os.path.dirname(path) or "."
        raise DataFileError(f"{path}: one file of a BEIR folder, expected the folder; read {folder}")
    if "vector" not in keys:
        raise DataFileError(f"{path}: JSON with keys {', '.join(sorted(keys))}, expected 'id' and 'vector'")
    return "jsonl"


def _fitting(head: bytes, size: int | None) -> list[str]:
    """Return the formats whose sizes, as the start of the file says them, are that of the file; None: it is packed."""
    found = []
    if len(head) >= csr.SIZES.size:
        n, n_columns, nnz = csr.SIZES.unpack_from(head)
        plausible = min(n, nnz) >= 0 and 1 <= n_columns <= csr.MOST_COLUMNS
        if plausible and size in (None, csr.length_of(n, nnz)):
            found.append("csr")
    if size is None or len(head) < bins.HEADER.size:
        return found
    n, width = bins.HEADER.unpack_from(head)
    values = size - bins.HEADER.size
    if width:
        found += [kind for kind, dtype in bins.KINDS.items() if n * width * dtype.itemsize == values]
        found += ["ground-truth"] * (n * width * 8 == values)
    (dim,) = struct.unpack_from("<i", head)
    for kind, dtype in vecs.KINDS.items():
        row = 4 + dim * dtype.itemsize
        if dim > 0 and size % row == 0 and _lengths_agree(head, row, dim):
            found.append(kind)
    return found


def _lengths_agree(head: bytes, row: int, dim: int) -> bool:
    return all(struct.unpack_from("<i", head, start)[0] == dim for start in range(0, len(head) - 3, row))


def _chosen(path: str, fitting: list[str]) -> str:
    """Return the one format that fits and is called so; a name that fits nothing leaves the reader to say why."""
    called = [each.name for each in ending_in(path)]
    candidates = [name for name in fitting if name in called] if called else fitting
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise DataFileError(f"{path}: may be {' or '.join(candidates)}; {_WAY_OUT}")
    markless = [name for name in called if name in _MARKLESS]
    if markless:
        return markless[0]
    what = f"named as {' or '.join(called)}, but no such file" if called else "of no known format"
    raise DataFileError(f"{path}: {what}; expected one of {', '.join(FORMATS)}; if it is, {_WAY_OUT}")
