"""Kept rows: the caller's values, in the narrowest type that holds them without loss."""

from __future__ import annotations

import numpy as np

from vecrecall.errors import CorruptIndexError
from vecrecall.inputs import Rows
from vecrecall.kernels.forms import distance_function
from vecrecall.kernels.memory import address
from vecrecall.vectors.memory import aligned_zeros, grown
from vecrecall.vectors.spaces import inverse_lengths

TYPES: dict[str, np.dtype] = {"u8": np.dtype(np.uint8), "f16": np.dtype(np.float16), "f32": np.dtype(np.float32)}
NAMES = {dtype: name for name, dtype in TYPES.items()}
_ONE = np.ones(4, np.float32)


class KeptRows:
    """Rows (n, dim) in one C array whose rows are filled up with zeros to blocks of 16 values.

    Under cosine the inverse lengths stand beside them (float32), so the caller's own values are kept and compared as
    unit vectors.
    """

    def __init__(self, values: np.ndarray, inverse: np.ndarray | None, dim: int, n: int) -> None:
        self.values, self.inverse, self.dim, self.n = values, inverse, dim, n

    @classmethod
    def empty(cls, dim: int, cosine: bool, dtype: np.dtype) -> KeptRows:
        inverse = np.zeros(0, np.float32) if cosine else None
        return cls(aligned_zeros((0, -(-dim // 16) * 16), dtype), inverse, dim, 0)

    def extended(self, rows: Rows, dtype: np.dtype) -> KeptRows:
        """These rows and new ones, as a new object; memory behind the present rows is shared while it suffices.

        ``dtype`` holds the new rows; the wider of it and the present type holds all.
        """
        n = self.n + rows.n
        values = self.values
        if dtype.itemsize > values.dtype.itemsize:
            wide = aligned_zeros((max(n, len(values)), values.shape[1]), dtype)
            wide[: self.n] = values[: self.n]
            values = wide
        values = grown(values, n)
        inverse = None if self.inverse is None else grown(self.inverse, n)
        for lo, tile in rows.tiles_as(values.dtype) if inverse is None else rows.tiles():
            at = slice(self.n + lo, self.n + lo + len(tile))
            values[at, : self.dim] = tile
            if inverse is not None:
                inverse[at] = inverse_lengths(tile)
        return KeptRows(values, inverse, self.dim, n)

    def take(self, slots: np.ndarray | slice) -> np.ndarray:
        """Rows by slot as float32 (m, dim)."""
        return self.values[slots, : self.dim].astype(np.float32)

    def compared(self, slots: np.ndarray) -> np.ndarray:
        """Rows by slot as they are compared: float32 (m, dim), under cosine of unit length."""
        rows = self.take(slots)
        return rows if self.inverse is None else rows * self.inverse[slots, None]

    @property
    def name(self) -> str:
        """"u8", "f16" or "f32"."""
        return NAMES[self.values.dtype]

    def view(self, metric: str) -> tuple[int, ...]:
        """Row view (:mod:`vecrecall.kernels.distances`) that gives exact keys under a metric."""
        function = distance_function(f"{self.name}_{'ip' if metric == 'ip' else 'l2'}")
        scale, scale_bytes = (_ONE, 0) if self.inverse is None else (self.inverse, 4)
        row_bytes, blocks = self.values.strides[0], self.values.shape[1] // 16
        return (address(self.values), row_bytes, blocks, address(scale), function, scale_bytes)

    def nbytes(self) -> int:
        return self.values.nbytes + (0 if self.inverse is None else self.inverse.nbytes)


def estimated_bytes(dim: int, name: str, cosine: bool) -> int:
    """Bytes a kept row takes."""
    return -(-dim // 16) * 16 * TYPES[name].itemsize + 4 * cosine


def kept_type(rows: Rows, keep: str | None) -> np.dtype:
    """The type rows are kept in; refuses one that would lose some of them."""
    if keep is None or keep == "f32":
        return TYPES["f32"]
    narrowest = rows.narrowest()
    if keep == "auto":
        return narrowest
    if rows.n and narrowest.itemsize > TYPES[keep].itemsize:
        raise ValueError(
            f"keep={keep!r} was given, but some values need {NAMES[narrowest]}; use keep='auto' or convert X first"
        )
    return TYPES[keep]


def refuse_beyond_half(rows: Rows) -> None:
    """Refuse values that would be infinite as float16."""
    most = float(np.finfo(np.float16).max)
    for lo, tile in rows.tiles():
        beyond = np.flatnonzero((np.abs(tile) > most).any(1))
        if len(beyond):
            raise ValueError(
                f"X row {lo + beyond[0]} holds a value beyond {most:g}, the greatest of storage='f16'; scale the "
                "vectors down or use storage='f32'"
            )


def check_kept(kept: KeptRows, n: int) -> None:
    """Raise CorruptIndexError where n kept rows are not finite or not filled up with zeros."""
    values = kept.values[:n]
    if kept.n != n:
        raise CorruptIndexError(f"{kept.n} rows are kept, expected {n}")
    if not np.isfinite(values).all():
        raise CorruptIndexError(f"kept row {int(np.flatnonzero(~np.isfinite(values).all(1))[0])} is not finite")
    if values[:, kept.dim :].any():
        raise CorruptIndexError("a kept row is not filled up with zeros")
    if kept.inverse is not None and not (np.isfinite(kept.inverse[:n]) & (kept.inverse[:n] >= 0)).all():
        raise CorruptIndexError("the inverse length of a kept row is not a number")
