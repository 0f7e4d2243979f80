"""Tiles: a few queries against blocks of 32 coded vectors, all sums in registers.

A *block* holds 32 vectors, four neighbouring dimensions of a vector in one 32-bit lane, so a lane ends as the sum of
its vector and no horizontal sum is needed (the layout of FAISS' fast scan, André et al. 2015, carried to scalar codes):

- 8 bits: ``[p / 4][32 vectors][4 dimensions]`` bytes,
- 4 bits: ``[p / 8][32 vectors][4]`` bytes; the low nibbles are the first four of eight dimensions, the high ones the
  next four.

A query is held as p int8 (p a multiple of 8), with two numbers of 32 bits: the factor that turns integer sums into what
the scale of a vector multiplies, and the integer where sums start. The estimate is

    estimate[query, vector] = addend[vector] + scale[vector] * (factor * sum)

An addend of +infinity is an empty place. The floats are multiplied and added one after the other, so estimates have the
same bits on every processor.

A tile goes through a run of blocks until it meets estimates below the limit of their query (or, for a single query,
their block). It writes where it stopped, the estimates there, and masks of those below; the caller takes them and goes
on behind. Where nothing survives, nothing is written.
"""

import functools
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels.dot import V16, V16F, dot_u8_s8
from vecrecall.kernels.memory import F32, I16, I32, I64, ask_for, pointer, spread

BLOCK = 32  # vectors of a block
TILES = {8: 1, 4: 1, 1: 4}  # queries of a tile -> blocks that it takes at once
READ_BEHIND = 2 * max(TILES.values()) - 1  # block numbers that a tile may read behind the end of its run
FACTOR, START, NUMBERS = 0, 1, 2  # of a query
FOUND = 16  # bytes of what a tile writes before the masks (int32, one a query and block): the place where it stopped
_GROUP = 8  # dimensions a step


def _at(b: Any, base: Any, offset: Any, kind: Any, align: int = 4) -> Any:
    return b.load(pointer(b, b.add(base, offset), kind), typ=kind, align=align)


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


def _sums(
    b: Any, first: list[Any], coming: list[Any], queries: list[Any], starts: list[Any], n_groups: Any, bits: int
) -> list[list[Any]]:
    """The integer sums of each query (in a list by block and half of a block); blocks to come are asked for."""
    cells = []
    for start in starts:
        own = [cgutils.alloca_once(b, V16) for _ in range(2 * len(first))]
        for cell in own:
            b.store(start, cell)
        cells.append(own)
    with cgutils.for_range(b, n_groups) as loop:
        at_query, at_code = b.shl(loop.index, I64(3)), b.mul(loop.index, I64(32 * bits))
        for j, start_of_block in enumerate(first):
            for line in range(bits // 2 if coming else 0):
                ask_for(b, b.add(coming[j], b.add(at_code, I64(64 * line))))
            for four, half, part in _bytes_of_group(b, b.add(start_of_block, at_code), bits):
                for query, own in zip(queries, cells):
                    asked = spread(b, _at(b, b.add(query, at_query), I64(4 * four), I32), V16)
                    cell = own[2 * j + half]
                    b.store(dot_u8_s8(b, b.load(cell, typ=V16), part, asked), cell)
    return [[b.load(cell, typ=V16) for cell in own] for own in cells]


def _listed_blocks(b: Any, listed: Any, place: Any, n: int) -> list[Any]:
    """Numbers of n blocks from a place of the list on."""
    at = b.add(listed, b.shl(place, I64(2)))
    return [b.sext(_at(b, at, I64(4 * j), I32), I64) for j in range(n)]


def _compared(
    b: Any, sums: list[list[Any]], blocks: list[Any], place: Any, numbers: Any, limits: Any, addends: Any, scales: Any
) -> tuple[list[tuple[int, int, Any]], list[Any]]:
    """(estimates with their query and their offset in its row of output, masks of those below by query and block)."""
    estimates, below = [], []
    for q, own in enumerate(sums):
        factor = spread(b, _at(b, numbers, I64(4 * (NUMBERS * q + FACTOR)), F32), V16F)
        for j, block in enumerate(blocks):
            at_limit = I64(4 * q) if len(blocks) == 1 else b.add(b.shl(place, I64(2)), I64(4 * j))
            limit = spread(b, _at(b, limits, at_limit, F32), V16F)
            mask = ir.Constant(I32, 0)
            for half in (0, 1):
                of_half = b.add(b.shl(block, I64(7)), I64(64 * half))
                scale, addend = _at(b, scales, of_half, V16F), _at(b, addends, of_half, V16F)
                estimate = _estimates(b, own[2 * j + half], factor, scale, addend)
                bit = b.zext(b.bitcast(b.fcmp_ordered("<", estimate, limit), I16), I32)
                mask = b.or_(mask, b.shl(bit, I32(16 * half)))
                estimates.append((q, 128 * j + 64 * half, estimate))
            below.append(mask)
    return estimates, below


def _tile(n_queries: int, bits: int) -> Any:
    """An intrinsic for one size of tile and one width of codes, as a function of fourteen int64.

    codes, block_bytes: of the blocks; listed, place, end: block numbers (int32) and the run of them to go through;
    n_groups: p / 8; queries: addresses of the queries; numbers, limits: by query (limits of a single query: by place);
    addends, scales: of the vectors; out, out_bytes: where estimates go and bytes from one query to the next; found.
    """
    n_blocks = TILES[n_queries]

    def tile(
        tc, codes, block_bytes, listed, place, end, groups, queries, numbers, limits, addends, scales, out, out_bytes,
        found,
    ):  # fmt: skip
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            codes, block_bytes, listed, place, end, groups, queries, *rest, out, out_bytes, found = a
            asked = [_at(b, queries, I64(8 * q), I64, 8) for q in range(n_queries)]
            at = cgutils.alloca_once(b, I64)
            b.store(place, at)
            look, work, write, done = (b.append_basic_block(name) for name in ("look", "work", "write", "done"))
            b.branch(look)
            b.position_at_end(look)
            here = b.load(at, typ=I64)
            b.store(here, pointer(b, found, I64), align=8)
            b.cbranch(b.icmp_signed("<", here, end), work, done)

            b.position_at_end(work)
            blocks = _listed_blocks(b, listed, here, n_blocks)
            first = [b.add(codes, b.mul(block, block_bytes)) for block in blocks]
            coming = []
            if n_queries == 1:  # alone, a query waits for memory
                following = _listed_blocks(b, listed, b.add(here, I64(n_blocks)), n_blocks)
                coming = [b.add(codes, b.mul(block, block_bytes)) for block in following]
            starts = [spread(b, _at(b, rest[0], I64(4 * (NUMBERS * q + START)), I32), V16) for q in range(n_queries)]
            sums = _sums(b, first, coming, asked, starts, groups, bits)
            estimates, below = _compared(b, sums, blocks, here, *rest)
            some = functools.reduce(b.or_, below)
            b.store(b.add(here, I64(n_blocks)), at)
            b.cbranch(b.icmp_unsigned("==", some, I32(0)), look, write)

            b.position_at_end(write)
            for i, mask in enumerate(below):
                b.store(mask, pointer(b, b.add(found, I64(FOUND + 4 * i)), I32), align=4)
            for q, offset, estimate in estimates:
                to = b.add(b.add(out, b.mul(out_bytes, I64(q))), I64(offset))
                b.store(estimate, pointer(b, to, V16F), align=4)
            b.branch(done)
            b.position_at_end(done)
            return cx.get_dummy_value()

        return types.void(*[types.int64] * 14), generate

    return intrinsic(tile)


TILE_OF = {(n_queries, bits): _tile(n_queries, bits) for n_queries in TILES for bits in (4, 8)}
