"""Choosing the links of a batch of new nodes.

A batch walks the graph as it stood before the batch, and each node also looks at the earlier nodes of its own batch,
so none is blind to a near one that arrived a moment ago. Work is cut by node, later by target, never by thread: the
same bytes for any number of threads.
"""

from vecrecall.hnsw.graph import MAX_LEVEL
from vecrecall.hnsw.scratch import HEAD_FIELDS, KEYS, LISTED, LOG, LOG_ROOM, POOL, SEEN, SEEN_WORDS, STATE
from vecrecall.hnsw.select_neighbours import select_neighbours
from vecrecall.hnsw.walk import descend, neighbours, reopen, row_in_layer, search_layer
from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import inlined, int64, kernel
from vecrecall.kernels.memory import load32, load64, store32, store64
from vecrecall.kernels.pool import offer
from vecrecall.kernels.visited import forget

_CHUNK = 256  # earlier nodes of the batch looked at in one call


@inlined
def offer_earlier(query, bias, batch, n_earlier, pool, size, ef, keys):
    """Offer the earlier nodes of the batch to the pool; returns its size."""
    slots, copies, listed = batch
    i = 0
    while i < n_earlier:
        m = min(n_earlier - i, _CHUNK)
        distances(copies, query, bias, listed + 4 * i, (m + 3) & -4, keys)  # whole fours: the list is shared
        size = offer(pool, int64(0), size, ef, slots + 4 * i, keys, m)[1]
        i += m
    return size


@inlined
def offer_earlier_of(view, query, bias, batch, levels, n_earlier, lowest, highest, pool, size, ef, listed, keys):
    """The same for those whose level is lowest..highest."""
    i = 0
    while i < n_earlier:
        m = 0
        while i < n_earlier and m < _CHUNK:
            slot = load32(batch[0], i)
            if lowest <= load32(levels, slot) <= highest:
                store32(listed, m, slot)
                m += 1
            i += 1
        if m > 0:
            distances(view, query, bias, listed, m, keys)
            size = offer(pool, int64(0), size, ef, listed, keys, m)[1]
    return size


@inlined
def choose_in_layer(gv, view, fv, batch, levels, i, level, most, size, ef, fill, scratch, chosen):
    """Search one layer from the entries in the pool, choose the links of node i of the batch; returns the pool's size.

    Earlier nodes of the batch join the pool: those of this level to ``most``, as higher ones did in the layer above.
    """
    lane = scratch + 8 * HEAD_FIELDS
    node, pool = load32(batch[0], i), load64(lane, POOL)
    query, bias = fv[0] + node * fv[1], load32(fv[2], node)
    listed, keys = load64(scratch, LISTED), load64(scratch, KEYS)
    if size > 0:  # no entries: a layer above all that are linked
        reopen(pool, size)
        size, n_logged = search_layer(
            view, gv, query, bias, size, ef, level, pool, load64(lane, SEEN), load64(lane, LOG),
            load64(scratch, LOG_ROOM), keys,
        )  # fmt: skip
        forget(load64(lane, SEEN), load64(lane, LOG), n_logged, load64(scratch, SEEN_WORDS))
    if level == 0 and most == MAX_LEVEL:
        size = offer_earlier(query, bias, batch, i, pool, size, ef, keys)
    else:
        size = offer_earlier_of(view, query, bias, batch, levels, i, level, most, pool, size, ef, listed, keys)
    store32(listed, 0, node)
    distances(view, query, bias, listed, 1, keys)
    at = i * chosen[4] + level
    n, kept = select_neighbours(
        view, fv, pool, size, gv[1] if level == 0 else gv[3], fill, load32(keys, 0), chosen[0] + at * gv[1] * 4,
        chosen[1] + at * gv[1] * 4, load64(scratch, STATE), listed, keys,
    )  # fmt: skip
    store32(chosen[2], at, n)
    store32(chosen[3], at, kept)
    return size


@kernel
def choose_links(gv, view, fv, batch, levels, lo, hi, entry, top, lowest, ef, fill, scratch, chosen):
    """For nodes lo..hi of the batch: search the layers down to ``lowest``, choose links among what was found.

    ``batch``: address of its slots, row view of copies of its rows, address of 0, 1, ... (:class:`Copies`). ``chosen``
    is where the choice goes: addresses of links and keys (int32, (batch, layers, 2 M)), of the numbers of links and of
    kept links (int32, (batch, layers)), and the number of layers. The nodes' own rows stay empty until all have chosen:
    an earlier node of the batch stands in the pool, and its row would be walked. (Walking several nodes in lanes, as
    searches do, was measured and gains nothing here.)
    """
    lane = scratch + 8 * HEAD_FIELDS
    listed, keys = load64(scratch, LISTED), load64(scratch, KEYS)
    for i in range(lo, hi):
        node = load32(batch[0], i)
        query, bias = fv[0] + node * fv[1], load32(fv[2], node)
        store32(listed, 0, entry)
        distances(view, query, bias, listed, 1, keys)
        nearest, key = entry, load32(keys, 0)
        node_level = load32(levels, node)
        for level in range(top, node_level, -1):
            nearest, key = descend(view, gv, query, bias, nearest, key, level, load64(lane, LOG), keys)
        size = int64(0)
        for level in range(node_level, lowest - 1, -1):
            most = level
            if level == node_level:
                most = int64(MAX_LEVEL)
            if level == min(top, node_level):
                store64(load64(lane, POOL), 0, (key << 32) | (nearest << 1))
                size = int64(1)
                most = int64(MAX_LEVEL)
            elif level > top:
                size = int64(0)
            size = choose_in_layer(gv, view, fv, batch, levels, i, level, most, size, ef, fill, scratch, chosen)


@kernel
def write_rows(gv, chosen, batch, levels, lo, hi, lowest, base_rows, upper_rows):
    """Write the rows of nodes lo..hi of the batch as chosen, from layer ``lowest`` up; unused places hold the node.

    ``base_rows`` and ``upper_rows``: addresses of link keys (as the links are held), numbers of links and of kept ones.
    """
    for i in range(lo, hi):
        node = load32(batch, i)
        for level in range(lowest, load32(levels, node) + 1):
            capacity, rows = gv[1] if level == 0 else gv[3], base_rows if level == 0 else upper_rows
            row, at = row_in_layer(gv, node, level), i * chosen[4] + level
            links, link_keys, n = neighbours(gv, node, level), rows[0] + row * capacity * 4, load32(chosen[2], at)
            for j in range(n):
                store32(links, j, load32(chosen[0], at * gv[1] + j))
                store32(link_keys, j, load32(chosen[1], at * gv[1] + j))
            for j in range(n, capacity):
                store32(links, j, node)
            store32(rows[1], row, n)
            store32(rows[2], row, load32(chosen[3], at))
