"""`vr.analysis.order`: each order is what its name says, whatever the rows, the threads, or what is made beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from vecrecall.analysis import order_keys
from vecrecall.analysis.orders import ORDERS, order, orderings, orders

f32 = np.float32

LABELS = ["b", "a", "c", "a", "b", "a"]
SIX = np.array([[0, 5], [1, 0], [3, 3], [0, 1], [9, 9], [2, 0]], f32)
BY_LABEL = ("category", "category_shuffled", "round_robin")


def rows(n: int = 400, dim: int = 10, seed: int = 0) -> np.ndarray:
    """Rows of uneven density and dimension: half of them lie in a plane, at many scales."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, dim))
    X[: n // 2, 2:] = 0
    return (X * rng.uniform(0.1, 5, (n, 1)))[rng.permutation(n)].astype(f32)


def options_of(name: str, n: int) -> dict[str, Any]:
    """What an order cannot be made without."""
    return {"labels": np.arange(n) % 7} if name in BY_LABEL else {}


def neighbour_distances(X: np.ndarray, k: int) -> np.ndarray:
    """Of each row to its k nearest others, ascending."""
    X = X.astype(np.float64)
    distances = np.sqrt(((X[:, None] - X) ** 2).sum(2))
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :k]


def lid(X: np.ndarray, k: int) -> np.ndarray:
    """Levina & Bickel (2005), with k - 1 above the sum."""
    r = neighbour_distances(X, k)
    return (k - 1) / np.log(r[:, -1:] / r[:, :-1]).sum(1)


def unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X.astype(np.float64), axis=1, keepdims=True)


def is_sorted(values: np.ndarray) -> bool:
    return bool((np.diff(values) >= -1e-6 * np.abs(values[1:])).all())


# ---------------------------------------------------------------- what each name says
def test_random_is_a_shuffle_of_the_seed() -> None:
    first = order(SIX, seed=3)
    assert sorted(first.tolist()) == list(range(6))
    np.testing.assert_array_equal(first, np.random.Generator(np.random.PCG64(3)).permutation(6))
    assert order(rows(), "random", seed=4).tolist() != order(rows(), "random", seed=3).tolist()


def test_given_is_as_the_rows_stand() -> None:
    assert order(SIX, "given").tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("norm_asc", [1, 3, 5, 2, 0, 4]),
        ("norm_desc", [4, 0, 2, 5, 1, 3]),  # rows 1 and 3 are as long: they stay as they stand
        ("central_first", [2, 5, 0, 3, 1, 4]),
        ("central_last", [4, 1, 0, 3, 5, 2]),
    ],
)
def test_keys_of_rows_are_sorted_and_equal_ones_stay(name: str, expected: list[int]) -> None:
    assert order(SIX, name).tolist() == expected


def test_central_under_cosine_is_of_directions() -> None:
    X = rows() + 2
    far = np.linalg.norm(unit(X) - unit(X).mean(0), axis=1)
    assert is_sorted(far[order(X, "central_first", metric="cosine")])
    assert is_sorted(-far[order(X, "central_last", metric="cosine")])
    assert order(X * np.arange(1, 401)[:, None], "central_first", metric="cosine").tolist() != order(
        X * np.arange(1, 401)[:, None], "central_first"
    ).tolist()


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("k", [5, 30])
def test_lid_is_that_of_levina_and_bickel(metric: str, k: int) -> None:
    X = rows(dim=10)
    expected = lid(X if metric == "l2" else unit(X), k)
    assert is_sorted(expected[order(X, "lid_asc", k=k, metric=metric)])
    assert is_sorted(-expected[order(X, "lid_desc", k=k, metric=metric)])


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_density_is_the_distance_to_the_kth_neighbour(metric: str) -> None:
    X = rows()
    far = neighbour_distances(X if metric == "l2" else unit(X), 20)[:, -1]
    assert is_sorted(far[order(X, "dense_first", k=20, metric=metric)])
    assert is_sorted(-far[order(X, "sparse_first", k=20, metric=metric)])


@pytest.mark.parametrize("k", [1, 4, 20, 500])
def test_copies_count_as_neighbours_in_density(k: int) -> None:
    rng = np.random.default_rng(0)
    X = np.repeat(rows(60), rng.integers(1, 9, 60), axis=0)
    X = X[rng.permutation(len(X))]
    far = neighbour_distances(X, min(k, len(X) - 1))[:, -1]
    assert is_sorted(far[order(X, "dense_first", k=k)])
    assert is_sorted(-far[order(X, "sparse_first", k=k)])


def test_neighbours_that_are_given_are_taken() -> None:
    X = rows()
    found = vr.Exact.build(X).search(X, 41)  # each row among its own
    for name in ("lid_desc", "dense_first"):
        expected = order(X, name, k=20)
        np.testing.assert_array_equal(order(X, name, neighbours=found, k=20), expected)
        np.testing.assert_array_equal(order(X, name, neighbours=(found.ids[:, :21], found.distances[:, :21])), expected)
    with pytest.raises(ValueError, match="neighbours has ids of shape"):
        order(X[:100], "lid_desc", neighbours=found)


def test_several_orders_share_one_search_and_one_k_means(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    for name in ("neighbours_of", "groups_of_clusters", "coreset_of"):
        real = getattr(order_keys, name)

        def counted(*arguments: Any, name: str = name, real: Any = real, **options: Any) -> Any:
            calls.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(order_keys, name, counted)
    orders(rows(), ORDERS, labels=np.zeros(400, int))
    assert sorted(calls) == ["coreset_of", "groups_of_clusters", "neighbours_of"]


def test_copies_are_dense() -> None:
    X = np.concatenate([rows(60), np.ones((30, 10), f32)])
    assert sorted(order(X, "dense_first", k=20)[:30].tolist()) == list(range(60, 90))


def test_lid_that_is_given_needs_no_search_and_nan_is_placed_at_the_median() -> None:
    X = np.zeros((7, 3))
    values = [5.0, np.nan, 1.0, 9.0, np.nan, 2.0, 8.0]  # median 5
    assert order(X, "lid_asc", lid=values).tolist() == [2, 5, 0, 1, 4, 6, 3]
    assert order(X, "lid_desc", lid=values).tolist() == [3, 6, 0, 1, 4, 5, 2]
    assert order(X, "lid_asc", lid=values, metric="ip").tolist() == [2, 5, 0, 1, 4, 6, 3]
    assert order(X, "lid_asc", lid=[np.nan] * 7).tolist() == list(range(7))


@pytest.mark.parametrize(
    ("labels", "category", "round_robin"),
    [
        (LABELS, [1, 3, 5, 0, 4, 2], [1, 0, 2, 3, 4, 5]),
        (np.array(LABELS), [1, 3, 5, 0, 4, 2], [1, 0, 2, 3, 4, 5]),
        (np.array(LABELS, object), [1, 3, 5, 0, 4, 2], [1, 0, 2, 3, 4, 5]),
        ([2, -1, 10, -1, 2, -1], [1, 3, 5, 0, 4, 2], [1, 0, 2, 3, 4, 5]),
        (np.array([1, 0, 2, 0, 1, 0], np.uint8), [1, 3, 5, 0, 4, 2], [1, 0, 2, 3, 4, 5]),
        ([True, False, True, False, True, False], [1, 3, 5, 0, 2, 4], [1, 0, 3, 2, 5, 4]),
        ([7] * 6, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
        (list("fedcba"), [5, 4, 3, 2, 1, 0], [5, 4, 3, 2, 1, 0]),
    ],
)
def test_labels_group_rows_and_take_turns(labels: Any, category: list[int], round_robin: list[int]) -> None:
    assert order(SIX, "category", labels=labels).tolist() == category
    assert order(SIX, "round_robin", labels=labels).tolist() == round_robin


def test_round_robin_takes_a_row_of_each_label_that_is_left() -> None:
    labels = np.random.default_rng(0).choice(9, 400, p=np.arange(1, 10) / 45)
    queues = [np.flatnonzero(labels == label).tolist() for label in range(9)]
    expected = [queue.pop(0) for _ in range(400) for queue in queues if queue]
    assert order(rows(), "round_robin", labels=labels).tolist() == expected


def test_category_shuffled_keeps_groups_together_and_nothing_else() -> None:
    labels = np.random.default_rng(0).integers(0, 9, 400)
    shuffled = order(rows(), "category_shuffled", labels=labels)
    runs = labels[shuffled]
    starts = np.flatnonzero(np.r_[True, np.diff(runs) != 0])
    assert len(starts) == 9
    assert runs[starts].tolist() != sorted(runs[starts].tolist())
    assert not any(is_sorted(shuffled[a:b]) for a, b in zip(starts, [*starts[1:], 400], strict=True))


def test_clusters_are_groups_that_lie_together() -> None:
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(4), 50))
    X = (rng.normal(size=(4, 20)) * 30)[groups] + rng.normal(size=(200, 20))
    made = orderings(X, ["cluster", "cluster_round_robin"], n_clusters=4, seed=1)
    n_found = made["cluster"].facts["groups"]
    after, in_turn = groups[made["cluster"].rows], groups[made["cluster_round_robin"].rows]
    assert made["cluster"].rows[0] == 0  # clusters stand by their first rows
    assert np.count_nonzero(np.diff(after)) < 2 * n_found
    assert n_found >= 3
    assert np.count_nonzero(np.diff(in_turn[: 3 * n_found])) >= 2 * n_found


@pytest.mark.parametrize("factor", [2.0**-90, 2.0**50])
def test_clusters_do_not_depend_on_the_unit(factor: float) -> None:
    X = rows()
    np.testing.assert_array_equal(order(X, "cluster"), order(X * f32(factor), "cluster"))


def test_the_coreset_comes_first_then_the_rest_as_given() -> None:
    X = rows(500)
    done = order(X, "coreset", share=0.1, seed=2)
    np.testing.assert_array_equal(done[:50], vr.analysis.coreset(X, 50, seed=2).picks)
    assert is_sorted(done[50:])
    assert order(X, "coreset", seed=2)[:10].tolist() == done[:10].tolist()  # 2 % of the rows


def test_a_permutation_is_itself() -> None:
    for given in ([3, 1, 0, 5, 4, 2], np.array([3, 1, 0, 5, 4, 2], np.uint16)):
        done = order(SIX, given)
        assert done.tolist() == [3, 1, 0, 5, 4, 2]
        assert done.dtype == np.int64
    assert order(np.empty((0, 2)), []).tolist() == []


# ---------------------------------------------------------------- every order
@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize(
    "X",
    [
        np.empty((0, 3)), np.ones((1, 3)), np.ones((2, 3)), np.eye(3), np.ones((40, 3)), np.zeros((40, 1)),
        np.repeat(rows(12, 3), 4, axis=0), rows(50, 3) * f32(1e17), np.arange(30).reshape(10, 3).astype(np.uint8),
    ],
    ids=["none", "one", "two equal", "three", "all equal", "zeros", "copies", "huge", "uint8"],
)  # fmt: skip
def test_odd_rows_have_an_order_too(name: str, X: np.ndarray) -> None:
    done = order(X, name, **options_of(name, len(X)))
    assert (done.dtype, sorted(done.tolist())) == (np.int64, list(range(len(X))))
    if len(X) and len(np.unique(X, axis=0)) == 1 and name not in ("random", "coreset", *BY_LABEL):
        assert done.tolist() == list(range(len(X)))  # nothing to sort by


@pytest.mark.parametrize("name", ORDERS)
def test_threads_change_nothing(name: str) -> None:
    X = rows(1500, 12)
    alone = order(X, name, **options_of(name, 1500), seed=5, threads=1)
    assert alone.tobytes() == order(X, name, **options_of(name, 1500), seed=5, threads=2).tobytes()


def test_orders_made_together_are_those_made_alone() -> None:
    X = rows()
    together = orders(X, ORDERS, labels=np.arange(400) % 7, seed=2)
    assert list(together) == list(ORDERS)
    for name, permutation in together.items():
        np.testing.assert_array_equal(permutation, order(X, name, **options_of(name, 400), seed=2))


def test_an_index_is_built_in_the_order() -> None:
    X = rows(200)
    made = [
        vr.HNSW.build(X, order=by, schedule="sequential", storage="f32") for by in ("given", order(X, "norm_desc"))
    ]
    assert made[0].search(X[:5], 1).ids.tolist() == made[1].search(X[:5], 1).ids.tolist()
    sections = [index._sections() for index in made]
    assert any(sections[0][name].tobytes() != sections[1][name].tobytes() for name in sections[0])


def test_facts_say_what_was_sorted_by() -> None:
    made = orderings(SIX, ["norm_asc", "category", "coreset", "given"], labels=LABELS, share=0.5)
    assert made["norm_asc"].facts == {
        "key": "length", "undefined": 0, "least": 1.0, "median": pytest.approx((2 + np.sqrt(18)) / 2),
        "greatest": pytest.approx(np.sqrt(162)),
    }  # fmt: skip
    assert made["category"].facts == {"key": "label", "groups": 3, "smallest": 1, "largest": 3}
    assert made["coreset"].facts["picks"] == 3
    assert made["given"].facts == {}


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("by", "options", "error", "message"),
    [
        ("lid", {}, ValueError, "by is 'lid', expected one of 'random', 'given', 'lid_desc'"),
        ("category", {}, ValueError, "order 'category' goes by labels, and none are given; give labels="),
        ("round_robin", {"labels": LABELS[:5]}, ValueError, r"labels has shape \(5,\), expected \(6,\)"),
        ("category", {"labels": "abcdef"}, TypeError, "labels is 'abcdef'"),
        ("category", {"labels": [1.5] * 6}, TypeError, "labels row 0 is 1.5"),
        ("category", {"labels": np.ones(6)}, TypeError, "labels has dtype float64"),
        ("category", {"labels": [1, 2, "a", 1, 2, 3]}, TypeError, "labels row 2 is 'a' beside numbers"),
        ("category", {"labels": ["a", "b", None, "a", "b", "c"]}, TypeError, "labels row 2 is None"),
        ("category", {"labels": np.ones((6, 1), int)}, ValueError, r"labels has shape \(6, 1\)"),
        ("random", {"labels": LABELS}, ValueError, "labels is given, but order 'random' takes none: it is for 'categ"),
        ("given", {"k": 5}, ValueError, "k is given, but order 'given' takes none"),
        ("lid_asc", {"n_clusters": 5}, ValueError, "n_clusters is given"),
        ("category", {"labels": LABELS, "share": 0.1}, ValueError, "share is given"),
        ("dense_first", {"lid": np.ones(6)}, ValueError, "lid is given"),
        ("lid_asc", {"lid": np.ones(6), "k": 3}, ValueError, "k is given"),
        ([0, 1, 2, 3, 4, 5], {"k": 3}, ValueError, "k is given, but order of a permutation takes none"),
        ("lid_asc", {"lid": np.ones(5)}, ValueError, r"lid has dtype float64 and shape \(5,\)"),
        ("lid_asc", {"k": 0}, ValueError, "k is 0"),
        ("lid_desc", {"metric": "ip"}, ValueError, "order 'lid_desc' goes by distances, and metric is 'ip'"),
        ("coreset", {"metric": "ip"}, ValueError, "order 'coreset' goes by distances"),
        ("random", {"metric": "dot"}, ValueError, "metric is 'dot'"),
        ("cluster", {"n_clusters": 7}, ValueError, "n_clusters is 7, expected at most the 6 rows"),
        ("cluster", {"n_clusters": 0}, ValueError, "n_clusters is 0"),
        ("coreset", {"share": 2}, ValueError, "share is 2"),
        ("random", {"seed": -1}, ValueError, "seed is -1"),
        ("random", {"threads": 0}, ValueError, "threads is 0"),
        (["random", "given"], {}, TypeError, "for several names take `orders`"),
        ([0, 1, 2, 3, 4], {}, ValueError, r"by has dtype int64 and shape \(5,\)"),
        ([0, 1, 2, 3, 4, 4], {}, ValueError, "by does not hold each row 0..5 once"),
        ([1, 2, 3, 4, 5, 6], {}, ValueError, "by does not hold each row 0..5 once"),
        (np.arange(6.0), {}, ValueError, "by has dtype float64"),
        (None, {}, ValueError, "by has dtype object"),
    ],
)
def test_what_cannot_be_is_named(by: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        order(SIX, by, **options)


@pytest.mark.parametrize("name", ORDERS)
def test_nan_is_refused_by_every_order(name: str) -> None:
    X = SIX.copy()
    X[2, 1] = np.nan
    with pytest.raises(ValueError, match="X row 2, column 1 is nan"):
        order(X, name, **options_of(name, 6))


def test_an_option_of_one_name_is_enough_and_an_unknown_one_is_named() -> None:
    assert list(orders(SIX, ["random", "category"], labels=LABELS)) == ["random", "category"]
    with pytest.raises(TypeError, match="label is no option"):
        orders(SIX, ["random"], label=LABELS)


@pytest.mark.parametrize("name", ["central_first", "cluster", "coreset", "lid_asc"])
def test_zero_rows_under_cosine_are_told_of_once(name: str) -> None:
    X = rows(60)
    X[[4, 8]] = 0
    with pytest.warns(UserWarning, match="2 zero row vectors") as told:
        order(X, name, metric="cosine")
    assert len(told) == 1


def test_it_is_public() -> None:
    assert vr.analysis.order is order
