"""Walked rows: what the graph takes its distances on, as codes or as floats, behind one face."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vecrecall.kernels.distances import FORMS
from vecrecall.kernels.memory import address
from vecrecall.vectors.codes import Codec
from vecrecall.vectors.encoding import Codes, QueryForms, Rotation, encode, forms_from_codes
from vecrecall.vectors.memory import aligned_zeros, grown

_ONE = np.ones(1, np.float32)


class WalkedRows(Protocol):
    """Rows by slot as they are walked, and the query forms in which stored rows ask (working memory of a build)."""

    n: int

    def with_room(self, n: int) -> WalkedRows:
        """Room for n rows; the present object is untouched, memory is shared where it suffices."""

    def view(self) -> tuple[int, ...]:
        """Row view (:mod:`vecrecall.kernels.distances`)."""

    def write(self, rows: np.ndarray, first: int, forms: QueryForms, n_workers: int) -> np.ndarray:
        """Hold walked rows (m, padded_dim) float32 from slot ``first`` on, and their forms; returns squared errors."""

    def no_forms(self) -> QueryForms:
        """Query forms of no row."""

    def recall_forms(self, forms: QueryForms) -> None:
        """Query forms of all rows out of what is held."""

    def sections(self) -> dict[str, np.ndarray]:
        """Arrays for the file, cut to n rows."""

    def nbytes(self) -> int:
        """Bytes held."""


class CodedRows:
    """Rows as 4- or 8-bit codes under a trained codec."""

    def __init__(self, codec: Codec, rotation: Rotation, codes: Codes, n: int) -> None:
        self.codec, self.rotation, self.codes, self.n = codec, rotation, codes, n

    @classmethod
    def empty(cls, codec: Codec) -> CodedRows:
        return cls(codec, Rotation(codec), Codes.empty(codec), 0)

    def with_room(self, n: int) -> CodedRows:
        return CodedRows(self.codec, self.rotation, self.codes.grown(n), n)

    def view(self) -> tuple[int, ...]:
        return self.codes.view(self.codec.storage)

    def write(self, rows: np.ndarray, first: int, forms: QueryForms, n_workers: int) -> np.ndarray:
        return encode(self.rotation, rows, first, self.codes, forms, n_workers)

    def no_forms(self) -> QueryForms:
        return QueryForms(aligned_zeros((0, self.codec.padded_p), np.uint8), aligned_zeros((0,), np.int32))

    def recall_forms(self, forms: QueryForms) -> None:
        forms_from_codes(self.rotation, self.codes, self.n, forms)

    def sections(self) -> dict[str, np.ndarray]:
        return {"codes": self.codes.codes[: self.n], "bias": self.codes.bias[: self.n]}

    def nbytes(self) -> int:
        return self.codes.codes.nbytes + self.codes.bias.nbytes + self.codec.rotation.nbytes


class FloatRows:
    """Rows as float32 or float16, filled up with zeros to blocks of 16."""

    def __init__(self, values: np.ndarray, n: int) -> None:
        self.values, self.n = values, n

    @classmethod
    def empty(cls, storage: str, padded_dim: int) -> FloatRows:
        return cls(aligned_zeros((0, padded_dim), np.float16 if storage == "f16" else np.float32), 0)

    def with_room(self, n: int) -> FloatRows:
        return FloatRows(grown(self.values, n), n)

    def view(self) -> tuple[int, ...]:
        form = FORMS["f16_l2" if self.values.dtype == np.float16 else "f32_l2"]
        row_bytes, blocks = self.values.strides[0], self.values.shape[1] // 16
        return (address(self.values), row_bytes, blocks, address(_ONE), form, 0)

    def write(self, rows: np.ndarray, first: int, forms: QueryForms, n_workers: int) -> np.ndarray:
        at = slice(first, first + len(rows))
        self.values[at] = rows
        forms.forms[at] = self.values[at]
        return np.zeros(len(rows), np.float32)

    def no_forms(self) -> QueryForms:
        return QueryForms(aligned_zeros((0, self.values.shape[1]), np.float32), aligned_zeros((0,), np.int32))

    def recall_forms(self, forms: QueryForms) -> None:
        forms.forms[: self.n] = self.values[: self.n]

    def sections(self) -> dict[str, np.ndarray]:
        return {"walked": self.values[: self.n]}

    def nbytes(self) -> int:
        return self.values.nbytes
