"""``schedule="sequential"``: insertion vector by vector, as Malkov & Yashunin 2018 print it (algorithm 1).

A new node takes M links in every layer; a full row that gets one more link is chosen anew by the heuristic. No fill.
One line is that of the authors' own library, hnswlib, and not of the paper: a lower layer is entered at the nearest
node found above, and not at all of them. Elsewhere that shows little, but where well-separated groups come one after
another those found above lie in several, and to enter at all of them hides most of what the order does to such a graph.
"""

from vecrecall.hnsw.scratch import (
    BEST, HEAD_FIELDS, KEYS, LISTED, LOG, LOG_ROOM, OWN_KEYS, OWN_LINKS, POOL, SEEN, SEEN_WORDS, STATE,
)  # fmt: skip
from vecrecall.hnsw.select_neighbours import select_neighbours
from vecrecall.hnsw.walk import descend, neighbours, reopen, row_in_layer, search_layer
from vecrecall.kernels.distances import MISSING, distances
from vecrecall.kernels.jit import boolean, inner, int64, kernel
from vecrecall.kernels.memory import load32, load64, store32, store64
from vecrecall.kernels.pool import insert_sorted
from vecrecall.kernels.visited import forget


@inner
def append_or_choose(gv, view, fv, target, node, level, rows, scratch):
    """Link target -> node; a full row is chosen anew among its links and the node."""
    capacity = gv[1] if level == 0 else gv[3]
    row = row_in_layer(gv, target, level)
    links, n = neighbours(gv, target, level), load32(rows[1], row)
    if n < capacity:
        store32(links, n, node)
        store32(rows[1], row, n + 1)
        store32(rows[2], row, n + 1)
        return
    listed, keys, pool = load64(scratch, LISTED), load64(scratch, KEYS), load64(scratch, BEST)
    for j in range(n):
        store32(listed, j, load32(links, j))
    store32(listed, n, node)
    distances(view, fv[0] + target * fv[1], load32(fv[2], target), listed, n + 1, keys)
    for j in range(n + 1):
        insert_sorted(pool, j, (load32(keys, j) << 32) | (load32(listed, j) << 1))
    state, ignored = load64(scratch, STATE), load64(scratch, OWN_KEYS)
    m, kept = select_neighbours(
        view, fv, pool, n + 1, capacity, boolean(False), int64(MISSING), links, ignored, state, listed, keys
    )
    for j in range(m, capacity):
        store32(links, j, target)
    store32(rows[1], row, m)
    store32(rows[2], row, m)


@inner
def link_both_ways(gv, view, fv, node, level, size, M, rows, scratch):
    """Choose M links of a node among the pool, write its row, link back."""
    pool, state = load64(scratch + 8 * HEAD_FIELDS, POOL), load64(scratch, STATE)
    own, own_keys = load64(scratch, OWN_LINKS), load64(scratch, OWN_KEYS)
    listed, keys = load64(scratch, LISTED), load64(scratch, KEYS)
    n, kept = select_neighbours(
        view, fv, pool, size, M, boolean(False), int64(MISSING), own, own_keys, state, listed, keys
    )
    row, links = row_in_layer(gv, node, level), neighbours(gv, node, level)
    for j in range(n):
        store32(links, j, load32(own, j))
    store32(rows[1], row, n)
    store32(rows[2], row, n)
    for j in range(n):
        append_or_choose(gv, view, fv, load32(own, j), node, level, rows, scratch)


@kernel
def insert_one_by_one(gv, view, fv, slots, levels, lo, hi, entry, top, ef, base_rows, upper_rows, scratch):
    """Insert slots[lo:hi], each into the graph that the ones before have left; returns (entry, top)."""
    lane = scratch + 8 * HEAD_FIELDS
    pool, seen, log, log_room = load64(lane, POOL), load64(lane, SEEN), load64(lane, LOG), load64(scratch, LOG_ROOM)
    listed, keys = load64(scratch, LISTED), load64(scratch, KEYS)
    for i in range(lo, hi):
        node = load32(slots, i)
        node_level = load32(levels, node)
        if top < 0:
            entry, top = node, node_level
            continue
        query, bias = fv[0] + node * fv[1], load32(fv[2], node)
        store32(listed, 0, entry)
        distances(view, query, bias, listed, 1, keys)
        nearest, key = entry, load32(keys, 0)
        for level in range(top, node_level, -1):
            nearest, key = descend(view, gv, query, bias, nearest, key, level, log, keys)
        store64(pool, 0, (key << 32) | (nearest << 1))
        for level in range(min(top, node_level), -1, -1):
            size = int64(1)  # the nearest found above
            reopen(pool, size)
            size, n_logged = search_layer(view, gv, query, bias, size, ef, level, pool, seen, log, log_room, keys)
            forget(seen, log, n_logged, load64(scratch, SEEN_WORDS))
            link_both_ways(gv, view, fv, node, level, size, gv[3], base_rows if level == 0 else upper_rows, scratch)
        if node_level > top:
            entry, top = node, node_level
    return entry, top
