"""Ranks of models by exact and by approximate search, against slow twins."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.analysis.fake_engines import FirstRows, nearest_of, seen
from vecrecall.analysis.ranks.judged import Judged
from vecrecall.analysis.ranks.result import RankShift, ranks_of
from vecrecall.analysis.retrieval import rank_shift

N, N_QUERIES, K = 260, 50, 5
EFS = (5, 40)
rng = np.random.default_rng(11)
X = rng.standard_normal((N, 10)).astype(np.float32)
Q = rng.standard_normal((N_QUERIES, 10)).astype(np.float32)
MODELS = {"six": (X[:, :6], Q[:, :6]), "ten": (X, Q), "three": (X[:, 2:5], Q[:, 2:5])}
RELEVANT = nearest_of(X, Q, np.arange(N), 3)
QRELS = {q: {int(row): 3 - place for place, row in enumerate(RELEVANT[q])} for q in range(N_QUERIES) if q % 5}


def shifted(models: Any = MODELS, qrels: Any = QRELS, **changes: Any) -> RankShift:
    given: dict[str, Any] = {"k": K, "ef": EFS, "metric": "l2", "engine": FirstRows(), "seeds": 2}
    return rank_shift(models, qrels, **{**given, **changes})


@pytest.fixture(scope="module")
def found() -> RankShift:
    return shifted()


def ndcg_of(rows: np.ndarray) -> np.ndarray:
    """By judged query, as trec_eval."""
    discounts = 1 / np.log2(np.arange(2, K + 2))
    values = []
    for q, relevant in QRELS.items():
        gains = np.array([relevant.get(int(row), 0) for row in rows[q]])
        ideal = np.array(sorted(relevant.values(), reverse=True) + [0] * K)[:K]
        values.append(gains @ discounts / (ideal @ discounts))
    return np.array(values)


def answers(model: str, ef: int) -> list[np.ndarray]:
    """By seed."""
    rows, queries = MODELS[model]
    return [nearest_of(rows, queries, seen(vr.analysis.order(rows, "random", seed=s), ef), K) for s in (0, 1)]


def test_figures_are_those_of_a_slow_twin(found: RankShift) -> None:
    assert [(row.ef, row.model) for row in found.rows] == [(ef, model) for ef in EFS for model in found.models]
    for row in found.rows:
        rows, queries = MODELS[row.model]
        exact = nearest_of(rows, queries, np.arange(N), K)
        ours = answers(row.model, row.ef)
        of_exact, of_ours = ndcg_of(exact), np.mean([ndcg_of(each) for each in ours], axis=0)
        recall = np.mean([[len(set(a) & set(e)) / K for a, e in zip(each.tolist(), exact.tolist())] for each in ours])
        held = [(q, row) for q, relevant in QRELS.items() for row in exact[q].tolist() if row in relevant]
        lost = np.mean([[row not in each[q] for q, row in held] for each in ours])
        assert (row.ndcg_exact, row.ndcg) == pytest.approx((of_exact.mean(), of_ours.mean()))
        assert row.loss == pytest.approx(1 - of_ours.sum() / of_exact.sum())
        assert (row.recall, row.lost) == pytest.approx((recall, lost))
        assert row.dim == rows.shape[1]
        for name in ("ndcg_exact", "ndcg", "loss", "recall", "lost"):
            assert getattr(row, f"{name}_low") <= getattr(row, name) <= getattr(row, f"{name}_high")


def test_the_model_that_the_judgements_were_made_by_is_the_first(found: RankShift) -> None:
    assert found.models == ("ten", "six", "three") and (found.n, found.n_queries, found.n_judged) == (N, 50, 40)
    assert [row.rank_exact for row in found.rows[:3]] == [1, 2, 3]
    assert found.rows[0].ndcg_exact == 1.0 and found.rows[0].rank_exact_high == 1


def judged(name: str, exact: list[float], approximate: list[float]) -> Judged:
    of_exact, of_ours = np.array(exact), np.array([approximate])
    return Judged(name, 4, of_exact, of_ours, np.ones(len(exact)), 0 * of_ours, np.ones((1, len(exact))))


def ranked(*models: Judged) -> dict[str, Any]:
    shift = RankShift(list(models), (10,), k=10, n=9, n_seeds=1, engine="fake", level=0.95, seed=0)
    return {row.model: row for row in shift.rows}


def test_a_model_that_loses_more_changes_its_place() -> None:
    good, fair = [0.9, 0.8] * 30, [0.8, 0.7] * 30
    rows = ranked(judged("wide", good, [0.5, 0.4] * 30), judged("narrow", fair, fair))
    wide, narrow = rows["wide"], rows["narrow"]
    assert (wide.rank_exact, wide.rank, wide.moved) == (1, 2, -1)
    assert (narrow.rank_exact, narrow.rank, narrow.moved) == (2, 1, 1)
    assert (wide.moved_low, wide.moved_high, wide.p_moved) == (-1, -1, 1.0)


def test_ranks_are_resampled_with_the_same_queries_for_all() -> None:
    hard = np.tile([0.05, 0.95], 30)  # queries differ much, models always by a little
    rows = ranked(*(judged(f"m{i}", (hard - 0.01 * i).tolist(), (hard - 0.01 * i).tolist()) for i in range(4)))
    for place, row in enumerate(rows.values(), start=1):
        assert (row.rank, row.rank_low, row.rank_high, row.p_moved) == (place, place, place, 0.0)
        assert row.ndcg_high - row.ndcg_low > 0.1


def test_models_that_differ_by_chance_have_an_interval_of_ranks() -> None:
    noise = np.random.default_rng(0).random((2, 60))
    rows = ranked(judged("a", noise[0].tolist(), noise[0].tolist()), judged("b", noise[1].tolist(), noise[0].tolist()))
    assert (rows["a"].rank_exact_low, rows["a"].rank_exact_high) == (1, 2)
    assert 0 < rows["b"].p_moved < 1


def test_equal_models_share_the_better_place() -> None:
    rows = ranked(*(judged(name, [0.5] * 9, [0.4] * 9) for name in "ab"), judged("c", [0.1] * 9, [0.1] * 9))
    assert [row.rank for row in rows.values()] == [1, 1, 3] and [row.moved for row in rows.values()] == [0, 0, 0]
    assert ranks_of(np.array([[3.0, 1.0, 3.0], [1.0, 2.0, 3.0]])).tolist() == [[1, 3, 1], [3, 2, 1]]


def test_names_of_documents_and_queries_are_the_callers() -> None:
    names = [f"d{row}" for row in range(N)]
    named = {f"q{q}": {f"d{row}": grade for row, grade in of.items()} for q, of in QRELS.items()}
    query_ids = [f"q{q}" for q in range(N_QUERIES)]
    one, other = shifted(), shifted(qrels=named, ids=names, query_ids=query_ids)
    assert one.as_dicts() == other.as_dicts()


def test_one_relevant_row_a_query_will_do() -> None:
    found = shifted(qrels=RELEVANT[:, 0])
    assert found.n_judged == N_QUERIES and found.rows[0].ndcg_exact == 1.0


def test_the_order_of_insertion_is_that_of_each_model() -> None:
    near = np.argsort(((X - Q.mean(axis=0)) ** 2).sum(axis=1))
    first, last = (shifted({"ten": (X, Q)}, order=rows).rows[0] for rows in (near, near[::-1]))
    assert first.recall > last.recall and first.loss < last.loss
    engine = FirstRows()
    shifted(order="norm_asc", engine=engine, seeds=1)
    wanted = [vr.analysis.order(rows, "norm_asc").tobytes() for rows, _ in MODELS.values()]
    assert [built[0] for built in engine.built] == wanted


def test_tables_and_files_hold_every_model_and_ef(found: RankShift, tmp_path: Path) -> None:
    lines = found.table().split("\n")
    assert len(lines) == 2 + 3 and lines[2].startswith("| ten | 1.0000 (") and "rank exact / 5 / 40" in lines[0]
    assert repr(found).startswith("Ranks of 3 models of 260 rows, 40 of 50 queries judged; first-rows, 2 seeds")
    found.to_csv(tmp_path / "ranks.csv")
    with open(tmp_path / "ranks.csv", newline="") as file:
        assert [float(row["loss"]) for row in csv.DictReader(file)] == pytest.approx([row.loss for row in found.rows])
    pytest.importorskip("pandas")
    assert list(found.to_pandas().columns) == list(found.as_dicts()[0])
    parquet = pytest.importorskip("pyarrow.parquet")
    found.to_parquet(tmp_path / "ranks.parquet")
    assert parquet.read_table(tmp_path / "ranks.parquet").num_rows == 6


def test_the_picture_is_drawn_in_the_format_of_its_suffix(found: RankShift, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found.plot(tmp_path / "ranks.svg")
    text = (tmp_path / "ranks.svg").read_text()
    assert text.startswith("<?xml")
    for words in ("ten  1", "six  2", "three  3", "exact", "ef = 5", "ef = 40", "rank by nDCG@5", "nDCG@5"):
        assert f"<!-- {words} -->" in text, words
    with pytest.raises(ValueError, match="ends in ''"):
        found.plot(tmp_path / "ranks")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"models": {}}, TypeError, "models is {}, expected a mapping"),
        ({"models": [(X, Q)]}, TypeError, "expected a mapping of names"),
        ({"models": {"m": X}}, TypeError, r"model 'm' is a ndarray, expected \(X, Q\)"),
        ({"models": {"m": (X, Q[:, :3])}}, ValueError, "Q of model 'm' has 3 columns"),
        ({"models": {"m": (X[:4], Q)}}, ValueError, "model 'm' has 50 queries and 4 rows"),
        ({"models": {"m": (X, Q), "l": (X[:99], Q)}}, ValueError, "model 'l' has 99 rows and 50 queries"),
        ({"models": {"m": (X * np.nan, Q)}}, ValueError, "X of model 'm' row 0"),
        ({"qrels": {"q9": {"d1": 1}}}, ValueError, "qrels judge none of the 50 queries"),
        ({"ef": 4}, ValueError, "ef is 4, expected at least k=5"),
        ({"engine": "annoy"}, ValueError, "an engine is 'annoy'"),
        ({"order": "by_magic"}, ValueError, "by_magic"),
        ({"metric": "cos"}, ValueError, "metric is 'cos'"),
        ({"seeds": 0}, ValueError, "seeds is 0"),
        ({"ids": [1] * N}, ValueError, "1"),
        ({"ids": [1, 2]}, ValueError, "2"),
    ],
)
def test_arguments_that_are_none_are_refused_before_anything_is_built(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    engine = FirstRows()
    with pytest.raises(error, match=words):
        shifted(**{"engine": engine, **changes})
    assert engine.built == []


def test_judgements_of_other_documents_are_warned_of() -> None:
    others = {q: {int(row) + 10_000: 1 for row in RELEVANT[q]} for q in range(N_QUERIES)}
    with pytest.warns(UserWarning, match="holds 0 of the"):
        found = shifted(qrels=others)
    assert np.isnan(found.rows[0].lost) and found.rows[0].ndcg == 0


def test_a_real_engine_ranks_as_exact_search_where_it_finds_all() -> None:
    shift = shifted(engine="sequential", ef=200, seeds=1)
    assert [row.moved for row in shift.rows] == [0, 0, 0] and min(row.recall for row in shift.rows) > 0.99
