"""Rotated scalar codes of walked rows: 4 or 8 bits a dimension, trained on a sample.

z = R'(x - mean), where R is PCA to p dimensions followed by a random rotation inside them, so that one step size fits
every dimension. A row is held as its code; a query as int8. The key of a row is

    bias[row] + query bias - dot(query form, code),   in units of 2 * code step * query step,

which approximates the squared distance: the energy that the projection loses is in the biases. Under ip rows are
directions, queries are not moved by the mean (its part is in their bias), and the key is minus the dot times the
length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecrecall.vectors.memory import aligned_zeros

BITS = {"sq4": 4, "sq8": 8}
BLOCK = {"sq4": 128, "sq8": 64}  # dimensions in a 64-byte line of codes
SAMPLE = 8192  # rows a codec is trained on
VARIANCE = 0.95  # share of the variance that the kept dimensions hold
_FAR_OUT = 8.0  # times the length that 99 % of the rows keep within
_STEP4 = 0.33  # 4-bit step in units of the root mean square of z


@dataclass(frozen=True, eq=False)
class Codec:
    """A trained rotation with its steps. All arrays are float32 but ``rotation`` (int8, p rows in whole lines)."""

    storage: str
    dim: int  # of walked rows
    p: int
    n_trained: int  # rows in the training sample
    mean_error: float  # mean squared error of the sample's codes
    fidelity: float  # share of near rows of the sample that its codes show as near (measured by who trains)
    rotation: np.ndarray
    low: np.ndarray
    inverse_range: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    shift: np.ndarray  # (padded p,) what brings z to a query under ip, which is not moved by the mean; else zeros
    steps: np.ndarray  # 1/query step, 1/code step, code step, 1/unit, 1 + |mean|**2

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


def padded(n: int, block: int) -> int:
    """n filled up to a multiple of block."""
    return -(-n // block) * block


def kept_dimensions(storage: str, dim: int, reduce: str | int | None, variances: np.ndarray | None) -> int:
    """How many principal dimensions to keep: all, a given number, or the fewest blocks with 95 % of the variance."""
    if reduce is None or variances is None:
        return dim
    if reduce != "auto":
        return min(int(reduce), dim)
    total = variances.sum()
    if total <= 0:
        return dim
    enough = 1 + int(np.searchsorted(np.cumsum(variances) / total, VARIANCE))
    return min(padded(enough, BLOCK[storage]), dim)


def _principal_axes(rows: np.ndarray, storage: str, reduce: str | int | None) -> tuple[int, np.ndarray | None]:
    """(p, axes (dim, p) or None for all dimensions as they are)."""
    dim = rows.shape[1]
    if reduce is None or (reduce == "auto" and dim <= BLOCK[storage]) or (reduce != "auto" and int(reduce) >= dim):
        return dim, None
    variances, axes = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    p = kept_dimensions(storage, dim, reduce, np.maximum(variances[::-1], 0))
    return p, (None if p == dim else axes[:, ::-1][:, :p])


def train(
    sample: np.ndarray, storage: str, reduce: str | int | None, rng: np.random.Generator, *, products: bool
) -> Codec:
    """Train a codec on rows (m, dim) float32, m >= 1, as they are walked.

    products : whether queries want the greatest product, not the least distance.
    """
    n_trained, dim = sample.shape
    sample = sample[_ordinary(sample)]
    mean = sample.mean(0, dtype=np.float64).astype(np.float32)
    low, high = sample.min(0), sample.max(0)
    level = np.maximum((high - low) / 255, np.float32(1e-30)).astype(np.float32)
    moved = sample - mean
    p, axes = _principal_axes(moved, storage, reduce)
    turn = np.linalg.qr(rng.standard_normal((p, p)))[0]
    turn = turn if axes is None else axes @ turn

    by_level = turn.T * level  # acts on the uint8 form of x
    scale = np.maximum(np.abs(by_level).max(1) / 127, 1e-30)
    rotation = aligned_zeros((p, padded(dim, 64)), np.int8)
    rotation[:, :dim] = np.rint(by_level / scale[:, None])
    offset = (rotation[:, :dim] * scale[:, None]) @ ((low - mean) / level).astype(np.float64)

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
    return Codec(
        storage, dim, p, n_trained, _mean_error(moved, z, storage, code_step), 1.0, rotation, low,
        1 / level, mean, scale.astype(np.float32), offset.astype(np.float32), shift, steps,
    )  # fmt: skip


def _ordinary(sample: np.ndarray) -> np.ndarray:
    """Which rows are not far out: one that is would coarsen the codes of all.

    One row in 10,000 at 1000 standard deviations took recall from 0.99 to 0.003.
    """
    moved = sample - sample.mean(0, dtype=np.float64).astype(np.float32)
    squares = np.einsum("ij,ij->i", moved, moved, dtype=np.float64)
    limit = _FAR_OUT**2 * float(np.quantile(squares, 0.99))
    return squares <= limit if limit > 0 else np.ones(len(sample), bool)


def _mean_error(rows: np.ndarray, z: np.ndarray, storage: str, step: float) -> float:
    """Mean squared error of the codes of the sample, in numpy."""
    if storage == "sq8":
        held = np.clip(np.rint(z / step), -127, 127) * step
    else:
        held = (np.clip(np.floor(z / step), -8, 7) + 0.5) * step
    lost = np.maximum((rows**2).sum(1) - (z**2).sum(1), 0)
    return float((lost + ((z - held) ** 2).sum(1)).mean(dtype=np.float64))
