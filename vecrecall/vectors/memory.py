"""Arrays whose rows start on cache lines."""

import numpy as np

from vecrecall.kernels.memory import address

LINE = 64


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """Zeros that start at a multiple of 64 bytes.

    The bytes come as one numpy array of uint8: numpy asks the system for huge pages for large zeroed arrays, which an
    aligned view keeps.
    """
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(n_bytes + LINE, np.uint8)
    start = -address(raw) % LINE
    return raw[start : start + n_bytes].view(dtype).reshape(shape)


def grown(array: np.ndarray, n_rows: int) -> np.ndarray:
    """The same rows in a writable aligned array of at least ``n_rows`` rows.

    Capacity grows by half at least, so that many small adds copy little. An array that is large enough is returned as
    it is, unless it is read-only (mapped); the old array is never touched.
    """
    if n_rows <= len(array) and array.flags.writeable:
        return array
    capacity = max(n_rows, len(array) + len(array) // 2) if n_rows > len(array) else len(array)
    out = aligned_zeros((capacity, *array.shape[1:]), array.dtype)
    out[: len(array)] = array
    return out
