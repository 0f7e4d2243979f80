"""The same input gives the same bytes, whatever the threads, and across save and load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vecrecall.hits import Hits
from vecrecall.ivf.index import IVF
from vecrecall.loading import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2400, 24)).astype(np.float32)
X[50:60] = X[:10]
Q = RNG.normal(size=(150, 24)).astype(np.float32)
KINDS = [
    {"metric": "l2", "storage": "sq4"},
    {"metric": "cosine", "storage": "sq8"},
    {"metric": "ip", "storage": "sq4"},
    {"metric": "l2", "storage": "sq4", "keep": None},
    {"metric": "ip", "storage": "sq8", "keep": None},
]
named = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
Digest = Callable[[IVF], dict[str, str]]


def in_parts(cuts: list[int], threads: int, **kind: object) -> IVF:
    """Built on the rows before the first cut, then one add a cut."""
    index = IVF.build(X[: cuts[0]], n_lists=20, threads=threads, **kind)
    for lo, hi in zip(cuts, cuts[1:]):
        index.add(X[lo:hi], threads=threads)
    return index


def same(a: Hits, b: Hits) -> bool:
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in ("ids", "distances", "evals"))


@named
def test_builds_and_adds_give_the_same_file_twice_and_for_any_threads(kind: dict, tmp_path: Path) -> None:
    cuts = [1100, 1101, 1700, 2400]
    files = []
    for threads in (1, 1, 2):
        in_parts(cuts, threads, **kind).save(tmp_path / "i.vr")
        files.append((tmp_path / "i.vr").read_bytes())
    assert files[0] == files[1] == files[2]


def test_threads_share_large_builds_and_splits_without_a_trace(digest: Digest) -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(6000, 16)).astype(np.float32)
    more = rows[7] + 0.1 * rng.normal(size=(2600, 16))
    digests = []
    for threads in (1, 2, 3):
        index = IVF.build(rows, threads=threads)
        before = index.n_lists
        index.add(more, threads=threads)
        assert index.n_lists > before
        digests.append(digest(index))
    assert digests[0] == digests[1] == digests[2]


@named
def test_adding_after_save_and_load_is_adding(kind: dict, digest: Digest, tmp_path: Path) -> None:
    straight = in_parts([1200, 2000, 2400], 2, **kind)
    in_parts([1200, 2000], 2, **kind).save(tmp_path / "i.vr")
    for mmap in (True, False):
        loaded = load(tmp_path / "i.vr", mmap=mmap, verify=True)
        loaded.add(X[2000:])
        loaded.check()
        assert digest(loaded) == digest(straight)
        assert same(loaded.search(Q), straight.search(Q))


@named
def test_answers_do_not_depend_on_mapping_threads_or_history(kind: dict, tmp_path: Path) -> None:
    index = in_parts([2000, 2400], 2, **kind)
    index.save(tmp_path / "i.vr")
    expected = index.search(Q, k=5, threads=1)
    mapped, read = load(tmp_path / "i.vr", verify=True), load(tmp_path / "i.vr", mmap=False)
    for one in (index, mapped, read):
        for threads in (1, 2, None):
            assert same(one.search(Q, k=5, threads=threads), expected)
    index.search(Q, k=200, nprobe=20, rerank=500)  # leaves larger scratch behind
    assert same(index.search(Q, k=5), expected)


def test_the_seed_decides_axes_lists_and_codes_and_survives_a_file(digest: Digest, tmp_path: Path) -> None:
    zero, one = (IVF.build(X[:2000], n_lists=20, seed=seed) for seed in (0, 1))
    for section in ("codec_rotation", "centroids", "codes", "row_of"):
        assert digest(zero)[section] != digest(one)[section]
    one.save(tmp_path / "i.vr")
    loaded = load(tmp_path / "i.vr")
    for index in (loaded, one):
        index.add(X[2000:])
        index.add(X[:2100])  # until all is made anew
    assert loaded._settings == one._settings and loaded._settings.seed == 1 and digest(loaded) == digest(one)


def test_indexes_of_few_rows_grow_as_if_built_at_once(digest: Digest) -> None:
    at_once, grown = IVF.build(X[:1024]), IVF.build(X[:7])
    grown.add(X[7:1000])
    grown.add(X[1000:1024])
    assert digest(grown) == digest(at_once)
