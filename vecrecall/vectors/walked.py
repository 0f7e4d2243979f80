"""Walked rows: what the graph takes its distances on, as codes or as floats, behind one face."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vecrecall.kernels.forms import distance_function
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers
from vecrecall.vectors.axes import padded
from vecrecall.vectors.codes import Codec
from vecrecall.vectors.encoding import Codes, QueryForms, Rotation, encode, forms_from_codes
from vecrecall.vectors.memory import aligned_zeros, grown
from vecrecall.vectors.spaces import Space, row_lengths

_ONE = np.ones(1, np.float32)
_STEPS = 2.0**26  # keys under ip have so many steps up to the limit: a millionth of its length is still told apart


class WalkedRows(Protocol):
    """Rows by slot as they are walked, and the query forms in which stored rows ask (working memory of a build)."""

    n: int

    def with_room(self, n: int) -> WalkedRows:
        """Room for n rows; the present object is untouched, memory is shared where it suffices."""

    def view(self) -> tuple[int, ...]:
        """Row view (:mod:`vecrecall.kernels.distances`)."""

    def write(self, rows: np.ndarray, first: int, forms: QueryForms, workers: Workers) -> np.ndarray:
        """Hold rows (m, dim) float32 from slot ``first`` on, and their forms; returns their squared errors."""

    def no_forms(self) -> QueryForms:
        """Query forms of no row."""

    def recall_forms(self, forms: QueryForms) -> None:
        """Query forms of all rows out of what is held."""

    def arrays(self) -> tuple[np.ndarray, np.ndarray | None]:
        """What is walked by slot, and its biases where it has some."""

    def sections(self) -> dict[str, np.ndarray]:
        """Arrays for the file, cut to n rows."""

    def nbytes(self) -> int:
        """Bytes held."""


class CodedRows:
    """Rows as 4- or 8-bit codes under a trained codec."""

    def __init__(self, space: Space, codec: Codec, rotation: Rotation, codes: Codes, n: int) -> None:
        self.space, self.codec, self.rotation, self.codes, self.n = space, codec, rotation, codes, n

    @classmethod
    def empty(cls, space: Space, codec: Codec) -> CodedRows:
        return cls(space, codec, Rotation(codec.axes, codec, products=space.metric == "ip"), Codes.empty(codec), 0)

    def with_room(self, n: int) -> CodedRows:
        return CodedRows(self.space, self.codec, self.rotation, self.codes.grown(n), n)

    def view(self) -> tuple[int, ...]:
        return self.codes.view(self.codec.storage + ("_ip" if self.space.metric == "ip" else ""))

    @property
    def unit(self) -> float:
        """What one step of the keys stands for: squared distance, or minus the product with a query of length 1."""
        if self.space.metric == "ip":
            return (self.space.limit or 1) / _STEPS
        return self.codec.unit

    def write(self, rows: np.ndarray, first: int, forms: QueryForms, workers: Workers) -> np.ndarray:
        slots = np.arange(first, first + len(rows))
        asking = self.space.asking(rows, slots)
        error = encode(self.rotation, asking, first, self.codes, forms, workers)
        if self.space.metric == "ip":
            scale = row_lengths(rows) * (self.codec.unit / 2 / self.unit)
            self.codes.bias[slots] = scale.astype(np.float32).view(np.int32)
        return error

    def no_forms(self) -> QueryForms:
        return QueryForms(aligned_zeros((0, self.codec.padded_p), np.uint8), aligned_zeros((0,), np.int32))

    def recall_forms(self, forms: QueryForms) -> None:
        forms_from_codes(self.rotation, self.codes, self.n, forms)

    def arrays(self) -> tuple[np.ndarray, np.ndarray | None]:
        return self.codes.codes, self.codes.bias

    def sections(self) -> dict[str, np.ndarray]:
        return {"codes": self.codes.codes[: self.n], "bias": self.codes.bias[: self.n]}

    def nbytes(self) -> int:
        return self.codes.codes.nbytes + self.codes.bias.nbytes + self.codec.axes.rotation.nbytes


class FloatRows:
    """Rows as float32 or float16, filled up with zeros to blocks of 16; unit rows under cosine."""

    def __init__(self, space: Space, values: np.ndarray, n: int) -> None:
        self.space, self.values, self.n = space, values, n

    @classmethod
    def empty(cls, storage: str, space: Space) -> FloatRows:
        return cls(space, aligned_zeros((0, space.padded_dim), np.float16 if storage == "f16" else np.float32), 0)

    def with_room(self, n: int) -> FloatRows:
        return FloatRows(self.space, grown(self.values, n), n)

    def view(self) -> tuple[int, ...]:
        storage = "f16" if self.values.dtype == np.float16 else "f32"
        function = distance_function(f"{storage}_{'ip' if self.space.metric == 'ip' else 'l2'}")
        row_bytes, blocks = self.values.strides[0], self.values.shape[1] // 16
        return (address(self.values), row_bytes, blocks, address(_ONE), function, 0)

    def write(self, rows: np.ndarray, first: int, forms: QueryForms, workers: Workers) -> np.ndarray:
        end = first + len(rows)
        if self.space.metric == "ip":
            self.values[first:end, : self.space.dim] = rows
        else:
            self.values[first:end] = self.space.asking(rows, np.arange(first, end))
        self._write_forms(first, end, forms)
        return np.zeros(len(rows), np.float32)

    def _write_forms(self, lo: int, hi: int, forms: QueryForms) -> None:
        """Forms out of what is held, so that they are the same whenever they are made."""
        held = self.values[lo:hi]
        if self.space.metric == "ip":
            held = self.space.asking(held[:, : self.space.dim].astype(np.float32), np.arange(lo, hi))
        forms.forms[lo:hi] = held

    def no_forms(self) -> QueryForms:
        return QueryForms(aligned_zeros((0, self.values.shape[1]), np.float32), aligned_zeros((0,), np.int32))

    def recall_forms(self, forms: QueryForms) -> None:
        self._write_forms(0, self.n, forms)

    def arrays(self) -> tuple[np.ndarray, np.ndarray | None]:
        return self.values, None

    def sections(self) -> dict[str, np.ndarray]:
        return {"walked": self.values[: self.n]}

    def nbytes(self) -> int:
        return self.values.nbytes


class Copies:
    """Copies of what is walked of some slots, standing together in the order of the slots.

    A pass over them reads memory in order. There is room for a multiple of four rows.
    """

    def __init__(self, walked: WalkedRows, slots: np.ndarray) -> None:
        rows, bias = walked.arrays()
        room = padded(len(slots), 4)
        self.rows = aligned_zeros((room, rows.shape[1]), rows.dtype)
        np.take(rows, slots, axis=0, out=self.rows[: len(slots)], mode="clip")
        self.listed = np.arange(room, dtype=np.int32)
        self.bias = None if bias is None else np.append(bias[slots], np.zeros(room - len(slots), np.int32))
        _, row_bytes, blocks, of_rows, function, scale_bytes = walked.view()
        if self.bias is not None:
            of_rows = address(self.bias)
        self.view = (address(self.rows), row_bytes, blocks, of_rows, function, scale_bytes)
        """Row view (:mod:`vecrecall.kernels.distances`) by place among the slots."""
