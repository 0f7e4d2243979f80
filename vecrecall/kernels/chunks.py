"""Chunks of 64 accumulators, 8 or 16 bits each: their greatest, those that reach a limit, and filling.

Plain vector IR, which LLVM lowers for any processor, so there is no portable twin. Addresses need no alignment.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels.memory import I1, I64, pointer, spread

CHUNK = 64
GROUP = 4  # chunks that are looked through at once


def _greatest_of(bits: int) -> Any:
    """An intrinsic for the greatest of 64 accumulators."""

    def greatest(tc, chunk):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            kind = ir.VectorType(ir.IntType(bits), CHUNK)
            name = f"llvm.vector.reduce.umax.v{CHUNK}i{bits}"
            reduce = cgutils.get_or_insert_function(b.module, ir.FunctionType(kind.element, [kind]), name)
            return b.zext(b.call(reduce, [b.load(pointer(b, a[0], kind), typ=kind, align=1)]), I64)

        return types.int64(types.int64), generate

    return intrinsic(greatest)


def _reaching(bits: int) -> Any:
    """An intrinsic for a mask of 64 bits: which accumulators are at least a limit."""

    def reaching(tc, chunk, limit):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            kind = ir.VectorType(ir.IntType(bits), CHUNK)
            values = b.load(pointer(b, a[0], kind), typ=kind, align=1)
            return b.bitcast(b.icmp_unsigned(">=", values, spread(b, b.trunc(a[1], kind.element), kind)), I64)

        return types.int64(types.int64, types.int64), generate

    return intrinsic(reaching)


greatest8, greatest16 = _greatest_of(8), _greatest_of(16)
reaching8, reaching16 = _reaching(8), _reaching(16)


@intrinsic
def first_set(tc: Any, mask: Any) -> Any:
    """Place of the lowest bit that is set in a mask that is not zero."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        count = cgutils.get_or_insert_function(b.module, ir.FunctionType(I64, [I64, I1]), "llvm.cttz.i64")
        return b.call(count, [a[0], I1(1)])

    return types.int64(types.int64), generate


def _filling(bits: int) -> Any:
    """An intrinsic that gives n accumulators, a multiple of 64, one value."""

    def filling(tc, accumulators, n, value):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            kind = ir.VectorType(ir.IntType(bits), CHUNK)
            values = spread(b, b.trunc(a[2], kind.element), kind)
            end, step = b.mul(a[1], I64(bits // 8)), I64(CHUNK * bits // 8)
            with cgutils.for_range_slice(b, I64(0), end, step, intp=I64, inc=True) as (at, _):
                b.store(values, pointer(b, b.add(a[0], at), kind), align=1)
            return cx.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), generate

    return intrinsic(filling)


fill8, fill16 = _filling(8), _filling(16)


def _clearing(bits: int) -> Any:
    """An intrinsic that sets four chunks to zero."""

    def clearing(tc, group):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            kind = ir.VectorType(ir.IntType(bits), CHUNK)
            for i in range(GROUP):
                at = b.add(a[0], I64(CHUNK * bits // 8 * i))
                b.store(ir.Constant(kind, [0] * CHUNK), pointer(b, at, kind), align=1)
            return cx.get_dummy_value()

        return types.void(types.int64), generate

    return intrinsic(clearing)


clear8, clear16 = _clearing(8), _clearing(16)


def _any_reaching(bits: int) -> Any:
    """An intrinsic that tells whether any of four chunks has an accumulator of at least a limit."""

    def any_reaching(tc, group, limit):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            kind = ir.VectorType(ir.IntType(bits), CHUNK)
            size = CHUNK * bits // 8
            chunks = [b.load(pointer(b, b.add(a[0], I64(size * i)), kind), typ=kind, align=1) for i in range(GROUP)]
            name = f"llvm.umax.v{CHUNK}i{bits}"
            greater = cgutils.get_or_insert_function(b.module, ir.FunctionType(kind, [kind, kind]), name)
            top = b.call(greater, [b.call(greater, chunks[:2]), b.call(greater, chunks[2:])])
            mask = b.icmp_unsigned(">=", top, spread(b, b.trunc(a[1], kind.element), kind))
            return b.icmp_unsigned("!=", b.bitcast(mask, I64), I64(0))

        return types.boolean(types.int64, types.int64), generate

    return intrinsic(any_reaching)


any_reaching8, any_reaching16 = _any_reaching(8), _any_reaching(16)
