"""Rotation, query forms and codes of one vector.

z = R'(x - mean), with R held in int8 and x entering as uint8 (a range for each dimension), so the rotation is an
integer dot like any other: R's rows are a row view and z comes out of :func:`distances`. A *rotation view* is a tuple
of int64:

== =====================================================================================
0  dimensions of x
1  dimensions of z (p), and 2: the same filled up to whole blocks
3  addresses of low, 4: 1/step (float32 by dimension of x), 5: mean
6  row view of R: address, 7: bytes a row, 8: blocks a row, 9: its bias (zeros, int32)
10 address of 0, 1, ..., p - 1 (int32, filled up to a multiple of four)
11 addresses of scale, 12: offset (float32 by dimension of z)
13 address of the steps: 1/query step, 1/code step, code step, 1/unit, 1 + |mean|**2 (float32)
14 bits of a code: 4 or 8
15 address of constants: four zeros and 1.0 (float32), at byte 24 the address of the function for float32 rows under l2
16 1 under ip: biases of queries hold no energy, those of rows are not written (scales stand there)
17 address of the function for rows of int8
18 address of what is added to z in a query form (float32)
== =====================================================================================

x is float32 filled up with zeros to whole blocks of 16. Scratch for one vector: ``levels`` (uint8, bytes of a row of
R), ``dots`` (int32, p + 4), ``z`` (float32, whole blocks).
"""

import numpy as np

from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import inlined, inner, int64, kernel
from vecrecall.kernels.memory import (
    clip,
    float_of_bits,
    floor32,
    load32,
    load64,
    load_f32,
    load_u8,
    store32,
    store_f32,
    store_u8,
)

_ZERO, _HALF, _TWO, _TOP = np.float32(0), np.float32(0.5), np.float32(2), np.float32(255)
_LOW8, _HIGH8 = np.float32(-127), np.float32(127)
_LOW4, _HIGH4, _MIDDLE4 = np.float32(-8), np.float32(7.5), np.float32(7.5)
_FAR = np.float32(2**29)  # biases are held here: two of them and a dot stay inside int32


@inner
def rotate(rv, x, levels, dots, z):
    """z = R'(x - mean), zeros behind p."""
    for j in range(rv[0]):
        level = clip((load_f32(x, j) - load_f32(rv[3], j)) * load_f32(rv[4], j), _ZERO, _TOP)
        store_u8(levels, j, floor32(level + _HALF))
    distances((rv[6], rv[7], rv[8], rv[9], rv[17], 0), levels, 0, rv[10], rv[1], dots)
    for j in range(rv[1]):
        store_f32(z, j, load_f32(rv[12], j) - np.float32(load32(dots, j)) * load_f32(rv[11], j))
    for j in range(rv[1], rv[2]):
        store_f32(z, j, _ZERO)


@inner
def squared_length(x, origin, blocks, constants, out):
    """|x - origin|**2 over blocks of 16 float32; ``origin`` 0 stands for the zero vector."""
    scale = constants + (0 if origin == 0 else 16)
    distances((x if origin == 0 else origin, 0, blocks, scale, load64(constants, 3), 0), x, 0, constants, 1, out)
    return float_of_bits(load32(out, 0))


@inner
def query_bias(rv, total, full):
    """Bias of a form whose bytes sum to ``total``, of a vector at squared distance ``full`` from the mean.

    Codes are held without a sign, so they stand too high: 4-bit ones by 8, less the half step that they mean.
    """
    correction = 128 * total if rv[14] == 8 else floor32(_MIDDLE4 * np.float32(total))
    if rv[16] == 1:  # the product of a vector of length 1 with the mean, out of its distance to the mean
        return floor32((load_f32(rv[13], 4) - full) * load_f32(rv[13], 3)) - correction
    return floor32(clip(full * load_f32(rv[13], 3), _ZERO, _FAR)) + correction


@inner
def write_form(rv, z, full, form):
    """The query form of z, int8; returns the query bias."""
    inverse = load_f32(rv[13], 0)
    total = 0
    for j in range(rv[2]):
        c = floor32(clip((load_f32(z, j) + load_f32(rv[18], j)) * inverse, _LOW8, _HIGH8) + _HALF)
        total += c
        store_u8(form, j, c)
    return query_bias(rv, int64(total), full)


@inlined
def write_code8(rv, z, code):
    """8-bit code of z, 128 too high; returns (|z^|**2, error)."""
    step, inverse = load_f32(rv[13], 2), load_f32(rv[13], 1)
    size, error = _ZERO, _ZERO
    for j in range(rv[2]):
        t = load_f32(z, j)
        c = floor32(clip(t * inverse, _LOW8, _HIGH8) + _HALF)
        store_u8(code, j, c + 128)
        held = np.float32(c) * step
        size += held * held
        error += (t - held) * (t - held)
    return size, error


@inlined
def write_code4(rv, z, code):
    """4-bit code of z, two dimensions of a block of 128 in a byte; returns (|z^|**2, error)."""
    step, inverse = load_f32(rv[13], 2), load_f32(rv[13], 1)
    size, error = _ZERO, _ZERO
    for block in range(0, rv[2], 128):
        for j in range(block, block + 128):
            t = load_f32(z, j)
            c = floor32(clip(t * inverse, _LOW4, _HIGH4))
            held = (np.float32(c) + _HALF) * step
            if j < rv[1]:
                size += held * held
                error += (t - held) * (t - held)
        for j in range(64):
            low = floor32(clip(load_f32(z, block + j) * inverse, _LOW4, _HIGH4)) + 8
            high = floor32(clip(load_f32(z, block + 64 + j) * inverse, _LOW4, _HIGH4)) + 8
            store_u8(code, (block >> 1) + j, low | (high << 4))
    return size, error


@inlined
def write_code(rv, z, full, code, dots):
    """Code of z; returns (bias, squared error of the code). The energy lost by the projection goes into the bias."""
    within = squared_length(z, int64(0), rv[2] >> 4, rv[15], dots)
    if rv[14] == 8:
        size, error = write_code8(rv, z, code)
    else:
        size, error = write_code4(rv, z, code)
    lost = full - within if full > within else _ZERO
    bias = floor32(clip((size + lost) * load_f32(rv[13], 3), _ZERO, _FAR))
    return bias, error + lost


@inner
def encode_query(rv, x, form, levels, dots, z):
    """Write the query form of x; returns its bias."""
    rotate(rv, x, levels, dots, z)
    return write_form(rv, z, squared_length(x, rv[5], (rv[0] + 15) >> 4, rv[15], dots), form)


@inner
def _move_into_range(rv, x):
    """Move x to the nearest place that it can be rotated from; returns the square of how far.

    What stands beyond would else be added to distances from both sides: rows far out would be far from each other, and
    from themselves.
    """
    outside = np.int32(0)
    for j in range(rv[0]):
        level = (load_f32(x, j) - load_f32(rv[3], j)) * load_f32(rv[4], j)
        outside |= np.int32(level < _ZERO) | np.int32(level > _TOP)
    beyond = _ZERO
    if outside != 0:
        for j in range(rv[0]):
            low = load_f32(rv[3], j)
            inside = clip(load_f32(x, j), low, low + _TOP / load_f32(rv[4], j))
            beyond += (load_f32(x, j) - inside) * (load_f32(x, j) - inside)
            store_f32(x, j, inside)
    return beyond


@kernel
def project_rows(rv, x, row_bytes, n, z, lost, beyond, levels, dots):
    """z of n rows, side by side in whole blocks, and the energy that it lacks. All arguments but n are addresses.

    Under distances a row outside the range of the axes is moved into it first (x changes); the square of how far goes
    to ``beyond``.
    """
    for i in range(n):
        row, to = x + i * row_bytes, z + 4 * i * rv[2]
        store_f32(beyond, i, _move_into_range(rv, row) if rv[16] == 0 else _ZERO)
        rotate(rv, row, levels, dots, to)
        full = squared_length(row, rv[5], (rv[0] + 15) >> 4, rv[15], dots)
        within = squared_length(to, int64(0), rv[2] >> 4, rv[15], dots)
        store_f32(lost, i, full - within if full > within else _ZERO)


@kernel
def encode_rows(rv, x, row_bytes, n, forms, form_bias, codes, code_bytes, bias, error, levels, dots, z):
    """Query forms, codes, biases and squared errors of n rows. All arguments but n are addresses or sizes in bytes.

    Under distances a row outside the range of the axes is moved into it first (x changes).
    """
    for i in range(n):
        row = x + i * row_bytes
        beyond = _move_into_range(rv, row) if rv[16] == 0 else _ZERO
        rotate(rv, row, levels, dots, z)
        full = squared_length(row, rv[5], (rv[0] + 15) >> 4, rv[15], dots)
        store32(form_bias, i, write_form(rv, z, full, forms + i * rv[2]))
        row_bias, row_error = write_code(rv, z, full, codes + i * code_bytes, dots)
        if rv[16] == 0:
            store32(bias, i, row_bias)
        store_f32(error, i, row_error + beyond)


@kernel
def forms_of_codes(rv, codes, code_bytes, bias, n, forms, form_bias):
    """Query forms of rows of which only the codes are left (``keep=None``)."""
    inverse, step, size = load_f32(rv[13], 0), load_f32(rv[13], 2), load_f32(rv[13], 4)
    for i in range(n):
        code, form = codes + i * code_bytes, forms + i * rv[2]
        total = 0
        along = _ZERO  # product of z with the part of the mean that is walked in
        for j in range(rv[2]):
            c = _ZERO
            if rv[14] == 8:
                c = np.float32(load_u8(code, j) - 128)
            elif j < rv[1]:
                c = np.float32((load_u8(code, ((j >> 7) << 6) + (j & 63)) >> (4 if j & 64 else 0)) & 15) - _MIDDLE4
            shift = load_f32(rv[18], j)
            along += c * step * shift
            f = floor32(clip((c * step + shift) * inverse, _LOW8, _HIGH8) + _HALF)
            total += f
            store_u8(form, j, f)
        if rv[16] == 1:
            store32(form_bias, i, query_bias(rv, int64(total), _TWO - size - _TWO * along))
        else:
            store32(form_bias, i, load32(bias, i) + query_bias(rv, int64(total), _ZERO))
