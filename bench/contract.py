"""The contract between the harness and the libraries that it measures.

A peer is a file in `bench/peers` with one or more classes. The harness makes one object of a class in a process of its
own, calls `build` once, then `set` and `ask_batch` or `ask_one` as often as it likes, and only looks at the ids.
What a peer says of its own recall is never asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


class LeftOut(Exception):
    """A peer cannot take part here; the message says why."""


@dataclass(frozen=True)
class Wanted:
    """What an index is asked for before it is built."""

    metric: str  # "l2", "ip" or "cosine"; under cosine rows and queries have unit length
    k: int
    n_threads: int = 1
    seed: int = 1


class Peer(ABC):
    """A library with one way of indexing.

    Rows are float32 of shape (n, dim), C order; or, where `sparse` is set, CSR of float32 with sorted columns. They
    stay as they are while the peer lives, so a library may point to them (`keeps_rows` says that it does).
    """

    package: ClassVar[str]  # name on PyPI, for the version
    module: ClassVar[str]  # what is imported
    metrics: ClassVar[tuple[str, ...]] = ("l2", "ip", "cosine")
    sparse: ClassVar[bool] = False
    ours: ClassVar[bool] = False
    exact: ClassVar[bool] = False
    keeps_rows: ClassVar[bool] = False
    has_batches: ClassVar[bool] = True  # whether it has a call that takes many queries
    compiles: ClassVar[bool] = False  # whether its first use compiles code

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted

    @abstractmethod
    def build(self, X: Any, **parameters: Any) -> None:
        """Index the rows, on `wanted.n_threads` threads."""

    def set(self, **setting: Any) -> None:  # noqa: B027  exact peers have nothing to set
        """Take a setting of the search, to be used by the questions that follow."""

    def forms(self, Q: Any) -> list[Any]:
        """Each query in the form in which `ask_one` takes it; outside the clock."""
        return list(Q)

    def batch_form(self, Q: Any) -> Any:
        """All queries in the form in which `ask_batch` takes them; outside the clock."""
        return Q

    @abstractmethod
    def ask_one(self, q: Any) -> Any:
        """Answer one query, in the library's own fastest call; timed."""

    def ask_batch(self, Q: Any) -> Any:
        """Answer all queries in one call; timed."""
        raise NotImplementedError

    @abstractmethod
    def answers(self, raw: Any) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
        """(ids, distances) of one raw answer; outside the clock. Of a batch they have a row a query.

        Missing places may be left out of an answer to one query, or hold -1. Distances as the library gives them,
        turned into: Euclidean (not squared); minus the inner product; 1 - cosine. None where it gives none.
        """

    def save(self, path: Path) -> None:
        """Save the index to a file or a folder, so that its size can be taken and a run be continued."""
        raise NotImplementedError

    def load(self, path: Path, X: Any, **parameters: Any) -> None:
        """Restore what `save` wrote; `parameters` are those of the build."""
        raise NotImplementedError


def euclidean(squared: Any) -> NDArray[np.float64]:
    """Distances of squares; those of empty places stay infinite."""
    return np.sqrt(np.maximum(np.asarray(squared, np.float64), 0))


def below_one(cosines: Any, metric: str) -> NDArray[np.float64]:
    """Distances of inner products: 1 - cosine, or minus the product."""
    cosines = np.asarray(cosines, np.float64)
    return 1 - cosines if metric == "cosine" else -cosines
