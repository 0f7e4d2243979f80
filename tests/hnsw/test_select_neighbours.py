"""The heuristic against algorithm 4 as Malkov & Yashunin print it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.hnsw import select_neighbours as module
from vecrecall.kernels.distances import MISSING
from vecrecall.kernels.forms import distance_function
from vecrecall.kernels.memory import address

ONE = np.ones(1, np.float32)


@njit
def select(view, fv, pool, size, capacity, fill, links, link_keys, state, listed, keys):
    none = MISSING
    return module.select_neighbours(view, fv, pool, size, capacity, fill, none, links, link_keys, state, listed, keys)


@njit
def select_among_copies(view, fv, pool, size, capacity, fill, own_key, links, link_keys, state, listed, keys):
    return module.select_neighbours(
        view, fv, pool, size, capacity, fill, own_key, links, link_keys, state, listed, keys
    )  # fmt: skip


def slow_select(squares: np.ndarray, to_node: np.ndarray, order: list[int], capacity: int, fill: bool):
    """Keep a candidate that is nearer to the node than to every one kept; then fill up with the nearest rejected."""
    kept: list[int] = []
    for candidate in order:
        if len(kept) < capacity and all(squares[other, candidate] >= to_node[candidate] for other in kept):
            kept.append(candidate)
    rejected = [candidate for candidate in order if candidate not in kept]
    return kept + (rejected[: capacity - len(kept)] if fill else []), len(kept)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 12), st.booleans(), st.integers(0, 2**32))
def test_links_are_those_of_the_paper(n: int, dim: int, capacity: int, fill: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.zeros((n, 16), np.float32)
    rows[:, :dim] = rng.integers(-6, 7, (n, dim))  # whole numbers: exact distances, many ties
    squares = ((rows[:, None] - rows) ** 2).sum(2)
    to_node = (rows**2).sum(1)  # the new node is the origin
    order = np.lexsort((np.arange(n), to_node))

    pool = (to_node[order].view(np.int32).astype(np.int64) << 32) | (order << 1)
    biases = np.zeros(n, np.int32)
    links, link_keys, state, listed, keys = (np.full(n + 24, -1, np.int32) for _ in range(5))
    view = (address(rows), 64, 1, address(ONE), distance_function("f32_l2"), 0)
    n_links, n_kept = select(
        view, (address(rows), 64, address(biases)), address(pool), n, capacity, fill,
        address(links), address(link_keys), address(state), address(listed), address(keys),
    )  # fmt: skip
    expected, expected_kept = slow_select(squares, to_node, order.tolist(), capacity, fill)
    assert (links[:n_links].tolist(), n_kept) == (expected, expected_kept)
    np.testing.assert_array_equal(link_keys[:n_links].view(np.float32), to_node[expected])
    assert (links[n_links:] == -1).all()


def test_a_node_among_copies_is_linked_to_a_few_of_them_and_to_others() -> None:
    rows = np.zeros((40, 16), np.float32)
    rows[30:, 0] = np.arange(1, 11)  # thirty rows that are the same as the node, ten that are not
    view = (address(rows), 64, 1, address(ONE), distance_function("f32_l2"), 0)
    bias = np.zeros(40, np.int32)
    pool = np.array([int(np.float32(x * x).view(np.int32)) << 32 | i << 1 for i, x in enumerate(rows[:, 0])], np.int64)
    links, link_keys, state, listed, keys = np.zeros((5, 64), np.int32)
    n, kept = select_among_copies(
        view, (address(rows), 64, address(bias)), address(pool), 40, 20, True, 0,
        address(links), address(link_keys), address(state), address(listed), address(keys),
    )  # fmt: skip
    assert links[:n].tolist() == [*range(module.COPIES), *range(30, 40)] and kept >= module.COPIES
