"""Survivors of a scan: the estimates below a threshold, gathered in a buffer that is cut to the least of them.

A buffer is a run of float32 estimates beside a run of int32 slots. It needs room for ``ROOM`` more entries than it
holds, where wide forms write and read whole lines. Its order is that of arrival.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels import cpu
from vecrecall.kernels.dot import V16, V16F
from vecrecall.kernels.jit import inlined, inner, int64
from vecrecall.kernels.memory import (
    I1,
    I16,
    I32,
    I64,
    bits_of_float,
    clip,
    float_of_bits,
    load32,
    load_f32,
    pointer,
    spread,
    store32,
    store_f32,
)  # fmt: skip

ROOM = 32  # entries behind a buffer
_M16 = ir.VectorType(I1, 16)
_LANES = ir.Constant(V16, list(range(16)))
_TENTH, _NINE_TENTHS = np.float32(0.1), np.float32(0.9)


def _at(b: Any, base: Any, kind: Any) -> Any:
    return b.load(pointer(b, base, kind), typ=kind, align=4)


def _put(b: Any, value: Any, base: Any) -> None:
    b.store(value, pointer(b, base, value.type), align=4)


def _compress(b: Any, values: Any, mask: Any) -> Any:
    name = f"llvm.x86.avx512.mask.compress.v16{'f32' if values.type == V16F else 'i32'}"
    kind = ir.FunctionType(values.type, [values.type, values.type, _M16])
    return b.call(cgutils.get_or_insert_function(b.module, kind, name), [values, values, mask])


def _n_set(b: Any, mask: Any) -> Any:
    return b.zext(b.ctpop(b.bitcast(mask, I16)), I64)


@intrinsic
def _append16_wide(tc: Any, estimates: Any, add: Any, slot: Any, mask: Any, to: Any, to_slots: Any) -> Any:
    """AVX-512: of 16 estimates those in the low bits of a mask, plus ``add``, and slots from ``slot`` on; how many."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        mask = b.bitcast(b.trunc(a[3], I16), _M16)
        values = b.fadd(_at(b, a[0], V16F), spread(b, a[1], V16F))
        slots = b.add(spread(b, b.trunc(a[2], I32), V16), _LANES)
        _put(b, _compress(b, values, mask), a[4])
        _put(b, _compress(b, slots, mask), a[5])
        return _n_set(b, mask)

    return types.int64(*[types.int64], types.float32, *[types.int64] * 4), generate


@inner
def _append_wide(estimates, add, slot, mask, buffer, slots, n):
    n += _append16_wide(estimates, add, slot, mask, buffer + 4 * n, slots + 4 * n)
    n += _append16_wide(estimates + 64, add, slot + 16, mask >> 16, buffer + 4 * n, slots + 4 * n)
    return n


@inner
def _append_portable(estimates, add, slot, mask, buffer, slots, n):
    for j in range(32):
        store_f32(buffer, n, load_f32(estimates, j) + add)
        store32(slots, n, slot + j)
        n += (mask >> j) & 1
    return n


append_survivors = _append_wide if cpu.HAS_AVX512 else _append_portable
"""Append those of 32 estimates that a mask names, each plus ``add``, and their slots; returns the new size."""


@intrinsic
def _count_at_most(tc: Any, buffer: Any, n: Any, limit: Any) -> Any:
    """How many of n estimates (filled up with +infinity to whole lines) are at most a limit below infinity."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        limits, total = spread(b, a[2], V16F), cgutils.alloca_once(b, I64)
        b.store(I64(0), total)
        with cgutils.for_range_slice(b, I64(0), a[1], I64(16), intp=I64, inc=True) as (j, _):
            values = _at(b, b.add(a[0], b.shl(j, I64(2))), V16F)
            b.store(b.add(b.load(total), _n_set(b, b.fcmp_ordered("<=", values, limits))), total)
        return b.load(total)

    return types.int64(types.int64, types.int64, types.float32), generate


def _extreme(less: bool) -> Any:
    """An intrinsic for the least or the greatest of n estimates."""

    def extreme(tc, buffer, n):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            side, worst = ("<", np.inf) if less else (">", -np.inf)
            cell = cgutils.alloca_once(b, V16F)
            b.store(ir.Constant(V16F, [worst] * 16), cell)
            with cgutils.for_range_slice(b, I64(0), a[1], I64(16), intp=I64, inc=True) as (j, _):
                values, held = _at(b, b.add(a[0], b.shl(j, I64(2))), V16F), b.load(cell, typ=V16F)
                wanted = b.fcmp_ordered(side, values, held)
                if not less:  # what fills the line up is not meant
                    left = spread(b, b.trunc(b.sub(a[1], j), I32), V16)
                    wanted = b.and_(wanted, b.icmp_signed("<", _LANES, left))
                b.store(b.select(wanted, values, held), cell)
            lanes = b.load(cell, typ=V16F)
            for width in (8, 4, 2, 1):
                other = b.shuffle_vector(lanes, lanes, ir.Constant(V16, [i ^ width for i in range(16)]))
                lanes = b.select(b.fcmp_ordered(side, other, lanes), other, lanes)
            return b.extract_element(lanes, I32(0))

        return types.float32(types.int64, types.int64), generate

    return intrinsic(extreme)


_least, greatest = _extreme(less=True), _extreme(less=False)


@intrinsic
def _keep16_wide(tc: Any, buffer: Any, slots: Any, limit: Any, to: Any, to_slots: Any) -> Any:
    """AVX-512: of 16 entries those at most a limit, moved to another place in front of them; how many."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        values, slots = _at(b, a[0], V16F), _at(b, a[1], V16)
        mask = b.fcmp_ordered("<=", values, spread(b, a[2], V16F))
        _put(b, _compress(b, values, mask), a[3])
        _put(b, _compress(b, slots, mask), a[4])
        return _n_set(b, mask)

    return types.int64(types.int64, types.int64, types.float32, types.int64, types.int64), generate


@inlined
def _keep_at_most_wide(buffer, slots, n, limit):
    m = int64(0)
    for j in range(0, n, 16):
        m += _keep16_wide(buffer + 4 * j, slots + 4 * j, limit, buffer + 4 * m, slots + 4 * m)
    return m


@inlined
def _keep_at_most_portable(buffer, slots, n, limit):
    m = int64(0)
    for j in range(n):
        value = load_f32(buffer, j)
        store_f32(buffer, m, value)
        store32(slots, m, load32(slots, j))
        m += int64(value <= limit)
    return m


_keep_at_most = _keep_at_most_wide if cpu.HAS_AVX512 else _keep_at_most_portable


@inlined
def _drop_ties(buffer, slots, n, limit, want):
    """Of n entries, all at most ``limit``, keep the lesser ones and the first of those at it, ``want`` in all."""
    spare = want
    for j in range(n):
        spare -= int64(load_f32(buffer, j) < limit)
    m = int64(0)
    for j in range(n):
        value = load_f32(buffer, j)
        if value < limit or spare > 0:
            spare -= int64(value >= limit)
            store_f32(buffer, m, value)
            store32(slots, m, load32(slots, j))
            m += 1
    return m


@inner
def ordinal(x):
    """A float32 as an integer that orders alike."""
    bits = bits_of_float(x)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@inner
def of_ordinal(i):
    """The float32 of an ordinal."""
    return float_of_bits(i ^ ((i >> 31) & 0x7FFFFFFF))


@inner
def cut(buffer, slots, n, want, more):
    """Keep the ``want`` least of n estimates, and up to ``more`` others; returns how many, in the order of arrival.

    The limit is found by counting, which is done 16 at a time: by interpolation a few times, then by halving, on the
    order of float32, so that it ends. Of equal estimates the first to arrive are kept.
    """
    if n <= want:
        return n
    for j in range(16):
        store_f32(buffer, n + j, np.float32(np.inf))
    low, high = _least(buffer, n), greatest(buffer, n)
    n_low, n_high = int64(0), n  # n_low are below low's place, n_high at most high
    at_low, at_high = ordinal(low) - 1, ordinal(high)
    for step in range(64):
        if at_high - at_low <= 1 or n_high <= want + more:
            break
        if step < 6:
            share = (np.float32(want - n_low) + np.float32(1)) / np.float32(n_high - n_low)
            share = clip(share, _TENTH, _NINE_TENTHS)
            low, high = of_ordinal(at_low), of_ordinal(at_high)
            middle = ordinal(low + (high - low) * share)
        else:
            middle = (at_low + at_high) >> 1
        if middle <= at_low or middle >= at_high:
            middle = (at_low + at_high) >> 1
        m = _count_at_most(buffer, n, of_ordinal(middle))
        if m >= want:
            at_high, n_high = middle, m
        else:
            at_low, n_low = middle, m
    n = _keep_at_most(buffer, slots, n, of_ordinal(at_high))
    if n > want + more:  # equal estimates at the limit
        n = _drop_ties(buffer, slots, n, of_ordinal(at_high), want)
    return n


@inner
def place_of_least(buffer, n):
    """Place of the first of the least of n estimates."""
    for j in range(16):
        store_f32(buffer, n + j, np.float32(np.inf))
    least, place = _least(buffer, n), int64(0)
    while _count_at_most(buffer + 4 * place, int64(16), least) == 0:
        place += 16
    while load_f32(buffer, place) > least:
        place += 1
    return place
