"""The index as sections of a file, and back with every bound checked.

The file holds the rows; posting lists follow from them and the parameters, and are made when it is loaded, in a tenth
of a second for a hundred thousand documents. Columns and offsets are checked whatever ``verify`` says: kernels follow
them without looking.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vecrecall.errors import IndexFileError
from vecrecall.file import File
from vecrecall.sections import section
from vecrecall.sparse.content import Content
from vecrecall.sparse.parameters import Parameters
from vecrecall.sparse.rows import EXPONENT_BIAS, Rows
from vecrecall.sparse.segment import Segment, inverted
from vecrecall.threads import Workers, n_threads

_LEAST, _MOST = -1000, 128  # exponents


def sections_of(content: Content) -> dict[str, np.ndarray]:
    """Arrays by name, those of segment i with the prefix "i_"."""
    sections: dict[str, np.ndarray] = {}
    for i, segment in enumerate(content.segments):
        rows = segment.rows
        arrays = {
            "lengths": np.diff(rows.indptr()).astype(np.uint32),
            "exponents": ((rows.heads[:-1] & 0xFFFF) - EXPONENT_BIAS).astype(np.int16) if rows.coded else None,
            "entries": rows.entries, "residuals": rows.residuals, "terms": rows.terms, "slots": segment.slots,
            "dead": segment.dead,
        }  # fmt: skip
        sections |= {f"{i}_{name}": array for name, array in arrays.items() if array is not None}
    return sections


def parameters_of(content: Content) -> dict[str, Any]:
    """What is decided by the data and not an array, by segment."""
    return {
        "segments": [
            {"n": s.n, "signed": s.rows.signed, "weight": s.rows.weight, "block": s.block} for s in content.segments
        ]
    }


def restored_content(file: File, dim: int, parameters: Parameters) -> Content:
    """The content a file holds."""
    segments: list[Segment] = []
    first = 0
    about = file.parameters["segments"]
    if len(about) != file.counts["segments"]:
        raise IndexFileError(f"the file tells of {len(about)} segments, expected {file.counts['segments']}")
    with Workers(n_threads(None)) as workers:
        for i, of in enumerate(about):
            segments.append(_restored_segment(file, i, of, first, dim, parameters, workers))
            first += segments[-1].n
    if first != file.counts["n"]:
        raise IndexFileError(f"the segments hold {first} documents, expected {file.counts['n']}")
    return Content(tuple(segments), dim)


def _restored_segment(
    file: File, i: int, about: dict[str, Any], first: int, dim: int, parameters: Parameters, workers: Workers
) -> Segment:
    n, signed, weight, block = about["n"], about["signed"], about["weight"], about["block"]
    whole = all(type(x) is int and 1 <= x < 2**31 for x in (n, block))
    if not whole or type(signed) is not bool or type(weight) is not float or not np.isfinite(weight):
        raise IndexFileError(f"segment {i} is described by {about!r}")
    lengths = section(file, f"{i}_lengths", np.uint32, (n,))
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    rows = _restored_rows(file, i, indptr, signed, weight, dim)
    slots = dead = None
    if f"{i}_slots" in file.sections:
        slots = section(file, f"{i}_slots", np.int32, (n,))
        if not np.array_equal(np.sort(slots), np.arange(n)):
            raise IndexFileError(f"section '{i}_slots' does not hold every document once")
    if f"{i}_dead" in file.sections:
        dead = section(file, f"{i}_dead", np.uint8, (n,))
        if dead.max(initial=0) > 1:
            raise IndexFileError(f"section '{i}_dead' holds other values than 0 and 1")
    return Segment(rows, inverted(rows, block, parameters, workers), first, block, slots, dead)


def _restored_rows(file: File, i: int, indptr: np.ndarray, signed: bool, weight: float, dim: int) -> Rows:
    n, nnz = len(indptr) - 1, int(indptr[-1])
    terms = file.sections.get(f"{i}_terms")
    if terms is not None:
        terms = section(file, f"{i}_terms", np.int32, terms.shape)
        if terms.ndim != 1 or (len(terms) and (terms[0] < 0 or terms[-1] >= dim or (np.diff(terms) <= 0).any())):
            raise IndexFileError(f"section '{i}_terms' does not hold ascending columns below {dim}")
    residuals = file.sections.get(f"{i}_residuals")
    heads = indptr << 16
    if residuals is None:
        heads[:-1] |= EXPONENT_BIAS
        if nnz and (weight == 0 or (weight < 0) != signed):
            raise IndexFileError(f"the weight of segment {i} is {weight}, and signed {signed}")
    else:
        kind = np.uint32 if residuals.dtype == np.uint32 else np.uint16
        residuals = section(file, f"{i}_residuals", kind, (nnz,))
        exponents = section(file, f"{i}_exponents", np.int16, (n,)).astype(np.int64)
        if exponents.min(initial=0) < _LEAST or exponents.max(initial=0) > _MOST:
            raise IndexFileError(f"section '{i}_exponents' holds an exponent beyond {_LEAST} to {_MOST}")
        heads[:-1] |= exponents + EXPONENT_BIAS
    rows = Rows(heads, np.empty(0, np.uint8), residuals, terms, float(weight), signed, dim)
    entries = section(file, f"{i}_entries", np.uint8, (nnz * rows.entry_bytes,))
    rows = Rows(heads, entries, residuals, terms, float(weight), signed, dim)
    columns, weights = rows.contents()
    if len(columns) and (columns.min() < 0 or columns.max() >= rows.n_terms):
        raise IndexFileError(f"section '{i}_entries' names a column out of range")
    if not np.isfinite(weights).all() or (not signed and (weights <= 0).any()):
        raise IndexFileError(f"the weights of segment {i} are not finite, or not positive where they are said to be")
    return rows
