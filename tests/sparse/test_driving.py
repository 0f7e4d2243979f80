"""Which lists drive a search: no sum leaves its bits, whatever a unit holds, and bounds hold from both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.csr import Csr
from vecrecall.kernels.memory import address
from vecrecall.sparse import driving
from vecrecall.sparse.driving import NOTHING, TOP8, TOP16
from vecrecall.sparse.parameters import Parameters
from vecrecall.sparse.plan import BLOCK, GREATEST, LEFT, N_RANGES, PLAN_FIELDS, STARTS, N
from vecrecall.sparse.rows import parted
from vecrecall.sparse.scratch import (
    BEST,
    FACTORS,
    FLOORS,
    LEAST,
    LISTS,
    MASSES,
    ROUNDINGS,
    SIGNS,
    TERM_OF,
    WEIGHTS,
    Scratch,
)
from vecrecall.sparse.segment import arranged
from vecrecall.threads import Workers

F = np.float32
GREATEST32, LEAST32 = float(np.finfo(F).max), float(np.finfo(F).smallest_subnormal)
MOST8, MOST16 = 64, 30_000  # lists that sums of 8 and of 16 bits are used for
CALLER = Workers(1)


@njit
def list_terms(plan, scratch, n_terms, all_lists):
    return driving.list_terms(plan, scratch, n_terms, all_lists)


@njit
def set_least(plan, scratch, n, impact_cut):
    driving.set_least(plan, scratch, n, impact_cut)


@njit
def keep_heaviest(scratch, n, cut):
    return driving.keep_heaviest(scratch, n, cut)


@njit
def drive_approximately(scratch, n, top):
    return driving.drive_approximately(scratch, n, top)


@njit
def drive_safely(plan, scratch, n, share, theta):
    return driving.drive_safely(plan, scratch, n, share, theta)


@njit
def drive_by_touch(scratch, n):
    driving.drive_by_touch(scratch, n)


def part(scratch: Scratch, name: int, n: int, dtype: type = np.int64) -> np.ndarray:
    """A part of scratch memory, as an array that shares it."""
    first = int(scratch.memory[name]) - scratch.address
    return scratch.memory.view(np.uint8)[first : first + n * np.dtype(dtype).itemsize].view(dtype)


def scratch_of(masses: np.ndarray, signs: np.ndarray, n_docs: int = 300, least: float = 0.0) -> Scratch:
    """Scratch with lists of which a posting has to contribute ``least`` of the greatest mass."""
    n = len(masses)
    scratch = Scratch(n_terms=max(n, 1), k=128, n_docs=n_docs, n_units=10, n_columns=10)
    part(scratch, LISTS, n)[:] = np.arange(n)
    part(scratch, MASSES, n, np.float64)[:] = masses
    part(scratch, SIGNS, n)[:] = signs
    part(scratch, LEAST, n, np.float64)[:] = least * masses.max(initial=0)
    return scratch


def settled(scratch: Scratch, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(factors, roundings, floors) as they were written."""
    return tuple(part(scratch, name, n).copy() for name in (FACTORS, ROUNDINGS, FLOORS))  # type: ignore[return-value]


def amounts_of(factors: np.ndarray, roundings: np.ndarray, impacts: Any) -> np.ndarray:
    """What a posting of an impact adds or takes off, in exact integers."""
    return (impacts * factors + roundings) >> 8


def assert_within(bits: int, scratch: Scratch, n: int, signs: np.ndarray, bias: int) -> None:
    """No unit, whichever postings it holds, has a sum outside of its bits, and no product leaves twice as many."""
    factors, roundings, floors = settled(scratch, n)
    assert (floors >= 1).all() and (factors >= 0).all()
    assert (255 * factors + np.maximum(roundings, 0) < 2 ** (2 * bits)).all()
    used = floors <= 255
    most = np.where(used, amounts_of(factors, roundings, 255), 0)
    least = np.where(used, amounts_of(factors, roundings, np.minimum(floors, 255)), 0)
    assert (least >= 0).all()  # amounts ascend with impacts
    assert 0 <= bias - most[signs < 0].sum() and bias + most[signs > 0].sum() < 2**bits


ratios = st.sampled_from([1e-90, 1e-45, 1e-12, 1e-3, 0.5, 1.0, 1.0000001, 3.0, 1e3, 1e12, 1e45, 1e76])


@st.composite
def masses_and_signs(draw: st.DrawFn, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Masses of lists, the heaviest and the others apart by any ratio, and whether they add or take off."""
    n = draw(st.integers(1, 5) | st.sampled_from([1, 2, 63, 64, most - 1, most]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(ratios)
    kind = draw(st.sampled_from(["equal", "random", "geometric", "one", "steps"]))
    masses = {
        "equal": np.ones(n),
        "random": rng.gamma(0.5, 1, n) + 1e-9,
        "geometric": 0.5 ** np.minimum(np.arange(n), 200),
        "one": np.r_[draw(ratios), np.ones(n - 1)],
        "steps": rng.choice([1.0, 1.4999, 1.5, 1.9999, 2.0], n),
    }[kind]
    masses = np.clip(masses * scale, LEAST32**2, GREATEST32**2 / n)
    signs = draw(st.sampled_from([np.ones(n), -np.ones(n), np.where(rng.random(n) < 0.5, -1, 1)]))
    return rng.permutation(masses), signs.astype(np.int64)


@pytest.mark.parametrize(("bits", "top", "most"), [(8, TOP8, MOST8), (16, TOP16, MOST16)])
@settings(max_examples=150, deadline=None)
@given(data=st.data(), impact_cut=st.sampled_from([0.0, 0.1, 0.999, 1.0]))
def test_approximate_sums_stay_within_their_bits(
    bits: int, top: float, most: int, data: st.DataObject, impact_cut: float
) -> None:
    masses, signs = data.draw(masses_and_signs(most))
    n = len(masses)
    scratch = scratch_of(masses, signs, least=impact_cut)
    bias = drive_approximately(scratch.address, n, top)
    assert_within(bits, scratch, n, signs, bias)
    factors, roundings, floors = settled(scratch, n)
    whole = amounts_of(factors, roundings, 255)  # whether floors let them in or not
    assert whole.sum() <= top and bias == whole[signs < 0].sum()
    assert factors[masses.argmax()] > 0 and (np.diff(factors[np.argsort(masses)]) >= 0).all()


@pytest.mark.parametrize("n", [1, 2, 3, 10, 50, 62, 63, 64])
def test_sums_of_equal_lists_use_most_of_8_bits(n: int) -> None:
    scratch = scratch_of(np.full(n, 3.0), np.ones(n))
    drive_approximately(scratch.address, n, TOP8)
    factors, roundings, _ = settled(scratch, n)
    assert amounts_of(factors, roundings, 255).sum() > 0.48 * TOP8


def test_rounding_that_would_carry_sums_beyond_the_top_is_made_up_for() -> None:
    """Amounts up to 128 are as large as their factors, which leave room for amounts that are smaller."""
    for n in (*range(500, 520), 1018, 2036, 21_751):
        scratch = scratch_of(np.full(n, 3.0), np.ones(n))
        drive_approximately(scratch.address, n, TOP16)
        factors, roundings, _ = settled(scratch, n)
        assert 0.6 * TOP16 < amounts_of(factors, roundings, 255).sum() <= TOP16


@settings(max_examples=150, deadline=None)
@given(masses_and_signs(MOST8), st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]))
def test_a_floor_leaves_out_what_adds_little_or_nothing(drawn: tuple[np.ndarray, np.ndarray], cut: float) -> None:
    masses, signs = drawn
    n = len(masses)
    scratch = scratch_of(masses, signs, least=cut)
    drive_approximately(scratch.address, n, TOP8)
    factors, roundings, floors = settled(scratch, n)
    impacts = np.arange(1, 256)
    amounts = amounts_of(factors[:, None], roundings[:, None], impacts)
    shares = masses[:, None] * impacts / 255 / masses.max()
    let_in = impacts >= floors[:, None]
    assert (amounts[let_in] > 0).all() and (shares[let_in] >= cut * (1 - 1e-12)).all()
    assert ((amounts == 0) | (shares < cut * (1 + 1e-12)))[~let_in].all()
    assert (floors[factors == 0] == NOTHING).all()


SHARES = st.sampled_from([0.0, 0.05, 0.25, 1.0])
THRESHOLDS = st.sampled_from([0.0, 1e-6, 0.3, 1.0, 100.0])  # as shares of what a score is at most


class Case:
    """Lists of a made-up segment, and a plan that tells of them."""

    def __init__(self, masses: np.ndarray, signs: np.ndarray, rng: np.random.Generator, *, pruned: bool) -> None:
        n = self.n = len(masses)
        self.masses, self.signs = masses, signs
        self.greatest = rng.choice([1e-30, 0.5, 1.0, 7.0, 1e30], n).astype(F)
        self.left = (self.greatest * rng.random(n) * 0.9).astype(F) if pruned else np.zeros(n, F)
        lengths = rng.choice([1, 2, 50, 1000, 65536], n)
        self.starts = np.stack([np.cumsum(lengths) - lengths, np.cumsum(lengths)], axis=1)
        self.plan = np.zeros(PLAN_FIELDS, np.int64)
        self.plan[[N_RANGES, BLOCK]] = 1
        self.plan[STARTS], self.plan[GREATEST] = address(self.starts), address(self.greatest)
        self.plan[LEFT] = address(self.left) if pruned else 0
        self.scratch = scratch_of(masses, signs)

    def drive(self, share: float, theta: float = 0.0) -> tuple[int, float, float, float]:
        return drive_safely(address(self.plan), self.scratch.address, self.n, share, theta)

    def adding(self) -> float:
        """What a score is at most."""
        return float(self.masses[self.signs > 0].sum())


@settings(max_examples=150, deadline=None)
@given(masses_and_signs(MOST16), SHARES, THRESHOLDS, st.booleans(), st.integers(0, 2**32))
def test_safe_sums_stay_within_16_bits_and_leave_out_no_more_than_they_may(
    drawn: tuple[np.ndarray, np.ndarray], share: float, threshold: float, pruned: bool, seed: int
) -> None:
    case = Case(*drawn, np.random.default_rng(seed), pruned=pruned)
    theta = threshold * case.adding()
    bias, units, left, over = case.drive(share, theta)
    assert_within(16, case.scratch, case.n, case.signs, bias)
    assert units > 0 and left >= 0 and over > 0 and np.isfinite([units, left, over]).all()
    room = share * (theta if theta > 0 else case.adding())
    pruned_mass = (case.masses * (case.left.astype(float) / case.greatest))[case.signs > 0].sum()
    assert left <= (room + pruned_mass + 4e-45) * units * (1 + 1e-9)


def assert_bounds(case: Case, share: float, theta: float, rng: np.random.Generator, n_docs: int) -> None:
    """Sums of documents that hold lists at random, many of them just above and at an impact, bound their scores."""
    _, units, left, over = case.drive(share, theta)
    factors, roundings, floors = settled(case.scratch, case.n)
    held = rng.random((n_docs, case.n)) < rng.choice([0.01, 0.3, 1.0], (n_docs, 1))
    held[0] = case.signs > 0
    held[1] = case.signs < 0
    impacts = rng.choice([1, 2, 128, 254, 255], (n_docs, case.n)) if rng.random() < 0.5 else None
    if impacts is None:
        impacts = rng.integers(1, 256, (n_docs, case.n))
    if rng.random() < 0.3:
        impacts[:] = np.minimum(np.maximum(floors - rng.integers(0, 2, case.n), 1), 255)
    # the weight, as a share of the greatest: from just above the impact before to the impact itself
    shares = (impacts - rng.choice([0.0, 0.5, 1 - 1e-9], (n_docs, case.n))) / 255
    shares[:2] = (impacts[:2] - np.array([[0.0], [1 - 1e-9]])) / 255
    amounts = np.where(held & (impacts >= floors), amounts_of(factors, roundings, impacts), 0)
    lost = held & (shares <= case.left / case.greatest) & (rng.random((n_docs, case.n)) < 0.5)  # pruned: no posting
    sums = np.where(lost, 0, amounts) @ case.signs
    scores = (np.where(held, shares, 0) * case.masses * units) @ case.signs.astype(float)
    fuzz = 1e-9 * units * case.masses.sum()
    assert (scores <= sums + left + fuzz).all(), (scores - sums - left).max()
    assert (scores >= sums - over - fuzz).all(), (sums - over - scores).max()


@settings(max_examples=150, deadline=None)
@given(masses_and_signs(300), SHARES, THRESHOLDS, st.booleans(), st.integers(0, 2**32))
def test_safe_sums_bound_every_score_from_both_sides(
    drawn: tuple[np.ndarray, np.ndarray], share: float, threshold: float, pruned: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    case = Case(*drawn, rng, pruned=pruned)
    assert_bounds(case, share, threshold * case.adding(), rng, 40)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_bounds_hold_for_as_many_lists_as_sums_have_room_for(share: float) -> None:
    rng = np.random.default_rng(0)
    for masses in (np.ones(MOST16), rng.gamma(0.3, 1, MOST16) + 1e-9, np.r_[1e6, np.ones(MOST16 - 1)]):
        for signs in (np.ones(MOST16, int), rng.choice([-1, 1], MOST16)):
            assert_bounds(Case(masses, signs, rng, pruned=False), share, 0.0, rng, 8)


def test_safe_sums_tell_scores_apart() -> None:
    """Bounds that say nothing would be safe too."""
    rng = np.random.default_rng(0)
    case = Case(rng.gamma(1, 1, 30), np.ones(30, int), rng, pruned=False)
    _, units, left, over = case.drive(0.1)
    total = case.masses.sum() * units
    assert 64_000 < total <= TOP16 and left <= 0.1 * total and over <= 0.005 * total


@pytest.mark.parametrize("lengths", [[1000], [500, 1000, 2000], [1, 50, 1000, 65536]])
def test_what_may_be_left_out_is_left_out_however_long_the_lists_are(lengths: list[int]) -> None:
    """What is not left out is added up in vain."""
    rng = np.random.default_rng(0)
    case = Case(rng.gamma(1, 1, 30), np.ones(30, int), rng, pruned=False)
    long = rng.choice(lengths, 30)
    case.starts[:] = np.stack([np.cumsum(long) - long, np.cumsum(long)], axis=1)
    _, units, left, _ = case.drive(0.1)
    assert left > 0.03 * case.adding() * units


def test_touching_adds_one_for_any_impact() -> None:
    scratch = scratch_of(np.ones(9), np.r_[np.ones(5), -np.ones(4)])
    drive_by_touch(scratch.address, 9)
    factors, roundings, floors = settled(scratch, 9)
    for impact in (1, 128, 255):
        assert (amounts_of(factors, roundings, impact) == 1).all()
    assert (floors == 1).all() and (part(scratch, SIGNS, 9) == 1).all()


@settings(max_examples=150, deadline=None)
@given(masses_and_signs(300), st.integers(1, 320), st.sampled_from([0.0, 0.0, 0.1, 0.7, 1.0]))
def test_the_heaviest_lists_are_kept_in_their_order_and_of_equal_ones_the_first(
    drawn: tuple[np.ndarray, np.ndarray], cut: int, impact_cut: float
) -> None:
    masses, signs = drawn
    n = len(masses)
    scratch = scratch_of(masses, signs, least=impact_cut)
    high = np.flatnonzero(masses >= impact_cut * masses.max())
    with np.errstate(over="ignore"):
        kept = high[np.sort(np.argsort(-masses[high].astype(F), kind="stable")[:cut])]
    m = len(kept)
    assert keep_heaviest(scratch.address, n, cut) == m > 0
    assert part(scratch, LISTS, m).tolist() == kept.tolist()
    assert part(scratch, MASSES, m, np.float64).tolist() == masses[kept].tolist()
    assert part(scratch, SIGNS, m).tolist() == signs[kept].tolist()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 3), st.sampled_from([0.0, 0.06, 0.5, 1.0]), st.integers(0, 2**32))
def test_postings_of_longer_lists_have_to_contribute_more(n: int, n_ranges: int, impact_cut: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = np.sort(rng.choice([0, 1, 7, 1000, 10_000, 100_000], (n, n_ranges)).sum(axis=1))
    masses, n_docs = rng.gamma(1, 1, n) + 1e-6, 100_000 * n_ranges
    ends = np.cumsum(lengths)
    starts = np.zeros((n, n_ranges + 1), np.int64)
    starts[:, 0], starts[:, 1:] = ends - lengths, ends[:, None]
    plan = np.zeros(PLAN_FIELDS, np.int64)
    plan[N], plan[N_RANGES], plan[STARTS] = n_docs, n_ranges, address(starts)
    scratch = scratch_of(masses, np.ones(n))
    set_least(address(plan), scratch.address, n, impact_cut)
    least = part(scratch, LEAST, n, np.float64)
    shares = np.minimum(impact_cut * (lengths / (0.01 * n_docs)) ** 0.375, 1)
    np.testing.assert_allclose(least, masses.max() * shares, rtol=1e-12)
    assert keep_heaviest(scratch.address, n, n) > 0  # whatever is left out, something is looked for


def test_choosing_among_more_lists_than_documents_leaves_the_answers_alone() -> None:
    """BEST holds what was found in other segments by then."""
    scratch = scratch_of(np.arange(1.0, 101), np.ones(100), n_docs=10)
    best = part(scratch, BEST, 2 * scratch.k)
    best[:] = 4321
    keep_heaviest(scratch.address, 100, 32)
    assert (best == 4321).all()


PARAMETERS = Parameters.checked(
    layout=None, n_postings=None, alpha=1.0, block_size=None, summary_energy=None, keep="f24", seed=0, k=10
)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("all_lists", [False, True])
def test_the_lists_of_a_query_are_those_of_its_terms_that_hold_anything(signed: bool, all_lists: bool) -> None:
    rng = np.random.default_rng(1)
    dense = np.where(rng.random((50, 12)) < 0.3, rng.gamma(2, 1, (50, 12)), 0).astype(F)
    dense[:, 5] = 0
    if signed:
        dense[:, ::2] *= rng.choice([-1, 1], (50, 6))
    rows, columns = np.nonzero(dense)
    csr = Csr(np.searchsorted(rows, np.arange(51)), columns.astype(np.int32), dense[rows, columns], 12)
    segment = arranged(parted(csr, "f32", CALLER), 0, PARAMETERS, CALLER)
    terms, weights = np.array([0, 1, 2, 5, 7, 11]), np.array([1.5, -2, -1e-45, 3, 3e38, 1], F)
    scratch = Scratch(n_terms=10, k=10, n_docs=50, n_units=50, n_columns=12)
    part(scratch, TERM_OF, 6, np.int32)[:] = terms
    part(scratch, WEIGHTS, 12, F)[terms] = weights
    n = list_terms(address(segment.plan), scratch.address, 6, all_lists)
    expected = []
    for term, weight in zip(terms.tolist(), weights.astype(float).tolist()):
        for side in (1, -1) if signed else (1,):
            greatest = np.maximum(dense[:, term].astype(float) * side, 0).max()
            adds = (weight > 0) == (side > 0)
            if greatest > 0 and (adds or all_lists):
                number = 2 * term + (side < 0) if signed else term
                expected.append((number, abs(weight) * greatest, 1 if adds else -1))
    got = zip(part(scratch, LISTS, n), part(scratch, MASSES, n, np.float64), part(scratch, SIGNS, n))
    assert list(got) == expected and len(expected) == n > 2
