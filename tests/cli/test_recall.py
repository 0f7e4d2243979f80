"""`vecrecall recall`: the same figure as `vr.recall`, from any two files, with queries matched by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import vecrecall as vr
from tests.cli.conftest import Command
from vecrecall.cli.answers import write_answers
from vecrecall.io import Dataset, write, write_ground_truth, write_hdf5, write_npz, write_vecs

IDS = np.array([[0, 1, 2], [5, 6, 7], [9, 8, 3], [4, 2, 1]])
DISTANCES = np.array([[0.0, 1, 2], [1, 2, 3], [1, 1, 1], [0.5, 1, 2]], np.float32)
FOUND = np.array([[0, 1, 4], [5, 7, 9], [9, 7, 0], [-1, -1, -1]])
REACHED = np.array([[0.0, 1, 2.5], [1, 3, 4], [1, 1, 1], [np.inf] * 3], np.float32)
BY_ID = (2 + 2 + 1 + 0) / 12
BY_DISTANCE = (2 + 2 + 3 + 0) / 12  # the third query has ties


def hits_of(ids: np.ndarray, distances: np.ndarray) -> vr.Hits:
    return vr.Hits(ids, distances, np.zeros(len(ids), np.int64), "l2")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of the same answers and the same truth in many forms."""
    for name, ids, distances in (("truth", IDS, DISTANCES), ("found", FOUND, REACHED)):
        for suffix in (".npz", ".tsv", ".jsonl", ".trec"):
            write_answers(tmp_path / f"{name}{suffix}", hits_of(ids, distances), None)
    write_vecs(tmp_path / "truth.ivecs", IDS)
    write_ground_truth(tmp_path / "truth.gt", IDS, DISTANCES)
    rows = np.zeros((10, 2), np.float32)
    parts = {"neighbors": IDS, "distances": DISTANCES, "metric": "l2"}
    write_hdf5(tmp_path / "truth.hdf5", Dataset(rows=rows, queries=rows[:4], **parts))
    return tmp_path


def measured(done: tuple[int, str, str]) -> dict[str, object]:
    assert done[0] == 0, done
    facts: dict[str, object] = json.loads(done[1])
    return facts


@pytest.mark.parametrize(
    ("found", "truth"),
    [(found, truth) for found in ("npz", "tsv", "jsonl", "trec") for truth in ("npz", "trec", "hdf5")]
    + [("npz", truth) for truth in ("tsv", "jsonl", "ivecs", "gt")],
)
def test_any_two_forms_give_the_same_recall(command: Command, files: Path, found: str, truth: str) -> None:
    facts = measured(command("recall", files / f"found.{found}", files / f"truth.{truth}", "-k", 3, "--json"))
    by_id = found == "trec" or truth in ("trec", "ivecs")
    assert facts["by"] == ("id" if by_id else "distance")
    assert facts["recall"] == pytest.approx(BY_ID if by_id else BY_DISTANCE)
    assert facts["queries"] == 4
    assert facts["unanswered"] == (1 if found in ("tsv", "trec") else 0)  # a line a hit: none for the fourth query


@pytest.mark.parametrize("by", ["id", "distance"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_it_is_what_the_library_computes(command: Command, files: Path, by: str, k: int) -> None:
    facts = measured(command("recall", files / "found.npz", files / "truth.hdf5", "-k", k, "--by", by, "--json"))
    assert facts["recall"] == vr.recall((FOUND, REACHED), (IDS, DISTANCES), k=k, by=by)


def test_the_interval_is_that_of_the_library(command: Command, files: Path) -> None:
    options = ["-k", 3, "--interval", 0.9, "--seed", 4]
    facts = measured(command("recall", files / "found.npz", files / "truth.gt", *options, "--json"))
    expected = vr.recall((FOUND, REACHED), (IDS, DISTANCES), k=3, interval=0.9, seed=4)
    assert (facts["low"], facts["high"], facts["level"]) == (expected.low, expected.high, 0.9)  # type: ignore[union-attr]
    shown = command("recall", files / "found.npz", files / "truth.gt", *options).out
    assert shown.startswith(f"recall@3 {BY_DISTANCE:.4f} by distance over 4 queries, interval ")


@pytest.mark.parametrize(("target", "code"), [(0.5, 0), (0.6, 1), (1.0, 1)])
def test_a_target_decides_the_exit_code(command: Command, files: Path, target: float, code: int) -> None:
    done = command("recall", files / "found.npz", files / "truth.npz", "-k", 3, "--target", target)
    assert (done.code, done.err) == (code, "")
    assert done.out.endswith(f"target {target} {'not ' * code}reached\n")
    done = command("recall", files / "found.npz", files / "truth.npz", "-k", 3, "--target", target, "--json")
    assert json.loads(done.out)["reached"] is (code == 0)


def test_queries_are_matched_by_name_in_any_order(command: Command, tmp_path: Path) -> None:
    names = np.array(["a", "b", "c", "d"])
    write_answers(tmp_path / "truth.jsonl", hits_of(IDS, DISTANCES), names)
    turned = [2, 0, 3, 1]
    write_answers(tmp_path / "found.tsv", hits_of(FOUND[turned], REACHED[turned]), names[turned])
    facts = measured(command("recall", tmp_path / "found.tsv", tmp_path / "truth.jsonl", "-k", 3, "--json"))
    assert facts["recall"] == pytest.approx(BY_DISTANCE)


def test_queries_without_a_line_are_told(command: Command, files: Path) -> None:
    done = command("recall", files / "found.trec", files / "truth.npz", "-k", 3)
    assert "1 of them have no line in RESULTS and count as not found" in done.out


@pytest.mark.parametrize(
    ("answered", "known", "message"),
    [
        (["a", "b", "x", "d"], ["a", "b", "c", "d"], "found.jsonl: answers query 'x', which"),
        (["a", "b", "d"], ["a", "b", "c", "d"], "found.jsonl: does not answer query 'c' of"),
        (["a", "b", "c", "d"], None, "found.jsonl: answers query 'a', which"),
    ],
)
def test_other_queries_are_refused(
    command: Command, tmp_path: Path, answered: list[str], known: list[str] | None, message: str
) -> None:
    n = len(answered)
    write_answers(tmp_path / "found.jsonl", hits_of(FOUND[:n], REACHED[:n]), answered)
    write_answers(tmp_path / "truth.npz", hits_of(IDS, DISTANCES), known)
    done = command("recall", tmp_path / "found.jsonl", tmp_path / "truth.npz", "-k", 3)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_integers_and_their_text_are_the_same_ids(command: Command, files: Path) -> None:
    lines = [json.dumps({"query": q, "ids": list(map(str, ids)), "distances": d.tolist()}) for q, (ids, d) in
             enumerate(zip(IDS.tolist(), DISTANCES))]  # fmt: skip
    (files / "text.jsonl").write_text("\n".join(lines))
    facts = measured(command("recall", files / "text.jsonl", files / "truth.ivecs", "-k", 3, "--json"))
    assert (facts["recall"], facts["by"]) == (1.0, "id")


def test_squared_distances_are_noticed_and_can_be_named(command: Command, files: Path) -> None:
    """By distance everything would be right beside them."""
    far = DISTANCES + 3
    write_answers(files / "far.npz", hits_of(FOUND, REACHED + 3), None)
    write_ground_truth(files / "squared.gt", IDS, far**2)
    done = command("recall", files / "far.npz", files / "squared.gt", "-k", 3)
    assert (done.code, done.out) == (2, "")
    assert "cannot be compared: another metric, or squared" in done.err
    facts = measured(command("recall", files / "far.npz", files / "squared.gt", "-k", 3, "--squared", "--json"))
    assert facts["recall"] == pytest.approx(BY_DISTANCE)
    facts = measured(command("recall", files / "far.npz", files / "squared.gt", "-k", 3, "--by", "id", "--json"))
    assert facts["recall"] == pytest.approx(BY_ID)


def test_a_form_can_be_named_where_the_content_leaves_two(command: Command, files: Path) -> None:
    write(files / "plain.ibin", np.array(IDS, np.int32))
    (files / "plain").write_bytes((files / "plain.ibin").read_bytes())
    done = command("recall", files / "found.npz", files / "plain", "-k", 3)
    assert done.code == 2
    assert "name the format with --truth-format" in done.err
    done = command("recall", files / "found.npz", files / "plain", "-k", 3, "--truth-format", "ibin", "--json")
    assert measured(done)["recall"] == pytest.approx(BY_ID)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-k", "0"], "-k is 0, expected an integer of at least 1"),
        (["-k", "4"], "found.npz: holds 3 places a query, but -k is 4"),
        (["--by", "luck"], "'luck' is not one of"),
        (["--seed", "-1"], "seed is -1, expected an integer of at least 0"),
        (["--interval", "2"], "interval is 2.0, expected a level between 0 and 1"),
        (["--target", "0"], "--target is 0.0, expected a number above 0"),
        (["--squared"], "option 'squared' does not belong to format 'npz'"),
        (["--truth-format", "hdf6"], "format is 'hdf6'"),
    ],
)
def test_bad_options_are_one_line(command: Command, files: Path, options: list[str], message: str) -> None:
    options = options if "-k" in options else ["-k", "3", *options]
    done = command("recall", files / "found.npz", files / "truth.npz", *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "query\trank\tid\tdistance\tscore\n0\t1\tx\n", "line 2 has fields"),
        ("a.tsv", "query\trank\tid\tdistance\tscore\n0\t1\tx\tnear\t0\n", "line 2 has fields"),
        ("a.tsv", "query\trank\tid\tdistance\tscore\n", "holds no queries"),
        ("a.jsonl", '{"query": 0, "ids": [1, 2]}', "line 1 has no ids and distances"),
        ("a.jsonl", '{"query": 0, "ids": [1, 2], "distances": [1]}', "line 1 has no ids and distances"),
        ("a.jsonl", '{"query": 0, "ids": [1.5], "distances": [1]}', "line 1 has no ids and distances"),
        ("a.jsonl", '{"query": 0, "ids": [true], "distances": [1]}', "line 1 has no ids and distances"),
        ("a.jsonl", '{"query": 0, "ids": [1], "distances": ["1"]}', "line 1 has no ids and distances"),
        ("a.jsonl", '{"query": 0, "ids": 3, "distances": 3}', "line 1 has no ids and distances"),
        ("a.jsonl", '{"query": 0, "ids": [], "distances": []}\n' * 2, "line 2 answers query '0' again"),
        ("a.jsonl", '{"query": 0, "ids": [', "line 1 is not JSON"),
        ("a.jsonl", '{"query": 0, "k": "3", "ids": [1], "distances": [1]}', "line 1 has k '3'"),
        ("a.jsonl", '{"query": 0}\n[]', "line 1 has no ids and distances"),
        ("a.trec", "q Q0 d 1 much tag\n", "line 1 has fields"),
        ("a.npy", "nothing", "text that begins with"),
    ],
)
def test_damaged_answers_are_refused_by_their_line(
    command: Command, files: Path, name: str, content: str, message: str
) -> None:
    (files / name).write_text(content)
    done = command("recall", files / name, files / "truth.npz", "-k", 1)
    assert (done.code, done.out) == (2, "")
    assert f"{name}: " in done.err
    assert message in done.err


def test_a_file_of_vectors_holds_no_answers(command: Command, files: Path, rows: Path) -> None:
    done = command("recall", rows, files / "truth.npz", "-k", 3)
    assert (done.code, done.out) == (2, "")
    assert "rows.npy: holds no neighbours and no run" in done.err


def test_distances_are_needed_to_measure_by_them(command: Command, files: Path) -> None:
    done = command("recall", files / "found.npz", files / "truth.ivecs", "-k", 3, "--by", "distance")
    assert done.code == 2
    assert "truth.ivecs: holds no distances" in done.err


def test_names_that_repeat_are_refused(command: Command, files: Path) -> None:
    write_npz(files / "twice.npz", Dataset(neighbors=IDS, query_ids=np.array(["a", "b", "a", "c"])))
    done = command("recall", files / "twice.npz", files / "truth.npz", "-k", 3)
    assert done.code == 2
    assert "twice.npz: has 3 names for 4 queries" in done.err


@pytest.mark.parametrize("suffix", [".npz", ".tsv", ".jsonl"])
def test_distances_of_codes_are_not_compared_unasked(command: Command, files: Path, suffix: str) -> None:
    write_answers(files / f"codes{suffix}", hits_of(FOUND, REACHED), None, exact_distances=False)
    line = ["recall", files / f"codes{suffix}", files / "truth.npz", "-k", 3, "--json"]
    done = command(*line)
    facts = measured(done)
    assert (facts["by"], facts["recall"]) == ("id", pytest.approx(BY_ID))
    assert f"warning: {files / f'codes{suffix}'}: holds distances of codes" in done.err and done.err.count("\n") == 1
    assert measured(command(*line, "--by", "id")) == facts
    assert measured(command(*line, "--by", "distance"))["recall"] == pytest.approx(BY_DISTANCE)


def test_more_neighbours_than_rows_are_no_narrower_in_lines(command: Command, tmp_path: Path, queries: Path) -> None:
    index = vr.Exact.build(np.load(queries))
    index.save(tmp_path / "few.vr")
    for suffix in (".npz", ".jsonl"):
        assert command("search", tmp_path / "few.vr", queries, "-k", 9, "--out", tmp_path / f"found{suffix}").code == 0
    for found in (".npz", ".jsonl"):
        for truth in (".npz", ".jsonl"):
            files = tmp_path / f"found{found}", tmp_path / f"found{truth}"
            assert measured(command("recall", *files, "-k", 9, "--json"))["recall"] == 1
            done = command("recall", *files, "-k", 10)
            assert done.code == 2 and "holds 9 places a query, but -k is 10" in done.err


def test_of_a_search_of_the_truth_all_is_found(
    command: Command, rows: Path, queries: Path, vectors: np.ndarray, tmp_path: Path
) -> None:
    truth = vr.Exact.build(vectors).search(vectors[10:15], k=10)
    parts = {"neighbors": truth.ids, "distances": truth.distances, "metric": "l2"}
    write_hdf5(tmp_path / "set.hdf5", Dataset(rows=vectors, queries=vectors[10:15], **parts))
    assert command("build", tmp_path / "set.hdf5", tmp_path / "index.vr", "--engine", "hnsw").code == 0
    for suffix in (".npz", ".tsv", ".jsonl", ".trec"):
        out = tmp_path / f"found{suffix}"
        assert command("search", tmp_path / "index.vr", tmp_path / "set.hdf5", "--out", out).code == 0
        assert command("recall", out, tmp_path / "set.hdf5", "--target", 1).out.startswith("recall@10 1.0000 by ")


def test_rows_of_a_truth_get_the_ids_that_the_index_was_given(command: Command, files: Path) -> None:
    names = np.arange(10) * 7 + 2
    write_answers(files / "named.npz", hits_of(np.where(FOUND < 0, -1, names[FOUND]), REACHED), None)
    line = ("recall", files / "named.npz", files / "truth.ivecs", "-k", 3)
    unknown = command(*line)
    assert "numbers rows, and hardly any of these numbers is among the ids" in unknown.err
    (files / "names.txt").write_text("\n".join(map(str, names)))
    facts = measured(command(*line, "--ids", files / "names.txt", "--json"))
    assert facts["recall"] == pytest.approx(BY_ID)
    rows = np.zeros((10, 2), np.float32)
    write_hdf5(files / "own.hdf5", Dataset(rows=rows, queries=rows[:4], neighbors=IDS, ids=names, metric="l2"))
    facts = measured(command("recall", files / "named.npz", files / "own.hdf5", "-k", 3, "--json"))
    assert facts["recall"] == pytest.approx(BY_ID)
    texts = [f"d{name}" for name in names]
    write_answers(files / "texts.jsonl", hits_of(np.array([*texts, None], object)[FOUND], REACHED), None)
    (files / "texts.txt").write_text("\n".join(texts))
    line = ("recall", files / "texts.jsonl", files / "truth.ivecs", "-k", 3, "--ids", files / "texts.txt", "--json")
    assert measured(command(*line))["recall"] == pytest.approx(BY_ID)


@pytest.mark.parametrize(
    ("truth", "n", "message"),
    [("truth.ivecs", 5, "truth.ivecs: names row 9, but there are 5 ids"), ("truth.npz", 10, "holds ids, not numbers")],
)
def test_ids_that_do_not_fit_a_truth_are_refused(
    command: Command, files: Path, truth: str, n: int, message: str
) -> None:
    (files / "names.txt").write_text("\n".join(map(str, range(n))))
    done = command("recall", files / "found.npz", files / truth, "-k", 3, "--ids", files / "names.txt")
    assert (done.code, done.out) == (2, "") and message in done.err


def test_a_truth_that_answers_beat_is_refused(command: Command, files: Path) -> None:
    """By distance all that is nearer counts as found: the truth of other rows flattered any answer."""
    write_answers(files / "near.npz", hits_of((IDS + 11) % 40, DISTANCES / 2), None)
    done = command("recall", files / "near.npz", files / "truth.npz", "-k", 3)
    assert (done.code, done.out) == (2, "")
    assert "truth.npz: truth has its neighbour" in done.err and "of other rows" in done.err


def test_places_that_fill_up_a_truth_of_scores_are_missing(command: Command, files: Path) -> None:
    ids = np.array([[0, 1, 7], [5, 3, 4]])
    found = np.array([[0, 1, -1], [5, -1, -1]])
    distances = np.array([[-2.0, -1, 0], [-4, 0, 0]], np.float32)
    reached = np.array([[-2.0, -1, np.inf], [-4, np.inf, np.inf]], np.float32)
    write_ground_truth(files / "filled.gt", ids, -distances)
    write_answers(files / "all.npz", hits_of(found, reached), None)
    done = command("recall", files / "all.npz", files / "filled.gt", "-k", 3)
    assert done.code == 0 and "recall@3 1.0000 by distance" in done.out
    assert "3 places have a score of 0" in done.err


def test_an_answer_that_repeats_an_id_beats_no_truth(command: Command, files: Path) -> None:
    write_answers(files / "repeats.npz", hits_of(IDS[:, [0, 0, 0]], DISTANCES[:, [0, 0, 0]]), None)
    facts = measured(command("recall", files / "repeats.npz", files / "truth.npz", "-k", 3, "--json"))
    assert facts["recall"] == pytest.approx(1 / 3)
