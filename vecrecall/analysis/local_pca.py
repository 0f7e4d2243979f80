"""Local PCA: around each point, in how many directions the nearest neighbours spread."""

from __future__ import annotations

import numpy as np

from vecrecall import threads
from vecrecall.analysis.neighbouring.compared import Compared, Doubles, Places
from vecrecall.blas import one_blas_thread
from vecrecall.progress import progress_bar

SHARE = 0.05  # of the greatest variance: what counts as a direction
_FEWEST = 3  # neighbours: two lie on a line
_BATCH_BYTES = 1 << 21  # of coordinates: they stay in a near cache
_BLOCK = 1024  # points between two looks at the progress


def local_pca(
    points: Compared, ids: Places, n_threads: int, *, share: float = SHARE, progress: bool = False
) -> Doubles:
    """Count the eigenvalues of the neighbours' covariance that exceed a share of the greatest.

    Parameters
    ----------
    points : Compared
    ids : ndarray of int64, shape (m, k)
        Places of the neighbours of each point, which is not among them; -1 where there are fewer.
    n_threads : int
    share : float

    Returns
    -------
    ndarray of float64, shape (m,)
        Whole numbers; NaN where fewer than three neighbours are known, or all are at one place.

    Notes
    -----
    The covariance of k points in d dimensions has the eigenvalues of the smaller of two matrices, k x k and d x d.
    Memory: 2 MB a thread, or one matrix of k * d float64.

    References
    ----------
    Fukunaga & Olsen (1971), "An algorithm for finding intrinsic dimensionality of data", IEEE Transactions on Computers
    C-20(2).
    """
    from vecrecall.kernels.spectra import count_large

    out = np.full(len(ids), np.nan)
    k, d = ids.shape[1], points.dim
    rows = np.flatnonzero((ids >= 0).sum(axis=1) >= _FEWEST)
    step = max(1, _BATCH_BYTES // (8 * max(1, k) * d))

    def work(a: int, b: int) -> None:
        scratch = np.empty((6, min(k, d)))
        for lo in range(a, b, step):
            some = rows[lo : min(lo + step, b)]
            spread = _centred(points, ids[some])
            sides = spread, spread.transpose(0, 2, 1)
            products = np.matmul(*sides) if k <= d else np.matmul(*sides[::-1])
            counts = np.empty(len(some), np.int64)
            count_large(products, share, scratch, counts)
            out[some] = np.where(counts > 0, counts, np.nan)

    with one_blas_thread, threads.Workers(n_threads) as workers:
        with progress_bar("local PCA", len(rows), progress) as advance:
            for lo in range(0, len(rows), n_threads * _BLOCK):
                hi = min(lo + n_threads * _BLOCK, len(rows))
                workers.run(work, lo, hi, _BLOCK)
                advance(hi)
    return out


def _centred(points: Compared, ids: Places) -> Doubles:
    """Coordinates of neighbours (b, k) about their mean, float64 (b, k, d); 0 where there is none."""
    coordinates = points.coordinates(ids)
    coordinates -= coordinates[:, :1].copy()  # where all are equal, nothing is left
    missing = ids < 0
    if not missing.any():
        coordinates -= coordinates.mean(axis=1, keepdims=True)
        return coordinates
    coordinates[missing] = 0
    coordinates -= coordinates.sum(axis=1, keepdims=True) / (~missing).sum(axis=1)[:, None, None]
    coordinates[missing] = 0
    return coordinates
