"""Forward rows: what each document holds, in the order that scoring reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from vecrecall.csr import Csr, own
from vecrecall.kernels.jit import kernel
from vecrecall.sparse.weights import table_of
from vecrecall.threads import Workers

NARROW = 65536  # columns that 16 bits can name
EXPONENT_BIAS = 32768
_TILE = 1 << 14  # rows encoded at a time


@dataclass(frozen=True, eq=False)
class Rows:
    """Attributes
    ----------
    heads : ndarray of int64, shape (n + 1,)
        Number of a row's first entry, and below it in 16 bits the exponent of the row's scale.
    entries : ndarray of uint8
        For each row its columns (``column_bytes`` each), then its codes (one byte each): what the first pass of a
        scoring reads stands together.
    residuals : ndarray, shape (nnz,), or None where all weights are equal
        uint16, or uint32: the bits of the float32 weights.
    terms : ndarray of int32, or None
        Columns that occur, ascending, where there are too many to be numbered by themselves; entries hold places
        among them.
    weight : float
        Of all entries, where residuals is None.
    signed : bool
        Whether any weight is negative.
    dim : int
        Columns of the matrix.
    """

    heads: np.ndarray
    entries: np.ndarray
    residuals: np.ndarray | None
    terms: np.ndarray | None
    weight: float
    signed: bool
    dim: int

    @property
    def n(self) -> int:
        return len(self.heads) - 1

    @cached_property
    def nnz(self) -> int:
        return int(self.heads[-1] >> 16)

    @property
    def n_terms(self) -> int:
        return self.dim if self.terms is None else len(self.terms)

    @property
    def coded(self) -> bool:
        return self.residuals is not None

    @property
    def column_bytes(self) -> int:
        return 2 if self.n_terms <= NARROW else 4

    @property
    def entry_bytes(self) -> int:
        return self.column_bytes + self.coded

    def nbytes(self) -> int:
        """Bytes held."""
        arrays = (self.heads, self.entries, self.residuals, self.terms)
        return sum(array.nbytes for array in arrays if array is not None)

    def indptr(self) -> np.ndarray:
        """Numbers of the rows' first entries, int64 (n + 1,)."""
        return self.heads >> 16

    def ordered(self, order: np.ndarray, workers: Workers) -> Rows:
        """The rows at other places: row i is the one that was at order[i]."""
        indptr = self.indptr()
        ends = np.concatenate([[0], np.cumsum(np.diff(indptr)[order])])
        heads = ends << 16
        heads[:-1] |= self.heads[:-1][order] & 0xFFFF
        entries, residuals = np.empty_like(self.entries), None
        if self.residuals is not None:
            residuals = np.empty_like(self.residuals)

        def work(lo: int, hi: int) -> None:
            move(indptr, order, ends, self.entry_bytes, lo, hi, own(self.entries), entries)
            if self.residuals is not None and residuals is not None:
                source, width = own(self.residuals).view(np.uint8), self.residuals.itemsize
                move(indptr, order, ends, width, lo, hi, source, residuals.view(np.uint8))

        workers.run(work, 0, self.n, _TILE)
        return replace(self, heads=heads, entries=entries, residuals=residuals)

    def weights(self) -> np.ndarray:
        """Weights as they are held, float32 (nnz,)."""
        return self._decoded(self.unpacked()[1])

    def contents(self) -> tuple[np.ndarray, np.ndarray]:
        """Both."""
        columns, codes = self.unpacked()
        return columns, self._decoded(codes)

    def unpacked(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns, or places among the terms (int32), and codes (none where weights are equal)."""
        columns, codes = np.empty(self.nnz, np.int32), np.empty(self.nnz if self.coded else 0, np.uint8)
        unpack(self.heads, own(self.entries), self.column_bytes, columns, codes)
        return columns, codes

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        if self.residuals is None:
            return np.full(self.nnz, self.weight, np.float32)
        if self.residuals.dtype == np.uint32:
            return own(self.residuals).view(np.float32)
        table, weights = table_of(self.signed), np.empty(self.nnz, np.float32)
        decode(self.heads, codes, own(self.residuals), table.n, table.unit, table.lowest, table.tiny, weights)
        return weights


@kernel
def encode(indptr, values, lo, hi, n_codes, unit, lowest, tiny, codes, residuals, exponents):
    """Write what stands for the weights of rows lo..hi, in the terms of :class:`vecrecall.sparse.weights.Table`.

    Residuals are written where there is room for them.
    """
    short, long = np.empty(1, np.float32), np.empty(1, np.float64)
    short_bits, long_bits = short.view(np.int32), long.view(np.int64)
    for i in range(lo, hi):
        long[0] = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            long[0] = max(long[0], np.float64(abs(values[p])))
        exponent = (long_bits[0] >> 52) - 1023 + np.int64((long_bits[0] & 0xFFFFFFFFFFFFF) != 0)
        exponents[i] = max(exponent, -1000)
        long_bits[0] = (1023 - exponents[i]) << 52
        scale = long[0]
        for p in range(indptr[i], indptr[i + 1]):
            short[0] = np.float32(np.float64(abs(values[p])) * scale)
            beyond = np.int64(short_bits[0]) - lowest - 1
            code = max(beyond, 0) // (256 * unit)
            if code > 0:
                place = ((beyond + 1 - code * 256 * unit) * 512 + unit) // (2 * unit)
                if place < 1:  # the end of the code below is nearer
                    code, place = code - 1, 65536
            else:
                place = np.int64(np.float64(short[0]) / tiny * 65536.0 + 0.5)
            codes[p] = code + (n_codes if values[p] < 0 else 0)
            if residuals.size:
                residuals[p] = min(max(place, 1), 65536) - 1


@kernel
def pack(heads, columns, codes, column_bytes, lo, hi, entries):
    """Write the entries of rows lo..hi: columns, then codes (unless that array is empty)."""
    width = column_bytes + np.int64(codes.size > 0)
    for i in range(lo, hi):
        first, last = heads[i] >> 16, heads[i + 1] >> 16
        at = width * first
        for p in range(first, last):
            column = np.int64(columns[p])
            for b in range(column_bytes):
                entries[at + b] = (column >> (8 * b)) & 255
            at += column_bytes
        if codes.size > 0:
            for p in range(first, last):
                entries[at] = codes[p]
                at += 1


@kernel
def move(indptr, order, ends, width, lo, hi, source, out):
    """Copy rows of so many bytes an entry to their new places lo..hi."""
    for i in range(lo, hi):
        first = width * indptr[order[i]]
        at = width * ends[i]
        for b in range(width * (ends[i + 1] - ends[i])):
            out[at + b] = source[first + b]


@kernel
def unpack(heads, entries, column_bytes, columns, codes):
    """Columns and codes (or none, where that array is empty) out of entries."""
    width = column_bytes + np.int64(codes.size > 0)
    for i in range(heads.size - 1):
        first, last = heads[i] >> 16, heads[i + 1] >> 16
        at = width * first
        for p in range(first, last):
            column = np.int64(0)
            for b in range(column_bytes):
                column |= np.int64(entries[at + b]) << (8 * b)
            columns[p] = column
            at += column_bytes
        if codes.size > 0:
            for p in range(first, last):
                codes[p] = entries[at]
                at += 1


@kernel
def decode(heads, codes, residuals, n_codes, unit, lowest, tiny, weights):
    """Weights of codes and residuals of 16 bits."""
    greatest = np.float64(np.float32(3.4028235e38))  # which is rounded up to a power of two
    short, long = np.empty(1, np.float32), np.empty(1, np.float64)
    short_bits, long_bits = short.view(np.int32), long.view(np.int64)
    for i in range(heads.size - 1):
        long_bits[0] = ((heads[i] & 0xFFFF) - 32768 + 1023) << 52
        for p in range(heads[i] >> 16, heads[i + 1] >> 16):
            code, place = np.int64(codes[p]), np.int64(residuals[p]) + 1
            negative = code >= n_codes
            code -= n_codes * np.int64(negative)
            if code > 0:
                short_bits[0] = lowest + code * 256 * unit + ((place * unit + 128) >> 8)
            else:
                short[0] = np.float32(np.float64(place) * tiny / 65536.0)
            weight = min(np.float64(short[0]) * long[0], greatest)
            weights[p] = -weight if negative else weight


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows before they are packed: columns (int32) as the matrix numbers them, and what stands for the weights."""

    indptr: np.ndarray
    columns: np.ndarray
    codes: np.ndarray  # empty: all weights are ``weight``
    residuals: np.ndarray | None
    exponents: np.ndarray  # int64 (n,)
    weight: float
    signed: bool
    dim: int

    def packed(self, workers: Workers) -> Rows:
        """The rows."""
        terms, columns = None, self.columns
        if self.dim > NARROW:
            terms, columns = np.unique(columns, return_inverse=True)
            terms, columns = terms.astype(np.int32), columns.astype(np.int32)
        n_terms = self.dim if terms is None else len(terms)
        column_bytes = 2 if n_terms <= NARROW else 4
        heads = self.indptr << 16
        heads[:-1] |= self.exponents + EXPONENT_BIAS
        entries = np.empty(len(columns) * (column_bytes + (len(self.codes) > 0)), np.uint8)

        def work(lo: int, hi: int) -> None:
            pack(heads, columns, self.codes, column_bytes, lo, hi, entries)

        workers.run(work, 0, len(heads) - 1, _TILE)
        return Rows(heads, entries, self.residuals, terms, self.weight, self.signed, self.dim)

    @property
    def n(self) -> int:
        return len(self.indptr) - 1

    def chosen(self, mask: np.ndarray) -> Parts:
        """Those rows that a mask names."""
        kept = self.emptied(~mask)
        return replace(kept, indptr=kept.indptr[np.concatenate([[True], mask])], exponents=kept.exponents[mask])

    def emptied(self, dead: np.ndarray) -> Parts:
        """The same rows, some of which hold nothing any more."""
        lengths = np.diff(self.indptr)
        kept = np.repeat(~dead, lengths)
        residuals = None if self.residuals is None else self.residuals[kept]
        codes = self.codes[kept] if len(self.codes) else self.codes
        ends = np.concatenate([[0], np.cumsum(np.where(dead, 0, lengths))])
        exponents = np.where(dead, 0, self.exponents)
        return replace(
            self, indptr=ends, columns=self.columns[kept], codes=codes, residuals=residuals, exponents=exponents
        )


def parted(csr: Csr, keep: str, workers: Workers) -> Parts:
    """A checked matrix as parts; keep: "f24", or "f32" for weights without any loss."""
    values = csr.values
    signed = bool(values.min(initial=0.0) < 0)
    exponents = np.zeros(csr.n, np.int64)
    if len(values) and (values == values[0]).all():
        return Parts(
            csr.indptr, csr.columns, np.empty(0, np.uint8), None, exponents, float(values[0]), signed, csr.dim
        )
    table = table_of(signed)
    codes, residuals = np.empty(len(values), np.uint8), np.empty(0 if keep == "f32" else len(values), np.uint16)

    def work(lo: int, hi: int) -> None:
        encode(
            csr.indptr, values, lo, hi, table.n, table.unit, table.lowest, table.tiny, codes, residuals, exponents
        )

    workers.run(work, 0, csr.n, _TILE)
    kept = values.view(np.uint32).copy() if keep == "f32" else residuals
    return Parts(csr.indptr, csr.columns, codes, kept, exponents, 0.0, signed, csr.dim)


def taken(rows: Rows, places: np.ndarray) -> Parts:
    """The rows at some places, in that order, as parts."""
    indptr = rows.indptr()
    lengths = np.diff(indptr)[places]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    at = np.repeat(indptr[places] - ends[:-1], lengths) + np.arange(ends[-1])
    columns, codes = rows.unpacked()
    columns = columns if rows.terms is None else rows.terms[columns]
    exponents = (rows.heads[:-1][places] & 0xFFFF) - EXPONENT_BIAS
    residuals = None if rows.residuals is None else rows.residuals[at]
    return Parts(
        ends, columns[at], codes[at] if rows.coded else codes, residuals, exponents, rows.weight, rows.signed, rows.dim
    )


def joined(parts: list[Parts], keep: str, workers: Workers) -> Parts:
    """Parts one after another; codes stay as they are where all are of one kind."""
    filled = [part for part in parts if len(part.columns)] or parts[:1]
    first = filled[0]
    ends = np.cumsum([0, *(len(part.columns) for part in parts)])
    indptr = np.concatenate([[0], *(part.indptr[1:] + end for part, end in zip(parts, ends))]).astype(np.int64)
    columns = np.concatenate([part.columns for part in filled])
    kinds = {(part.signed, len(part.codes) > 0, part.weight) for part in filled}
    if len(kinds) == 1:
        residuals = None
        if first.residuals is not None:
            residuals = np.concatenate([part.residuals for part in filled if part.residuals is not None])
        return Parts(
            indptr, columns, np.concatenate([part.codes for part in filled]), residuals,
            np.concatenate([part.exponents for part in parts]), first.weight, first.signed, first.dim,
        )  # fmt: skip
    values = np.concatenate([part.packed(workers).weights() for part in filled])
    return parted(Csr(indptr, columns, values, first.dim), keep, workers)
