"""What every engine shares: the life of an index, and the lock that lets searches run beside each other."""

import os
import threading
from typing import Any, ClassVar

from numpy.typing import NDArray

from vecrecall import file as index_file
from vecrecall.errors import IndexFileError
from vecrecall.file import File
from vecrecall.ids import Ids
from vecrecall.vectors.spaces import METRICS


class ReadWriteLock:
    """A lock that searches share (``with lock.shared:``) and changes take alone (``with lock.alone:``).

    A waiting change goes before later searches, so that it cannot starve. Not re-entrant. Taking and giving
    back the shared side costs half a microsecond. A forked child starts with a fresh lock, whatever threads
    of the parent held at that moment.
    """

    __slots__ = ("_changed", "_changing", "_mutex", "_n_changes", "_n_searches", "_pid", "alone", "shared")

    def __init__(self) -> None:
        self.shared = _Shared(self)
        self.alone = _Alone(self)
        self._start()

    def _start(self) -> None:
        self._mutex = threading.Lock()
        self._changed = threading.Condition(self._mutex)
        self._n_searches = 0
        self._n_changes = 0  # waiting or under way
        self._changing = False
        self._pid = os.getpid()


class _Shared:
    __slots__ = ("_lock",)

    def __init__(self, lock: ReadWriteLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        lock = self._lock
        if lock._pid != os.getpid():
            lock._start()
        with lock._mutex:
            while lock._n_changes:
                lock._changed.wait()
            lock._n_searches += 1

    def __exit__(self, *error: object) -> None:
        lock = self._lock
        with lock._mutex:
            lock._n_searches -= 1
            if lock._n_changes:
                lock._changed.notify_all()


class _Alone:
    __slots__ = ("_lock",)

    def __init__(self, lock: ReadWriteLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        lock = self._lock
        if lock._pid != os.getpid():
            lock._start()
        with lock._mutex:
            lock._n_changes += 1
            try:
                while lock._n_searches or lock._changing:
                    lock._changed.wait()
            except BaseException:  # an interrupt while waiting
                lock._n_changes -= 1
                lock._changed.notify_all()
                raise
            lock._changing = True

    def __exit__(self, *error: object) -> None:
        lock = self._lock
        with lock._mutex:
            lock._changing = False
            lock._n_changes -= 1
            lock._changed.notify_all()


class Index:
    """Base of the engines: dimension, metric, ids, lock, and saving.

    An engine calls ``Index.__init__(self, dim, metric, ids)``, sets `kind`, and implements `_parameters`,
    `_counts`, `_sections` (its own ones: metric, dimension and ids are saved here), `_restore`, `_storage`,
    `check`, `search` and `add`. It never names a section "ids", "ids_bytes", "ids_ends" or "ids_next".
    """

    kind: ClassVar[str]

    _dim: int
    _metric: str
    _ids: Ids
    _lock: ReadWriteLock

    def __init__(self, dim: int, metric: str, ids: Ids) -> None:
        self._dim, self._metric, self._ids = dim, metric, ids
        self._lock = ReadWriteLock()

    @property
    def dim(self) -> int:
        """Number of columns of a vector."""
        return self._dim

    @property
    def metric(self) -> str:
        """One of "l2", "ip", "cosine"."""
        return self._metric

    def __len__(self) -> int:
        """Return the number of vectors."""
        return self._ids.n_living

    def memory(self) -> dict[str, int]:
        """Return the bytes held, by part. Mapped parts count, though they may not be in memory yet."""
        return {name: array.nbytes for name, array in self._sections().items()} | {"ids": self._ids.nbytes()}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the index to one file, atomically: the old file or the new one is there, never half.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        OSError
            As the operating system says; the old file, if any, is as it was.

        See Also
        --------
        vecrecall.load : the way back.
        """
        with self._lock.shared:
            sections = {**self._sections(), **self._ids.arrays()}  # first: what is measured meanwhile is not promised
            index_file.write(
                path,
                kind=self.kind,
                parameters={
                    "metric": self._metric,
                    "dim": self._dim,
                    "ids": self._ids.kind,
                    **self._parameters(),
                },
                counts={"n": self._ids.n, **self._counts()},
                sections=sections,
            )

    def check(self) -> None:
        """Walk every invariant of the index.

        Raises
        ------
        CorruptIndexError
            Naming the first one broken.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        n_bytes = float(sum(self.memory().values()))
        unit = "bytes"
        for larger in ("KiB", "MiB", "GiB"):
            if n_bytes >= 1024:
                n_bytes, unit = n_bytes / 1024, larger
        size = f"{n_bytes:,.{0 if unit == 'bytes' else 1}f} {unit}"
        return (
            f"{type(self).__name__}: {len(self):,} vectors of {self._dim} dimensions, metric {self._metric}\n"
            f"{self._storage()}, {size}"
        )

    def _parameters(self) -> dict[str, Any]:
        raise NotImplementedError

    def _counts(self) -> dict[str, int]:
        raise NotImplementedError

    def _sections(self) -> dict[str, NDArray[Any]]:
        raise NotImplementedError

    def _storage(self) -> str:
        """Return a few words for the second line of the repr, such as "rows kept as uint8"."""
        raise NotImplementedError

    @classmethod
    def _restore(cls, file: File) -> "Index":
        """Return the index a file holds; a ValueError, TypeError or KeyError becomes an IndexFileError."""
        raise NotImplementedError


def restore_shared(file: File) -> tuple[int, str, Ids]:
    """Return (dim, metric, ids) as `Index.save` wrote them, checked."""
    metric, dim, n = file.parameters.get("metric"), file.parameters.get("dim"), file.counts.get("n")
    if metric not in METRICS:
        raise IndexFileError(f"the metric is {metric!r}, expected one of {METRICS}")
    if type(dim) is not int or dim < 1 or n is None:
        raise IndexFileError(
            f"the dimension is {dim!r} and the number of vectors {n!r}, expected positive integers"
        )
    return dim, metric, Ids.from_arrays(file.parameters.get("ids", ""), n, file.sections)
