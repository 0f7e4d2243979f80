"""Kept rows: the narrowest type that loses nothing, and growing that leaves the old object alone."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.inputs import as_rows
from vecrecall.vectors.memory import aligned_zeros, grown
from vecrecall.vectors.rows import TYPES, KeptRows, estimated_bytes

RNG = np.random.default_rng(0)
GIVEN = {
    "u8": RNG.integers(0, 256, (50, 19)).astype(np.float64),
    "f16": RNG.normal(size=(50, 19)).astype(np.float16),
    "f32": RNG.normal(size=(50, 19)).astype(np.float32),
}


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("name", GIVEN)
def test_rows_come_back_as_they_were_given(name: str, cosine: bool) -> None:
    kept = KeptRows.empty(19, cosine, TYPES["u8"]).extended(as_rows(GIVEN[name]), TYPES[name])
    assert (kept.name, kept.n, kept.values.shape[1]) == (name, 50, 32)
    np.testing.assert_array_equal(kept.take(slice(0, 50)), GIVEN[name].astype(np.float32))
    np.testing.assert_array_equal(kept.take(np.array([3, 3, 0])), GIVEN[name].astype(np.float32)[[3, 3, 0]])
    assert not kept.values[:, 19:].any()
    assert kept.nbytes() == len(kept.values) * estimated_bytes(19, name, cosine)
    if cosine:
        np.testing.assert_allclose(kept.inverse, 1 / np.linalg.norm(GIVEN[name].astype(np.float64), axis=1), rtol=1e-6)
    else:
        assert kept.inverse is None


def test_a_zero_row_has_inverse_length_zero() -> None:
    kept = KeptRows.empty(3, True, TYPES["u8"]).extended(as_rows([[0, 0, 0], [0, 3, 4]]), TYPES["u8"])
    assert kept.inverse is not None
    np.testing.assert_array_equal(kept.inverse, np.array([0, 0.2], np.float32))


def test_wider_rows_widen_all_and_narrower_ones_do_not() -> None:
    kept = KeptRows.empty(19, False, TYPES["u8"])
    names = []
    for name in ("u8", "f16", "u8", "f32", "f16"):
        kept = kept.extended(as_rows(GIVEN[name]), TYPES[name])
        names.append(kept.name)
    assert names == ["u8", "f16", "f16", "f32", "f32"]
    expected = np.concatenate([GIVEN[name].astype(np.float32) for name in ("u8", "f16", "u8", "f32", "f16")])
    np.testing.assert_array_equal(kept.take(slice(0, kept.n)), expected)


def test_extending_leaves_the_old_rows_as_they_were() -> None:
    old = KeptRows.empty(19, True, TYPES["f32"]).extended(as_rows(GIVEN["f32"]), TYPES["f32"])
    before = old.take(slice(0, old.n)).tobytes()
    new = old.extended(as_rows(GIVEN["f32"] + 1), TYPES["f32"])
    assert (old.n, new.n) == (50, 100) and old.take(slice(0, 50)).tobytes() == before
    assert new.take(slice(0, 50)).tobytes() == before


def test_arrays_start_on_cache_lines_and_grow_by_half() -> None:
    array = aligned_zeros((10, 3), np.int32)
    assert array.ctypes.data % 64 == 0 and array.shape == (10, 3) and not array.any()
    array[:] = 7
    more = grown(array, 11)
    assert len(more) == 15 and (more[:10] == 7).all() and not more[10:].any() and more.ctypes.data % 64 == 0
    assert grown(array, 10) is array and len(grown(array, 100)) == 100


def test_read_only_arrays_are_copied_before_they_grow() -> None:
    array = aligned_zeros((10,), np.int32)
    array.flags.writeable = False
    copy = grown(array, 5)
    assert copy is not array and copy.flags.writeable and len(copy) == 10
