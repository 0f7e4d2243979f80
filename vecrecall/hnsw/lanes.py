"""Walks taken in turn, so that the memory of one arrives while the others work.

Each walk on its way is a *lane* (fields: :mod:`vecrecall.hnsw.scratch`). A lane does one step and asks for the memory
of its next step:

    look up -> move up (greedily, in the upper layers, until the base layer) -> expand -> score (until the pool is
    expanded) -> done
"""

from vecrecall.hnsw.scratch import (
    ASKED, BIAS, EVALS, HOPS, KEY, KEYS, LEVEL, LOG, LOG_ROOM, N_FRESH, N_LOGGED, NODE, POOL, POSITION, RAN_OVER, SEEN,
    SEEN_WORDS, SIZE, STAGE,
)  # fmt: skip
from vecrecall.hnsw.walk import ask_for_links, ask_for_rows, linked, nearest_of, neighbours
from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import inlined, inner, int64
from vecrecall.kernels.memory import load64, prefetch, store32, store64
from vecrecall.kernels.pool import next_unexpanded, offer, row_of
from vecrecall.kernels.visited import forget, keep_unseen, visit

IDLE, LOOK_UP, MOVE_UP, EXPAND, SCORE, DONE = range(6)


@inner
def set_out(lane, node, key, level):
    """Stand at a node of a layer, at distance ``key``."""
    store64(lane, NODE, node)
    store64(lane, KEY, key)
    store64(lane, LEVEL, level)
    store64(lane, N_FRESH, 0)
    store64(lane, EVALS, 1)
    store64(lane, STAGE, LOOK_UP if level > 0 else MOVE_UP)


@inlined
def look_up(gv, view, lane):
    """Read the links in an upper layer, ask for their codes."""
    fresh = load64(lane, LOG)
    m = linked(gv, load64(lane, NODE), load64(lane, LEVEL), fresh)
    ask_for_rows(view, fresh, m)
    store64(lane, N_FRESH, m)
    store64(lane, EVALS, load64(lane, EVALS) + m)


@inlined
def move_up(gv, view, head, lane):
    """One greedy step in an upper layer: to the nearest neighbour, or one layer down."""
    node, key = load64(lane, NODE), load64(lane, KEY)
    m, keys = load64(lane, N_FRESH), load64(head, KEYS)
    nearer, key = nearest_of(view, load64(lane, ASKED), load64(lane, BIAS), node, key, load64(lane, LOG), m, keys)
    if nearer == node:
        store64(lane, LEVEL, load64(lane, LEVEL) - 1)
    store64(lane, NODE, nearer)
    store64(lane, KEY, key)
    prefetch(neighbours(gv, nearer, load64(lane, LEVEL)))


@inner
def choose(gv, lane):
    """Choose the nearest entry not expanded yet and ask for its links; False when there is none."""
    pool, size = load64(lane, POOL), load64(lane, SIZE)
    position = next_unexpanded(pool, load64(lane, POSITION), size)
    store64(lane, POSITION, position)
    if position == size:
        return False
    ask_for_links(gv, row_of(load64(pool, position)), int64(0))
    return True


@inner
def open_base(gv, lane, size):
    """Begin the base layer with the entries that stand in the pool."""
    pool, seen, log = load64(lane, POOL), load64(lane, SEEN), load64(lane, LOG)
    for j in range(size):
        node = row_of(load64(pool, j))
        store32(log, j, node)
        visit(seen, node)
    store64(lane, SIZE, size)
    store64(lane, POSITION, 0)
    store64(lane, N_LOGGED, size)
    store64(lane, RAN_OVER, 0)
    store64(lane, HOPS, 0)
    choose(gv, lane)
    store64(lane, STAGE, EXPAND)


@inlined
def expand(gv, view, head, lane):
    """Read the links of the chosen entry, keep those not seen before, ask for their codes."""
    n_logged = load64(lane, N_LOGGED)
    if n_logged + gv[1] + 4 > load64(head, LOG_ROOM):
        store64(lane, RAN_OVER, 1)
        n_logged = 0
        store64(lane, N_LOGGED, 0)
    fresh = load64(lane, LOG) + 4 * n_logged
    node = row_of(load64(load64(lane, POOL), load64(lane, POSITION)))
    m = keep_unseen(neighbours(gv, node, int64(0)), gv[1], load64(lane, SEEN), fresh)
    ask_for_rows(view, fresh, m)
    store64(lane, N_FRESH, m)
    store64(lane, HOPS, load64(lane, HOPS) + 1)
    following = load64(lane, POSITION) + 1
    if following < load64(lane, SIZE):  # what will be chosen next unless something nearer is found now
        ask_for_links(gv, row_of(load64(load64(lane, POOL), following)), int64(0))


@inlined
def score(view, head, lane, ef):
    """Distances of what was expanded; the near ones enter the pool."""
    m = load64(lane, N_FRESH)
    if m == 0:
        return
    n_logged, keys = load64(lane, N_LOGGED), load64(head, KEYS)
    fresh = load64(lane, LOG) + 4 * n_logged
    distances(view, load64(lane, ASKED), load64(lane, BIAS), fresh, m, keys)
    position, size = offer(load64(lane, POOL), load64(lane, POSITION), load64(lane, SIZE), ef, fresh, keys, m)
    store64(lane, POSITION, position)
    store64(lane, SIZE, size)
    store64(lane, N_LOGGED, n_logged + m)
    store64(lane, EVALS, load64(lane, EVALS) + m)


@inlined
def leave(head, lane):
    """Unmark what the lane has seen."""
    n_logged = -1 if load64(lane, RAN_OVER) == 1 else load64(lane, N_LOGGED)
    forget(load64(lane, SEEN), load64(lane, LOG), n_logged, load64(head, SEEN_WORDS))


@inlined
def advance(gv, view, head, lane, ef):
    """One step of a walking lane."""
    stage = load64(lane, STAGE)
    if stage == EXPAND:
        expand(gv, view, head, lane)
        store64(lane, STAGE, SCORE)
        return
    if stage == LOOK_UP:
        look_up(gv, view, lane)
        store64(lane, STAGE, MOVE_UP)
        return
    if stage == MOVE_UP:
        move_up(gv, view, head, lane)
        if load64(lane, LEVEL) > 0:
            store64(lane, STAGE, LOOK_UP)
            return
        store64(load64(lane, POOL), 0, (load64(lane, KEY) << 32) | (load64(lane, NODE) << 1))
        open_base(gv, lane, int64(1))
        return
    score(view, head, lane, ef)
    store64(lane, STAGE, EXPAND if choose(gv, lane) else DONE)
