"""Choosing the links of a batch of new nodes, and linking back.

A batch walks the graph as it stood before the batch, and each node also looks at the earlier nodes of its own batch,
so none is blind to a near one that arrived a moment ago. Work is cut by node, later by target, never by thread: the
same bytes for any number of threads.
"""

from vecrecall.hnsw.graph import MAX_LEVEL
from vecrecall.hnsw.lanes import DONE, IDLE, advance, leave, open_base, set_out
from vecrecall.hnsw.scratch import (
    ASKED, BIAS, HEAD_FIELDS, KEY, KEYS, LANE_FIELDS, LISTED, LOG, LOG_ROOM, POOL, QUERY, SEEN, SEEN_WORDS, SIZE, STAGE,
    STATE,
)  # fmt: skip
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
def choose_among(gv, view, fv, scratch, pool, size, level, i, fill, chosen):
    """Choose the links of node i of the batch in a layer among its pool."""
    at = i * chosen[4] + level
    n, kept = select_neighbours(
        view, fv, pool, size, gv[1] if level == 0 else gv[3], fill, chosen[0] + at * gv[1] * 4,
        chosen[1] + at * gv[1] * 4, load64(scratch, STATE), load64(scratch, LISTED), load64(scratch, KEYS),
    )  # fmt: skip
    store32(chosen[2], at, n)
    store32(chosen[3], at, kept)


@inner
def link_upper(gv, view, fv, batch, levels, i, entry, top, ef, fill, scratch, lane, chosen):
    """Choose the links of a node that reaches upper layers in all of these; leave the lane at work in the base layer.

    Such nodes are few (1 of M), so this walk is not taken in turn with others.
    """
    pool, seen, log, log_room = load64(lane, POOL), load64(lane, SEEN), load64(lane, LOG), load64(scratch, LOG_ROOM)
    listed, keys = load64(scratch, LISTED), load64(scratch, KEYS)
    query, bias = load64(lane, ASKED), load64(lane, BIAS)
    node_level = load32(levels, load32(batch, i))
    nearest, key = entry, load64(lane, KEY)
    for level in range(top, node_level, -1):
        nearest, key = descend(view, gv, query, bias, nearest, key, level, log, keys)
    size = int64(0)
    for level in range(node_level, 0, -1):
        highest = level  # higher ones were offered in the layer above, and their pool goes on here
        if level == node_level:
            highest = int64(MAX_LEVEL)
        if level == min(top, node_level):
            store64(pool, 0, (key << 32) | (nearest << 1))
            size = int64(1)
            highest = int64(MAX_LEVEL)
        if level <= top:
            reopen(pool, size)
            size, n_logged = search_layer(view, gv, query, bias, size, ef, level, pool, seen, log, log_room, keys)
            forget(seen, log, n_logged, load64(scratch, SEEN_WORDS))
        size = offer_earlier(view, query, bias, batch, levels, i, level, highest, pool, size, ef, listed, keys)
        choose_among(gv, view, fv, scratch, pool, size, level, i, fill, chosen)
    if top == 0:  # nothing was walked above
        store64(pool, 0, (key << 32) | (nearest << 1))
        size = int64(1)
    reopen(pool, size)
    open_base(gv, lane, int64(size))


@inner
def begin(gv, view, fv, batch, levels, i, entry, top, ef, fill, scratch, lane, chosen):
    """Take node i of the batch into a lane."""
    node = load32(batch, i)
    listed, keys = load64(scratch, LISTED), load64(scratch, KEYS)
    store64(lane, QUERY, i)
    store64(lane, ASKED, fv[0] + node * fv[1])
    store64(lane, BIAS, load32(fv[2], node))
    store32(listed, 0, entry)
    distances(view, load64(lane, ASKED), load64(lane, BIAS), listed, 1, keys)
    set_out(lane, entry, load32(keys, 0), top)
    if load32(levels, node) > 0:
        link_upper(gv, view, fv, batch, levels, i, entry, top, ef, fill, scratch, lane, chosen)


@inner
def finish(gv, view, fv, batch, levels, top, ef, fill, scratch, lane, chosen):
    """Choose the base links of the lane's node among its pool and the earlier nodes of the batch."""
    i, pool = load64(lane, QUERY), load64(lane, POOL)
    leave(scratch, lane)
    offered_above = top > 0 and load32(levels, load32(batch, i)) > 0
    highest = int64(0 if offered_above else MAX_LEVEL)
    size = offer_earlier(
        view, load64(lane, ASKED), load64(lane, BIAS), batch, levels, i, int64(0), highest, pool, load64(lane, SIZE),
        ef, load64(scratch, LISTED), load64(scratch, KEYS),
    )  # fmt: skip
    choose_among(gv, view, fv, scratch, pool, size, int64(0), i, fill, chosen)


@kernel
def choose_links(gv, view, fv, batch, levels, lo, hi, entry, top, ef, fill, scratch, n_lanes, chosen):
    """For nodes lo..hi of the batch: search every layer from the entry, choose links among what was found.

    ``chosen`` is where they go: addresses of links and keys (int32, (batch, layers, 2 M)), of the numbers of links and
    of kept links (int32, (batch, layers)), and the number of layers.
    """
    lanes = scratch + 8 * HEAD_FIELDS
    for j in range(n_lanes):
        store64(lanes + 8 * LANE_FIELDS * j, STAGE, IDLE)
    coming, active = lo, 1
    while active > 0:
        active = 0
        for j in range(n_lanes):
            lane = lanes + 8 * LANE_FIELDS * j
            if load64(lane, STAGE) == DONE:
                finish(gv, view, fv, batch, levels, top, ef, fill, scratch, lane, chosen)
                store64(lane, STAGE, IDLE)
            if load64(lane, STAGE) != IDLE:
                advance(gv, view, scratch, lane, ef)
                active += 1
            elif coming < hi:
                begin(gv, view, fv, batch, levels, coming, entry, top, ef, fill, scratch, lane, chosen)
                coming += 1
                active += 1
