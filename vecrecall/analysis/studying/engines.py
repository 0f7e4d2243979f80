"""What a study builds: the contract of an engine, and those that have a name."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vecrecall.hits import Hits


class Walkable(Protocol):
    """A graph that can be walked, as `vecrecall.HNSW` is."""

    def search(self, Q: Any, k: int = ..., *, ef: int | None = ..., threads: int | None = ...) -> Hits:
        """Answer a batch; ids are rows of X."""
        ...


class Built(Protocol):
    """A graph as a library built it, and the same graph as an index of ours."""

    @property
    def index(self) -> Walkable | None:
        """The same graph, to count what a search costs and to look at the links; None where that is not to be had.

        An `HNSW` gives evaluations, hops and degrees; anything else whose `search` answers with ``evals`` gives those.
        """
        ...

    def search(self, Q: NDArray[np.float32], k: int, ef: int) -> NDArray[np.integer]:
        """Answer queries (q, dim) by the library's own search: rows of X, shape (q, k), -1 where there is none."""
        ...


@runtime_checkable
class Engine(Protocol):
    """What a study asks of a library.

    Attributes
    ----------
    name : str
    """

    name: str

    def build(
        self, X: NDArray[np.float32], order: NDArray[np.int64], *, metric: str, M: int, ef_construction: int,
        seed: int, threads: int,
    ) -> Built:  # fmt: skip
        """Insert the rows ``X[order[0]], X[order[1]], ...`` one after another, with levels drawn by the seed.

        X (n, dim) is in C order and belongs to the study; each row stands in the order once. The result must not
        depend on the number of threads.
        """
        ...


# name: (module, class, what it needs beside this package: the module and the name that pip knows)
_ENGINES: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "sequential": ("engines_own", "Sequential", None),
    "parallel": ("engines_own", "Parallel", None),
    "default": ("engines_own", "Default", None),
    "streamed": ("engines_own", "Streamed", None),
    "refined": ("engines_own", "Refined", None),
    "hnswlib": ("engines_hnswlib", "Hnswlib", ("hnswlib", "hnswlib")),
    "faiss": ("engines_faiss", "FaissInOneCall", ("faiss", "faiss-cpu")),
    "faiss-batches": ("engines_faiss", "FaissInBatches", ("faiss", "faiss-cpu")),
}
NAMES = tuple(_ENGINES)


def engine_of(engine: str | Engine) -> Engine:
    """Return the engine of a name, or the engine given.

    Raises
    ------
    ValueError, TypeError
        For a name that there is not, or an object that cannot build.
    ImportError
        Where the package of the engine is not installed.

    Examples
    --------
    >>> engine_of("sequential").name
    'sequential'
    """
    if not isinstance(engine, str):
        if isinstance(engine, Engine) and isinstance(engine.name, str) and not isinstance(engine, type):
            return engine
        raise TypeError(
            f"an engine is {engine!r}, expected one of {', '.join(map(repr, NAMES))}, or an object with name and build"
        )
    if engine not in _ENGINES:
        raise ValueError(f"an engine is {engine!r}, expected one of {', '.join(map(repr, NAMES))}")
    module, kind, needed = _ENGINES[engine]
    if needed is not None and find_spec(needed[0]) is None:
        raise ImportError(
            f"{needed[0]} is not installed, which engine {engine!r} needs; pip install {needed[1]}, "
            "or leave the engine out"
        )
    made: Engine = getattr(import_module(f"vecrecall.analysis.studying.{module}"), kind)()
    return made


def package_of(engine: Engine) -> str:
    """The package whose version says what an engine did; empty where the engine does not say."""
    return str(getattr(engine, "package", ""))
