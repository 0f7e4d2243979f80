"""The record of a study: it goes on where it was stopped, is shared, and refuses what is not its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.analysis.fake_engines import FirstRows
from vecrecall.analysis.studies import Study, study

rng = np.random.default_rng(3)
X = rng.standard_normal((200, 5)).astype(np.float32)
Q = rng.standard_normal((30, 5)).astype(np.float32)
WHOLE = 2 * 3  # orders x seeds


def studied(engine: Any, record: Path | None = None, **changes: Any) -> Study:
    given: dict[str, Any] = {"orders": ["random", "norm_desc"], "ef": (5, 20), "k": 5, "seeds": 3, "record": record}
    return study(**{"X": X, "Q": Q, "engines": engine, **given, **changes})


def without_times(found: Study) -> list[str]:
    return [repr({**record, "build_s": 0}) for table in ("seeds", "orders", "lid") for record in found.as_dicts(table)]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "study.jsonl"


def test_an_interrupted_study_goes_on_and_builds_nothing_twice(record: Path) -> None:
    first, second = FirstRows(interrupted_at=4), FirstRows()
    with pytest.raises(KeyboardInterrupt):
        studied(first, record)
    assert len(record.read_bytes().splitlines()) == 1 + 4
    found = studied(second, record)
    assert len(second.built) == WHOLE - 4 and not set(first.built) & set(second.built)
    assert without_times(found) == without_times(studied(FirstRows()))


def test_a_finished_study_is_read_without_building(record: Path) -> None:
    whole, engine = studied(FirstRows(), record), FirstRows()
    assert without_times(studied(engine, record)) == without_times(whole) == without_times(Study.read(record))
    assert engine.built == []


def test_a_study_that_is_asked_for_more_builds_only_that(record: Path) -> None:
    studied(FirstRows(), record)
    engine = FirstRows()
    found = studied(engine, record, orders=["random", "norm_desc", "given"], seeds=[2, 3])
    assert len(engine.built) == 4  # the third order twice, the two others with seed 3
    assert found.orders == ("random", "norm_desc", "given") and len(Study.read(record).as_dicts("seeds")) == 10 * len(
        found.points
    )


def test_records_of_several_processes_are_one_study(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    studied(FirstRows("a"), one)
    studied(FirstRows("b"), two)
    found = Study.read(one, two, one)
    assert found.engines == ("a", "b")
    together = studied([FirstRows("a"), FirstRows("b")])
    assert sorted(without_times(found)) == sorted(without_times(together))


@pytest.mark.parametrize("torn", [1, 40, 400])
def test_a_line_that_was_not_finished_is_built_again(record: Path, torn: int) -> None:
    whole = studied(FirstRows(), record)
    content = record.read_bytes()
    record.write_bytes(content[:-torn])
    assert len(Study.read(record).as_dicts("seeds")) == (WHOLE - 1) * len(whole.points)
    engine = FirstRows()
    assert without_times(studied(engine, record)) == without_times(whole)
    assert len(engine.built) == 1
    assert [json.loads(line) for line in record.read_bytes().splitlines()]  # nothing torn stands between


def test_a_last_line_of_nothing_is_dropped(record: Path) -> None:
    studied(FirstRows(), record)
    content = record.read_bytes()
    record.write_bytes(content + b"\0" * 50 + b"\n")
    engine = FirstRows()
    studied(engine, record)
    assert engine.built == [] and record.read_bytes() == content


def changed_line(path: Path, number: int, old: bytes, new: bytes) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    assert old in lines[number]
    lines[number] = lines[number].replace(old, new, 1)
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"seed":', b'"sead":', "its digest is another"),
        (b'"evals":[', b'"evals":[1', "its digest is another"),
        (b'"n_right":"', b'"n_right":"A', "its digest is another"),
        (b"{", b"(", "it is not JSON"),
        (b'"body"', b'"soul"', "it has no body"),
    ],
)
def test_a_damaged_line_is_named(record: Path, old: bytes, new: bytes, words: str) -> None:
    studied(FirstRows(), record)
    changed_line(record, 2, old, new)
    for read in (lambda: Study.read(record), lambda: studied(FirstRows(), record)):
        with pytest.raises(vr.DataFileError, match=rf"study.jsonl, line 3 is damaged \({words}\); remove that line"):
            read()


def resigned(path: Path, number: int, change: Any) -> None:
    """Change what a line says, and its digest with it, as a stranger might."""
    import orjson

    from vecrecall.analysis.studying import packed

    lines = path.read_bytes().splitlines(keepends=True)
    body = orjson.loads(lines[number])["body"]
    change(body)
    lines[number] = packed._line(body)
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda body: body.pop("evals"), "no 'evals'"),
        (lambda body: body.update(evals=[1.0]), "numbers were expected"),
        (lambda body: body.update(evals="1"), "numbers were expected"),
        (lambda body: body["evals"].__setitem__(0, "x"), "'x' is no number"),
        (lambda body: body.update(n_right=body["n_right"][4:]), "an array is not of"),
        (lambda body: body.update(n_right="?"), "base64"),
        (lambda body: body.update(M=-1), "-1 is no count"),
        (lambda body: body.update(structure={"color": 1.0}), "no 'out_degree'"),
        (lambda body: body.update(structure=7), "int"),
    ],
)
def test_a_line_that_says_what_cannot_be_is_named(record: Path, change: Any, words: str) -> None:
    studied(FirstRows(), record)
    resigned(record, 2, change)
    with pytest.raises(vr.DataFileError, match=f"line 3 is damaged .*{words}"):
        Study.read(record)


def test_an_array_that_unpacks_to_more_than_it_should_is_refused_without_unpacking(record: Path) -> None:
    import tracemalloc
    import zlib
    from base64 import b64encode

    studied(FirstRows(), record)
    bomb = b64encode(zlib.compress(bytes(50_000_000), 9)).decode()
    resigned(record, 2, lambda body: body.update(n_right=bomb))
    tracemalloc.start()
    with pytest.raises(vr.DataFileError, match="an array is not of"):
        Study.read(record)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_more_right_answers_than_answers_are_refused(record: Path) -> None:
    from vecrecall.analysis.studying import packed

    found = studied(FirstRows(), record)
    n_efs = len(found._header.ladder)
    resigned(record, 1, lambda body: body.update(n_right=packed._text(np.full((n_efs, 30), 6, "<u2"))))
    with pytest.raises(vr.DataFileError, match="6 of 5 answers are right"):
        Study.read(record)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "its first line is none"),
        (b"recall,0.9\n", r"it is not JSON"),
        (b'{"digest": 1, "body": {}}\n', "its digest is another"),
        (b"[1]\n", "it has no body"),
        (b"half a line", "its first line is none"),
    ],
)
def test_a_file_that_is_no_record_is_refused_and_left_alone(record: Path, content: bytes, words: str) -> None:
    record.write_bytes(content)
    engine = FirstRows()
    with pytest.raises(vr.DataFileError, match=f"study.jsonl is not the record of a study.*{words}"):
        studied(engine, record)
    assert engine.built == [] and record.read_bytes() == content


def test_a_record_of_a_later_version_is_refused(record: Path) -> None:
    studied(FirstRows(), record)
    resigned(record, 0, lambda body: body.update(version=2))
    with pytest.raises(vr.DataFileError, match="format 'vecrecall study', version 2"):
        Study.read(record)


@pytest.mark.parametrize(
    "changes",
    [
        {"X": X + 1e-3},
        {"Q": Q[::-1]},
        {"Q": Q[:20]},
        {"k": 4},
        {"ef": (5, 30)},
        {"metric": "cosine"},
        {"labels": np.arange(200) % 3},
    ],
)
def test_a_record_of_another_study_is_refused(record: Path, changes: dict[str, Any]) -> None:
    studied(FirstRows(), record)
    content, engine = record.read_bytes(), FirstRows()
    with pytest.raises(ValueError, match="is the record of a study of other rows, queries, labels or settings"):
        studied(engine, record, **changes)
    assert engine.built == [] and record.read_bytes() == content


def test_records_of_different_studies_are_not_joined(tmp_path: Path) -> None:
    studied(FirstRows(), tmp_path / "one")
    studied(FirstRows(), tmp_path / "two", X=2 * X)
    with pytest.raises(ValueError, match="two is the record of another study than .*one"):
        Study.read(tmp_path / "one", tmp_path / "two")
    with pytest.raises(ValueError, match="no record was given"):
        Study.read()


def test_another_permutation_of_the_same_name_is_refused(tmp_path: Path) -> None:
    there, back = np.arange(200), np.arange(200)[::-1]
    studied(FirstRows(), tmp_path / "there", orders={"random": None, "mine": there})
    with pytest.raises(ValueError, match="the record has another permutation under the name 'mine'"):
        studied(FirstRows(), tmp_path / "there", orders={"mine": back})
    studied(FirstRows(), tmp_path / "back", orders={"mine": back})
    with pytest.raises(ValueError, match="back has another order 'mine' than .*there"):
        Study.read(tmp_path / "there", tmp_path / "back")


def test_a_record_without_a_graph_is_no_study_yet(record: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        studied(FirstRows(interrupted_at=0), record)
    with pytest.raises(ValueError, match="holds no graph yet"):
        Study.read(record)


def test_a_record_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    engine = FirstRows()
    with pytest.raises(FileNotFoundError):
        studied(engine, tmp_path / "nowhere" / "study.jsonl")
    assert engine.built == []


def test_engines_stand_in_one_order_whichever_process_wrote_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(300, 6)), rng.normal(size=(10, 6))
    for engine in ("default", "sequential"):
        study(X, Q, orders="random", engines=engine, seeds=1, ef=10, record=tmp_path / f"{engine}.jsonl")
    joined = Study.read(tmp_path / "default.jsonl", tmp_path / "sequential.jsonl")
    assert joined.engines == ("sequential", "default")
    other = Study.read(tmp_path / "sequential.jsonl", tmp_path / "default.jsonl")
    assert repr(other) == repr(joined) and other.table(ef=10) == joined.table(ef=10)
