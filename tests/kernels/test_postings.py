"""Posting lists added to accumulators, against numpy integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from bench.micro.cases import POSTING_COUNTS
from bench.micro.cases import POSTING_FACTORS as FACTORS
from bench.micro.inputs import N_UNITS as N
from bench.micro.inputs import posting_list as a_list
from vecrecall.kernels import postings
from vecrecall.kernels.memory import address
from vecrecall.kernels.postings import LOOK

WIDE = pytest.mark.parametrize("wide", [False, True])


@njit
def add_postings(
    accumulators, units, impacts, step, lo, hi, factor, rounding, floor, less, wide, next_lo, next_hi
):  # fmt: skip
    postings.add_postings(
        accumulators, units, impacts, step, lo, hi, factor, rounding, floor, less, wide, next_lo, next_hi
    )


def kind(wide: bool) -> type:
    return np.uint16 if wide else np.uint8


def slow(
    sums: np.ndarray, units: np.ndarray, impacts: np.ndarray, factor: int, rounding: int, floor: int, less: bool
) -> np.ndarray:
    """Exact integers, wrapped to the width of the sums."""
    out = sums.astype(np.int64)
    chosen = impacts >= floor
    amounts = (impacts[chosen].astype(np.int64) * factor + rounding) >> 8
    np.add.at(out, units[chosen], -amounts if less else amounts)
    return out.astype(sums.dtype)


@WIDE
@pytest.mark.parametrize("less", [False, True])
@pytest.mark.parametrize("n", POSTING_COUNTS)
def test_a_list_adds_its_amounts_down_to_the_floor(n: int, less: bool, wide: bool) -> None:
    rng = np.random.default_rng(n)
    units, impacts = a_list(rng, n)
    for factor in FACTORS[wide]:
        for rounding in (0, 128, 255, -factor):
            for floor in (1, 2, 100, int(impacts[n // 2]), 255):
                before = rng.integers(0, np.iinfo(kind(wide)).max + 1, N).astype(kind(wide))
                sums = before.copy()
                add_postings(
                    address(sums), address(units), address(impacts), 1, 0, n, factor, rounding, floor, less, wide, 0, 0
                )
                expected = slow(before, units[:n], impacts[:n], factor, rounding, floor, less)
                np.testing.assert_array_equal(sums, expected, err_msg=f"{factor} {rounding} {floor}")


@WIDE
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32), lo=st.integers(0, 150), n=st.integers(0, 200), floor=st.integers(1, 255),
    step=st.sampled_from([0, 1]), less=st.booleans(), low=st.sampled_from([1, 200, 255]), ahead=st.integers(0, 300),
)  # fmt: skip
def test_any_part_of_a_list_is_added(
    wide: bool, seed: int, lo: int, n: int, floor: int, step: int, less: bool, low: int, ahead: int
) -> None:
    """Also with a next list that is asked for meanwhile, and with 64 impacts that stand for all (step 0)."""
    rng = np.random.default_rng(seed)
    units, impacts = a_list(rng, lo + n, low)
    if step == 0:
        impacts = np.full(LOOK, rng.integers(1, 256), np.uint8)
    of_each = impacts[lo : lo + n] if step else np.full(n, impacts[0])
    factor = int(rng.integers(1, 65255 if wide else 253))
    rounding = int(rng.choice([0, 128, 255, -factor]))
    before = rng.integers(0, np.iinfo(kind(wide)).max + 1, N).astype(kind(wide))
    sums = before.copy()
    add_postings(
        address(sums), address(units), address(impacts), step, lo, lo + n, factor, rounding, floor, less, wide,
        lo + n, lo + n + ahead,
    )  # fmt: skip
    np.testing.assert_array_equal(sums, slow(before, units[lo : lo + n], of_each, factor, rounding, floor, less))


@WIDE
def test_equal_impacts_of_lists_of_many_lengths(wide: bool) -> None:
    rng = np.random.default_rng(0)
    impacts = np.full(LOOK, 255, np.uint8)
    for n in (0, 1, 63, 64, 65, 200, 1000):
        units = rng.choice(N, n, replace=False).astype(np.uint16)
        sums = np.zeros(N, kind(wide))
        args = (address(sums), address(units), address(impacts), 0, 0, n)
        add_postings(*args, 200, 255, 255, False, wide, 0, 0)
        assert sums[units].tolist() == [(255 * 200 + 255) >> 8] * n and np.count_nonzero(sums) == n
        add_postings(*args, 200, 255, 1, True, wide, 0, 0)
        assert not sums.any()


@WIDE
def test_a_unit_of_several_postings_has_the_sum_of_them(wide: bool) -> None:
    units, impacts = np.full(24 + LOOK, 65535, np.uint16), np.full(24 + LOOK, 7, np.uint8)
    sums = np.zeros(N, kind(wide))
    add_postings(address(sums), address(units), address(impacts), 1, 0, 24, 256, 0, 1, False, wide, 0, 0)
    assert sums[65535] == 24 * 7 and not sums[:65535].any()


def test_sums_wrap_around_at_their_width() -> None:
    units, impacts = np.zeros(1 + LOOK, np.uint16), np.full(1 + LOOK, 255, np.uint8)
    for wide, factor, top in ((False, 252, 256), (True, 65254, 65536)):
        sums = np.full(64, top - 1, kind(wide))
        add_postings(address(sums), address(units), address(impacts), 1, 0, 1, factor, 128, 1, False, wide, 0, 0)
        assert sums[0] == (255 * factor + 128) // 256 - 1 and (sums[1:] == top - 1).all()
        sums[:] = 0
        add_postings(address(sums), address(units), address(impacts), 1, 0, 1, factor, 128, 1, True, wide, 0, 0)
        assert sums[0] == top - (255 * factor + 128) // 256 and not sums[1:].any()
