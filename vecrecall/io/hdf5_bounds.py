"""What is looked at in an HDF5 file before the library is let at its content.

libhdf5 believes sizes that a file claims: it allocates by them, and damage to some of them has made it crash or go
round for ever. So the sizes of chunks, of heaps of strings and of whole datasets are compared with the file first.
"""

from __future__ import annotations

import math
import os
import struct
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Any

from vecrecall.errors import DataFileError
from vecrecall.io.mapping import check_inflated

if TYPE_CHECKING:
    import h5py

Span = tuple[int, int]  # first byte, and the one after the last

_PACKERS = {1, 32000}  # deflate and lzf: there is a bound to what they can make of a byte
_SHUFFLE, _FLETCHER32 = 2, 3  # neither packs
_HEAP = struct.Struct("<4sB3xQ")  # signature, version, size
_HEAP_OBJECT = struct.Struct("<HHxxxxQ")  # index, references, size
_SIGNATURE = b"GCOL"


def is_plain(file: h5py.File, name: str) -> bool:
    """Whether a name stands for numbers or strings that lie in the file itself."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        return False
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None or dataset.is_virtual or dataset.external:
        return False
    return dataset.dtype.kind in "fiub" or h5py.check_string_dtype(dataset.dtype) is not None


def is_plain_attribute(file: h5py.File, name: str) -> bool:
    """Whether an attribute is numbers or strings."""
    from h5py import h5t

    return file.attrs.get_id(name).get_type().get_class() in (h5t.INTEGER, h5t.FLOAT, h5t.ENUM, h5t.STRING)


def checked_spans(path: str, name: str, dataset: Any) -> list[Span]:
    """Return where the content of a dataset lies, after checking that it is all there.

    Raises
    ------
    DataFileError
        If a part is missing, ends outside the file, or is larger than what is stored of it can become.
    """
    if dataset.chunks is not None:
        return _checked_chunks(path, name, dataset)
    n_bytes = math.prod(dataset.shape) * dataset.id.get_type().get_size()
    offset, stored = dataset.id.get_offset(), dataset.id.get_storage_size()
    if stored < n_bytes:
        raise DataFileError(f"{path}: {name} has {stored} bytes, expected {n_bytes}: it was not written to its end")
    if offset is None:  # within the description of the dataset
        return []
    if offset + n_bytes > os.path.getsize(path):
        raise DataFileError(f"{path}: torn: {name} ends at {offset + n_bytes}; fetch or write it again")
    return [(offset, offset + n_bytes)]


def check_heaps(path: str, file: h5py.File, spans: list[Span]) -> None:
    """Check the heaps in which strings of any length lie, wherever there is no content of datasets.

    Raises
    ------
    DataFileError
        If the objects in a heap do not fill it as they say.
    """
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise DataFileError(f"{path}: has offsets of other than 8 bytes, expected an HDF5 file of today; copy it")
    with open(path, "rb") as raw, mmap(raw.fileno(), 0, access=ACCESS_READ) as content:
        starts = [0, *(end for _, end in sorted(spans))]
        ends = [*(start for start, _ in sorted(spans)), len(content)]
        for start, end in zip(starts, ends):
            at = content.find(_SIGNATURE, start, end)
            while at >= 0:
                length = _checked_heap(path, content, at)
                at = content.find(_SIGNATURE, at + max(length, len(_SIGNATURE)), end)


def _checked_chunks(path: str, name: str, dataset: Any) -> list[Span]:
    settings, size = dataset.id.get_create_plist(), os.path.getsize(path)
    filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
    if not {*filters} <= {*_PACKERS, _SHUFFLE, _FLETCHER32}:
        raise DataFileError(f"{path}: {name} is packed by filters {filters}, expected gzip or lzf; pack it anew")
    chunk_bytes = math.prod(dataset.chunks) * dataset.id.get_type().get_size()
    n_chunks = math.prod(-(-length // step) for length, step in zip(dataset.shape, dataset.chunks))
    check_inflated(path, n_chunks * chunk_bytes, min(dataset.id.get_storage_size(), size), name)
    chunks = _chunks_of(dataset.id)
    if len(chunks) != n_chunks:
        raise DataFileError(f"{path}: {name} has {len(chunks)} of {n_chunks} chunks: it was not written to its end")
    for chunk in chunks:
        applied = {each for i, each in enumerate(filters) if not chunk.filter_mask >> i & 1}
        content = chunk.size - (4 if _FLETCHER32 in applied else 0)
        fits = content > 0 if applied & _PACKERS else content == chunk_bytes
        if not fits or chunk.byte_offset + chunk.size > size:
            raise DataFileError(
                f"{path}: {name} has a damaged chunk, {chunk.size} bytes at {chunk.byte_offset}; fetch it again"
            )
    return [(chunk.byte_offset, chunk.byte_offset + chunk.size) for chunk in chunks]


def _chunks_of(dataset: Any) -> list[Any]:
    """Return where each chunk lies; builds of h5py over old libraries have to be asked one by one."""
    if not hasattr(dataset, "chunk_iter"):
        return [dataset.get_chunk_info(i) for i in range(dataset.get_num_chunks())]
    chunks: list[Any] = []
    dataset.chunk_iter(chunks.append)
    return chunks


def _checked_heap(path: str, content: mmap, start: int) -> int:
    """Return the length of the heap that starts there; 0 if it is none."""
    if len(content) - start < _HEAP.size:
        return 0
    _, version, length = _HEAP.unpack_from(content, start)
    if version != 1:  # the library will refuse it
        return 0
    at, end = start + _HEAP.size, start + length
    fits = end <= len(content)
    while fits and end - at >= _HEAP_OBJECT.size:
        index, _, size = _HEAP_OBJECT.unpack_from(content, at)
        taken = size if index == 0 else _HEAP_OBJECT.size + -(-size // 8) * 8  # 0: what is free, its own header with it
        fits = _HEAP_OBJECT.size <= taken <= end - at
        at += taken
    if not fits:
        raise DataFileError(f"{path}: torn or damaged HDF5: the heap at {start} overflows; fetch or write it again")
    return int(length)
