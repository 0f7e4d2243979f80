"""Folders of BEIR, judgements and runs of TREC."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.io.samples import QRELS, RUN, TEXTS
from vecrecall.hits import Hits
from vecrecall.io import Dataset, read_beir, read_qrels, read_run, run_of, write_beir, write_qrels, write_run

CORPUS = [
    {"_id": "d1", "title": "Cats", "text": "They purr."},
    {"_id": "d2", "title": "", "text": "No title."},
    {"_id": "d3", "text": "None at all.", "metadata": {"url": "x"}},
]
QUERIES = [{"_id": "q1", "text": "who purrs?"}, {"_id": "q2", "text": "training"}, {"_id": "q3", "text": "nobody"}]


def folder(path: Path, corpus: Any = CORPUS, queries: Any = QUERIES, **splits: str) -> Path:
    (path / "qrels").mkdir(parents=True)
    for name, objects in (("corpus", corpus), ("queries", queries)):
        (path / f"{name}.jsonl").write_text("\n".join(json.dumps(o) for o in objects), encoding="utf-8")
    for split, text in ({"test": "q1\td1\t1\nq1\td9\t0\n", "train": "q2\td2\t1\n"} | splits).items():
        (path / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + text)
    return path


def test_a_beir_folder_gives_texts_and_the_queries_that_are_judged(tmp_path: Path) -> None:
    found = vr.io.read(folder(tmp_path / "set"))
    assert found.texts == ["Cats They purr.", "No title.", "None at all."]
    assert (found.ids.tolist(), found.query_ids.tolist()) == (["d1", "d2", "d3"], ["q1"])
    assert (found.query_texts, found.qrels) == (["who purrs?"], {"q1": {"d1": 1, "d9": 0}})
    assert vr.io.read(tmp_path / "set", split="train").query_ids.tolist() == ["q2"]
    everything = vr.io.read(tmp_path / "set", split=None)
    assert (everything.query_ids.tolist(), everything.qrels) == (["q1", "q2", "q3"], None)


def test_a_missing_split_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(vr.DataFileError, match=r"dev\.tsv: missing.*there is test\.tsv, train\.tsv"):
        read_beir(folder(tmp_path / "set"), split="dev")
    (tmp_path / "set" / "queries.jsonl").unlink()
    with pytest.raises(vr.DataFileError, match=r"queries\.jsonl: missing"):
        read_beir(tmp_path / "set")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpus": [*CORPUS, CORPUS[0]]}, r"corpus\.jsonl: line 4 repeats the id 'd1'"),
        ({"corpus": [{"_id": "d1", "text": 7}]}, "line 1 has keys _id, text, expected '_id' and 'text'"),
        ({"corpus": [{"id": "d1", "text": "x"}]}, "line 1 has keys id, text"),
        ({"queries": QUERIES[1:]}, r"test\.tsv: judges query 'q1', which queries\.jsonl does not have"),
        ({"test": "q1\td1\tgood\n"}, "line 2 has fields"),
    ],
)
def test_folders_that_do_not_fit_together_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(vr.DataFileError, match=message):
        vr.io.read(folder(tmp_path / "set", **change))


def test_a_beir_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_beir(tmp_path / "set", TEXTS, split="dev")
    assert read_beir(tmp_path / "set", split="dev").qrels == QRELS
    with pytest.raises(FileExistsError, match="is there already; name another folder"):
        write_beir(tmp_path / "set", TEXTS)
    (tmp_path / "empty").mkdir()
    write_beir(tmp_path / "empty", Dataset(texts=["a"], query_texts=["b"]))
    assert read_beir(tmp_path / "empty", split=None).ids.tolist() == ["0"]
    with pytest.raises(ValueError, match="3 texts|texts has 3 entries and there are 2 ids"):
        write_beir(tmp_path / "bad", Dataset(ids=["a", "b"], texts=["1", "2", "3"], query_texts=[]))
    with pytest.raises(ValueError, match="has white space"):
        write_beir(tmp_path / "bad", Dataset(texts=["1"], query_texts=["2"], qrels={"a\tb": {"c": 1}}))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "set"]


QREL_FILES = {
    "spaces": "q1 0 d1 1\nq1 0 d2 -1\nq2 0 d1 2\n",
    "tabs": "q1\t0\td1\t1\r\nq1\t0\td2\t-1\r\nq2\t0\td1\t2\r\n",
    "titles": "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t-1\nq2\td1\t2\n",
    "no titles": "q1\td1\t1\nq1\td2\t-1\nq2\td1\t2",
    "judged twice alike": "q1 0 d1 1\nq1 0 d1 1\nq1 0 d2 -1\nq2 0 d1 2\n",
}


@pytest.mark.parametrize("case", QREL_FILES)
def test_judgements_of_trec_and_beir_are_read(tmp_path: Path, case: str) -> None:
    (tmp_path / "judged").write_bytes(QREL_FILES[case].encode())
    assert vr.io.read(tmp_path / "judged").qrels == {"q1": {"d1": 1, "d2": -1}, "q2": {"d1": 2}}


def test_ids_with_spaces_are_kept_between_tabs(tmp_path: Path) -> None:
    write_qrels(tmp_path / "a.tsv", {"q 1": {"d 1": 1}})
    assert (tmp_path / "a.tsv").read_text() == "query-id\tcorpus-id\tscore\nq 1\td 1\t1\n"
    assert read_qrels(tmp_path / "a.tsv").qrels == {"q 1": {"d 1": 1}}


def test_a_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.qrels").write_text("q1 0 d1 1\n\nq1 0 d2 x\n")
    with pytest.raises(vr.DataFileError, match=r"line 3 has fields \['q1', '0', 'd2', 'x'\]"):
        vr.io.read(tmp_path / "a.qrels")


def test_a_run_is_written_as_trec_eval_reads_it(tmp_path: Path) -> None:
    write_run(tmp_path / "a.run", {"q1": {"d1": 0.5, "d3": 0.75, "d2": 0.5}}, tag="mine")
    assert (tmp_path / "a.run").read_text() == "q1 Q0 d3 1 0.75 mine\nq1 Q0 d1 2 0.5 mine\nq1 Q0 d2 3 0.5 mine\n"
    assert list(read_run(tmp_path / "a.run").run["q1"]) == ["d3", "d1", "d2"]
    with pytest.raises(ValueError, match="'a b' is empty or has white space"):
        write_run(tmp_path / "b.run", RUN, tag="a b")


def test_a_run_is_read_best_first_whatever_its_order(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("q1 Q0 d1 3 0.5 t\nq1 Q0 d2 1 0.75 t\nq1 Q0 d3 2 5e-1 t\nq2 Q0 d1 1 -3 t\n")
    found = vr.io.read(tmp_path / "a").run
    assert {q: list(answers.items()) for q, answers in found.items()} == {
        "q1": [("d2", 0.75), ("d3", 0.5), ("d1", 0.5)],
        "q2": [("d1", -3.0)],
    }


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_hits_become_a_run(tmp_path: Path, metric: str) -> None:
    ids, distances = np.array([[4, 2], [7, -1], [-1, -1]]), np.array([[0.25, 0.5], [0, np.inf], [np.inf, np.inf]], "f4")
    hits = Hits(ids, distances, 3, metric)
    run = run_of(hits, ["a", "b", "c"])
    assert {q: list(answers) for q, answers in run.items()} == {"a": ["4", "2"], "b": ["7"], "c": []}
    assert list(run["a"].values()) == hits.scores[0].tolist()
    write_run(tmp_path / "a.run", run)
    assert read_run(tmp_path / "a.run").run == {"a": run["a"], "b": run["b"]}
    with pytest.raises(ValueError, match="query_ids has 1 entries and hits answer 3 queries"):
        run_of(hits, ["a"])


def test_a_single_answer_becomes_a_run_too() -> None:
    hits = Hits(np.array(["x", None], object), np.array([1.5, np.inf], "f4"), 3, "l2")
    assert run_of(hits) == {"0": {"x": -1.5}}
