"""What is examined: an index of any of three libraries, opened, with a walk over its very graph."""

from __future__ import annotations

import os
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.graphs import held_rows
from vecrecall.hnsw.content import Content
from vecrecall.hnsw.index import HNSW
from vecrecall.hnsw.walker import Walker
from vecrecall.inputs import as_choice, as_count
from vecrecall.io.foreign import ForeignIndex, from_faiss, read_foreign, read_hnswlib
from vecrecall.threads import run
from vecrecall.vectors.memory import aligned_zeros
from vecrecall.vectors.rows import KeptRows
from vecrecall.vectors.spaces import METRICS, inverse_lengths
from vecrecall.vectors.walked import FloatRows

_SLICE = 64  # queries between looks at the caller
_EXPECTED = (
    "the path of an index, a vecrecall.HNSW, an hnswlib.Index, or a faiss.IndexHNSWFlat (alone or in an IndexIDMap)"
)


@dataclass(frozen=True, eq=False)
class Patient:
    """An index to be examined.

    Attributes
    ----------
    path : str
        Where it was read from; "" if it was in memory.
    library : {"vecrecall", "hnswlib", "faiss"}
    index : HNSW
        What is walked: the index itself, or one around the other library's graph.
    deleted : ndarray of bool, shape (n,)
        Nodes that searches walk over and do not return.
    foreign : ForeignIndex or None
        As it was read, where it is of another library.
    n_repeated : int
        Nodes whose label an earlier one has.
    """

    path: str
    library: str
    index: HNSW
    deleted: NDArray[np.bool_]
    foreign: ForeignIndex | None = None
    n_repeated: int = 0

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.path or f"the {self.library} index"

    @property
    def content(self) -> Content:
        return self.index._content

    @property
    def living(self) -> NDArray[np.int64]:
        """Slots that searches return, ascending."""
        return np.flatnonzero(~self.deleted)

    def names_of(self, slots: NDArray[np.int64]) -> list[Any]:
        """What its library calls some rows; their numbers where labels occur twice."""
        if self.foreign is not None and not self.n_repeated:
            return list(self.foreign.labels[slots].tolist())
        return list(self.index._ids.outer(slots).tolist())

    @property
    def rows(self) -> KeptRows | None:
        """The vectors by slot, as they are compared exactly; None where codes alone are held."""
        return held_rows(self.content)

    @property
    def living_rows(self) -> KeptRows | None:
        """The same without those that are deleted."""
        rows, living = self.rows, self.living
        if rows is None or len(living) == rows.n:
            return rows
        inverse = None if rows.inverse is None else rows.inverse[living]
        return KeptRows(rows.values[living], inverse, rows.dim, len(living))

    def answer(
        self, queries: NDArray[np.float32], k: int, ef: int, n_workers: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(slots (q, k), evaluations (q,), hops (q,)) as the library itself finds them; -1 where there is no k-th."""
        if self.deleted.any():
            return self._answer_by_living(queries, k, ef, n_workers)
        slots, _, evals, hops = Walker().answer(self.content, queries, k, ef, n_workers)
        return slots.reshape(-1, k), evals, hops

    def _answer_by_living(
        self, queries: NDArray[np.float32], k: int, ef: int, n_workers: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        from vecrecall.analysis.doctor.living import walk_living

        content, n_queries = self.content, len(queries)
        graph, walked, metric = content.graph, content.walked, content.space.metric
        assert isinstance(walked, FloatRows)
        asking = aligned_zeros((n_queries, walked.values.shape[1]), np.float32)
        asking[:, : content.space.dim] = queries * inverse_lengths(queries)[:, None] if metric != "l2" else queries
        slots = np.full((n_queries, k), -1)
        evals, hops = np.zeros((2, n_queries), np.int64)
        base = graph.links, graph.n_links
        upper = graph.upper, graph.n_upper_links, graph.upper_at

        def walk(lo: int, hi: int) -> None:
            walk_living(
                base, upper, graph.entry, graph.top, walked.values, self.deleted, asking, lo, hi, metric != "l2", k,
                max(k, ef), slots, evals, hops,
            )  # fmt: skip

        run(n_workers, walk, 0, n_queries, _SLICE)
        return slots, evals, hops


def patient_of(source: Any, dim: int | None, space: str | None) -> Patient:
    """Open an index, or take over one that is in memory; errors as of :func:`vecrecall.doctor`."""
    dim = None if dim is None else as_count(dim, "dim")
    space = None if space is None else as_choice(space, "space", METRICS)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        patient = _patient(path, read_foreign(path, dim=dim, space=space))
    else:
        patient = _patient("", _taken_over(source))
        for name, given, has in (("dim", dim, patient.index.dim), ("space", space, patient.index.metric)):
            if given is not None and given != has:
                raise ValueError(f"{name} is {given!r}, but the index says {has!r}; leave {name} out")
    if not len(patient.living):
        raise ValueError(f"{patient.name} holds no vectors, expected at least one to examine")
    return patient


def _taken_over(source: Any) -> Any:
    """What is in memory, as if it had been read."""
    library = type(source).__module__.partition(".")[0]
    if library == "faiss":
        return from_faiss(source)
    if library == "hnswlib" and type(source).__name__ == "Index":
        if not source.element_count:  # to save one that was not made yet ends the process
            raise ValueError("the hnswlib index holds no vectors, expected at least one to examine")
        with TemporaryDirectory() as folder:
            path = os.path.join(folder, "index.bin")
            source.save_index(path)
            return read_hnswlib(path, space=source.space, dim=source.dim)
    return source


def _patient(path: str, found: Any) -> Patient:
    if isinstance(found, HNSW):
        return Patient(path, "vecrecall", found, np.zeros(len(found), bool))
    if not isinstance(found, ForeignIndex):
        if path:
            raise ValueError(f"{path}: holds an index of kind {found.kind!r}, which has no graph, expected 'hnsw'")
        raise TypeError(f"source is of type {type(found).__name__}, expected {_EXPECTED}")
    if not len(found):  # no graph can be made of it
        raise ValueError(f"{path or f'the {found.library} index'} holds no vectors, expected at least one to examine")
    n_repeated = len(found) - len(np.unique(found.labels))
    try:
        index = found.index(numbered=n_repeated > 0 or bool((found.labels.astype(np.int64) == -1).any()))
    except ValueError as error:
        raise ValueError(f"{path or f'the {found.library} index'}: {error}") from error
    return Patient(path, found.library, index, found.deleted, found, n_repeated)
