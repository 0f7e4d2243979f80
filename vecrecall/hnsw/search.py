"""Search: queries walk in lanes over the codes, kept rows decide."""

import numpy as np

from vecrecall.hnsw.lanes import DONE, IDLE, advance, leave, open_base, set_out
from vecrecall.hnsw.plan import (
    CODED, CONSTANTS, DIM, ENTRIES_LISTED, ENTRY, ENTRY_SLOTS, GROUP_STARTS, METRIC, N, N_GROUPS, PADDED_DIM,
    ROWS_KEPT, TOP, UNIT,
    entries, graph, kept, rotation, walked,
)  # fmt: skip
from vecrecall.hnsw.scratch import (
    ASKED, BEST, BIAS, DOTS, EVALS, FLOATS, FORM, HEAD_FIELDS, HOPS, KEYS, LANE_FIELDS, LENGTH, LEVELS, LISTED,
    N_LOGGED, POOL, QUERY, RAN_OVER, SIZE, STAGE, WALKED, Z,
)  # fmt: skip
from vecrecall.kernels.distances import distances
from vecrecall.kernels.encode import encode_query, squared_length
from vecrecall.kernels.jit import inlined, inner, int64, kernel
from vecrecall.kernels.memory import (
    address, load32, load64, load_f32, prefetch, root32, store32, store64, store_f32,
)  # fmt: skip
from vecrecall.kernels.pool import insert_sorted, row_of
from vecrecall.vectors.ranking import estimated_distance, exact_distance, keep_nearest
from vecrecall.vectors.spaces import METRIC_CODES

_L2, _IP = METRIC_CODES["l2"], METRIC_CODES["ip"]
_ZERO, _ONE = np.float32(0), np.float32(1)


@inlined
def prepare(plan, head, lane, q):
    """Bring a query into the form that rows are walked with (ASKED) and the one they are compared with (FLOATS).

    False when it is not finite, or too long for float32.
    """
    dim, metric = load64(plan, DIM), load64(plan, METRIC)
    constants, dots = load64(plan, CONSTANTS), load64(head, DOTS)
    compared, asked = load64(lane, FLOATS), load64(lane, FLOATS)
    for j in range(dim):
        store_f32(compared, j, load_f32(q, j))
    square = squared_length(compared, int64(0), load64(plan, PADDED_DIM) >> 4, constants, dots)
    if not square < np.float32(np.inf):
        return False
    if metric != _L2:
        length = root32(square)
        store_f32(lane, 2 * LENGTH, length)
        factor = _ONE / length if length > _ZERO else _ZERO
        if metric == _IP:
            asked = load64(lane, WALKED)
        for j in range(dim):
            store_f32(asked, j, load_f32(compared, j) * factor)
    store64(lane, BIAS, 0)
    if load64(plan, CODED) == 1:
        form = load64(lane, FORM)
        bias = encode_query(rotation(plan), asked, form, load64(head, LEVELS), dots, load64(head, Z))
        store64(lane, BIAS, bias)
        asked = form
    store64(lane, ASKED, asked)
    return True


@inner
def insert_entry(pool, size, row, key):
    """Put a row into a pool; returns its size."""
    insert_sorted(pool, size, (key << 32) | (row << 1))
    return size + 1


@inlined
def two_nearest(keys, n):
    """Places of the least and the next of n >= 2 keys."""
    first, second = (int64(0), int64(1)) if load32(keys, 0) <= load32(keys, 1) else (int64(1), int64(0))
    for j in range(2, n):
        if load32(keys, j) < load32(keys, first):
            first, second = j, first
        elif load32(keys, j) < load32(keys, second):
            second = j
    return first, second


@inlined
def enter(plan, head, lane, ef):
    """Begin the base layer at the nearest of the entries: of those in the two groups whose heads are nearest."""
    n, listed, keys = load64(plan, N_GROUPS), load64(plan, ENTRIES_LISTED), load64(head, KEYS)
    asked, bias, starts = load64(lane, ASKED), load64(lane, BIAS), load64(plan, GROUP_STARTS)
    evals = load32(starts, 0)
    distances(entries(plan), asked, bias, listed, evals, keys)
    own_key = load32(keys, 0)
    first, second = two_nearest(keys, n)
    at, key = int64(0), own_key
    for group in (first, second):
        lo = load32(starts, group)
        m = load32(starts, group + 1) - lo
        distances(entries(plan), asked, bias, listed + 4 * lo, m, keys)
        evals += m
        for j in range(m):
            if load32(keys, j) < key:
                at, key = load32(listed, lo + j), load32(keys, j)
    slots, pool = load64(plan, ENTRY_SLOTS), load64(lane, POOL)
    size = insert_entry(pool, int64(0), load32(slots, at), key)
    if at > 0 and ef > 1:  # the graph's own entry reaches every row, should ef be so large
        size = insert_entry(pool, size, load32(slots, int64(0)), own_key)
    store64(lane, EVALS, evals)
    open_base(graph(plan), lane, size)


@inlined
def take_all(lane, n):
    """Make n rows, all there are, candidates without a walk."""
    pool = load64(lane, POOL)
    for row in range(n):
        store64(pool, row, row << 1)
    store64(lane, SIZE, n)
    store64(lane, EVALS, n)
    store64(lane, HOPS, 0)
    store64(lane, N_LOGGED, 0)
    store64(lane, RAN_OVER, 0)
    store64(lane, STAGE, DONE)


@inlined
def begin(plan, head, lane, q, ef):
    """Prepare a query and stand at the entry; without a graph all rows are candidates."""
    finite = prepare(plan, head, lane, q)
    if not finite or load64(plan, TOP) < 0:
        take_all(lane, load64(plan, N) if finite else 0)
        if not finite:
            store64(lane, EVALS, -1)
        return
    if load64(plan, N_GROUPS) > 0:
        enter(plan, head, lane, ef)
        return
    entry, listed, keys = load64(plan, ENTRY), load64(head, LISTED), load64(head, KEYS)
    store32(listed, 0, entry)
    distances(walked(plan), load64(lane, ASKED), load64(lane, BIAS), listed, 1, keys)
    set_out(lane, entry, load32(keys, 0), load64(plan, TOP))


@inlined
def ask_for_kept(plan, lane, depth):
    """Prefetch the kept rows of the best of the pool."""
    view, pool = kept(plan), load64(lane, POOL)
    for j in range(min(depth, load64(lane, SIZE))):
        row = view[0] + row_of(load64(pool, j)) * view[1]
        for t in range(min(view[1] >> 6, 4)):
            prefetch(row + 64 * t)


@inlined
def rerank(plan, head, lane, depth, k):
    """The k best of the first ``depth`` of the pool by exact keys, in BEST; returns how many."""
    view, pool, best = kept(plan), load64(lane, POOL), load64(head, BEST)
    listed, keys = load64(head, LISTED), load64(head, KEYS)
    depth = min(depth, load64(lane, SIZE))
    if depth == 0:
        return 0
    for j in range(depth):
        store32(listed, j, row_of(load64(pool, j)))
    distances(view, load64(lane, FLOATS), 0, listed, depth, keys)
    return keep_nearest(view, load64(plan, METRIC), listed, keys, depth, best, int64(0), k)


@inner
def distance_of_walk(plan, lane, key):
    """The distance that callers read, from a key of the walk (no rows kept: as exact as the codes are)."""
    metric, length = load64(plan, METRIC), load_f32(lane, 2 * LENGTH)
    if load64(plan, CODED) == 0:
        exact = exact_distance(metric, length, key)
        return exact * length if metric == _IP else exact
    return estimated_distance(metric, length, np.float32(key) * load_f32(load64(plan, CONSTANTS), UNIT))


@inlined
def finish(plan, head, lane, depth, k, ids, found, evals, hops):
    """Write the answer of the lane's query and leave the lane clean."""
    i = load64(lane, QUERY)
    exact = load64(plan, ROWS_KEPT) == 1
    m = min(k, load64(lane, SIZE))
    best = load64(lane, POOL)
    if exact:
        m = rerank(plan, head, lane, depth, k)
        best = load64(head, BEST)
    for j in range(m):
        entry = load64(best, j)
        ids[i * k + j] = row_of(entry)
        if exact:
            found[i * k + j] = exact_distance(load64(plan, METRIC), load_f32(lane, 2 * LENGTH), entry >> 32)
        else:
            found[i * k + j] = distance_of_walk(plan, lane, entry >> 32)
    for j in range(m, k):
        ids[i * k + j] = -1
        found[i * k + j] = np.float32(np.inf)
    evals[i] = load64(lane, EVALS)
    hops[i] = load64(lane, HOPS)
    leave(head, lane)


@kernel
def search_kernel(plan, queries, lo, hi, n_lanes, ef, depth, k, scratch, ids, found, evals, hops):
    """Answer queries lo..hi of (q, dim) float32 into ids, found (flat, k a query), evals (-1: one not finite), hops."""
    gv, view = graph(plan), walked(plan)
    q, q_bytes = int64(address(queries)), 4 * queries.shape[1]
    lanes = scratch + 8 * HEAD_FIELDS
    for i in range(n_lanes):
        store64(lanes + 8 * LANE_FIELDS * i, STAGE, IDLE)
    coming, active = lo, 1
    while active > 0:
        active = 0
        for i in range(n_lanes):
            lane = lanes + 8 * LANE_FIELDS * i
            stage = load64(lane, STAGE)
            if stage == DONE:
                finish(plan, scratch, lane, depth, k, ids, found, evals, hops)
                stage = IDLE
                store64(lane, STAGE, IDLE)
            if stage != IDLE:
                advance(gv, view, scratch, lane, ef)
                if load64(lane, STAGE) == DONE and load64(plan, ROWS_KEPT) == 1:
                    ask_for_kept(plan, lane, depth)
                active += 1
            elif coming < hi:
                store64(lane, QUERY, coming)
                begin(plan, scratch, lane, q + coming * q_bytes, ef)
                coming += 1
                active += 1
