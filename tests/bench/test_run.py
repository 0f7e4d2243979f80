"""A run of the benchmark: what is kept, what is said of peers that misbehave, and that it can be continued."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from bench.records import Records, alone, remove
from bench.results import Built, Point
from bench.run import Runner, may_be_chosen, worth_timing
from bench.summing import results
from bench.tasks import Task, parse

N, DIM, K = 300, 8, 5
TOYS = "tests.bench.toy_peers"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small set, many of its distances equal."""
    path = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    X, Q = rng.integers(0, 3, (N, DIM)).astype(np.float32), rng.integers(0, 3, (40, DIM)).astype(np.float32)
    distances = np.sqrt(((X - Q[:, None]) ** 2).sum(2))
    ids = np.argsort(distances, axis=1, kind="stable")[:, :20]
    with h5py.File(path / "toy.hdf5", "w") as file:
        file["train"], file["test"], file["neighbors"] = X, Q, ids
        file["distances"] = np.take_along_axis(distances, ids, 1)
        file.attrs["distance"] = "euclidean"
    return path


def task(
    *peers: str, rounds: int = 2, limit: float = 60, build: str = "[{}]", search: str = "{}", more: str = ""
) -> Task:
    text = f"k = {K}\nrounds = {rounds}\ndata = ['toy']\nbuild_limit_s = {limit}\n{more}\n"
    for peer in peers:
        text += f"[[peer]]\nname = '{TOYS}:{peer}'\nbuild = {build}\nsearch = {search}\n"
    return parse("toys", text)


@pytest.fixture(scope="module")
def found(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """One run of all the toys."""
    path = tmp_path_factory.mktemp("record") / "toys.record"
    names = (
        "Honest", "Repeating", "Empty", "Short", "Lying", "Inventing", "Ending", "Refusing", "Unwilling", "Absent",
        "Endless", "Forgetful", "Hasty", "Vague", "Unsaved",
    )  # fmt: skip
    Runner(task(*names, limit=4), Records(path), folder, "python -m bench run toys").run()
    whole = results(Records(path))
    assert whole.finished and whole.command == "python -m bench run toys"
    assert [(d.name, d.n, d.dim, d.metric, d.n_choosing, d.n_timed) for d in whole.data] == [
        ("toy", N, DIM, "l2", 20, 20)
    ]
    assert not path.with_name(path.name + ".indexes").exists()
    return {built.peer.partition(":")[2]: built for built in whole.built}


def by_mode(built: Built) -> dict[str, Point]:
    return {mode: point for point in built.points for mode in point.qps}


def test_an_honest_exact_peer_has_recall_1_in_both_modes(found: dict[str, Built]) -> None:
    points = by_mode(found["Honest"])
    assert {mode: point.recall for mode, point in points.items()} == {"batch": 1.0, "single": 1.0}
    assert all(str(point.faults) == "" and point.faults.distance_error < 1e-6 for point in points.values())
    assert set(points["single"].latency_us) == {"mean", "p50", "p95", "p99"}
    assert len(points["batch"].rounds["batch"]) == 2
    assert found["Honest"].file_mib > 0 and found["Honest"].version == np.__version__


@pytest.mark.parametrize(
    ("toy", "words", "recall"),
    [
        ("Repeating", "20 repeated", (K - 1) / K),
        ("Empty", "40 missing", (K - 2) / K),
        ("Short", "40 missing", 3 / K),
        ("Lying", "100 wrong distances", 1.0),
        ("Inventing", "20 out of range", (K - 1) / K),
    ],
)
def test_a_peer_that_misbehaves_is_shown_as_such(
    found: dict[str, Built], toy: str, words: str, recall: float
) -> None:
    point = by_mode(found[toy])["single"]
    assert str(point.faults) == words
    assert point.recall == pytest.approx(recall)


def test_of_answers_that_change_from_round_to_round_the_worst_count(found: dict[str, Built]) -> None:
    point = by_mode(found["Forgetful"])["batch"]
    assert "changed" in str(point.faults) and point.faults.changed >= 20 * (K - 2)
    assert point.recall <= 2 / K


def test_an_index_that_cannot_be_saved_is_measured_all_the_same(found: dict[str, Built]) -> None:
    assert by_mode(found["Unsaved"])["batch"].recall == 1.0 and np.isnan(found["Unsaved"].file_mib)


@pytest.mark.parametrize(
    ("toy", "words"),
    [
        ("Ending", "its process ended during build (signal 9)"),
        ("Refusing", "RuntimeError: no room"),
        ("Unwilling", "not on Sundays"),
        ("Absent", "not installed"),
        ("Hasty", "5 answers came back to 20 queries"),
        ("Vague", "ids of dtype float64"),
        ("Endless", "took more than 4 s"),
    ],
)
def test_a_peer_that_cannot_go_on_is_left_out_with_its_reason(
    found: dict[str, Built], toy: str, words: str
) -> None:
    assert words in found[toy].problem
    assert found[toy].points == ()


def test_a_refused_setting_leaves_the_others(folder: Path, tmp_path: Path) -> None:
    records = Records(tmp_path / "record")
    Runner(task("Choosy", search="{ step = [3, 2, 1] }"), records, folder, "").run()
    (built,) = results(records).built
    assert built.problem == ""
    assert {point.setting["step"] for point in built.points} == {1, 3}


def test_a_mode_may_be_a_number_of_queries_in_a_call(folder: Path, tmp_path: Path) -> None:
    records = Records(tmp_path / "record")
    Runner(task("Honest", more="modes = ['batch', 7]"), records, folder, "").run()
    (built,) = results(records).built
    assert {mode: point.recall for mode, point in by_mode(built).items()} == {"batch": 1.0, "7": 1.0}
    (row,) = records.built()
    (calls,) = [a for a in records.answers(row.number, "timed") if a.mode == "7"]
    assert [len(each) for each in records.times(calls.number)[1]] == [3, 3]  # 20 queries: 7, 7, 6
    assert len(calls.ids) == 20


class Killed(BaseException):
    """What ends a run in the test."""


def interrupted(*arguments: object, **more: object) -> None:
    raise Killed


def test_a_killed_run_continues_where_its_record_ends(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary, path = tmp_path / "diary", tmp_path / "record"
    asked = task("Honest", rounds=3, build=f"[{{ diary = '{diary}' }}]", search="{ step = [1, 3] }")
    whole = Runner._round

    def killed(self: Runner, one: object, number: int, **more: object) -> None:
        if number == 1:
            raise Killed
        whole(self, one, number=number, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Runner, "_round", killed)
        with pytest.raises(Killed):
            Runner(asked, Records(path), folder, "").run()
    records = Records(path)
    before = results(records)
    assert not before.finished
    n_builds = len(diary.read_text().splitlines())
    (row,) = records.built()
    first = {(a.setting["step"], a.mode): records.times(a.number)[0][0] for a in records.answers(row.number, "timed")}
    Runner(asked, records, folder, "").run()
    after = results(records)
    assert after.finished
    assert len(diary.read_text().splitlines()) == n_builds  # the index was read, not built again
    for answers in records.answers(row.number, "timed"):
        totals, _ = records.times(answers.number)
        assert len(totals) == 3
        assert totals[0] == first[answers.setting["step"], answers.mode]


def test_a_record_of_another_task_is_not_continued(folder: Path, tmp_path: Path) -> None:
    records = Records(tmp_path / "record")
    Runner(task("Unwilling"), records, folder, "").run()
    with pytest.raises(ValueError, match="another task"):
        Runner(task("Refusing"), records, folder, "")


def test_a_run_is_not_continued_on_other_data_or_another_machine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records(tmp_path / "record")
    asked = task("Honest")
    with monkeypatch.context() as patch:
        patch.setattr(Runner, "_round", interrupted)
        with pytest.raises(Killed):
            Runner(asked, records, folder, "").run()
    other = tmp_path / "other"
    other.mkdir()
    with h5py.File(folder / "toy.hdf5") as old, h5py.File(other / "toy.hdf5", "w") as new:
        for name in ("test", "neighbors"):
            new[name] = old[name][:]
        new["train"] = old["train"][:] + 1
        new.attrs["distance"] = "euclidean"
    with pytest.raises(ValueError, match="toy is not what it was"):
        Runner(asked, records, other, "").run()
    monkeypatch.setattr("bench.machine.facts", lambda core: {"processor": "another"})
    with pytest.raises(ValueError, match="begun with another processor"):
        Runner(asked, records, folder, "")


def test_a_misspelt_peer_is_said_before_anything_is_built(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no peer 'hnsw'"):
        Runner(parse("x", "data = ['toy']\n[[peer]]\nname = 'hnsw'"), Records(tmp_path / "record"), folder, "")


def test_a_task_that_is_only_laid_out_otherwise_is_the_same(folder: Path, tmp_path: Path) -> None:
    records = Records(tmp_path / "record")
    asked = task("Unwilling")
    Runner(asked, records, folder, "").run()
    Runner(parse("toys", "# a remark\n" + asked.text), records, folder, "").run()


def test_one_run_at_a_time_writes_a_record(tmp_path: Path) -> None:
    with alone(tmp_path / "record"):
        with pytest.raises(ValueError, match="another run is writing"):
            with alone(tmp_path / "record"):
                pass


def test_a_grid_is_cut_short_only_where_it_ascends() -> None:
    def grid(search: str) -> bool:
        return parse("x", f"data = ['toy']\n[[peer]]\nname = 'x'\nsearch = {search}").entries[0].ascends

    assert grid("{ ef = [10, 20, 40] }") and grid("{ ef = [10] }")
    assert not grid("{ ef = [40, 20] }") and not grid("{ a = [1, 2], b = [1] }")


def test_settings_far_below_the_front_are_not_timed_again() -> None:
    points = [(0.5, 99.0), (0.82, 10.0), (0.9, 9.0), (0.9, 3.5), (0.9, 2.0), (0.99, 1.0)]
    assert may_be_chosen(points, lowest=0.85) == [False, True, True, True, False, True]
    assert may_be_chosen([(0.3, 1.0)], lowest=0.85) == [True]


def test_settings_that_are_timed_are_those_on_the_front() -> None:
    pairs = [(0.5, 9.0), (0.8, 8.0), (0.9, 5.0), (0.9, 4.0), (1.0, 1.0)]
    points = [(recall, speed, {"ef": ef}) for ef, (recall, speed) in enumerate(pairs, start=1)]
    assert worth_timing(points, 0.85) == [{"ef": 2}, {"ef": 3}, {"ef": 5}]
    many = [(i / 100, 1 / (i + 1), {"ef": i}) for i in range(100)]
    chosen = worth_timing(many, 0.0)
    assert chosen[0] == {"ef": 0} and chosen[-1] == {"ef": 99} and len(chosen) == 14


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data = ['toy']", "names no peer"),
        ("[[peer]]\nname = 'x'", "names no data"),
        ("data = ['toy']\nround = 3\n[[peer]]\nname = 'x'", "unknown key 'round'"),
        ("data = ['toy']\n[[peer]]\nname = 'x'\nsettings = {}", "unknown key 'settings'"),
        ("data = ['toy']\n[[peer]]\nsearch = {}", "peer 1 has no name"),
        ("data = ['toy']\nrounds = 0\n[[peer]]\nname = 'x'", "rounds = 0, expected"),
        ("data = ['toy']\nmodes = ['bulk']\n[[peer]]\nname = 'x'", "mode 'bulk'"),
    ],
)
def test_a_task_that_is_not_understood_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse("wrong", text)


def test_a_grid_is_every_combination_and_may_have_parts() -> None:
    text = "data = ['toy']\n[[peer]]\nname = 'x'\nsearch = [{ a = [1, 2], b = [3] }, { a = [9] }]\nonly = ['toy']"
    (entry,) = parse("grid", text).entries
    assert entry.settings == ({"a": 1, "b": 3}, {"a": 2, "b": 3}, {"a": 9})
    assert entry.takes("toy") and not entry.takes("other")


@pytest.mark.parametrize("content", [b"no record at all", b"SQLite format 3\0" + bytes(200)])
def test_a_foreign_file_is_no_record_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    for opened in (Records.existing, Records, remove):
        with pytest.raises(ValueError, match="no record"):
            opened(path)
    assert path.read_bytes() == content
    with pytest.raises(FileNotFoundError, match="there is no record"):
        Records.existing(tmp_path / "absent")

