"""The orders of a study: by name, or the caller's own permutations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from vecrecall.analysis.orders import ORDERS, order, orders
from vecrecall.analysis.studying.asked import Asked
from vecrecall.inputs import as_choice

Permutation = NDArray[np.int64]


class Orders:
    """Orders of the rows of a study, made when they are first asked for.

    Parameters
    ----------
    given : str, iterable of str, or mapping of name to array_like of int, shape (n,)
        Names of `vecrecall.analysis.order`; in a mapping also permutations under names of the caller's, and None for
        a known name.
    asked : Asked
    options : dict
        Of `vecrecall.analysis.order`.
    threads : int
    progress : bool

    Attributes
    ----------
    names : tuple of str
    digests : dict of str to str
        Of the permutations that the caller gave.

    Notes
    -----
    Neighbours are searched for once, for all orders that go by them, which do not depend on a seed.
    """

    def __init__(
        self, given: Any, asked: Asked, options: dict[str, Any], threads: int, progress: bool
    ) -> None:
        self._asked, self._options, self._threads, self._progress = asked, options, threads, progress
        self._own: dict[str, Permutation] = {}
        self._by_neighbours: dict[str, Permutation] = {}
        pairs = given.items() if isinstance(given, Mapping) else ((name, None) for name in _names(given))
        for name, rows in pairs:
            self._admit(name, rows)
        self.names = tuple(dict.fromkeys(given if not isinstance(given, str) else [given]))
        if not self.names:
            raise ValueError("orders names none, expected some such as 'random'")
        self.digests = {name: xxhash.xxh3_64_hexdigest(rows.tobytes()) for name, rows in self._own.items()}

    def _admit(self, name: Any, rows: Any) -> None:
        if rows is not None:
            if not isinstance(name, str) or name in ORDERS:
                raise ValueError(f"orders has a permutation under the name {name!r}, expected a name of your own")
            self._own[name] = order(self._asked.X, rows)
            return
        as_choice(name, "an order", tuple(ORDERS))
        if "labels" in ORDERS[name].takes and self._asked.labels is None:
            raise ValueError(f"order {name!r} goes by labels, and none are given; give labels=, one for each row of X")
        if ORDERS[name].by_distance and self._asked.metric == "ip":
            raise ValueError(f"order {name!r} goes by distances, and metric is 'ip', which is none; leave it out")

    def rows(self, name: str, seed: int) -> Permutation:
        """The row at each step."""
        if name in self._own:
            return self._own[name]
        if not _by_neighbours(name):
            return self._made([name], seed)[name]
        if name not in self._by_neighbours:
            self._by_neighbours = self._made([other for other in self.names if _by_neighbours(other)], seed)
        return self._by_neighbours[name]

    def _made(self, names: list[str], seed: int) -> dict[str, Permutation]:
        options = {"labels": self._asked.labels, **self._options}
        taken = {name for by in names for name in ORDERS[by].takes}
        fitting = {name: value for name, value in options.items() if name in taken}
        return orders(
            self._asked.X, names, metric=self._asked.metric, seed=seed, threads=self._threads,
            progress=self._progress, **fitting,
        )  # fmt: skip


def _by_neighbours(name: str) -> bool:
    return name in ORDERS and "neighbours" in ORDERS[name].takes


def _names(given: Any) -> Iterable[Any]:
    if isinstance(given, str):
        return [given]
    if not isinstance(given, Iterable):
        raise TypeError(f"orders is {given!r}, expected names such as 'random', or a mapping of names to permutations")
    return given
