"""Ranking by kept rows: where every search of an engine ends. Exact keys, the nearest of them, and their distances."""

import numpy as np

from vecrecall.kernels.jit import inner
from vecrecall.kernels.memory import float_of_bits, load32, load64, load_f32, root32
from vecrecall.kernels.pool import insert_sorted
from vecrecall.vectors.spaces import METRIC_CODES

_IP, _COSINE = METRIC_CODES["ip"], METRIC_CODES["cosine"]
_AT_DISTANCE_1 = 0x40000000  # bits of float32 2.0: the squared chord of a right angle
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


@inner
def keep_nearest(view, metric, listed, keys, n, best, m, k):
    """Offer n listed rows with exact keys to ``best``, the m nearest so far in a pool of k; returns how many it holds.

    ``view`` is that of the kept rows; under cosine a zero row is at distance 1 from everything.
    """
    for j in range(n):
        row, key = load32(listed, j), load32(keys, j)
        if metric == _COSINE and load_f32(view[3], row) == _ZERO:
            key = _AT_DISTANCE_1
        entry = (key << 32) | (row << 1)
        if m < k:
            insert_sorted(best, m, entry)
            m += 1
        elif entry < load64(best, k - 1):
            insert_sorted(best, k - 1, entry)
    return m


@inner
def exact_distance(metric, length, key):
    """The distance that callers read, from an exact key and the length of the query."""
    if metric == _IP:
        return float_of_bits(key ^ ((key >> 31) & 0x7FFFFFFF))
    if metric == _COSINE:
        return float_of_bits(key) * _HALF if length > _ZERO else _ONE
    return root32(float_of_bits(key))


@inner
def estimated_distance(metric, length, square):
    """The same from an estimate, which is as exact as the codes are: of the squared distance, or under ip of minus the
    product with a query of length 1."""
    if metric == _IP:
        return square * length
    square = square if square > _ZERO else _ZERO
    if metric == _COSINE:
        return square * _HALF if length > _ZERO else _ONE
    return root32(square)
