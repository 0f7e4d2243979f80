"""The graph at rest: flat arrays of links by slot, and the rule for levels."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from vecrecall.kernels.memory import address
from vecrecall.vectors.memory import aligned_zeros, grown

MAX_LEVEL = 8
EVENLY = np.uint64(0x9E3779B97F4A7C15)


@dataclass(eq=False)
class Graph:
    """Links by slot. A row of links is (kept by the heuristic, nearest first | fill, nearest first | the node itself).

    Unused places hold the node's own slot, which every walk has already seen. All arrays are int32; the first axis is
    capacity, of which ``n`` (``n_upper`` for upper rows) are in use.
    """

    links: np.ndarray  # (capacity, 2 M) base layer
    n_links: np.ndarray  # (capacity,) links in use
    n_kept: np.ndarray  # (capacity,) of these kept by the heuristic
    levels: np.ndarray  # (capacity,) highest layer of the node
    upper_at: np.ndarray  # (capacity,) its row of layer 1 in the upper arrays; layer l stands l - 1 behind
    upper: np.ndarray  # (capacity, M)
    n_upper_links: np.ndarray
    n_upper_kept: np.ndarray
    n: int = 0
    n_upper: int = 0
    entry: int = 0
    top: int = -1  # layer of the entry; -1: no node

    @classmethod
    def empty(cls, M: int) -> Graph:
        row, count = (lambda width: aligned_zeros((0, width), np.int32)), np.zeros(0, np.int32)
        return cls(row(2 * M), count, count, count, count, row(M), count, count)

    def with_room(self, levels: np.ndarray) -> Graph:
        """A graph with rows for the new nodes (not linked yet); arrays are shared where they suffice."""
        n, n_upper = self.n + len(levels), self.n_upper + int(levels.sum())
        new = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("links", "n_links", "n_kept", "levels", "upper_at"):
            new[name] = grown(new[name], n)
        for name in ("upper", "n_upper_links", "n_upper_kept"):
            new[name] = grown(new[name], n_upper)
        graph = Graph(**{**new, "n": n, "n_upper": n_upper})
        slots = np.arange(self.n, n, dtype=np.int32)
        graph.levels[self.n : n] = levels
        graph.upper_at[self.n : n] = self.n_upper + np.cumsum(levels) - levels
        graph.links[self.n : n] = slots[:, None]
        graph.upper[self.n_upper : n_upper] = np.repeat(slots, levels)[:, None]
        for counts, lo, hi in (
            (graph.n_links, self.n, n), (graph.n_kept, self.n, n),
            (graph.n_upper_links, self.n_upper, n_upper), (graph.n_upper_kept, self.n_upper, n_upper),
        ):  # fmt: skip
            counts[lo:hi] = 0
        return graph

    def layer(self, level: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Links, numbers of links and of kept links, by row of a layer."""
        if level == 0:
            return self.links, self.n_links, self.n_kept
        return self.upper, self.n_upper_links, self.n_upper_kept

    def rows_of(self, nodes: np.ndarray, level: int) -> np.ndarray:
        """Where the links of nodes in a layer stand."""
        return nodes if level == 0 else self.upper_at[nodes] + level - 1

    def view(self) -> tuple[int, ...]:
        """Addresses for kernels: base rows, their width, upper rows, their width, first upper row of a node."""
        return (
            address(self.links), self.links.shape[1], address(self.upper), self.upper.shape[1],
            address(self.upper_at),
        )  # fmt: skip

    def nbytes(self) -> int:
        return sum(getattr(self, f.name).nbytes for f in fields(self) if f.name not in ("n", "n_upper", "entry", "top"))


def drawn_levels(seed: int, slots: np.ndarray, M: int) -> np.ndarray:
    """Levels of new nodes, exponential with mean 1 / ln M; a hash of (seed, slot), so no history shapes them."""
    with np.errstate(over="ignore"):
        z = (slots.astype(np.uint64) + np.uint64(1)) * EVENLY + np.uint64(seed) * np.uint64(0xD1B54A32D192ED03)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    uniform = ((z >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53
    return np.minimum(-np.log(uniform) / np.log(M), MAX_LEVEL).astype(np.int32)
