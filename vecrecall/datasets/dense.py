"""Dense vectors of random numbers: of a chosen intrinsic dimension, in groups, with copies.

Rows, queries and what both stand on (a basis, the centres of the groups) draw from streams of their own, so that a
change of one number does not change what it has nothing to do with: the same groups can be had with more queries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vecrecall.blas import one_blas_thread

Float32s = NDArray[np.float32]

_TILE_ROWS = 4096  # bounds what is held in float64


def orthonormal_basis(rng: np.random.Generator, intrinsic: int, dim: int) -> NDArray[np.float64]:
    """Draw a basis of a random subspace: Gram-Schmidt on Gaussian vectors.

    It is computed by Householder reflections, which are as good in high dimensions as in low ones; the signs are those
    that Gram-Schmidt gives, so every subspace is as likely as any other.

    Parameters
    ----------
    rng : Generator
    intrinsic, dim : int
        Dimension of the subspace, and of the space around it; the first at most the second.

    Returns
    -------
    ndarray of float64, shape (intrinsic, dim)
        Rows of length 1, at right angles to one another.

    Examples
    --------
    >>> basis = orthonormal_basis(np.random.default_rng(0), 3, 8)
    >>> bool(np.allclose(basis @ basis.T, np.eye(3)))
    True
    """
    with one_blas_thread:  # whose number would show in the last bits
        columns, triangle = np.linalg.qr(rng.standard_normal((dim, intrinsic)))
    return (columns * np.where(np.diag(triangle) < 0, -1.0, 1.0)).T


def on_subspace(rng: np.random.Generator, n: int, basis: NDArray[np.float64], noise: float) -> Float32s:
    """Draw vectors whose coordinates on a basis are standard normal.

    Parameters
    ----------
    rng : Generator
    n : int
    basis : ndarray of float64, shape (intrinsic, dim)
    noise : float
        Standard deviation of what is added to each of the `dim` values, beside the subspace too.

    Returns
    -------
    ndarray of float32, shape (n, dim)
    """
    vectors = np.empty((n, basis.shape[1]), np.float32)
    for first in range(0, n, _TILE_ROWS):
        tile = vectors[first : first + _TILE_ROWS]
        with one_blas_thread:
            drawn = rng.standard_normal((len(tile), len(basis))) @ basis
        tile[:] = drawn + noise * rng.standard_normal(tile.shape) if noise else drawn
    return vectors


def groups_of(rng: np.random.Generator, n: int, n_groups: int, order: str) -> NDArray[np.int32]:
    """Share `n` rows out to groups of equal size, up to one: the number of each row's group.

    >>> groups_of(np.random.default_rng(0), 5, 2, "grouped").tolist()
    [0, 0, 0, 1, 1]
    """
    groups = (np.arange(n, dtype=np.int64) * n_groups // n).astype(np.int32)
    return rng.permutation(groups) if order == "shuffled" else groups


def in_groups(rng: np.random.Generator, groups: NDArray[np.integer], centres: Float32s, spread: float) -> Float32s:
    """Draw a vector around the centre of each group that is named.

    Parameters
    ----------
    rng : Generator
    groups : ndarray of int, shape (n,)
    centres : ndarray of float32, shape (n_groups, dim)
    spread : float
        Standard deviation within a group, in each dimension.

    Returns
    -------
    ndarray of float32, shape (n, dim)
    """
    vectors = centres[groups]
    for first in range(0, len(vectors), _TILE_ROWS):
        tile = vectors[first : first + _TILE_ROWS]
        tile += np.float32(spread) * rng.standard_normal(tile.shape, dtype=np.float32)
    return vectors


def originals_of(rng: np.random.Generator, n: int, share: float) -> NDArray[np.int64]:
    """Choose which of `n` rows are copies: for each row, the number of the distinct vector that it holds.

    A share of the rows, up to rounding, are copies of others, drawn with repetition; one vector at least is left. The
    rows are shuffled.
    """
    n_distinct = max(1, n - round(share * n))
    copies = rng.integers(n_distinct, size=n - n_distinct)
    return rng.permutation(np.concatenate([np.arange(n_distinct), copies]))
