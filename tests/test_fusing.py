"""Fused answers, against fractions in loops."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecrecall import fusing
from vecrecall.exact.index import Exact
from vecrecall.fusing import fuse
from vecrecall.hits import Hits

INF = np.inf
Ranking = list[tuple[Any, float]]


def hits(ids: Any, scores: Any, evals: Any = 0) -> Hits:
    """Hits under "ip" from lists of ids (None where missing) and of scores, all rows of one length."""
    kind = object if any(isinstance(id_, str) for id_ in np.ravel(np.array(ids, object))) else np.int64
    missing = np.array(ids, object) == None  # noqa: E711
    filled = np.array(ids, object)
    filled[missing] = None if kind is object else -1
    return Hits(filled.astype(kind), np.where(missing, INF, -np.array(scores, float)).astype(np.float32), evals, "ip")


def ranking(fused: Hits) -> list[Ranking]:
    """(id, score) of each query's filled places."""
    return [list(zip(ids.tolist(), (0 - distances).tolist(), strict=True)) for ids, distances in fused]


def slow(answers: list[Hits], method: str, k: int, weights: list[float], constant: float) -> list[Ranking]:
    """Fused rankings in exact fractions, by the words of the docstring."""
    fused = []
    for query in zip(*answers, strict=True):
        sums: dict[Any, Fraction] = {}
        for (ids, distances), weight in zip(query, weights, strict=True):
            if weight == 0:
                continue
            scores = [-Fraction(float(distance)) for distance in distances]
            seen = set()
            for rank, (id_, score) in enumerate(zip(ids.tolist(), scores, strict=True), start=1):
                if method == "rrf":
                    gain = 1 / (Fraction(constant) + rank)
                else:
                    spread = max(scores) - min(scores)
                    gain = (score - min(scores)) / spread if spread else Fraction(1)
                if id_ not in seen:
                    sums[id_] = sums.get(id_, Fraction(0)) + Fraction(weight) * gain
                seen.add(id_)
        rounded = [(id_, float(np.float32(float(total)))) for id_, total in sums.items()]  # in order of first meeting
        fused.append(sorted(rounded, key=lambda pair: -pair[1])[:k])
    return fused


def drawn(rng: np.random.Generator, n: int, single: bool, text: bool) -> Hits:
    """An answer to n queries: ids of a few documents, sometimes repeated, scores with ties, places missing."""
    width = int(rng.integers(0, 7))
    ids, scores = np.full((n, width), None, object), np.zeros((n, width))
    for row, of in zip(ids, scores, strict=True):
        count = rng.integers(0, width + 1)
        row[:count] = rng.integers(0, 9, count) if rng.integers(4) == 0 else rng.permutation(9)[:count]
        of[:] = -np.sort(rng.integers(-2, 4, width))
        if text:
            row[:count] = [f"doc {number}" for number in row[:count]]
    made = hits(ids, scores, rng.integers(0, 100, n))
    if text:  # also where nothing was found
        made = Hits(ids, made.distances, made.evals, "ip")
    return Hits(made.ids[0], made.distances[0], int(np.sum(made.evals)), "ip") if single else made


@given(
    st.integers(0, 4),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["rrf", "linear"]),
    st.lists(st.sampled_from([0.0, 0.3, 1.0, 2.0]), min_size=1, max_size=4).filter(any),
    st.integers(1, 12),
    st.sampled_from([0.5, 1.0, 60.0, 1000.0]),
    st.integers(0, 2**32),
)
def test_fused_answers_are_what_the_loop_says(
    n: int, single: bool, text: bool, method: str, weights: list[float], k: int, constant: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    answers = [drawn(rng, 1 if single else n, single, text) for _ in weights]
    options = {"rank_constant": constant} if method == "rrf" else {}
    fused = fuse(answers, method, k, weights=weights, **options)
    assert fused.ids.shape == fused.distances.shape == ((k,) if single else (n, k))
    assert fused.ids.dtype == (object if text else np.int64) and fused.distances.dtype == np.float32
    missing = ~np.isfinite(fused.distances)
    assert (fused.ids[missing] == (None if text else -1)).all() and (fused.distances[missing] == INF).all()
    assert (fused.distances[..., 1:] >= fused.distances[..., :-1]).all()
    expected = slow(answers, method, k, weights, constant)
    assert [[id_ for id_, _ in row] for row in ranking(fused)] == [[id_ for id_, _ in row] for row in expected]
    for row, expected_row in zip(ranking(fused), expected, strict=True):
        np.testing.assert_allclose([s for _, s in row], [s for _, s in expected_row], rtol=2e-7)


def test_reciprocal_ranks_are_added() -> None:
    fused = fuse([hits([[1, 2, 3]], [[9, 8, 7]]), hits([[3, 4]], [[0.2, 0.1]])])
    (row,) = ranking(fused)
    assert [id_ for id_, _ in row] == [3, 1, 2, 4]  # 2 and 4 are tied
    np.testing.assert_allclose([s for _, s in row], [1 / 63 + 1 / 61, 1 / 61, 1 / 62, 1 / 62], rtol=1e-6)
    assert fused.metric == "ip" and fused.scores.tolist() == (-fused.distances).tolist()


def test_the_rank_constant_says_how_much_first_ranks_stand_out() -> None:
    answers = [hits([1, 4, 2], [3, 2, 1]), hits([3, 5, 2], [3, 2, 1])]
    assert fuse(answers, k=1, rank_constant=0.5).ids.tolist() == [1]  # 1 / 1.5 against 2 / 3.5
    assert fuse(answers, k=1).ids.tolist() == [2]


def test_scores_are_normalised_within_each_query_and_answer() -> None:
    answers = [hits([[1, 2, 3], [4, 5, 6]], [[100, 75, 0], [3, 2, 1]]), hits([[2, 4], [6, 7]], [[-1, -3], [9, 5]])]
    assert ranking(fuse(answers, "linear", weights=[1, 0.5])) == [
        [(2, 1.25), (1, 1.0), (3, 0.0), (4, 0.0)],
        [(4, 1.0), (5, 0.5), (6, 0.5), (7, 0.0)],
    ]


def test_one_hit_and_equal_scores_count_as_one() -> None:
    answers = [hits([[5, None, None], [1, 2, 3]], [[-7, 0, 0], [4, 4, 4]])]
    assert ranking(fuse(answers, "linear")) == [[(5, 1.0)], [(1, 1.0), (2, 1.0), (3, 1.0)]]


def test_lowest_hits_have_a_score_of_plain_zero() -> None:
    fused = fuse([hits([1, 2], [1, 0])], "linear", k=2)
    assert fused.scores.tolist() == [1, 0] and not np.signbit(fused.distances[1]) and not np.signbit(fused.scores[1])


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_distances_of_every_metric_become_scores(metric: str) -> None:
    fused = fuse([Hits(np.array([4, 5, 6]), np.array([-1, 0, 3], np.float32), 0, metric)], "linear", k=3)
    assert fused.ids.tolist() == [4, 5, 6]
    np.testing.assert_allclose(fused.scores, [1, 0.75, 0])


@pytest.mark.parametrize("method", ["rrf", "linear"])
def test_ties_go_to_the_earliest_answer_and_then_to_the_rank_in_it(method: str) -> None:
    first, second = hits([8, 2, 5], [3, 3, 3]), hits([1, 6, 9], [3, 3, 3])
    orders = {"rrf": ([8, 1, 2, 6, 5, 9], [1, 8, 6, 2, 9, 5]), "linear": ([8, 2, 5, 1, 6, 9], [1, 6, 9, 8, 2, 5])}
    assert fuse([first, second], method, 6).ids.tolist() == orders[method][0]
    assert fuse([second, first], method, 6).ids.tolist() == orders[method][1]


def test_a_later_answer_does_not_move_a_tie() -> None:
    first, second = hits([8, 2], [3, 1]), hits([1, 2, 4], [3, 3, 1])
    assert ranking(fuse([first, second], "linear")) == [[(8, 1.0), (2, 1.0), (1, 1.0), (4, 0.0)]]


@pytest.mark.parametrize("constant", [0.3, 7, 60, 61.7])
def test_sums_of_the_same_ranks_are_ties_in_whatever_order_they_are_added(constant: float) -> None:
    answers = [hits(ids, [3, 2, 1]) for ids in ([9, 8, 7], [8, 7, 9], [7, 9, 8])]
    fused = fuse(answers, k=3, rank_constant=constant)
    assert len(set(fused.distances.tolist())) == 1 and fused.ids.tolist() == [9, 8, 7]


def test_weights_are_shares_of_the_sum() -> None:
    answers = [hits([1, 2], [1, 0]), hits([3, 4], [1, 0])]
    assert fuse(answers, k=1, weights=[1, 1.01]).ids.tolist() == [3]
    doubled = fuse(answers, weights=[2, 2.02])
    np.testing.assert_allclose(doubled.scores, 2 * fuse(answers, weights=[1, 1.01]).scores, rtol=1e-6)


@pytest.mark.parametrize("method", ["rrf", "linear"])
def test_an_answer_of_weight_zero_brings_no_hits(method: str) -> None:
    first, second = hits([[1, 2, 3]], [[3, 2, 1]], np.array([5])), hits([[3, 4, 6]], [[3, 2, 1]], np.array([7]))
    fused = fuse([first, second], method, weights=np.array([0, 1]))  # type: ignore[arg-type]
    assert ranking(fused) == ranking(fuse([second], method)) and fused.evals.tolist() == [12]  # type: ignore[union-attr]


@pytest.mark.parametrize("method", ["rrf", "linear"])
def test_an_id_that_one_answer_repeats_counts_by_its_first_place(method: str) -> None:
    once, twice = hits([3, 4, 5, 6], [9, 7, 6, 5]), hits([3, 4, 3, 3], [9, 7, 6, 5])
    assert ranking(fuse([twice], method))[0] == ranking(fuse([once], method))[0][:2]
    other = hits([4, 8], [1, 0])
    assert fuse([twice, other], method).scores[0] == fuse([once, other], method).scores[0]


def test_evaluations_are_added() -> None:
    batches = [hits([[1], [2]], [[1], [1]], np.array(evals)) for evals in ([10, 20], [1, 2])]
    evals = fuse(batches).evals
    assert isinstance(evals, np.ndarray) and evals.tolist() == [11, 22] and evals.dtype == np.int64
    one = fuse([hits([1], [1], 10), hits([2], [1], 5)])
    assert one.evals == 15 and type(one.evals) is int and one.counts == 2


def test_rows_belong_to_their_queries_and_may_stay_empty() -> None:
    none = [None, None]
    answers = [hits([[1, 2], none, none], np.ones((3, 2))), hits([none, none, [4, 5]], np.ones((3, 2)))]
    fused = fuse(answers, k=3)
    assert fused.ids.tolist() == [[1, 2, -1], [-1, -1, -1], [4, 5, -1]]
    assert fused.counts.tolist() == [2, 0, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize("text", [False, True])
def test_an_answer_without_hits_fits_ids_of_any_kind(text: bool) -> None:
    found = hits([["a", "b"]], [[2, 1]]) if text else hits([[7, 8]], [[2, 1]])
    for empty in (np.full((1, 3), -1), np.full((1, 3), None, object)):
        nothing = Hits(empty, np.full((1, 3), INF, np.float32), np.array([4]), "l2")
        for answers in ([found, nothing], [nothing, found]):
            assert ranking(fuse(answers)) == ranking(fuse([found]))
            assert fuse(answers).ids.dtype == found.ids.dtype
        assert fuse([nothing]).ids.dtype == empty.dtype


@pytest.mark.parametrize("method", ["rrf", "linear"])
def test_queries_do_not_know_each_other(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    answers = [drawn(rng, 50, False, False) for _ in range(3)]
    whole = fuse(answers, method)
    for row in range(50):
        single = fuse([Hits(a.ids[row], a.distances[row], int(a.evals[row]), "ip") for a in answers], method)  # type: ignore[index]
        assert single.ids.tolist() == whole.ids[row].tolist()
        assert single.distances.tolist() == whole.distances[row].tolist()
    monkeypatch.setattr(fusing, "_TILE", 30)
    assert ranking(fuse(answers, method)) == ranking(whole)


@pytest.mark.parametrize("text", [False, True])
def test_answers_of_engines_are_fused(text: bool) -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((40, 6)).astype(np.float32)
    ids = [f"row {i}" for i in range(40)] if text else None
    answers = [Exact.build(X, metric=metric, ids=ids).search(X[:5], 8) for metric in ("l2", "cosine")]
    before = [(a.ids.copy(), a.distances.copy()) for a in answers]
    fused = fuse(answers, k=5)
    assert fused.ids[:, 0].tolist() == [f"row {i}" if text else i for i in range(5)]
    assert ranking(fused) == slow(answers, "rrf", 5, [1, 1], 60)
    for answer, (old_ids, old_distances) in zip(answers, before, strict=True):
        assert (answer.ids == old_ids).all() and (answer.distances == old_distances).all()


ONE, TWO = hits([[1]], [[1]]), hits([[1], [2]], [[1], [1]])
REFUSED: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (ONE, {}, TypeError, "answers is a Hits, expected a sequence of Hits"),
    (None, {}, TypeError, "answers is a NoneType, expected a sequence"),
    ([], {}, ValueError, "answers is empty, expected at least one"),
    ([ONE, ([[1]], [[1]])], {}, TypeError, r"answers\[1\] is a tuple, expected Hits"),
    ([ONE, TWO], {}, ValueError, r"a batch of 1 and answers\[1\] a batch of 2, expected the same queries"),
    ([ONE, hits([1], [1])], {}, ValueError, r"a batch of 1 and answers\[1\] one vector"),
    ([ONE, hits([["a"]], [[1]])], {}, TypeError, r"answers\[0\] holds int64 ids and answers\[1\] str ids"),
    ([Hits(np.array([0.5]), np.array([1], "f4"), 0, "l2")], {}, TypeError, "holds ids of float64, expected int64"),
    ([Hits(np.array([7], object), np.array([1], "f4"), 0, "l2")], {}, TypeError, "holds ids of object"),
    ([ONE], {"method": "max"}, ValueError, "method is 'max', expected one of 'rrf', 'linear'"),
    ([ONE], {"k": 0}, ValueError, "k is 0, expected an integer of at least 1"),
    ([ONE], {"k": 1.5}, TypeError, "k is 1.5"),
    ([ONE, ONE], {"weights": [1]}, ValueError, "weights holds 1 numbers, expected one for each of the 2 answers"),
    ([ONE, ONE], {"weights": [1, -0.5]}, ValueError, r"weights\[1\] is -0.5, expected a finite number of at least 0"),
    ([ONE, ONE], {"weights": [np.nan, 1]}, ValueError, r"weights\[0\] is nan"),
    ([ONE, ONE], {"weights": [1, INF]}, ValueError, r"weights\[1\] is inf"),
    ([ONE, ONE], {"weights": [0, 0]}, ValueError, "weights sum to 0.0, expected more than 0"),
    ([ONE, ONE], {"weights": [1e39, 1]}, ValueError, "weights sum to 1e.39, expected .* float32 holds"),
    ([ONE, ONE], {"weights": ["1", 1]}, TypeError, r"weights\[0\] is '1', expected a number"),
    ([ONE, ONE], {"weights": [True, 1]}, TypeError, r"weights\[0\] is True"),
    ([ONE, ONE], {"weights": [[1, 2], [3]]}, TypeError, r"weights\[0\] is \[1, 2\]"),
    ([ONE, ONE], {"weights": np.ones((2, 1))}, TypeError, "expected a sequence of numbers"),
    ([ONE, ONE], {"weights": 0.5}, TypeError, "weights is 0.5, expected a sequence of numbers"),
    ([ONE, ONE], {"weights": "ab"}, TypeError, "weights is 'ab', expected a sequence of numbers"),
    ([ONE, ONE], {"weights": {0: 1, 1: 2}}, TypeError, "expected a sequence of numbers"),
    ([ONE], {"rank_constant": 0}, ValueError, "rank_constant is 0.0, expected a finite number above 0"),
    ([ONE], {"rank_constant": -60}, ValueError, "rank_constant is -60.0"),
    ([ONE], {"rank_constant": INF}, ValueError, "rank_constant is inf"),
    ([ONE], {"rank_constant": np.nan}, ValueError, "rank_constant is nan"),
    ([ONE], {"rank_constant": "60"}, TypeError, "rank_constant is '60', expected a number"),
    ([ONE], {"rank_constant": 60, "method": "linear"}, ValueError, "rank_constant=60 was given with method 'linear'"),
]


@pytest.mark.parametrize(("answers", "options", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(
    answers: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fuse(answers, **options)
