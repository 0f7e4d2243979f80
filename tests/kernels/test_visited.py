"""Visited sets against Python's sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.kernels import visited
from vecrecall.kernels.memory import address


@njit
def keep_unseen(neighbours, degree, seen, fresh):
    return visited.keep_unseen(neighbours, degree, seen, fresh)


@njit
def forget(seen, log, n_logged, n_words):
    visited.forget(seen, log, n_logged, n_words)


def marked(seen: np.ndarray) -> set[int]:
    bits = np.unpackbits(seen.view(np.uint8), bitorder="little")
    return set(np.flatnonzero(bits).tolist())


ROWS = st.lists(st.lists(st.integers(0, 199), min_size=1, max_size=40), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.booleans())
def test_rows_are_fresh_once_and_forgetting_unmarks_all(rows: list[list[int]], ran_over: bool) -> None:
    seen, log = np.zeros(4, np.int64), np.zeros(400, np.int32)
    known: set[int] = set()
    n_logged = 0
    for row in rows:
        neighbours = np.array(row, np.int32)
        m = keep_unseen(address(neighbours), len(row), address(seen), address(log) + 4 * n_logged)
        fresh = log[n_logged : n_logged + m].tolist()
        assert fresh == [other for other in dict.fromkeys(row) if other not in known]
        known.update(row)
        assert marked(seen) == known
        n_logged += m
    if ran_over:  # the log says nothing any more
        log[:] = 0
        n_logged = -1
    forget(address(seen), address(log), n_logged, len(seen))
    assert not seen.any()
