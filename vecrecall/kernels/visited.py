"""Visited sets: a bitmap over rows and a log of what was marked, so that forgetting costs what was visited."""

from vecrecall.kernels.jit import inner
from vecrecall.kernels.memory import load32, load64, store32, store64


@inner
def visit(seen, row):
    """Mark a row; returns 1 when it was not marked before."""
    word = load64(seen, row >> 6)
    store64(seen, row >> 6, word | (1 << (row & 63)))
    return 1 - ((word >> (row & 63)) & 1)


@inner
def keep_unseen(neighbours, degree, seen, fresh):
    """Copy the neighbours not marked yet to ``fresh`` and mark them, without a branch; returns how many."""
    m = 0
    for j in range(degree):
        row = load32(neighbours, j)
        store32(fresh, m, row)
        m += visit(seen, row)
    return m


@inner
def forget(seen, log, n_logged, n_words):
    """Unmark what the log lists, or everything when the log ran over (``n_logged`` < 0)."""
    if n_logged < 0:
        for j in range(n_words):
            store64(seen, j, 0)
    for j in range(n_logged):
        store64(seen, load32(log, j) >> 6, 0)
