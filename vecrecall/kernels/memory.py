"""Loads, stores and prefetch at raw addresses (int64). The caller keeps the memory alive."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
F32, F64 = ir.FloatType(), ir.DoubleType()
_ADDRESS = types.int64


def pointer(b: Any, address: Any, kind: Any) -> Any:
    """LLVM pointer to ``kind`` at an int64 address."""
    return b.inttoptr(address, kind.as_pointer())


def _element(b: Any, a: Any, kind: Any) -> Any:
    """Pointer to element a[1] of an array at address a[0]; by index, not by sum, or loops over it stay scalar."""
    return b.gep(pointer(b, a[0], kind), [a[1]], source_etype=kind)


@register_jitable
def address(array: Any) -> Any:
    """Where an array starts: from Python, and from kernels (there as uint64)."""
    return array.ctypes.data


@intrinsic
def load32(tc: Any, base: Any, i: Any) -> Any:
    """int32 at base + 4 i, widened to int64 (address arithmetic on int32 would overflow)."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.sext(b.load(_element(b, a, I32), typ=I32, align=4), I64)

    return types.int64(_ADDRESS, types.int64), generate


@intrinsic
def load64(tc: Any, base: Any, i: Any) -> Any:
    """int64 at base + 8 i."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.load(_element(b, a, I64), typ=I64, align=8)

    return types.int64(_ADDRESS, types.int64), generate


def _loads64(n: int) -> Any:
    """An intrinsic that loads a view: n int64 that stand together, as a tuple."""

    def loads64(tc, base):
        def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
            numbers = [b.load(_element(b, [a[0], I64(i)], I64), typ=I64, align=8) for i in range(n)]
            return cgutils.pack_array(b, numbers)

        return types.UniTuple(types.int64, n)(_ADDRESS), generate

    return intrinsic(loads64)


load_row_view = _loads64(6)  # kernels.distances
load_rotation_view = _loads64(19)  # kernels.encode


@intrinsic
def load_u8(tc: Any, base: Any, i: Any) -> Any:
    """uint8 at base + i, widened to int64."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.zext(b.load(_element(b, a, I8), typ=I8, align=1), I64)

    return types.int64(_ADDRESS, types.int64), generate


@intrinsic
def load_u16(tc: Any, base: Any, i: Any) -> Any:
    """uint16 at base + 2 i, widened to int64."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.zext(b.load(_element(b, a, I16), typ=I16, align=2), I64)

    return types.int64(_ADDRESS, types.int64), generate


@intrinsic
def load_column(tc: Any, base: Any, i: Any, n_bytes: Any) -> Any:
    """uint16 (n_bytes 2) or uint32 at base + n_bytes i, at any address, widened to int64."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        cell = cgutils.alloca_once(b, I64)
        with b.if_else(b.icmp_signed("==", a[2], I64(2))) as (narrow, wide):
            for side, kind in ((narrow, I16), (wide, I32)):
                with side:
                    b.store(b.zext(b.load(_element(b, a, kind), typ=kind, align=1), I64), cell)
        return b.load(cell)

    return types.int64(_ADDRESS, types.int64, types.int64), generate


@intrinsic
def load_f64(tc: Any, base: Any, i: Any) -> Any:
    """float64 at base + 8 i."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.load(_element(b, a, F64), typ=F64, align=8)

    return types.float64(_ADDRESS, types.int64), generate


@intrinsic
def load_f32(tc: Any, base: Any, i: Any) -> Any:
    """float32 at base + 4 i."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.load(_element(b, a, F32), typ=F32, align=4)

    return types.float32(_ADDRESS, types.int64), generate


@intrinsic
def store32(tc: Any, base: Any, i: Any, value: Any) -> Any:
    """Write the low 32 bits of an int64 at base + 4 i."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        b.store(b.trunc(a[2], I32), _element(b, a, I32), align=4)
        return cx.get_dummy_value()

    return types.void(_ADDRESS, types.int64, types.int64), generate


@intrinsic
def store_u16(tc: Any, base: Any, i: Any, value: Any) -> Any:
    """Write the low 16 bits of an int64 at base + 2 i."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        b.store(b.trunc(a[2], I16), _element(b, a, I16), align=2)
        return cx.get_dummy_value()

    return types.void(_ADDRESS, types.int64, types.int64), generate


@intrinsic
def store64(tc: Any, base: Any, i: Any, value: Any) -> Any:
    """Write an int64 at base + 8 i."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        b.store(a[2], _element(b, a, I64), align=8)
        return cx.get_dummy_value()

    return types.void(_ADDRESS, types.int64, types.int64), generate


@intrinsic
def store_u8(tc: Any, base: Any, i: Any, value: Any) -> Any:
    """Write the low 8 bits of an int64 at base + i."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        b.store(b.trunc(a[2], I8), _element(b, a, I8), align=1)
        return cx.get_dummy_value()

    return types.void(_ADDRESS, types.int64, types.int64), generate


@intrinsic
def store_f32(tc: Any, base: Any, i: Any, value: Any) -> Any:
    """Write a float32 at base + 4 i."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        b.store(a[2], _element(b, a, F32), align=4)
        return cx.get_dummy_value()

    return types.void(_ADDRESS, types.int64, types.float32), generate


@intrinsic
def store_f64(tc: Any, base: Any, i: Any, value: Any) -> Any:
    """Write a float64 at base + 8 i."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        b.store(a[2], _element(b, a, F64), align=8)
        return cx.get_dummy_value()

    return types.void(_ADDRESS, types.int64, types.float64), generate


@intrinsic
def power_of_two(tc: Any, exponent: Any) -> Any:
    """2.0 ** exponent as float64, for exponents from -1022 to 1023."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.bitcast(b.shl(b.add(a[0], I64(1023)), I64(52)), F64)

    return types.float64(types.int64), generate


@intrinsic
def float_of_bits(tc: Any, bits: Any) -> Any:
    """The float32 whose bits are the low half of an int64."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.bitcast(b.trunc(a[0], I32), F32)

    return types.float32(types.int64), generate


@intrinsic
def bits_of_float(tc: Any, x: Any) -> Any:
    """The bits of a float32 as int64, sign extended."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        return b.sext(b.bitcast(a[0], I32), I64)

    return types.int64(types.float32), generate


@intrinsic
def clip(tc: Any, x: Any, low: Any, high: Any) -> Any:
    """float32 x held in [low, high]."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        x = b.select(b.fcmp_ordered("<", a[0], a[1]), a[1], a[0])
        return b.select(b.fcmp_ordered(">", x, a[2]), a[2], x)

    return types.float32(types.float32, types.float32, types.float32), generate


@intrinsic
def floor32(tc: Any, x: Any) -> Any:
    """Floor of a float32 as int64 (math.floor would be one more compiled overload)."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        floor = cgutils.get_or_insert_function(b.module, ir.FunctionType(F32, [F32]), "llvm.floor.f32")
        return b.sext(b.fptosi(b.call(floor, [a[0]]), I32), I64)

    return types.int64(types.float32), generate


@intrinsic
def root32(tc: Any, x: Any) -> Any:
    """Square root of a float32."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        root = cgutils.get_or_insert_function(b.module, ir.FunctionType(F32, [F32]), "llvm.sqrt.f32")
        return b.call(root, [a[0]])

    return types.float32(types.float32), generate


def spread(b: Any, x: Any, kind: Any) -> Any:
    """LLVM vector with x in every lane."""
    lane = b.insert_element(ir.Constant(kind, ir.Undefined), x, I32(0))
    return b.shuffle_vector(lane, lane, ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count))


def ask_for(b: Any, address: Any) -> None:
    """LLVM prefetch of the cache line at an address; harmless where the address is not mapped."""
    kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
    function = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
    b.call(function, [pointer(b, address, I8), I32(0), I32(3), I32(1)])


@intrinsic
def prefetch(tc: Any, address: Any) -> Any:
    """Ask for the cache line at an address; harmless where the address is not mapped."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        ask_for(b, a[0])
        return cx.get_dummy_value()

    return types.void(_ADDRESS), generate
