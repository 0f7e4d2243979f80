"""Posting lists against a sort in numpy, with impacts in exact integers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecrecall.kernels.postings import LOOK
from vecrecall.sparse.postings import RANGE, Postings, build_postings
from vecrecall.threads import Workers

F = np.float32
GREATEST, LEAST = float(np.finfo(F).max), float(np.finfo(F).smallest_subnormal)
CALLER = Workers(1)


def random_units(n: int, n_lists: int, seed: int, *, per_unit: int = 3, few: bool = False) -> tuple[np.ndarray, ...]:
    """(indptr, lists, weights): each unit holds a list once; few: most impacts are equal to another."""
    rng = np.random.default_rng(seed)
    taken = rng.random((n, n_lists)) < per_unit / n_lists if n_lists < 60 else None
    if taken is None:
        units, lists = np.repeat(np.arange(n), per_unit), rng.integers(0, n_lists, n * per_unit)
        units, lists = np.unique(np.stack([units, lists]), axis=1)
    else:
        units, lists = np.nonzero(taken)
    weights = rng.choice([0.5, 1, 1.5, 2], len(units)) if few else rng.gamma(2, 1, 40)[rng.integers(0, 40, len(units))]
    indptr = np.searchsorted(units, np.arange(n + 1))
    return indptr, lists.astype(np.int32), weights.astype(F)


def twin(indptr: np.ndarray, lists: np.ndarray, weights: np.ndarray, n_lists: int) -> dict[str, Any]:
    """Postings by list, range of units, impact downwards and unit; impacts by Python's integers."""
    units = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    greatest = np.zeros(n_lists, F)
    np.maximum.at(greatest, lists, weights)
    known: dict[tuple[float, float], int] = {}
    impacts = np.empty(len(lists), np.int64)
    for p, pair in enumerate(zip(weights.tolist(), greatest[lists].tolist())):
        if pair not in known:
            known[pair] = int(-(-255 * Fraction(pair[0]) // Fraction(pair[1])))
        impacts[p] = known[pair]
    order = np.lexsort((units, -impacts, units // RANGE, lists))
    n_ranges = max(1, -(-(len(indptr) - 1) // RANGE))
    cells = np.bincount(lists[order] * n_ranges + units[order] // RANGE, minlength=n_lists * n_ranges)
    ends = np.cumsum(cells).reshape(n_lists, n_ranges)
    starts = np.concatenate([np.concatenate([[0], ends[:-1, -1]])[:, None], ends], axis=1)
    return {
        "starts": starts, "units": (units[order] % RANGE).astype(np.uint16), "impacts": impacts[order].astype(np.uint8),
        "greatest": greatest,
    }  # fmt: skip


def assert_like_the_twin(postings: Postings, expected: dict[str, Any]) -> None:
    m = len(expected["units"])
    for name, array in (("starts", postings.starts), ("units", postings.units[:m]), ("greatest", postings.greatest)):
        assert array.dtype == expected[name].dtype, name
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    np.testing.assert_array_equal(postings.impacts[:m], expected["impacts"])
    for array in (postings.units, postings.impacts):  # which are read beyond their ends, 64 postings at once
        assert len(array) == m + LOOK and not array[m:].any()
    assert not postings.left.any() and len(postings.left) == postings.n_lists
    assert postings.n_ranges == expected["starts"].shape[1] - 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(1, 12), st.integers(0, 2**32), st.booleans())
def test_postings_stand_by_list_impact_and_unit(n: int, n_lists: int, seed: int, few: bool) -> None:
    units = random_units(n, n_lists, seed, few=few)
    assert_like_the_twin(build_postings(*units, n_lists, CALLER), twin(*units, n_lists))


@pytest.mark.parametrize("n", [RANGE - 1, RANGE, RANGE + 1, 2 * RANGE + 500])
@pytest.mark.parametrize("few", [False, True])
def test_units_beyond_a_range_begin_the_next(n: int, few: bool) -> None:
    units = random_units(n, 900, n, per_unit=2, few=few)
    expected = twin(*units, 900)
    assert expected["starts"].shape[1] == 1 + -(-n // RANGE)
    assert_like_the_twin(build_postings(*units, 900, CALLER), expected)


def test_one_and_two_threads_give_the_same_bytes() -> None:
    units, made = random_units(3 * RANGE + 7, 50, 0), []
    for n in (1, 2):
        with Workers(n) as workers:
            postings = build_postings(*units, 50, workers)
        made.append([getattr(postings, name).tobytes() for name in ("starts", "units", "impacts", "greatest", "left")])
    assert made[0] == made[1]


weights_of_all_sizes = st.floats(LEAST, GREATEST, width=32) | st.floats(0.5, 1, width=32) | st.sampled_from(
    [LEAST, 2 * LEAST, GREATEST, 1.0, *(float(F(i / 255)) for i in range(1, 255)),
     *(float(np.nextafter(F(i / 255), F(2))) for i in range(1, 255, 7))]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(weights_of_all_sizes.filter(lambda w: w > 0), min_size=1, max_size=30))
def test_impacts_are_the_least_that_bound_their_weights(drawn: list[float]) -> None:
    """(impact - 1) * greatest / 255 < weight <= impact * greatest / 255, in exact arithmetic."""
    n = len(drawn)
    weights = np.array(drawn, F)
    postings = build_postings(np.arange(n + 1), np.zeros(n, np.int32), weights, 1, CALLER)
    top = Fraction(float(postings.greatest[0]))
    assert top == max(Fraction(float(w)) for w in weights)
    for unit, impact in zip(postings.units[: postings.n].tolist(), postings.impacts.tolist()):
        weight = Fraction(float(weights[unit]))
        assert 1 <= impact <= 255 and (impact - 1) * top < 255 * weight <= impact * top
    assert (np.diff(postings.impacts[:n].astype(int)) <= 0).all()


def test_every_share_of_the_greatest_has_its_impact() -> None:
    shares = np.arange(1, 256)
    for top in (255.0, 255 * 2.0**-140, 255 * 2.0**119, 3.0 * 255):
        weights = (shares * (top / 255)).astype(F)
        above = np.nextafter(weights[:-1], F(np.inf))
        both = np.concatenate([weights, above])
        n = len(both)
        postings = build_postings(np.arange(n + 1), np.zeros(n, np.int32), both, 1, CALLER)
        impacts = np.empty(n, int)
        impacts[postings.units[:n]] = postings.impacts[:n]
        assert impacts.tolist() == [*shares, *(shares[:-1] + 1)]


def test_lists_may_be_empty_and_units_too() -> None:
    postings = build_postings(np.zeros(5, int), np.empty(0, np.int32), np.empty(0, F), 3, CALLER)
    assert postings.starts.tolist() == [[0, 0]] * 3 and postings.n == 0 and not postings.greatest.any()
    none = build_postings(np.zeros(1, int), np.empty(0, np.int32), np.empty(0, F), 2, CALLER)
    assert none.n_ranges == 1 and none.n_lists == 2
    one = build_postings(np.array([0, 0, 1, 1]), np.array([1], np.int32), np.array([2], F), 3, CALLER)
    assert one.starts.tolist() == [[0, 0], [0, 1], [1, 1]]
    assert (one.units[:1].tolist(), one.impacts[:1].tolist(), one.greatest.tolist()) == ([1], [255], [0, 2, 0])
    assert one.nbytes() == sum(a.nbytes for a in (one.starts, one.units, one.impacts, one.greatest, one.left))
