"""No argument is ever ignored, and what cannot be meant is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from vecrecall.loading import load
from vecrecall.sparse import index as index_module
from vecrecall.sparse import searcher as searcher_module
from vecrecall.sparse.index import SparseIndex

Digest = Callable[[SparseIndex], dict[str, str]]
Undamaged = Callable[[SparseIndex], None]
Rows = Callable[..., sp.csr_array]


@pytest.fixture(scope="module")
def D(rows: Rows) -> sp.csr_array:
    return rows(1200, 80, 10)


@pytest.fixture(scope="module")
def Q(rows: Rows) -> sp.csr_array:
    return rows(80, 80, 8, seed=1)


@pytest.fixture(scope="module")
def index(D: sp.csr_array) -> SparseIndex:
    return SparseIndex.build(D)


def n_postings(index: SparseIndex) -> int:
    return sum(segment.postings.n for segment in index._content.segments)


def test_ids_of_a_build_are_those_of_answers(D: sp.csr_array) -> None:
    index, plain = SparseIndex.build(D, ids=range(10, 1210)), SparseIndex.build(D)
    hits, expected = index.search(D[:30], k=3), plain.search(D[:30], k=3)
    assert hits.ids.tolist() == np.where(expected.ids >= 0, expected.ids + 10, -1).tolist()


def test_layout_puts_documents_that_share_terms_beside_each_other(D: sp.csr_array, index: SparseIndex) -> None:
    blocked = SparseIndex.build(D, layout="blocked")
    assert index.layout == SparseIndex.build(D, layout="impact").layout == "impact" and blocked.layout == "blocked"
    assert "0_slots" in blocked._sections() and "0_slots" not in index._sections()
    assert n_postings(blocked) < n_postings(index) == D.nnz
    assert "layout blocked" in repr(blocked) and "layout impact" in repr(index)


def test_n_postings_bounds_every_list_and_keeps_the_heaviest(D: sp.csr_array) -> None:
    for layout in ("impact", "blocked"):
        (segment,) = SparseIndex.build(D, n_postings=7, layout=layout)._content.segments
        starts = segment.postings.starts
        assert np.diff(starts[:, [0, -1]]).max() == 7
        assert (segment.postings.left <= segment.postings.greatest).all() and segment.postings.left.any()


def test_alpha_and_summary_energy_shorten_lists(D: sp.csr_array, index: SparseIndex) -> None:
    lengths = [n_postings(SparseIndex.build(D, alpha=alpha)) for alpha in (1.0, 0.8, 0.4)]
    assert D.nnz == lengths[0] > lengths[1] > lengths[2] >= 1
    lengths = [n_postings(SparseIndex.build(D, layout="blocked", summary_energy=e)) for e in (1.0, 0.8, 0.4)]
    assert lengths[0] > lengths[1] > lengths[2]


def test_block_size_is_that_of_the_units(D: sp.csr_array) -> None:
    lengths = []
    for block_size in (None, 2, 4, 64, 256):
        (segment,) = SparseIndex.build(D, layout="blocked", block_size=block_size)._content.segments
        assert segment.block == (block_size or 4)
        assert segment.postings.units.max() == -(-1200 // segment.block) - 1
        lengths.append(segment.postings.n)
    assert lengths[1] > lengths[0] == lengths[2] > lengths[3] > lengths[4]


def test_large_segments_have_blocks_where_the_layout_is_left_open(
    D: sp.csr_array, Q: sp.csr_array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecrecall.sparse.parameters.MANY", 1000 / 10**0.5)
    small, large = SparseIndex.build(D[:999]), SparseIndex.build(D)
    assert (small.layout, large.layout) == ("impact", "blocked")
    assert SparseIndex.build(D, k=15).layout == "impact"  # many answers are found sooner without
    assert SparseIndex.build(D[:999], k=9).layout == "blocked"
    assert SparseIndex.build(D, layout="impact").layout == "impact"
    small.add(D[999:])
    small.compact()
    assert small.layout == "blocked"
    small.check()
    indexes = small, large, SparseIndex.build(D, layout="impact")
    answers = [index.search(Q, exact=True).ids.tolist() for index in indexes]
    assert answers[0] == answers[1] == answers[2]


def test_keep_decides_how_weights_are_held(D: sp.csr_array, index: SparseIndex, tmp_path) -> None:
    whole = SparseIndex.build(D, keep="f32")
    assert whole.memory()["rows"] - index.memory()["rows"] == 2 * D.nnz
    assert whole._sections()["0_residuals"].dtype == np.uint32
    assert index._sections()["0_residuals"].dtype == np.uint16
    assert "weights kept as f32" in repr(whole) and "weights kept as f24" in repr(index)
    truth = (D @ D[[0]].T).toarray()[:, 0].max()
    assert truth > 0 and whole.search(D[[0]], k=1).scores[0, 0] == pytest.approx(truth, rel=2e-7)


def test_the_seed_is_kept_with_the_index(D: sp.csr_array, tmp_path) -> None:
    index = SparseIndex.build(D, seed=5)
    index.save(tmp_path / "i.vr")
    assert index._parameters()["sparse"]["seed"] == load(tmp_path / "i.vr")._parameters()["sparse"]["seed"] == 5


def test_k_query_cut_heap_factor_and_impact_cut_are_obeyed(index: SparseIndex, Q: sp.csr_array, same: Callable) -> None:
    assert index.search(Q, k=3).ids.shape == (80, 3) and index.search(Q).ids.shape == (80, 10)
    for name, values in (("query_cut", (1, 3, 30)), ("heap_factor", (1.0, 0.6, 0.1)), ("impact_cut", (0.2, 0.1, 0.0))):
        scores = [index.search(Q, **{name: value}).scores for value in values]
        means = [part[np.isfinite(part)].mean() for part in scores]
        assert means[0] < means[1] <= means[2], name
    evals = [index.search(Q, heap_factor=value).evals.mean() for value in (1.0, 0.6, 0.1)]
    assert evals[0] < evals[1] < evals[2]


def test_what_is_left_out_of_the_settings_is_the_default(index: SparseIndex, Q: sp.csr_array, same: Callable) -> None:
    defaults = {"query_cut": 32, "heap_factor": 0.9, "impact_cut": 0.06}
    expected = index.search(Q, k=3, **defaults)
    for name, value in defaults.items():
        assert same(index.search(Q, k=3, **{name: value}), expected)
        assert same(index.search(Q, k=3, **{name: None}), expected)
    assert same(index.search(Q, k=3), expected)


def test_exact_search_looks_at_more_and_misses_nothing(index: SparseIndex, D: sp.csr_array, Q: sp.csr_array) -> None:
    hits = index.search(Q, exact=True)
    assert hits.evals.mean() > index.search(Q, heap_factor=1.0).evals.mean()
    best = np.sort((Q @ D.T).toarray(), axis=1)[:, -1]
    top = hits.scores[:, 0]
    np.testing.assert_allclose(top[np.isfinite(top)], best[np.isfinite(top)], rtol=1e-5)


def test_one_query_in_one_answer_out(index: SparseIndex, Q: sp.csr_array) -> None:
    row = Q[[0]]
    one = index.search((row.indices, row.data), k=4)
    assert one.ids.shape == one.distances.shape == one.scores.shape == (4,)
    assert isinstance(one.evals, int) and isinstance(one.counts, int)
    batch = index.search(row, k=4)
    assert batch.ids.shape == (1, 4) and batch.evals.shape == (1,) and batch.ids[0].tolist() == one.ids.tolist()
    assert one.ids.dtype == batch.ids.dtype == np.int64 and one.distances.dtype == batch.distances.dtype == np.float32
    assert one.metric == batch.metric == index.metric == "ip" and (one.scores == -one.distances).all()


def test_threads_of_builds_adds_compacts_and_searches_are_those_asked_for(
    D: sp.csr_array, Q: sp.csr_array, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, used = [], []
    workers, run = index_module.Workers, searcher_module.run
    monkeypatch.setattr(index_module, "Workers", lambda n: asked.append(n) or workers(n))
    monkeypatch.setattr(searcher_module, "run", lambda n, *rest: used.append(n) or run(n, *rest))
    index = SparseIndex.build(D[:1100], threads=2)
    index.add(D[:10], threads=3)
    index.compact(threads=4)
    for threads in (2, 1):
        index.search(Q, threads=threads)
        index.search(Q[[0]], threads=threads)
    assert asked == [2, 3, 4] and used == [2, 2, 1, 1]


def test_progress_is_shown_where_it_was_asked_for(D: sp.csr_array, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    real = index_module.progress_bar
    monkeypatch.setattr(index_module, "progress_bar", lambda *a: shown.append(a) or real(*a))
    index = SparseIndex.build(D, progress=True)
    index.add(D[:10])
    index.add(D[:20], progress=True)
    assert shown == [("adding", 1200, True), ("adding", 10, False), ("adding", 20, True)]


def test_a_call_is_not_told_more_than_it_takes(index: SparseIndex, D: sp.csr_array, Q: sp.csr_array) -> None:
    for call in (
        lambda: SparseIndex.build(D, None), lambda: SparseIndex.build(D, metric="ip"),
        lambda: SparseIndex.build(D, M=5), lambda: index.search(Q, 3, 5), lambda: index.search(Q, ef=3),
        lambda: index.search(Q, nprobe=3), lambda: index.add(D, None, 2), lambda: index.compact(2),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            call()


NUMBER = "expected a number above 0 and at most 1"
REFUSED_BUILDS = [
    ({"layout": "flat"}, ValueError, "layout is 'flat', expected one of 'impact', 'blocked'"),
    ({"layout": 3}, (ValueError, TypeError), "layout is 3, expected one of"),
    ({"n_postings": 0}, ValueError, "n_postings is 0, expected an integer of at least 1"),
    ({"n_postings": 2.5}, TypeError, "n_postings is 2.5, expected"),
    ({"n_postings": True}, TypeError, "n_postings is True, expected"),
    ({"alpha": 0}, ValueError, f"alpha is 0, {NUMBER}"),
    ({"alpha": 1.1}, ValueError, f"alpha is 1.1, {NUMBER}"),
    ({"alpha": float("nan")}, ValueError, f"alpha is nan, {NUMBER}"),
    ({"alpha": "0.5"}, TypeError, f"alpha is '0.5', {NUMBER}"),
    ({"alpha": True}, TypeError, f"alpha is True, {NUMBER}"),
    ({"alpha": None}, TypeError, f"alpha is None, {NUMBER}"),
    ({"block_size": 8}, ValueError, "block_size and summary_energy are of layout='blocked', but layout is None; leave"),
    ({"layout": "impact", "summary_energy": 0.5}, ValueError, "but layout is 'impact'; leave them out"),
    ({"layout": "blocked", "block_size": 1}, ValueError, "block_size is 1, expected an integer of at least 2"),
    ({"layout": "blocked", "block_size": 257}, ValueError, "block_size is 257, expected at most 256 documents"),
    ({"layout": "blocked", "block_size": 8.0}, TypeError, "block_size is 8.0, expected"),
    ({"layout": "blocked", "summary_energy": 0.0}, ValueError, f"summary_energy is 0.0, {NUMBER}"),
    ({"layout": "blocked", "summary_energy": 2}, ValueError, f"summary_energy is 2, {NUMBER}"),
    ({"keep": "f16"}, ValueError, "keep is 'f16', expected one of 'f24', 'f32'"),
    ({"keep": None}, ValueError, "keep is None, expected one of"),
    ({"seed": -1}, ValueError, "seed is -1"),
    ({"seed": None}, TypeError, "seed is None"),
    ({"seed": 0.5}, TypeError, "seed is 0.5"),
    ({"threads": 0}, ValueError, "threads is 0"),
    ({"threads": "two"}, TypeError, "threads is 'two'"),
    ({"ids": [1, 2]}, ValueError, "ids holds 2 ids, expected one for each of the 1200 rows"),
    ({"ids": [0] * 1200}, ValueError, "ids holds 0 twice, expected unique ids; drop one of them"),
    ({"ids": [-1, *range(1199)]}, ValueError, "ids holds -1, expected unique int64 numbers"),
    ({"ids": ["a", *range(1199)]}, TypeError, "ids holds mixed kinds of ids"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED_BUILDS, ids=lambda x: str(x)[:50])
def test_a_build_that_cannot_be_meant_is_refused(
    arguments: dict[str, Any], error: Any, words: str, D: sp.csr_array
) -> None:
    with pytest.raises(error, match=words):
        SparseIndex.build(D, **arguments)
    if "ids" not in arguments:
        with pytest.raises(error, match=words):
            SparseIndex.build(D[:0], **arguments)


ZERO = "expected a number from 0 to 1"
REFUSED_SEARCHES = [
    ({"k": 0}, ValueError, "k is 0, expected an integer of at least 1"),
    ({"k": -3}, ValueError, "k is -3, expected"),
    ({"k": 2.0}, TypeError, "k is 2.0, expected"),
    ({"k": None}, TypeError, "k is None, expected"),
    ({"k": True}, TypeError, "k is True, expected"),
    ({"query_cut": 0}, ValueError, "query_cut is 0, expected an integer of at least 1"),
    ({"query_cut": 2.5}, TypeError, "query_cut is 2.5, expected"),
    ({"query_cut": "all"}, TypeError, "query_cut is 'all', expected"),
    ({"query_cut": [3]}, TypeError, "query_cut is \\[3\\], expected"),
    ({"query_cut": np.array([3])}, TypeError, "query_cut is array\\(\\[3\\]\\), expected"),
    ({"exact": "no"}, TypeError, "exact is 'no', expected True or False"),
    ({"heap_factor": 0}, ValueError, f"heap_factor is 0, {NUMBER}"),
    ({"heap_factor": 0.0}, ValueError, f"heap_factor is 0.0, {NUMBER}"),
    ({"heap_factor": 1.01}, ValueError, f"heap_factor is 1.01, {NUMBER}"),
    ({"heap_factor": float("nan")}, ValueError, f"heap_factor is nan, {NUMBER}"),
    ({"heap_factor": [0.5]}, TypeError, rf"heap_factor is \[0.5\], {NUMBER}"),
    ({"heap_factor": True}, TypeError, f"heap_factor is True, {NUMBER}"),
    ({"impact_cut": -0.1}, ValueError, f"impact_cut is -0.1, {ZERO}"),
    ({"impact_cut": 1.5}, ValueError, f"impact_cut is 1.5, {ZERO}"),
    ({"impact_cut": "0"}, TypeError, f"impact_cut is '0', {ZERO}"),
    ({"impact_cut": np.complex64(0.5)}, TypeError, "impact_cut is .*, expected a number"),
    ({"impact_cut": 10**400}, ValueError, "impact_cut is beyond what float64 holds, expected a number"),
    ({"exact": True, "query_cut": 5}, ValueError, "exact=True was given with query_cut=5, which only approximate"),
    (
        {"exact": True, "heap_factor": 0.5, "impact_cut": 0.0}, ValueError,
        "exact=True was given with heap_factor=0.5, impact_cut=0.0, which only approximate search has; leave one out",
    ),
    ({"threads": 0}, ValueError, "threads is 0"),
    ({"threads": "two"}, TypeError, "threads is 'two'"),
    ({"threads": 1.5}, TypeError, "threads is 1.5"),
]  # fmt: skip


@pytest.mark.parametrize("how", ["batch", "row", "mapping", "empty index"])
@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED_SEARCHES, ids=lambda x: str(x)[:50])
def test_a_search_that_cannot_be_meant_is_refused_and_changes_nothing(
    arguments: dict[str, Any], error: Any, words: str, how: str, D: sp.csr_array, Q: sp.csr_array, index: SparseIndex
) -> None:
    given: Any = {"batch": Q, "row": Q[[0]], "mapping": {3: 1.0}, "empty index": Q[[0]]}[how]
    asked = SparseIndex.build(D[:0]) if how == "empty index" else index
    before = asked.search(Q, k=4).ids.tolist()
    for _ in range(2):
        with pytest.raises(error, match=words) as raised:
            asked.search(given, **arguments)
        assert raised.value.__context__ is None or raised.value.__suppress_context__  # it is said once
    assert asked.search(Q, k=4).ids.tolist() == before


def test_numpy_numbers_are_numbers(index: SparseIndex, Q: sp.csr_array, same: Callable) -> None:
    expected = index.search(Q, k=4, query_cut=5, heap_factor=0.5, impact_cut=0)
    hits = index.search(
        Q, k=np.int64(4), query_cut=np.uint8(5), heap_factor=np.float32(0.5), impact_cut=np.float64(0),
        threads=np.int32(1),
    )  # fmt: skip
    assert same(hits, expected)


REFUSED_ADDS = [
    ({"threads": 0}, ValueError, "threads is 0"),
    ({"D": sp.csr_array((2, 7))}, ValueError, "D has 7 columns, the index holds vectors of 80; encode both with"),
    ({"D": np.ones((2, 80))}, TypeError, "D is a ndarray, expected a scipy sparse matrix; give scipy.sparse.csr_array"),
    ({"ids": None}, ValueError, "ids is None, expected 2 ids"),
    ({"ids": ["a", "new"]}, ValueError, "ids holds 'a', which is in the index already; delete it first"),
    ({"ids": ["new", "new"]}, ValueError, "ids holds 'new' twice"),
    ({"ids": ["new"]}, ValueError, "ids holds 1 ids, expected one for each of the 2 rows"),
    ({"ids": [7, 8]}, TypeError, "ids are int64, expected str"),
    ({"ids": "ab"}, TypeError, "ids is 'ab', expected unique"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED_ADDS, ids=lambda x: str(x)[:50])
def test_an_add_that_cannot_be_meant_is_refused_and_changes_nothing(
    arguments: dict[str, Any], error: Any, words: str, D: sp.csr_array, undamaged: Undamaged
) -> None:
    index = SparseIndex.build(D[:200], ids=["a", *map(str, range(1, 200))])
    undamaged(index)
    with pytest.raises(error, match=words):
        index.add(**{"D": D[:2], "ids": ["new", "other"], **arguments})


def test_an_index_that_numbers_its_documents_takes_no_ids(D: sp.csr_array, undamaged: Undamaged) -> None:
    for index in (SparseIndex.build(D[:200]), SparseIndex.build(D[:200])):
        index.delete([3])
        undamaged(index)
        with pytest.raises(ValueError, match=r"ids are given, but the 199 rows of the index are numbered 0\.\.199"):
            index.add(D[:2], ids=[1000, 1001])


def test_a_compact_with_wrong_threads_is_refused_and_changes_nothing(D: sp.csr_array, undamaged: Undamaged) -> None:
    index = SparseIndex.build(D)
    index.delete([4])
    undamaged(index)
    for threads, error in ((0, ValueError), ("two", TypeError)):
        with pytest.raises(error, match=f"threads is {threads!r}"):
            index.compact(threads=threads)


def test_memory_is_what_the_docstring_says_and_the_repr_is_two_lines(rows: Rows) -> None:
    D = rows(20_000, 500, 20)
    index = SparseIndex.build(D)
    held = index.memory()
    assert set(held) == {"rows", "postings", "ids", "scratch"} and held["scratch"] == held["ids"] == 0
    assert held["rows"] == D.nnz * 5 + 8 * 20_001
    assert held["postings"] == pytest.approx(D.nnz * 3, rel=0.03)
    index.search(D[:100])
    assert index.memory()["scratch"] > 0
    assert f"20,000 vectors of 500 dimensions, metric ip\nlayout impact, {D.nnz:,} entries" in repr(index)
    index.add(D[:30])
    index.delete([1, 2, 3])
    assert "20,027 vectors" in repr(index) and "2 segments, 3 deleted" in repr(index)
    assert index.nnz == D.nnz + D[:30].nnz and index.n_segments == 2 and len(index) == 20_027 and index.dim == 500
    assert len(repr(index).splitlines()) == 2
    ones = SparseIndex.build(D.astype(bool))
    assert ones.memory()["rows"] == D.nnz * 2 + 8 * 20_001 and "equal weights" in repr(ones)
    named = SparseIndex.build(D, ids=range(5, 20_005))
    assert named.memory()["ids"] >= 8 * 20_000


def test_scratch_is_used_again_and_a_huge_one_is_not_held(
    D: sp.csr_array, Q: sp.csr_array, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = SparseIndex.build(D)
    index.search(Q, k=3, threads=1)
    held = index.memory()["scratch"]
    for _ in range(5):
        index.search(Q[[0]], k=3)
    assert index.memory()["scratch"] == held > 0
    monkeypatch.setattr("vecrecall.sparse.searcher._KEPT", 1)
    index.search(Q, k=1000, threads=1)
    assert index.memory()["scratch"] <= held
