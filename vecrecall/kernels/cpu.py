"""What the processor can do, asked once: decides which form of a kernel is compiled.

``NUMBA_CPU_NAME=generic`` and ``NUMBA_CPU_FEATURES`` are honoured, as Numba honours them, so the portable path can be
run anywhere. Both paths give the same integers.
"""

import llvmlite.binding as llvm
from numba import config


def _features() -> dict[str, bool]:
    if config.CPU_FEATURES is None:
        return dict(llvm.get_host_cpu_features())
    listed = (f.strip() for f in config.CPU_FEATURES.split(","))
    return {f[1:]: f.startswith("+") for f in listed if f}


_FEATURES = _features()
HAS_VNNI = bool(_FEATURES.get("avx512vnni"))
HAS_AVX512 = bool(_FEATURES.get("avx512f"))
HAS_F16C = bool(_FEATURES.get("f16c") or _FEATURES.get("fullfp16"))
# AMD's processors take longer to gather 16 numbers than to load them one by one.
HAS_FAST_GATHER = HAS_AVX512 and not (config.CPU_NAME or llvm.get_host_cpu_name()).startswith("znver")
