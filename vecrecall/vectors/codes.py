"""Rotated scalar codes of walked rows: 4 or 8 bits a dimension, trained on a sample.

z = R'(x - mean) (:mod:`vecrecall.vectors.axes`). A row is held as its code; a query as int8. The key of a row is

    bias[row] + query bias - dot(query form, code),   in units of 2 * code step * query step,

which approximates the squared distance: the energy that the projection loses is in the biases. Under ip rows are
directions, queries are not moved by the mean (its part is in their bias), and the key is minus the dot times the
length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecrecall.vectors.axes import Axes, Reduction, ordinary, padded, train_axes

BITS = {"sq4": 4, "sq8": 8}
BLOCK = {"sq4": 128, "sq8": 64}  # dimensions in a 64-byte line of codes
VARIANCE = 0.95  # share of the variance that the kept dimensions hold
_STEP4 = 0.33  # 4-bit step in units of the root mean square of z


@dataclass(frozen=True, eq=False)
class Codec:
    """Trained axes with the steps of codes."""

    storage: str
    axes: Axes
    n_trained: int  # rows in the training sample
    mean_error: float  # mean squared error of the sample's codes
    fidelity: float  # share of near rows of the sample that its codes show as near (measured by who trains)
    shift: np.ndarray  # (padded p,) what brings z to a query under ip, which is not moved by the mean; else zeros
    steps: np.ndarray  # 1/query step, 1/code step, code step, 1/unit, 1 + |mean|**2

    @property
    def p(self) -> int:
        """Dimensions that codes are made of."""
        return self.axes.p

    @property
    def padded_p(self) -> int:
        """p filled up to whole blocks: bytes of a query form."""
        return padded(self.p, BLOCK[self.storage])

    @property
    def code_bytes(self) -> int:
        """Bytes of a code."""
        return self.padded_p * BITS[self.storage] // 8

    @property
    def unit(self) -> float:
        """Squared distance that one step of the integer keys stands for."""
        return 1 / float(self.steps[3])


def train(
    sample: np.ndarray, storage: str, reduce: str | int | None, rng: np.random.Generator, *, products: bool
) -> Codec:
    """Train a codec on rows (m, dim) float32, m >= 1, as they are walked.

    products : whether queries want the greatest product, not the least distance.
    """
    n_trained = len(sample)
    rule = Reduction(BLOCK[storage], VARIANCE) if reduce == "auto" else None if reduce is None else int(reduce)
    axes, turn, moved = train_axes(sample[ordinary(sample)], rule, rng)
    p, mean = axes.p, axes.mean

    z = moved @ turn.astype(np.float32)
    shift = np.zeros(padded(p, BLOCK[storage]), np.float32)
    if products:
        shift[:p] = mean @ turn
    spread = float(np.sqrt((z.astype(np.float64) ** 2).mean())) or 1.0
    query_step = (float(np.quantile(np.abs(z[::4] + shift[:p]), 0.9999)) or spread) / 127
    code_step = _STEP4 * spread
    if storage == "sq8":
        code_step = (float(np.quantile(np.abs(z[::4]), 0.9999)) or spread) / 127
    size = 1 + float(mean.astype(np.float64) @ mean)
    steps = np.array([1 / query_step, 1 / code_step, code_step, 1 / (2 * code_step * query_step), size], np.float32)
    return Codec(storage, axes, n_trained, _mean_error(moved, z, storage, code_step), 1.0, shift, steps)


def _mean_error(rows: np.ndarray, z: np.ndarray, storage: str, step: float) -> float:
    """Mean squared error of the codes of the sample, in numpy."""
    if storage == "sq8":
        held = np.clip(np.rint(z / step), -127, 127) * step
    else:
        held = (np.clip(np.floor(z / step), -8, 7) + 0.5) * step
    lost = np.maximum((rows**2).sum(1) - (z**2).sum(1), 0)
    return float((lost + ((z - held) ** 2).sum(1)).mean(dtype=np.float64))
