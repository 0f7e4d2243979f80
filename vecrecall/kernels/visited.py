"""Visited sets: a bitmap over rows and a log of what was marked, so that forgetting costs what was visited."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels import cpu
from vecrecall.kernels.jit import inlined, inner, int64
from vecrecall.kernels.memory import I1, I8, I16, I32, I64, load32, load64, pointer, store32, store64

_V16, _M16 = ir.VectorType(I32, 16), ir.VectorType(I1, 16)
_ZEROS = ir.Constant(_V16, [0] * 16)


@inner
def visit(seen, row):
    """Mark a row; returns 1 when it was not marked before."""
    word = load64(seen, row >> 6)
    store64(seen, row >> 6, word | (1 << (row & 63)))
    return 1 - ((word >> (row & 63)) & 1)


@intrinsic
def _copy_unseen16(tc: Any, listed: Any, n: Any, seen: Any, fresh: Any) -> Any:
    """AVX-512: of the first n <= 16 listed rows, copy those not marked; returns how many (16 places are written)."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        def call(name: str, kind: Any, args: list[Any]) -> Any:
            types_of = [x.type for x in args]
            return b.call(cgutils.get_or_insert_function(b.module, ir.FunctionType(kind, types_of), name), args)

        wanted = b.bitcast(b.trunc(b.sub(b.shl(I64(1), a[1]), I64(1)), I16), _M16)
        rows = call("llvm.masked.load.v16i32.p0", _V16, [pointer(b, a[0], _V16), I32(4), wanted, _ZEROS])
        word = b.lshr(rows, ir.Constant(_V16, [5] * 16))
        words = call(
            "llvm.x86.avx512.mask.gather.dpi.512", _V16, [_ZEROS, pointer(b, a[2], I8), word, wanted, I32(4)]
        )
        bit = b.shl(ir.Constant(_V16, [1] * 16), b.and_(rows, ir.Constant(_V16, [31] * 16)))
        unseen = b.and_(b.icmp_unsigned("==", b.and_(words, bit), _ZEROS), wanted)
        first = call("llvm.x86.avx512.mask.compress.v16i32", _V16, [rows, _ZEROS, unseen])
        b.store(first, pointer(b, a[3], _V16), align=4)
        return b.zext(b.ctpop(b.bitcast(unseen, I16)), I64)

    return types.int64(*[types.int64] * 4), generate


@inlined
def _keep_unseen_wide(neighbours, degree, seen, fresh):
    m = int64(0)
    for j in range(0, degree, 16):
        m += _copy_unseen16(neighbours + 4 * j, min(degree - j, 16), seen, fresh + 4 * m)
    for j in range(m):  # after the looks, or each would wait for the marks before it
        visit(seen, load32(fresh, j))
    return m


@inlined
def _keep_unseen_portable(neighbours, degree, seen, fresh):
    m = int64(0)
    for j in range(degree):
        row = load32(neighbours, j)
        store32(fresh, m, row)
        m += visit(seen, row)
    return m


keep_unseen = _keep_unseen_wide if cpu.HAS_AVX512 else _keep_unseen_portable
"""Copy the neighbours not marked yet to ``fresh`` (room: 16 more) and mark them, without a branch; returns how many.

A row stands among the neighbours once, or is marked already.
"""


@inner
def forget(seen, log, n_logged, n_words):
    """Unmark what the log lists, or everything when the log ran over (``n_logged`` < 0)."""
    if n_logged < 0:
        for j in range(n_words):
            store64(seen, j, 0)
    for j in range(n_logged):
        store64(seen, load32(log, j) >> 6, 0)
