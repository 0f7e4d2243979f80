"""Outer ids: the caller's names for the slots (insertion numbers) 0..n-1."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.errors import CorruptIndexError, IndexFileError

_ALLOWED = "unique int64 numbers (not -1, which marks a missing place) or strings"


class _Names:
    """The ids of one line of versions: a growing array, and a table from id to slot made when first needed.

    A version that holds all of the names may append in place; earlier versions only look at their first n.
    """

    __slots__ = ("array", "n", "table")

    def __init__(self, array: NDArray[Any], n: int) -> None:
        self.array, self.n = array, n
        self.table: dict[Any, int] | None = None

    def append(self, new: NDArray[Any]) -> None:
        end = self.n + len(new)
        if end > len(self.array):
            grown = np.empty(max(end, 2 * len(self.array), 16), self.array.dtype)
            grown[: self.n] = self.array[: self.n]
            self.array = grown
        self.array[self.n : end] = new
        if self.table is not None:
            self.table.update(zip(new.tolist(), range(self.n, end), strict=True))
        self.n = end

    def slots(self) -> dict[Any, int]:
        if self.table is None:
            self.table = dict(zip(self.array[: self.n].tolist(), range(self.n), strict=True))
        return self.table


class Ids:
    """Outer ids of slots 0..n-1; a value that never changes: `extended` gives a new one.

    Attributes
    ----------
    n : int
        Number of slots.
    kind : {"range", "numbered", "int64", "str"}
        "range": the ids are the slots themselves, nothing is stored. "numbered": what is left of a range, whose
        numbers go on where it ended.

    Examples
    --------
    >>> ids = Ids()
    >>> ids = ids.extended(ids.checked(["b", "a"], 2), 2)
    >>> ids.slots(["a"])
    array([1])
    >>> ids.outer(np.array([0, -1]))
    array(['b', None], dtype=object)
    >>> ids.without(ids.slots(["b"])).n_living
    1
    """

    __slots__ = ("_dead", "_names", "_next", "kind", "n")

    def __init__(self, n: int = 0) -> None:
        self.n = n
        self.kind = "range"
        self._names = _Names(np.empty(0, np.int64), 0)
        self._dead: NDArray[np.bool_] = np.zeros(0, bool)  # of the first slots; all others live
        self._next = 0  # of "numbered"

    @classmethod
    def _over(cls, names: _Names, kind: str) -> "Ids":
        ids = cls(names.n)
        ids.kind, ids._names = kind, names
        return ids

    @property
    def n_living(self) -> int:
        """Slots that are not deleted."""
        return self.n - int(self._dead.sum())

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Which slots are deleted, shape (n,)."""
        return np.concatenate([self._dead, np.zeros(self.n - len(self._dead), bool)])

    def without(self, slots: NDArray[np.integer]) -> "Ids":
        """Return these ids with some slots deleted: their ids are unknown, and free to be given again."""
        ids = Ids._over(self._names, self.kind)
        ids.n, ids._next, ids._dead = self.n, self._next, self.dead
        ids._dead[slots] = True
        return ids

    def living(self) -> "Ids":
        """Return the ids of the living slots alone, in order, as slots 0, 1, 2, ..."""
        kept = np.flatnonzero(~self.dead)
        numbers = self.kind in ("range", "numbered")
        array = kept if self.kind == "range" else self._names.array[kept]
        ids = Ids._over(_Names(array.copy(), len(kept)), "numbered" if numbers else self.kind)
        ids._next = self.n if self.kind == "range" else self._next
        return ids

    def checked(self, ids: Any, n_new: int) -> NDArray[Any] | None:
        """Return the ids of `n_new` rows to come as an array fit for `extended`; nothing changes.

        Parameters
        ----------
        ids : array_like of int or str, shape (n_new,), or None
            None continues the numbering 0, 1, 2, ...
        n_new : int

        Raises
        ------
        TypeError
            If an id is neither an integer nor a string, or the kind differs from the present ids.
        ValueError
            If there are too many or too few, one occurs twice or is in the index already, or ids are given
            to an index that numbers its rows (or left out where it does not).
        """
        if ids is None:
            if self.n and self.kind not in ("range", "numbered"):
                raise ValueError(
                    f"ids is None, expected {n_new} ids, since the index holds {self.kind} ids; give ids="
                )
            return None
        new = _as_names(ids)
        if len(new) != n_new:
            raise ValueError(f"ids holds {len(new)} ids, expected one for each of the {n_new} rows")
        kind = _kind(new)
        if self.kind == "numbered" or (self.n and self.kind == "range"):
            last = (self._next if self.kind == "numbered" else self.n) - 1
            raise ValueError(
                f"ids are given, but the {self.n_living} rows of the index are numbered 0..{last}; "
                "leave ids out, or build the index with ids"
            )
        if self.n and n_new and kind != self.kind:
            raise TypeError(f"ids are {kind}, expected {self.kind} as in the index; use one kind of ids")
        self._refuse_repeats(new)
        return new

    def _refuse_repeats(self, new: NDArray[Any]) -> None:
        names = new.tolist()
        if len(set(names)) < len(names):
            seen: set[Any] = set()
            twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise ValueError(f"ids holds {twice!r} twice, expected unique ids; drop one of them")
        if self.n and names:
            present = self._names.slots()
            if not present.keys().isdisjoint(names):
                clash = next((name for name in names if self._is_living(present.get(name, self.n))), None)
                if clash is not None:
                    raise ValueError(f"ids holds {clash!r}, which is in the index already; delete it first")

    def _is_living(self, slot: int) -> bool:
        return slot < self.n and not (slot < len(self._dead) and self._dead[slot])

    def extended(self, checked: NDArray[Any] | None, n_new: int) -> "Ids":
        """Return the ids of n + `n_new` slots, `checked` being what `checked` returned."""
        if self.kind == "numbered":
            checked = np.arange(self._next, self._next + n_new)
        if checked is None or n_new == 0:
            extended = Ids._over(self._names, self.kind)
            extended.n, extended._next, extended._dead = self.n + n_new, self._next, self._dead
            return extended
        names = self._names
        if self._dead.any() and not names.slots().keys().isdisjoint(checked.tolist()):  # given again: not in place
            names = _Names(names.array[: self.n].copy(), self.n)
        if (
            names.n != self.n or names.array.dtype != checked.dtype
        ):  # another version grew first, or none is there yet
            names = _Names(names.array[: self.n].astype(checked.dtype), self.n)
        names.append(checked)
        extended = Ids._over(names, self.kind if self.kind == "numbered" else _kind(checked))
        extended._next, extended._dead = self._next + n_new, self._dead
        return extended

    def outer(self, slots: NDArray[np.integer]) -> NDArray[Any]:
        """Return the ids of `slots` (any shape, int64 or object); slot -1 gives -1 (strings: None)."""
        if self.kind == "range":
            return slots.astype(np.int64)
        missing = None if self.kind == "str" else -1
        if self.n == 0:
            return np.full(slots.shape, missing, self._names.array.dtype)
        outer = self._names.array.take(slots, mode="clip")
        outer[slots < 0] = missing
        return outer

    def slots(self, outer: Any) -> NDArray[np.int64]:
        """Return the slots of some ids, shape (len(outer),).

        Raises
        ------
        KeyError
            Naming the first id that is not in the index.
        """
        names = _as_names(outer)
        slots = names
        if self.kind != "range":
            table = self._names.slots()
            slots = np.array([table.get(name, -1) for name in names.tolist()], np.int64)
        elif _kind(names) == "str":
            slots = np.full(len(names), -1)
        out = (slots < 0) | (slots >= self.n)
        unknown = np.flatnonzero(out | self.dead[np.where(out, 0, slots)] if self.n else out)
        if len(unknown):
            raise KeyError(f"id {names[unknown[:1]].tolist()[0]!r} is not in the index")
        return slots

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what the file stores: nothing for a range, else the ids; strings as UTF-8 and their ends."""
        if self.kind == "range":
            return {}
        names = self._names.array[: self.n]
        if self.kind == "numbered":
            return {"ids": names, "ids_next": np.array([self._next])}
        if self.kind == "int64":
            return {"ids": names}
        encoded = [name.encode() for name in names.tolist()]
        ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        return {"ids_bytes": np.frombuffer(b"".join(encoded), np.uint8), "ids_ends": ends}

    @classmethod
    def from_arrays(cls, kind: str, n: int, arrays: dict[str, NDArray[Any]]) -> "Ids":
        """Return the ids that `arrays` came from, or raise IndexFileError if they cannot be such."""
        if kind == "range":
            return cls(n)
        if kind in ("int64", "numbered"):
            ids = cls._over(_Names(_stored(arrays, "ids", np.int64, n), n), kind)
            if kind == "numbered":
                ids._next = int(_stored(arrays, "ids_next", np.int64, 1)[0])
                if n and not -1 < ids._names.array.max() < ids._next < 2**62:
                    raise IndexFileError("the ids go beyond the number that is said to be next")
            return ids
        if kind != "str":
            raise IndexFileError(f"the kind of ids is {kind!r}, expected 'range', 'numbered', 'int64' or 'str'")
        ends = _stored(arrays, "ids_ends", np.int64, n)
        text = _stored(arrays, "ids_bytes", np.uint8, int(ends[-1]) if n else 0).tobytes()
        starts = np.concatenate([[0], ends[:-1]]) if n else ends
        if n and (ends[0] < 0 or (np.diff(ends) < 0).any()):
            raise IndexFileError("the ends of the string ids do not ascend")
        names = np.empty(n, object)
        try:
            names[:] = [text[lo:hi].decode() for lo, hi in zip(starts.tolist(), ends.tolist(), strict=True)]
        except UnicodeDecodeError as error:
            raise IndexFileError("the string ids are not UTF-8") from error
        return cls._over(_Names(names, n), kind)

    def check(self) -> None:
        """Raise CorruptIndexError if an id occurs twice or is the mark of a missing place."""
        if self.kind != "range":
            names = self._names.array[: self.n][~self.dead].tolist()
            if len(set(names)) < len(names):
                raise CorruptIndexError("an id occurs twice")
            if -1 in names:
                raise CorruptIndexError("an id is -1, which marks a missing place")

    def nbytes(self) -> int:
        """Return the bytes held: 8 an id, plus the strings, plus about 100 an id once ids were looked up."""
        array = self._names.array
        n_bytes = array.nbytes if self.kind != "range" else 0
        if self.kind == "str":
            n_bytes += sum(49 + len(name) for name in array[: self.n].tolist())
        return n_bytes + 100 * len(self._names.table or ())


def _kind(names: NDArray[Any]) -> str:
    return "int64" if names.dtype == np.int64 else "str"


def _stored(arrays: dict[str, NDArray[Any]], name: str, dtype: type, length: int) -> NDArray[Any]:
    array = arrays.get(name)
    if array is None or array.dtype != dtype or array.shape != (length,):
        got = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise IndexFileError(f"section {name!r} is {got}, expected {np.dtype(dtype)} of shape ({length},)")
    return array


def _as_names(ids: Any) -> NDArray[Any]:
    """Return ids as an array of int64, or of str objects, after checking what they are."""
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise TypeError(f"ids is {ids!r}, expected {_ALLOWED}, one a row")
    if hasattr(ids, "__array__"):
        array = np.asarray(ids)
        if array.ndim != 1:
            raise ValueError(f"ids has shape {array.shape}, expected one dimension, one id a row")
    else:
        listed = list(ids)
        array = np.empty(len(listed), object)
        array[:] = listed
    if array.dtype.kind in "iu":
        return _as_int64(array)
    if array.dtype.kind == "U":
        array = array.astype(object)
    values = array.tolist()
    if all(isinstance(value, str) for value in values) and (values or array.dtype.kind != "O"):
        return _as_strings(values)
    for value in values:
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
            found = "mixed kinds of ids, first " if isinstance(value, str) else ""
            raise TypeError(f"ids holds {found}{value!r} ({type(value).__name__}), expected {_ALLOWED}")
    return _as_int64(array)


def _as_int64(array: NDArray[Any]) -> NDArray[np.int64]:
    for value in (array.min(), array.max()) if len(array) else ():
        if not -(2**63) <= int(value) < 2**63:
            raise ValueError(f"ids holds {value}, expected {_ALLOWED}")
    if (array == -1).any():
        raise ValueError(f"ids holds -1, expected {_ALLOWED}")
    return array.astype(np.int64)


def _as_strings(values: list[str]) -> NDArray[Any]:
    for value in values:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"ids holds {value!r}, which is not valid Unicode; mend that string") from error
    names = np.empty(len(values), object)
    names[:] = [str(value) for value in values]
    return names
