"""What a file or a folder of vectors holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Qrels = Mapping[str, Mapping[str, int]]  # query id -> document id -> relevance
Run = Mapping[str, Mapping[str, float]]  # query id -> document id -> score, greater is better


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Vectors with what belongs to them; what a file does not hold is None.

    Attributes
    ----------
    rows : ndarray of shape (n, dim), or csr_array; or None
        Vectors to be indexed; mapped where the format allows.
    queries : ndarray of shape (q, dim), or csr_array; or None
    neighbors : ndarray of int, shape (q, depth), or None
        Rows that are nearest to each query, nearest first.
    distances : ndarray of float, shape (q, depth), or None
        Of the neighbors, as `Hits.distances` has them: smaller is nearer, Euclidean not squared.
    metric : {"l2", "ip", "cosine"} or None
        None where the file does not say.
    ids, query_ids : ndarray of int64 or str, or None
        Names of rows and queries; None where they are their numbers.
    texts, query_texts : list of str, or None
    qrels : mapping, or None
        Query id -> document id -> relevance, ids as str.
    run : mapping, or None
        Query id -> document id -> score, ids as str.
    attributes : dict
        What else the file says, such as its source.

    Examples
    --------
    >>> Dataset(rows=np.zeros((5, 2), np.float32), metric="l2", texts=list("abcde"))
    Dataset: rows (5, 2) float32, texts of 5, metric l2
    """

    rows: Any = None
    queries: Any = None
    neighbors: NDArray[np.integer] | None = None
    distances: NDArray[np.floating] | None = None
    metric: str | None = None
    ids: NDArray[Any] | None = None
    query_ids: NDArray[Any] | None = None
    texts: list[str] | None = None
    query_texts: list[str] | None = None
    qrels: Qrels | None = None
    run: Run | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def parts(self) -> dict[str, Any]:
        """Return what is there by name, without metric and attributes."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        return {n: v for n, v in values.items() if v is not None and n not in ("metric", "attributes")}

    def __repr__(self) -> str:
        words = [_words(name, value) for name, value in self.parts().items()]
        words += [f"metric {self.metric}"] if self.metric else []
        words += [f"attributes {', '.join(self.attributes)}"] if self.attributes else []
        return f"Dataset: {', '.join(words) or 'empty'}"


def refuse_others(dataset: Dataset, allowed: tuple[str, ...], what: str) -> None:
    """Raise a ValueError if the dataset holds parts that a file of a format has no room for, or none at all."""
    others = [name for name in dataset.parts() if name not in allowed]
    if others:
        raise ValueError(
            f"{what} holds {', '.join(allowed)}, and the dataset has {', '.join(others)} too; "
            "write those to a file of their own"
        )
    if not dataset.parts():
        raise ValueError(f"the dataset is empty, expected {' or '.join(allowed)} for {what}")


def _words(name: str, value: Any) -> str:
    if hasattr(value, "nnz"):
        return f"{name} {value.shape} sparse of {value.nnz:,} values"
    if hasattr(value, "dtype") and value.ndim == 2:
        return f"{name} {value.shape} {value.dtype}"
    return f"{name} of {len(value):,}"
