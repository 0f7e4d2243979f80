"""Visited sets against Python's sets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.kernels import cpu, visited
from vecrecall.kernels.memory import address


@njit
def chosen(neighbours, degree, seen, fresh):
    return visited.keep_unseen(neighbours, degree, seen, fresh)


@njit
def portable(neighbours, degree, seen, fresh):
    return visited._keep_unseen_portable(neighbours, degree, seen, fresh)


@njit
def forget(seen, log, n_logged, n_words):
    visited.forget(seen, log, n_logged, n_words)


def marked(seen: np.ndarray) -> set[int]:
    bits = np.unpackbits(seen.view(np.uint8), bitorder="little")
    return set(np.flatnonzero(bits).tolist())


def test_the_wide_form_is_taken_where_the_processor_has_it() -> None:
    expected = visited._keep_unseen_wide if cpu.HAS_AVX512 else visited._keep_unseen_portable
    assert visited.keep_unseen is expected


ROWS = st.lists(
    st.lists(st.integers(1, 199), min_size=1, max_size=70, unique=True).flatmap(
        lambda row: st.integers(0, 20).map(lambda unused: row + [0] * unused)
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("keep_unseen", [chosen, portable])
@settings(max_examples=60, deadline=None)
@given(ROWS, st.booleans())
def test_rows_are_fresh_once_and_forgetting_unmarks_all(
    keep_unseen: Callable[..., int], rows: list[list[int]], ran_over: bool
) -> None:
    """Row 0 fills unused places, as the node itself does, and is marked from the start."""
    seen, log = np.zeros(4, np.int64), np.zeros(700, np.int32)
    seen[0], known, n_logged = 1, {0}, 1
    for row in rows:
        neighbours = np.array(row, np.int32)
        m = keep_unseen(address(neighbours), len(row), address(seen), address(log) + 4 * n_logged)
        fresh = log[n_logged : n_logged + m].tolist()
        assert fresh == [other for other in row if other not in known]
        known.update(row)
        assert marked(seen) == known
        n_logged += m
    if ran_over:  # the log says nothing any more
        log[:] = 0
        n_logged = -1
    forget(address(seen), address(log), n_logged, len(seen))
    assert not seen.any()
