"""The compiled tiles, one a size and width of codes: compiled when an index first needs it, called by address."""

from functools import cache
from typing import Any

from numba import cfunc, types

from vecrecall.kernels.call import native_address
from vecrecall.kernels.tiles import TILE_OF

_SIGNATURE = types.void(*[types.int64] * 14)
_tile_8_4 = TILE_OF[8, 4]
_tile_4_4 = TILE_OF[4, 4]
_tile_1_4 = TILE_OF[1, 4]
_tile_8_8 = TILE_OF[8, 8]
_tile_4_8 = TILE_OF[4, 8]
_tile_1_8 = TILE_OF[1, 8]


def _sq4_8(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found):
    _tile_8_4(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found)


def _sq4_4(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found):
    _tile_4_4(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found)


def _sq4_1(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found):
    _tile_1_4(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found)


def _sq8_8(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found):
    _tile_8_8(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found)


def _sq8_4(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found):
    _tile_4_8(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found)


def _sq8_1(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found):
    _tile_1_8(codes, size, listed, place, end, groups, queries, numbers, limits, addends, scales, out, step, found)


_FUNCTIONS = {
    (8, 4): _sq4_8,
    (4, 4): _sq4_4,
    (1, 4): _sq4_1,
    (8, 8): _sq8_8,
    (4, 8): _sq8_4,
    (1, 8): _sq8_1,
}


@cache
def _compiled(n_queries: int, bits: int) -> Any:
    function = _FUNCTIONS[n_queries, bits]
    try:
        return cfunc(_SIGNATURE, cache=True)(function)
    except RuntimeError:  # no cache folder can be written
        return cfunc(_SIGNATURE)(function)


def tile_function(n_queries: int, bits: int) -> int:
    """Address of the compiled tile for a number of queries (a key of ``TILES``) and of bits (4 or 8)."""
    return native_address(_compiled(n_queries, bits))
