"""`vecrecall sweep`: an index or data, queries, truth and judgements out of files, and how it ends."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1_300, 16)).astype(np.float32)
Q = RNG.normal(size=(50, 16)).astype(np.float32)
D = sp.random(600, 200, density=0.08, format="csr", dtype=np.float32, random_state=1)
S = sp.random(30, 200, density=0.05, format="csr", dtype=np.float32, random_state=2)
FAST = ("--rounds", "1", "--threads", "1")


class Files:
    """A folder with what the commands are given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        np.save(folder / "rows.npy", X)
        np.save(folder / "queries.npy", Q)
        np.save(folder / "half.npy", Q.astype(np.float16))
        np.save(folder / "narrow.npy", Q[:, :9])
        for metric in ("l2", "cosine"):
            truth = vr.Exact.build(X, metric=metric).search(Q, 20)
            whole = vr.io.Dataset(
                rows=X, queries=Q, neighbors=truth.ids.astype(np.int32), distances=truth.distances, metric=metric
            )
            vr.io.write(folder / f"{metric}.hdf5", whole)
            vr.io.write(folder / f"{metric}.ivecs", vr.io.Dataset(neighbors=whole.neighbors))
        vr.io.write(folder / "bare.hdf5", vr.io.Dataset(rows=X, queries=Q, neighbors=whole.neighbors, metric="cosine"))
        vr.HNSW.build(X).save(folder / "graph.vr")
        vr.HNSW.build(X, keep=None, storage="sq8").save(folder / "codes.vr")
        sp.save_npz(folder / "documents.npz", sp.csr_matrix(D))
        sp.save_npz(folder / "asked.npz", sp.csr_matrix(S))
        judged = vr.Exact.build(X).search(Q, 2).ids
        qrels = {str(i): {str(row): 1 for row in near} for i, near in enumerate(judged.tolist())}
        vr.io.write_qrels(folder / "qrels.txt", qrels)

    def __call__(self, *arguments: str) -> list[str]:
        """The arguments, with paths in place of the names of files that are there."""
        return [str(self.folder / word) if (self.folder / word).is_file() else word for word in arguments]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("sweep"))


@pytest.fixture
def swept(command: Callable[..., Any], files: Files) -> Callable[..., dict[str, Any]]:
    """Run `vecrecall sweep --json` on names of files; what it prints."""

    def run(*arguments: str, code: int = 0) -> dict[str, Any]:
        done = command("sweep", *files(*arguments), *FAST, "--json")
        assert done.code == code, done.err
        printed: dict[str, Any] = json.loads(done.out)
        return printed

    return run


Swept = Callable[..., dict[str, Any]]


def recall_of(X: Any, Q: Any, metric: str, **settings: Any) -> float:
    index = vr.HNSW.build(X, metric=metric)
    return float(vr.recall(index.search(Q, **settings), vr.Exact.build(X, metric=metric).search(Q)))


@pytest.mark.parametrize("data", ["l2.hdf5", "cosine.hdf5", "bare.hdf5"])
def test_rows_queries_metric_and_truth_come_out_of_a_file(data: str, swept: Swept) -> None:
    metric = "l2" if data == "l2.hdf5" else "cosine"
    found = swept(data, "--ef", "10,40")
    assert (found["kind"], found["n"], found["queries"], found["metric"]) == ("hnsw", 1_300, 50, metric)
    assert found["truth"] == "the truth given" and found["by"] == "distance"  # also where a file has no distances
    assert [row["ef"] for row in found["rows"]] == [10, 40]
    assert [row["recall"] for row in found["rows"]] == [recall_of(X, Q, metric, ef=ef) for ef in (10, 40)]
    assert found["notes"] == [] and found["build_s"] > 0


def test_a_table_and_a_suggestion_are_printed(command: Callable[..., Any], files: Files) -> None:
    done = command("sweep", *files("l2.hdf5", "--ef", "10,40", "--target", "0.9"), *FAST)
    assert done.code == 0 and done.err == ""
    for words in ("HNSW: 1,300 vectors", "recall@10", "QPS 1 thread", "p95 us", "for recall 0.9 use ef=40 ("):
        assert words in done.out
    assert max(map(len, done.out.splitlines())) > 80  # a file or a pipe has room


def test_rows_alone_hold_out_a_sample_that_the_index_lacks(swept: Swept, files: Files) -> None:
    found = swept("rows.npy", "--ef", "20")
    assert (found["n"], found["queries"], found["metric"]) == (1_170, 130, "l2")
    assert "130 rows were held out as queries" in " ".join(found["notes"])
    assert "metric l2: the file names none" in " ".join(found["notes"])
    assert found["truth"] == "exact search over the rows of the index" and 0.3 < found["rows"][0]["recall"] < 1
    assert swept("rows.npy", "--ef", "20")["rows"][0]["recall"] == found["rows"][0]["recall"]
    assert swept("rows.npy", "--ef", "20", "--seed", "1")["rows"][0]["recall"] != found["rows"][0]["recall"]
    assert swept("rows.npy", "--ef", "20", "--limit", "7")["n"] == 1_293


def test_held_out_rows_keep_their_numbers_for_judgements(swept: Swept, files: Files) -> None:
    # each of the first rows was judged relevant to its own neighbour
    near = vr.Exact.build(X).search(X, 2).ids[:, 1]
    vr.io.write_qrels(files.folder / "own.txt", {str(i): {str(j): 1} for i, j in enumerate(near.tolist())})
    found = swept("rows.npy", "--ef", "200", "--qrels", "own.txt")
    assert found["judged"] == 130 and found["exact_ndcg"] > 0.5


def test_queries_and_truth_of_other_files(swept: Swept) -> None:
    found = swept("rows.npy", "--queries", "queries.npy", "--truth", "l2.ivecs", "--ef", "15")
    assert (found["truth"], found["by"], found["n"]) == ("the truth given", "distance", 1_300)
    assert found["rows"][0]["recall"] == recall_of(X, Q, "l2", ef=15)
    half = swept("rows.npy", "--queries", "half.npy", "--metric", "cosine", "--ef", "15")
    assert half["metric"] == "cosine" and half["truth"].startswith("exact search")


def test_a_saved_index_is_measured_as_it_is(swept: Swept) -> None:
    found = swept("graph.vr", "--queries", "queries.npy", "--ef", "15")
    assert found["build_s"] is None and found["truth"] == "exact search over the rows of the index"
    assert found["rows"][0]["recall"] == recall_of(X, Q, "l2", ef=15)
    given = swept("graph.vr", "--queries", "l2.hdf5", "--truth", "l2.hdf5", "--ef", "15")
    assert given["truth"] == "the truth given" and given["rows"][0]["recall"] == found["rows"][0]["recall"]
    codes = swept("codes.vr", "--queries", "queries.npy", "--truth", "l2.ivecs", "--ef", "15")
    assert codes["by"] == "id" and "keeps no rows" in codes["truth"]


def test_sparse_data_is_measured_with_its_engine(swept: Swept) -> None:
    found = swept("documents.npz", "--queries", "asked.npz", "--query-cut", "1,20", "--heap-factor", "0.9")
    assert (found["kind"], found["metric"]) == ("sparse", "ip")
    exact = vr.Exact.build(D).search(S)
    index = vr.SparseIndex.build(D)
    expected = [vr.recall(index.search(S, query_cut=cut, heap_factor=0.9), exact) for cut in (1, 20)]
    assert [row["recall"] for row in found["rows"]] == pytest.approx(expected)
    assert swept("documents.npz", "--limit", "20")["queries"] == 20  # held out


def test_documents_and_queries_of_words_have_names(swept: Swept, files: Files) -> None:
    words = [f"w{i}" for i in range(40)]
    with open(files.folder / "docs.jsonl", "w", encoding="utf-8") as docs:
        for i in range(200):
            vector = {words[i % 40]: 2.0, words[(7 * i + 1) % 40]: 1.0, words[i // 40]: 0.5 + i / 1000}
            docs.write(json.dumps({"id": f"d{i}", "vector": vector}) + "\n")
    with open(files.folder / "asked.jsonl", "w", encoding="utf-8") as asked:
        for i in range(10):
            asked.write(json.dumps({"id": f"q{i}", "vector": {words[i]: 1.0, "unknown": 3.0}}) + "\n")
    vr.io.write_qrels(files.folder / "named.txt", {f"q{i}": {f"d{160 + i}": 1} for i in range(10)})
    found = swept("docs.jsonl", "--queries", "asked.jsonl", "--qrels", "named.txt", "--query-cut", "30")
    assert (found["kind"], found["n"], found["judged"]) == ("sparse", 200, 10)
    assert found["exact_ndcg"] > 0 and found["rows"][0]["ndcg_loss"] == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize(("engine", "kind"), [("ivf", "ivf"), ("exact", "exact"), ("auto", "hnsw")])
def test_the_engine_may_be_chosen(engine: str, kind: str, swept: Swept) -> None:
    found = swept("l2.hdf5", "--engine", engine, "-k", "5", "--limit", "20")
    assert (found["kind"], found["k"], found["queries"]) == (kind, 5, 20)
    assert found["rows"][-1]["recall"] > 0.9


def test_judgements_add_what_retrieval_loses(swept: Swept) -> None:
    found = swept("l2.hdf5", "--qrels", "qrels.txt", "--ef", "10,400")
    assert found["judged"] == 50 and found["exact_ndcg"] == 1
    first, last = found["rows"]
    assert first["relevant_lost"] > 0 and first["ndcg_loss"] > 0 and last["relevant_lost"] == last["ndcg_loss"] == 0


@pytest.mark.parametrize(("target", "code", "reached"), [("0.5", 0, True), ("1", 1, False)])
def test_a_target_that_is_not_reached_is_exit_code_1(target: str, code: int, reached: bool, swept: Swept) -> None:
    found = swept("l2.hdf5", "--ef", "10,20", "--target", target, code=code)
    assert found["suggestion"]["reached"] is reached and found["suggestion"]["target"] == float(target)
    assert swept("l2.hdf5", "--ef", "10")["suggestion"]["reached"] is False  # but nobody asked


def test_the_table_is_written_as_files(
    command: Callable[..., Any], files: Files, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    parquet = pytest.importorskip("pyarrow.parquet")
    out = {name: str(tmp_path / f"t.{name}") for name in ("csv", "parquet", "plot")}
    out["plot"] += ".png"
    line = ["sweep", *files("l2.hdf5", "--ef", "10,20"), *FAST, *(w for n, p in out.items() for w in (f"--{n}", p))]
    assert command(*line).code == 0
    assert (tmp_path / "t.csv").read_text().splitlines()[1].startswith("10,10,0.")
    assert parquet.read_table(out["parquet"]).column("ef").to_pylist() == [10, 20]
    assert (tmp_path / "t.plot.png").stat().st_size > 5_000
    again = command(*line)
    assert again.code == 2 and "is there already; give --force" in again.err and again.out == ""
    assert command(*line, "--force").code == 0


def test_truth_with_fewer_places_is_computed_instead(swept: Swept) -> None:
    found = swept("l2.hdf5", "-k", "25", "--ef", "40")
    assert "holds 20 neighbours a query, fewer than 25" in found["notes"][0]
    assert found["truth"] == "exact search over the rows of the index"
    assert swept("l2.hdf5", "--exact-truth", "--ef", "40")["truth"] == found["truth"]


def test_judgements_within_a_file_are_taken(swept: Swept, files: Files) -> None:
    near = vr.Exact.build(X).search(Q, 1).ids[:, 0]
    held = vr.io.Dataset(rows=X, queries=Q, metric="l2", attributes={"test_relevant": near})
    vr.io.write(files.folder / "judged.hdf5", held)
    found = swept("judged.hdf5", "--ef", "400", "--limit", "30")
    assert (found["judged"], found["exact_ndcg"]) == (30, 1)


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("absent.npy",), "absent.npy"),
    (("graph.vr",), "graph.vr: is an index; give --queries"),
    (("graph.vr", "--queries", "queries.npy", "--metric", "l2"), "has its own metric; leave --metric out"),
    (("graph.vr", "--queries", "queries.npy", "--engine", "ivf"), "has its own engine; leave --engine out"),
    (("codes.vr", "--queries", "queries.npy"), "no rows are kept to compute the truth from"),
    (("graph.vr", "--queries", "asked.npz"), "asked.npz"),
    (("graph.vr", "--queries", "queries.npy", "--nprobe", "4"), "--nprobe is an option of engine ivf"),
    (("cosine.hdf5", "--nprobe", "4"), "--nprobe is an option of engine ivf, but the engine is hnsw, which has --ef"),
    (("cosine.hdf5", "--metric", "l2"), "says that its metric is cosine, but --metric is l2"),
    (("documents.npz", "--metric", "cosine"), "holds sparse vectors, which are searched by ip"),
    (("documents.npz", "--engine", "hnsw"), "holds sparse vectors, but engine hnsw takes dense ones"),
    (("rows.npy", "--engine", "sparse"), "holds dense vectors, but engine sparse takes sparse ones"),
    (("rows.npy", "--queries", "queries.npy", "--truth", "cosine.ivecs"), "its neighbours are not the nearest by l2"),
    (("rows.npy", "--queries", "queries.npy", "--truth", "queries.npy"), "queries.npy: holds no neighbours"),
    (("rows.npy", "--truth", "l2.ivecs"), "holds the neighbours of 50 queries, expected those of 130"),
    (("rows.npy", "--truth", "l2.ivecs", "--exact-truth"), "--exact-truth, which takes none"),
    (("rows.npy", "--limit", "1300"), "too few to hold 1300 of them out"),
    (("l2.hdf5", "--ef", "10,x"), "--ef is '10,x', expected numbers between commas"),
    (("l2.hdf5", "--ef", ""), "--ef is ''"),
    (("l2.hdf5", "--ef", "0"), "ef is 0"),
    (("l2.hdf5", "--target", "95"), "--target is 95"),
    (("l2.hdf5", "--qrels", "l2.ivecs"), "holds no judgements"),
    (("qrels.txt",), "expected vectors to index"),
    (("l2.hdf5", "-k", "0"), "-k is 0"),
    (("l2.hdf5", "--csv", "nowhere/t.csv"), "folder does not exist"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], message: str, command: Callable[..., Any], files: Files
) -> None:
    done = command("sweep", *files(*arguments), *FAST)
    assert (done.code, done.out) == (2, "")
    assert message in done.err and len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--plot", "curve.xyz"), "curve.xyz: ends in '.xyz', expected one of"),
        (("--rounds", "0"), "--rounds is 0"),
        (("--threads", "0"), "threads is 0"),
        (("--ef", "10,0"), "ef is 0"),
        (("--qrels", "l2.ivecs"), "holds no judgements"),
        (("--qrels", "strangers.txt"), "strangers.txt: its judgements know none of the 50 queries, such as '0'"),
        (("--qrels", "texts.txt"), "its judgements name document 'd7', but the ids of the index are numbers"),
        (("--truth", "rows.npy"), "holds no neighbours"),
        (("--csv", "t.x", "--parquet", "./t.x"), "was given for two files to write"),
        (("--queries", "narrow.npy"), "narrow.npy: has 9 columns, the index holds vectors of 16"),
        (("--queries", "asked.npz"), "is a sparse"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_built(
    arguments: tuple[str, ...], message: str, command: Callable[..., Any], files: Files,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    pytest.importorskip("matplotlib")
    pytest.importorskip("pyarrow")
    vr.io.write_qrels(files.folder / "strangers.txt", {"q1": {"7": 1}})
    vr.io.write_qrels(files.folder / "texts.txt", {"3": {"d7": 1}})
    monkeypatch.setattr("vecrecall.cli.swept._built", None)
    monkeypatch.chdir(tmp_path)
    done = command("sweep", *files("l2.hdf5", *arguments))
    assert (done.code, done.out) == (2, "")
    assert message in done.err and len(done.err.splitlines()) == 1


def test_an_index_without_rows_needs_a_truth_that_is_wide_enough(command: Callable[..., Any], files: Files) -> None:
    done = command("sweep", *files("codes.vr", "--queries", "queries.npy", "--truth", "l2.ivecs", "-k", "25"))
    assert done.code == 2 and "give --truth with 25 or more neighbours of each query" in done.err


def test_the_table_is_printed_before_files_are_written(
    command: Callable[..., Any], files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "t.csv")

    monkeypatch.setattr("vecrecall.measure.findings.Sweep.to_csv", full)
    done = command("sweep", *files("l2.hdf5", "--ef", "10", "--csv"), str(tmp_path / "t.csv"), *FAST)
    assert done.code == 2 and "recall@10" in done.out and "No space left" in done.err


def test_a_narrow_terminal_hides_no_number(
    command: Callable[..., Any], files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ["sweep", *files("l2.hdf5", "--qrels", "qrels.txt", "--ef", "1300"), *FAST]
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = command(*line).out
    assert "1300" in shown and "1.0000" in shown and "relevant lost" in shown and "…" not in shown


def test_a_missing_package_is_noticed_before_anything_is_measured(
    command: Callable[..., Any], files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name))
    monkeypatch.setattr("vecrecall.cli.swept.subject_of", None)
    done = command("sweep", *files("l2.hdf5", "--plot"), str(tmp_path / "a.png"))
    assert done.code == 2 and "pip install 'vecrecall[plot]'" in done.err


def test_help_names_every_option(command: Callable[..., Any]) -> None:
    done = command("sweep", "--help")
    assert done.code == 0
    for option in ("--queries", "--truth", "--qrels", "--ef", "--nprobe", "--target", "--json", "--plot", "--limit"):
        assert option in done.out


def test_a_row_that_is_refused_has_the_number_that_it_has_in_the_file(
    command: Callable[..., Any], tmp_path: Path
) -> None:
    holed = X.copy()
    holed[700, 3] = np.nan
    np.save(tmp_path / "holed.npy", holed)
    done = command("sweep", tmp_path / "holed.npy", *FAST)
    assert done.code == 2 and "holed.npy: row 700, column 3 is nan" in done.err
    asked = Q.copy()
    asked[3, 5] = np.inf
    vr.io.write(tmp_path / "set.hdf5", vr.io.Dataset(rows=X, queries=asked, metric="l2"))
    done = command("sweep", tmp_path / "set.hdf5", *FAST)
    assert done.code == 2 and "set.hdf5: query 3, column 5 is inf" in done.err


def test_queries_that_are_rows_are_noticed(command: Callable[..., Any], tmp_path: Path) -> None:
    np.save(tmp_path / "some.npy", X[:80])
    vr.Exact.build(X).save(tmp_path / "index.vr")
    done = command("sweep", tmp_path / "index.vr", "--queries", tmp_path / "some.npy", *FAST)
    assert done.code == 0 and "80 of 80 queries have a neighbour at distance 0" in done.err
