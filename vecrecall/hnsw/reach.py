"""What a walk of the base layer can reach from the entry, as a tree."""

from vecrecall.hnsw.walk import neighbours
from vecrecall.kernels.jit import int64, kernel
from vecrecall.kernels.memory import load32, store32


@kernel
def reach_from(gv, start, parents, queue):
    """Breadth-first from a node that has a parent: give each newly reached node its parent; returns how many.

    parents: int32 by slot, -1 where not reached; queue: int32 by slot, scratch.
    """
    store32(queue, 0, start)
    done, n = 0, 1
    while done < n:
        node = load32(queue, done)
        done += 1
        row = neighbours(gv, node, int64(0))
        for j in range(gv[1]):
            other = load32(row, j)
            if load32(parents, other) < 0:
                store32(parents, other, node)
                store32(queue, n, other)
                n += 1
    return n
