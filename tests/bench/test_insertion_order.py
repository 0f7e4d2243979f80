"""The studies of insertion order as a command: shared, resumed, reported."""

from __future__ import annotations

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest

from bench import insertion_order
from bench.insertion_order import ORDERS, loaded, main, orders_for

SMALL = ["--rows", "260", "--queries", "40", "--orders", "random,category,lid_asc", "--seeds", "1"]


def test_a_run_is_shared_resumed_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(insertion_order, "EFS", (10,))
    out = ["--out", str(tmp_path)]
    both = ["--sets", "groups-10,dim-2,dim-4", "--engines", "sequential,default"]
    main([*out, *both, *SMALL, "--engines", "sequential", "--record-name", "one", "--no-report"])
    main([*out, *both, *SMALL, "--engines", "default", "--record-name", "two", "--no-report"])
    assert not (tmp_path / "report.md").exists()
    capsys.readouterr()
    main([*out, *both, *SMALL, "--plan"])
    plan = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(line[0], line[1], line[3]) for line in plan] == [
        ("groups-10", "6", "6"), ("dim-2", "4", "4"), ("dim-4", "4", "4"), ("together", "14", "14"),
    ]  # fmt: skip

    def refused(*given: object, **named: object) -> None:
        raise AssertionError("a report builds nothing")

    monkeypatch.setattr(insertion_order, "study", refused)
    main([*out, "--report"])
    text = (tmp_path / "report.md").read_text()
    for heading in ("## groups-10", "### groups-10, sequential", "### dim-4, default", "### default, random order"):
        assert f"\n{heading}\n" in text
    assert "| category | " in text and "| lid_asc | " in text
    with open(tmp_path / "groups-10-orders.csv", newline="") as file:
        assert {row["order"] for row in csv.DictReader(file)} == {"random", "category", "lid_asc"}
    pictures = {path.name for path in tmp_path.glob("*.svg")}
    assert {"groups-10-recall.svg", "groups-10-lid.svg", "dim-2-differences.svg", "dimension-default.svg"} <= pictures


def test_a_file_is_read_whole_or_sampled_with_its_categories(tmp_path: Path) -> None:
    X = np.arange(60, dtype=np.uint8).reshape(20, 3)
    with h5py.File(tmp_path / "sift-images-128.hdf5", "w") as file:
        file["train"], file["test"], file["train_category"] = X, X[:2], np.arange(20)
        file.attrs["metric"] = "euclidean"
    whole, some = (loaded("sift-images-128", tmp_path, n) for n in (None, 7))
    assert np.array_equal(whole.X, X) and whole.metric == "l2" and len(whole.Q) == 2
    assert len(some.X) == 7 and np.array_equal(some.X, X[some.labels])


def test_a_file_that_is_missing_is_named_with_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no fashion-mnist-784.hdf5 in .*bench.make_data"):
        loaded("fashion-mnist-784", tmp_path, None)


@pytest.mark.parametrize(
    ("name", "wanted", "orders"),
    [
        ("sift-images-128", None, list(ORDERS)),
        ("wordnet-minilm-384", None, [order for order in ORDERS if order != "norm_desc"]),
        ("groups-2", ("random", "category"), ["random", "category"]),
        ("dim-8", ("random", "category"), ["random"]),
        ("dim-8", None, ["random", "lid_desc", "lid_asc", "dense_first", "sparse_first"]),
    ],
)
def test_a_set_has_the_orders_that_apply(name: str, wanted: tuple[str, ...] | None, orders: list[str]) -> None:
    assert orders_for(name, wanted) == orders


def test_groups_are_as_far_apart_as_their_name_says() -> None:
    found = loaded("groups-10", None, 2_000)
    centres = np.stack([found.X[found.labels == group].mean(axis=0) for group in range(100)])
    within = (found.X - centres[found.labels]).std()
    assert 8 < centres.std() / within < 12.5


@pytest.mark.parametrize("option", [["--sets", "mnist"], ["--engines", "annoy"]])
def test_names_that_are_none_are_refused(option: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), *option])


def test_a_report_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there is no record"):
        main(["--out", str(tmp_path), "--report"])
