"""The same input gives the same bytes, whatever the threads, and answers depend on nothing but index and query."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from vecrecall.loading import load
from vecrecall.sparse.index import SparseIndex

Rows = Callable[..., sp.csr_array]
Digest = Callable[[SparseIndex], dict[str, str]]
BUILDS = [
    {}, {"keep": "f32"}, {"layout": "blocked"}, {"n_postings": 40, "alpha": 0.8},
    {"layout": "blocked", "summary_energy": 0.7, "n_postings": 60},
]  # fmt: skip
KINDS = {"positive": {}, "signed": {"signed": True}, "equal": {"equal": 3.0}}
built = pytest.mark.parametrize("build", BUILDS, ids=str)
of_kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def Q(rows: Rows) -> sp.csr_array:
    return rows(150, 60, 5, signed=True, seed=1)


@pytest.fixture(scope="module")
def many() -> sp.csr_array:
    """So many documents that there are three ranges and several tiles."""
    rng = np.random.default_rng(0)
    n = 140_000
    weights = np.round(rng.gamma(2, 1, n), 1).astype(np.float32) + np.float32(0.1)
    return sp.csr_array((weights, rng.integers(0, 60, n).astype(np.int32), np.arange(n + 1)), shape=(n, 60))


def in_parts(D: sp.csr_array, cuts: list[int], threads: int, **build: object) -> SparseIndex:
    index = SparseIndex.build(D[: cuts[0]], threads=threads, **build)
    for lo, hi in zip(cuts, cuts[1:]):
        index.add(D[lo:hi], threads=threads)
    return index


@built
@of_kinds
def test_builds_adds_and_compacts_give_the_same_file_twice_and_for_any_threads(
    kind: str, build: dict, rows: Rows, tmp_path: Path
) -> None:
    D = rows(1500, 60, 6, **KINDS[kind])
    files = []
    for threads in (1, 1, 2, 3):
        index = in_parts(D, [1000, 1001, 1300, 1500], threads, **build)
        index.delete(range(0, 1500, 7))
        index.save(tmp_path / "a")
        index.compact(threads=threads)
        index.save(tmp_path / "b")
        files.append((tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes())
    assert files[0] == files[1] == files[2] == files[3]


@pytest.mark.parametrize("layout", ["impact", "blocked"])
def test_threads_share_large_builds_without_a_trace(
    layout: str, many: sp.csr_array, Q: sp.csr_array, same: Callable
) -> None:
    one, three = (SparseIndex.build(many, layout=layout, threads=threads) for threads in (1, 3))
    (a,), (b,) = one._content.segments, three._content.segments
    for name in ("starts", "units", "impacts", "greatest", "left"):
        assert getattr(a.postings, name).tobytes() == getattr(b.postings, name).tobytes()
    for name in ("heads", "entries", "residuals"):
        assert getattr(a.rows, name).tobytes() == getattr(b.rows, name).tobytes()
    assert same(one.search(Q, threads=1), three.search(Q, threads=3))


@built
def test_answers_do_not_depend_on_threads_batches_mapping_or_history(
    build: dict, rows: Rows, Q: sp.csr_array, tmp_path: Path, same: Callable
) -> None:
    index = in_parts(rows(1500, 60, 6, signed=True), [1200, 1500], 2, **build)
    index.save(tmp_path / "i.vr")
    for settings in ({}, {"exact": True}, {"k": 200, "heap_factor": 0.5}, {"query_cut": 2}):
        expected = index.search(Q, threads=1, **settings)
        for one in (index, load(tmp_path / "i.vr"), load(tmp_path / "i.vr", mmap=False)):
            for threads in (1, 2, 3, None):
                assert same(one.search(Q, threads=threads, **settings), expected)
        for lo in range(0, 150, 7):
            part = index.search(Q[lo : lo + 7], **settings)
            assert part.ids.tolist() == expected.ids[lo : lo + 7].tolist()
            assert part.distances.tobytes() == expected.distances[lo : lo + 7].tobytes()
            assert part.evals.tolist() == expected.evals[lo : lo + 7].tolist()
        for i in range(0, 150, 11):
            alone = index.search(Q[[i]], **settings)
            assert alone.ids.tolist() == [expected.ids[i].tolist()] and alone.evals.tolist() == [expected.evals[i]]
            assert alone.distances.tobytes() == expected.distances[i].tobytes()
        index.search(Q[:3], k=1400, exact=True)  # leaves larger scratch behind
        assert same(index.search(Q, **settings), expected)


@built
def test_changing_after_save_and_load_is_changing(build: dict, rows: Rows, digest: Digest, tmp_path: Path) -> None:
    D = rows(1500, 60, 6)
    straight = in_parts(D, [1200, 1400], 2, **build)
    straight.save(tmp_path / "i.vr")
    loaded = load(tmp_path / "i.vr")
    for one in (straight, loaded):
        one.delete(range(0, 1300, 9))
        one.add(D[1400:])
        one.check()
    assert digest(loaded) == digest(straight)
    for one in (straight, loaded):
        one.compact()
    assert digest(loaded) == digest(straight)


def test_two_indexes_of_one_matrix_know_nothing_of_each_other(rows: Rows, Q: sp.csr_array, same: Callable) -> None:
    D = rows(800, 60, 6)
    a, b = SparseIndex.build(D), SparseIndex.build(D)
    expected = b.search(Q)
    a.delete(range(700))
    a.add(D[:50])
    assert same(b.search(Q), expected)
    b.check()
