"""Best-first search in one layer (Malkov & Yashunin 2018, algorithm 2), and the greedy descent above it.

A graph view is :meth:`vecrecall.hnsw.graph.Graph.view`, a row view says what distances are taken on
(:mod:`vecrecall.kernels.distances`). ``fresh`` and ``keys`` are int32 scratch: rows seen for the first time, and their
distances.
"""

from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import inlined, inner, int64
from vecrecall.kernels.memory import load32, load64, prefetch, store32, store64
from vecrecall.kernels.pool import next_unexpanded, offer, row_of
from vecrecall.kernels.visited import keep_unseen, visit


@inner
def row_in_layer(gv, node, level):
    """Where the links of a node stand among the rows of the base layer, or of the upper ones."""
    return node if level == 0 else load32(gv[4], node) + level - 1


@inner
def neighbours(gv, node, level):
    """Address of the links of a node in a layer."""
    row = row_in_layer(gv, node, level)
    return gv[0] + row * gv[1] * 4 if level == 0 else gv[2] + row * gv[3] * 4


@inner
def ask_for_rows(view, listed, m):
    """Prefetch the first lines of listed rows and what belongs to them."""
    lines = min(view[2], 4)
    for j in range(m):
        row = load32(listed, j)
        for t in range(lines):
            prefetch(view[0] + row * view[1] + 64 * t)
        prefetch(view[3] + 4 * row)


@inner
def ask_for_links(gv, node, level):
    """Prefetch the links of a node in a layer."""
    row = neighbours(gv, node, level)
    for byte in range(0, (gv[1] if level == 0 else gv[3]) * 4, 64):
        prefetch(row + byte)


@inner
def linked(gv, node, level, fresh):
    """Copy the links of a node in an upper layer; returns how many."""
    row = neighbours(gv, node, level)
    m = 0
    for j in range(gv[3]):
        other = load32(row, j)
        if other == node:
            break
        store32(fresh, m, other)
        m += 1
    return m


@inner
def nearest_of(view, query, query_bias, node, key, fresh, m, keys):
    """The nearest of a node (at distance ``key``) and m listed rows; returns (node, key)."""
    if m > 0:
        distances(view, query, query_bias, fresh, m, keys)
    for j in range(m):
        if load32(keys, j) < key:
            key = load32(keys, j)
            node = load32(fresh, j)
    return node, key


@inner
def descend(view, gv, query, query_bias, node, key, level, fresh, keys):
    """Walk greedily to a local minimum of one upper layer; returns (node, key)."""
    while True:
        m = linked(gv, node, level, fresh)
        ask_for_rows(view, fresh, m)
        nearer, key = nearest_of(view, query, query_bias, node, key, fresh, m, keys)
        if nearer == node:
            return node, key
        node = nearer


@inlined
def search_layer(view, gv, query, query_bias, size, ef, level, pool, seen, log, log_room, keys):
    """Best-first search from the entries pool[0:size]; leaves the ef nearest in the pool.

    Returns (size, rows logged or -1 when the log ran over).
    """
    n_logged = 0
    for j in range(size):
        row = row_of(load64(pool, j))
        visit(seen, row)
        store32(log, n_logged, row)
        n_logged += 1
    ran_over = False
    degree = gv[1] if level == 0 else gv[3]
    position = next_unexpanded(pool, int64(0), int64(size))
    while position < size:
        if n_logged + degree + 4 > log_room:
            ran_over = True
            n_logged = 0
        fresh = log + 4 * n_logged
        m = keep_unseen(neighbours(gv, row_of(load64(pool, position)), level), degree, seen, fresh)
        if m > 0:
            n_logged += m
            ask_for_rows(view, fresh, m)
            if position + 1 < size:
                ask_for_links(gv, row_of(load64(pool, position + 1)), level)
            distances(view, query, query_bias, fresh, m, keys)
            position, size = offer(pool, position, size, ef, fresh, keys, m)
        position = next_unexpanded(pool, position, size)
    return size, -1 if ran_over else n_logged


@inner
def reopen(pool, size):
    """Take back the marks "expanded", for the next layer."""
    for j in range(size):
        store64(pool, j, load64(pool, j) & ~1)
