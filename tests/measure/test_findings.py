"""What a sweep makes of its figures: the suggestion, the front, the table, the files, the picture."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from vecrecall.measure.findings import Setting, Sweep
from vecrecall.measure.retrieval import Retrieval

NAN = float("nan")
JUDGED = Retrieval(0.5, 0.45, 0.55, 0.026, 0.01, 0.04, 0.03, 0.0, 0.06)
ROWS = [  # by ef; 30 is slower than 40 and no better
    Setting({"ef": 10}, 0.90, 0.88, 0.92, 100, 9_000, 17_000, 10, 20, 30),
    Setting({"ef": 20}, 0.956, 0.948, 0.961, 200, 7_000, 13_000, 20, 30, 40),
    Setting({"ef": 30}, 0.97, 0.96, 0.98, 300, 4_000, 7_000, 35, 50, 60),
    Setting({"ef": 40}, 0.97, 0.965, 0.975, 400, 5_000, 9_000, 30, 40, 50),
]


def sweep(rows: list[Setting] = ROWS, **changes: Any) -> Sweep:
    given: dict[str, Any] = {
        "index": "HNSW: 9 vectors\nM=24", "k": 10, "n_queries": 1_000, "threads": 2, "truth": "exact search",
        "by": "distance", "level": 0.95, "compile_s": 1.5,
    }  # fmt: skip
    return Sweep(rows, **{**given, **changes})


def judged() -> Sweep:
    rows = [Setting(**{**vars(row), "retrieval": JUDGED}) for row in ROWS]
    return sweep(rows, depth=10, exact_ndcg=0.51, n_judged=900)


@pytest.mark.parametrize(
    ("target", "ef", "reached", "words"),
    [
        (0.8, 10, True, "for recall 0.8 use ef=10 (0.900, interval 0.880 to 0.920)"),
        (0.88, 10, True, "for recall 0.88 use ef=10"),
        (0.948, 20, True, "for recall 0.948 use ef=20 (0.956, interval 0.948 to 0.961)"),
        (0.95, 40, True, "for recall 0.95 use ef=40"),  # the interval of 20 begins below; 30 is slower
        (0.965, 40, True, "for recall 0.965 use ef=40"),
        (0.969, 40, False, "recall 0.969 is not certain at any setting; the nearest is ef=40 (0.970"),
        (0.99, 40, False, "recall 0.99 is not reached by any setting; the nearest is ef=40 (0.970"),
    ],
)
def test_the_fastest_setting_whose_interval_lies_above_is_suggested(
    target: float, ef: int, reached: bool, words: str
) -> None:
    suggestion = sweep().suggest(target)
    assert (suggestion.setting.settings, suggestion.reached, suggestion.target) == ({"ef": ef}, reached, target)
    assert repr(suggestion).startswith(words)


@pytest.mark.parametrize(("target", "error"), [(0, ValueError), (1.5, ValueError), ("0.9", TypeError)])
def test_a_target_that_is_none_is_refused(target: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="recall is"):
        sweep().suggest(target)


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    assert [row.settings["ef"] for row in sweep().pareto] == [10, 20, 40]


def test_the_text_is_an_aligned_table_with_a_suggestion() -> None:
    first, head, *table, last = repr(judged()).split("\n")
    assert first == "HNSW: 9 vectors" and "1,000 queries, compared by distance with exact search" in head
    assert "compiling took 1.50 s" in head
    assert table.pop(0) == "exact search has nDCG@10 0.5100 over 900 judged queries"
    assert len({len(line) for line in table}) == 1 and len(table) == 5
    assert table[0].split() == (
        "ef recall@10 interval evals QPS 1 thread QPS 2 threads p50 us p95 us p99 us nDCG@10 loss relevant lost"
    ).split()
    assert "0.9560  0.9480-0.9610" in table[2] and "2.6 % (1.0 to 4.0)" in table[2]
    assert last == repr(judged().suggest(0.95))


def test_large_settings_are_told_in_full() -> None:
    found = sweep([Setting({"ef": 1_234_567, "heap_factor": 0.9}, 0.97, 0.96, 0.98, 100, 9_000, 17_000)])
    assert found.table()[1][0][:2] == ["1234567", "0.9"]
    assert "use ef=1234567 heap_factor=0.9 (" in repr(found)


def test_what_was_not_measured_has_no_column() -> None:
    rows = [Setting({"ef": 10}, 0.9, 0.88, 0.92, 100, 9_000, 9_000)]
    headings, lines = sweep(rows, threads=1).table()
    assert headings == ["ef", "recall@10", "interval", "evals", "QPS 1 thread"] and len(lines) == 1
    assert set(sweep(rows).as_dicts()[0]) == {
        "ef", "k", "recall", "recall_low", "recall_high", "evals", "qps_1", "threads", "qps_all",
    }  # fmt: skip


def test_csv_parquet_and_pandas_hold_the_same_figures(tmp_path: Path) -> None:
    found = judged()
    expected = found.as_dicts()
    assert expected[1]["ef"] == 20 and expected[1]["recall_low"] == 0.948 and expected[1]["ndcg_loss"] == 0.026
    found.to_csv(tmp_path / "t.csv")
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        read = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert read == expected
    pytest.importorskip("pandas")
    assert found.to_pandas().to_dict("records") == expected
    parquet = pytest.importorskip("pyarrow.parquet")
    found.to_parquet(tmp_path / "t.parquet")
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.parquet"]


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")])
def test_a_picture_is_drawn_in_the_format_of_its_name(tmp_path: Path, name: str, magic: bytes) -> None:
    pytest.importorskip("matplotlib")
    judged().plot(tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_a_picture_without_latency_or_settings_is_drawn_too(tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    sizes = []
    for found in (sweep(), sweep([Setting({}, 1, 1, 1, 9, 100, 100)], threads=1)):
        found.plot(tmp_path / "a.png")
        pixels = image.imread(tmp_path / "a.png")
        assert pixels.std() > 0.01  # not blank
        sizes.append(pixels.shape[1])
    assert sizes[0] > sizes[1]  # two panels and one


def test_an_unknown_suffix_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=r"a\.xyz ends in 'xyz', expected one of .*png"):
        sweep().plot(tmp_path / "a.xyz")
    with pytest.raises(FileNotFoundError):
        sweep().to_csv(tmp_path / "absent" / "a.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("package", "verb", "extra"), [("matplotlib", "plot", "plot"), ("pyarrow", "to_parquet", "parquet")]
)
def test_a_missing_package_is_named_with_the_way_to_get_it(
    package: str, verb: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(ImportError, match=rf"{package} is not installed.*pip install 'vecrecall\[{extra}\]'"):
        getattr(sweep(), verb)(tmp_path / "a.png")
