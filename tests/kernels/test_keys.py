"""Keys of answers, their selection and sorting, against sorted tuples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from bench.micro.cases import KEY_COUNTS as SIZES
from bench.micro.inputs import key_arrangements as arrangements
from vecrecall.kernels import keys
from vecrecall.kernels.memory import address

CANARY = 77
few_scores = st.sampled_from([-np.inf, -3.5, -1e-45, -0.0, 0.0, 1e-45, 1.0, np.inf])
any_scores = st.floats(width=32, allow_nan=False)
numbers = st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)


@njit
def keys_and_scores(scores, numbered, out, back):
    for j in range(scores.size):
        out[j] = keys.key_of(scores[j], numbered[j])
        back[j] = keys.score_of(out[j])


@njit
def select_least(base, n, k):
    keys.select_least(base, n, k)


@njit
def sort_keys(base, n, stack):
    keys.sort_keys(base, n, stack)


def made(pairs: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    out, back = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.float32)
    scores = np.array([score for score, _ in pairs], np.float32)
    keys_and_scores(scores, np.array([number for _, number in pairs], np.int64), out, back)
    return out, back


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(few_scores, numbers) | st.tuples(any_scores, numbers), max_size=40))
def test_keys_order_by_score_downwards_and_then_by_number(pairs: list[tuple[float, int]]) -> None:
    out, back = made(pairs)
    pairs = [(float(np.float32(score)), number) for score, number in pairs]
    expected = sorted(range(len(pairs)), key=lambda j: (-pairs[j][0], pairs[j][1]))
    assert [pairs[j] for j in np.argsort(out, kind="stable")] == [pairs[j] for j in expected]
    assert (out & 0xFFFFFFFF).tolist() == [number for _, number in pairs]
    assert back.tolist() == [score for score, _ in pairs]  # -0.0 == 0.0
    assert not (np.signbit(back) & (back == 0)).any()


def test_both_zeros_are_one_score_and_infinities_are_the_ends() -> None:
    out, _ = made([(0.0, 5), (-0.0, 5), (-0.0, 4), (np.inf, 2**32 - 1), (-np.inf, 0), (1e-45, 6), (-1e-45, 0)])
    assert out[0] == out[1] and out[2] == out[1] - 1
    assert np.argsort(out[[3, 5, 2, 0, 6, 4]]).tolist() == list(range(6))


@pytest.mark.parametrize("n", SIZES)
def test_the_least_come_to_the_front_for_every_number_of_them(n: int) -> None:
    for name, given_keys in arrangements(n).items():
        for k in range(n + 1) if n < 60 else (0, 1, 2, 3, n // 2, n - 2, n - 1, n):
            held = np.full(n + 2, CANARY)
            held[1:-1] = given_keys
            select_least(address(held) + 8, n, k)
            assert held[0] == held[-1] == CANARY, name
            expected = np.sort(given_keys)
            np.testing.assert_array_equal(np.sort(held[1 : k + 1]), expected[:k], err_msg=name)
            np.testing.assert_array_equal(np.sort(held[1:-1]), expected, err_msg=name)


@pytest.mark.parametrize("n", SIZES)
def test_sorted_keys_ascend_and_the_stack_keeps_its_room(n: int) -> None:
    for name, given_keys in arrangements(n).items():
        held, stack = np.full(n + 2, CANARY), np.full(4 * n + 64, CANARY)  # more than is promised: nothing else breaks
        held[1:-1] = given_keys
        sort_keys(address(held) + 8, n, address(stack))
        np.testing.assert_array_equal(held[1:-1], np.sort(given_keys), err_msg=name)
        assert held[0] == held[-1] == CANARY, name
        assert (stack[n + 2 :] == CANARY).all(), f"{name}: {np.flatnonzero(stack != CANARY)[-1] + 1} of {n + 2}"


@settings(max_examples=80, deadline=None)
@given(st.sets(st.integers(-(2**63), 2**63 - 1) | st.integers(-40, 40), max_size=80).flatmap(
    lambda drawn: st.permutations(sorted(drawn))), st.floats(0, 1))  # fmt: skip
def test_any_distinct_keys_are_selected_and_sorted(drawn: list[int], share: float) -> None:
    held, k = np.array(drawn, np.int64), round(share * len(drawn))
    select_least(address(held), len(held), k)
    assert sorted(held[:k].tolist()) == sorted(drawn)[:k]
    stack = np.zeros(4 * len(held) + 64, np.int64)
    sort_keys(address(held), len(held), address(stack))
    assert held.tolist() == sorted(drawn)
