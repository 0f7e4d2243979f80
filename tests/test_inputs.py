"""Every ordinary and odd input: what is taken, and the words in which the rest is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vecrecall.inputs import Rows, as_choice, as_count, as_queries, as_rows

PLAIN = np.arange(12, dtype=np.float32).reshape(4, 3)


class OnlyArray:
    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return PLAIN.astype(np.float64)


class OnlyDLPack:
    def __dlpack__(self, **options: Any) -> Any:
        return PLAIN.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return PLAIN.__dlpack_device__()


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x: np.ndarray) -> np.ndarray:
    buffer = np.zeros(x.nbytes + 1, np.uint8)
    buffer[1:] = x.reshape(-1).view(np.uint8)
    return buffer[1:].view(x.dtype).reshape(x.shape)


def arrow(dtype: pa.DataType) -> pa.Array:
    return pa.array(PLAIN.astype(dtype.to_pandas_dtype()).tolist(), pa.list_(dtype, 3))


TAKEN = {
    "float32": PLAIN,
    "float64": PLAIN.astype(np.float64),
    "float16": PLAIN.astype(np.float16),
    "bfloat16": PLAIN.astype(ml_dtypes.bfloat16),
    "float8": PLAIN.astype(ml_dtypes.float8_e4m3fn),
    "longdouble": PLAIN.astype(np.longdouble),
    "big endian": PLAIN.astype(">f4"),
    **{dtype: PLAIN.astype(dtype) for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")},
    "list": PLAIN.tolist(),
    "list of ints": PLAIN.astype(int).tolist(),
    "tuple of arrays": tuple(PLAIN),
    "Fortran order": np.asfortranarray(PLAIN),
    "strided": np.repeat(np.repeat(PLAIN, 2, 0), 2, 1)[::2, ::2],
    "backwards": PLAIN[::-1].copy()[::-1],
    "read-only": read_only(PLAIN),
    "unaligned": unaligned(PLAIN),
    "__array__": OnlyArray(),
    "__dlpack__": OnlyDLPack(),
    "Arrow float32": arrow(pa.float32()),
    "Arrow int8": arrow(pa.int8()),
    "Arrow chunk": pa.chunked_array([arrow(pa.float64())]),
    "Arrow chunks": pa.chunked_array([arrow(pa.float64())[:1], arrow(pa.float64())[1:]]),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_gives_the_same_rows(name: str) -> None:
    rows = as_rows(TAKEN[name])
    assert (rows.n, rows.dim) == (4, 3)
    for tile, expected in [
        (rows.tile(1, 3), PLAIN[1:3]),
        (rows.take(np.array([3, 0])), PLAIN[[3, 0]]),
        (as_queries(TAKEN[name], 3)[0], PLAIN),
    ]:
        assert tile.dtype == np.float32 and tile.flags.c_contiguous and tile.flags.aligned
        np.testing.assert_array_equal(tile, expected)
    assert [lo for lo, _ in rows.tiles(3)] == [0, 3]


def test_rows_may_be_taken_as_they_were_given() -> None:
    wide = PLAIN.astype(np.float64) + 2.0**-40
    rows = as_rows(wide)
    taken = rows.take_as(np.array([3, 0]), np.dtype(np.float64))
    assert taken.dtype == np.float64 and np.array_equal(taken, wide[[3, 0]])
    assert rows.take_as(np.array([1]), np.dtype(np.uint8)).dtype == np.float32  # they are no uint8


def test_bool_is_taken() -> None:
    np.testing.assert_array_equal(as_rows(PLAIN > 5).tile(0, 4), (PLAIN > 5).astype(np.float32))


def test_a_memmap_and_a_float32_array_are_not_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", PLAIN)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(as_rows(mapped).tile(0, 4), mapped)
    assert as_queries(PLAIN, 3)[0] is PLAIN


class FakeTensor:
    """As much of torch.Tensor as is used."""

    def __init__(self, values: np.ndarray, dtype: str, steps: tuple[str, ...] = ()) -> None:
        self.values, self.dtype, self.steps = values, dtype, steps

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        steps = (*self.steps, name)
        return lambda: FakeTensor(self.values, "float32" if name == "float" else self.dtype, steps)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        if self.dtype == "bfloat16" or self.steps[:2] != ("detach", "cpu"):
            raise TypeError(f"numpy cannot read a {self.dtype} tensor after {self.steps}")
        return self.values


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_tensor_that_needs_a_gradient_is_taken(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = ModuleType("torch")
    torch.bfloat16 = "bfloat16"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(FakeTensor, "__module__", "torch")
    np.testing.assert_array_equal(as_rows(FakeTensor(PLAIN, dtype)).tile(0, 4), PLAIN)


def changed(row: int, column: int, value: float, dtype: Any = np.float32) -> np.ndarray:
    x = PLAIN.astype(dtype)
    x[row, column] = value
    return x


REFUSED = {
    "NaN": (changed(2, 1, np.nan), ValueError, r"X row 2, column 1 is nan, expected finite"),
    "infinity": (
        changed(3, 0, -np.inf, np.float64),
        ValueError,
        r"X row 3, column 0 is -inf, expected finite",
    ),
    "float16 infinity": (changed(0, 2, np.inf, np.float16), ValueError, r"X row 0, column 2 is inf"),
    "float64 overflow": (
        changed(1, 2, 1e39, np.float64),
        ValueError,
        r"X row 1, column 2 is 1e\+39, which overflows",
    ),
    "squared norm": (changed(3, 1, 2e19), ValueError, r"X row 3 has a norm whose square overflows float32"),
    "int64 squared norm": (
        np.full((2, 99), 2**63 - 1),
        ValueError,
        r"X row 0 has a norm whose square overflows",
    ),
    "wrong dimension": (np.zeros((2, 4)), ValueError, r"X has 4 columns, the index holds vectors of 3"),
    "one vector": (np.zeros(3), ValueError, r"X has shape \(3,\), expected two dimensions .* X\[None, :\]"),
    "empty list": ([], ValueError, r"X has shape \(0,\), .* np.empty\(\(0, dim\)\)"),
    "no columns": (
        np.zeros((2, 0)),
        ValueError,
        r"X has shape \(2, 0\), expected vectors of at least one value",
    ),
    "scalar": (3.0, ValueError, r"X has shape \(\), expected two dimensions"),
    "rank 3": (np.zeros((1, 2, 3)), ValueError, r"X has shape \(1, 2, 3\), .* reshape"),
    "ragged": ([[1, 2, 3], [1, 2]], ValueError, r"X is ragged, expected rows of equal length"),
    "strings": ([["a", "b", "c"]], TypeError, r"X has dtype <U1, expected real numbers"),
    "complex": (PLAIN * 1j, TypeError, r"X has dtype complex64"),
    "object": (PLAIN.astype(object), TypeError, r"X has dtype object"),
    "None": (None, TypeError, r"X has dtype object"),
    "None within": ([[1, 2, None]], TypeError, r"X has dtype object"),
    "times": (PLAIN.astype("m8[s]"), TypeError, r"X has dtype timedelta64"),
    "structured": (np.zeros((2, 3), [("a", "f4")]), TypeError, r"X has dtype \[\('a', '<f4'\)\]"),
    "masked": (np.ma.masked_less(PLAIN, 3), TypeError, r"X is a masked array"),
    "sparse": (scipy.sparse.csr_array(PLAIN), TypeError, r"X is a sparse csr_array, .* X.toarray\(\)"),
    "Arrow lists": (
        pa.array([[1.0], [2.0]]),
        TypeError,
        r"X is an Arrow list<.*>, expected .* fixed-size lists",
    ),
    "Arrow table": (pa.table({"x": [1]}), TypeError, r"X is an Arrow Table"),
    "Arrow nulls": (
        pa.array([[1.0, 2, 3], None], pa.list_(pa.float32(), 3)),
        ValueError,
        r"X holds 1 null rows",
    ),
    "Arrow null value": (
        pa.array([[1.0, None, 3]], pa.list_(pa.float32(), 3)),
        ValueError,
        r"X row 0, column 1 is nan",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("error")
def test_what_is_refused_says_why(name: str) -> None:
    X, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        as_rows(X, dim=3 if name != "int64 squared norm" else None)


@pytest.mark.parametrize(
    "name", ["NaN", "infinity", "float64 overflow", "squared norm", "strings", "sparse", "ragged"]
)
@pytest.mark.filterwarnings("error")
def test_queries_are_refused_in_the_same_words(name: str) -> None:
    X, error, message = REFUSED[name]
    with pytest.raises(error, match=message.replace("X", "Q")):
        as_queries(X, 3)


@pytest.mark.parametrize("shape", [(4,), (2, 4), (1, 1, 3), ()])
def test_queries_of_the_wrong_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Q has .* 3|expected"):
        as_queries(np.zeros(shape), 3)


def test_one_query_and_a_batch_of_one_are_told_apart() -> None:
    for given_, single in [
        (PLAIN[0], True),
        (PLAIN[0].tolist(), True),
        (PLAIN[:1], False),
        (PLAIN[:0], False),
    ]:
        queries, is_single = as_queries(given_, 3)
        assert queries.shape[1:] == (3,) and is_single is single


def test_a_batch_whose_sum_overflows_but_whose_rows_do_not_is_taken() -> None:
    assert len(as_queries(np.full((9, 3), 1e19, np.float32), 3)[0]) == 9


def test_the_row_is_named_also_in_a_later_tile() -> None:
    x = np.zeros((9000, 784), np.float32)
    x[8999, 783] = np.nan
    with pytest.raises(ValueError, match="row 8999, column 783"):
        as_rows(x)


def test_large_integers_are_rounded() -> None:
    assert as_rows(np.array([[2**53 + 1]])).tile(0, 1)[0, 0] == np.float32(2**53)


NARROWEST = [
    ([[0, 255]], "uint8"),
    ([[0, 256]], "float16"),
    ([[-1, 0]], "float16"),
    ([[-0.0, 1]], "float16"),
    ([[0.5, 65504]], "float16"),
    ([[0.5, 65520]], "float32"),
    ([[0.1, 1]], "float32"),
    ([[2049, 1]], "float32"),
    ([[2.0**-24, 0]], "float16"),
    ([[2.0**-25, 0]], "float32"),
    (np.zeros((0, 3)), "float32"),
    (np.zeros((0, 3), np.uint8), "float32"),
    (np.ones((2, 2), bool), "uint8"),
    (np.full((2, 2), 200, np.int64), "uint8"),
]


@pytest.mark.parametrize(("X", "dtype"), NARROWEST)
@pytest.mark.filterwarnings("error")
def test_the_narrowest_dtype_loses_nothing(X: Any, dtype: str) -> None:
    assert as_rows(X).narrowest() == dtype


@given(hnp.arrays(np.float32, (3, 2), elements=st.floats(width=32, min_value=-70000, max_value=70000)))
def test_narrowing_keeps_every_bit(X: np.ndarray) -> None:
    kept = X.astype(as_rows(X).narrowest()).astype(np.float32)
    assert kept.tobytes() == X.tobytes()


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-3, ValueError), (1.0, TypeError), (True, TypeError), ("1", TypeError)],
)
def test_a_wrong_count_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="k is .*, expected an integer of at least 1"):
        as_count(value, "k")


def test_counts_and_choices_come_back_plain() -> None:
    assert type(as_count(np.uint8(7), "k")) is int
    assert as_count(0, "n", least=0) == 0
    assert as_choice("l2", "metric", ("l2", "ip")) == "l2"
    for value in ("L2", None, 3, SimpleNamespace()):
        with pytest.raises(ValueError, match="metric is .*, expected one of 'l2', 'ip'"):
            as_choice(value, "metric", ("l2", "ip"))


def test_rows_are_made_from_an_empty_matrix() -> None:
    rows = as_rows(np.empty((0, 5)))
    assert isinstance(rows, Rows) and (rows.n, rows.dim) == (0, 5) and list(rows.tiles()) == []
