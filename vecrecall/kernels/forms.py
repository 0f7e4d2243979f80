"""The compiled distance functions, one a form of rows: each is compiled when an index first needs it, and called by
address, so that no kernel holds a copy.
"""

from functools import cache
from typing import Any

from numba import cfunc, types

from vecrecall.kernels.call import native_address
from vecrecall.kernels.distances import KEYS_OF

_SIGNATURE = types.void(*[types.int64] * 10)
_sq4_keys = KEYS_OF["sq4"]
_sq8_keys = KEYS_OF["sq8"]
_s8_keys = KEYS_OF["s8"]
_sq4_ip_keys = KEYS_OF["sq4_ip"]
_sq8_ip_keys = KEYS_OF["sq8_ip"]
_f32_l2_keys = KEYS_OF["f32_l2"]
_f16_l2_keys = KEYS_OF["f16_l2"]
_u8_l2_keys = KEYS_OF["u8_l2"]
_f32_ip_keys = KEYS_OF["f32_ip"]
_f16_ip_keys = KEYS_OF["f16_ip"]
_u8_ip_keys = KEYS_OF["u8_ip"]


def _sq4(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _sq4_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _sq8(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _sq8_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _s8(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _s8_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _sq4_ip(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _sq4_ip_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _sq8_ip(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _sq8_ip_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _f32_l2(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _f32_l2_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _f16_l2(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _f16_l2_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _u8_l2(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _u8_l2_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _f32_ip(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _f32_ip_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _f16_ip(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _f16_ip_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


def _u8_ip(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out):
    _u8_ip_keys(rows, row_bytes, n_blocks, bias, scale_bytes, query, query_bias, listed, m, out)


_FUNCTIONS = {
    "sq4": _sq4,
    "sq8": _sq8,
    "s8": _s8,
    "sq4_ip": _sq4_ip,
    "sq8_ip": _sq8_ip,
    "f32_l2": _f32_l2,
    "f16_l2": _f16_l2,
    "u8_l2": _u8_l2,
    "f32_ip": _f32_ip,
    "f16_ip": _f16_ip,
    "u8_ip": _u8_ip,
}


@cache
def _compiled(form: str) -> Any:
    try:
        return cfunc(_SIGNATURE, cache=True)(_FUNCTIONS[form])
    except RuntimeError:  # no cache folder can be written
        return cfunc(_SIGNATURE)(_FUNCTIONS[form])


def distance_function(form: str) -> int:
    """Address of the compiled function of a form, for a row view. It lives as long as the process."""
    return native_address(_compiled(form))
