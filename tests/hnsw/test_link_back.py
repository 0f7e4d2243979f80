"""Links back against lists, and the order that a row always has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from vecrecall.hnsw import link_back
from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.link_back import group_by_target, measure_links
from vecrecall.kernels.distances import MISSING
from vecrecall.kernels.forms import distance_function
from vecrecall.kernels.memory import address

ONE = np.ones(1, np.float32)


@njit
def add_link(
    view, query, bias, owner, links, link_keys, capacity, fill, n, kept, node, key, listed, to_node, moved
):  # fmt: skip
    return link_back.add_link(
        view, query, bias, owner, MISSING, links, link_keys, capacity, fill, n, kept, node, key, listed, to_node, moved
    )  # fmt: skip


Row = list[tuple[int, int]]  # (squared distance to the owner, node), in the order of the row


def slow_put_fill(kept: Row, fill: Row, capacity: int, link: tuple[int, int]) -> Row:
    if len(kept) + len(fill) == capacity:
        if not fill or fill[-1][0] <= link[0]:
            return fill
        fill = fill[:-1]
    place = sum(other[0] <= link[0] for other in fill)
    return [*fill[:place], link, *fill[place:]]


def slow_add(squares: np.ndarray, kept: Row, fill: Row, capacity: int, filled: bool, link: tuple[int, int]):
    """A new link is kept unless a nearer kept one hides it; those that it hides become fill."""
    key, node = link
    place = sum(other[0] <= key for other in kept)
    if place == capacity or any(squares[node, other] < key for _, other in kept[:place]):
        return kept, slow_put_fill(kept, fill, capacity, link) if filled else fill
    hidden = [other for other in kept[place:] if squares[node, other[1]] < other[0]]
    still = [other for other in kept[place:] if other not in hidden]
    if place + len(still) + len(fill) == capacity:  # the farthest goes
        fill, still = (fill[:-1], still) if fill else (fill, still[:-1])
    kept = [*kept[:place], link, *still]
    for other in hidden if filled else []:
        fill = slow_put_fill(kept, fill, capacity, other)
    return kept, fill


def check_row(squares: np.ndarray, owner: int, kept: list[int], fill: list[int]) -> None:
    """Both parts nearest first; no kept link is nearer to an earlier kept one than to the owner; none twice."""
    assert len(set(kept + fill) | {owner}) == len(kept) + len(fill) + 1
    for part in (kept, fill):
        assert (np.diff(squares[owner, part]) >= 0).all()
    for i, link in enumerate(kept):
        assert all(squares[link, other] >= squares[link, owner] for other in kept[:i])


def points(rng: np.random.Generator, n: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.zeros((n, 16), np.float32)
    rows[:, :dim] = rng.integers(-9, 10, (n, dim))
    return rows, ((rows[:, None] - rows) ** 2).sum(2).astype(np.int64)


def key_bits(square: int) -> int:
    return int(np.float32(square).view(np.int32))


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 40), st.integers(1, 4), st.integers(1, 8), st.booleans(), st.integers(0, 2**32))
def test_a_row_takes_links_as_the_lists_do(n: int, dim: int, capacity: int, filled: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, squares = points(rng, n, dim)
    view = (address(rows), 64, 1, address(ONE), distance_function("f32_l2"), 0)
    links, link_keys, listed, to_node = (np.full(capacity + 8, -1, np.int32) for _ in range(4))
    moved = np.zeros(2 * capacity + 8, np.int32)
    kept: Row = []
    fill: Row = []
    n_links = n_kept = 0
    for node in rng.permutation(np.arange(1, n)).tolist():
        square = int(squares[0, node])
        n_links, n_kept = add_link(
            view, address(rows[node]), 0, 0, address(links), address(link_keys), capacity, filled, n_links, n_kept,
            node, key_bits(square), address(listed), address(to_node), address(moved),
        )  # fmt: skip
        kept, fill = slow_add(squares, kept, fill, capacity, filled, (square, node))
        assert links[:n_links].tolist() == [node for _, node in kept + fill] and n_kept == len(kept)
        assert link_keys[:n_links].view(np.float32).tolist() == [square for square, _ in kept + fill]
        check_row(squares, 0, links[:n_kept].tolist(), links[n_kept:n_links].tolist())
        assert (links[capacity:] == -1).all() and (link_keys[capacity:] == -1).all()


@pytest.mark.parametrize("linked", [False, True])
def test_links_are_chained_by_target_in_the_order_of_the_batch(linked: bool) -> None:
    rng = np.random.default_rng(0)
    n, n_batch, M = 30, 12, 3
    batch = rng.permutation(n)[:n_batch].astype(np.int32)
    levels = np.zeros(n, np.int32)
    levels[batch] = rng.integers(0, 3, n_batch)
    graph = Graph.empty(M).with_room(levels)
    width = graph.links.shape[1]
    for level in range(3):
        links, n_links, n_kept = graph.layer(level)
        rows = {}
        for node in batch[levels[batch] >= level].tolist():
            row = int(graph.rows_of(np.array([node]), level)[0])
            n_links[row] = rng.integers(0, links.shape[1] + 1)
            reaching = np.flatnonzero(levels >= level)
            n_links[row] = min(n_links[row], len(reaching))
            links[row, : len(reaching)] = rng.permutation(reaching)[: links.shape[1]]
            rows[node] = links[row, : n_links[row]].tolist()
        head, following = np.full(n, -1, np.int32), np.zeros(n_batch * width, np.int32)
        targets = np.zeros(n, np.int32)
        n_targets = group_by_target(
            graph.view(), address(batch), address(levels), n_batch, level, linked,
            (0, address(n_links), address(n_kept)), address(head), address(following), address(targets),
        )  # fmt: skip
        expected: dict[int, list[int]] = {}
        for node in batch.tolist():
            for target in rows.get(node, []):
                if not linked or node not in rows.get(target, []):
                    expected.setdefault(target, []).append(node)
        assert sorted(targets[:n_targets].tolist()) == sorted(expected)
        for target, nodes in expected.items():
            link, chained = int(head[target]), []
            while link >= 0:
                chained.append(int(batch[link // width]))
                link = int(following[link])
            assert chained == nodes


def test_measuring_again_puts_both_parts_of_every_row_in_order() -> None:
    rng = np.random.default_rng(1)
    n, M = 60, 5
    rows, squares = points(rng, n, 3)
    levels = rng.integers(0, 3, n).astype(np.int32)
    graph = Graph.empty(M).with_room(levels)
    biases = np.zeros(n, np.int32)
    view = (address(rows), 64, 1, address(ONE), distance_function("f32_l2"), 0)
    for level in range(3):
        nodes = np.flatnonzero(levels >= level).astype(np.int32)
        links, n_links, n_kept = graph.layer(level)
        given_rows = {}
        for node in nodes.tolist():
            row = graph.rows_of(np.array([node]), level)[0]
            n_links[row] = rng.integers(0, links.shape[1] + 1)
            n_kept[row] = rng.integers(0, n_links[row] + 1)
            links[row, : n_links[row]] = rng.permutation(np.delete(np.arange(n), node))[: n_links[row]]
            given_rows[node] = row, links[row, : n_kept[row]].tolist(), links[row, n_kept[row] : n_links[row]].tolist()
        keys, scratch = np.full(links.shape, -1, np.int32), np.zeros(2 * (2 * M + 8), np.int32)
        layer = (address(keys), address(n_links), address(n_kept))
        measure_links(
            graph.view(), view, (address(rows), 64, address(biases)), level, address(nodes), 0, len(nodes), layer,
            address(scratch),
        )  # fmt: skip
        for node, (row, kept, fill) in given_rows.items():
            expected = sorted(kept, key=lambda other: squares[node, other])  # stable, as the kernel is
            expected += sorted(fill, key=lambda other: squares[node, other])
            assert links[row, : n_links[row]].tolist() == expected
            assert keys[row, : n_links[row]].view(np.float32).tolist() == squares[node, expected].tolist()
            assert (links[row, n_links[row] :] == node).all() and (keys[row, n_links[row] :] == -1).all()
