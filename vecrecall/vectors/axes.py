"""The axes that codes are made along: PCA to p dimensions and a random rotation inside them, held in int8.

z = R'(x - mean). Rotated at random, all dimensions spread alike, so that one step size fits them and no codebook is
needed; what the projection drops is orthogonal to what it keeps, so its energy is one number for each row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecrecall.vectors.memory import aligned_zeros

SAMPLE = 8192  # rows that axes are trained on
_FAR_WORSE = 64.0  # an added row counts as at most so many times worse than those of the sample
_FAR_OUT = 8.0  # times the length that 99 % of the rows keep within
_WORSE = 1.5  # codes of rows added since training may be this much worse than those of the sample
_DRIFT_SHARE = 16  # fewer rows than this share count as so many: only far worse ones are heard


@dataclass(frozen=True)
class Reduction:
    """How many principal dimensions to keep: the fewest blocks that hold a share of the variance."""

    block: int
    share: float
    least: int = 1

    def kept(self, variances: np.ndarray) -> int:
        """Dimensions, from variances in descending order."""
        dim, total = len(variances), variances.sum()
        if total <= 0:
            return dim
        enough = 1 + int(np.searchsorted(np.cumsum(variances) / total, self.share))
        return min(padded(max(enough, self.least), self.block), dim)


@dataclass(frozen=True, eq=False)
class Axes:
    """A trained rotation. All arrays are float32 but ``rotation`` (int8, p rows in whole lines of 64)."""

    dim: int  # of the rows
    p: int
    rotation: np.ndarray
    low: np.ndarray
    inverse_range: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    offset: np.ndarray


def padded(n: int, block: int) -> int:
    """n filled up to a multiple of block."""
    return -(-n // block) * block


def train_axes(
    sample: np.ndarray, reduce: Reduction | int | None, rng: np.random.Generator
) -> tuple[Axes, np.ndarray, np.ndarray]:
    """Train on ordinary rows (m, dim) float32, m >= 1.

    reduce : how many dimensions to keep: by a rule, a number, or None for all.

    Returns the axes, the rotation that they hold in int8 as float64 (dim, p), and the rows less their mean.
    """
    dim = sample.shape[1]
    mean = sample.mean(0, dtype=np.float64).astype(np.float32)
    low, high = sample.min(0), sample.max(0)
    level = np.maximum((high - low) / 255, np.float32(1e-30)).astype(np.float32)
    moved = sample - mean
    p, principal = _principal_axes(moved, reduce)
    turn = np.linalg.qr(rng.standard_normal((p, p)))[0]
    turn = turn if principal is None else principal @ turn

    by_level = turn.T * level  # acts on the uint8 form of x
    scale = np.maximum(np.abs(by_level).max(1) / 127, 1e-30)
    rotation = aligned_zeros((p, padded(dim, 64)), np.int8)
    rotation[:, :dim] = np.rint(by_level / scale[:, None])
    offset = (rotation[:, :dim] * scale[:, None]) @ ((low - mean) / level).astype(np.float64)
    axes = Axes(
        dim, p, rotation, low, 1 / level, mean, scale.astype(np.float32), offset.astype(np.float32)
    )
    return axes, turn, moved


def _principal_axes(rows: np.ndarray, reduce: Reduction | int | None) -> tuple[int, np.ndarray | None]:
    """(p, axes (dim, p) or None for all dimensions as they are)."""
    dim = rows.shape[1]
    least = 1 if reduce is None else max(reduce.block, reduce.least) if isinstance(reduce, Reduction) else reduce
    if reduce is None or dim <= least:
        return dim, None
    variances, axes = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    p = reduce if isinstance(reduce, int) else reduce.kept(np.maximum(variances[::-1], 0))
    return p, (None if p == dim else axes[:, ::-1][:, :p])


def ordinary(sample: np.ndarray) -> np.ndarray:
    """Which rows are not far out: one that is would coarsen the codes of all.

    One row in 10,000 at 1000 standard deviations took recall from 0.99 to 0.003.
    """
    moved = sample - sample.mean(0, dtype=np.float64).astype(np.float32)
    squares = np.einsum("ij,ij->i", moved, moved, dtype=np.float64)
    limit = _FAR_OUT**2 * float(np.quantile(squares, 0.99))
    return squares <= limit if limit > 0 else np.ones(len(sample), bool)


def heard(errors: np.ndarray, mean_error: float) -> np.ndarray:
    """Errors of added rows as they count: axes trained anew for a few rows far out would cost more than they mend."""
    return np.minimum(errors, _FAR_WORSE * mean_error) if mean_error > 0 else errors


def outgrown(n_trained: int, mean_error: float, n: int, n_since: int, error_since: float) -> bool:
    """Whether n rows should be coded along axes trained again, from ``n_trained`` rows in the sample of the present.

    While the sample was all there was, at each doubling; and whenever the rows added since are coded clearly worse
    than the sample was (data have drifted): many somewhat worse, or a few that are far out.
    """
    if n_trained < SAMPLE and n >= 2 * n_trained:
        return True
    return error_since > _WORSE * mean_error * max(n_since, n / _DRIFT_SHARE)


def sample_slots(n: int) -> np.ndarray:
    """Slots of a training sample: evenly spread, at most ``SAMPLE``."""
    return np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.int64))
