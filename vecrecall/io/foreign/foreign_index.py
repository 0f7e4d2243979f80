"""What is known of an index that another library built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vecrecall.io.foreign.lists import Lists, OfAnotherSpace, Unsound
from vecrecall.vectors.spaces import row_lengths

if TYPE_CHECKING:
    from vecrecall.hnsw.graph import Graph
    from vecrecall.hnsw.index import HNSW

_TILE_BYTES = 1 << 24
_LONGEST = float(np.finfo(np.float32).max) ** 0.5


@dataclass(frozen=True, eq=False, repr=False)
class ForeignIndex:
    """Vectors, labels and neighbour lists as another library has them; node i is row i of all of them.

    Attributes
    ----------
    path : str
        Where it was read from; "" if it never was a file.
    metric : {"l2", "ip", "cosine"}
    M : int
        Links that a node may have in the upper layers; twice that in the base layer.
    ef_construction : int
    ef : int or None
        Candidates held by a search, where the library keeps that with the index.
    vectors : ndarray of float32, shape (n, dim)
        Under cosine as hnswlib keeps them, of unit length.
    labels : ndarray of uint64 or int64, shape (n,)
        The names that answers give the nodes.
    deleted : ndarray of bool, shape (n,)
        Nodes that searches walk over and do not return. They are part of the graph, and of :meth:`index`.
    lists : Lists
        Neighbours of each node, as they stand.
    """

    library: ClassVar[str] = "foreign"

    path: str
    metric: str
    M: int
    ef_construction: int
    ef: int | None
    vectors: NDArray[np.float32]
    labels: NDArray[Any]
    deleted: NDArray[np.bool_]
    lists: Lists

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        n_deleted = int(self.deleted.sum())
        return (
            f"{self.library} index: {len(self):,} vectors of {self.dim} dimensions, {self.metric}, M={self.M}, "
            f"ef_construction={self.ef_construction}{f', {n_deleted:,} deleted' if n_deleted else ''}"
        )

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return self.vectors.shape[1]

    @property
    def ids(self) -> NDArray[np.int64] | None:
        """The labels as ids of this library; None where they number the nodes 0..n-1.

        Labels of 2**63 or more are negative numbers that came to a library which has none; they become negative again.

        Raises
        ------
        ValueError
            If a label occurs twice (faiss allows that), or is -1, which marks a missing place in an answer.
        """
        ids = self.labels.astype(np.int64)
        if np.array_equal(ids, np.arange(len(ids))):
            return None
        if (ids == -1).any():
            raise ValueError(f"{self._name}: the label of node {np.flatnonzero(ids == -1)[0]} is -1, which marks "
                             "a missing place; number the nodes instead: index(numbered=True)")  # fmt: skip
        ordered = np.sort(ids)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(twice):
            raise ValueError(
                f"{self._name}: {twice[0]} is the label of two nodes, expected unique ids; number the nodes instead: "
                "index(numbered=True)"
            )
        return ids

    def graph(self) -> Graph:
        """Return the neighbour lists as the arrays of this library; changes to them leave ``lists`` alone.

        Links keep their order, deleted nodes theirs, and places without a link hold the node itself. Layers above
        `vecrecall.hnsw.graph.MAX_LEVEL` are left out, and so is a link that stands twice in a list.
        """
        return self.lists.graph(self.M)

    def index(self, *, numbered: bool = False) -> HNSW:
        """Return an index of this library around the same graph.

        Its answers at an ``ef`` are those of the other library, and so is what it compares for them. Deleted nodes are
        in it like all others: where there are some, the other library walks on until it has found ``ef`` living ones.

        Parameters
        ----------
        numbered : bool, default False
            Call the nodes 0..n-1 instead of by their labels.

        Raises
        ------
        ValueError
            If the labels cannot be ids, or M is beyond what this library has.
        """
        from vecrecall.hnsw.adopting import adopted

        ids = None if numbered else self.ids
        chosen: dict[str, int] = {} if self.ef is None else {"ef": self.ef}
        return adopted(
            self.graph(), self.vectors, self.metric, ids=ids, M=self.M, ef_construction=self.ef_construction, **chosen
        )

    @property
    def _name(self) -> str:
        return self.path or f"the {self.library} index"


def check_vectors(vectors: NDArray[np.float32], *, unit: bool) -> None:
    """Raise Unsound if a vector is not finite or too long, or not of unit length where all are to be (but for zero)."""
    step = max(1, _TILE_BYTES // (4 * max(1, vectors.shape[1])))
    for lo in range(0, len(vectors), step):
        lengths = row_lengths(vectors[lo : lo + step])
        odd = np.flatnonzero(~(lengths <= _LONGEST))
        if len(odd):
            raise Unsound(f"the vector of node {lo + odd[0]} holds NaN, infinity, or values whose squares float32 "
                          "cannot sum")  # fmt: skip
        odd = np.flatnonzero((np.abs(lengths - 1) > 1e-3) & (lengths > 0)) if unit else odd
        if len(odd):
            raise OfAnotherSpace(
                f"the vector of node {lo + odd[0]} has length {lengths[odd[0]]:.4g}, expected 1, as hnswlib keeps "
                "them with space='cosine'; give the space that the index was made with, 'ip' or 'l2'"
            )
