"""Checks of what callers hand in: matrices, queries, counts, choices.

Everything is checked here before anything changes, in tiles of bounded size, and every message says what was
given, what was expected, and how to mend it.
"""

import math
import sys
import warnings
from collections.abc import Iterator
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]

_TILE_BYTES = 1 << 24
_KEPT_DTYPES = (np.dtype(np.uint8), np.dtype(np.float16), np.dtype(np.float32))
_FLOAT32 = np.dtype(np.float32)
_EXACT = frozenset((np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.float16)))  # float32 holds them as they are


class Rows:
    """A checked view of the caller's matrix, read as float32 tile by tile; never copied whole.

    Made by `as_rows`. Tiles may be views of the caller's memory, also read-only ones: do not write to them.

    Attributes
    ----------
    n, dim : int
        Shape of the matrix.
    dtype : numpy.dtype
        The caller's dtype.
    """

    __slots__ = ("_values", "dim", "dtype", "n")

    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values
        self.n, self.dim = values.shape
        self.dtype = values.dtype

    def tile(self, lo: int, hi: int) -> Float32s:
        """Return rows [lo, hi) as a float32 array of shape (hi - lo, dim) in C order."""
        return _as_float32(self._values[lo:hi])

    def tiles(self, n_rows: int | None = None) -> Iterator[tuple[int, Float32s]]:
        """Yield (lo, tile) over all rows, `n_rows` at a time (default: about 16 MB of float32)."""
        step = n_rows or max(1, _TILE_BYTES // (4 * self.dim))
        for lo in range(0, self.n, step):
            yield lo, self.tile(lo, min(lo + step, self.n))

    def tiles_as(self, dtype: np.dtype[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield (lo, tile) over all rows: values of `dtype` if they were given as such, else float32."""
        if self.dtype != dtype:
            yield from self.tiles()
            return
        step = max(1, _TILE_BYTES // (dtype.itemsize * self.dim))
        for lo in range(0, self.n, step):
            yield lo, self._values[lo : lo + step]

    def take(self, rows: NDArray[np.integer]) -> Float32s:
        """Return a float32 copy, shape (len(rows), dim), C order, of the named rows."""
        return _as_float32(self._values[rows])

    def take_as(self, rows: NDArray[np.integer], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return a copy of the named rows: values of `dtype` if they were given as such, else float32."""
        return self._values[rows] if self.dtype == dtype else self.take(rows)

    def narrowest(self) -> np.dtype[Any]:
        """Return the narrowest of uint8, float16, float32 that holds every float32 value without loss.

        A negative zero stays what it is: it needs a float dtype. An empty matrix gives float32.
        """
        if self.n == 0 or self.dtype in (np.dtype(bool), np.dtype(np.uint8)):
            return _KEPT_DTYPES[0] if self.n else _FLOAT32
        choice = 0
        for _, tile in self.tiles():
            while not _holds(_KEPT_DTYPES[choice], tile):
                choice += 1
            if _KEPT_DTYPES[choice] == _FLOAT32:
                break
        return _KEPT_DTYPES[choice]


def as_rows(X: Any, *, name: str = "X", dim: int | None = None) -> Rows:
    """Check a matrix and return a view of it that gives float32 tiles.

    Parameters
    ----------
    X : array_like of real numbers, shape (n, dim)
        numpy array or memmap of any layout, list, torch tensor, Arrow fixed-size lists, or anything with
        ``__array__`` or ``__dlpack__``. Integers beyond 2**24 and float64 are rounded to float32. n may be 0.
    name : str
        What messages call it.
    dim : int, optional
        Columns expected.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shape is wrong, or a value, or the square of a row's norm, is NaN, infinite or beyond float32.

    Examples
    --------
    >>> as_rows([[1, 2], [3, 4]]).tile(0, 1)
    array([[1., 2.]], dtype=float32)
    """
    values = _as_array(X, name)
    if values.ndim != 2:
        hint = {0: "", 1: f"; for one vector give {name}[None, :], for none np.empty((0, dim))"}
        raise ValueError(
            f"{name} has shape {values.shape}, expected two dimensions (n, dim)"
            f"{hint.get(values.ndim, f'; reshape it to ({name}.shape[0], -1)')}"
        )
    if values.shape[1] == 0:
        raise ValueError(f"{name} has shape {values.shape}, expected vectors of at least one value")
    if dim is not None and values.shape[1] != dim:
        raise ValueError(
            f"{name} has {values.shape[1]} columns, the index holds vectors of {dim}; "
            "encode both with the same model"
        )
    rows = Rows(values)
    if not _cannot_overflow(values.dtype):
        for lo, tile in rows.tiles():
            _check_finite(tile, values, lo, name)
    return rows


def as_queries(Q: Any, dim: int, *, name: str = "Q", check_finite: bool = True) -> tuple[Float32s, bool]:
    """Check one query or a batch and return it as a float32 C array.

    Parameters
    ----------
    Q : array_like of real numbers, shape (dim,) or (q, dim)
        As in `as_rows`. A float32 C array is not copied and may be read-only.
    dim : int
        Columns expected.
    check_finite : bool, default True
        False leaves NaN, infinity and overflow in a float32 C array to the caller, who sees them on the way and
        then calls `refuse_not_finite`: a look of its own costs a single query as much as its answer.

    Returns
    -------
    queries : ndarray of float32, shape (q, dim)
    single : bool
        Whether one vector, not a batch, was given.

    Raises
    ------
    TypeError, ValueError
        As `as_rows`.
    """
    values = Q if type(Q) is np.ndarray else _as_array(Q, name)
    ndim = values.ndim
    if ndim not in (1, 2):
        raise ValueError(
            f"{name} has shape {values.shape}, expected ({dim},) for one query or (q, {dim}) for many"
        )
    if values.shape[-1] != dim:
        raise ValueError(
            f"{name} has {values.shape[-1]} columns, the index holds vectors of {dim}; "
            "encode queries with the same model as the indexed vectors"
        )
    given = values
    if values.dtype in _EXACT and not check_finite:
        values = values.astype(np.float32, "C")
    if values.dtype is not _FLOAT32 or not values.flags.carray:
        _check_dtype(values, name)
        values, check_finite = _as_float32(values), True
    queries = values.reshape(1, dim) if ndim == 1 else values
    if check_finite and not math.isfinite(_squared_norm(queries.reshape(-1))):
        _check_finite(queries, given.reshape(-1, dim), 0, name)
    return queries, ndim == 1


def refuse_not_finite(queries: Float32s, name: str = "Q") -> None:
    """Raise a ValueError naming the first query that holds NaN or infinity, or is too long for float32, if any."""
    _check_finite(queries, queries, 0, name)


def n_zero_rows(rows: Float32s) -> int:
    """Return how many rows hold nothing but zeros."""
    return int(len(rows) - np.count_nonzero(rows.any(axis=1)))


def warn_user(message: str) -> None:
    """Warn at the line of the caller's own code: the nearest one that is not of this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("vecrecall."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def warn_of_zeros(n_zero: int, what: str) -> None:
    """Warn, if there are any, of zero vectors ("row" or "query") under metric "cosine"."""
    if n_zero:
        warn_user(
            f"{n_zero} zero {what} vector{'s' * (n_zero > 1)} under metric 'cosine': "
            "at distance 1 from everything; drop them if that is not meant"
        )


def as_count(value: Any, name: str, *, least: int = 1) -> int:
    """Return `value` as an int after checking that it is an integer (not a bool) of at least `least`.

    Examples
    --------
    >>> as_count(10, "k")
    10
    """
    if type(value) is int and value >= least:  # searches are short, and look at each of their numbers
        return value
    if isinstance(value, (bool, np.bool_)) or np.ndim(value) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is {value!r}, expected an integer of at least {least}")
    count = index(value)
    if count < least:
        raise ValueError(f"{name} is {count}, expected an integer of at least {least}")
    return count


def as_seed(value: Any) -> int:
    """Return `value` as an int after checking that it is an integer from 0 to 2**63 - 1."""
    seed = as_count(value, "seed", least=0)
    if seed >= 2**63:
        raise ValueError(f"seed is {seed}, expected an integer below 2**63")
    return seed


def as_reduce(value: Any) -> "str | int | None":
    """Return `value` after checking that it is "auto", None, or a number of dimensions."""
    if value is None or value == "auto":
        return value
    if isinstance(value, str):
        raise ValueError(f"reduce is {value!r}, expected 'auto', None or a number of dimensions")
    return as_count(value, "reduce")


def as_number(value: Any, name: str, expected: str = "a number") -> float:
    """Return `value` as a float after checking that it is one real number; `expected` is what messages ask for."""
    no_number = isinstance(value, (bool, np.bool_, str, np.complexfloating)) or np.ndim(value)
    if no_number or not hasattr(value, "__float__"):
        raise TypeError(f"{name} is {value!r}, expected {expected}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is beyond what float64 holds, expected {expected}") from None


def as_share(value: Any, name: str, *, zero: bool = False, example: float | None = None) -> float:
    """Return `value` as a float after checking that it is above 0 (or 0, if allowed) and at most 1.

    Examples
    --------
    >>> as_share(0.9, "heap_factor")
    0.9
    """
    if type(value) is float and 0 < value <= 1:  # see as_count
        return value
    expected = "a number from 0 to 1" if zero else "a number above 0 and at most 1"
    expected += "" if example is None else f", such as {example}"
    share = as_number(value, name, expected)
    if not (0 < share <= 1 or (zero and share == 0)):
        raise ValueError(f"{name} is {value!r}, expected {expected}")
    return share


def as_recall(value: Any, name: str = "target_recall") -> float:
    """Return `value` as a float after checking that it is above 0 and at most 1.

    Examples
    --------
    >>> as_recall(0.95)
    0.95
    """
    return as_share(value, name, example=0.95)


def as_flag(value: Any, name: str) -> bool:
    """Return `value` as a bool after checking that it is one: text such as "no" would count as true.

    Examples
    --------
    >>> as_flag(True, "exact")
    True
    """
    if value is True or value is False:  # see as_count
        return value
    if not isinstance(value, np.bool_):
        raise TypeError(f"{name} is {value!r}, expected True or False")
    return bool(value)


def as_choice(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """Return `value` after checking that it is one of `allowed`.

    Examples
    --------
    >>> as_choice("l2", "metric", ("l2", "ip", "cosine"))
    'l2'
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, allowed))}")
    return value


def _as_float32(values: NDArray[Any]) -> Float32s:
    """Return `values` itself if it is an aligned float32 C array, else a converted copy."""
    with np.errstate(over="ignore"):  # an overflow becomes infinity, which the checks name
        return np.require(values, np.float32, ("C", "A"))


def _squared_norm(flat: Float32s) -> float:
    """Return the dot product of a vector with itself in float32: finite only if every value is."""
    with np.errstate(over="ignore"):
        return float(np.dot(flat, flat))


def _holds(dtype: np.dtype[Any], tile: Float32s) -> bool:
    if dtype == np.uint8:
        if tile.min() < 0 or tile.max() > 255 or np.signbit(tile).any():
            return False
    with np.errstate(over="ignore"):
        return bool(np.array_equal(tile.astype(dtype), tile))


def _cannot_overflow(dtype: np.dtype[Any]) -> bool:
    """Whether no row of this dtype can hold a value, or have a squared norm, beyond float32."""
    return dtype.kind in "bui" and dtype.itemsize <= 4


def _check_finite(tile: Float32s, given: NDArray[Any], first: int, name: str) -> None:
    """Raise for the first row of `tile` (rows `first`.. of `given`) whose squared norm is not finite."""
    with np.errstate(all="ignore"):
        bad = np.flatnonzero(~np.isfinite(np.einsum("ij,ij->i", tile, tile)))
    if len(bad) == 0:
        return
    row = int(bad[0])
    columns = np.flatnonzero(~np.isfinite(tile[row]))
    where = f"{name} row {first + row}"
    if len(columns) == 0:
        raise ValueError(
            f"{where} has a norm whose square overflows float32 (largest value {np.abs(tile[row]).max():g}); "
            "scale the vectors down"
        )
    value = given[first + row, columns[0]]
    if np.isfinite(np.float64(value)):
        raise ValueError(
            f"{where}, column {columns[0]} is {value!s}, which overflows float32; scale the vectors down"
        )
    raise ValueError(
        f"{where}, column {columns[0]} is {value!s}, expected finite numbers; drop or mend that row"
    )


def _as_array(X: Any, name: str) -> NDArray[Any]:
    """Return X as a numpy array of real numbers, without a copy where the source allows."""
    source = type(X).__module__.partition(".")[0]
    if isinstance(X, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, expected plain numbers; fill or drop the masked values first"
        )
    if source == "scipy":
        raise TypeError(
            f"{name} is a sparse {type(X).__name__}, expected a dense matrix; give {name}.toarray()"
        )
    if source == "torch":
        X = _from_torch(X)
    elif source == "pyarrow":
        X = _from_arrow(X, name)
    elif not hasattr(X, "__array__") and hasattr(X, "__dlpack__"):
        X = np.from_dlpack(X)
    try:
        values = np.asarray(X)
    except ValueError as error:  # numpy's own words for a ragged list
        raise ValueError(
            f"{name} is ragged, expected rows of equal length; pad or drop the odd rows"
        ) from error
    _check_dtype(values, name)
    return values


def _check_dtype(values: NDArray[Any], name: str) -> None:
    dtype = values.dtype
    # bfloat16 and its kin (ml_dtypes) say that they are void types, and that they cast safely to float32
    extension = dtype.kind == "V" and dtype.names is None and np.can_cast(dtype, np.float32)
    if dtype.kind not in "buif" and not extension:
        raise TypeError(
            f"{name} has dtype {dtype}, expected real numbers; convert it with {name}.astype('float32')"
        )


def _from_torch(tensor: Any) -> NDArray[Any]:
    """Return a view of a tensor on the CPU; numpy itself knows no bfloat16."""
    torch = sys.modules["torch"]
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return np.asarray(tensor)


def _from_arrow(column: Any, name: str) -> NDArray[Any]:
    """Return a view of an Arrow column of fixed-size lists (several chunks are joined: one copy)."""
    if hasattr(column, "num_chunks"):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    size = getattr(column.type, "list_size", None) if hasattr(column, "type") else None
    if size is None:
        raise TypeError(
            f"{name} is an Arrow {getattr(column, 'type', type(column).__name__)}, expected a column of "
            "fixed-size lists; cast it to pyarrow.list_(pyarrow.float32(), dim)"
        )
    if column.null_count:
        raise ValueError(f"{name} holds {column.null_count} null rows, expected none; drop them first")
    values: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), size)
