"""How kernels are compiled: the three decorators, the disk cache, and the word to a waiting user.

``kernel`` is called from Python and kept in Numba's disk cache. ``inner`` is called from kernels only: it has no
entry points for Python and C (half of the compile time of a small function) and is linked into its callers' cache
entry. Arguments of inner functions are made int64 at the call: each mix of int32, uint64 and literal arguments would
be compiled as one more specialisation. ``inlined`` is an inner function with one place where it is called, or one a
kernel, or a few where it is small: it becomes part of its caller before types are inferred, which compiles sooner and
runs faster than a call with many arguments; what is called in many places would be compiled as often. A chain of inner
functions that call each other is optimised once a link, so the long ones in it are inlined.
"""

import sys
from typing import Any

from numba import njit, types
from numba.core import event


class _CompileNotice(event.Listener):
    """Tells a user at a terminal, once a process, why the first call takes seconds."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        dispatcher = event.data["dispatcher"]
        if self.said or not dispatcher.py_func.__module__.startswith("vecrecall."):
            return
        self.said = True
        if sys.stderr is not None and sys.stderr.isatty():
            print("vecrecall: compiling kernels for this processor, once (some seconds) ...", file=sys.stderr)

    def on_end(self, event: Any) -> None:
        """Say nothing: the answer itself follows."""


event.register("numba:compile", _CompileNotice())


def kernel(function: Any) -> Any:
    """Compile a function that Python calls; run uncached where no cache folder can be written."""
    try:
        return njit(nogil=True, cache=True, no_cfunc_wrapper=True)(function)
    except RuntimeError:  # Numba: "cannot cache function: no locator available"
        return njit(nogil=True, no_cfunc_wrapper=True)(function)


int64, boolean = types.int64, types.boolean  # one type for a literal argument: int64(0), boolean(False)
inner = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
inlined = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, inline="always")
