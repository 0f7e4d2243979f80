"""Chunks of 64 accumulators, 8 or 16 bits each: those that reach a limit, how many do, maxima, and filling.

Plain vector IR, which LLVM lowers for any processor, so there is no portable twin. Addresses need no alignment.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels.memory import I1, I64, pointer, spread

CHUNK = 64
FOLD = 8  # chunks of maxima that all chunks are folded into


def _reaching(bits: int) -> Any:
    """An intrinsic for a mask of 64 bits: which accumulators are at least a limit."""

    def reaching(tc, chunk, limit):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            kind = ir.VectorType(ir.IntType(bits), CHUNK)
            values = b.load(pointer(b, a[0], kind), typ=kind, align=1)
            return b.bitcast(b.icmp_unsigned(">=", values, spread(b, b.trunc(a[1], kind.element), kind)), I64)

        return types.int64(types.int64, types.int64), generate

    return intrinsic(reaching)


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


def _folding(bits: int) -> Any:
    """An intrinsic that writes, of n chunks, the greatest of every FOLD-th one by place: FOLD chunks of maxima.

    n_chunks : a multiple of FOLD.
    """

    def folding(tc, accumulators, n_chunks, out):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            accumulators, n_chunks, out = a
            kind, size = ir.VectorType(ir.IntType(bits), CHUNK), CHUNK * bits // 8
            name = f"llvm.umax.v{CHUNK}i{bits}"
            greater = cgutils.get_or_insert_function(b.module, ir.FunctionType(kind, [kind, kind]), name)
            cells = [cgutils.alloca_once_value(b, ir.Constant(kind, [0] * CHUNK)) for _ in range(FOLD)]
            with cgutils.for_range_slice(b, I64(0), n_chunks, I64(FOLD), intp=I64, inc=True) as (c, _):
                for i, cell in enumerate(cells):
                    at = b.add(accumulators, b.mul(b.add(c, I64(i)), I64(size)))
                    values = b.load(pointer(b, at, kind), typ=kind, align=1)
                    b.store(b.call(greater, [values, b.load(cell, typ=kind)]), cell)
            for i, cell in enumerate(cells):
                b.store(b.load(cell, typ=kind), pointer(b, b.add(out, I64(size * i)), kind), align=1)
            return cx.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), generate

    return intrinsic(folding)


fold8, fold16 = _folding(8), _folding(16)


def _counting(bits: int) -> Any:
    """An intrinsic that counts, of FOLD chunks, the accumulators that reach a limit."""

    def counting(tc, chunks, limit):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            kind, size = ir.VectorType(ir.IntType(bits), CHUNK), CHUNK * bits // 8
            ones = cgutils.get_or_insert_function(b.module, ir.FunctionType(I64, [I64]), "llvm.ctpop.i64")
            least, total = spread(b, b.trunc(a[1], kind.element), kind), I64(0)
            for i in range(FOLD):
                values = b.load(pointer(b, b.add(a[0], I64(size * i)), kind), typ=kind, align=1)
                total = b.add(total, b.call(ones, [b.bitcast(b.icmp_unsigned(">=", values, least), I64)]))
            return total

        return types.int64(types.int64, types.int64), generate

    return intrinsic(counting)


count8, count16 = _counting(8), _counting(16)
