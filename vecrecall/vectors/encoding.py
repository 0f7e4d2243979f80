"""Codes of many rows: the arrays a codec fills, and the addresses its kernels take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecrecall.kernels.encode import encode_rows, forms_of_codes
from vecrecall.kernels.forms import distance_function
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers
from vecrecall.vectors.axes import Axes, padded
from vecrecall.vectors.codes import BITS, Codec
from vecrecall.vectors.memory import aligned_zeros, grown

_SLICE = 4096  # rows a worker encodes between looks at the caller


def constants_block(unit: float) -> np.ndarray:
    """What kernels read as constants: four zeros, 1 and a unit (float32), the function for float32 rows, l2."""
    block = np.zeros(4, np.int64)
    block.view(np.float32)[4:6] = 1, unit
    block[3] = distance_function("f32_l2")
    return block


class Rotation:
    """The rotation view (:mod:`vecrecall.kernels.encode`) of trained axes and the constants that it points to.

    Without a codec z can be had, filled up to whole blocks of 16, and no codes.
    """

    def __init__(self, axes: Axes, codec: Codec | None = None, *, products: bool = False) -> None:
        p, dim, rotation = axes.p, axes.dim, axes.rotation
        mean = np.zeros(padded(dim, 16), np.float32)
        mean[:dim] = axes.mean
        self._zero_bias = np.zeros(padded(p, 4), np.int32)
        self._numbers = np.zeros(padded(p, 4), np.int32)
        self._numbers[:p] = np.arange(p)
        self._constants = constants_block(1.0)
        self.axes = axes
        self._kept = (codec, mean)
        self.padded_p = padded(p, 16) if codec is None else codec.padded_p
        steps, shift = (0, 0) if codec is None else (address(codec.steps), address(codec.shift))
        self.view = (
            dim, p, self.padded_p, address(axes.low), address(axes.inverse_range), address(mean),
            address(rotation), rotation.strides[0], rotation.shape[1] // 64, address(self._zero_bias),
            address(self._numbers), address(axes.scale), address(axes.offset), steps,
            0 if codec is None else BITS[codec.storage], address(self._constants), int(products),
            distance_function("s8"), shift,
        )  # fmt: skip
        self.level_bytes = rotation.shape[1]


@dataclass(eq=False)
class Codes:
    """Codes and biases by slot."""

    codes: np.ndarray  # (capacity, bytes) uint8
    bias: np.ndarray  # (capacity,) int32; under ip the bits of a float32 scale

    @classmethod
    def empty(cls, codec: Codec) -> Codes:
        return cls(aligned_zeros((0, codec.code_bytes), np.uint8), aligned_zeros((0,), np.int32))

    def grown(self, n: int) -> Codes:
        """Room for n rows; the present object is untouched."""
        return Codes(grown(self.codes, n), grown(self.bias, n))

    def unpacked(self, storage: str) -> np.ndarray:
        """Codes as whole numbers from 0, one a dimension: (capacity, padded p) float32."""
        codes = self.codes
        if storage == "sq4":
            lines = codes.reshape(len(codes), -1, 64)
            codes = np.concatenate([lines & 15, lines >> 4], axis=2).reshape(len(codes), -1)
        return codes.astype(np.float32)

    def view(self, form: str) -> tuple[int, ...]:
        """Row view (:mod:`vecrecall.kernels.distances`) of codes in one of its forms."""
        return (
            address(self.codes), self.codes.shape[1], self.codes.shape[1] // 64, address(self.bias),
            distance_function(form), 0,
        )  # fmt: skip


@dataclass(eq=False)
class QueryForms:
    """Query forms of stored rows, by slot: what links are chosen with. Working memory of a build."""

    forms: np.ndarray  # (capacity, bytes of a form) uint8; float rows: the walked rows themselves
    bias: np.ndarray  # (capacity,) int32

    def grown(self, n: int) -> QueryForms:
        return QueryForms(grown(self.forms, n), grown(self.bias, n))


def encode(
    rotation: Rotation, rows: np.ndarray, first: int, codes: Codes, forms: QueryForms, workers: Workers
) -> np.ndarray:
    """Encode walked rows (m, padded_dim) float32 into slots first..first + m; returns the squared errors (m,)."""
    error = np.zeros(len(rows), np.float32)
    p = rotation.view[2]

    def work(lo: int, hi: int) -> None:
        levels = aligned_zeros((rotation.level_bytes,), np.uint8)
        dots, z = np.zeros(p + 4, np.int32), aligned_zeros((p,), np.float32)
        at = first + lo
        encode_rows(
            rotation.view, address(rows[lo:]), rows.strides[0], hi - lo,
            address(forms.forms[at:]), address(forms.bias[at:]),
            address(codes.codes[at:]), codes.codes.strides[0], address(codes.bias[at:]),
            address(error[lo:]), address(levels), address(dots), address(z),
        )  # fmt: skip

    workers.run(work, 0, len(rows), _SLICE)
    return error


def forms_from_codes(rotation: Rotation, codes: Codes, n: int, forms: QueryForms) -> None:
    """Query forms of slots 0..n out of their codes, where no rows are kept."""
    forms_of_codes(
        rotation.view, address(codes.codes), codes.codes.strides[0], address(codes.bias), n,
        address(forms.forms), address(forms.bias),
    )  # fmt: skip
