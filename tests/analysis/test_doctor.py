"""The doctor: what it measures is what the library itself gives, faults are found, and what it writes is what it says.

Most tests write files of hnswlib by `hnswlib_of`; those that ask hnswlib or faiss themselves need these packages.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.analysis.hand_made import chain, graph_of, index_of
from vecrecall.analysis.doctor.examining import doctor
from vecrecall.analysis.doctor.findings import Diagnosis
from vecrecall.analysis.doctor.measuring import Recalls
from vecrecall.analysis.doctor.rules import findings_of
from vecrecall.analysis.self_recall import SelfRecall, self_recall
from vecrecall.errors import IndexFileError
from vecrecall.hnsw.graph import Graph
from vecrecall.io.foreign import hnswlib_of, read_hnswlib, write_hnswlib

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1500, 12)).astype(np.float32)
Q = RNG.normal(size=(150, 12)).astype(np.float32)
TEXTBOOK: Any = {"storage": "f32", "schedule": "sequential"}
SMALL: Any = {"M": 6, "ef_construction": 40}


def in_groups(n_groups: int = 100, of_each: int = 100, dim: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """(rows, labels): groups far apart, one after the other."""
    rng = np.random.default_rng(0)
    centres, labels = rng.normal(0, 10, (n_groups, dim)), np.repeat(np.arange(n_groups), of_each)
    return (centres[labels] + rng.normal(size=(len(labels), dim))).astype(np.float32), labels


def file_of(path: Path, rows: np.ndarray = X, space: str = "l2", graph: Graph | None = None, **more: Any) -> Path:
    """A file of hnswlib with the graph of a textbook build in the given order."""
    if graph is None:
        graph = vr.HNSW.build(rows, metric=space, order="given", **TEXTBOOK, **SMALL)._content.graph
    write_hnswlib(hnswlib_of(rows, graph, space=space, ef_construction=40, **more), path)
    return path


def examine(source: Any, **options: Any) -> Diagnosis:
    """A doctor who looks at fewer rows."""
    return doctor(source, **({"sample": 200} | options))


def names(diagnosis: Diagnosis, severity: str = "fault") -> list[str]:
    return [finding.name for finding in diagnosis.findings if finding.severity == severity]


def recall_of(answers: Any, truth: Any) -> float:
    return float(vr.recall(np.asarray(answers).astype(np.int64), truth, by="id"))


@pytest.fixture(scope="module")
def healthy() -> Diagnosis:
    return examine(vr.HNSW.build(X, **TEXTBOOK), queries=Q, ef=(10, 64))


# --- the fault that ef does not cure -----------------------------------------------------------------------------


def test_the_fault_of_groups_is_found_in_a_file_of_hnswlib_and_mended_for_hnswlib(tmp_path: Path) -> None:
    hnswlib = pytest.importorskip("hnswlib")
    rows, labels = in_groups()
    library = hnswlib.Index("l2", 64)
    library.init_index(len(rows), M=16, ef_construction=128, random_seed=100)
    library.add_items(rows, num_threads=1)
    library.save_index(str(tmp_path / "groups.bin"))
    before = (tmp_path / "groups.bin").read_bytes()
    diagnosis = doctor(tmp_path / "groups.bin", space="l2", labels=labels)
    assert {"lost rows", "lost groups", "recall that ef does not cure"} <= set(names(diagnosis))
    assert not diagnosis.healthy and diagnosis.verdict.startswith("Not healthy: lost rows, lost groups, recall that")
    assert f"vecrecall doctor {tmp_path / 'groups.bin'} --space l2 --fix OUT" in diagnosis.findings[0].remedy
    repair = diagnosis.fix(tmp_path / "mended.bin")
    assert (repair.format, repair.n_left_out, repair.reached) == ("hnswlib", 0, True)
    assert repair.self_recall is not None and repair.self_recall >= 0.999
    assert repair.after.healthy and (tmp_path / "groups.bin").read_bytes() == before
    # what hnswlib itself finds in the file, of the same queries and the same rows
    mended = hnswlib.Index("l2", 64)
    mended.load_index(str(tmp_path / "mended.bin"))
    queries, sample = diagnosis.questions.queries, diagnosis.questions.sample
    truth = vr.Exact.build(rows).search(queries, 10)
    for row in repair.rows[:3]:
        mended.set_ef(row["ef"])
        assert recall_of(mended.knn_query(queries, 10, num_threads=1)[0], truth) == pytest.approx(row["recall_after"])
        found = (mended.knn_query(rows[sample], 10, num_threads=1)[0] == sample[:, None]).any(axis=1).mean()
        assert found == pytest.approx(row["self_recall_after"])
    equal = [row for row in repair.rows if row["evals"]]
    assert equal and all(row["evals_before"] == row["evals"] == row["evals_after"] for row in equal)
    assert all(row["recall_after"] > row["recall_before"] and row["difference_low"] > 0 for row in equal)


def test_the_fault_of_groups_is_found_and_mended_in_an_index_of_this_library(tmp_path: Path) -> None:
    rows, labels = in_groups()
    grouped = vr.HNSW.build(rows, order="given", M=16, ef_construction=128, ids=labels * 1000 + np.arange(10000) % 100,
                            **TEXTBOOK)  # fmt: skip
    grouped.save(tmp_path / "groups.vr")
    diagnosis = doctor(tmp_path / "groups.vr")
    assert "lost rows" in names(diagnosis)
    repair = diagnosis.fix(tmp_path / "mended.vr")
    assert repair.format == "vecrecall" and repair.reached
    mended = vr.load(tmp_path / "mended.vr")
    mended.check()
    assert mended.search(rows[777], k=1).ids.tolist() == [7 * 1000 + 77]
    assert (mended._settings.M, mended.ef_construction, mended._settings.storage) == (16, 128, "f32")


def test_a_fix_that_does_not_reach_what_it_should_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecrecall.analysis.doctor.repair.TARGET", 1.1)
    repair = examine(file_of(tmp_path / "a.bin"), space="l2").fix(tmp_path / "out.bin")
    assert not repair.reached and "the fix did not reach self-recall 1.1 at ef=128" in repr(repair)


# --- figures are those of the library itself ---------------------------------------------------------------------


def test_recall_of_given_queries_is_that_of_the_index(healthy: Diagnosis) -> None:
    index = healthy.patient.index
    truth = vr.Exact.build(X).search(Q, 10)
    assert healthy.queries == "150 queries given" and [row["ef"] for row in healthy.recall[:2]] == [10, 14]
    for row in healthy.recall:
        hits = index.search(Q, 10, ef=row["ef"])
        assert row["recall"] == pytest.approx(float(vr.recall(hits, truth)))
        assert (row["evals"], row["hops"]) == (hits.evals.mean(), hits.hops.mean())
        assert row["low"] <= row["recall"] <= row["high"]


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_rows_find_themselves_as_the_health_of_a_graph_has_it(metric: str) -> None:
    index = vr.HNSW.build(X, metric=metric, **TEXTBOOK, M=3, ef_construction=6)
    recall = examine(index, ef=10, sample=1500).self_recall
    assert recall.ef[:2] == (10, 128) and not recall.found[0].all()
    for ef, found in zip(recall.ef, recall.found):
        assert np.array_equal(found, self_recall(index, recall.slots, ef))


def test_a_healthy_index_is_told_which_ef_it_needs(healthy: Diagnosis) -> None:
    assert healthy.healthy and names(healthy) == []
    ef = healthy.ef_for[0.95]
    at = {row["ef"]: row for row in healthy.recall}
    assert ef in at and at[ef]["low"] >= 0.95
    assert all(row["low"] < 0.95 or row["recall"] < 0.95 for one, row in at.items() if one < ef)
    assert healthy.verdict.startswith(f"Healthy: no fault was found; ef={ef} gives recall@10 0.95")


def test_queries_made_of_rows_are_off_the_data_and_of_living_rows_alone(tmp_path: Path) -> None:
    deleted = X[:, 0] > 0
    diagnosis = examine(file_of(tmp_path / "a.bin", deleted=deleted), space="l2", sample=100)
    asked = diagnosis.questions.queries
    assert asked is not None and asked.shape == (100, 12) and "queries made of its own rows" in diagnosis.queries
    far = np.linalg.norm(asked[:, None] - X[None], axis=2)
    assert far.min() > 0.01
    assert not deleted[diagnosis.self_recall.slots].any()


@pytest.mark.parametrize("space", ["l2", "cosine", "ip"])
def test_deleted_rows_are_walked_over_as_hnswlib_does(space: str) -> None:
    hnswlib = pytest.importorskip("hnswlib")
    library = hnswlib.Index(space, 12)
    library.init_index(len(X), M=6, ef_construction=40, random_seed=1)
    library.add_items(X, np.arange(len(X)) + 5000, num_threads=1)
    deleted = (X[:, 0] > 0.8) | (RNG.random(len(X)) < 0.2)
    for row in np.flatnonzero(deleted):
        library.mark_deleted(row + 5000)
    living = np.flatnonzero(~deleted)
    truth = vr.Exact.build(X[living], metric=space, ids=living + 5000).search(Q, 10)
    diagnosis = examine(library, queries=Q, ef=(10, 40), threads=2)
    assert (diagnosis.n, diagnosis.n_deleted) == (1500, deleted.sum())
    for row in diagnosis.recall:
        library.set_ef(int(row["ef"]))
        assert recall_of(library.knn_query(Q, 10, num_threads=1)[0], truth) == pytest.approx(row["recall"], abs=1e-3)


def living_twin(graph: Graph, rows: np.ndarray, deleted: np.ndarray, query: np.ndarray, k: int, ef: int) -> list[int]:
    """The same walk with sets and sorted lists, by squared distance."""
    far = ((rows.astype(np.float64) - query) ** 2).sum(axis=1)
    node = graph.entry
    for level in range(graph.top, 0, -1):
        while True:
            at = graph.upper_at[node] + level - 1
            best = min([node, *graph.upper[at, : graph.n_upper_links[at]].tolist()], key=lambda one: far[one])
            if best == node:
                break
            node = best
    seen, waiting, found = {node}, {node}, [node] if not deleted[node] else []
    while waiting:
        node = min(waiting, key=lambda one: far[one])
        if len(found) == ef and far[node] > far[found[-1]]:
            break
        waiting.remove(node)
        for other in graph.links[node, : graph.n_links[node]].tolist():
            if other not in seen:
                seen.add(other)
                if len(found) < ef or far[other] < far[found[-1]]:
                    waiting.add(other)
                    found = sorted([*found, other] if not deleted[other] else found, key=lambda one: far[one])[:ef]
    return found[:k]


@pytest.mark.parametrize("share", [0.1, 0.6, 0.995])
def test_the_walk_over_deleted_rows_is_that_of_a_slow_twin(tmp_path: Path, share: float) -> None:
    deleted = np.random.default_rng(3).random(len(X)) < share
    patient = examine(file_of(tmp_path / "a.bin", deleted=deleted), space="l2", sample=20, ef=10).patient
    graph = patient.content.graph
    for ef in (5, 24):
        slots, evals, hops = patient.answer(Q[:8], 5, ef, 1)
        twin = [living_twin(graph, X, deleted, query, 5, ef) for query in Q[:8]]
        assert [[slot for slot in row if slot >= 0] for row in slots.tolist()] == twin
        assert (hops > 0).all() and (evals >= hops).all()


@pytest.mark.parametrize("library", ["faiss", "file of faiss"])
def test_an_index_of_faiss_is_examined_and_written_for_this_library_or_hnswlib(tmp_path: Path, library: str) -> None:
    faiss = pytest.importorskip("faiss")
    inner = faiss.IndexHNSWFlat(12, 6)
    source: Any = faiss.IndexIDMap(inner)
    source.add_with_ids(X, np.arange(len(X)) + 70)
    if library == "file of faiss":
        faiss.write_index(source, str(tmp_path / "index.faiss"))
        source = tmp_path / "index.faiss"
    diagnosis = examine(source, queries=Q, ef=(16, 64))
    assert (diagnosis.library, diagnosis.M, diagnosis.metric, diagnosis.n) == ("faiss", 6, "l2", 1500)
    assert "faiss shuffles those of one add" in diagnosis.self_recall.insertion
    repair = diagnosis.fix(tmp_path / "out.vr")
    assert repair.format == "vecrecall" and vr.load(tmp_path / "out.vr").search(X[3], k=1).ids.tolist() == [73]
    assert diagnosis.fix(tmp_path / "out.bin", format="hnswlib").after.library == "hnswlib"
    file = read_hnswlib(tmp_path / "out.bin", space="l2")
    assert file.labels.tolist() == list(range(70, 1570)) and file.M == 6


def test_labels_that_faiss_has_twice_are_told_and_no_fix_invents_others(tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    source = faiss.IndexIDMap(faiss.IndexHNSWFlat(12, 6))
    source.add_with_ids(X[:300], np.arange(300) // 2)
    diagnosis = examine(source)
    assert diagnosis.n_repeated == 150 and "labels that occur twice" in names(diagnosis, "advice")
    for format in ("vecrecall", "hnswlib"):
        with pytest.raises(ValueError, match="150 rows have the label of another"):
            diagnosis.fix(tmp_path / "out", format=format)
    assert not (tmp_path / "out").exists()


# --- what is written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["l2", "cosine", "ip"])
def test_a_fix_for_hnswlib_keeps_everything_but_the_links(tmp_path: Path, space: str) -> None:
    deleted, labels = RNG.random(len(X)) < 0.1, np.arange(len(X), dtype=np.uint64)[::-1] + np.uint64(2**63)
    source = file_of(tmp_path / "a.bin", space=space, deleted=deleted, labels=labels, max_elements=4000)
    diagnosis = examine(source, space=space, ef=(10, 40))
    repair = diagnosis.fix(tmp_path / "out.bin", seed=3)
    old, new = read_hnswlib(source, space=space), read_hnswlib(tmp_path / "out.bin", space=space)
    for name in ("vectors", "labels", "deleted"):
        assert np.array_equal(getattr(old, name), getattr(new, name))
    assert (old.M, old.ef_construction, old.max_elements) == (new.M, new.ef_construction, new.max_elements)
    assert not np.array_equal(old.lists.base, new.lists.base)
    assert repair.rows[0]["self_recall_before"] == diagnosis.self_recall.found[0].mean()
    assert np.array_equal(repair.after.self_recall.slots, diagnosis.self_recall.slots), "the same rows were asked"
    hnswlib = pytest.importorskip("hnswlib")
    library = hnswlib.Index(space, 12)
    library.load_index(str(tmp_path / "out.bin"))
    assert (library.element_count, library.max_elements, library.M) == (1500, 4000, 6)


@pytest.mark.parametrize("labels", [None, np.arange(1500) * 3 + 1])
def test_a_fix_for_this_library_leaves_deleted_rows_out(tmp_path: Path, labels: Any) -> None:
    deleted = RNG.random(len(X)) < 0.3
    diagnosis = examine(file_of(tmp_path / "a.bin", deleted=deleted, labels=labels), space="l2", queries=Q)
    assert "many deleted rows" in names(diagnosis, "advice")
    repair = diagnosis.fix(tmp_path / "out.vr", format="vecrecall")
    index, names_ = vr.load(tmp_path / "out.vr"), np.arange(1500) if labels is None else labels
    living = np.flatnonzero(~deleted)
    assert repair.n_left_out == deleted.sum() and len(index) == len(living)
    assert f"{deleted.sum():,} deleted rows are left out" in repr(repair)
    assert index.search(X[living[-1]], k=1).ids.tolist() == [names_[living[-1]]]
    truth = vr.Exact.build(X[living], ids=names_[living]).search(Q, 10)
    assert repair.rows[0]["recall_after"] == pytest.approx(float(vr.recall(index.search(Q, 10, ef=10), truth)))
    assert "equal evaluations are not equal work" in repr(repair)


def test_an_index_of_this_library_is_built_again_with_its_own_parameters(tmp_path: Path) -> None:
    words = [f"row {i}" for i in range(len(X))]
    own: Any = {"storage": "sq8", "reduce": None, "ef": 77, "metric": "cosine", **SMALL}
    index = vr.HNSW.build(X, ids=words, order="given", **own)
    diagnosis = examine(index, ef=(10, 40))
    repair = diagnosis.fix(tmp_path / "out.vr", ef_construction=50)
    made = vr.load(tmp_path / "out.vr")
    assert made.ef == 77 and made.ef_construction == 50 and made.metric == "cosine" and repair.reached
    assert (made._settings.storage, made._settings.M, made._settings.reduce) == ("sq8", 6, None)
    assert made.search(X[9], k=1).ids.tolist() == ["row 9"]
    with pytest.raises(ValueError, match="labels such as 'row 0'"):
        diagnosis.fix(tmp_path / "out.bin", format="hnswlib")
    numbered = vr.HNSW.build(X, target_recall=0.9, ids=np.arange(len(X)) + 9, **SMALL)
    examine(numbered, ef=10).fix(tmp_path / "b.vr")
    assert vr.load(tmp_path / "b.vr").target_recall == 0.9
    examine(numbered, ef=10).fix(tmp_path / "b.bin", format="hnswlib")
    assert read_hnswlib(tmp_path / "b.bin", space="l2").index().search(X[3], k=1).ids.tolist() == [12]


def test_codes_alone_are_refined_and_cannot_be_measured(tmp_path: Path) -> None:
    index = vr.HNSW.build(X, storage="sq8", keep=None, order="given", **SMALL)
    diagnosis = examine(index)
    assert diagnosis.recalls is None and diagnosis.self_recall is None and diagnosis.health is not None
    assert diagnosis.healthy and "recall was not measured" in diagnosis.verdict
    before = index._content.graph.links.copy()
    repair = diagnosis.fix(tmp_path / "out.vr")
    assert repair.reached is None and repair.rows == [] and "neither recall nor self-recall" in repr(repair)
    assert np.array_equal(index._content.graph.links, before), "the index examined is as it was"
    made = vr.load(tmp_path / "out.vr")
    assert not np.array_equal(made._content.graph.links[:1500], before[:1500])
    json.dumps(diagnosis.as_dict(), allow_nan=False)
    with pytest.raises(ValueError, match="holds codes alone, and no vectors to write for hnswlib"):
        diagnosis.fix(tmp_path / "out.bin", format="hnswlib")
    with pytest.raises(ValueError, match="queries were given, but the vecrecall index holds codes alone"):
        examine(index, queries=Q)


def test_what_searches_compare_wholly_is_exact_and_has_nothing_to_mend(tmp_path: Path) -> None:
    diagnosis = examine(vr.HNSW.build(X[:200]))
    assert diagnosis.health is None and diagnosis.healthy and diagnosis.recall[0]["recall"] == 1.0
    assert "no graph yet: every search compares all rows" in repr(diagnosis)
    with pytest.raises(ValueError, match="has no graph yet"):
        diagnosis.fix(tmp_path / "out.vr")
    few = examine(file_of(tmp_path / "few.bin", X[:100]), space="l2").fix(tmp_path / "few.vr", format="vecrecall")
    assert few.reached and few.after.health is None


def test_nothing_is_written_in_place_or_over_a_file_unasked(tmp_path: Path) -> None:
    source = file_of(tmp_path / "a.bin")
    content = source.read_bytes()
    diagnosis = examine(source, space="l2", ef=10)
    os.symlink(source, tmp_path / "link.bin")
    os.link(source, tmp_path / "hard.bin")
    for path in (source, tmp_path / "link.bin", tmp_path / "hard.bin"):
        with pytest.raises(ValueError, match="is what was examined, which is never changed"):
            diagnosis.fix(path, force=True)
    (tmp_path / "there.bin").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"there\.bin: is there already; give force=True"):
        diagnosis.fix(tmp_path / "there.bin")
    with pytest.raises(ValueError, match="is a folder"):
        diagnosis.fix(tmp_path)
    with pytest.raises(ValueError, match="format is 'faiss', expected one of 'vecrecall', 'hnswlib'"):
        diagnosis.fix(tmp_path / "out.bin", format="faiss")
    assert source.read_bytes() == content and (tmp_path / "there.bin").read_bytes() == b"mine"
    diagnosis.fix(tmp_path / "there.bin", force=True)
    assert read_hnswlib(tmp_path / "there.bin", space="l2").M == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "hard.bin", "link.bin", "there.bin"]


# --- the rules ---------------------------------------------------------------------------------------------------


def test_rows_that_nothing_leads_to_are_a_fault_unless_they_are_deleted(tmp_path: Path) -> None:
    links = [*chain(0, 20), [0, 1], [1, 2]]  # nothing leads to the last two
    places = np.arange(22, dtype=np.float32)[:, None]
    diagnosis = examine(index_of(places, links, ids=np.arange(22) + 40), ef=(10, 22))
    assert names(diagnosis) == ["unreachable rows", "lost rows"]
    assert diagnosis.findings[0].text.startswith("2 of 22 rows cannot be found at any ef")
    assert "ids 60, 61" in diagnosis.findings[0].text and "diagnosis.fix(OUT)" in diagnosis.findings[0].remedy
    graph = graph_of(links)
    source = file_of(tmp_path / "a.bin", places, graph=graph, deleted=np.arange(22) >= 20)
    assert names(examine(source, space="l2", ef=(10, 22))) == []
    repair = diagnosis.fix(tmp_path / "out.vr")
    assert repair.after.healthy and repair.reached


@pytest.mark.parametrize(
    ("half", "top", "nothing", "is_fault"),
    [
        (0.94, 0.95, 0.04, True), (0.94, 0.95, 0.0, False), (0.90, 0.95, 0.04, False), (0.9895, 0.991, 0.008, False),
        (0.95, 0.94, 0.04, True),
    ],
)  # fmt: skip
def test_ef_does_not_cure_where_doubling_it_finds_little_and_some_find_nothing(
    healthy: Diagnosis, half: float, top: float, nothing: float, is_fault: bool
) -> None:
    shares = np.ones((3, 1000))
    shares[:2, : int(1000 * nothing)] = 0
    for row, mean in zip(shares[:2], (half, top)):
        row[-100:] -= (row.mean() - mean) * 10
    assert np.allclose(shares.mean(axis=1), [half, top, 1])
    recalls = Recalls(10, (32, 64, 128), shares, np.arange(3.0), np.arange(3.0))
    found = findings_of(replace(healthy, recalls=recalls))
    assert ("recall that ef does not cure" in [finding.name for finding in found]) == is_fault


@pytest.mark.parametrize(("n_lost", "severity"), [(0, None), (1, None), (2, "advice"), (30, "fault")])
def test_lost_rows_are_a_fault_where_chance_does_not_explain_them(
    healthy: Diagnosis, n_lost: int, severity: str | None
) -> None:
    found = np.ones((3, 1000), bool)
    found[:2, :n_lost] = False
    recall = SelfRecall(np.arange(1000), (10, 64, 256), found, 10, np.arange(1000) % 10 + 1, "chance")
    lost = [each for each in findings_of(replace(healthy, self_recall=recall)) if each.name == "lost rows"]
    assert [each.severity for each in lost] == ([severity] if severity else [])
    assert all("raise ef to 256, or build another graph" in each.remedy for each in lost)


def test_copies_that_fill_an_answer_are_worth_a_word(tmp_path: Path) -> None:
    rows = X.copy()
    rows[50:70] = rows[49]
    diagnosis = examine(vr.HNSW.build(rows, **TEXTBOOK), ef=40)
    assert (diagnosis.copies.n, diagnosis.copies.largest) == (20, 21)
    assert "copies" in names(diagnosis, "advice")
    assert "copies" not in names(examine(vr.HNSW.build(X, **TEXTBOOK), ef=40), "advice")
    scaled = X.copy()
    scaled[50:70] = 2 * scaled[49]
    assert examine(vr.HNSW.build(scaled, metric="cosine", **TEXTBOOK), ef=40).copies.largest == 21
    assert examine(vr.HNSW.build(scaled, metric="ip", **TEXTBOOK), ef=40).copies.largest == 20


def test_links_of_one_group_that_lead_nowhere_are_a_fault_of_time_and_of_that_group() -> None:
    links = [[i, (i + 1) % 450, (i - 1) % 450, (i + 7) % 450] for i in range(450)]
    links = [[other for other in row if other != i] for i, row in enumerate(links)] + chain(450, 50)
    rows = np.random.default_rng(1).normal(size=(500, 3)).astype(np.float32)
    labels = ["old"] * 450 + ["new"] * 50
    diagnosis = examine(index_of(rows, links), labels=labels, ef=(10, 500), sample=500)
    found = {"unreachable rows", "lost rows", "lost groups", "low recall", "recall by time of insertion"}
    assert set(names(diagnosis)) == found
    said = {finding.name: finding.text for finding in diagnosis.findings}
    assert "1 of 2 groups do not all find themselves at ef=500: new (0.0 % of 50)" in said["lost groups"]
    assert "100.0 % of the rows in the first tenth" in said["recall by time of insertion"]
    assert "and 0.0 % of those in the last (difference -100.0 points" in said["recall by time of insertion"]


def test_recall_that_no_ef_reaches_and_one_that_a_greater_ef_does(tmp_path: Path) -> None:
    source = file_of(tmp_path / "a.bin", RNG.normal(size=(1500, 64)).astype(np.float32))
    small = examine(source, space="l2", ef=10)
    assert "small ef" in names(small, "advice") and "raise ef to" in repr(small)
    isolated = index_of(X[:400], [[(i + 1) % 400] for i in range(400)])
    low = examine(isolated, ef=(10, 20))
    assert "low recall" not in names(low), "at ef=400 everything is found"
    lost = index_of(X, [*chain(0, 300), *chain(300, 1200)])
    assert "low recall" in names(examine(lost, ef=(10, 40)))


# --- the rest of the contract ------------------------------------------------------------------------------------


def test_results_do_not_depend_on_threads_and_hold_plain_numbers(tmp_path: Path) -> None:
    source = file_of(tmp_path / "a.bin", deleted=RNG.random(len(X)) < 0.1)
    found = [examine(source, space="l2", ef=(10, 30), labels=np.arange(1500) % 3, threads=t) for t in (1, 2)]
    texts = [json.dumps(each.as_dict(), allow_nan=False) for each in found]
    assert texts[0] == texts[1] and repr(found[0]) == repr(found[1])
    repairs = [each.fix(tmp_path / f"out{t}.bin", threads=t + 1) for t, each in enumerate(found)]
    assert (tmp_path / "out0.bin").read_bytes() == (tmp_path / "out1.bin").read_bytes()
    as_dicts = [{**repair.as_dict(), "file": "", "after": ""} for repair in repairs]
    assert json.dumps(as_dicts[0], allow_nan=False) == json.dumps(as_dicts[1])


def test_the_report_holds_what_was_asked_for(healthy: Diagnosis) -> None:
    text = repr(healthy)
    for words in (
        "vecrecall index of 1,500 vectors of 12 dimensions, l2, M=16", "links from a row", "equal rows: 0",
        "150 queries given, compared by distance with exact search", "find nothing", healthy.verdict,
    ):  # fmt: skip
        assert words in text
    _, lines = healthy.table()
    assert {"10", "64"} <= {line[0] for line in lines} <= {"10", "64", *map(str, healthy.ef_for.values())}
    assert [row["ef"] for row in healthy.self_recall.shares] == [10, 64, 128]


def test_more_answers_than_rows_and_a_single_row(tmp_path: Path) -> None:
    diagnosis = examine(file_of(tmp_path / "a.bin", X[:7]), space="l2", k=20)
    assert diagnosis.healthy and {row["recall"] for row in diagnosis.recall} == {1.0}
    one = examine(file_of(tmp_path / "one.bin", X[:1]), space="l2")
    assert one.healthy and one.n == 1 and "1 vectors" in repr(one)
    assert one.fix(tmp_path / "out.bin").reached


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"space": "l1"}, ValueError, "space is 'l1', expected one of"),
        ({}, ValueError, r"a\.bin: a file of hnswlib does not say which space it is of"),
        ({"space": "l2", "dim": 13}, IndexFileError, r"a\.bin: dim is 13, but the size of a row says"),
        ({"space": "l2", "queries": Q[:, :5]}, ValueError, "queries has 5 columns, the index holds vectors of 12"),
        ({"space": "l2", "queries": Q[:0]}, ValueError, "queries holds no vectors"),
        ({"space": "l2", "labels": [1, 2]}, ValueError, r"labels has shape \(2,\), expected \(1500,\)"),
        ({"space": "l2", "ef": ()}, ValueError, "ef is empty"),
        ({"space": "l2", "k": 0}, ValueError, "k is 0"),
        ({"space": "l2", "sample": 0}, ValueError, "sample is 0"),
        ({"space": "l2", "threads": 0}, ValueError, "threads is 0"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        examine(file_of(tmp_path / "a.bin"), **options)


def test_sources_without_a_graph_or_without_vectors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="source is of type Exact, expected the path of an index"):
        examine(vr.Exact.build(X))
    with pytest.raises(TypeError, match="source is of type ndarray"):
        examine(X)
    vr.Exact.build(X).save(tmp_path / "exact.vr")
    with pytest.raises(ValueError, match=r"exact\.vr: holds an index of kind 'exact', which has no graph"):
        examine(tmp_path / "exact.vr")
    with pytest.raises(ValueError, match="dim is 5, but the index says 12"):
        examine(vr.HNSW.build(X[:50]), dim=5)
    with pytest.raises(ValueError, match="the vecrecall index holds no vectors"):
        examine(vr.HNSW.build(X[:0]))
    file_of(tmp_path / "none.bin", X[:3], deleted=[True, True, True])
    with pytest.raises(ValueError, match=r"none\.bin holds no vectors"):
        examine(tmp_path / "none.bin", space="l2")
    write_hnswlib(hnswlib_of(X[:0], Graph.empty(4), space="l2", ef_construction=9), tmp_path / "empty.bin")
    with pytest.raises(ValueError, match=r"empty\.bin holds no vectors"):
        examine(tmp_path / "empty.bin", space="l2")
    wide = Graph.empty(600).with_room(np.zeros(2, np.int32))
    wide.top = 0
    write_hnswlib(hnswlib_of(X[:2], wide, space="l2", ef_construction=9), tmp_path / "wide.bin")
    with pytest.raises(ValueError, match=r"wide\.bin: M is 600, expected 2 to 512"):
        examine(tmp_path / "wide.bin", space="l2")


def test_an_index_of_hnswlib_that_was_never_made_is_refused() -> None:
    hnswlib = pytest.importorskip("hnswlib")
    with pytest.raises(ValueError, match="the hnswlib index holds no vectors"):
        examine(hnswlib.Index("l2", 4))


def test_damaged_files_are_errors(tmp_path: Path) -> None:
    content = file_of(tmp_path / "a.bin").read_bytes()
    rng = np.random.default_rng(0)
    for damage in (content[: len(content) // 2], content[:50], b"", rng.bytes(3000), bytes(8) + rng.bytes(3000)):
        (tmp_path / "damaged.bin").write_bytes(damage)
        with pytest.raises(IndexFileError, match=r"damaged\.bin: "):
            examine(tmp_path / "damaged.bin", space="l2")
