"""The truth of `vecrecall sweep`: ids of the index or numbers of rows, and what is noticed about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from tests.cli.conftest import Command
from vecrecall.io.sparse_set import write_sparse_set

RNG = np.random.default_rng(0)
N = 300
X = RNG.standard_normal((N, 12)).astype(np.float32)
Q = RNG.standard_normal((40, 12)).astype(np.float32)
D = sp.random(N, 60, density=0.3, format="csr", dtype=np.float32, random_state=1)
S = sp.random(30, 60, density=0.2, format="csr", dtype=np.float32, random_state=2)
TURNED, GAPPED = np.arange(N)[::-1], np.arange(N) * 7 + 11
NAMES = np.array([f"d{i}" for i in TURNED])

Swept = Callable[..., dict[str, Any]]


@pytest.fixture
def swept(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Swept:
    """Run `vecrecall sweep --json` in a folder of the queries; what it prints."""
    monkeypatch.chdir(tmp_path)
    np.save("queries.npy", Q)
    sp.save_npz("asked.npz", sp.csr_matrix(S))

    def run(*arguments: str) -> dict[str, Any]:
        done = command("sweep", *arguments, "--rounds", "1", "--threads", "1", "--json")
        assert done.code == 0, done.err
        printed: dict[str, Any] = json.loads(done.out)
        return printed

    return run


@pytest.mark.parametrize("suffix", [".npz", ".jsonl", ".tsv", ".trec"])
@pytest.mark.parametrize("ids", [TURNED, GAPPED, NAMES], ids=["turned", "gapped", "names"])
@pytest.mark.parametrize("kind", ["exact", "codes", "sparse"])
def test_what_search_wrote_is_the_truth_whatever_the_ids(
    kind: str, ids: np.ndarray, suffix: str, command: Command, swept: Swept
) -> None:
    """Its ids are those of the index; as numbers of rows they were other rows."""
    if ids is NAMES and suffix == ".npz":
        pytest.skip("an archive has no room for strings")
    queries = "asked.npz" if kind == "sparse" else "queries.npy"
    exact = vr.Exact.build(D if kind == "sparse" else X, ids=ids)
    index: Any = exact
    if kind == "codes":
        index = vr.HNSW.build(X, ids=ids, keep=None, storage="f32", reduce=None)
    elif kind == "sparse":
        index = vr.SparseIndex.build(D, ids=ids)
    index.save("index.vr")
    exact.save("exact.vr")
    assert command("search", "exact.vr", queries, "--out", "truth" + suffix).code == 0
    found = swept("index.vr", "--queries", queries, "--truth", "truth" + suffix)
    assert found["rows"][-1]["recall"] > 0.98
    compared = [note for note in found["notes"] if "was not compared with exact search" in note]
    assert len(compared) == (kind == "codes")


def test_queries_are_matched_by_name(command: Command, swept: Swept) -> None:
    names = np.array([f"q{i}" for i in range(len(Q))])
    vr.Exact.build(X).save("index.vr")
    vr.io.write("set.npz", vr.io.Dataset(queries=Q, query_ids=names))
    vr.io.write("turned.npz", vr.io.Dataset(queries=Q[::-1], query_ids=names[::-1]))
    command("search", "index.vr", "turned.npz", "--out", "truth.jsonl")
    assert swept("index.vr", "--queries", "set.npz", "--truth", "truth.jsonl")["rows"][0]["recall"] == 1
    other = command("sweep", "index.vr", "--queries", "queries.npy", "--truth", "truth.jsonl")
    assert other.code == 2 and "truth.jsonl: does not answer query '0'" in other.err


def test_numbers_of_rows_can_be_named(command: Command, swept: Swept) -> None:
    index = vr.Exact.build(X, ids=TURNED)
    index.save("index.vr")
    rows = vr.Exact.build(X).search(Q).ids
    vr.io.write("rows.npz", vr.io.Dataset(neighbors=rows, metric="l2"))
    vr.io.write("rows.ivecs", vr.io.Dataset(neighbors=rows.astype(np.int32)))
    vr.io.write("ids.ivecs", vr.io.Dataset(neighbors=index.search(Q).ids.astype(np.int32)))
    line = ("index.vr", "--queries", "queries.npy", "--truth")
    for given in (("rows.npz", "--truth-ids", "rows"), ("rows.ivecs",), ("ids.ivecs", "--truth-ids", "ids")):
        assert swept(*line, *given)["rows"][0]["recall"] == 1
    for given in (("rows.npz",), ("ids.ivecs",)):
        done = command("sweep", *line, *given)
        assert done.code == 2 and "its neighbours are not the nearest by l2" in done.err


@pytest.mark.parametrize("turn", [np.square, np.sqrt, lambda d: d + 1])
@pytest.mark.parametrize("engine", ["exact", "hnsw"])
def test_distances_of_a_file_are_computed_again(engine: str, turn: Any, swept: Swept) -> None:
    """Smaller ones made recall 0 of exact search, and greater ones 1 of anything."""
    truth = vr.Exact.build(X).search(Q)
    given = vr.io.Dataset(rows=X, queries=Q, neighbors=truth.ids, distances=turn(truth.distances), metric="l2")
    vr.io.write("set.hdf5", given)
    found = swept("set.hdf5", "--engine", engine)
    assert found["by"] == "distance" and found["rows"][-1]["recall"] > 0.98


def test_a_truth_that_is_none_is_refused_by_exact_too(command: Command, swept: Swept) -> None:
    far = (vr.Exact.build(X).search(Q).ids + 1) % N
    vr.io.write("set.hdf5", vr.io.Dataset(rows=X, queries=Q, neighbors=far, metric="l2"))
    done = command("sweep", "set.hdf5", "--engine", "exact")
    assert done.code == 2 and "its neighbours are not the nearest by l2" in done.err


def test_a_sparse_truth_of_ids_alone_is_checked(command: Command, swept: Swept) -> None:
    vr.SparseIndex.build(D).save("index.vr")
    truth = vr.Exact.build(D).search(S)
    vr.io.write("right.ivecs", vr.io.Dataset(neighbors=truth.ids.astype(np.int32)))
    vr.io.write("wrong.ivecs", vr.io.Dataset(neighbors=((truth.ids + 1) % N).astype(np.int32)))
    vr.io.write("scaled.npz", vr.io.Dataset(neighbors=truth.ids, distances=2 * truth.distances))
    line = ("index.vr", "--queries", "asked.npz", "--query-cut", "60", "--truth")
    assert swept(*line, "right.ivecs")["notes"] == []
    scaled = swept(*line, "scaled.npz")
    assert scaled["by"] == "id" and "has other distances than the index" in scaled["notes"][0]
    done = command("sweep", *line, "wrong.ivecs")
    assert done.code == 2 and "wrong.ivecs: its neighbours are not the nearest by ip" in done.err


@pytest.mark.parametrize("form", ["scores", "ids", "folder"])
def test_rows_that_fill_up_a_sparse_truth_are_no_neighbours(form: str, command: Command, swept: Swept) -> None:
    """Exact search itself had a recall of 0.6 beside them."""
    docs = sp.csr_array(np.eye(20, dtype=np.float32).repeat(3, axis=0))
    queries = sp.csr_array(np.eye(20, dtype=np.float32) * 2)  # three documents each
    exact = vr.Exact.build(docs).search(queries)
    assert exact.counts.max() == 3
    full = np.where(exact.ids < 0, (exact.ids.max(axis=1, keepdims=True) + np.arange(10) - 2) % 60, exact.ids)
    scores = np.where(exact.ids < 0, 0, exact.scores).astype(np.float32)
    sp.save_npz("docs.npz", sp.csr_matrix(docs))
    sp.save_npz("sparse.npz", sp.csr_matrix(queries))
    line = ("docs.npz", "--queries", "sparse.npz", "--truth")
    if form == "scores":
        np.savez("truth.npz", neighbors=full, scores=scores)
        line = (*line, "truth.npz", "--truth-ids", "rows")
    elif form == "ids":
        vr.io.write("truth.ivecs", vr.io.Dataset(neighbors=full.astype(np.int32)))
        line = (*line, "truth.ivecs")
    else:
        given = vr.io.Dataset(docs, queries, full.astype(np.int32), -scores, "ip")
        write_sparse_set("set", given)
        line = ("set",)
        assert vr.io.read("set").neighbors.tolist() == exact.ids.tolist()
    found = swept(*line, "--engine", "exact")
    assert found["rows"][0]["recall"] == 1 and found["by"] == ("id" if form == "ids" else "distance")


def test_truth_and_judgements_beside_the_queries_are_taken(command: Command, swept: Swept) -> None:
    vr.Exact.build(X).save("index.vr")
    truth = vr.Exact.build(X).search(Q)
    near = {"test_relevant": truth.ids[:, 0]}
    vr.io.write("set.hdf5", vr.io.Dataset(rows=X, queries=Q, neighbors=truth.ids, metric="l2", attributes=near))
    found = swept("index.vr", "--queries", "set.hdf5")
    assert (found["truth"], found["judged"], found["exact_ndcg"]) == ("the truth given", len(Q), 1)
    assert swept("index.vr", "--queries", "set.hdf5", "--exact-truth")["truth"] != found["truth"]
    vr.io.write("other.hdf5", vr.io.Dataset(rows=X, queries=Q, neighbors=(truth.ids + 1) % N, metric="l2"))
    done = command("sweep", "index.vr", "--queries", "other.hdf5")
    assert done.code == 2 and "other.hdf5: its neighbours are not the nearest" in done.err


def test_judgements_beside_the_queries_that_do_not_fit_are_left_out(
    swept: Swept, monkeypatch: pytest.MonkeyPatch
) -> None:
    vr.Exact.build(X).save("index.vr")
    beside = vr.io.Dataset(queries=Q, qrels={"q1": {"7": 1}})
    monkeypatch.setattr("vecrecall.cli.swept.read_queries", lambda *_: beside)
    found = swept("index.vr", "--queries", "queries.npy")
    assert found["judged"] is None
    assert "know none of the 40 queries, such as '0'; they are left out" in found["notes"][0]


def test_bad_queries_are_not_blamed_on_the_truth(command: Command, swept: Swept) -> None:
    bad = Q.copy()
    bad[3, 2] = np.nan
    np.save("bad.npy", bad)
    vr.io.write("truth.ivecs", vr.io.Dataset(neighbors=vr.Exact.build(X).search(Q).ids.astype(np.int32)))
    for build in (vr.Exact.build, vr.HNSW.build):
        build(X).save("index.vr")
        done = command("sweep", "index.vr", "--queries", "bad.npy", "--truth", "truth.ivecs")
        assert done.code == 2 and "bad.npy: query 3, column 2 is nan" in done.err


@pytest.mark.parametrize(
    ("neighbors", "ids", "message"),
    [
        (np.full((30, 10), N), "rows", "t.npz: names row 300, but the index has 300"),
        (np.full((30, 10), 9), "rows", "t.npz: names row 9, which was deleted"),
        (np.full((30, 10), N), "ids", "id 300 is not in the index"),
        (np.full((30, 10), 9), "ids", "id 9 is not in the index"),
        (np.full((30, 10), -1), "ids", "names no neighbour at all"),
        (np.full((29, 10), 1), "ids", "holds the neighbours of 29 queries, expected those of 30"),
    ],
)
def test_a_truth_of_other_rows_is_refused(
    command: Command, swept: Swept, neighbors: np.ndarray, ids: str, message: str
) -> None:
    index = vr.SparseIndex.build(D)
    index.delete([9])
    index.save("index.vr")
    vr.io.write("t.npz", vr.io.Dataset(neighbors=neighbors, metric="ip"))
    done = command("sweep", "index.vr", "--queries", "asked.npz", "--truth", "t.npz", "--truth-ids", ids)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
