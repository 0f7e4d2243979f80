"""A posting list added to accumulators of 8 or 16 bits, or taken off.

A posting is the place of a unit (uint16) and its impact (uint8, descending within a list); it adds
``(impact * factor + rounding) >> 8``. The sum wraps around: whoever chooses the factors sees to it that it cannot.
Amounts of 64 postings are made at once, so impacts need 64 bytes to be read behind their end, and units 14; what
stands there is a place too, but nothing is added to it.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels.jit import inner, int64
from vecrecall.kernels.memory import I1, I8, I16, I64, pointer, prefetch, spread

LOOK = 64  # postings between two looks at the impacts
_GROUP = 8  # postings added in a row


def _adding(bits: int) -> Any:
    """An intrinsic for up to 64 postings, whose amounts are made in numbers of twice the bits and kept on the stack.

    Places and amounts are read 64 bits at a time and shifted apart: with a load for each, the loads take longest.
    Postings are added in whole groups, those behind the last with an amount of zero.
    """
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
            first_n = b.sub(b.shl(I64(1), b.and_(n, I64(LOOK - 1))), I64(1))
            first_n = b.select(b.icmp_signed("<", n, I64(LOOK)), first_n, I64(-1))
            taken = b.bitcast(first_n, ir.VectorType(I1, LOOK))
            cell = cgutils.alloca_once(b, amounts)
            b.store(b.select(taken, values, ir.Constant(amounts, [0] * LOOK)), cell)
            first = b.bitcast(cell, kind.as_pointer())
            places, sums = pointer(b, units, I16), pointer(b, accumulators, kind)
            with cgutils.for_range_slice(b, I64(0), n, I64(_GROUP), intp=I64, inc=True) as (j, _):
                together = list(zip(_apart(b, places, j, I16), _apart(b, first, j, kind)))
                for place, amount in together:
                    at = b.gep(sums, [b.zext(place, I64)], source_etype=kind)
                    b.store(b.add(b.load(at, typ=kind, align=bits // 8), amount), at, align=bits // 8)
            return n

        i = types.int64
        return i(i, i, i, i, i, i, i, types.boolean), generate

    return intrinsic(adding)


def _apart(b: Any, numbers: Any, j: Any, kind: Any) -> list[Any]:
    """Load a group of small numbers from the j-th on, by words of 64 bits."""
    found = []
    n_in_word = 64 // kind.width
    for i in range(0, _GROUP, n_in_word):
        at = b.bitcast(b.gep(numbers, [b.add(j, I64(i))], source_etype=kind), I64.as_pointer())
        word = b.load(at, typ=I64, align=kind.width // 8)
        found += [b.trunc(b.lshr(word, I64(kind.width * place)), kind) for place in range(n_in_word)]
    return found


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
