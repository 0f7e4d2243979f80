"""Which candidates become links: the heuristic of Malkov & Yashunin 2018, algorithm 4 (relative neighbourhood).

A candidate is kept when it is nearer to the new node than to every link kept before it. With ``fill``, free places go
to the nearest rejected candidates.

A *forms view* says in which form stored rows ask for distances: (address of forms, bytes a form, address of biases).
"""

from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import inlined, inner
from vecrecall.kernels.memory import load32, load64, store32
from vecrecall.kernels.pool import row_of

_REJECTED, _WAITING, _KEPT, _LEFT_OUT = range(4)
COPIES = 4  # links to rows that are walked as the very same


@inlined
def list_waiting(pool, first, size, state, listed):
    """Rows of the pool from ``first`` on that are neither kept nor rejected; returns how many."""
    m = 0
    for j in range(first, size):
        if load32(state, j) == _WAITING:
            store32(listed, m, row_of(load64(pool, j)))
            m += 1
    return m


@inner
def select_neighbours(view, fv, pool, size, capacity, fill, own_key, links, link_keys, state, listed, keys):
    """Choose links from an ascending pool: the kept ones first, then the fill. Returns (links, kept).

    Candidates at ``own_key``, the node's distance to itself, are its copies: a few are linked, or a node among many
    would know nothing else and a walk that meets them would not get past. For each newly kept row, its distances to
    all waiting candidates are taken at once; those nearer to it than to the new node are rejected.
    """
    copies = 0
    for i in range(size):
        copies += 1 if load64(pool, i) >> 32 == own_key else 0
        store32(state, i, _WAITING if copies <= COPIES or load64(pool, i) >> 32 != own_key else _LEFT_OUT)
    n = 0
    for i in range(size):
        if load32(state, i) != _WAITING:
            continue
        row = row_of(load64(pool, i))
        store32(links, n, row)
        store32(link_keys, n, load64(pool, i) >> 32)
        store32(state, i, _KEPT)
        n += 1
        if n == capacity:
            break
        m = list_waiting(pool, i + 1, size, state, listed)
        if m == 0:
            break
        distances(view, fv[0] + row * fv[1], load32(fv[2], row), listed, m, keys)
        m = 0
        for j in range(i + 1, size):
            if load32(state, j) == _WAITING:
                if load32(keys, m) < load64(pool, j) >> 32:
                    store32(state, j, _REJECTED)
                m += 1
    kept = n
    if fill:
        for i in range(size):
            if n == capacity:
                break
            if load32(state, i) < _KEPT:
                store32(links, n, row_of(load64(pool, i)))
                store32(link_keys, n, load64(pool, i) >> 32)
                n += 1
    return n, kept
