"""Tiles against numpy: the same bits, where they stop, and what they leave alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from bench.micro.cases import TILE_KINDS as EVERY
from vecrecall.kernels.call import call
from vecrecall.kernels.memory import address
from vecrecall.kernels.tile_functions import tile_function
from vecrecall.kernels.tiles import BLOCK, FACTOR, FOUND, NUMBERS, START, TILES

f32, CANARY = np.float32, 77
every_tile = pytest.mark.parametrize(("n_queries", "bits"), EVERY)


@njit
def run(function, arguments):
    call(function, arguments)


def packed(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes (blocks, 32, p) as bytes of blocks: four neighbouring dimensions of a vector in a lane."""
    n, _, p = codes.shape
    if bits == 8:
        lanes = codes.reshape(n, BLOCK, p // 4, 4)
    else:
        eights = codes.reshape(n, BLOCK, p // 8, 2, 4)
        lanes = eights[:, :, :, 0] | eights[:, :, :, 1] << 4
    return np.ascontiguousarray(lanes.transpose(0, 2, 1, 3), np.uint8).reshape(n, -1)


@dataclass
class Scan:
    """Queries and coded vectors; one limit a query, or for a single query one a place."""

    bits: int
    codes: np.ndarray  # (blocks, 32, p)
    queries: np.ndarray  # (n, p) int8
    factors: np.ndarray
    starts: np.ndarray
    addends: np.ndarray  # (blocks, 32)
    scales: np.ndarray
    listed: np.ndarray  # block numbers, and seven more that a tile may read

    @classmethod
    def drawn(cls, rng: np.random.Generator, n_queries: int, bits: int, p: int, n_blocks: int, n_listed: int) -> Scan:
        return cls(
            bits,
            rng.integers(0, 2**bits, (n_blocks, BLOCK, p)),
            rng.integers(-127, 128, (n_queries, p)).astype(np.int8),
            rng.normal(size=n_queries).astype(f32),
            rng.integers(-9999, 9999, n_queries),
            rng.normal(size=(n_blocks, BLOCK)).astype(f32) * f32(300 * 2**bits),
            rng.normal(size=(n_blocks, BLOCK)).astype(f32),
            rng.integers(0, n_blocks, n_listed + 7).astype(np.int32),
        )

    @property
    def step(self) -> int:
        return TILES[len(self.queries)]

    def tile(self, place: int, end: int, limits: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
        """(where it stopped, masks (n, step), estimates (n, step, 32)) of a call; what stands behind them is kept."""
        n, wide = len(self.queries), BLOCK * self.step
        queries = np.array([address(query) for query in self.queries], np.int64)
        numbers = np.zeros((n, NUMBERS), f32)
        numbers[:, FACTOR], numbers.view(np.int32)[:, START] = self.factors, self.starts
        blocks, limits = packed(self.codes, self.bits), np.concatenate([limits, np.full(4, -np.inf)]).astype(f32)
        out, found = np.full((n, wide + 16), CANARY, f32), np.full(FOUND // 4 + n * self.step + 8, CANARY, np.int32)
        run(tile_function(n, self.bits), (
            address(blocks), blocks.shape[1], address(self.listed), place, end, self.codes.shape[2] // 8,
            address(queries), address(numbers), address(limits), address(self.addends), address(self.scales),
            address(out), out.strides[0], address(found),
        ))  # fmt: skip
        assert (out[:, wide:] == CANARY).all() and (found[2:4] == CANARY).all() and (found[-8:] == CANARY).all()
        masks = found[FOUND // 4 : -8].reshape(n, self.step)
        return int(found[:2].view(np.int64)[0]), masks, out[:, :wide].reshape(n, self.step, BLOCK)

    def estimates(self) -> np.ndarray:
        """Of all blocks, slowly: (n, blocks, 32)."""
        sums = np.einsum("qp,bvp->qbv", self.queries.astype(np.int64), self.codes.astype(np.int64))
        sums += self.starts[:, None, None]
        assert np.abs(sums).max() < 2**31
        return self.addends + self.scales * (self.factors[:, None, None] * sums.astype(f32))

    def slow(self, place: int, end: int, limits: np.ndarray) -> tuple[int, np.ndarray | int, np.ndarray | int]:
        """What a call should give; canaries where nothing survives."""
        every = self.estimates()
        for here in range(place, end, self.step):
            estimates = every[:, self.listed[here : here + self.step]]
            ends = limits[:, None] if self.step == 1 else limits[None, here : here + self.step]
            below = estimates < ends[:, :, None]
            if below.any():
                return here, np.packbits(below, axis=2, bitorder="little").view(np.int32)[:, :, 0], estimates
        return end, CANARY, CANARY

    def limits(self, share: float) -> np.ndarray:
        """Limits that a share of the estimates is below."""
        every = self.estimates()
        if self.step == 1:
            return np.quantile(every.reshape(len(every), -1), share, axis=1, method="lower").astype(f32)
        n = len(self.listed) - 7
        limits = np.full(n + self.step, -np.inf, f32)
        limits[:n] = np.quantile(every, share, method="lower")
        return limits


def check(scan: Scan, limits: np.ndarray) -> list[int]:
    """Go through all that is listed as a caller does; returns the places where the tile stopped."""
    place, end, stops = 0, len(scan.listed) - 7, []
    while place < end:
        there, masks, estimates = scan.tile(place, end, limits)
        slow_there, slow_masks, slow_estimates = scan.slow(place, end, limits)
        assert min(there, end) == slow_there
        np.testing.assert_array_equal(masks, slow_masks)
        np.testing.assert_array_equal(estimates.view(np.int32), np.asarray(slow_estimates, f32).view(np.int32))
        stops += [there] * (there < end)
        place = there + scan.step
    return stops


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(EVERY), st.integers(1, 21), st.integers(1, 9), st.integers(1, 13),
    st.sampled_from([0.0, 0.002, 0.02, 0.5, 1.0]), st.integers(0, 2**32),
)  # fmt: skip
def test_every_tile_gives_numpys_bits_and_masks_and_stops_where_something_survives(
    tile: tuple[int, int], groups: int, n_blocks: int, n_listed: int, share: float, seed: int
) -> None:
    scan = Scan.drawn(np.random.default_rng(seed), *tile, 8 * groups, n_blocks, n_listed)
    scan.addends[np.random.default_rng(seed).random(scan.addends.shape) < 0.1] = np.inf
    check(scan, scan.limits(share))


@every_tile
def test_it_stops_at_survivors_alone_and_goes_on_behind(n_queries: int, bits: int) -> None:
    scan = Scan.drawn(np.random.default_rng(0), n_queries, bits, 40, 12, 12)
    scan.listed[:12] = np.arange(12)[::-1]
    limits = np.full(12 if n_queries == 1 else n_queries, scan.estimates().min(), f32)
    assert check(scan, limits) == []  # none is below the least
    for place, vector in ((9, 31), (2, 0), (7, 16)):
        scan.addends[scan.listed[place], vector] = -1e9
    assert check(scan, limits) == ([2, 7, 9] if scan.step == 1 else [0, 4, 8])


@every_tile
def test_a_query_survives_by_its_own_limit(n_queries: int, bits: int) -> None:
    scan = Scan.drawn(np.random.default_rng(1), n_queries, bits, 24, 8, 8)
    limits = np.full(8 if n_queries == 1 else n_queries, -np.inf, f32)
    limits[-1] = np.inf  # the last query, or the last place
    stops = check(scan, limits)
    assert stops == (list(range(8)) if scan.step == 1 else [4])
    masks = scan.tile(0, 8, limits)[1].reshape(-1)
    assert masks.tolist() == [0] * (masks.size - 1) + [-1]


@every_tile
def test_empty_places_never_survive(n_queries: int, bits: int) -> None:
    scan = Scan.drawn(np.random.default_rng(2), n_queries, bits, 16, 4, 4)
    scan.listed[:4] = range(4)
    unlimited = np.full(max(4, n_queries), np.inf, f32)
    scan.addends[:] = np.inf
    assert check(scan, unlimited) == []
    scan.addends[3, 5] = 0
    assert check(scan, unlimited) == [3 if scan.step == 1 else 0]
    assert (scan.tile(0, 4, unlimited)[1][:, -1] == 1 << 5).all()


@every_tile
@pytest.mark.parametrize("p", [8, 24, 4096])
def test_sums_of_extreme_codes_and_queries_are_whole(n_queries: int, bits: int, p: int) -> None:
    scan = Scan.drawn(np.random.default_rng(3), n_queries, bits, p, 4, 4)
    scan.listed[:4] = range(4)
    scan.codes[:2], scan.codes[2] = 2**bits - 1, 0
    scan.queries[:] = np.array([127, -127])[np.arange(n_queries) % 2, None]
    scan.factors[:] = scan.scales[:] = 1
    for _ in range(2):  # the first query with either sign
        scan.queries *= -1
        check(scan, np.full(max(4, n_queries), np.inf, f32))
        scan.starts[:] = -scan.queries.astype(np.int64).sum(1) * (2**bits - 1) // 2


@pytest.mark.parametrize("bits", [4, 8])
def test_an_estimate_is_the_same_in_every_tile(bits: int) -> None:
    scan = Scan.drawn(np.random.default_rng(4), 8, bits, 72, 4, 4)
    scan.listed[:4] = range(4)
    unlimited = np.full(8, np.inf, f32)
    whole = np.stack([scan.tile(place, 4, unlimited)[2][:, 0] for place in range(4)], axis=1)
    for n in (4, 1):
        few = replace(scan, queries=scan.queries[:n], factors=scan.factors[:n], starts=scan.starts[:n])
        got = np.concatenate([few.tile(place, 4, unlimited)[2] for place in range(0, 4, few.step)], axis=1)
        assert got.tobytes() == whole[:n].tobytes()
