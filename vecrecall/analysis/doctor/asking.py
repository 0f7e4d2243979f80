"""What an index is asked: queries and their true answers, and stored rows that are to find themselves.

The same questions can be put to an index that was made of another one, with or without its deleted rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.doctor.patients import Patient
from vecrecall.curve import asking
from vecrecall.exact.kept import nearest_kept
from vecrecall.inputs import as_queries

LADDER = (10, 14, 20, 28, 40, 57, 80, 113, 128, 160, 226, 320, 452, 640, 905, 1280)
SELF_EFS = (10, 128)  # at which stored rows are always searched for
DEEPER = 4  # times the greatest ef, where rows that were not found are searched for once more


@dataclass(frozen=True, eq=False)
class Questions:
    """What is asked.

    Attributes
    ----------
    k : int
    efs : tuple of int
        Where recall is reported, ascending, none below k.
    sample : ndarray of int64, shape (m,)
        Rows that are to find themselves, ascending: places among the rows that are not deleted.
    labels : list or None
        Of the groups, one for each row that is not deleted.
    queries : ndarray of float32, shape (q, dim), or None
        None where there is nothing to tell the true answers by.
    made : bool
        Whether they were made of rows, and not given.
    truth : tuple of ndarray, shape (q, k) each, or None
        True answers, as places among the rows that are not deleted, and their distances.
    seed : int
    """

    k: int
    efs: tuple[int, ...]
    sample: NDArray[np.int64]
    labels: list[Any] | None
    queries: NDArray[np.float32] | None
    made: bool
    truth: tuple[NDArray[np.int64], NDArray[np.float32]] | None
    seed: int

    @property
    def top(self) -> int:
        """The greatest ef, which faults are judged at."""
        return self.efs[-1]

    @property
    def ladder(self) -> tuple[int, ...]:
        """Efs at which recall is measured, ascending, the reported ones and half the greatest among them."""
        half = max(self.k, self.top // 2)
        return tuple(sorted({*self.efs, half, self.k, *(ef for ef in LADDER if ef >= self.k)}))

    @property
    def self_efs(self) -> tuple[int, ...]:
        """Efs at which stored rows are searched for, ascending."""
        return tuple(sorted({*self.efs, *(max(ef, self.k) for ef in SELF_EFS)}))

    @property
    def source(self) -> str:
        """The queries in words."""
        if self.queries is None:
            return "none: the index holds codes alone, and no vectors to tell the true answers by"
        if self.made:
            return f"{len(self.queries):,} queries made of its own rows, moved off the data"
        return f"{len(self.queries):,} queries given"


def questions_for(
    patient: Patient, *, queries: Any, labels: list[Any] | None, k: int, efs: tuple[int, ...], sample: int, seed: int,
    n_workers: int,
) -> Questions:  # fmt: skip
    """Draw the sample, make queries where none are given, and find their true answers by exact search.

    Exact: each query is compared with all rows, q * n * dim multiplications; twice where they are made.
    """
    rows, living = patient.living_rows, patient.living
    rng = np.random.Generator(np.random.PCG64(seed))
    n = len(living)
    drawn = np.arange(n) if sample >= n else np.sort(rng.choice(n, sample, replace=False))
    given = None if queries is None else _checked(queries, patient.index.dim)
    if rows is None:
        if given is not None:
            raise ValueError(
                f"queries were given, but {patient.name} holds codes alone, and no vectors to tell the true answers "
                "by; leave them out, or build with keep='auto'"
            )
        return Questions(k, efs, drawn, labels, None, False, None, seed)
    metric = patient.index.metric

    def near(asked: NDArray[np.float32], m: int) -> NDArray[np.int64]:
        return nearest_kept(rows, asked, m, metric, n_workers)[0].reshape(-1)

    asked = asking(rows, metric, sample, near) if given is None else given
    asked = np.ascontiguousarray(asked, np.float32)
    truth = nearest_kept(rows, asked, k, metric, n_workers)
    return Questions(k, efs, drawn, labels, asked, given is None, truth, seed)


def _checked(queries: Any, dim: int) -> NDArray[np.float32]:
    asked, _ = as_queries(queries, dim, name="queries")
    if not len(asked):
        raise ValueError("queries holds no vectors, expected at least one; leave it out to ask with rows of the index")
    return asked
