"""vecrecall in the streaming track of big-ann-benchmarks: `vr.IVF` or `vr.HNSW`, with deletion made here.

The dense engines cannot delete yet, so this wrapper does what a user would have to:

- A deleted vector stays in the index as a tombstone. Searches ask for more than k and pass over the dead; a query that
  is still short of k living ones is answered by exact search among the living.
- When tombstones are more than a share of the index (`max_dead`, a fifth by default), the index is built anew of the
  living vectors, within the step that deleted them. The vectors are kept here for that: a copy of what was inserted,
  or, where that maps a file, the mapping itself.
- To replace a vector is to bury the old one and to insert the new one under the same id.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from neurips23.streaming.base import BaseStreamingANN
from numpy.typing import NDArray

import vecrecall as vr

METRICS = {"euclidean": "l2", "ip": "ip", "angular": "cosine"}
ENGINES = {"IVF": vr.IVF, "HNSW": vr.HNSW}
WIDER = 4  # a query that is short of living ones asks for so many times more
TRIES = 3  # and so often in all, before exact search
TILE = 1 << 16  # rows that exact search takes at once
N_TRIED = 1_200  # rows of the small index that compiles the kernels: enough for every engine to train codes


class VecrecallStreaming(BaseStreamingANN):
    """Answers are living ids, k for each query, unique."""

    def __init__(self, metric: str, index_params: dict[str, Any]) -> None:
        """`index_params` holds "engine" ("IVF" or "HNSW"), "max_dead", and keyword arguments of the engine's build."""
        params = dict(index_params)
        engine, self._max_dead = params.pop("engine", "IVF"), params.pop("max_dead", 0.2)
        if metric not in METRICS or engine not in ENGINES:
            raise ValueError(
                f"metric is {metric!r} and engine {engine!r}, "
                f"expected one of {sorted(METRICS)} and one of {sorted(ENGINES)}"
            )
        self._engine, self._build = ENGINES[engine], {"metric": METRICS[metric], **params}
        self._label = f"vecrecall-{engine.lower()}"
        self._settings: dict[str, Any] = {}
        self._slots, self._index = Slots(), None
        self._n_rebuilds = self._n_exact = 0
        self.res: Any = None
        self._rename()

    def _rename(self) -> None:
        given = {**self._build, "max_dead": self._max_dead, **self._settings}
        self.name = f"{self._label}({', '.join(f'{name}={value}' for name, value in given.items())})"

    # ---------------------------------------- what the runner calls

    def setup(self, dtype: str, max_pts: int, ndims: int) -> None:
        """Start with nothing, and compile what steps will need. The index grows by itself: max_pts is not needed."""
        self._slots, self._index = Slots(), None
        self._n_rebuilds = self._n_exact = 0
        drawn = np.random.default_rng(0).normal(50, 10, (N_TRIED, ndims))
        rows = drawn.astype(dtype)
        index = self._engine.build(rows[:-50], **self._build)
        index.add(rows[-50:])
        index.search(rows[:9], 10)
        nearest(rows[:9], rows, self._build["metric"], 10)

    def insert(self, X: NDArray[Any], ids: NDArray[np.integer]) -> None:
        """Insert vectors under ids none of which is living."""
        ids = checked_ids(ids, len(X))
        living = ids[self._slots.of(ids) >= 0]
        if len(living):
            raise ValueError(
                f"id {living[0]} is inserted, but is living; delete it first (a runbook is played once after a setup: "
                "give one query setting a run group)"
            )
        self._append(X, ids)

    def delete(self, ids: NDArray[np.integer]) -> None:
        """Delete vectors; all of them have to be living."""
        self._slots.bury(self._living_slots(ids))
        self._rebuild_if_due()

    def replace(self, X: NDArray[Any], ids: NDArray[np.integer]) -> None:
        """Give living ids new vectors."""
        ids = checked_ids(ids, len(X))
        old = self._living_slots(ids)
        self._append(X, ids)  # first: what it refuses changes nothing
        self._slots.bury(old)
        self._rebuild_if_due()

    def set_query_arguments(self, query_args: dict[str, Any]) -> None:
        """`query_args` holds keyword arguments of the engine's search."""
        self._settings = dict(query_args)
        self._rename()

    def query(self, X: NDArray[Any], k: int) -> None:
        """Answer a batch of queries, each by k living ids."""
        slots = self._slots
        if k > slots.n_living:
            raise ValueError(
                f"k is {k}, but {slots.n_living} vectors are living, and the result files know no missing places; "
                "search after more insertions"
            )
        found, short = np.empty((len(X), k), np.int64), np.arange(len(X))
        for width in self._widths(k):
            alive, is_whole = slots.first_living(self._index.search(X[short], width, **self._settings).ids, k)
            found[short[is_whole]] = alive[is_whole]
            short = short[~is_whole]
            if not len(short):
                break
        if len(short):
            found[short] = self._exactly(X[short], k)
            self._n_exact += len(short)
        self.res = slots.ids[found]

    def get_results(self) -> NDArray[np.int64]:
        """Ids of the neighbours, shape (queries, k)."""
        return self.res

    def get_additional(self) -> dict[str, int]:
        """How often the index was built anew since the setup, and how many queries exact search had to answer."""
        return {"rebuilds": self._n_rebuilds, "exact_queries": self._n_exact}

    def done(self) -> None:
        self._slots, self._index = Slots(), None

    # ---------------------------------------- what they are made of

    def _append(self, X: NDArray[Any], ids: NDArray[np.int64]) -> None:
        if not len(ids):
            return
        if self._index is None:
            self._index = self._engine.build(X, **self._build)
        else:
            self._index.add(X)
        self._slots.append(X, ids)

    def _living_slots(self, ids: NDArray[np.integer]) -> NDArray[np.int64]:
        ids = checked_ids(ids, len(ids))
        slots = self._slots.of(ids)
        if (slots < 0).any():
            raise KeyError(f"id {ids[slots < 0][0]} is not living")
        return slots

    def _rebuild_if_due(self) -> None:
        slots = self._slots
        if slots.n_dead <= self._max_dead * len(slots):
            return
        self._index = None  # before the new one is built: both do not have to fit into memory
        slots.drop_dead()
        if slots.n_living:
            self._index = self._engine.build(slots.rows(), **self._build)
        self._n_rebuilds += 1

    def _widths(self, k: int) -> list[int]:
        """How many neighbours to ask for, one number a try: k and room for three times the share that is dead first."""
        n = len(self._slots)
        first = k + -(-3 * k * self._slots.n_dead // n)
        return sorted({min(n, first * WIDER**i) for i in range(TRIES)})

    def _exactly(self, Q: NDArray[Any], k: int) -> NDArray[np.int64]:
        """Slots of the k nearest living vectors of each query, by comparing with all of them."""
        slots = np.empty((len(Q), 0), np.int64)
        distances = np.empty((len(Q), 0), np.float32)
        for of_tile, rows in self._slots.living_tiles(TILE):
            hits = nearest(Q, rows, self._build["metric"], k)
            slots = np.concatenate([slots, of_tile[hits.ids]], axis=1)
            distances = np.concatenate([distances, hits.distances], axis=1)
            order = np.argsort(distances, axis=1, kind="stable")[:, :k]
            slots, distances = (np.take_along_axis(part, order, 1) for part in (slots, distances))
        return slots


class Slots:
    """What stands in which slot of the index: id, vector, and whether it is living.

    Attributes
    ----------
    ids : ndarray of int64, shape (at least len(self),)
        Id of each slot, living or dead.
    n_living, n_dead : int
    """

    def __init__(self) -> None:
        self.ids, self.n_living = np.empty(0, np.int64), 0
        self._n, self._alive = 0, np.empty(0, bool)
        self._place = np.zeros(0, np.int32)  # by id: 1 + its slot, or 0; what is never touched takes no memory
        self._blocks: list[tuple[NDArray[Any], NDArray[np.int32]]] = []  # the slots in turn, as rows of arrays

    def __len__(self) -> int:
        """Slots of the index, those of tombstones included."""
        return self._n

    @property
    def n_dead(self) -> int:
        return self._n - self.n_living

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The slots of ids, -1 where none is living."""
        slots = np.full(len(ids), -1)
        known = ids < len(self._place)
        slots[known] = self._place[ids[known]] - 1
        return slots

    def append(self, X: NDArray[Any], ids: NDArray[np.int64]) -> None:
        """Fill the next slots. A mapped X is kept as it is, any other is copied."""
        lo, hi = self._n, self._n + len(ids)
        self.ids, self._alive = with_room(self.ids, hi), with_room(self._alive, hi)
        self._place = with_room(self._place, int(ids.max(initial=-1)) + 1)
        self.ids[lo:hi], self._alive[lo:hi], self._place[ids] = ids, True, np.arange(lo + 1, hi + 1)
        self._blocks.append((X if isinstance(X, np.memmap) else np.array(X), np.arange(len(ids), dtype=np.int32)))
        self._n, self.n_living = hi, self.n_living + len(ids)

    def bury(self, slots: NDArray[np.int64]) -> None:
        """Mark slots as dead. An id that has been given a later slot keeps it."""
        ids = self.ids[slots]
        mine = self._place[ids] == slots + 1
        self._place[ids[mine]] = 0
        self._alive[slots] = False
        self.n_living -= len(slots)

    def first_living(self, found: NDArray[np.int64], k: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(the first k living ones of each row of slots, which rows have as many); a missing place is -1."""
        alive = (found >= 0) & self._alive[: self._n][found]
        first = np.argsort(~alive, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(found, first, 1), alive.sum(axis=1) >= k

    def living_tiles(self, size: int) -> Any:
        """Yield (slots, vectors) of all that are living, no more than ``size`` at a time."""
        lo = 0
        for array, rows in self._blocks:
            of_block = lo + np.flatnonzero(self._alive[lo : lo + len(rows)])
            for start in range(0, len(of_block), size):
                slots = of_block[start : start + size]
                yield slots, np.asarray(array)[rows[slots - lo]]
            lo += len(rows)

    def rows(self) -> NDArray[Any]:
        """The living vectors, by slot."""
        return np.concatenate([rows for _, rows in self.living_tiles(max(self._n, 1))])

    def drop_dead(self) -> None:
        """Number the living ones anew, in their order."""
        lo, blocks = 0, []
        for array, rows in self._blocks:
            alive = self._alive[lo : lo + len(rows)]
            lo += len(rows)
            if alive.any():
                blocks.append((array, rows[alive]))
        self._blocks, self.ids = blocks, self.ids[: self._n][self._alive[: self._n]]
        self._n = len(self.ids)
        self._alive = np.ones(self._n, bool)
        self._place[self.ids] = np.arange(1, self._n + 1)


def nearest(Q: NDArray[Any], rows: NDArray[Any], metric: str, k: int) -> Any:
    """The k nearest of some rows (all, where they are fewer), exactly."""
    return vr.Exact.build(rows, metric=metric).search(Q, min(k, len(rows)))


def with_room(array: NDArray[Any], n: int) -> NDArray[Any]:
    """The array, or one twice as long with its values and zeros, where it is too short for n."""
    if n <= len(array):
        return array
    grown = np.zeros(max(n, 2 * len(array)), array.dtype)
    grown[: len(array)] = array
    return grown


def checked_ids(ids: Any, n: int) -> NDArray[np.int64]:
    """Ids as int64, one a vector: each once, and such that result files (int32) can hold them."""
    ids = np.asarray(ids)
    if ids.shape != (n,) or ids.dtype.kind not in "iu":
        raise ValueError(f"ids have shape {ids.shape} and type {ids.dtype}, expected {n} integers, one a vector")
    ids = ids.astype(np.int64)
    if n and not 0 <= ids.min() <= ids.max() < 2**31:
        raise ValueError(f"ids go from {ids.min()} to {ids.max()}, expected 0 to 2**31 - 1")
    if len(np.unique(ids)) < n:
        ordered = np.sort(ids)
        raise ValueError(f"ids hold {ordered[:-1][ordered[1:] == ordered[:-1]][0]} twice, expected each once")
    return ids
