"""Choosing the links of a batch of new nodes.

A batch walks the graph as it stood before the batch, and each node also looks at the earlier nodes of its own batch,
so none is blind to a near one that arrived a moment ago. Work is cut by node, later by target, never by thread: the
same bytes for any number of threads.
"""

from vecrecall.hnsw.graph import MAX_LEVEL
from vecrecall.hnsw.scratch import HEAD_FIELDS, KEYS, LISTED, LOG, LOG_ROOM, POOL, SEEN, SEEN_WORDS, STATE
from vecrecall.hnsw.select_neighbours import select_neighbours
from vecrecall.hnsw.walk import descend, reopen, search_layer
from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import inner, int64, kernel
from vecrecall.kernels.memory import load32, load64, store32, store64
from vecrecall.kernels.pool import offer
from vecrecall.kernels.visited import forget

_CHUNK = 256  # earlier nodes of the batch looked at in one call


@inner
def offer_earlier(view, query, bias, batch, levels, n_earlier, lowest, highest, pool, size, ef, listed, keys):
    """Offer the earlier nodes of the batch whose level is lowest..highest to the pool; returns its size."""
    i = 0
    while i < n_earlier:
        m = 0
        while i < n_earlier and m < _CHUNK:
            slot = load32(batch, i)
            if lowest <= load32(levels, slot) <= highest:
                store32(listed, m, slot)
                m += 1
            i += 1
        if m > 0:
            distances(view, query, bias, listed, m, keys)
            size = offer(pool, int64(0), size, ef, listed, keys, m)[1]
    return size


@inner
def links_of_layer(gv, view, fv, batch, levels, i, level, most, size, ef, fill, scratch, lane, chosen):
    """Search one layer from the entries in the pool, choose the links of node i of the batch; returns the pool's size.

    Earlier nodes of the batch join the pool: those of this level to ``most``, as higher ones did in the layer above.
    """
    node, pool = load32(batch, i), load64(lane, POOL)
    query, bias = fv[0] + node * fv[1], load32(fv[2], node)
    listed, keys = load64(scratch, LISTED), load64(scratch, KEYS)
    if size > 0:  # no entries: a layer above all that are linked
        reopen(pool, size)
        size, n_logged = search_layer(
            view, gv, query, bias, size, ef, level, pool, load64(lane, SEEN), load64(lane, LOG),
            load64(scratch, LOG_ROOM), keys,
        )  # fmt: skip
        forget(load64(lane, SEEN), load64(lane, LOG), n_logged, load64(scratch, SEEN_WORDS))
    size = offer_earlier(view, query, bias, batch, levels, i, level, most, pool, size, ef, listed, keys)
    at = i * chosen[4] + level
    store32(listed, 0, node)
    distances(view, query, bias, listed, 1, keys)
    n, kept = select_neighbours(
        view, fv, pool, size, gv[1] if level == 0 else gv[3], fill, load32(keys, 0), chosen[0] + at * gv[1] * 4,
        chosen[1] + at * gv[1] * 4, load64(scratch, STATE), listed, keys,
    )  # fmt: skip
    store32(chosen[2], at, n)
    store32(chosen[3], at, kept)
    return size


@kernel
def choose_links(gv, view, fv, batch, levels, lo, hi, entry, top, ef, fill, scratch, chosen):
    """For nodes lo..hi of the batch: search every layer from the entry, choose links among what was found.

    ``chosen`` is where they go: addresses of links and keys (int32, (batch, layers, 2 M)), of the numbers of links and
    of kept links (int32, (batch, layers)), and the number of layers. (Walking several nodes in lanes, as searches do,
    was measured and gains nothing here.)
    """
    lane = scratch + 8 * HEAD_FIELDS
    listed, keys = load64(scratch, LISTED), load64(scratch, KEYS)
    for i in range(lo, hi):
        node = load32(batch, i)
        query, bias = fv[0] + node * fv[1], load32(fv[2], node)
        store32(listed, 0, entry)
        distances(view, query, bias, listed, 1, keys)
        nearest, key = entry, load32(keys, 0)
        node_level = load32(levels, node)
        for level in range(top, node_level, -1):
            nearest, key = descend(view, gv, query, bias, nearest, key, level, load64(lane, LOG), keys)
        size = int64(0)
        for level in range(node_level, -1, -1):
            most = level
            if level == node_level:
                most = int64(MAX_LEVEL)
            if level == min(top, node_level):
                store64(load64(lane, POOL), 0, (key << 32) | (nearest << 1))
                size = int64(1)
                most = int64(MAX_LEVEL)
            elif level > top:
                size = int64(0)
            size = links_of_layer(gv, view, fv, batch, levels, i, level, most, size, ef, fill, scratch, lane, chosen)
