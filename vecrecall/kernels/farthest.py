"""Farthest-first selection: one more point, and how near every row is to the points then.

Rows lie in tiles, column by column, so that the sums of many rows grow side by side in wide instructions while each
keeps its order: distances have the same bits on every machine, and equal rows are at distance 0 of each other.
"""

from typing import Any

import numpy as np

from vecrecall.kernels.jit import kernel


@kernel
def approach(tiles: Any, lo: Any, hi: Any, point: Any, sums: Any, nearest: Any, farthest: Any) -> None:
    """Compare the rows of tiles lo..hi with a point.

    Parameters
    ----------
    tiles : float32 or uint8 (t, d, r)
        Tile by tile, in each of them r rows column by column.
    lo, hi : int64
    point : float64 (d,)
    sums : float64 (r,), scratch
    nearest : float64 (t, r), changed
        Least squared distance of each row so far; what is no row stands at -1, and keeps it.
    farthest : int64 (t,), changed
        Place in its tile of the row that is farthest then; the first of equal ones.
    """
    d, r = tiles.shape[1:]
    for tile in range(lo, hi):
        sums[:] = 0.0
        for j in range(d):
            for c in range(r):
                difference = np.float64(tiles[tile, j, c]) - point[j]
                sums[c] += difference * difference
        place = 0
        for c in range(r):
            nearest[tile, c] = min(nearest[tile, c], sums[c])
        for c in range(1, r):
            if nearest[tile, c] > nearest[tile, place]:
                place = c
        farthest[tile] = place


@kernel
def project(rows: Any, matrix: Any, sums: Any, tile: Any) -> None:
    """tile[:, i] = row i times the matrix: float64 (m, d) and float32 (d, p) in, float32 (p, >= m) out.

    Sums (p,), scratch, are float64 and run in the order of the columns: BLAS gives equal rows unequal products, by
    where they stand in its blocks.
    """
    m, d = rows.shape
    p = matrix.shape[1]
    for i in range(m):
        sums[:] = 0.0
        for j in range(d):
            for t in range(p):
                sums[t] += rows[i, j] * matrix[j, t]
        for t in range(p):
            tile[t, i] = sums[t]
