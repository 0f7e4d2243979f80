"""Weights in two planes: a code of 8 bits, enough to rank candidates by, and 16 bits that tell the place within it.

A row is scaled by a power of two so that its largest weight is in (1/2, 1]. The bits of float32 cut the positive line
into octaves, and each of these evenly; a code is a run of ``256 * unit`` of them, an eleventh of an octave, and a
residual counts runs of ``unit / 256``. So a weight is known from its code to 4.4 %, and from both planes to 8e-7, over
23 octaves (rows with negative weights have half as many codes: 5.3 %, 1e-6, 14 octaves). The lowest code stands for all
that is smaller, and is cut evenly: the absolute error there is far below.
"""

from __future__ import annotations

import numpy as np

ONE = 127 << 23  # the bits of 1.0
UNITS = 65536  # places within a code


class Table:
    """What codes and residuals mean, in their row's scale.

    Attributes
    ----------
    n : int
        Codes of a sign; negative weights have the codes from n on.
    unit, step, lowest : int
        The bits of the greatest float32 of code c are ``lowest + (c + 1) * step``; ``step`` is ``256 * unit``, and
        residual r of a code stands for the bits ``lowest + c * step + (((r + 1) * unit + 128) >> 8)``.
    tiny : float
        Greatest weight of code 0, whose residual r stands for ``(r + 1) * tiny / 65536``.
    error : float
        Greatest relative error of the float32 in the middle of a code, but for code 0.
    """

    def __init__(self, n: int, per_octave: int) -> None:
        self.n = n
        self.unit = -(-(1 << 15) // per_octave)
        self.step = 256 * self.unit
        self.lowest = ONE - n * self.step
        self.tiny = float(float_of(np.array([self.lowest + self.step]))[0])
        edges = float_of(self.lowest + self.step * np.arange(1, n + 1))
        middle = float_of(self.lowest + self.step // 2 + self.step * np.arange(1, n))
        self.error = float((np.maximum(middle - edges[:-1], edges[1:] - middle) / middle).max())


def float_of(bits: np.ndarray) -> np.ndarray:
    """float64 of the bits of float32."""
    return bits.astype(np.int32).view(np.float32).astype(np.float64)


UNSIGNED, SIGNED = Table(256, 11), Table(128, 9)


def table_of(signed: bool) -> Table:
    """The table of rows with or without negative weights."""
    return SIGNED if signed else UNSIGNED
