"""No argument is ever ignored, and what cannot be meant is refused in words."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from vecrecall.ivf import index as index_module
from vecrecall.ivf import searcher as searcher_module
from vecrecall.ivf.index import IVF
from vecrecall.loading import load

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(1200, 140)) * 0.98 ** np.arange(140)).astype(np.float32)
Q = X[:80] + 0.1 * RNG.normal(size=(80, 140)).astype(np.float32)
Digest = Callable[[IVF], dict[str, str]]
Undamaged = Callable[[IVF], None]


@pytest.fixture(scope="module")
def plain(digest: Digest) -> dict[str, str]:
    return digest(IVF.build(X, n_lists=12))


@pytest.fixture(scope="module")
def index() -> IVF:
    return IVF.build(X, n_lists=12)


@pytest.mark.parametrize(
    ("argument", "value", "section"),
    [
        ("metric", "cosine", "inverse_lengths"),
        ("metric", "ip", "codes"),
        ("ids", list(range(10, 1210)), None),
        ("n_lists", 13, "centroids"),
        ("n_lists", None, "centroids"),
        ("storage", "sq8", "codes"),
        ("reduce", 50, "codec_rotation"),
        ("reduce", None, "codec_rotation"),
        ("keep", None, None),
        ("keep", "f32", None),
        ("target_recall", 0.5, "parameters"),
        ("seed", 1, "centroids"),
    ],
)
def test_every_parameter_of_a_build_has_an_effect(
    argument: str, value: object, section: str | None, plain: dict[str, str], digest: Digest
) -> None:
    index = IVF.build(X, **{"n_lists": 12, argument: value})
    index.check()
    if section == "parameters":
        assert index.target_recall == 0.5 and index.settings()["nprobe"] < IVF.build(X, n_lists=12).settings()["nprobe"]
    elif section:
        assert digest(index)[section] != plain.get(section)
    elif argument == "ids":
        assert index.search(X[3], k=1).ids.tolist() == [13]
    else:
        assert index.memory()["rows"] == (0 if value is None else 1200 * 144 * 4)


@pytest.mark.parametrize(("n", "n_lists"), [(1023, 0), (1024, 1), (4999, 1), (5000, 128), (7500, 160)])
def test_the_default_of_n_lists_follows_the_number_of_rows(n: int, n_lists: int) -> None:
    assert IVF.build(RNG.normal(size=(n, 4))).n_lists == n_lists


def test_there_are_never_more_lists_than_rows() -> None:
    index = IVF.build(RNG.normal(size=(1100, 4)), n_lists=10**6)
    index.check()
    assert index.n_lists == 1100


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_distances_are_those_of_the_metric(metric: str) -> None:
    index = IVF.build([[0.0, 5.0], [-9.0, 0.0]], metric=metric)
    hits = index.search([4.0, 0.0] if metric == "l2" else [3.2, 2.4], k=2)
    true = {"l2": [np.hypot(4, 5), 13], "ip": [-12, 28.8], "cosine": [1 - 0.6, 1.8]}[metric]
    np.testing.assert_allclose(hits.distances, true, rtol=1e-6)
    np.testing.assert_allclose(hits.scores, 1 - hits.distances if metric == "cosine" else -hits.distances, rtol=1e-6)


def test_k_nprobe_and_rerank_are_obeyed(index: IVF) -> None:
    assert index.search(Q, k=3).ids.shape == (80, 3) and index.search(Q).ids.shape == (80, 10)
    few, more, all_ = (index.search(Q, nprobe=nprobe).evals.mean() for nprobe in (1, 5, 12))
    assert few < more < all_ == 1212
    shallow, deep = (index.search(Q, nprobe=12, rerank=rerank).distances.mean() for rerank in (10, 100))
    assert deep < shallow


def test_one_of_nprobe_and_rerank_leaves_the_other_to_the_target(index: IVF) -> None:
    chosen = index.settings()
    expected = index.search(Q, **chosen)
    for given in ({}, *({name: value} for name, value in chosen.items()), {"target_recall": index.target_recall}):
        hits = index.search(Q, **given)
        assert hits.ids.tolist() == expected.ids.tolist() and hits.evals.tolist() == expected.evals.tolist()


def test_a_target_at_search_or_of_the_index_chooses_from_the_curve(index: IVF) -> None:
    curve = index.curve
    for k in (10, 100):
        own = curve[curve[:, 0] == k]
        assert (np.diff(own[:, 1:3], axis=0) > 0).all()  # each costs more and finds more
    own = curve[curve[:, 0] == 10]
    for target in (0.3, 0.8, 0.95):
        nprobe, rerank = own[np.argmax(own[:, 1] >= target), 3:].astype(int).tolist()
        expected = index.search(Q, nprobe=nprobe, rerank=rerank)
        at_search = index.search(Q, target_recall=target)
        mine = IVF.build(X, n_lists=12, target_recall=target)
        assert mine.settings() == index.settings(10, target) == {"nprobe": nprobe, "rerank": rerank}
        for hits in (at_search, mine.search(Q)):
            assert hits.ids.tolist() == expected.ids.tolist() and hits.evals.tolist() == expected.evals.tolist()
    curve[:] = 0
    assert index.curve.any()  # a copy


def test_the_target_of_an_index_may_be_set_and_is_saved(tmp_path) -> None:
    index = IVF.build(X, n_lists=12)
    before = index.search(Q).evals.mean()
    index.target_recall = 0.4
    assert index.target_recall == 0.4 and index.search(Q).evals.mean() < before
    settings = "nprobe={nprobe} rerank={rerank} for recall@10 0.4, sq4 codes of ".format(**index.settings())
    assert f"n_lists=12, {settings}" in repr(index) and "1,200 vectors of 140 dimensions, metric l2" in repr(index)
    index.save(tmp_path / "i.vr")
    loaded = load(tmp_path / "i.vr")
    assert loaded.target_recall == 0.4 and repr(loaded).splitlines()[0] == repr(index).splitlines()[0]
    assert settings in repr(loaded)


@pytest.mark.parametrize("value", [0, -0.1, 1.01, float("nan"), float("inf"), True, "0.9"])
def test_a_target_that_is_no_recall_is_refused_wherever_it_is_given(value: object, index: IVF) -> None:
    before = index.target_recall
    words = f"target_recall is {value!r}, expected a number above 0 and at most 1"
    with pytest.raises((TypeError, ValueError), match=words):
        index.target_recall = value
    with pytest.raises((TypeError, ValueError), match=words):
        IVF.build(X[:5], target_recall=value)
    for some in (index, IVF.build(X[:5])):
        with pytest.raises((TypeError, ValueError), match=words):
            some.search(Q, target_recall=value)
    assert index.target_recall == before


def test_a_target_beside_what_it_chooses_is_refused(index: IVF) -> None:
    for given in ({"nprobe": 3}, {"rerank": 20}, {"nprobe": 3, "rerank": 20}):
        settings = ", ".join(f"{name}={value}" for name, value in given.items())
        words = f"target_recall=0.9 was given with {settings}, which it chooses; leave one out"
        for some in (index, IVF.build(X[:5])):
            with pytest.raises(ValueError, match=words):
                some.search(Q, target_recall=0.9, **given)


def test_a_target_that_no_setting_reaches_warns_the_caller_and_takes_the_best() -> None:
    index = IVF.build(X, n_lists=12)
    curve = index._content.curve
    assert curve is not None
    poor = replace(curve, table=curve.table * [1, 0.5, 1, 1, 1])
    index._content = replace(index._content, curve=poor)
    best = index.curve[index.curve[:, 0] == 10][-1]
    words = f"target_recall=0.9 was not reached by any nprobe and rerank .* best had {best[1]:.3f} and is taken"
    with pytest.warns(UserWarning, match=words) as caught:
        hits = index.search(Q, target_recall=0.9)
    assert caught[0].filename == __file__
    assert hits.ids.tolist() == index.search(Q, nprobe=int(best[3]), rerank=int(best[4])).ids.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index.search(Q, target_recall=0.45)
        index.search(Q)  # that the index was built for more was told then


def test_a_build_that_measures_less_than_the_target_it_was_given_warns_the_caller() -> None:
    with pytest.warns(UserWarning, match="target_recall=0.99 was not reached .* keep rows if none are kept") as caught:
        index = IVF.build(X, keep=None, target_recall=0.99)
    assert caught[0].filename == __file__
    assert index.curve[:, 1].max() < 0.99 and (index.curve[:, 4] == index.curve[:, 0]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index.add(X[:5])
        IVF.build(X, keep=None, target_recall=0.5)
        silent = IVF.build(X, keep=None)  # not asked for 0.95; the repr tells what there is
    assert "for recall@10 0.95" not in repr(silent) and "for recall@10 0." in repr(silent)


def test_slots_by_list_are_all_slots_and_near_rows_stand_together() -> None:
    rows = RNG.normal(size=(1200, 3))
    index = IVF.build(rows[:1150], n_lists=60)
    index.add(rows[1150:])
    slots = index.by_list()
    assert np.array_equal(np.sort(slots), np.arange(1200))
    steps = np.linalg.norm(np.diff(rows[slots], axis=0), axis=1)
    assert steps.mean() < 0.5 * np.linalg.norm(np.diff(rows, axis=0), axis=1).mean()  # 0.35
    assert IVF.build(rows[:9]).by_list().tolist() == list(range(9))


def test_ks_beyond_those_measured_take_more_lists_and_candidates() -> None:
    rows = RNG.normal(size=(5000, 8))
    index = IVF.build(rows)
    evals = [index.search(rows[:50], k=k).evals.mean() for k in (10, 100, 400)]
    assert evals[0] < evals[1] < evals[2]
    assert (index.search(rows[:50], k=400).counts == 400).all()


def test_one_query_in_one_answer_out(index: IVF) -> None:
    one, batch = index.search(Q[0], k=4), index.search(Q[:1], k=4)
    assert one.ids.shape == one.distances.shape == (4,) and isinstance(one.evals, int)
    assert batch.ids.shape == (1, 4) and batch.evals.shape == (1,) and batch.ids[0].tolist() == one.ids.tolist()
    assert one.ids.dtype == np.int64 and one.distances.dtype == np.float32


def test_threads_of_builds_adds_and_searches_are_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, used = [], []
    workers, run = index_module.Workers, searcher_module.run
    monkeypatch.setattr(index_module, "Workers", lambda n: asked.append(n) or workers(n))
    monkeypatch.setattr(searcher_module, "run", lambda n, *rest: used.append(n) or run(n, *rest))
    index = IVF.build(X[:1100], threads=2)
    index.add(X[:10], threads=3)
    used.clear()  # the curve was measured by searches
    index.search(Q, threads=2)
    index.search(Q, threads=1)
    assert asked == [2, 3] and used == [2, 1]


def test_progress_is_shown_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    real = index_module.progress_bar
    monkeypatch.setattr(index_module, "progress_bar", lambda *a: shown.append(a) or real(*a))
    IVF.build(X, progress=True).add(X[:10])
    assert shown == [("adding", 1200, True), ("adding", 10, False)]


def test_a_call_is_not_told_more_than_it_takes(index: IVF) -> None:
    with pytest.raises(TypeError):
        IVF.build(X, "l2")  # keyword only
    with pytest.raises(TypeError):
        IVF.build(X, M=5)
    with pytest.raises(TypeError):
        index.search(Q, ef=3)


REFUSED_BUILDS = [
    ({"metric": "dot"}, ValueError, "metric is 'dot', expected one of 'l2', 'ip', 'cosine'"),
    ({"storage": "f32"}, ValueError, "storage is 'f32', expected one of 'sq4', 'sq8'"),
    ({"storage": None}, ValueError, "storage is None, expected one of"),
    ({"keep": "f64"}, ValueError, "keep is 'f64', expected one of 'auto', 'u8', 'f16', 'f32'"),
    ({"keep": "u8"}, ValueError, "keep='u8' was given, but some values need f32"),
    ({"n_lists": 0}, ValueError, "n_lists is 0, expected an integer of at least 1"),
    ({"n_lists": -5}, ValueError, "n_lists is -5, expected"),
    ({"n_lists": 8.0}, TypeError, "n_lists is 8.0, expected"),
    ({"n_lists": True}, TypeError, "n_lists is True, expected"),
    ({"reduce": 0}, ValueError, "reduce is 0"),
    ({"reduce": 1.5}, TypeError, "reduce is 1.5"),
    ({"reduce": "pca"}, (TypeError, ValueError), "reduce is 'pca', expected 'auto', None or a number"),
    ({"target_recall": 0}, ValueError, "target_recall is 0, expected a number above 0 and at most 1"),
    ({"seed": -1}, ValueError, "seed is -1"),
    ({"seed": 2**63}, ValueError, "seed is 9223372036854775808"),
    ({"seed": None}, TypeError, "seed is None"),
    ({"threads": 0}, ValueError, "threads is 0"),
    ({"threads": 1.0}, TypeError, "threads is 1.0"),
    ({"ids": [1, 2]}, ValueError, "ids holds 2 ids, expected one for each of the 1200 rows"),
    ({"ids": [0] * 1200}, ValueError, "ids holds 0 twice"),
    ({"ids": [0.5] * 1200}, TypeError, "ids"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED_BUILDS, ids=[words for *_, words in REFUSED_BUILDS])
def test_a_build_that_cannot_be_meant_is_refused_in_words(arguments: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        IVF.build(**{"X": X, **arguments})


REFUSED_SEARCHES = [
    ({"k": 0}, ValueError, "k is 0, expected an integer of at least 1"),
    ({"k": -3}, ValueError, "k is -3"),
    ({"k": 2.0}, TypeError, "k is 2.0"),
    ({"k": True}, TypeError, "k is True"),
    ({"nprobe": 0}, ValueError, "nprobe is 0, expected an integer of at least 1"),
    ({"rerank": 0}, ValueError, "rerank is 0, expected an integer of at least 1"),
    ({"nprobe": False}, TypeError, "nprobe is False"),
    ({"nprobe": 0, "rerank": 5}, ValueError, "nprobe is 0, expected an integer of at least 1"),
    ({"nprobe": 5, "rerank": 0}, ValueError, "rerank is 0, expected an integer of at least 1"),
    ({"nprobe": -1}, ValueError, "nprobe is -1, expected"),
    ({"rerank": -1}, ValueError, "rerank is -1, expected"),
    ({"nprobe": 2.0}, TypeError, "nprobe is 2.0, expected"),
    ({"rerank": "many"}, TypeError, "rerank is 'many', expected"),
    ({"threads": 0}, ValueError, "threads is 0"),
    ({"threads": "two"}, TypeError, "threads is 'two'"),
]


@pytest.mark.parametrize("n", [500, len(X)])
@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED_SEARCHES)
def test_a_search_that_cannot_be_meant_is_refused_and_changes_nothing(
    arguments: dict, error: type, words: str, n: int, index: IVF, undamaged: Undamaged
) -> None:
    index = index if n == len(X) else IVF.build(X[:n])
    undamaged(index)
    before = index.search(Q, k=4).ids.tolist()
    for _ in range(2):
        with pytest.raises(error, match=words):
            index.search(**{"Q": Q, **arguments})
    assert index.search(Q, k=4).ids.tolist() == before


REFUSED_ADDS = [
    ({"threads": 0}, ValueError, "threads is 0"),
    ({"X": X[:3, :7]}, ValueError, "7 columns, the index holds vectors of 140"),
    ({"X": X[0]}, ValueError, "shape"),
    ({"ids": None}, ValueError, "ids is None, expected 2 ids"),
    ({"ids": ["a", "new"]}, ValueError, "ids holds 'a', which is in the index already"),
    ({"ids": ["new", "new"]}, ValueError, "ids holds 'new' twice"),
    ({"ids": ["new"]}, ValueError, "ids holds 1 ids, expected one for each of the 2 rows"),
    ({"ids": [7, 8]}, TypeError, "ids are int64, expected str"),
    ({"X": X[:2] / 3}, ValueError, "keep='f16' was given, but some values need f32"),
]


@pytest.mark.parametrize("n", [500, 1100])
@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED_ADDS)
def test_an_add_that_cannot_be_meant_is_refused_and_changes_nothing(
    arguments: dict, error: type, words: str, n: int, undamaged: Undamaged
) -> None:
    index = IVF.build(np.round(X[:n]), ids=["a", *map(str, range(1, n))], keep="f16")
    undamaged(index)
    with pytest.raises(error, match=words):
        index.add(**{"X": np.round(X[:2]), "ids": ["new", "other"], **arguments})


def test_memory_is_what_the_docstring_says_and_the_repr_is_two_lines() -> None:
    rows = RNG.normal(size=(10_000, 32)).astype(np.float32)
    for storage, keep, a_code in (("sq4", "f32", 16), ("sq8", None, 32)):
        index = IVF.build(rows, storage=storage, keep=keep)
        held = index.memory()
        assert held["rows"] == (0 if keep is None else 10_000 * 32 * 4)
        taken = held["codes"] + held["lists"]
        places = 1 + 16 * index.n_lists / 10_000  # half a block of each list is free
        assert taken == pytest.approx(10_000 * (a_code + 12) * places, rel=0.05)
        assert len(repr(index).splitlines()) == 2 and f"{storage} codes of 32 dimensions" in repr(index)
        index.search(rows[:100])
        assert index.memory()["scratch"] > held["scratch"] == 0
    assert "scanned until there are 1,024 to train codes on" in repr(IVF.build(rows[:9]))


@pytest.mark.parametrize("k", [1, 10, 50, 100, 700, 1200])
def test_settings_are_what_there_is(k: int, index: IVF) -> None:
    settings = index.settings(k, 0.99)
    assert 1 <= settings["nprobe"] <= index.n_lists and settings["rerank"] >= k


def test_scratch_of_a_huge_search_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    index = IVF.build(X)
    index.search(Q, k=3)
    held = index.memory()["scratch"]
    monkeypatch.setattr("vecrecall.ivf.searcher._BYTES", held)
    hits = index.search(np.tile(Q, (20, 1)), k=1000, rerank=1200, threads=1)
    assert len(hits) == 20 * len(Q) and index.memory()["scratch"] <= 2 * held
    monkeypatch.setattr("vecrecall.ivf.searcher._BYTES", 1)
    index.search(Q, k=3)
    assert index.memory()["scratch"] == 0
