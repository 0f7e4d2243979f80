"""Adding, deleting and compacting: answers of any history, ids, and calls that fail and leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from vecrecall.loading import load
from vecrecall.sparse.index import SparseIndex

Rows = Callable[..., sp.csr_array]
Check = Callable[..., None]
Digest = Callable[[SparseIndex], dict[str, str]]
Undamaged = Callable[[SparseIndex], None]
LAYOUTS = ("impact", "blocked")
laid_out = pytest.mark.parametrize("layout", LAYOUTS)
kept = pytest.mark.parametrize("keep", ["f24", "f32"])


@pytest.fixture(scope="module")
def D(rows: Rows) -> sp.csr_array:
    return rows(900, 60, 6)


@pytest.fixture(scope="module")
def Q(rows: Rows) -> sp.csr_array:
    return rows(20, 60, 5, seed=1)


@laid_out
@kept
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("columns", [60, 2**31])
def test_many_adds_answer_as_one_build(
    columns: int, signed: bool, keep: str, layout: str, rows: Rows, same: Callable
) -> None:
    D, Q = rows(900, columns, 6, signed=signed), rows(20, columns, 5, signed=True, seed=1)
    whole, grown = SparseIndex.build(D, keep=keep, layout=layout), SparseIndex.build(D[:0], keep=keep, layout=layout)
    sizes = [0, 1, 2, 3, 50, 50, 51, 400, 401, 600, 899, 900]
    for lo, hi in zip(sizes, sizes[1:]):
        grown.add(D[lo:hi])
        grown.check()
        assert len(grown) == hi
        segments = [segment.n for segment in grown._content.segments]
        assert all(2 * b < a for a, b in zip(segments, segments[1:]))
    for k in (1, 10, 900):
        hits, expected = grown.search(Q, k=k, exact=True), whole.search(Q, k=k, exact=True)
        assert hits.ids.tolist() == expected.ids.tolist()
        assert hits.distances.tobytes() == expected.distances.tobytes()
    grown.compact()
    assert same(grown.search(Q), whole.search(Q))


def test_documents_added_one_by_one_cost_few_segments_and_are_found(D: sp.csr_array, Q: sp.csr_array) -> None:
    index = SparseIndex.build(D[:500])
    for i in range(500, 700):
        index.add(D[[i]])
        assert index.n_segments <= 10
    index.check()
    whole = SparseIndex.build(D[:700])
    assert index.search(Q, exact=True).ids.tolist() == whole.search(Q, exact=True).ids.tolist()


@laid_out
@kept
@pytest.mark.parametrize("columns", [60, 2**31])
@pytest.mark.parametrize("kind", [{}, {"signed": True}, {"equal": 2.5}], ids=str)
def test_compact_leaves_the_file_of_a_fresh_build(
    kind: dict, columns: int, keep: str, layout: str, rows: Rows, tmp_path: Path, same: Callable
) -> None:
    D, Q = rows(500, columns, 6, **kind), rows(20, columns, 5, signed=True, seed=1)
    ids = np.random.default_rng(0).permutation(5000)[:500]
    index = SparseIndex.build(D[:300], ids=ids[:300], keep=keep, layout=layout)
    index.add(D[300:380], ids=ids[300:380])
    index.delete(ids[:60:2])
    index.add(D[380:], ids=ids[380:])
    index.delete(ids[350:450:3])
    gone = np.concatenate([np.arange(0, 60, 2), np.arange(350, 450, 3)])
    kept = np.setdiff1d(np.arange(500), gone)
    fresh = SparseIndex.build(D[kept], ids=ids[kept], keep=keep, layout=layout)
    before = index.search(Q, k=500, exact=True)
    for step in range(2):
        index.compact(threads=1 + step)
        index.check()
        index.save(tmp_path / "a")
        fresh.save(tmp_path / "b")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (index.n_segments, len(index), index.nnz) == (1, len(kept), D[kept].nnz)
    assert same(index.search(Q), fresh.search(Q)) and same(index.search(Q, exact=True), fresh.search(Q, exact=True))
    after = index.search(Q, k=500, exact=True)
    assert after.ids.tolist() == before.ids.tolist() and after.distances.tobytes() == before.distances.tobytes()


def test_compact_gives_memory_back_and_does_nothing_where_nothing_is_to_do(
    D: sp.csr_array, digest: Digest
) -> None:
    index = SparseIndex.build(D)
    content, before = index._content, digest(index)
    index.compact()
    assert index._content is content and digest(index) == before
    held = sum(index.memory().values())
    index.delete(range(600))
    assert index.nnz == D.nnz and index.memory()["rows"] > 0.9 * held * 0.5
    index.compact()
    assert index.nnz == D[600:].nnz and index.memory()["rows"] + index.memory()["postings"] < 0.45 * held


@laid_out
def test_deleted_documents_are_never_found(layout: str, D: sp.csr_array, Q: sp.csr_array, exactly: Check) -> None:
    index = SparseIndex.build(D[:700], layout=layout)
    index.add(D[700:])
    rng = np.random.default_rng(0)
    left, dead = np.arange(900), np.empty(0, int)
    for share in (0.02, 0.3, 0.5, 0.9):
        now = rng.permutation(left)[: int(share * len(left))]
        now = np.union1d(now, np.intersect1d(index.search(Q, k=1).ids[:, 0], left))  # what was best, above all
        index.delete(now)
        dead, left = np.union1d(dead, now), np.setdiff1d(left, now)
        index.check()
        assert len(index) == len(left)
        for k in (1, 10, 900):
            found = index.search(Q, k=k).ids
            assert not np.isin(found, dead).any()
        exactly(index, D, Q, (1, 10, 900), dead)
    index.delete(left)
    index.check()
    for exact in (False, True):
        hits = index.search(Q, k=3, exact=exact)
        assert len(index) == 0 and (hits.counts == 0).all() and (hits.ids == -1).all()
    index.compact()
    index.check()
    assert index.n_segments == 0 and index.nnz == 0
    index.add(D[:10])
    assert index.search(Q, k=10, exact=True).ids.max() == 909


def test_numbering_goes_on_after_deletes_and_compact(D: sp.csr_array, tmp_path: Path) -> None:
    index = SparseIndex.build(D[:100])
    index.delete([98, 99, 5])
    index.add(D[100:101])
    assert index.search(D[[100]], k=102, exact=True).ids.max() == 100
    index.compact()
    index.add(D[101:103])
    index.check()
    everything = np.ones(60, np.float32)
    sharing = np.flatnonzero(np.diff(D[:103].indptr))
    expected = np.setdiff1d(sharing, [5, 98, 99])
    index.save(tmp_path / "i.vr")
    for one in (index, load(tmp_path / "i.vr", verify=True)):
        hits = one.search((np.arange(60), everything), k=103, exact=True)
        assert np.sort(hits.ids[: hits.counts]).tolist() == expected.tolist()
        one.add(D[103:104])
        assert len(one) == 101
        one.delete([103])
        with pytest.raises(KeyError, match="id 104 is not in the index"):
            one.delete([104])
        with pytest.raises(KeyError, match="id 5 is not in the index"):
            one.delete([5])


@laid_out
@pytest.mark.parametrize("kind", ["int64", "str"])
def test_ids_of_any_kind_come_back_and_may_be_given_again(
    kind: str, layout: str, D: sp.csr_array, Q: sp.csr_array, tmp_path: Path
) -> None:
    numbers = np.random.default_rng(0).permutation(300) * 10**12 - 5 * 10**12
    ids = [f"w{i}" for i in range(300)] if kind == "str" else numbers.tolist()
    new, missing = ("neu", None) if kind == "str" else (17, -1)
    index, plain = SparseIndex.build(D[:300], ids=ids, layout=layout), SparseIndex.build(D[:300], layout=layout)
    hits, expected = index.search(Q, k=400), plain.search(Q, k=400)
    assert hits.ids.dtype == (object if kind == "str" else np.int64)
    assert hits.ids.tolist() == [[ids[slot] if slot >= 0 else missing for slot in row] for row in expected.ids.tolist()]
    assert index.search({0: 1.0}, k=400).ids[-1] == missing
    index.delete([ids[7], ids[3], ids[7]])  # named twice is deleted once
    assert len(index) == 298
    with pytest.raises(KeyError, match=f"id {ids[3]!r} is not in the index"):
        index.delete([ids[3]])
    rows = 300 + np.flatnonzero(np.diff(D[300:320].indptr) > 2)[:2]
    index.add(D[rows], ids=[ids[3], new])  # a deleted id may be given again
    index.check()
    index.save(tmp_path / "i.vr")
    for one in (index, load(tmp_path / "i.vr", verify=True)):
        for row, name in zip(rows.tolist(), (ids[3], new)):
            found = one.search(D[[row]], k=300, exact=True)
            assert found.ids[0].tolist().count(name) == 1
            at = found.ids[0].tolist().index(name)
            assert found.scores[0, at] == pytest.approx(float((D[[row]] @ D[[row]].T).sum()), rel=1e-5)
        assert ids[7] not in one.search(D[[7]], k=300, exact=True).ids[0].tolist()
        one.delete([ids[3]])
        assert ids[3] not in one.search(D[rows[:1]], k=300, exact=True).ids[0].tolist()
        one.compact()
        one.check()
        assert len(one) == 299


def test_an_unknown_id_is_named_and_nothing_is_deleted(D: sp.csr_array, undamaged: Undamaged) -> None:
    index = SparseIndex.build(D[:50])
    named = SparseIndex.build(D[:3], ids=["a", "b", "c"])
    index.delete([4])
    for one in (index, named):
        undamaged(one)
    for given, words in (
        ([3, 50, 51], "id 50 "), ([3, 4], "id 4 "), ([-1], "id -1 "), ([2**62], "id 4611686018427387904 "),
        (["3"], "id '3' "),
    ):  # fmt: skip
        with pytest.raises((KeyError, ValueError), match=f"{words}is not in the index|ids holds -1"):
            index.delete(given)
    with pytest.raises(KeyError, match="id 'd' is not in the index"):
        named.delete(["a", "d", "e"])
    for given, error in ((3, TypeError), ("a", TypeError), ([1.5], TypeError), ([[1, 2]], (TypeError, ValueError))):
        with pytest.raises(error, match="ids "):
            index.delete(given)
    index.delete([])


def test_adding_nothing_changes_nothing(D: sp.csr_array, undamaged: Undamaged) -> None:
    for n in (0, 50, 900):
        index = SparseIndex.build(D[:n])
        undamaged(index)
        index.add(D[:0])


def test_a_segment_that_a_change_does_not_touch_is_shared(D: sp.csr_array) -> None:
    index = SparseIndex.build(D)
    (before,) = index._content.segments
    index.add(D[:40])
    assert index._content.segments[0] is before
    index.delete([905])
    assert index._content.segments[0] is before
    index.delete([7])
    after = index._content.segments[0]
    assert after is not before and after.rows is before.rows and after.postings is before.postings
    assert before.dead is None


STEPS = [
    "vecrecall.sparse.content.parted",
    "vecrecall.sparse.content.arranged",
    "vecrecall.sparse.content.one_segment",
    "vecrecall.sparse.segment.inverted",
    "vecrecall.sparse.segment.build_postings",
    "vecrecall.ids.Ids.extended",
    "vecrecall.sparse.index.Searcher",
]
COMPACTING = [
    "vecrecall.sparse.content.joined",
    "vecrecall.sparse.content.arranged",
    "vecrecall.sparse.segment.build_postings",
    "vecrecall.ids.Ids.living",
]


@contextmanager
def interrupted(step: str, *, late: bool = True) -> Iterator[None]:
    """Ctrl-C right behind (or before) a step."""
    owner, _, name = step.rpartition(".")
    try:
        real = getattr(import_module(owner), name)
    except ModuleNotFoundError:
        module, _, cls = owner.rpartition(".")
        real = getattr(getattr(import_module(module), cls), name)

    def stop(*args: Any, **keywords: Any) -> None:
        if late:
            real(*args, **keywords)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, stop)
        with pytest.raises(KeyboardInterrupt):
            yield


@laid_out
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.rpartition(".")[2])
def test_an_interrupted_add_leaves_bytes_and_answers_as_they_were(
    step: str, named: bool, layout: str, D: sp.csr_array, Q: sp.csr_array, digest: Digest, same: Callable
) -> None:
    names = [f"d{i}" for i in range(900)]

    def build() -> SparseIndex:
        index = SparseIndex.build(D[:300], ids=names[:300] if named else None, layout=layout)
        index.delete(names[5:9] if named else range(5, 9))
        return index

    index, untouched = build(), build()
    before = index.search(Q)
    for late in (False, True):
        with interrupted(step, late=late):
            index.add(D[300:600], ids=names[300:600] if named else None)
        assert index.n_segments == 1 and len(index) == 296
        assert same(index.search(Q), before)
        index.check()
        assert digest(index) == digest(untouched)
    for one in (index, untouched):
        one.add(D[400:700], ids=names[400:700] if named else None)
        one.check()
    assert digest(index) == digest(untouched) and same(index.search(Q), untouched.search(Q))


@pytest.mark.parametrize("step", COMPACTING, ids=lambda step: step.rpartition(".")[2])
def test_an_interrupted_compact_leaves_the_index_as_it_was(
    step: str, D: sp.csr_array, Q: sp.csr_array, undamaged: Undamaged, same: Callable
) -> None:
    index = SparseIndex.build(D[:600])
    index.add(D[600:700])
    index.delete(range(30))
    undamaged(index)
    before = index.search(Q)
    for late in (False, True):
        with interrupted(step, late=late):
            index.compact()
    assert same(index.search(Q), before) and index.n_segments == 2


def test_an_interrupted_delete_deletes_nothing(D: sp.csr_array, undamaged: Undamaged) -> None:
    index = SparseIndex.build(D)
    undamaged(index)
    for step in ("ids.Ids.without", "sparse.content.Content.without", "sparse.index.Searcher"):
        with interrupted(f"vecrecall.{step}"):
            index.delete([3, 4])


def test_an_interrupted_build_leaves_nothing_and_the_next_one_works(D: sp.csr_array) -> None:
    for step in STEPS[:2] + STEPS[3:5]:
        with interrupted(step):
            SparseIndex.build(D)
    SparseIndex.build(D).check()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_random_walk_of_changes_keeps_every_answer_exact(
    seed: int, signed: bool, layout: str, rows: Rows, exactly: Check, as_exact: Check, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    keep = ("f32", "f24")[seed % 2]
    stock = rows(1500, 40, 5, signed=signed, seed=seed)
    Q = rows(6, 40, 4, signed=True, seed=100)
    index = SparseIndex.build(stock[:0], layout=layout, keep=keep)
    held: list[int] = []  # row of the stock in each slot ever given
    dead: set[int] = set()
    for _ in range(25):
        action = rng.choice(["add", "add", "delete", "compact", "reload"])
        if action == "add":
            taken = rng.integers(0, 1500, rng.choice([1, 3, 40, 150])).tolist()
            index.add(stock[taken], threads=int(rng.integers(1, 4)))
            held += taken
        elif action == "delete" and len(held) > len(dead):
            living = np.setdiff1d(np.arange(len(held)), list(dead))
            gone = rng.permutation(living)[: rng.choice([1, 5, len(living) // 2 + 1])].tolist()
            index.delete(gone)
            dead |= set(gone)
        elif action == "compact":
            index.compact()
        elif action == "reload":
            index.save(tmp_path / "i.vr")
            index = load(tmp_path / "i.vr", mmap=bool(rng.integers(2)), verify=True)
        index.check()
        assert len(index) == len(held) - len(dead)
        exactly(index, stock[held], Q, (3, 50), sorted(dead))
        if keep == "f32":
            as_exact(index, stock[held], Q, (3, 50), sorted(dead))
