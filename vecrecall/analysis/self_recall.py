"""Whether stored rows find themselves, and which do not: by the time of their insertion, and by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.graphs import as_graph_index, held_rows
from vecrecall.analysis.labels import groups_of_labels
from vecrecall.exact.kept import kept_distances
from vecrecall.hnsw.content import Content
from vecrecall.hnsw.order import checked_order, random_order
from vecrecall.hnsw.parameters import Parameters
from vecrecall.hnsw.walker import Walker
from vecrecall.inputs import as_count
from vecrecall.intervals import bootstrap
from vecrecall.threads import n_threads

_TILE = 1_024  # rows that ask at a time
_TENTHS = 10
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class SelfRecall:
    """Which of some stored rows were found when they were searched for.

    Attributes
    ----------
    slots : ndarray of int64, shape (m,)
        The rows, ascending.
    ef : tuple of int
    found : ndarray of bool, shape (len(ef), m)
    k : int
        Answers that were asked for.
    tenth : ndarray of int64, shape (m,)
        Of the insertions, in which each row came, from 1.
    insertion : str
        Where the time of insertion is known from, in words.
    labels : list or None
        Of the groups, one for each row of ``slots``.
    """

    slots: NDArray[np.int64]
    ef: tuple[int, ...]
    found: NDArray[np.bool_]
    k: int
    tenth: NDArray[np.int64]
    insertion: str
    labels: list[Any] | None = None

    @property
    def shares(self) -> list[dict[str, float]]:
        """A row for each ef: ``ef``, share ``found``, ends ``low`` and ``high`` of its 95 % bootstrap interval."""
        rows = []
        for ef, found in zip(self.ef, self.found):
            low, high = bootstrap(found.astype(np.float64), LEVEL)
            rows.append({"ef": ef, "n": len(found), "found": float(found.mean()), "low": low, "high": high})
        return rows

    @property
    def by_tenth(self) -> list[dict[str, float]]:
        """A row for each tenth of the insertions and ef: ``tenth``, ``ef``, ``n`` rows asked, share ``found``."""
        return [
            {"tenth": tenth, "ef": ef, "n": int(own.sum()), "found": float(found[own].mean())}
            for tenth, own in ((tenth, self.tenth == tenth) for tenth in np.unique(self.tenth).tolist())
            for ef, found in zip(self.ef, self.found)
        ]

    @property
    def by_group(self) -> list[dict[str, Any]]:
        """A row for each group and ef: ``label``, ``ef``, ``n``, ``found``; the worst group at the last ef first."""
        if self.labels is None:
            return []
        group = groups_of_labels(self.labels, len(self.labels))
        names = dict(zip(group.tolist(), self.labels))
        n = np.bincount(group)
        shares = np.array([np.bincount(group, found) / n for found in self.found])
        return [
            {"label": names[at], "ef": ef, "n": int(n[at]), "found": float(share[at])}
            for at in np.argsort(shares[-1], kind="stable").tolist()
            for ef, share in zip(self.ef, shares)
        ]


def self_recall(
    index: Any, slots: NDArray[np.integer], ef: int, *, k: int = 10, threads: int | None = None
) -> NDArray[np.bool_]:
    """Search for stored rows; say which of them are found.

    Parameters
    ----------
    index : HNSW
        With rows kept, or walked as floats.
    slots : ndarray of int, shape (m,)
        Rows, by the order in which they were given to the index.
    ef : int
        Candidates held while walking.
    k : int, default 10
    threads : int, optional
        Default: all that the process may use. The result is the same for any number.

    Returns
    -------
    ndarray of bool, shape (m,)
        Whether the row is among its own k nearest as found, or another as near as itself is (a duplicate). Under "ip"
        a row need not be among its own nearest: there it also counts if k rows as near as itself are found.

    Raises
    ------
    TypeError, ValueError
        If the index has no graph of its own kind, holds codes alone, or a number is not as stated.

    Examples
    --------
    >>> import vecrecall as vr
    >>> X = np.random.default_rng(0).standard_normal((1500, 8), dtype=np.float32)
    >>> bool(self_recall(vr.HNSW.build(X), np.arange(100), 64).all())
    True
    """
    graph_index = as_graph_index(index)
    ef, k, n_workers = as_count(ef, "ef"), as_count(k, "k"), n_threads(threads)
    with graph_index._lock.shared:
        content = graph_index._content
        slots = np.asarray(slots)
        if slots.ndim != 1 or slots.dtype.kind not in "iu" or (slots >= content.n).any() or (slots < 0).any():
            raise ValueError(
                f"slots has dtype {slots.dtype} and shape {slots.shape}, expected integers 0..{content.n - 1} in one "
                "dimension"
            )
        if held_rows(content) is None:
            raise ValueError("the index holds codes alone and no rows to search for; build with keep='auto'")
        return find_themselves(content, slots.astype(np.int64), ef, k, n_workers)


def find_themselves(content: Content, slots: NDArray[np.int64], ef: int, k: int, n_workers: int) -> NDArray[np.bool_]:
    """The same within the lock of an index, for what is checked."""
    rows, metric, walker = held_rows(content), content.space.metric, Walker()
    assert rows is not None
    found = np.zeros(len(slots), bool)
    for lo in range(0, len(slots), _TILE):
        own = slots[lo : lo + _TILE, None]
        asking = rows.take(own[:, 0])
        answers = walker.answer(content, asking, k, ef, n_workers)[0].reshape(-1, k)
        limit = kept_distances(rows, asking, own, metric)  # both in one arithmetic: equal rows are equally far
        near = kept_distances(rows, asking, answers, metric) <= limit
        found[lo : lo + _TILE] = (answers == own).any(1) | (near.all(1) if metric == "ip" else near.any(1))
    return found


def insertion_tenths(
    order: Any, slots: NDArray[np.int64], n: int, parameters: Parameters
) -> tuple[NDArray[np.int64], str]:
    """(tenth of the insertions in which each of some rows came, from 1; where that is known from).

    ``order`` is as given to the build: "random", "given", positions in X, or None for what the index says of itself.
    """
    named = parameters.order if order is None else order
    positions: NDArray[np.integer] | None
    if isinstance(named, str) and named == "given":
        positions, known = np.arange(n), "the order of the rows"
    elif isinstance(named, str) and named == "random":
        positions = random_order(parameters.seed, np.arange(n, dtype=np.int32))
        known = "the seed, if all rows came in one build"
    else:
        positions, known = checked_order(named, n, parameters), "the order given"
    assert positions is not None
    time = np.empty(n, np.int64)
    time[positions] = np.arange(n)
    return time[slots] * _TENTHS // n + 1, known
