"""Links back: each new node is offered to the rows of the nodes it chose.

The links of a batch are grouped by target in the order of the batch; a target is updated by one worker. A row is
(kept, nearest first | fill, nearest first), so a new link costs one distance to each *kept* entry, not a new choice
among all.
"""

from vecrecall.hnsw.select_neighbours import COPIES
from vecrecall.hnsw.walk import ask_for_rows, neighbours, row_in_layer
from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import inlined, inner, int64, kernel
from vecrecall.kernels.memory import load32, load64, prefetch, store32


@inner
def put_fill(links, link_keys, capacity, n, kept, node, key):
    """Put a link into the fill part, which drops its farthest when the row is full; returns the number of links."""
    if n == capacity:
        if kept == n or load32(link_keys, n - 1) <= key:
            return n
        n -= 1
    j = n
    while j > kept and load32(link_keys, j - 1) > key:
        store32(links, j, load32(links, j - 1))
        store32(link_keys, j, load32(link_keys, j - 1))
        j -= 1
    store32(links, j, node)
    store32(link_keys, j, key)
    return n + 1


@inlined
def keep_link(links, link_keys, capacity, fill, n, kept, place, node, key, to_node, moved):
    """Keep a link at a place among the kept; those behind that are nearer to it than to the row's owner become fill."""
    m = 0
    t = place
    for j in range(place, kept):
        if load32(to_node, j) < load32(link_keys, j):
            store32(moved, 2 * m, load32(links, j))
            store32(moved, 2 * m + 1, load32(link_keys, j))
            m += 1
        else:
            store32(links, t, load32(links, j))
            store32(link_keys, t, load32(link_keys, j))
            t += 1
    for j in range(kept, n):  # close the gap in front of the fill
        store32(links, j - m, load32(links, j))
        store32(link_keys, j - m, load32(link_keys, j))
    n -= m
    kept -= m
    if n == capacity:
        if kept == n:
            kept -= 1
        n -= 1
    for j in range(n, place, -1):
        store32(links, j, load32(links, j - 1))
        store32(link_keys, j, load32(link_keys, j - 1))
    store32(links, place, node)
    store32(link_keys, place, key)
    n += 1
    kept += 1
    for j in range(m if fill else 0):
        n = put_fill(links, link_keys, capacity, n, kept, load32(moved, 2 * j), load32(moved, 2 * j + 1))
    return n, kept


@inlined
def add_link(
    view, query, bias, owner, own_key, links, link_keys, capacity, fill, n, kept, node, key, listed, to_node, moved
):  # fmt: skip
    """Offer a node (form ``query``) at distance ``key`` to the row of its owner; returns (links, kept).

    Whether a kept link hides the node is asked with the node's own form on both sides, so that its error cancels.
    Without fill, all links are kept ones.
    """
    place = 0
    while place < kept and load32(link_keys, place) <= key:
        place += 1
    for j in range(kept):
        store32(listed, j, load32(links, j))
    store32(listed, kept, owner)
    distances(view, query, bias, listed, kept + 1, to_node)
    hidden = place == capacity or (key == own_key and place >= COPIES and load32(link_keys, place - COPIES) == own_key)
    for j in range(place):
        if load32(to_node, j) < load32(to_node, kept):
            hidden = True
            break
    if hidden:
        return put_fill(links, link_keys, capacity if fill else n, n, kept, node, key), kept
    return keep_link(links, link_keys, capacity, fill, n, kept, place, node, key, to_node, moved)


@inlined
def is_linked(gv, node, other, level, rows):
    """Whether a node has a link to another in a layer."""
    links, found = neighbours(gv, node, level), False
    for j in range(load32(rows[1], row_in_layer(gv, node, level))):
        found |= load32(links, j) == other
    return found


@kernel
def group_by_target(gv, batch, levels, n_batch, level, linked, rows, head, following, targets):
    """Chain the links of the batch in one layer by target, in the order of the batch; returns the number of targets.

    linked: whether targets may be linked to the node already, so that their rows must be looked at and such links left
    out; rows: as :func:`link_targets` takes them; head: int32 by slot, -1 before and after; following: int32 by link
    number; targets: int32, as met.
    """
    width = gv[1]
    n_targets = 0
    for i in range(n_batch - 1, -1, -1):
        node = load32(batch, i)
        if load32(levels, node) < level:
            continue
        links, row = neighbours(gv, node, level), row_in_layer(gv, node, level)
        for j in range(load32(rows[1], row)):
            target = load32(links, j)
            if linked and is_linked(gv, target, node, level, rows):
                continue
            if load32(head, target) < 0:
                store32(targets, n_targets, target)
                n_targets += 1
            store32(following, i * width + j, load32(head, target))
            store32(head, target, i * width + j)
    return n_targets


@inlined
def list_chain(head, following, target, width, batch, nodes):
    """Nodes of the batch that chose a target, in the order of the batch; returns how many. Unchains them."""
    m = 0
    link = load32(head, target)
    while link >= 0:
        store32(nodes, m, load32(batch, link // width))
        m += 1
        link = load32(following, link)
    store32(head, target, -1)
    return m


@inner
def ask_for_target(gv, view, fv, level, target, capacity, rows, deep):
    """Prefetch the row of a target and its form; ``deep``: the codes of what it is linked to, its row being there."""
    row = row_in_layer(gv, target, level)
    links, link_keys = neighbours(gv, target, level), rows[0] + row * capacity * 4
    if deep == 1:
        ask_for_rows(view, links, load32(rows[2], row))
        return
    for byte in range(0, capacity * 4, 64):
        prefetch(links + byte)
        prefetch(link_keys + byte)
    for byte in range(0, min(fv[1], 256), 64):
        prefetch(fv[0] + target * fv[1] + byte)
    prefetch(rows[2] + 4 * row)


@kernel
def link_targets(gv, view, fv, batch, level, fill, targets, lo, hi, head, following, rows, scratch):
    """Offer the chained nodes to targets[lo:hi].

    ``rows``: addresses of the layer's link keys (as the links are held), numbers of links and of kept links.
    ``scratch``: int32, room for a batch and some, twice, and four rows. A link's key is the target's distance to the
    node, so it can be measured again from the target alone.
    """
    width, batch_room = gv[1], load64(scratch, 0)
    capacity = width if level == 0 else gv[3]
    nodes = scratch + 64
    node_keys = nodes + 4 * batch_room
    listed = node_keys + 4 * batch_room
    to_node, moved = listed + 4 * (width + 8), listed + 8 * (width + 8)
    for t in range(lo, hi):
        if t + 4 < hi:
            ask_for_target(gv, view, fv, level, load32(targets, t + 4), capacity, rows, int64(0))
        if t + 2 < hi:
            ask_for_target(gv, view, fv, level, load32(targets, t + 2), capacity, rows, int64(1))
        target = load32(targets, t)
        row = row_in_layer(gv, target, level)
        links, link_keys = neighbours(gv, target, level), rows[0] + row * capacity * 4
        n, kept = load32(rows[1], row), load32(rows[2], row)
        m = list_chain(head, following, target, width, batch, nodes)
        store32(nodes, m, target)
        distances(view, fv[0] + target * fv[1], load32(fv[2], target), nodes, m + 1, node_keys)
        own_key = load32(node_keys, m)
        for i in range(m):
            node = load32(nodes, i)
            n, kept = add_link(
                view, fv[0] + node * fv[1], load32(fv[2], node), target, own_key, links, link_keys, capacity, fill, n,
                kept, node, load32(node_keys, i), listed, to_node, moved,
            )  # fmt: skip
        store32(rows[1], row, n)
        store32(rows[2], row, kept)
        for j in range(n, capacity):
            store32(links, j, target)


@inner
def sort_links(links, link_keys, lo, hi):
    """Sort a part of a row by key; equal keys stay in their order."""
    for i in range(lo + 1, hi):
        row, key = load32(links, i), load32(link_keys, i)
        j = i
        while j > lo and load32(link_keys, j - 1) > key:
            store32(links, j, load32(links, j - 1))
            store32(link_keys, j, load32(link_keys, j - 1))
            j -= 1
        store32(links, j, row)
        store32(link_keys, j, key)


@kernel
def measure_links(gv, view, fv, level, nodes, lo, hi, rows, scratch):
    """Measure the links of nodes[lo:hi] in a layer again and put both parts of each row in order.

    Needed where keys were not kept (after a build or a load) or codes have changed.
    """
    capacity = gv[1] if level == 0 else gv[3]
    for i in range(lo, hi):
        node = load32(nodes, i)
        row = row_in_layer(gv, node, level)
        links, link_keys = neighbours(gv, node, level), rows[0] + row * capacity * 4
        n, kept = load32(rows[1], row), load32(rows[2], row)
        if n == 0:
            continue
        for j in range(n):
            store32(scratch, j, load32(links, j))
        distances(view, fv[0] + node * fv[1], load32(fv[2], node), scratch, n, scratch + 4 * (capacity + 8))
        for j in range(n):
            store32(link_keys, j, load32(scratch, capacity + 8 + j))
        sort_links(links, link_keys, int64(0), kept)
        sort_links(links, link_keys, kept, n)
