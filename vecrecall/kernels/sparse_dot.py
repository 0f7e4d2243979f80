"""Products of a sparse row with weights that are spread over all columns (float32).

A row is a run of columns (2 or 4 bytes each), one of codes (8 bits) and one of residuals (16 bits, or the 32 bits of
the weight itself), as :mod:`vecrecall.sparse.weights` defines them: n_codes, unit, lowest and tiny tell what they mean.
All forms make integers of them that are the bits of a float32, so no table is looked up.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels import cpu
from vecrecall.kernels.jit import inner
from vecrecall.kernels.memory import (
    F32,
    F64,
    I1,
    I8,
    I16,
    I32,
    I64,
    float_of_bits,
    load32,
    load_column,
    load_f32,
    load_u8,
    load_u16,
    pointer,
    spread,
)  # fmt: skip

_LANES = 16
_V, _VF, _VD, _M = (ir.VectorType(kind, _LANES) for kind in (I32, F32, F64, I1))
_ZEROS = ir.Constant(_VF, [0.0] * _LANES)


def _same(x: int) -> Any:
    return ir.Constant(_V, [x] * _LANES)


def _masked(b: Any, kind: Any, at: Any, mask: Any) -> Any:
    """Load the lanes that a mask names, as 32-bit integers."""
    name = f"llvm.masked.load.v{_LANES}{kind.intrinsic_name}.p0"
    vector = ir.VectorType(kind, _LANES)
    load = cgutils.get_or_insert_function(
        b.module, ir.FunctionType(vector, [vector.as_pointer(), I32, _M, vector]), name
    )
    loaded = b.call(load, [pointer(b, at, vector), I32(1), mask, ir.Constant(vector, [0] * _LANES)])
    return loaded if kind == I32 else b.zext(loaded, _V)


def _weights_of(b: Any, weights: Any, columns: Any, j: Any, mask: Any) -> Any:
    """Gather the weights of 16 columns of 2 bytes."""
    kind = ir.FunctionType(_VF, [_VF, I8.as_pointer(), _V, _M, I32])
    gather = cgutils.get_or_insert_function(b.module, kind, "llvm.x86.avx512.mask.gather.dps.512")
    places = _masked(b, I16, b.add(columns, b.shl(j, I64(1))), mask)
    return b.call(gather, [_ZEROS, pointer(b, weights, I8), places, mask, I32(4)])


def _first_lanes(b: Any, n: Any, j: Any) -> Any:
    left = spread(b, b.trunc(b.sub(n, j), I32), _V)
    return b.icmp_signed("<", ir.Constant(_V, list(range(_LANES))), left)


def _split(b: Any, codes: Any, j: Any, mask: Any, n_codes: Any) -> tuple[Any, Any]:
    """(codes without sign, sign bits of float32)."""
    code, most = _masked(b, I8, b.add(codes, j), mask), spread(b, b.trunc(b.sub(n_codes, I64(1)), I32), _V)
    return b.and_(code, most), b.shl(b.and_(code, b.xor(most, _same(-1))), _same(24))


def _sum(b: Any, x: Any, kind: Any) -> Any:
    name = f"llvm.vector.reduce.fadd.v{_LANES}{kind.intrinsic_name}"
    reduce = cgutils.get_or_insert_function(b.module, ir.FunctionType(kind, [kind, x.type]), name)
    return b.call(reduce, [ir.Constant(kind, 0.0), x], fastmath=("reassoc",))


@intrinsic
def _codes_gathered(
    tc: Any, weights: Any, columns: Any, codes: Any, n: Any, n_codes: Any, unit: Any, lowest: Any
) -> Any:
    """AVX-512: (sum, sum of absolute values) of n entries by the middles of codes, 16 at a time."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        weights, columns, codes, n, n_codes, unit, lowest = a
        step = spread(b, b.trunc(b.shl(unit, I64(8)), I32), _V)
        middle = spread(b, b.trunc(b.add(lowest, b.shl(unit, I64(7))), I32), _V)
        total, absolute = cgutils.alloca_once(b, _VF), cgutils.alloca_once(b, _VF)
        for cell in (total, absolute):
            b.store(_ZEROS, cell)
        with cgutils.for_range_slice(b, I64(0), n, I64(_LANES), intp=I64, inc=True) as (j, _):
            mask = _first_lanes(b, n, j)
            found = _weights_of(b, weights, columns, j, mask)
            code, sign = _split(b, codes, j, mask, n_codes)
            product = b.fmul(found, b.bitcast(b.or_(b.add(b.mul(code, step), middle), sign), _VF))
            b.store(b.fadd(b.load(total, typ=_VF), product), total)
            bare = b.bitcast(b.and_(b.bitcast(product, _V), _same(0x7FFFFFFF)), _VF)
            b.store(b.fadd(b.load(absolute, typ=_VF), bare), absolute)
        return cgutils.pack_array(b, [_sum(b, b.load(cell, typ=_VF), F32) for cell in (total, absolute)])

    i = types.int64
    return types.UniTuple(types.float32, 2)(i, i, i, i, i, i, i), generate


@intrinsic
def _both_gathered(
    tc: Any, weights: Any, columns: Any, codes: Any, residuals: Any, n: Any, n_codes: Any, unit: Any, lowest: Any,
    tiny: Any,
) -> Any:  # fmt: skip
    """AVX-512: sum in float64 of n entries by codes and residuals of 16 bits."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        weights, columns, codes, residuals, n, n_codes, unit, lowest, tiny = a
        units = spread(b, b.trunc(unit, I32), _V)
        bottom = spread(b, b.trunc(lowest, I32), _V)
        grain = spread(b, b.fptrunc(b.fmul(tiny, ir.Constant(F64, 2.0**-16)), F32), _VF)
        total = cgutils.alloca_once(b, _VD)
        b.store(ir.Constant(_VD, [0.0] * _LANES), total)
        with cgutils.for_range_slice(b, I64(0), n, I64(_LANES), intp=I64, inc=True) as (j, _):
            mask = _first_lanes(b, n, j)
            found = _weights_of(b, weights, columns, j, mask)
            code, sign = _split(b, codes, j, mask, n_codes)
            place = b.add(_masked(b, I16, b.add(residuals, b.shl(j, I64(1))), mask), _same(1))
            within = b.lshr(b.add(b.mul(place, units), _same(128)), _same(8))
            bits = b.add(b.add(b.mul(b.shl(code, _same(8)), units), bottom), within)
            small = b.bitcast(b.fmul(b.sitofp(place, _VF), grain), _V)
            bits = b.select(b.icmp_signed("==", code, _same(0)), small, bits)
            value = b.fpext(b.bitcast(b.or_(bits, sign), _VF), _VD)
            b.store(b.fadd(b.load(total, typ=_VD), b.fmul(b.fpext(found, _VD), value)), total)
        return _sum(b, b.load(total, typ=_VD), F64)

    i = types.int64
    return types.float64(i, i, i, i, i, i, i, i, types.float64), generate


@inner
def _codes_portable(weights, columns, n_bytes, codes, n, n_codes, unit, lowest):
    a, b, c = np.float32(0), np.float32(0), np.float32(0)
    step, middle, most = unit << 8, lowest + (unit << 7), n_codes - 1
    for p in range(n):
        code = load_u8(codes, p)
        bits = ((code & most) * step + middle) | ((code & ~most) << 24)
        x = load_f32(weights, load_column(columns, p, n_bytes)) * float_of_bits(bits)
        if p & 1:  # two sums, or each addition waits for the last
            a += x
        else:
            b += x
        c += abs(x)
    return a + b, c


@inner
def _codes_wide(weights, columns, n_bytes, codes, n, n_codes, unit, lowest):
    if n_bytes == 2:
        return _codes_gathered(weights, columns, codes, n, n_codes, unit, lowest)
    return _codes_portable(weights, columns, n_bytes, codes, n, n_codes, unit, lowest)


dot_codes = _codes_wide if cpu.HAS_FAST_GATHER else _codes_portable
"""(sum, sum of absolute values) in float32 of n entries by the middles of their codes."""


@inner
def _both_portable(weights, columns, n_bytes, codes, residuals, n, n_codes, unit, lowest, tiny):
    total, most = 0.0, n_codes - 1
    grain = np.float32(tiny * 2.0**-16)
    for p in range(n):
        weight = load_f32(weights, load_column(columns, p, n_bytes))
        code, place = load_u8(codes, p), load_u16(residuals, p) + 1
        sign, code = code & ~most, code & most
        value = float_of_bits(lowest + (code << 8) * unit + ((place * unit + 128) >> 8))
        if code == 0:
            value = np.float32(place) * grain
        product = np.float64(weight) * np.float64(value)
        total += -product if sign else product
    return total


@inner
def _both_wide(weights, columns, n_bytes, codes, residuals, n, n_codes, unit, lowest, tiny):
    if n_bytes == 2:
        return _both_gathered(weights, columns, codes, residuals, n, n_codes, unit, lowest, tiny)
    return _both_portable(weights, columns, n_bytes, codes, residuals, n, n_codes, unit, lowest, tiny)


dot_both = _both_wide if cpu.HAS_FAST_GATHER else _both_portable
"""Sum in float64 of n entries by codes and residuals of 16 bits; orders of summation differ between the forms."""


@inner
def dot_whole(weights: Any, columns: Any, n_bytes: Any, values: Any, n: Any) -> Any:
    """Sum in float64, in the order of columns, of n entries whose weights are float32."""
    total = 0.0
    for p in range(n):
        weight, value = load_f32(weights, load_column(columns, p, n_bytes)), float_of_bits(load32(values, p))
        total += np.float64(weight) * np.float64(value)
    return total


@inner
def dot_ones(weights: Any, columns: Any, n_bytes: Any, n: Any) -> Any:
    """(sum, sum of absolute values) in float64 of the weights of n columns."""
    a, b = 0.0, 0.0
    for p in range(n):
        x = np.float64(load_f32(weights, load_column(columns, p, n_bytes)))
        a += x
        b += abs(x)
    return a, b
