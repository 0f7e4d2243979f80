"""What every graph of a study is asked, and what the true answers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from vecrecall.analysis.pointwise import mle
from vecrecall.exact.search import distances_of, nearest
from vecrecall.inputs import as_queries, as_rows
from vecrecall.matching import shares_found
from vecrecall.progress import progress_bar

LADDER = (10, 14, 20, 28, 40, 57, 80, 113, 128, 160, 226, 320)  # efs between which equal evaluations are interpolated
LID_NEIGHBOURS = 100
N_SELF = 1_000  # stored rows that are searched for
_BLOCK = 1_024
_BEYOND = 2.5  # the greatest ef

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Asked:
    """Rows and queries, and how they are asked.

    Attributes
    ----------
    X, Q : ndarray of float32, C order, shape (n, dim) and (q, dim)
    metric : {"l2", "ip", "cosine"}
    k : int
    efs : tuple of int
        Where recall is reported, ascending.
    ladder : tuple of int
        Where it is measured, ascending; among them are the efs.
    labels : ndarray of shape (n,) or None
    """

    X: Floats
    Q: Floats
    metric: str
    k: int
    efs: tuple[int, ...]
    ladder: tuple[int, ...]
    labels: NDArray[Any] | None

    @classmethod
    def of(cls, X: Any, Q: Any, *, metric: str, k: int, efs: tuple[int, ...], labels: Any) -> Asked:
        """Check what a caller gave."""
        rows = as_rows(X)
        queries, _ = as_queries(Q, rows.dim)
        if not len(queries) or rows.n < k:
            raise ValueError(
                f"there are {len(queries)} queries and {rows.n} rows, expected queries and at least k={k} rows"
            )
        if labels is not None:
            labels = np.asarray(labels)
            if labels.shape != (rows.n,) or labels.dtype.kind not in "biuUO":
                raise ValueError(
                    f"labels have dtype {labels.dtype} and shape {labels.shape}, expected ints or strings of shape "
                    f"({rows.n},): the category of each row"
                )
        if efs[0] < k:
            raise ValueError(f"ef is {efs[0]}, expected at least k={k}: searches raise a smaller one to k")
        return cls(
            np.ascontiguousarray(rows.tile(0, rows.n)), np.ascontiguousarray(queries), metric, k, efs, ladder(efs, k),
            labels,
        )  # fmt: skip

    def fingerprint(self) -> str:
        """Equal for equal data and questions only."""
        whole = xxhash.xxh3_128()
        asked = (self.metric, self.k, self.efs, self.ladder, self.X.shape, self.Q.shape, N_SELF, LID_NEIGHBOURS)
        whole.update(repr(asked).encode())
        for part in (self.X, self.Q):
            whole.update(part.data)
        if self.labels is not None:
            whole.update("\0".join(map(str, self.labels.tolist())).encode())
        return whole.hexdigest()

    def self_sample(self) -> NDArray[np.int64]:
        """Rows that are searched for, the same in every graph: positions in X, ascending."""
        n = len(self.X)
        drawn = np.random.Generator(np.random.PCG64(n)).choice(n, min(n, N_SELF), replace=False)
        return np.sort(drawn).astype(np.int64)


def ladder(efs: tuple[int, ...], k: int) -> tuple[int, ...]:
    """The efs that are measured: those asked for, and others from k up to beyond the greatest.

    A graph of short lists takes few evaluations at an ef, and is compared with others at theirs.

    >>> ladder((10, 40), 10)
    (10, 14, 20, 28, 40, 57, 80)
    """
    return tuple(sorted({*efs, k, *(ef for ef in LADDER if k <= ef <= _BEYOND * max(efs))}))


class Truth:
    """The true answers to what is asked: distances of the k nearest rows, and the dimension around each query.

    Attributes
    ----------
    lid : ndarray of float64, shape (q,)
        Local intrinsic dimension of each query among the rows, by maximum likelihood from its nearest 100; NaN where
        distances tell nothing, and for inner products.
    """

    def __init__(self, asked: Asked, threads: int, progress: bool) -> None:
        self._asked = asked
        width = min(len(asked.X), max(asked.k, LID_NEIGHBOURS))
        slots = np.empty((len(asked.Q), width), np.int64)
        distances = np.empty(slots.shape, np.float32)
        with progress_bar("exact search", len(asked.Q), progress) as show:
            for lo in range(0, len(asked.Q), _BLOCK):
                part = asked.Q[lo : lo + _BLOCK]
                nobody = np.full(len(part), -1)
                found = nearest(asked.X, part, width, asked.metric, nobody, threads)
                slots[lo : lo + _BLOCK], distances[lo : lo + _BLOCK] = found
                show(lo + len(part))
        self.ids, self.distances = slots[:, : asked.k], distances[:, : asked.k]
        self.lid = query_lid(distances, asked.metric)

    def n_right(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """How many answers (q, k), rows of X, are as near as the k-th true one; shape (q,)."""
        asked = self._asked
        found = distances_of(asked.X, asked.Q, np.asarray(rows, np.int64), asked.metric)
        shares = shares_found((rows, found), (self.ids, self.distances), k=asked.k)
        return np.rint(shares * asked.k).astype(np.int64)


def query_lid(distances: Floats, metric: str) -> Doubles:
    """Maximum-likelihood dimension of each query from the distances to its nearest rows, shape (q, m) ascending.

    Rows equal to the query say nothing and are left out; cosine distances are taken as chords. NaN where
    `vecrecall.analysis.pointwise.mle` says so, and for inner products, which are no distances.

    Examples
    --------
    >>> query_lid(np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 1.0]]), "l2").round(3)
    array([0.962,   nan])
    """
    if metric == "ip":
        return np.full(len(distances), np.nan)
    values = distances.astype(np.float64)
    values = np.sqrt(2 * np.maximum(values, 0)) if metric == "cosine" else values
    return mle(np.sort(np.where(values > 0, values, np.inf), axis=1))
