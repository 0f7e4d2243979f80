"""``schedule="sequential"`` against algorithms 1, 2 and 4 of Malkov & Yashunin in plain Python, as hnswlib has them."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from vecrecall.hnsw.building import Builder
from vecrecall.hnsw.index import HNSW


class Twin:
    """The textbook's graph: dictionaries of lists by layer; distances of whole numbers, ties by slot."""

    def __init__(self, X: np.ndarray, levels: list[int], M: int, ef: int) -> None:
        self.X, self.levels, self.M, self.ef = X.astype(np.int64), levels, M, ef
        self.links: dict[tuple[int, int], list[int]] = {}
        self.entry = -1

    def square(self, a: int, b: int) -> int:
        return int(((self.X[a] - self.X[b]) ** 2).sum())

    def search_layer(self, node: int, entries: list[tuple[int, int]], ef: int, level: int) -> list[tuple[int, int]]:
        seen = {slot for _, slot in entries}
        waiting, found = sorted(entries), sorted(entries)
        while waiting:
            nearest = heapq.heappop(waiting)
            if nearest not in found:  # pushed out since
                continue
            for other in self.links[nearest[1], level]:
                if other in seen:
                    continue
                seen.add(other)
                candidate = (self.square(node, other), other)
                if len(found) < ef or candidate[0] < found[-1][0]:
                    found = sorted([*found, candidate])[:ef]
                    heapq.heappush(waiting, candidate)
        return found

    def select(self, candidates: list[tuple[int, int]], m: int) -> list[int]:
        kept: list[int] = []
        for square, slot in sorted(candidates):
            if len(kept) < m and all(self.square(slot, other) >= square for other in kept):
                kept.append(slot)
        return kept

    def insert(self, node: int) -> None:
        level = self.levels[node]
        for layer in range(level + 1):
            self.links[node, layer] = []
        if self.entry < 0:
            self.entry = node
            return
        top = self.levels[self.entry]
        entries = [(self.square(node, self.entry), self.entry)]
        for layer in range(top, level, -1):
            entries = self.search_layer(node, entries, 1, layer)
        for layer in range(min(top, level), -1, -1):
            entries = self.search_layer(node, entries[:1], self.ef, layer)  # as hnswlib: the paper enters at all
            self.links[node, layer] = self.select(entries, self.M)
            room = self.M if layer else 2 * self.M
            for other in self.links[node, layer]:
                row = [*self.links[other, layer], node]
                if len(row) > room:
                    row = self.select([(self.square(other, slot), slot) for slot in row], room)
                self.links[other, layer] = row
        if level > top:
            self.entry = node


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "dim", "M", "ef"), [(400, 3, 4, 12), (300, 8, 3, 30)])
def test_the_graph_is_the_textbooks(
    n: int, dim: int, M: int, ef: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Builder, "repair", lambda self: 0)  # the paper has none
    rng = np.random.default_rng(seed)
    X = rng.integers(-700, 700, (n, dim)).astype(np.float32)  # squares below 2**24: exact in float32
    index = HNSW.build(
        X, M=M, ef_construction=ef, storage="f32", schedule="sequential", order="given", seed=seed
    )  # fmt: skip
    graph = index._content.graph
    twin = Twin(X, graph.levels[:n].tolist(), M, ef)
    for node in range(n):
        twin.insert(node)
    assert (graph.entry, graph.top) == (twin.entry, max(twin.levels)) and graph.top >= 2
    for (node, layer), expected in twin.links.items():
        links, n_links, n_kept = graph.layer(layer)
        row = int(graph.rows_of(np.array([node]), layer)[0])
        assert links[row, : n_links[row]].tolist() == expected, (node, layer)
        assert n_kept[row] == len(expected) and (links[row, len(expected) :] == node).all()
