"""The walk of hnswlib over a graph with deleted nodes: they are walked over, but fill no place among the answers.

A search of this library has no such nodes. The steps are those of hnswlib: it expands the nearest node not yet
expanded until that is farther than the ``ef``-th nearest living one.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np

from vecrecall.kernels.jit import kernel


@kernel
def _distance(row: Any, query: Any, by_product: Any) -> Any:
    """Squared distance, or minus the product; four sums, which grow side by side."""
    a, b, c, d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    if by_product:
        for j in range(0, len(query), 4):
            a -= row[j] * query[j]
            b -= row[j + 1] * query[j + 1]
            c -= row[j + 2] * query[j + 2]
            d -= row[j + 3] * query[j + 3]
    else:
        for j in range(0, len(query), 4):
            a += (row[j] - query[j]) ** 2
            b += (row[j + 1] - query[j + 1]) ** 2
            c += (row[j + 2] - query[j + 2]) ** 2
            d += (row[j + 3] - query[j + 3]) ** 2
    return a + b + (c + d)


@kernel
def walk_living(
    base: Any, upper: Any, entry: Any, top: Any, rows: Any, deleted: Any, queries: Any, lo: Any, hi: Any,
    by_product: Any, k: Any, ef: Any, slots: Any, evals: Any, hops: Any,
) -> None:  # fmt: skip
    """Answer queries lo..hi.

    Parameters
    ----------
    base : tuple of int32 (n, 2 M), int32 (n,)
        Links of the base layer, and how many of them are in use.
    upper : tuple of int32 (m, M), int32 (m,), int32 (n,)
        The same of the upper layers, and where a node's row of layer 1 stands.
    entry, top, lo, hi : int64
    rows, queries : float32 (n, d) and (q, d)
        d is a multiple of four.
    deleted : bool (n,)
    by_product : bool
        Minus the product is what is small where rows are near; else the distance.
    k, ef : int64
        1 <= k <= ef.
    slots : int64 (q, k), written
        -1 where there is none.
    evals, hops : int64 (q,), written
        Distances taken, and nodes expanded in the base layer.
    """
    links, n_links = base
    upper_links, n_upper_links, upper_at = upper
    seen = np.full(len(rows), -1, np.int64)
    for q in range(lo, hi):
        query = queries[q]
        node, distance = entry, _distance(rows[entry], query, by_product)
        evals[q], hops[q] = 1, 0
        for level in range(top, 0, -1):
            moved = True
            while moved:
                moved = False
                at = upper_at[node] + level - 1
                for j in range(n_upper_links[at]):
                    other = np.int64(upper_links[at, j])
                    far = _distance(rows[other], query, by_product)
                    evals[q] += 1
                    if far < distance:
                        node, distance, moved = other, far, True
        bound = np.float32(np.inf)
        nearest = [(-distance, node)]  # the living found, the farthest first
        if deleted[node]:
            nearest.pop()
        else:
            bound = distance
        waiting = [(distance, node)]
        seen[node] = q
        while len(waiting) > 0:
            distance, node = heappop(waiting)
            if distance > bound and len(nearest) == ef:
                break
            hops[q] += 1
            for j in range(n_links[node]):
                other = np.int64(links[node, j])
                if seen[other] == q:
                    continue
                seen[other] = q
                far = _distance(rows[other], query, by_product)
                evals[q] += 1
                if len(nearest) < ef or far < bound:
                    heappush(waiting, (far, other))
                    if not deleted[other]:
                        heappush(nearest, (-far, other))
                        if len(nearest) > ef:
                            heappop(nearest)
                    if len(nearest) > 0:
                        bound = -nearest[0][0]
        while len(nearest) > k:
            heappop(nearest)
        slots[q, len(nearest) :] = -1
        for place in range(len(nearest) - 1, -1, -1):
            slots[q, place] = heappop(nearest)[1]
