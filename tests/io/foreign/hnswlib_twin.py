"""hnswlib's file by its layout, one number after another: a slow writer and a slow reader, which need no hnswlib."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

HEADER = "<6QiI3QdQ"
STALE = 7  # what stands behind the links of a row


@dataclass
class Twin:
    """A small index; `layers[i][l]` are the neighbours of node i in layer l."""

    vectors: np.ndarray
    layers: list[list[list[int]]]
    M: int = 3
    labels: list[int] = field(default_factory=list)
    deleted: set[int] = field(default_factory=set)
    entry: int = 0
    ef_construction: int = 40
    max_elements: int = 0

    def bytes(self) -> bytes:
        n, dim, M = len(self.layers), self.vectors.shape[1], self.M
        vector_at = 4 + 8 * M
        top = len(self.layers[self.entry]) - 1 if n else -1
        out = [
            struct.pack(
                HEADER, 0, self.max_elements or n, n, vector_at + 4 * dim + 8, vector_at + 4 * dim, vector_at, top,
                self.entry if n else 2**32 - 1, M, 2 * M, M, 1 / math.log(M), self.ef_construction,
            )  # fmt: skip
        ]
        for i, layers in enumerate(self.layers):
            out.append(self._row(layers[0], 2 * M, i in self.deleted))
            out.append(struct.pack(f"<{dim}fQ", *self.vectors[i].tolist(), self.labels[i] if self.labels else i))
        for layers in self.layers:
            out.append(struct.pack("<I", (len(layers) - 1) * (4 + 4 * M)))
            out += [self._row(links, M, False) for links in layers[1:]]
        return b"".join(out)

    def _row(self, links: list[int], width: int, deleted: bool) -> bytes:
        places = links + [STALE] * (width - len(links))
        return struct.pack(f"<HBB{width}I", len(links), deleted, 0, *places)


def parsed(raw: bytes) -> dict[str, Any]:
    """Everything in a file, as lists of Python."""
    names = "_ max_elements n row label_at vector_at top entry maxM maxM0 M mult ef_construction".split()
    h = dict(zip(names, struct.unpack_from(HEADER, raw)))
    at, layers, labels, deleted, vectors = struct.calcsize(HEADER), [], [], set(), []
    for i in range(h["n"]):
        layers.append([links_at(raw, at)])
        if raw[at + 2]:
            deleted.add(i)
        vectors.append(list(struct.unpack_from(f"<{(h['label_at'] - h['vector_at']) // 4}f", raw, at + h["vector_at"])))
        labels.append(struct.unpack_from("<Q", raw, at + h["label_at"])[0])
        at += h["row"]
    for i in range(h["n"]):
        (size,) = struct.unpack_from("<I", raw, at)
        layers[i] += [links_at(raw, at + 4 + lo) for lo in range(0, size, 4 + 4 * h["M"])]
        at += 4 + size
    assert at == len(raw)
    return h | {"layers": layers, "labels": labels, "deleted": deleted, "vectors": vectors}


def links_at(raw: bytes, at: int) -> list[int]:
    (count,) = struct.unpack_from("<H", raw, at)
    return list(struct.unpack_from(f"<{count}I", raw, at + 4))


def random_twin(n: int = 60, dim: int = 4, M: int = 3, seed: int = 0, space: str = "l2", **more: Any) -> Twin:
    """Nodes on levels 0..3, each linked to the next of its layer and to others of it; node n // 2 is the entry."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, dim)).astype(np.float32)
    if space == "cosine":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    levels = np.minimum(rng.geometric(0.6, n) - 1, 2)
    entry = n // 2
    levels[entry] = 3
    layers: list[list[list[int]]] = []
    for i in range(n):
        layers.append([])
        for level in range(levels[i] + 1):
            there = [j for j in range(n) if levels[j] >= level and j != i]
            following = [j for j in there if j > i][:1] or there[:1]
            others = [j for j in rng.permutation(there).tolist() if j not in following]
            layers[i].append(following + others[: rng.integers(0, M * (2 if level == 0 else 1))])
    return Twin(vectors, layers, M, entry=entry, **more)
