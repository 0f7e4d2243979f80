"""One query's walk, step by step: what it expanded, what it compared, and where its answer came from.

The steps are those of :mod:`vecrecall.hnsw.search`, on one lane, with a note after each. A walk can also be started at
rows of one's own, or be led by the kept rows in place of what is walked, to see what that would change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecrecall.hnsw.content import Content
from vecrecall.hnsw.lanes import DONE, EXPAND, LOOK_UP, advance, leave, open_base
from vecrecall.hnsw.plan import graph, kept, walked
from vecrecall.hnsw.scratch import (
    ASKED, BIAS, EVALS, FLOATS, HEAD_FIELDS, KEYS, LEVEL, LISTED, LOG, N_FRESH, N_LOGGED, NODE, POOL, POSITION, QUERY,
    SIZE, STAGE, Scratch,
)  # fmt: skip
from vecrecall.hnsw.search import begin, finish, insert_entry
from vecrecall.hnsw.walker import rerank_depth
from vecrecall.kernels.distances import distances
from vecrecall.kernels.jit import inlined, int64, kernel
from vecrecall.kernels.memory import address, load32, load64, store32, store64
from vecrecall.kernels.pool import row_of
from vecrecall.vectors.walked import CodedRows


@dataclass(frozen=True, eq=False)
class Trace:
    """A walk and its answer, by slot.

    Attributes
    ----------
    slots : ndarray of int64, shape (k,)
    distances : ndarray of float32, shape (k,)
    evals, hops : int
        The answer, as a search gives it.
    ef, depth : int
        Candidates held, and how many of them the re-rank looked at.
    expanded, levels : ndarray of int32, shape (e,)
        Nodes whose links were read, in order, and in which layer: first the descent, then the base layer.
    compared, keys, at : ndarray of int32, shape (c,)
        Rows that were compared, in order, their keys (:mod:`vecrecall.kernels.distances`), and by which entry of
        ``expanded`` they were met; -1 for those that the base layer was entered at, which stand in their place in the
        order.
    all_keys : ndarray of int32, shape (n,), or None
        Keys of all rows, where they were asked for.
    """

    slots: np.ndarray
    distances: np.ndarray
    evals: int
    hops: int
    ef: int
    depth: int
    expanded: np.ndarray
    levels: np.ndarray
    compared: np.ndarray
    keys: np.ndarray
    at: np.ndarray
    all_keys: np.ndarray | None = None

    @property
    def in_base(self) -> np.ndarray:
        """Which of those compared were so in the base layer, where answers come from; bool, shape (c,)."""
        return (self.at < 0) | (self.levels[self.at] == 0)

    @property
    def entered(self) -> np.ndarray:
        """Slots that the base layer was entered at."""
        return self.compared[self.at < 0]


def traced(
    content: Content, query: np.ndarray, k: int, ef: int, *, starts: np.ndarray | None = None, exactly: bool = False,
    all_keys: bool = False,
) -> Trace:  # fmt: skip
    """Walk with one query and note every step; the answer is that of a search, to the byte.

    Parameters
    ----------
    content : Content
        With a graph.
    query : ndarray of float32, shape (1, dim)
        Finite, in C order.
    k, ef : int
    starts : ndarray of int, shape (at most ef,), optional
        Slots to enter the base layer at, each once, in place of the index's own entries.
    exactly : bool
        Take the walk's distances on the kept rows. Needs ``starts`` and kept rows.
    all_keys : bool
        Measure the distances of all rows too.
    """
    n, links = content.n, content.graph.links
    ef = min(max(ef, k), n)
    depth = ef if content.coarse else rerank_depth(ef, k)
    most = n + content.graph.n_upper  # a layer's node is looked at once: a descent moves to nearer ones only
    room = 2 * n + 16 + content.graph.upper.shape[1] * (content.graph.n_upper + 16)
    expanded, levels = np.empty((2, most), np.int32)
    compared, keys, at = np.empty((3, room), np.int32)
    own = np.zeros(0, np.int32) if starts is None else np.ascontiguousarray(starts, np.int32)
    listed = np.zeros(0, np.int32)
    if all_keys:
        listed = np.append(np.arange(n, dtype=np.int32), np.full(4, n - 1, np.int32))
    measured = np.zeros(len(listed), np.int32)
    slots, found = np.empty(k, np.int64), np.empty(k, np.float32)
    evals, hops = np.empty((2, 1), np.int64)
    scratch = _scratch(content, ef, links.shape[1])
    n_expanded, n_compared = trace_kernel(
        content.plan_address, query, ef, depth, k, exactly, address(own), len(own), scratch.address,
        (address(expanded), address(levels)), (address(compared), address(keys), address(at)),
        (address(listed), n if all_keys else 0, address(measured)), slots, found, evals, hops,
    )  # fmt: skip
    return Trace(
        slots, found, int(evals[0]), int(hops[0]), ef, depth, expanded[:n_expanded].copy(), levels[:n_expanded].copy(),
        compared[:n_compared].copy(), keys[:n_compared].copy(), at[:n_compared].copy(),
        measured[:n] if all_keys else None,
    )  # fmt: skip


def _scratch(content: Content, ef: int, width: int) -> Scratch:
    rows = content.walked
    form_bytes = level_bytes = 0
    if isinstance(rows, CodedRows):
        form_bytes, level_bytes = rows.codec.padded_p, rows.rotation.level_bytes
    return Scratch(
        n_lanes=1, ef=ef, capacity=content.capacity, width=width, padded_dim=content.space.padded_dim,
        form_bytes=form_bytes, level_bytes=level_bytes,
    )  # fmt: skip


@inlined
def begin_at(plan, view, head, lane, starts, n_starts):
    """Leave where the lane has begun and begin at other slots."""
    leave(head, lane)
    listed, keys, pool = load64(head, LISTED), load64(head, KEYS), load64(lane, POOL)
    for j in range(n_starts):
        store32(listed, j, load32(starts, j))
    distances(view, load64(lane, ASKED), load64(lane, BIAS), listed, n_starts, keys)
    size = int64(0)
    for j in range(n_starts):
        size = insert_entry(pool, size, load32(listed, j), load32(keys, j))
    store64(lane, EVALS, n_starts)
    open_base(graph(plan), lane, size)


@inlined
def note_entered(notes, n, pool, size):
    """Note what the base layer was entered at as the n-th and following compared; returns how many there are."""
    for j in range(size):
        store32(notes[0], n + j, row_of(load64(pool, j)))
        store32(notes[1], n + j, load64(pool, j) >> 32)
        store32(notes[2], n + j, -1)
    return n + size


@kernel
def trace_kernel(
    plan, query, ef, depth, k, exactly, starts, n_starts, scratch, steps, notes, measured, slots, found, evals, hops
):
    """Answer one query as the search kernel does, noting each step; returns (nodes expanded, rows compared).

    ``steps``: addresses of int32 for nodes expanded and their layers. ``notes``: addresses of int32 for rows compared,
    their keys, and by which step. ``measured``: address of rows (int32, filled up to a multiple of four), how many, and
    where their keys go.
    """
    gv, view = graph(plan), walked(plan)
    lane = scratch + 8 * HEAD_FIELDS
    pool, log, keys = load64(lane, POOL), load64(lane, LOG), load64(scratch, KEYS)
    store64(lane, QUERY, 0)
    begin(plan, scratch, lane, int64(address(query)), ef)
    if exactly:
        view = kept(plan)
        store64(lane, ASKED, load64(lane, FLOATS))
        store64(lane, BIAS, 0)
    if n_starts > 0:
        begin_at(plan, view, scratch, lane, starts, n_starts)
    n_expanded, n_compared, entered = int64(0), int64(0), False
    while load64(lane, STAGE) != DONE:
        stage = load64(lane, STAGE)
        if stage == EXPAND and not entered:
            n_compared = note_entered(notes, n_compared, pool, load64(lane, SIZE))
            entered = True
        looks = stage == LOOK_UP or stage == EXPAND
        if looks:
            node = load64(lane, NODE) if stage == LOOK_UP else row_of(load64(pool, load64(lane, POSITION)))
            store32(steps[0], n_expanded, node)
            store32(steps[1], n_expanded, load64(lane, LEVEL) if stage == LOOK_UP else int64(0))
            n_expanded += 1
        m = load64(lane, N_FRESH)  # of the look before, whose distances are now taken
        advance(gv, view, scratch, lane, ef)
        if looks:  # noted at once: when the base layer is opened, the first place of the log is taken
            fresh = log if stage == LOOK_UP else log + 4 * load64(lane, N_LOGGED)
            for j in range(load64(lane, N_FRESH)):
                store32(notes[0], n_compared + j, load32(fresh, j))
        else:
            for j in range(m):
                store32(notes[1], n_compared, load32(keys, j))
                store32(notes[2], n_compared, n_expanded - 1)
                n_compared += 1
    finish(plan, scratch, lane, depth, k, slots, found, evals, hops)
    if measured[1] > 0:
        distances(view, load64(lane, ASKED), load64(lane, BIAS), measured[0], measured[1], measured[2])
    return n_expanded, n_compared
