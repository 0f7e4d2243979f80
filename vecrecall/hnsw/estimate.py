"""The bytes of an index before it is built."""

from __future__ import annotations

from vecrecall.hnsw.parameters import FLOAT_BYTES, STORAGES, default_links
from vecrecall.inputs import as_choice, as_count
from vecrecall.vectors.axes import padded
from vecrecall.vectors.codes import BITS, BLOCK
from vecrecall.vectors.rows import TYPES, estimated_bytes
from vecrecall.vectors.spaces import METRICS


def estimated_memory(
    n: int, dim: int, *, metric: str, M: int | None, storage: str, p: int | None, keep: str | None
) -> dict[str, int]:
    """Bytes by part, as :meth:`vecrecall.HNSW.estimate_memory` describes them."""
    n, dim = as_count(n, "n", least=0), as_count(dim, "dim")
    metric = as_choice(metric, "metric", METRICS)
    storage = as_choice(storage, "storage", STORAGES[1:])
    M = default_links(storage, dim) if M is None else as_count(M, "M", least=2)
    keep = None if keep is None else as_choice(keep, "keep", tuple(TYPES))
    p = dim if p is None else as_count(p, "p")
    row = padded(dim, 16)
    walk, form = row * FLOAT_BYTES.get(storage, 4), row * 4
    if storage in BITS:
        form = padded(p, BLOCK[storage])
        walk = form * BITS[storage] // 8 + 4
    upper_rows = 1 / (M - 1)  # of a node, on average
    links = 8 * M + 16 + (4 * M + 8) * upper_rows
    parts = {
        "rows": 0 if keep is None else n * estimated_bytes(dim, keep, metric == "cosine"),
        "walk": n * walk, "links": int(n * links),
    }  # fmt: skip
    index = sum(parts.values())
    bench = form + 4 + 8 * M + 4 + 4 * M * upper_rows
    return {**parts, "index": index, "build": index + int(n * bench)}
