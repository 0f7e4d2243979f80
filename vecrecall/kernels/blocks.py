"""Vectors into blocks of codes (:mod:`vecrecall.kernels.tiles` states their layout), and back; and into their lists.

A vector is coded as its residual to the centroid of its list, with a step of its own: uniform steps fitted to the root
mean square of the residual, then a scale by least squares. So one that lies far from its centroid is coded as well, for
its size, as one that is near.

A *block view* is a tuple of seven int64: address of the codes, bytes a block, addresses of addends and scales
(float32), how many vectors, their dimensions (a multiple of 16), bits of a code.
"""

import numpy as np

from vecrecall.kernels.call import call
from vecrecall.kernels.jit import inlined, inner, int64, kernel
from vecrecall.kernels.memory import (
    clip,
    floor32,
    load32,
    load64,
    load_f32,
    load_u8,
    root32,
    store32,
    store64,
    store_f32,
    store_u8,
)  # fmt: skip
from vecrecall.kernels.survivors import place_of_least
from vecrecall.kernels.tile_queries import write_tile_form
from vecrecall.kernels.tiles import FACTOR, NUMBERS, START

_ZERO, _HALF, _TWO, _TINY = np.float32(0), np.float32(0.5), np.float32(2), np.float32(1e-30)
_STEP4, _STEP8 = np.float32(0.3352), np.float32(0.0308)  # of uniform quantisers of a normal variable (Max 1960)


@inner
def _place(block_bytes, bits, slot, j):
    """(byte of dimension j of a slot, bits to shift by)."""
    lane = (slot >> 5) * block_bytes + ((slot & 31) << 2) + (j & 3)
    if bits == 8:
        return lane + ((j >> 2) << 7), int64(0)
    return lane + ((j >> 3) << 7), j & 4


@inlined
def _write_codes(view, slot, codes):
    """Put the codes of one vector (uint8, one a dimension) into its places."""
    start = view[0] + (slot >> 5) * view[1] + ((slot & 31) << 2)
    if view[6] == 8:
        for group in range(view[5] >> 2):
            store32(start + 128 * group, int64(0), load32(codes, group))
    else:
        for group in range(view[5] >> 3):
            low, high = load32(codes, 2 * group), load32(codes, 2 * group + 1)
            store32(start + 128 * group, int64(0), low | (high << 4))


@kernel
def write_blocks(view, z, first, n, lists, centroids, rests, slots, products, codes, residual, errors):
    """Code vectors first..first + n of z into their slots; squared errors of the codes in ``errors``.

    ``lists`` (int32), ``rests`` (float32: energy that z lacks), ``slots`` (int32) and ``errors`` are by vector;
    ``centroids`` is (lists, dimensions) float32. ``products``: addends are 0, for inner products. Scratch: ``codes``
    (uint8) and ``residual`` (float32), one a dimension. All but first, n, products are addresses.
    """
    width = view[5]
    top = np.float32((1 << view[6]) - 1)
    middle, step = top * _HALF, (_STEP4 if view[6] == 4 else _STEP8)
    for i in range(first, first + n):
        row, centroid = z + 4 * width * i, centroids + 4 * width * load32(lists, i)
        energy = _ZERO
        for j in range(width):
            r = load_f32(row, j) - load_f32(centroid, j)
            store_f32(residual, j, r)
            energy += r * r
        inverse = np.float32(1) / (step * root32(energy / np.float32(width)) + _TINY)
        along, size, shift = _ZERO, _TINY, _ZERO
        for j in range(width):
            r = load_f32(residual, j)
            c = floor32(clip(r * inverse + middle, _ZERO, top) + _HALF)
            store_u8(codes, j, c)
            value = np.float32(c) - middle
            along += value * r
            size += value * value
            shift += value * load_f32(centroid, j)
        scale = along / size
        slot = load32(slots, i)
        _write_codes(view, slot, codes)
        store_f32(view[3], slot, scale)
        store_f32(view[2], slot, _ZERO if products == 1 else energy + load_f32(rests, i) + _TWO * scale * shift)
        error = energy - scale * along
        store_f32(errors, i, error if error > _ZERO else _ZERO)


@kernel
def read_blocks(view, n, lists, centroids, slots, z):
    """The vectors that the codes of n slots stand for, centroids included, in z."""
    width = view[5]
    middle = np.float32((1 << view[6]) - 1) * _HALF
    mask = (1 << view[6]) - 1
    for i in range(n):
        slot, centroid = load32(slots, i), centroids + 4 * width * load32(lists, i)
        for j in range(width):
            at, shift = _place(view[1], view[6], slot, j)
            value = np.float32((load_u8(view[0], at) >> shift) & mask) - middle
            store_f32(z, i * width + j, load_f32(centroid, j) + load_f32(view[3], slot) * value)


@kernel
def nearest_of_blocks(view, listed, function, z, lo, hi, places, squares, scratch):
    """The vector of 8-bit blocks nearest to each of z[lo:hi], by estimate, and the estimate of the squared distance.

    ``listed``: 0, 1, ... as int32, one a block; ``function``: the tile of eight queries; ``places`` int32, ``squares``
    float32, by number in z. ``scratch``: addresses, as int64, of eight forms, their addresses, numbers and limits
    (infinity), eight rows of estimates (with room for 16 more), and what a tile finds.
    """
    forms, queries, numbers = load64(scratch, 0), load64(scratch, 1), load64(scratch, 2)
    limits, estimates, found, width = load64(scratch, 3), load64(scratch, 4), load64(scratch, 5), view[5]
    n_blocks = (view[4] + 31) >> 5
    out_bytes = 128 * n_blocks + 64
    for first in range(lo, hi, 8):
        n = min(hi - first, 8)
        for t in range(n):
            step, total = write_tile_form(z + 4 * width * (first + t), width, forms + width * t)
            store64(queries, t, forms + width * t)
            store_f32(numbers, NUMBERS * t + FACTOR, -_TWO * step)
            store32(numbers, NUMBERS * t + START, -((255 * total) >> 1))
        for block in range(n_blocks):
            call(function, (
                view[0], view[1], listed, block, block + 1, width >> 3, queries, numbers, limits, view[2], view[3],
                estimates + 128 * block, out_bytes, found,
            ))  # fmt: skip
        for t in range(n):
            row = z + 4 * width * (first + t)
            place = place_of_least(estimates + out_bytes * t, view[4])
            store32(places, first + t, place)
            square = load_f32(estimates + out_bytes * t, place)
            for j in range(width):
                square += load_f32(row, j) * load_f32(row, j)
            store_f32(squares, first + t, square if square > _ZERO else _ZERO)


@kernel
def sum_by_list(z, n, width, lists, sums, counts):
    """Add the rows of z to the sums of their lists (float64), and count them (int64)."""
    for i in range(n):
        number = lists[i]
        counts[number] += 1
        for j in range(width):
            sums[number, j] += z[i, j]
