"""Coresets: a few rows that cover all others, chosen farthest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vecrecall.analysis.points import Points
from vecrecall.exact.search import nearest
from vecrecall.inputs import as_count, as_seed, as_share
from vecrecall.kernels.farthest import approach, project
from vecrecall.progress import progress_bar
from vecrecall.threads import Workers, n_threads

PROJECTED = 128  # dimensions that project="auto" walks in, where there are twice as many or more

_ROWS = 1024  # a tile of the kernel, at most
_TILE_BYTES = 1 << 23  # of its rows as float64


@dataclass(frozen=True, eq=False)
class Coreset:
    """Rows that cover all others, and how well they do.

    Distances are Euclidean; under cosine the chord, sqrt(2 - 2 cos).

    Attributes
    ----------
    picks : ndarray of int64, shape (m,)
        Row numbers, all different, in the order in which they were picked: the first t are the coreset of t rows.
    radius : float
        Covering radius: distance of the row that is farthest from the picks. NaN without rows.
    mean_distance : float
        Mean over all rows of the distance to the nearest pick. NaN without rows.
    radii : ndarray of float64, shape (m,)
        Covering radius of the first t + 1 picks, in the space that was walked; never rises, and tells how much a
        larger coreset would have gained.
    evals : int
        Distances evaluated to pick; those behind `radius` and `mean_distance` of projected rows not counted.
    project : int or None
        Dimensions of the random projection that was walked, None for the rows themselves.
    n : int
        Rows covered.
    metric : {"l2", "cosine"}
    """

    picks: NDArray[np.int64]
    radius: float
    mean_distance: float
    radii: NDArray[np.float64]
    evals: int
    project: int | None
    n: int
    metric: str

    @property
    def walked_radius(self) -> float:
        """Covering radius in the space that was walked: the last of `radii`; without a projection, `radius`."""
        return float(self.radii[-1]) if len(self.radii) else float("nan")

    def __len__(self) -> int:
        return len(self.picks)

    def __repr__(self) -> str:
        walked = "" if self.project is None else f", walked in {self.project} dimensions"
        return (
            f"Coreset: {len(self):,} of {self.n:,} rows, radius {self.radius:.4g}, "
            f"mean distance {self.mean_distance:.4g}{walked}"
        )


def coreset(
    X: ArrayLike,
    m: float,
    *,
    metric: str = "l2",
    start: int | None = None,
    project: int | str | None = "auto",
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Coreset:
    """Pick rows farthest first: each is the row that is farthest from those before it.

    The covering radius of the result is at most twice the least that m rows can have. Because it is the radius that is
    made small, outliers are picked, and the mean distance is *worse* than that of as many rows drawn at random: take
    it to cover, or to have the odd rows in, and not as a fair sample.

    Parameters
    ----------
    X : array_like of real numbers, shape (n, dim)
    m : int, or float in (0, 1]
        How many rows, at most n; or, as a float, their share of the rows, rounded, at least one. 1 is one row, 1.0 all.
    metric : {"l2", "cosine"}, default "l2"
        cosine: of the rows at length 1. A raw inner product is no distance, and refused.
    start : int, optional
        The first pick. Default: drawn at random.
    project : int, "auto" or None, default "auto"
        Walk on a random Gaussian projection to so many dimensions, fewer than dim: as much faster, and the radius is
        a little larger. "auto": 128, where dim is at least twice that. None: on the rows themselves.
    seed : int, default 0
        Of the first pick and the projection.
    threads : int, optional
        Default all the process may use. The result does not depend on it.
    progress : bool, default False
        Whether to show a bar, on a terminal only.

    Returns
    -------
    Coreset

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated, or X holds NaN or infinity.

    Warns
    -----
    UserWarning
        Once, with their count, if rows are zero under cosine.

    Notes
    -----
    Takes n * m distances in the space walked, and with a projection as many more of rows, by matrix products, for the
    radius. Memory: 4 * n * (dimensions walked) bytes, a quarter of that for a matrix of uint8 that is walked as it is,
    and 8 * n more.

    Of rows that are equally far the first is picked. When the radius is 0 all that is left are copies of picks: these
    follow in the order of rows, so that picks stay different.

    References
    ----------
    Gonzalez (1985), Clustering to minimize the maximum intercluster distance. Roth et al. (2022), Towards total recall
    in industrial anomaly detection (PatchCore), section 3.2: with a projection after Johnson & Lindenstrauss (1984).

    Examples
    --------
    >>> chosen = coreset([[0, 0], [0, 1], [9, 0], [0, 5]], 3, start=0)
    >>> chosen.picks, chosen.radii
    (array([0, 2, 3]), array([9., 5., 1.]))
    >>> chosen
    Coreset: 3 of 4 rows, radius 1, mean distance 0.25
    """
    points = Points.of(X, metric)
    chosen = coreset_of(points, m, start=start, project=project, seed=seed, threads=threads, progress=progress)
    points.warn_of_zeros()
    return chosen


def coreset_of(
    points: Points,
    m: float,
    *,
    start: int | None = None,
    project: int | str | None = "auto",
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Coreset:
    """As `coreset`, of points that are checked already; of zero rows nothing is said."""
    wanted = as_size(m, points.n)
    start = None if start is None else _as_row(start, points.n)
    width = _as_width(project, points.dim)
    rng = np.random.Generator(np.random.PCG64(as_seed(seed)))
    workers_wanted = n_threads(threads)
    if points.n == 0:
        nothing = float("nan")
        return Coreset(np.empty(0, np.int64), nothing, nothing, np.empty(0), 0, width, 0, points.metric)
    drawn = int(rng.integers(points.n))  # drawn in any case: the projection does not depend on who chose the start
    first = drawn if start is None else start
    with Workers(workers_wanted) as workers:
        tiles = _tiles(points, workers) if width is None else _projected(points, width, rng, workers)
        with progress_bar("coreset", wanted, progress) as done:
            picks, radii, squares = _walk(tiles, points.n, wanted, first, workers, done)
    picks, evals = _with_copies(picks, wanted, points.n), len(picks) * points.n
    distances = np.sqrt(squares) if width is None else _to_nearest(points, picks[: len(radii)], workers_wanted)
    radii = np.append(radii, np.zeros(wanted - len(radii)))
    return Coreset(
        picks, float(distances.max()), float(distances.mean()), radii, evals, width, points.n, points.metric
    )


def as_size(m: Any, n: int, name: str = "m") -> int:
    """How many of n rows a count, or a share of them, asks for.

    Examples
    --------
    >>> as_size(7, 100), as_size(0.02, 100), as_size(0.001, 100)
    (7, 2, 1)
    """
    if isinstance(m, (float, np.floating)):
        return min(n, max(1, round(as_share(float(m), name, example=0.02) * n)))
    count = as_count(m, name)
    if count > n:
        raise ValueError(f"{name} is {count}, expected at most the {n} rows of X, or a share of them such as 0.02")
    return count


def _as_row(start: Any, n: int) -> int:
    row = as_count(start, "start", least=0)
    if row >= n:
        raise ValueError(f"start is {row}, expected the number of a row of X, which has {n}")
    return row


def _as_width(width: Any, dim: int) -> int | None:
    """Dimensions to project to; None for none."""
    if width is None:
        return None
    if isinstance(width, str):
        if width != "auto":
            raise ValueError(f"project is {width!r}, expected 'auto', None or a number of dimensions")
        return PROJECTED if dim >= 2 * PROJECTED else None
    width = as_count(width, "project")
    if width >= dim:
        raise ValueError(f"project is {width}, but X has {dim} columns; give fewer, or None to walk on all of them")
    return width


def _tiles(points: Points, workers: Workers) -> NDArray[Any]:
    """The points as the kernel has them: (tiles, dim, rows of a tile), the last one filled up with zeros."""
    narrow = points.metric == "l2" and points.rows.dtype == np.uint8
    tiles, size = _empty_tiles(points, points.dim, np.uint8 if narrow else np.float32)

    def work(lo: int, hi: int) -> None:
        for number in range(lo, hi):
            tile = points.tile(number * size, min((number + 1) * size, points.n))
            tiles[number, :, : len(tile)] = tile.T

    workers.run(work, 0, len(tiles), 1)
    return tiles


def _projected(points: Points, width: int, rng: np.random.Generator, workers: Workers) -> NDArray[np.float32]:
    """The same of points times a Gaussian matrix; an offset that all share is taken off before it eats the digits."""
    matrix = rng.standard_normal((points.dim, width), dtype=np.float32) / np.float32(np.sqrt(width))
    mean = points.mean()
    tiles, size = _empty_tiles(points, width, np.float32)

    def work(lo: int, hi: int) -> None:
        for number in range(lo, hi):
            tile = points.tile(number * size, min((number + 1) * size, points.n))
            project(tile - mean, matrix, np.empty(width), tiles[number])

    workers.run(work, 0, len(tiles), 1)
    return tiles


def _empty_tiles(points: Points, width: int, dtype: Any) -> tuple[NDArray[Any], int]:
    """Room for tiles of points in so many dimensions, and how many points one holds."""
    size = min(_ROWS, points.n, max(1, _TILE_BYTES // (8 * points.dim)))
    return np.zeros((-(-points.n // size), width, size), dtype), size


def _walk(
    tiles: NDArray[Any], n: int, m: int, first: int, workers: Workers, done: Callable[[int], None]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Pick up to m of n rows, the first one given, until none is away from all picks.

    Returns the picks, the covering radius after each, and the squared distance of each row to its nearest pick.
    """
    n_tiles, _, size = tiles.shape
    squares = np.full((n_tiles, size), np.inf)
    squares.reshape(-1)[n:] = -1.0  # what fills the last tile up is never the farthest
    farthest = np.zeros(n_tiles, np.int64)
    every = np.arange(n_tiles)
    chunk = -(-n_tiles // workers.n)
    picks, radii = [first], list[float]()
    while True:
        tile, place = divmod(picks[-1], size)
        point = tiles[tile, :, place].astype(np.float64)

        def work(lo: int, hi: int, point: NDArray[np.float64] = point) -> None:
            approach(tiles, lo, hi, point, np.empty(size), squares, farthest)

        workers.run(work, 0, n_tiles, chunk)
        greatest = squares[every, farthest]
        tile = int(greatest.argmax())  # the first of equal ones, which holds the first row of equal ones
        radii.append(float(np.sqrt(greatest[tile])))
        done(len(picks))
        if len(picks) == m or radii[-1] == 0:
            return np.array(picks, np.int64), np.array(radii), squares.reshape(-1)[:n]
        picks.append(tile * size + int(farthest[tile]))


def _with_copies(picks: NDArray[np.int64], m: int, n: int) -> NDArray[np.int64]:
    """The picks filled up to m with the first rows that are none; all are copies of picks."""
    left = np.ones(n, bool)
    left[picks] = False
    return np.append(picks, np.flatnonzero(left)[: m - len(picks)])


def _to_nearest(points: Points, picks: NDArray[np.int64], workers_wanted: int) -> NDArray[np.float64]:
    """Distance of each point to the nearest of the picks."""
    chosen = points.take(picks)
    out = np.empty(points.n)
    for lo, tile in points.tiles():
        left_out = np.full(len(tile), -1)
        out[lo : lo + len(tile)] = nearest(chosen, tile, 1, "l2", left_out, workers_wanted)[1][:, 0]
    return out
