"""What a walk of the base layer can reach from the entry, as a tree."""

from vecrecall.hnsw.walk import ask_for_links, neighbours
from vecrecall.kernels.jit import int64, kernel
from vecrecall.kernels.memory import load32, store32
from vecrecall.kernels.visited import keep_unseen, visit

_AHEAD = 16  # rows of links that are asked for before their turn


@kernel
def reach_from(gv, start, parents, queue, seen):
    """Breadth-first from a node that has a parent: give each newly reached node its parent; returns how many.

    parents: int32 by slot, -1 where not reached; queue: int32, room for all nodes, one row of links and 16 more; seen:
    bitmap of what has a parent. Of links to one node only the first counts, also in a row that holds one twice.
    """
    visit(seen, start)
    store32(queue, 0, start)
    done, n = 0, 1
    while done < n:
        node = load32(queue, done)
        done += 1
        if done + _AHEAD < n:
            ask_for_links(gv, load32(queue, done + _AHEAD), int64(0))
        fresh = queue + 4 * n
        for j in range(keep_unseen(neighbours(gv, node, int64(0)), gv[1], seen, fresh)):
            other = load32(fresh, j)
            if load32(parents, other) < 0:
                store32(parents, other, node)
                store32(queue, n, other)
                n += 1
    return n
