"""Distances of one query to listed rows: the one call that every walk, selection and re-rank makes.

A *row view* is a tuple of six int64 that says what the rows are:

== ===========================================================================================
0  address of the rows
1  bytes a row
2  blocks a row (:mod:`vecrecall.kernels.dot` states the dimensions of a block)
3  codes: address of the bias (int32, one a row), under ip of the scale (float32); float rows under l2: address of
   scales (float32)
4  address of the compiled function for how the rows are held and compared (:mod:`vecrecall.kernels.forms`)
5  float rows under l2: bytes from one scale to the next (0: one scale for all)
== ===========================================================================================

The result is an int32 *key* that orders as the distance does: for codes ``bias[x] + query_bias - dot``, under ip
``-(query_bias + dot) * scale[x]``; for float rows the bits of a float32 (of the squared distance, or of minus the inner
product with its order put right).
One compiled kernel so serves every storage and metric, and none holds a copy of the wide arithmetic, which would be
compiled anew in each: that was half of the time that a first build and search took.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels.call import call_native
from vecrecall.kernels.dot import CODE_DOTS, FLOAT_SUMS
from vecrecall.kernels.memory import F32, I32, I64, pointer

SCALED_CODES = {"sq4_ip": "sq4", "sq8_ip": "sq8"}
FORMS = (*CODE_DOTS, *SCALED_CODES, *FLOAT_SUMS)
MISSING = 0x7FFFFFFF  # a key no row has: greater than that of any distance
V4 = ir.VectorType(I32, 4)


def _each4(b: Any, m4: Any) -> Any:
    return cgutils.for_range_slice(b, I64(0), m4, I64(4), intp=I64, inc=True)


def _four_rows(b: Any, rows: Any, row_bytes: Any, listed: Any, j: Any) -> tuple[list[Any], list[Any]]:
    """Numbers and addresses of four listed rows."""
    four = b.load(pointer(b, b.add(listed, b.shl(j, I64(2))), V4), typ=V4, align=4)
    numbers = [b.sext(b.extract_element(four, I32(t)), I64) for t in range(4)]
    return numbers, [b.add(rows, b.mul(x, row_bytes)) for x in numbers]


def _code_keys(b: Any, args: list[Any], m4: Any, dot4: Any, scaled: bool) -> None:
    rows, row_bytes, n_blocks, bias, _, query, query_bias, listed, _, out = args
    lane = b.insert_element(ir.Constant(V4, ir.Undefined), b.trunc(query_bias, I32), I32(0))
    of_query = b.shuffle_vector(lane, lane, ir.Constant(V4, [0] * 4))
    with _each4(b, m4) as (j, _):
        numbers, addresses = _four_rows(b, rows, row_bytes, listed, j)
        dot = dot4(b, query, addresses, n_blocks)
        of_rows = ir.Constant(V4, ir.Undefined)
        for t, x in enumerate(numbers):
            of_row = b.load(pointer(b, b.add(bias, b.shl(x, I64(2))), I32), typ=I32, align=4)
            of_rows = b.insert_element(of_rows, of_row, I32(t))
        key = _scaled(b, b.add(of_query, dot), of_rows) if scaled else b.sub(b.add(of_rows, of_query), dot)
        b.store(key, pointer(b, b.add(out, b.shl(j, I64(2))), V4), align=4)


def _scaled(b: Any, dot: Any, scale_bits: Any) -> Any:
    """-dot * scale as int32, held in +-2**30 (an overflow of the conversion would have no order)."""
    v4f = ir.VectorType(F32, 4)
    value = b.fneg(b.fmul(b.sitofp(dot, v4f), b.bitcast(scale_bits, v4f)))
    for bound, side in ((2.0**30, "<"), (-(2.0**30), ">")):
        limit = ir.Constant(v4f, [bound] * 4)
        value = b.select(b.fcmp_ordered(side, value, limit), value, limit)
    return b.fptosi(value, V4)


def _float_keys(b: Any, args: list[Any], m4: Any, sums4: Any, products: bool) -> None:
    rows, row_bytes, n_blocks, scale, scale_bytes, query, _, listed, _, out = args
    with _each4(b, m4) as (j, _):
        numbers, addresses = _four_rows(b, rows, row_bytes, listed, j)
        scales = [ir.Constant(F32, 1.0)] * 4
        if not products:
            at = [b.add(scale, b.mul(x, scale_bytes)) for x in numbers]
            scales = [b.load(pointer(b, a, F32), typ=F32, align=4) for a in at]
        key = b.bitcast(sums4(b, query, addresses, n_blocks, scales), V4)
        if products:  # minus the product, and its bits in the order of int32
            key = b.xor(key, ir.Constant(V4, [-2147483648] * 4))
            sign = b.ashr(key, ir.Constant(V4, [31] * 4))
            key = b.xor(key, b.and_(sign, ir.Constant(V4, [0x7FFFFFFF] * 4)))
        b.store(key, pointer(b, b.add(out, b.shl(j, I64(2))), V4), align=4)


def _pad_listed(b: Any, listed: Any, m: Any) -> Any:
    """Repeat the last listed row up to a multiple of four; returns that multiple."""
    last_at = b.add(listed, b.shl(b.sub(m, I64(1)), I64(2)))
    last = b.load(pointer(b, last_at, I32), typ=I32, align=4)
    m4 = b.and_(b.add(m, I64(3)), I64(-4))
    with cgutils.for_range_slice(b, m, m4, I64(1), intp=I64, inc=True) as (j, _):
        b.store(last, pointer(b, b.add(listed, b.shl(j, I64(2))), I32), align=4)
    return m4


def _keys(which: str) -> Any:
    """An intrinsic that writes the keys of one form; as a function of ten int64."""

    def keys(tc, rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            m4 = _pad_listed(b, a[7], a[8])
            if which in FLOAT_SUMS:
                _float_keys(b, a, m4, FLOAT_SUMS[which], which.endswith("_ip"))
            else:
                _code_keys(b, a, m4, CODE_DOTS[SCALED_CODES.get(which, which)], which in SCALED_CODES)
            return cx.get_dummy_value()

        return types.void(*[types.int64] * 10), generate

    return intrinsic(keys)


KEYS_OF = {which: _keys(which) for which in FORMS}


@intrinsic
def distances(tc: Any, view: Any, query: Any, query_bias: Any, listed: Any, m: Any, out: Any) -> Any:
    """out[j] = key of row listed[j] to the query, j < m, m > 0.

    ``listed`` and ``out`` are addresses of int32 with room for the next multiple of four; ``query`` is the address
    of the query in the form of the rows (codes: int8, s8: uint8, float rows: float32 in blocks of 16).
    """

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        rows, row_bytes, n_blocks, bias, function, scale_bytes = cgutils.unpack_tuple(b, a[0], 6)
        call_native(b, function, [rows, row_bytes, n_blocks, bias, scale_bytes, *a[1:]])
        return cx.get_dummy_value()

    return types.void(view, *[types.int64] * 5), generate
