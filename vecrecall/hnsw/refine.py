"""Choosing the links of nodes anew, each by a search of the finished graph as it stood before.

The search for a node begins at its own links, at the node of the upper layers that is nearest to it and at what that
is linked to there. The first lead to what came later, the second to where the first never led. All of them stay
candidates, however far: among well-separated groups the nearest candidates are all of one group, and only the far
ones, of which the heuristic keeps a few, lead out of it.
"""

from vecrecall.hnsw.scratch import HEAD_FIELDS, KEYS, LISTED, LOG, LOG_ROOM, POOL, SEEN, SEEN_WORDS, STATE
from vecrecall.hnsw.select_neighbours import select_neighbours
from vecrecall.hnsw.walk import descend, linked, neighbours, search_layer
from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import inlined, int64, kernel
from vecrecall.kernels.memory import load32, load64, store32, store64
from vecrecall.kernels.pool import offer
from vecrecall.kernels.visited import forget, visit


@inlined
def list_starts(view, gv, n_links, query, bias, node, entry, top, seen, listed, log, keys):
    """List and mark where the search for a node begins, each once; returns how many. The node itself is marked."""
    store32(listed, 0, entry)
    distances(view, query, bias, listed, 1, keys)
    nearest, key = entry, load32(keys, 0)
    for level in range(top, 0, -1):
        nearest, key = descend(view, gv, query, bias, nearest, key, level, log, keys)
    visit(seen, node)
    m = int64(0)
    n_above = int64(0)
    if top > 0:
        n_above = linked(gv, nearest, int64(1), log)
    store32(log, n_above, nearest)
    for j in range(n_above + 1):
        store32(listed, m, load32(log, j))
        m += visit(seen, load32(log, j))
    links = neighbours(gv, node, int64(0))
    for j in range(load32(n_links, node)):
        store32(listed, m, load32(links, j))
        m += visit(seen, load32(links, j))
    return m


@inlined
def add_far(view, query, bias, pool, size, ef, listed, m, keys):
    """Add to a full pool what the search began at and found no place in it; returns its size."""
    if size < ef:
        return size
    worst, room = load64(pool, size - 1) >> 32, size + m
    distances(view, query, bias, listed, m, keys)
    n = int64(0)
    for j in range(m):
        if load32(keys, j) > worst:
            store32(listed, m + n, load32(listed, j))
            store32(keys, n, load32(keys, j))
            n += 1
    return offer(pool, int64(0), size, room, listed + 4 * m, keys, n)[1]


@kernel
def refine_links(gv, view, fv, n_links, nodes, lo, hi, entry, top, ef, fill, scratch, chosen):
    """For nodes lo..hi of a list: search the base layer, choose links among what was found.

    ``n_links``: address of the numbers of links by slot, int32; ``nodes``: of the list, int32. ``chosen``: addresses,
    by slot, of links and keys (int32, (n, 2 M)), of the numbers of links and of kept links; unused places of a row get
    the node itself.
    """
    lane, width = scratch + 8 * HEAD_FIELDS, gv[1]
    pool, seen, log = load64(lane, POOL), load64(lane, SEEN), load64(lane, LOG)
    listed, keys = load64(scratch, LISTED), load64(scratch, KEYS)
    for i in range(lo, hi):
        node = load32(nodes, i)
        query, bias = fv[0] + node * fv[1], load32(fv[2], node)
        m = list_starts(
            view, gv, n_links, query, bias, node, entry, top, seen, listed, log, keys
        )
        distances(view, query, bias, listed, m, keys)
        size = offer(pool, int64(0), int64(0), ef, listed, keys, m)[1]
        size, n_logged = search_layer(
            view, gv, query, bias, size, ef, int64(0), pool, seen, log, load64(scratch, LOG_ROOM), keys
        )
        forget(seen, log, n_logged, load64(scratch, SEEN_WORDS))
        size = add_far(view, query, bias, pool, size, ef, listed, m, keys)
        forget(seen, listed, m, int64(0))  # those that found no place in the pool
        store64(seen, node >> 6, 0)
        store32(listed, 0, node)
        distances(view, query, bias, listed, 1, keys)
        links = chosen[0] + node * width * 4
        n, kept = select_neighbours(
            view, fv, pool, size, width, fill, load32(keys, 0), links, chosen[1] + node * width * 4,
            load64(scratch, STATE), listed, keys,
        )  # fmt: skip
        for j in range(n, width):
            store32(links, j, node)
        store32(chosen[2], node, n)
        store32(chosen[3], node, kept)
