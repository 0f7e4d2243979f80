"""Vectors coded into blocks against numpy, what the codes give back, and the nearest vector of 8-bit blocks."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.kernels.blocks import read_blocks
from vecrecall.kernels.memory import address
from vecrecall.kernels.tiles import BLOCK
from vecrecall.threads import Workers
from vecrecall.vectors.kmeans import Blocks, Centroids

f32 = np.float32
STEPS = {4: f32(0.3352), 8: f32(0.0308)}  # Max (1960)
every_width = pytest.mark.parametrize("bits", STEPS)


def in_order(x: np.ndarray) -> np.ndarray:
    """Sums of rows in float32, one value after the other."""
    return np.add.accumulate(x.astype(f32), axis=1)[:, -1]


def slow_codes(z: np.ndarray, base: np.ndarray, rests: np.ndarray, bits: int) -> tuple[np.ndarray, ...]:
    """(codes, scales, addends, errors) of rows at their centroids."""
    top, r = f32(2**bits - 1), z - base
    energy = in_order(r * r)
    spread = np.sqrt(energy / f32(z.shape[1]))
    inverse = f32(1) / (STEPS[bits] * spread + f32(1e-30))
    codes = np.floor(np.clip(r * inverse[:, None] + top / 2, 0, top) + f32(0.5))
    values = codes - top / 2
    along, size, shift = in_order(values * r), in_order(values * values), in_order(values * base)
    scales = along / size
    addends = energy + rests + f32(2) * scales * shift
    return codes, scales, addends, np.maximum(energy - scales * along, 0)


def unpacked(blocks: Blocks) -> np.ndarray:
    """Codes by slot: (slots, width)."""
    lanes = blocks.codes.reshape(len(blocks.codes), -1, BLOCK, 4).transpose(0, 2, 1, 3)
    if blocks.bits == 4:
        lanes = np.stack([lanes & 15, lanes >> 4], axis=3)
    return lanes.reshape(-1, blocks.width)


def written(
    z: np.ndarray, lists: np.ndarray, centroids: np.ndarray, rests: np.ndarray, slots: np.ndarray, bits: int, *,
    products: bool = False, n_blocks: int = 4, workers: int = 1,
) -> tuple[Blocks, np.ndarray]:  # fmt: skip
    blocks = Blocks.empty(n_blocks, z.shape[1], bits)
    with Workers(workers) as several:
        return blocks, blocks.write(z, lists, centroids, rests, slots, several, products=products)


def drawn(n: int, width: int, n_lists: int = 5, seed: int = 0) -> tuple[np.ndarray, ...]:
    """(rows, lists, centroids, rests) of a few lists."""
    rng = np.random.default_rng(seed)
    centroids = rng.normal(size=(n_lists, width)).astype(f32)
    lists = rng.integers(0, n_lists, n).astype(np.int32)
    z = centroids[lists] + rng.normal(size=(n, width)).astype(f32) * f32(0.4)
    return z, lists, centroids, rng.random(n).astype(f32)


def read(blocks: Blocks, lists: np.ndarray, centroids: np.ndarray, slots: np.ndarray) -> np.ndarray:
    z = np.zeros((len(slots), blocks.width), f32)
    read_blocks(blocks.view(0), len(slots), address(lists), address(centroids), address(slots), address(z))
    return z


@every_width
@pytest.mark.parametrize("products", [False, True])
@pytest.mark.parametrize("width", [16, 80])
def test_codes_scales_addends_and_errors_are_numpys(width: int, products: bool, bits: int) -> None:
    z, lists, centroids, rests = drawn(90, width)
    slots = np.random.default_rng(1).permutation(4 * BLOCK)[:90].astype(np.int32)
    blocks, errors = written(z, lists, centroids, rests, slots, bits, products=products)
    codes, scales, addends, slow_errors = slow_codes(z, centroids[lists], rests, bits)
    np.testing.assert_array_equal(unpacked(blocks)[slots], codes)
    np.testing.assert_array_equal(blocks.scales.reshape(-1)[slots], scales)
    np.testing.assert_array_equal(blocks.addends.reshape(-1)[slots], 0 * addends if products else addends)
    np.testing.assert_array_equal(errors, slow_errors)
    free = np.setdiff1d(np.arange(4 * BLOCK), slots)
    assert np.isinf(blocks.addends.reshape(-1)[free]).all() and not unpacked(blocks)[free].any()


@every_width
def test_reading_gives_the_centroid_and_the_scaled_code(bits: int) -> None:
    z, lists, centroids, rests = drawn(90, 80)
    slots = np.arange(127, 37, -1).astype(np.int32)
    blocks, errors = written(z, lists, centroids, rests, slots, bits)
    codes, scales, _, _ = slow_codes(z, centroids[lists], rests, bits)
    back = read(blocks, lists, centroids, slots)
    np.testing.assert_array_equal(back, centroids[lists] + scales[:, None] * (codes - f32(2**bits - 1) / 2))
    lost = ((z.astype(np.float64) - back) ** 2).sum(1)
    np.testing.assert_allclose(errors, lost, rtol=0.02, atol=1e-6)


@every_width
def test_an_addend_completes_the_squared_distance(bits: int) -> None:
    """|q - x|**2 = |q - c|**2 + addend - 2 scale q code, for what the code stands for."""
    z, lists, centroids, rests = drawn(90, 80)
    slots = np.arange(90).astype(np.int32)
    blocks, errors = written(z, lists, centroids, rests, slots, bits)
    back, q = read(blocks, lists, centroids, slots).astype(np.float64), np.random.default_rng(2).normal(size=80)
    values = unpacked(blocks)[:90] - (2**bits - 1) / 2
    base = ((q - centroids[lists]) ** 2).sum(1)
    estimates = base + blocks.addends.reshape(-1)[:90] - 2 * blocks.scales.reshape(-1)[:90] * (values @ q)
    np.testing.assert_allclose(estimates, ((q - back) ** 2).sum(1) + errors + rests, rtol=1e-4)


@pytest.mark.parametrize(("bits", "least", "most"), [(4, 0.0112, 0.0116), (8, 0.00008, 0.00009)])  # 0.01137, 0.000084
def test_codes_of_normal_residuals_lose_what_theory_says(bits: int, least: float, most: float) -> None:
    """Of the variance 0.01154 with 16 uniform steps (Max 1960), of rows of every size."""
    rng = np.random.default_rng(0)
    z = (rng.normal(size=(2000, 256)) * 10.0 ** rng.uniform(-9, 9, (2000, 1))).astype(f32)
    none, slots = np.zeros(2000, np.int32), np.arange(2000).astype(np.int32)
    _, errors = written(z, none, np.zeros((1, 256), f32), none.view(f32), slots, bits, n_blocks=63)
    assert least < (errors / (z.astype(np.float64) ** 2).sum(1)).mean() < most


@every_width
def test_rows_at_their_centroid_and_constant_rows_come_back(bits: int) -> None:
    centroids = np.random.default_rng(0).normal(size=(2, 48)).astype(f32)
    z = np.concatenate([centroids, centroids + f32(3), centroids * 0])
    lists, rests = np.array([0, 1, 0, 1, 0, 1], np.int32), np.arange(6).astype(f32)
    slots = np.arange(6).astype(np.int32)
    blocks, errors = written(z, lists, centroids, rests, slots, bits)
    back = read(blocks, lists, centroids, slots)
    assert not blocks.scales.reshape(-1)[:2].any() and not errors[:2].any()
    np.testing.assert_array_equal(blocks.addends.reshape(-1)[:2], rests[:2])
    np.testing.assert_array_equal(back[:2], centroids)
    np.testing.assert_allclose(back[2:4], z[2:4], rtol=1e-5, atol=1e-5)
    assert np.abs(back[4:]).max() < {4: 0.2, 8: 0.02}[bits]  # 0.18, 0.016


@every_width
def test_huge_and_tiny_rows_are_coded_as_well_as_others(bits: int) -> None:
    sizes = np.array([1e-42, 1e-30, 1e-18, 1e-9, 1, 1e9, 1e17], f32)
    z = np.random.default_rng(0).normal(size=(1, 32)).astype(f32) * sizes[:, None]
    none, slots, origin = np.zeros(7, np.int32), np.arange(7).astype(np.int32), np.zeros((1, 32), f32)
    blocks, errors = written(z, none, origin, none.view(f32), slots, bits)
    assert np.isfinite(blocks.scales[0, :7]).all() and np.isfinite(blocks.addends[0, :7]).all()
    assert np.isfinite(errors).all() and (errors >= 0).all()
    off = np.abs(read(blocks, none, origin, slots) - z).max(1) / np.abs(z).max(1)
    assert off[2:].max() < {4: 0.1, 8: 0.006}[bits]  # 0.091, 0.0052


@every_width
def test_blocks_do_not_depend_on_threads(bits: int) -> None:
    z, lists, centroids, rests = drawn(9000, 16)
    slots = np.random.default_rng(1).permutation(9000).astype(np.int32)
    one, two = (written(z, lists, centroids, rests, slots, bits, n_blocks=282, workers=n) for n in (1, 2))
    assert one[0].codes.tobytes() == two[0].codes.tobytes() and one[1].tobytes() == two[1].tobytes()
    assert one[0].scales.tobytes() == two[0].scales.tobytes()


def squares(z: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Squared distances in float64, slowly."""
    return ((z[:, None].astype(np.float64) - centroids) ** 2).sum(2)


@pytest.mark.parametrize("k", [1, 2, 31, 32, 33, 100])
def test_the_nearest_centroid_is_named_with_its_distance(k: int) -> None:
    rng = np.random.default_rng(k)
    values, z = rng.normal(size=(k, 64)).astype(f32), rng.normal(size=(403, 64)).astype(f32) * 2
    centroids = Centroids(values)
    places, found = centroids.nearest(z, Workers(1))
    exact = squares(z, values)
    assert places.min() >= 0 and places.max() < k
    assert (places == exact.argmin(1)).mean() > 0.97  # 0.985 at the least
    chosen = exact[np.arange(403), places]
    np.testing.assert_allclose(chosen, exact.min(1), rtol=0.005)  # where another is named, it is as near
    np.testing.assert_allclose(found, chosen, rtol=0.01)
    for n in (1, 8, 11):  # a row's place does not depend on those it is asked with
        again = centroids.nearest(z[400 - n : 400], Workers(1))
        np.testing.assert_array_equal(again, (places[400 - n : 400], found[400 - n : 400]))


def test_a_centroid_is_nearest_to_itself() -> None:
    values = np.random.default_rng(0).normal(size=(300, 96)).astype(f32)
    places, found = Centroids(values).nearest(values, Workers(1))
    np.testing.assert_array_equal(places, np.arange(300))
    assert (found >= 0).all() and found.max() < 0.006 * (values**2).sum(1).mean()  # 0.0036


def test_equal_centroids_are_named_by_the_first_of_them() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=(20, 32)).astype(f32), 4, axis=0)
    places, _ = Centroids(values).nearest(values, Workers(1))
    np.testing.assert_array_equal(places, np.arange(80) // 4 * 4)
