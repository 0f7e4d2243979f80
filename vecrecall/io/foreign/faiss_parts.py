"""What an index of faiss is made of, as plain numbers and arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAPS = ("IndexIDMap", "IndexIDMap2")


@dataclass
class Parts:
    """Numbers and arrays of an IndexHNSWFlat, not checked; or why it is none, as a sentence without its subject."""

    numbers: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    refused: str = ""


def parts_of(index: Any) -> Parts:
    """Copy the parts of an index of faiss."""
    import faiss

    parts = Parts()
    inner: Any = index
    if type(index).__name__ in _MAPS:
        parts.arrays["ids"] = faiss.vector_to_array(index.id_map)
        inner = faiss.downcast_index(index.index)
    storage: Any = faiss.downcast_index(inner.storage) if type(inner).__name__ == "IndexHNSWFlat" else None
    if storage is None or not type(storage).__name__.startswith("IndexFlat"):
        around = f"{type(index).__name__} around " if inner is not index else ""
        parts.refused = (
            f"is of the type {around}{type(inner if storage is None else storage).__name__}, expected IndexHNSWFlat, "
            "alone or in an IndexIDMap; build one of the same vectors"
        )
        return parts
    hnsw = inner.hnsw
    n_values, n_stored = inner.ntotal * inner.d, storage.codes.size() // 4
    parts.numbers = {
        "d": inner.d, "ntotal": inner.ntotal, "metric_type": inner.metric_type, "entry_point": hnsw.entry_point,
        "max_level": hnsw.max_level, "ef_construction": hnsw.efConstruction, "ef": hnsw.efSearch,
    }  # fmt: skip
    parts.arrays |= {
        "levels": faiss.vector_to_array(hnsw.levels),
        "offsets": faiss.vector_to_array(hnsw.offsets),
        "ends": faiss.vector_to_array(hnsw.cum_nneighbor_per_level),
        "neighbors": faiss.vector_to_array(hnsw.neighbors),
        "vectors": np.zeros(0, np.float32),
    }
    if 0 < n_values <= n_stored:
        parts.arrays["vectors"] = faiss.rev_swig_ptr(storage.get_xb(), n_values).copy()
    return parts
