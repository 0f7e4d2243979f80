"""The candidate pool of a walk: an ascending run of int64 entries ``key << 32 | row << 1 | expanded``.

Sorting the entries sorts by distance, ties by row number. Eight lowest values must stand in front of a run, where
:func:`insert_sorted` looks eight places at a time.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels import cpu
from vecrecall.kernels.distances import MISSING
from vecrecall.kernels.jit import inner
from vecrecall.kernels.memory import I1, I8, I16, I32, I64, load32, load64, pointer, store64

FRONT = 8  # lowest values in front of a run


@intrinsic
def _insert_sorted_wide(tc: Any, base: Any, size: Any, entry: Any) -> Any:
    """AVX-512: compare eight places at a step, shift them by one masked store."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        v8, mask8 = ir.VectorType(I64, 8), ir.VectorType(I1, 8)
        store_kind = ir.FunctionType(ir.VoidType(), [v8, v8.as_pointer(), I32, mask8])
        store = cgutils.get_or_insert_function(b.module, store_kind, "llvm.masked.store.v8i64.p0")
        spread = b.insert_element(ir.Constant(v8, ir.Undefined), a[2], I32(0))
        spread = b.shuffle_vector(spread, spread, ir.Constant(ir.VectorType(I32, 8), [0] * 8))
        place = cgutils.alloca_once_value(b, a[1])
        b.store(a[1], place)
        loop, end = b.append_basic_block("shift"), b.append_basic_block("found")
        b.branch(loop)
        b.position_at_end(loop)
        p = b.sub(b.load(place, typ=I64), I64(8))
        b.store(p, place)
        at = b.add(a[0], b.shl(p, I64(3)))
        values = b.load(pointer(b, at, v8), typ=v8, align=8)
        greater = b.icmp_signed(">", values, spread)
        b.call(store, [values, pointer(b, b.add(at, I64(8)), v8), I32(8), greater])
        bits = b.bitcast(greater, I8)
        b.cbranch(b.icmp_unsigned("==", bits, I8(255)), loop, end)
        b.position_at_end(end)
        where = b.sub(b.add(p, I64(8)), b.zext(b.ctpop(bits), I64))
        b.store(a[2], pointer(b, b.add(a[0], b.shl(where, I64(3))), I64), align=8)
        return where

    return types.int64(types.int64, types.int64, types.int64), generate


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


@inner
def next_unexpanded(pool, position, size):
    """Mark the nearest entry not expanded yet; returns its place, or ``size`` when there is none."""
    while position < size:
        entry = load64(pool, position)
        if entry & 1 == 0:
            store64(pool, position, entry | 1)
            return position
        position += 1
    return size


@intrinsic
def _below(tc: Any, keys: Any, n: Any, limit: Any) -> Any:
    """Bit j: key j is less than the limit; of the first n, 16 at most (so many are read)."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        v16 = ir.VectorType(I32, 16)
        lane = b.insert_element(ir.Constant(v16, ir.Undefined), b.trunc(a[2], I32), I32(0))
        limits = b.shuffle_vector(lane, lane, ir.Constant(v16, [0] * 16))
        less = b.icmp_signed("<", b.load(pointer(b, a[0], v16), typ=v16, align=4), limits)
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
