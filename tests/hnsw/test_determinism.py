"""The same input gives the same bytes, whatever the threads, and across save and load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vecrecall.hits import Hits
from vecrecall.hnsw.index import HNSW
from vecrecall.loading import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3200, 40)).astype(np.float32)
X[50:60] = X[:10]
Q = RNG.normal(size=(30, 40)).astype(np.float32)
KINDS = [
    {"metric": "l2", "storage": "sq4"},
    {"metric": "cosine", "storage": "sq8"},
    {"metric": "ip", "storage": "sq4"},
    {"metric": "ip", "storage": "f16"},
    {"metric": "l2", "storage": "sq4", "keep": None},
    {"metric": "l2", "storage": "f32", "keep": None},
    {"metric": "cosine", "storage": "f32", "schedule": "sequential"},
]
named = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
Digest = Callable[[HNSW], dict[str, str]]


def in_parts(cuts: list[int], threads: int, **kind: object) -> HNSW:
    """Built on the rows before the first cut, then one add a cut."""
    index = HNSW.build(X[: cuts[0]], M=8, threads=threads, **kind)
    for lo, hi in zip(cuts, cuts[1:]):
        index.add(X[lo:hi], threads=threads)
    return index


def same(a: Hits, b: Hits) -> bool:
    return a.ids.tobytes() == b.ids.tobytes() and a.distances.tobytes() == b.distances.tobytes()


@named
def test_builds_and_adds_give_the_same_bytes_twice_and_for_any_threads(kind: dict, digest: Digest) -> None:
    cuts = [1100, 1101, 1700, 3200]
    first = digest(in_parts(cuts, 1, **kind))
    assert digest(in_parts(cuts, 1, **kind)) == first
    assert digest(in_parts(cuts, 2, **kind)) == first


@named
def test_adding_after_save_and_load_is_adding(kind: dict, digest: Digest, tmp_path: Path) -> None:
    straight = in_parts([1200, 2000, 3200], 2, **kind)
    in_parts([1200, 2000], 2, **kind).save(tmp_path / "i.vr")
    for mmap in (True, False):
        loaded = load(tmp_path / "i.vr", mmap=mmap)
        loaded.add(X[2000:])
        loaded.check()
        assert digest(loaded) == digest(straight)
        assert same(loaded.search(Q), straight.search(Q))


@named
def test_answers_do_not_depend_on_mapping_threads_batch_or_history(kind: dict, tmp_path: Path) -> None:
    index = in_parts([3200], 2, **kind)
    index.save(tmp_path / "i.vr")
    expected = index.search(Q, k=5, ef=30, threads=1)
    mapped, read = load(tmp_path / "i.vr", verify=True), load(tmp_path / "i.vr", mmap=False)
    for one in (index, mapped, read):
        for threads in (1, 2, None):
            assert same(one.search(Q, k=5, ef=30, threads=threads), expected)
        for q, ids, distances, evals in zip(Q, expected.ids, expected.distances, expected.evals):
            single = one.search(q, k=5, ef=30)
            assert single.ids.tolist() == ids.tolist() and single.distances.tobytes() == distances.tobytes()
            assert single.evals == evals
    index.search(Q, k=200, ef=500)  # leaves larger scratch behind
    assert same(index.search(Q, k=5, ef=30), expected)


def test_the_seed_decides_levels_order_and_codes_and_survives_a_file(digest: Digest, tmp_path: Path) -> None:
    zero, one = (HNSW.build(X[:2000], M=8, seed=seed) for seed in (0, 1))
    for section in ("levels", "links", "codes", "codec_rotation"):
        assert digest(zero)[section] != digest(one)[section]
    one.save(tmp_path / "i.vr")
    loaded = load(tmp_path / "i.vr")
    assert loaded._settings == one._settings and loaded._settings.seed == 1


def test_small_codes_indexes_grow_as_if_built_at_once(digest: Digest) -> None:
    at_once, grown = HNSW.build(X[:1024], M=8), HNSW.build(X[:7], M=8)
    grown.add(X[7:1000])
    grown.add(X[1000:1024])
    assert digest(grown) == digest(at_once)
