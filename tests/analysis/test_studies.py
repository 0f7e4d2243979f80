"""Studies: what is built, and what is made of it, by an engine whose answers are known."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.analysis.fake_engines import FirstRows, nearest_of, seen
from vecrecall.analysis.studies import Study, study
from vecrecall.analysis.studying.asked import ladder, query_lid
from vecrecall.analysis.studying.findings import Point

N, DIM, N_QUERIES, K = 300, 6, 40, 5
EFS = (5, 20)
rng = np.random.default_rng(7)
X = rng.standard_normal((N, DIM)).astype(np.float32)
Q = rng.standard_normal((N_QUERIES, DIM)).astype(np.float32)
LABELS = rng.integers(0, 4, N)


def studied(**changes: Any) -> Study:
    given: dict[str, Any] = {
        "orders": ["random", "norm_asc"], "engines": FirstRows(), "ef": EFS, "k": K, "seeds": 3,
    }  # fmt: skip
    return study(X, Q, **{**given, **changes})


@pytest.fixture(scope="module")
def found() -> Study:
    return studied(evals=[50, 60.5, 90])


def true_recall(order: np.ndarray, ef: int) -> np.ndarray:
    """By query, computed anew."""
    true = nearest_of(X, Q, np.arange(N), K)
    answers = nearest_of(X, Q, seen(order, ef), K)
    return np.array([len(set(a) & set(t)) / K for a, t in zip(answers.tolist(), true.tolist(), strict=True)])


def orders_of(name: str) -> list[np.ndarray]:
    return [vr.analysis.order(X, name, seed=seed) for seed in range(3)]


def recall_at(order: np.ndarray, point: Point) -> np.ndarray:
    """By query, at an ef or between the ladder's efs."""
    if point.ef is not None:
        return true_recall(order, point.ef)
    efs = ladder(EFS, K)
    evals, recalls = [20.0 + 4 * ef for ef in efs], np.stack([true_recall(order, ef) for ef in efs])
    return np.array([np.interp(point.evals, evals, of_query) for of_query in recalls.T])


def test_recall_difference_and_spread_are_those_of_a_slow_twin(found: Study) -> None:
    for row in found.rows:
        own = np.stack([recall_at(order, row.point) for order in orders_of(row.order)])
        random = np.stack([recall_at(order, row.point) for order in orders_of("random")])
        assert row.n_seeds == 3
        assert row.recall == pytest.approx(own.mean())
        assert row.sd == pytest.approx(own.mean(axis=1).std(ddof=1))
        assert row.low < row.recall < row.high
        if row.order == "random":
            assert np.isnan([row.difference, row.difference_low, row.difference_high]).all()
            continue
        differences = own.mean(axis=0) - random.mean(axis=0)
        assert row.difference == pytest.approx(differences.mean())
        stretched = vr.intervals.bootstrap((differences + 1) / 2, 0.95)
        assert (row.difference_low, row.difference_high) == pytest.approx([2 * end - 1 for end in stretched], abs=0.03)


def test_points_are_the_efs_and_the_numbers_of_evaluations(found: Study) -> None:
    assert found.points == [Point(ef=5), Point(ef=20), Point(evals=50.0), Point(evals=60.5), Point(evals=90.0)]
    evals = {str(row.point): row.evals for row in found.rows}
    assert evals == {
        "ef = 5": 40.0, "ef = 20": 100.0, "50 evaluations": 50.0, "60.5 evaluations": 60.5, "90 evaluations": 90.0,
    }  # fmt: skip


def test_an_order_that_puts_what_is_asked_for_first_is_seen_to_be_better() -> None:
    near = np.argsort(((X - Q.mean(axis=0)) ** 2).sum(axis=1))
    far = near[::-1]
    rows = studied(orders={"random": None, "near": near, "far": far}, ef=10, evals=()).rows
    by_order = {row.order: row for row in rows}
    assert by_order["near"].difference_low > 0 > by_order["far"].difference_high


def test_a_paired_difference_is_surer_than_two_recalls(found: Study) -> None:
    row = next(row for row in found.rows if row.order == "norm_asc" and row.point == Point(ef=20))
    random = next(row for row in found.rows if row.order == "random" and row.point == Point(ef=20))
    assert row.difference_high - row.difference_low < 2 * ((row.high - row.low) + (random.high - random.low))


def test_evaluations_that_a_graph_was_not_measured_at_give_nothing(found: Study) -> None:
    rows = studied(evals=[39, 5_000]).rows
    assert all(np.isnan([row.recall, row.low, row.difference]).all() for row in rows if row.point.ef is None)


class Dearer(FirstRows):
    """Its graphs of seed 0 in random order take ten times as many evaluations."""

    def build(self, X: np.ndarray, order: np.ndarray, **given: Any) -> Any:
        graph = super().build(X, order, **given)
        if given["seed"] == 0 and not np.array_equal(order, orders_of("norm_asc")[0]):
            cheap = graph.index.search
            graph.index.search = lambda *args, **kinds: _times_ten(cheap(*args, **kinds))
        return graph


def _times_ten(hits: vr.Hits) -> vr.Hits:
    return vr.Hits(hits.ids, hits.distances, 10 * hits.evals, hits.metric)


def test_evaluations_that_one_graph_of_several_was_not_measured_at_give_nothing() -> None:
    found = studied(engines=Dearer(), evals=[90])
    by_order = {row.order: row for row in found.rows if row.point.evals == 90}
    assert np.isnan([by_order["random"].recall, by_order["norm_asc"].difference]).all()
    assert by_order["norm_asc"].recall > 0  # all of its graphs were
    assert [np.isnan(record["spread"]) for record in found.as_dicts("spreads")] == [False, False, True]


def test_levels_are_chosen_where_every_order_was_measured() -> None:
    found = studied()
    assert found.evals and found.evals[0] >= 40 and all(not np.isnan(row.recall) for row in found.rows)


def test_an_engine_without_a_graph_has_recall_at_ef_only() -> None:
    found = studied(engines=FirstRows(walks=False))
    assert found.evals == () and {row.point.ef for row in found.rows} == set(EFS)
    assert all(np.isnan([row.evals, row.hops, row.agreement]).all() and row.recall > 0 for row in found.rows)


def test_seeds_and_parameters_are_crossed() -> None:
    engine = FirstRows()
    found = studied(engines=engine, seeds=[4, 9], M=[8, 4], ef_construction=[30, 60], ef=5)
    assert len(engine.built) == len(set(engine.built)) == 2 * 2 * 2 * 2
    assert {built[1:] for built in engine.built} == {(s, m, e) for s in (4, 9) for m in (4, 8) for e in (30, 60)}
    assert len({built[0] for built in engine.built}) == 3  # two random orders, and one by norm
    assert len(found.as_dicts("seeds")) == 16 * len(found.points)
    with pytest.raises(ValueError, match="engine='first-rows', M=None, ef_construction=None fits 4 of the ways"):
        found.table(engine="first-rows")
    assert "| norm_asc x 2 |" in found.table(engine="first-rows", M=8, ef_construction=30)
    assert "first-rows, M=4, ef_construction=60" in found.table(ef=5)


def test_recall_by_tenth_of_lid_is_that_of_these_queries(found: Study) -> None:
    distances = np.sort(np.sqrt(((Q[:, None] - X[None]) ** 2).sum(axis=-1)), axis=1)[:, :100]
    lid = 99 / np.log(distances[:, -1:] / distances[:, :-1]).sum(axis=1)
    ranked = np.argsort(lid, kind="stable")
    records = [each for each in found.as_dicts("lid") if each["ef"] == 20 and each["order"] == "norm_asc"]
    assert [each["lid_decile"] for each in records] == list(range(1, 11))
    recall = np.mean([true_recall(order, 20) for order in orders_of("norm_asc")], axis=0)
    random = np.mean([true_recall(order, 20) for order in orders_of("random")], axis=0)
    for each, queries in zip(records, np.split(ranked, 10), strict=True):
        assert each["n_queries"] == 4 and each["recall"] == pytest.approx(recall[queries].mean())
        assert each["difference"] == pytest.approx((recall - random)[queries].mean())
        assert (each["lid_from"], each["lid_to"]) == pytest.approx((lid[queries[0]], lid[queries[-1]]), rel=1e-5)
    assert found.lid == pytest.approx(lid.mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("distances", "metric", "lid"),
    [
        ([1.0, 2.0, 4.0], "l2", 2 / np.log(8)),
        ([0.0, 1.0, 2.0, 4.0], "l2", 2 / np.log(8)),  # copies of the query say nothing
        ([0.5, 2.0, 8.0], "cosine", 2 / np.log(8)),  # as chords 1, 2, 4
        ([0.0, 0.0, 1.0, 2.0], "l2", np.nan),
        ([1.0, 1.0, 1.0], "l2", np.nan),
        ([1.0, 2.0, 4.0], "ip", np.nan),
    ],
)
def test_the_lid_of_a_query_is_undefined_where_distances_say_nothing(
    distances: list[float], metric: str, lid: float
) -> None:
    assert query_lid(np.array([distances]), metric) == pytest.approx([lid], nan_ok=True)


def test_tables_name_orders_points_and_differences(found: Study) -> None:
    lines = found.table(engine="first-rows").split("\n")
    assert lines[0].startswith("| order | ef = 5 | ef = 20 | 50 evaluations | 60.5 evaluations | 90 evaluations |")
    random, by_norm = found.rows[0], found.rows[1]
    assert lines[2].startswith(f"| random x 3 | {random.recall:.4f} (sd {random.sd:.4f}) |")
    ends = f"{100 * by_norm.difference_low:+.2f}..{100 * by_norm.difference_high:+.2f}"
    assert lines[3].startswith(f"| norm_asc x 3 | {by_norm.recall:.4f} ({100 * by_norm.difference:+.2f}: {ends}) |")
    assert found.table(evals=90).split("\n")[0] == "| order | first-rows |"
    assert repr(found).startswith("Study of 300 vectors of 6 dimensions, metric l2; 40 queries, recall@5")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "nothing was given, expected one of engine, ef and evals"),
        ({"ef": 5, "evals": 90}, "ef and evals was given"),
        ({"ef": 6}, "there is no ef = 6 in this study, expected one of ef = 5, ef = 20, 50 evaluations"),
        ({"engine": "hnswlib"}, "fits 0 of the ways to build, expected one of first-rows, M=16"),
        ({"ef": 5, "M": 16}, "M or ef_construction was given without engine"),
    ],
)
def test_a_table_of_what_is_not_there_is_refused(found: Study, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        found.table(**given)


def test_the_spread_is_between_the_worst_and_the_best_order(found: Study) -> None:
    for record in found.as_dicts("spreads"):
        recalls = {row.order: row.recall for row in found.rows if row.point == Point(record["ef"], record["evals"])}
        assert record["n_orders"] == 2
        assert record["spread"] == pytest.approx(max(recalls.values()) - min(recalls.values()))
        assert recalls[record["smallest_order"]] == record["smallest"] <= record["largest"]
    first = found.as_dicts("spreads")[0]
    cell = f"{first['smallest']:.4f}..{first['largest']:.4f} ({100 * first['spread']:.2f})"
    assert found.spreads().split("\n")[2].startswith(f"| first-rows | 2 | {cell} |")


def test_engines_whose_orders_do_the_same_have_no_gap() -> None:
    near = np.argsort(((X - Q.mean(axis=0)) ** 2).sum(axis=1))
    orders = {"random": None, "near": near}

    class Indifferent(FirstRows):
        def build(self, X: np.ndarray, order: np.ndarray, **given: Any) -> Any:
            return super().build(X, np.random.default_rng(given["seed"]).permutation(len(X)), **given)

    engines = [FirstRows(), FirstRows("twin"), Indifferent("indifferent")]
    found = studied(orders=orders, engines=engines, evals=())
    for gap in found.gaps("first-rows", "twin"):
        assert gap["order"] == "near" and gap["difference"] == gap["other_difference"] > 0
        assert gap["gap"] == pytest.approx(0) and gap["gap_low"] < 0 < gap["gap_high"]
    at_5, at_20 = found.gaps("first-rows", "indifferent")
    assert at_5["gap"] == pytest.approx(at_5["difference"]) and at_20["gap_low"] > 0 == at_20["other_difference"]


@pytest.mark.parametrize("table", ["orders", "seeds", "lid", "spreads"])
def test_every_table_is_tidy_in_every_form(found: Study, table: str, tmp_path: Path) -> None:
    records = found.as_dicts(table)
    assert all(list(record) == list(records[0]) for record in records)
    found.to_csv(tmp_path / "t.csv", table)
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(records)
    name = "largest" if table == "spreads" else "recall"
    assert [float(row[name]) for row in rows] == pytest.approx([record[name] for record in records])
    pytest.importorskip("pandas")
    assert list(found.to_pandas(table).columns) == list(records[0])
    parquet = pytest.importorskip("pyarrow.parquet")
    found.to_parquet(tmp_path / "t.parquet", table)
    assert parquet.read_table(tmp_path / "t.parquet").num_rows == len(records)


def test_pictures_name_what_they_show(found: Study, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found.plot(tmp_path / "orders.svg")
    found.plot_lid(tmp_path / "lid.svg", ef=20)
    Study.plot_dimension({2: found, 8: found}, tmp_path / "dimension.svg")
    for name, more in (
        ("orders", ("at ef = 5", "at ef = 20", "at 50 evaluations", "at 90 evaluations", "first-rows")),
        ("lid", ("LID of the query, by tenth of the queries", "recall@5 at ef = 20", "first-rows")),
        ("dimension", ("intrinsic dimension", "ef = 5", "ef = 20", "recall@5, first-rows")),
    ):
        text = (tmp_path / f"{name}.svg").read_text()
        assert text.startswith("<?xml")
        for words in ("random", "norm_asc", *more):
            assert f"<!-- {words} -->" in text, (name, words)
        assert text.count("LineCollection") >= 2  # the intervals


def test_pictures_are_drawn_in_the_format_of_their_suffix(found: Study, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found.plot(tmp_path / "differences.pdf", differences=True, ef=20)
    found.plot_lid(tmp_path / "lid.png", engine="first-rows")
    assert (tmp_path / "differences.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "lid.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_that_cannot_be_drawn_are_refused(found: Study, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="ends in 'gifs', expected one of"):
        found.plot(tmp_path / "orders.gifs")
    with pytest.raises(ValueError, match="ef is 6, expected one of the study's: 5, 20"):
        found.plot_lid(tmp_path / "lid.png", ef=6)
    with pytest.raises(ValueError, match="engine is 'annoy', expected one of 'first-rows'"):
        found.plot_lid(tmp_path / "lid.png", engine="annoy")
    with pytest.raises(ValueError, match="1 studies were given, expected two or more"):
        Study.plot_dimension([found], tmp_path / "dimension.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"orders": "by_magic"}, ValueError, "an order is 'by_magic', expected one of 'random'"),
        ({"orders": []}, ValueError, "orders names none"),
        ({"orders": 3}, TypeError, "orders is 3, expected names"),
        ({"orders": ["category"]}, ValueError, "order 'category' goes by labels, and none are given"),
        ({"orders": {"random": np.arange(N)}}, ValueError, "under the name 'random', expected a name of your own"),
        ({"orders": {"mine": np.zeros(N, int)}}, ValueError, "does not hold each row"),
        ({"orders": ["lid_asc"], "metric": "ip"}, ValueError, "order 'lid_asc' goes by distances, and metric is 'ip'"),
        ({"engines": "annoy"}, ValueError, "an engine is 'annoy', expected one of 'sequential'"),
        ({"engines": [object()]}, TypeError, "expected one of 'sequential'.* or an object with name and build"),
        ({"engines": FirstRows}, TypeError, "an object with name and build"),
        ({"engines": []}, ValueError, "engines are none"),
        ({"engines": [FirstRows(), FirstRows()]}, ValueError, "first-rows, first-rows, expected one or more, each of"),
        ({"seeds": 0}, ValueError, "seeds is 0"),
        ({"seeds": []}, ValueError, "seeds is empty"),
        ({"ef": 4}, ValueError, "ef is 4, expected at least k=5"),
        ({"ef": []}, ValueError, "ef is empty"),
        ({"M": 1}, ValueError, "M is 1"),
        ({"k": N + 1, "ef": N + 1}, ValueError, "300 rows, expected queries and at least k=301 rows"),
        ({"metric": "cos"}, ValueError, "metric is 'cos'"),
        ({"labels": LABELS[1:]}, ValueError, "labels have dtype int64 and shape"),
        ({"evals": [0]}, ValueError, "evals are .*expected numbers above 0"),
        ({"level": 1.5}, ValueError, "level is 1.5"),
    ],
)
def test_arguments_that_are_none_are_refused_before_anything_is_built(
    changes: dict[str, Any], error: type[Exception], words: str, tmp_path: Path
) -> None:
    engine = FirstRows()
    with pytest.raises(error, match=words):
        studied(**{"engines": engine, "record": tmp_path / "record", **changes})
    assert engine.built == [] and list(tmp_path.iterdir()) == []


class Wrong(FirstRows):
    """Answers something else."""

    def __init__(self, answer: Any) -> None:
        super().__init__("wrong")
        self.answer = answer

    def build(self, X: np.ndarray, order: np.ndarray, **given: Any) -> Any:
        built = super().build(X, order, **given)
        built.search = lambda Q, k, ef: self.answer
        return built


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (np.zeros((N_QUERIES, 2), int), TypeError, r"wrong answered with int64 of shape \(40, 2\), expected rows of X"),
        (np.zeros((N_QUERIES, K)), TypeError, "wrong answered with float64"),
        (np.full((N_QUERIES, K), N), ValueError, "wrong answered with row 300, expected 0 to 299, or -1"),
        (np.full((N_QUERIES, K), -2), ValueError, "wrong answered with row -2"),
    ],
)
def test_an_engine_that_answers_something_else_is_refused(answer: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        studied(engines=Wrong(answer))


def test_an_answer_that_is_given_twice_or_missing_counts_once_or_not() -> None:
    true = nearest_of(X, Q, np.arange(N), K)
    answer = true.copy()
    answer[:, 1], answer[:, 2] = answer[:, 0], -1
    rows = studied(engines=_Asked(answer), orders="random", seeds=1, evals=()).rows
    assert [row.recall for row in rows] == [pytest.approx(0.6), pytest.approx(0.6)]
    assert rows[0].self_recall == pytest.approx(float(np.isin(np.arange(N), answer[:1]).mean()))


class _Asked(Wrong):
    """Answers the queries of the study as it was told, and stored rows as it answers the first of these."""

    def build(self, X: np.ndarray, order: np.ndarray, **given: Any) -> Any:
        built = super().build(X, order, **given)
        first = self.answer[:1]
        built.search = lambda Q, k, ef: self.answer if len(Q) == N_QUERIES else np.repeat(first, len(Q), axis=0)
        return built


def test_rows_that_are_equal_find_each_other() -> None:
    doubled = np.concatenate([X[:148], X[:148]])  # the search sees 148 rows: one of each pair
    rows = study(doubled, Q, orders=["given"], engines=FirstRows(), ef=32, k=K, seeds=1, evals=()).rows
    assert rows[0].self_recall == 1.0 and 0.6 <= rows[0].recall < 0.7  # the pairs of the nearest three are five rows
