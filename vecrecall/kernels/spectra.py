"""How many eigenvalues of a symmetric matrix are large: its tridiagonal form, and counts by Sturm sequences.

The eigenvalues themselves are not needed. LAPACK, which finds them all, takes twice as long for matrices of a hundred
rows.
"""

from typing import Any

import numpy as np

from vecrecall.kernels.jit import inlined, inner, kernel

_HALVINGS = 64


@kernel
def count_large(matrices: Any, share: Any, scratch: Any, out: Any) -> None:
    """out[b] = how many eigenvalues of matrix b exceed ``share`` times the greatest; 0 where none is above 0.

    Parameters
    ----------
    matrices : float64 (m, n, n), destroyed
        Symmetric, without negative eigenvalues but for rounding.
    share : float64
    scratch : float64 (6, n)
    out : int64 (m,)
    """
    n = matrices.shape[1]
    for b in range(len(matrices)):
        most = 0.0
        for i in range(n):
            most = max(most, matrices[b, i, i])
        out[b] = 0
        if most > 0.0 and np.isfinite(1 / most):
            for i in range(n):
                row = matrices[b, i]
                for j in range(n):
                    row[j] *= 1 / most  # squares of elements are to be within range
            _tridiagonalise(matrices[b], scratch[0], scratch[1], scratch[2:])
            out[b] = _count(scratch[0], scratch[1], share)


@inlined
def _tridiagonalise(A, diagonal, off, reflectors):
    """Householder's reduction (Golub & Van Loan 2013, algorithm 8.3.1); off[i]: element (i + 1, i), squared.

    A step takes v w' + w v' off what is left of the matrix. The first row of that gives the next reflector v, so the
    product of v with the other rows, which becomes w, is added up as they are changed: one pass over memory in place of
    two. Both triangles are kept, so that all loops run along rows, and from 0, as wide instructions ask.
    """
    n = len(A)
    v, w, next_v, next_w = reflectors[0], reflectors[1], reflectors[2], reflectors[3]
    v[:n] = 0.0
    w[:n] = 0.0
    for i in range(n):
        m = n - 1 - i
        # what is left: rows i.. ; v and w belong to columns i..
        row, of_v, of_w = A[i, i:], v[0], w[0]
        for c in range(m + 1):
            row[c] -= of_v * w[c] + of_w * v[c]
        diagonal[i] = row[0]
        off[i] = 0.0
        if m == 0:
            break
        x, rest = A[i, i + 1 :], 0.0
        for c in range(1, m):
            rest += x[c] * x[c]
        off[i] = rest + x[0] * x[0]
        beta = 0.0
        if rest > 0.0:
            norm = np.sqrt(off[i])
            x[0] = x[0] + norm if x[0] > 0 else x[0] - norm
            beta = 2.0 / (x[0] * x[0] + rest)
        for c in range(m):
            next_v[c] = x[c]
            next_w[c] = 0.0
        v_rest, w_rest = v[1:], w[1:]
        for r in range(m):
            row, of_v, of_w, factor = A[i + 1 + r, i + 1 :], v_rest[r], w_rest[r], beta * next_v[r]
            for c in range(m):
                changed = row[c] - (of_v * w_rest[c] + of_w * v_rest[c])
                row[c] = changed
                next_w[c] += factor * changed
        product = 0.0
        for c in range(m):
            product += next_w[c] * next_v[c]
        half = beta * product / 2
        for c in range(m):
            next_w[c] -= half * next_v[c]
        v, next_v = next_v, v
        w, next_w = next_w, w


@inlined
def _count(diagonal, off, share):
    """Eigenvalues above a share of the greatest, which is narrowed down until their number is certain."""
    n = len(diagonal)
    low, high = 0.0, 0.0
    for i in range(n):
        around = np.sqrt(off[i]) + (np.sqrt(off[i - 1]) if i > 0 else 0.0)
        low, high = max(low, diagonal[i]), max(high, diagonal[i] + around)
    for step in range(_HALVINGS):
        if step % 4 == 3 and _above(diagonal, off, share * low) == _above(diagonal, off, share * high):
            break
        middle = 0.5 * (low + high)
        if _above(diagonal, off, middle) > 0:
            low = middle
        else:
            high = middle
    return _above(diagonal, off, share * high)


@inner
def _above(diagonal: Any, off: Any, x: Any) -> Any:
    """Eigenvalues greater than x: pivots of T - x that are not negative (Barth, Martin & Wilkinson 1967)."""
    n_above = 0
    pivot = 1.0
    before = 0.0
    for i in range(len(diagonal)):
        pivot = diagonal[i] - x - before / pivot
        if pivot == 0.0:
            pivot = -1e-300
        n_above += pivot > 0.0
        before = off[i]
    return n_above
