"""A posting list added to accumulators of 8 or 16 bits, or taken off.

A posting is the place of a unit (uint16) and its impact (uint8, descending within a list); it adds
``(impact * factor + rounding) >> 8``. The sum wraps around: whoever chooses the factors sees to it that it cannot.
Amounts of 64 postings are made at once, so impacts need 64 bytes to be read behind their end.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels.jit import inner, int64
from vecrecall.kernels.memory import I1, I8, I16, I64, pointer, prefetch, spread

LOOK = 64  # postings between two looks at the impacts
_UNROLLED = 8


def _adding(bits: int) -> Any:
    """An intrinsic for up to 64 postings, whose amounts are made in numbers of twice the bits and kept on the stack."""
    kind, wide = ir.IntType(bits), ir.VectorType(ir.IntType(2 * bits), LOOK)
    amounts = ir.VectorType(kind, LOOK)

    def adding(tc, accumulators, units, impacts, n, factor, rounding, floor, less):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            accumulators, units, impacts, n, factor, rounding, floor, less = a
            read = ir.VectorType(I8, LOOK)
            values = b.load(pointer(b, impacts, read), typ=read, align=1)
            below = b.bitcast(b.icmp_unsigned("<", values, spread(b, b.trunc(floor, I8), read)), I64)
            count = cgutils.get_or_insert_function(b.module, ir.FunctionType(I64, [I64, I1]), "llvm.cttz.i64")
            reaching = b.call(count, [below, I1(0)])  # impacts descend
            n = b.select(b.icmp_signed("<", reaching, n), reaching, n)
            values = b.zext(values, wide)
            values = b.mul(values, spread(b, b.trunc(factor, wide.element), wide))
            values = b.add(values, spread(b, b.trunc(rounding, wide.element), wide))
            values = b.lshr(values, ir.Constant(wide, [8] * LOOK))
            sign = b.trunc(b.sub(I64(0), b.zext(less, I64)), kind)  # all ones: the amounts are negated
            values = b.xor(b.trunc(values, amounts), spread(b, sign, amounts))
            values = b.sub(values, spread(b, sign, amounts))
            cell = cgutils.alloca_once(b, amounts)
            b.store(values, cell)
            first = b.bitcast(cell, kind.as_pointer())
            places, sums = pointer(b, units, I16), pointer(b, accumulators, kind)

            def add(j: Any) -> None:
                place = b.zext(b.load(b.gep(places, [j], source_etype=I16), typ=I16, align=2), I64)
                at = b.gep(sums, [place], source_etype=kind)
                amount = b.load(b.gep(first, [j], source_etype=kind), typ=kind)
                b.store(b.add(b.load(at, typ=kind, align=bits // 8), amount), at, align=bits // 8)

            whole = b.and_(n, I64(-_UNROLLED))
            with cgutils.for_range_slice(b, I64(0), whole, I64(_UNROLLED), intp=I64, inc=True) as (j, _):
                for i in range(_UNROLLED):
                    add(b.add(j, I64(i)))
            with cgutils.for_range_slice(b, whole, n, I64(1), intp=I64, inc=True) as (j, _):
                add(j)
            return n

        i = types.int64
        return i(i, i, i, i, i, i, i, types.boolean), generate

    return intrinsic(adding)


_add8, _add16 = _adding(8), _adding(16)


@inner
def add_postings(
    accumulators: Any, units: Any, impacts: Any, step: Any, lo: Any, hi: Any, factor: Any, rounding: Any, floor: Any,
    less: Any, wide: Any, next_lo: Any, next_hi: Any,
) -> None:  # fmt: skip
    """Add postings lo..hi, down to an impact of ``floor``, 1 to 255, or take them off (less).

    step : 1, or 0 where all have the impacts of the first 64. Meanwhile the next list is asked for.
    """
    p, asked, added = lo, next_lo, int64(LOOK)
    while p < hi and added == LOOK:
        if asked < next_hi:
            prefetch(units + 2 * asked)
            prefetch(units + 2 * asked + 64)
            prefetch(impacts + step * asked)
            asked += LOOK
        n, at = min(hi - p, int64(LOOK)), impacts + step * p
        if wide:
            added = _add16(accumulators, units + 2 * p, at, n, factor, rounding, floor, less)
        else:
            added = _add8(accumulators, units + 2 * p, at, n, factor, rounding, floor, less)
        p += LOOK
