"""Tiles: a few queries against blocks of 32 coded vectors, all sums in registers.

A *block* holds 32 vectors, four neighbouring dimensions of a vector in one 32-bit lane, so a lane ends as the sum of
its vector and no horizontal sum is needed (the layout of FAISS' fast scan, André et al. 2015, carried to scalar codes):

- 8 bits: ``[p / 4][32 vectors][4 dimensions]`` bytes,
- 4 bits: ``[p / 8][32 vectors][4]`` bytes; the low nibbles are the first four of eight dimensions, the high ones the
  next four.

Queries stand side by side: ``[p / 4][queries][4]`` int8; p is a multiple of 8. For each query there are four numbers of
32 bits (:data:`NUMBERS`): the factor that turns integer sums into what the scale of a vector multiplies, the integer
where sums start, the threshold, and one unused. A tile writes the estimates

    estimate[query, vector] = addend[vector] + scale[vector] * (factor * sum)

and one mask a block and query: the vectors whose estimate is below the threshold. An addend of +infinity is an empty
place. The floats are multiplied and added one after the other, so estimates have the same bits on every processor.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels.dot import V16, V16F, dot_u8_s8
from vecrecall.kernels.memory import F32, I16, I32, I64, pointer

BLOCK = 32  # vectors of a block
TILES = {8: 1, 4: 1, 1: 4}  # queries of a tile -> blocks that it takes at once
FACTOR, START, THRESHOLD, NUMBERS = 0, 1, 2, 4  # of a query
_GROUP = 8  # dimensions a step


def _at(b: Any, base: Any, offset: Any, kind: Any, align: int = 4) -> Any:
    return b.load(pointer(b, b.add(base, offset), kind), typ=kind, align=align)


def _spread(b: Any, x: Any, kind: Any) -> Any:
    lane = b.insert_element(ir.Constant(kind, ir.Undefined), x, I32(0))
    return b.shuffle_vector(lane, lane, ir.Constant(V16, [0] * 16))


def _bytes_of_group(b: Any, codes: Any, bits: int) -> list[tuple[int, int, Any]]:
    """The codes of eight dimensions of a block as (which four dimensions, which 16 vectors, bytes)."""
    if bits == 8:
        return [(four, half, _at(b, codes, I64(128 * four + 64 * half), V16)) for four in (0, 1) for half in (0, 1)]
    mask, shift = ir.Constant(V16, [0x0F0F0F0F] * 16), ir.Constant(V16, [4] * 16)
    out = []
    for half in (0, 1):
        both = _at(b, codes, I64(64 * half), V16)
        out += [(0, half, b.and_(both, mask)), (1, half, b.and_(b.lshr(both, shift), mask))]
    return out


def _estimates(b: Any, total: Any, factor: Any, scales: Any, addends: Any) -> Any:
    return b.fadd(b.fmul(b.fmul(b.sitofp(total, V16F), factor), scales), addends)


def _tile(n_queries: int, bits: int) -> Any:
    """An intrinsic for one size of tile and one width of codes, as a function of eleven int64."""
    n_blocks, group_bytes = TILES[n_queries], 16 * bits * 2

    def tile(tc, codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            codes, block_bytes, listed, n_groups, queries, numbers, addends, scales, out, out_bytes, masks = a
            blocks = [b.sext(_at(b, listed, I64(4 * j), I32), I64) for j in range(n_blocks)]
            first = [b.add(codes, b.mul(block, block_bytes)) for block in blocks]
            cells: dict[tuple[int, int, int], Any] = {}
            for q in range(n_queries):
                start = _spread(b, _at(b, numbers, I64(4 * (NUMBERS * q + START)), I32), V16)
                for j in range(n_blocks):
                    for half in (0, 1):
                        cells[q, j, half] = cgutils.alloca_once(b, V16)
                        b.store(start, cells[q, j, half])
            with cgutils.for_range(b, n_groups) as loop:
                query = b.add(queries, b.mul(loop.index, I64(_GROUP * n_queries)))
                offset = b.mul(loop.index, I64(group_bytes))
                for j in range(n_blocks):
                    for four, half, part in _bytes_of_group(b, b.add(first[j], offset), bits):
                        for q in range(n_queries):
                            asked = _spread(b, _at(b, query, I64(4 * (n_queries * four + q)), I32), V16)
                            cell = cells[q, j, half]
                            b.store(dot_u8_s8(b, b.load(cell, typ=V16), part, asked), cell)
            for q in range(n_queries):
                factor, threshold = (
                    _spread(b, _at(b, numbers, I64(4 * (NUMBERS * q + which)), F32), V16F)
                    for which in (FACTOR, THRESHOLD)
                )
                to = b.add(out, b.mul(out_bytes, I64(q)))
                for j in range(n_blocks):
                    below = ir.Constant(I32, 0)
                    of_block = b.shl(blocks[j], I64(7))
                    for half in (0, 1):
                        of_half = b.add(of_block, I64(64 * half))
                        estimate = _estimates(
                            b, b.load(cells[q, j, half], typ=V16), factor, _at(b, scales, of_half, V16F),
                            _at(b, addends, of_half, V16F),
                        )  # fmt: skip
                        b.store(estimate, pointer(b, b.add(to, I64(128 * j + 64 * half)), V16F), align=4)
                        bit = b.zext(b.bitcast(b.fcmp_ordered("<", estimate, threshold), I16), I32)
                        below = b.or_(below, b.shl(bit, I32(16 * half)))
                    b.store(below, pointer(b, b.add(masks, I64(4 * (n_blocks * q + j))), I32), align=4)
            return cx.get_dummy_value()

        return types.void(*[types.int64] * 11), generate

    return intrinsic(tile)


TILE_OF = {(n_queries, bits): _tile(n_queries, bits) for n_queries in TILES for bits in (4, 8)}
