"""Calls of compiled functions by address: long code is compiled once, and no kernel that uses it holds a copy."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vecrecall.kernels.memory import I32, I64, pointer


def native_address(compiled: Any) -> int:
    """Address of what a ``cfunc`` compiled, which lives as long as the process.

    That of Numba's own function, not of the C wrapper around it, which costs a second call.
    """
    return int(compiled._library.get_pointer_to_function(compiled.native_name.removeprefix("cfunc.")))


def call_native(b: Any, function: Any, args: list[Any]) -> None:
    """Call a function of int64s by address in Numba's convention: a place for the result, one for an error."""
    kind = ir.FunctionType(I32, [I64] * (len(args) + 2))
    result = b.ptrtoint(cgutils.alloca_once(b, I64), I64)
    b.call(pointer(b, function, kind), [result, I64(0), *args])


@intrinsic
def call(tc: Any, function: Any, args: Any) -> Any:
    """Call a compiled function of int64s, which returns nothing, by its address; ``args`` is a tuple of int64."""

    def generate(cx: Any, b: Any, sig: Any, a: Any) -> Any:
        call_native(b, a[0], cgutils.unpack_tuple(b, a[1], args.count))
        return cx.get_dummy_value()

    return types.void(types.int64, args), generate
