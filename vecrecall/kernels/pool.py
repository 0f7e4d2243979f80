"""The candidate pool of a walk: an ascending run of int64 entries ``key << 32 | row << 1 | expanded``.

Sorting the entries sorts by distance, ties by row number. ``FRONT`` lowest values must stand in front of a run, and 8
places behind its room belong to it, where wide forms look and write eight places at a time.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels import cpu
from vecrecall.kernels.distances import MISSING
from vecrecall.kernels.jit import inner
from vecrecall.kernels.memory import I1, I8, I16, I32, I64, load32, load64, pointer, spread, store64

_STEP = 4  # blocks of eight places between two looks whether the place is found
FRONT = 8 * (_STEP + 1)  # lowest values in front of a run: a step that begins there, and the block it shifts from
_V8 = ir.VectorType(I64, 8)
_V16 = ir.VectorType(I32, 16)


def _n_set(b: Any, mask: Any) -> Any:
    return b.zext(b.ctpop(b.bitcast(mask, I8)), I64)


@intrinsic
def _insert_sorted_wide(tc: Any, base: Any, size: Any, entry: Any) -> Any:
    """AVX-512: every place v[i] becomes max(v[i-1], min(v[i], entry)), block by block from the end.

    Whole blocks at fixed places, so that a load finds what the last call stored; and no branch at each block.
    """

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        def block(number: Any) -> Any:
            return pointer(b, b.add(a[0], b.shl(number, I64(6))), _V8)

        entry = spread(b, a[2], _V8)
        shift = ir.Constant(ir.VectorType(I32, 8), list(range(7, 15)))
        number, above = cgutils.alloca_once(b, I64), cgutils.alloca_once(b, _V8)
        last = b.lshr(a[1], I64(3))
        n_used = spread(b, b.and_(a[1], I64(7)), _V8)
        used = b.icmp_signed("<", ir.Constant(_V8, list(range(8))), n_used)
        highest = ir.Constant(_V8, [2**63 - 1] * 8)
        b.store(b.select(used, b.load(block(last), typ=_V8, align=8), highest), above)
        b.store(last, number)
        loop, end = b.append_basic_block("shift"), b.append_basic_block("found")
        b.branch(loop)
        b.position_at_end(loop)
        at = b.load(number, typ=I64)
        values, not_above = b.load(above, typ=_V8), I64(0)
        for step in range(_STEP):
            following = b.sub(at, I64(step))
            before = b.load(block(b.sub(following, I64(1))), typ=_V8, align=8)
            less = b.select(b.icmp_signed("<", values, entry), values, entry)
            shifted = b.shuffle_vector(before, values, shift)
            b.store(b.select(b.icmp_signed(">", shifted, less), shifted, less), block(following), align=8)
            n_below = _n_set(b, b.icmp_signed("<=", values, entry))
            not_above, values = b.add(not_above, n_below), before
        b.store(values, above)
        at = b.sub(at, I64(_STEP))
        b.store(at, number)
        b.cbranch(b.icmp_unsigned("==", n_below, I64(0)), loop, end)
        b.position_at_end(end)
        return b.add(b.shl(b.add(at, I64(1)), I64(3)), not_above)

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic
def _unexpanded(tc: Any, place: Any) -> Any:
    """Bit j: the entry j behind an address is not expanded yet; of eight."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        marks = b.and_(b.load(pointer(b, a[0], _V8), typ=_V8, align=8), ir.Constant(_V8, [1] * 8))
        return b.zext(b.bitcast(b.icmp_unsigned("==", marks, ir.Constant(_V8, [0] * 8)), I8), I64)

    return types.int64(types.int64), generate


@inner
def _insert_sorted_portable(base, size, entry):
    j = size
    while j > 0 and load64(base, j - 1) > entry:
        store64(base, j, load64(base, j - 1))
        j -= 1
    store64(base, j, entry)
    return j


insert_sorted = _insert_sorted_wide if cpu.HAS_AVX512 else _insert_sorted_portable
"""Insert an entry in the ascending run base[0:size]; returns its place."""


@inner
def row_of(entry):
    """Row number of an entry."""
    return (entry & 0xFFFFFFFF) >> 1


@intrinsic
def _below(tc: Any, keys: Any, n: Any, limit: Any) -> Any:
    """Bit j: key j is less than the limit; of the first n, 16 at most (so many are read)."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        limits = spread(b, b.trunc(a[2], I32), _V16)
        less = b.icmp_signed("<", b.load(pointer(b, a[0], _V16), typ=_V16, align=4), limits)
        n = b.select(b.icmp_signed("<", a[1], I64(16)), a[1], I64(16))
        wanted = b.sub(b.shl(I64(1), n), I64(1))
        return b.and_(b.zext(b.bitcast(less, I16), I64), wanted)

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic
def _lowest_bit(tc: Any, bits: Any) -> Any:
    """Number of the lowest bit set; bits is not 0."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.cttz(a[0], I1(1))

    return types.int64(types.int64), generate


@inner
def _next_unexpanded_wide(pool, position, size):
    block = position & -8
    bits = _unexpanded(pool + 8 * block) & (-1 << (position & 7))
    while bits == 0 and block + 8 < size:
        block += 8
        bits = _unexpanded(pool + 8 * block)
    place = size if bits == 0 else block + _lowest_bit(bits)
    if place >= size:
        return size
    store64(pool, place, load64(pool, place) | 1)
    return place


@inner
def _next_unexpanded_portable(pool, position, size):
    while position < size:
        entry = load64(pool, position)
        if entry & 1 == 0:
            store64(pool, position, entry | 1)
            return position
        position += 1
    return size


next_unexpanded = _next_unexpanded_wide if cpu.HAS_AVX512 else _next_unexpanded_portable
"""Mark the nearest entry not expanded yet; returns its place, or ``size`` when there is none."""


@inner
def offer(pool, position, size, capacity, listed, keys, m):
    """Offer m rows to a pool of at most ``capacity``; returns (place of the next unexpanded at the earliest, size).

    Most are too far: 16 are looked at together, or each would be a branch that is guessed wrong. ``keys`` has room for
    15 more.
    """
    worst = MISSING
    if size == capacity:
        worst = load64(pool, capacity - 1) >> 32
    for block in range(0, m, 16):
        near = _below(keys + 4 * block, m - block, worst)
        while near != 0:
            j = block + _lowest_bit(near)
            near &= near - 1
            key = load32(keys, j)
            if key >= worst:
                continue
            full = size == capacity
            at = insert_sorted(pool, size - 1 if full else size, (key << 32) | (load32(listed, j) << 1))
            if not full:
                size += 1
            if size == capacity:
                worst = load64(pool, capacity - 1) >> 32
            if at < position:
                position = at
    return position, size
