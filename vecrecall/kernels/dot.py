"""One query against four rows at once, in LLVM: dot products of codes, and differences or products of float rows.

Four rows share the loads of the query and one transposing reduction (7 shuffles in place of four horizontal sums).
The integer dot is ``vpdpbusd`` (AVX-512 VNNI) or the same sum by widening multiplications: the same integers. Float
rows (float32, float16, uint8) are widened to float32 lanes; those bodies are plain vector code that LLVM lowers on
any processor, without fused multiplications, so that the sums have the same bits everywhere.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from vecrecall.kernels import cpu
from vecrecall.kernels.memory import F32, I8, I16, I32, I64, pointer

V16 = ir.VectorType(I32, 16)
V16F = ir.VectorType(F32, 16)
V64B = ir.VectorType(I8, 64)


def _at(b: Any, base: Any, offset: Any, kind: Any, align: int = 4) -> Any:
    return b.load(pointer(b, b.add(base, offset), kind), typ=kind, align=align)


def _shuffle(b: Any, x: Any, y: Any, lanes: list[int]) -> Any:
    return b.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, len(lanes)), lanes))


def _reduce4(b: Any, sums: list[Any], add: Callable[[Any, Any], Any]) -> Any:
    """Four 16-lane sums -> one 4-lane vector of their totals."""

    def pair(x: Any, y: Any) -> Any:
        low, high = [*range(8), *range(16, 24)], [*range(8, 16), *range(24, 32)]
        return add(_shuffle(b, x, y, low), _shuffle(b, x, y, high))

    x, y = pair(sums[0], sums[1]), pair(sums[2], sums[3])
    low = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]
    z = add(_shuffle(b, x, y, low), _shuffle(b, x, y, [i + 4 for i in low]))
    z = add(z, _shuffle(b, z, z, [i ^ 2 for i in range(16)]))
    z = add(z, _shuffle(b, z, z, [i ^ 1 for i in range(16)]))
    return _shuffle(b, z, z, [0, 4, 8, 12])


def _over_blocks(b: Any, n_blocks: Any, kind: Any, step: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
    """Run ``step(block, sums) -> sums`` over all blocks, four sums starting at zero."""
    zero = ir.Constant(kind, [0] * 16)
    cells = [cgutils.alloca_once_value(b, zero) for _ in range(4)]
    for cell in cells:  # alloca_once sets its value once a function, not once a loop
        b.store(zero, cell)
    with cgutils.for_range(b, n_blocks) as loop:
        for cell, value in zip(cells, step(loop.index, [b.load(cell, typ=kind) for cell in cells]), strict=True):
            b.store(value, cell)
    return [b.load(cell, typ=kind) for cell in cells]


def dot_u8_s8(b: Any, total: Any, u: Any, s: Any) -> Any:
    """total + the sums of four neighbouring products uint8 x int8, lane by lane (no saturation)."""
    if cpu.HAS_VNNI:
        kind = ir.FunctionType(V16, [V16, V16, V16])
        function = cgutils.get_or_insert_function(b.module, kind, "llvm.x86.avx512.vpdpbusd.512")
        return b.call(function, [total, u, s])
    wide = ir.VectorType(I16, 64)  # the largest product, 255 * -128, fits int16
    product = b.mul(b.zext(b.bitcast(u, V64B), wide), b.sext(b.bitcast(s, V64B), wide))
    for k in range(4):
        total = b.add(total, b.sext(_shuffle(b, product, product, list(range(k, 64, 4))), V16))
    return total


def _bytes(query_is_signed: bool) -> Callable[..., Any]:
    """Sum of products of bytes, one side int8, the other uint8; 64 dimensions a block."""

    def four(b: Any, query: Any, rows: list[Any], n_blocks: Any) -> Any:
        def step(block: Any, sums: list[Any]) -> list[Any]:
            offset = b.shl(block, I64(6))
            q = _at(b, query, offset, V16)
            out = []
            for s, row in zip(sums, rows, strict=True):
                x = _at(b, row, offset, V16)
                out.append(dot_u8_s8(b, s, x, q) if query_is_signed else dot_u8_s8(b, s, q, x))
            return out

        return _reduce4(b, _over_blocks(b, n_blocks, V16, step), b.add)

    return four


def _sq4(b: Any, query: Any, rows: list[Any], n_blocks: Any) -> Any:
    """Sum of query (int8) * code (nibble); 128 dimensions a block: 64 low nibbles, then 64 high ones."""
    mask, four = ir.Constant(V16, [0x0F0F0F0F] * 16), ir.Constant(V16, [4] * 16)

    def step(block: Any, sums: list[Any]) -> list[Any]:
        at_query, at_code = b.shl(block, I64(7)), b.shl(block, I64(6))
        low, high = _at(b, query, at_query, V16), _at(b, query, b.add(at_query, I64(64)), V16)
        out = []
        for s, row in zip(sums, rows, strict=True):
            code = _at(b, row, at_code, V16)
            s = dot_u8_s8(b, s, b.and_(code, mask), low)
            out.append(dot_u8_s8(b, s, b.and_(b.lshr(code, four), mask), high))
        return out

    return _reduce4(b, _over_blocks(b, n_blocks, V16, step), b.add)


def _load_f32(b: Any, row: Any, block: Any) -> Any:
    return _at(b, row, b.shl(block, I64(6)), V16F)


def _load_f16(b: Any, row: Any, block: Any) -> Any:
    offset = b.shl(block, I64(5))
    if cpu.HAS_F16C:
        return b.fpext(_at(b, row, offset, ir.VectorType(ir.HalfType(), 16), 2), V16F)
    # Shift the bits into place and rescale the exponent: exact for every finite half, subnormal ones included.
    bits = b.zext(_at(b, row, offset, ir.VectorType(I16, 16), 2), V16)
    body = b.shl(b.and_(bits, ir.Constant(V16, [0x7FFF] * 16)), ir.Constant(V16, [13] * 16))
    value = b.bitcast(b.fmul(b.bitcast(body, V16F), ir.Constant(V16F, [2.0**112] * 16)), V16)
    sign = b.shl(b.and_(bits, ir.Constant(V16, [0x8000] * 16)), ir.Constant(V16, [16] * 16))
    return b.bitcast(b.or_(value, sign), V16F)


def _load_u8(b: Any, row: Any, block: Any) -> Any:
    return b.uitofp(_at(b, row, b.shl(block, I64(4)), ir.VectorType(I8, 16), 1), V16F)


def _float_rows(load: Callable[[Any, Any, Any], Any], products: bool) -> Callable[..., Any]:
    """Sums of (query - scale * row)**2, or of query * row; 16 dimensions a block."""

    def four(b: Any, query: Any, rows: list[Any], n_blocks: Any, scales: list[Any]) -> Any:
        spread = []
        for scale in scales:
            lane = b.insert_element(ir.Constant(V16F, ir.Undefined), scale, I32(0))
            spread.append(_shuffle(b, lane, lane, [0] * 16))

        def step(block: Any, sums: list[Any]) -> list[Any]:
            q = _load_f32(b, query, block)
            out = []
            for s, row, scale in zip(sums, rows, spread, strict=True):
                x = load(b, row, block)
                if products:
                    out.append(b.fadd(s, b.fmul(q, x)))
                else:
                    t = b.fsub(q, b.fmul(scale, x))
                    out.append(b.fadd(s, b.fmul(t, t)))
            return out

        return _reduce4(b, _over_blocks(b, n_blocks, V16F, step), b.fadd)

    return four


CODE_DOTS = {"sq4": _sq4, "sq8": _bytes(query_is_signed=True), "s8": _bytes(query_is_signed=False)}
FLOAT_SUMS = {
    f"{name}_{form}": _float_rows(load, form == "ip")
    for form in ("l2", "ip")
    for name, load in {"f32": _load_f32, "f16": _load_f16, "u8": _load_u8}.items()
}
