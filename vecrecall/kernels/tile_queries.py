"""Queries as tiles take them: int8, with a step of their own."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels.dot import V16, V16F
from vecrecall.kernels.jit import inner, int64
from vecrecall.kernels.memory import I32, I64, clip, floor32, load_f32, pointer, store_u8

_HALF, _LOW, _HIGH, _TINY = np.float32(0.5), np.float32(-127), np.float32(127), np.float32(1e-30)


@intrinsic
def _greatest_size(tc: Any, values: Any, n: Any) -> Any:
    """The greatest absolute value of n float32, n a multiple of 16."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        cell, zero = cgutils.alloca_once(b, V16F), ir.Constant(V16F, [0.0] * 16)
        b.store(zero, cell)

        def greater(x: Any, y: Any) -> Any:
            return b.select(b.fcmp_ordered(">", x, y), x, y)

        with cgutils.for_range_slice(b, I64(0), a[1], I64(16), intp=I64, inc=True) as (j, _):
            x = b.load(pointer(b, b.add(a[0], b.shl(j, I64(2))), V16F), typ=V16F, align=4)
            b.store(greater(greater(x, b.fsub(zero, x)), b.load(cell, typ=V16F)), cell)
        lanes = b.load(cell, typ=V16F)
        for width in (8, 4, 2, 1):
            lanes = greater(lanes, b.shuffle_vector(lanes, lanes, ir.Constant(V16, [i ^ width for i in range(16)])))
        return b.extract_element(lanes, I32(0))

    return types.float32(types.int64, types.int64), generate


@inner
def write_tile_form(z, width, form):
    """The int8 form of z (``width`` float32, a multiple of 16); returns (step, sum of its bytes)."""
    most = _greatest_size(z, width)
    most = most if most > _TINY else _TINY
    inverse = _HIGH / most
    total = int64(0)
    for j in range(width):
        c = floor32(clip(load_f32(z, j) * inverse, _LOW, _HIGH) + _HALF)
        total += c
        store_u8(form, j, c)
    return most / _HIGH, total
