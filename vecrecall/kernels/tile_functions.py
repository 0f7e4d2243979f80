"""The compiled tiles, one a size and width of codes: compiled when an index first needs it, called by address."""

from functools import cache
from typing import Any

from numba import cfunc, types

from vecrecall.kernels.call import native_address
from vecrecall.kernels.tiles import TILE_OF

_SIGNATURE = types.void(*[types.int64] * 11)
_tile_8_4 = TILE_OF[8, 4]
_tile_4_4 = TILE_OF[4, 4]
_tile_1_4 = TILE_OF[1, 4]
_tile_8_8 = TILE_OF[8, 8]
_tile_4_8 = TILE_OF[4, 8]
_tile_1_8 = TILE_OF[1, 8]


def _eight_of_4_bits(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks):
    _tile_8_4(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks)


def _four_of_4_bits(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks):
    _tile_4_4(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks)


def _one_of_4_bits(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks):
    _tile_1_4(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks)


def _eight_of_8_bits(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks):
    _tile_8_8(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks)


def _four_of_8_bits(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks):
    _tile_4_8(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks)


def _one_of_8_bits(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks):
    _tile_1_8(codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks)


_FUNCTIONS = {
    (8, 4): _eight_of_4_bits,
    (4, 4): _four_of_4_bits,
    (1, 4): _one_of_4_bits,
    (8, 8): _eight_of_8_bits,
    (4, 8): _four_of_8_bits,
    (1, 8): _one_of_8_bits,
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
