"""`vecrecall dimension`: the table, the files and the JSON hold what the library says."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from tests.cli.conftest import Command
from vecrecall.io import Dataset, write_csr, write_hdf5


def test_the_table_has_a_line_for_each_method_and_k(command: Command, rows: Path, vectors: np.ndarray) -> None:
    done = command("dimension", rows, "-k", "10,30")
    assert (done.code, done.err) == (0, "")
    found = vr.analysis.dimension(vectors, "all", k=(10, 30))
    assert f"{rows}: n=200, metric l2, exact neighbours, 0 duplicates (merged)" in done.out
    lines = [line for line in done.out.splitlines() if "(levina-bickel)" in line]
    assert len(lines) == 2
    assert f"{found['mle', 10].value:.4g}" in lines[0] and f"{found['mle', 30].mean:.4g}" in lines[1]
    for scale in found["gride"].curve:
        assert f"{scale.estimate:.4g}" in done.out and f"{scale.radius:.4g}" in done.out


@pytest.mark.parametrize(
    ("line", "options"),
    [
        (["--method", "mle,twonn"], {"method": ["mle", "twonn"]}),
        (["--method", "mle", "-k", 20, "--convention", "amsaleg", "--metric", "cosine"],
         {"method": ["mle"], "k": 20, "convention": "amsaleg", "metric": "cosine"}),
        (["--method", "mle", "--approximate", "--recall", 0.9, "--seed", 3],
         {"method": ["mle"], "exact": False, "recall": 0.9, "seed": 3}),
        (["--method", "gride", "--duplicates", "drop", "--threads", 1], {"method": ["gride"], "duplicates": "drop"}),
    ],
)  # fmt: skip
def test_json_holds_what_the_library_says(
    command: Command, rows: Path, vectors: np.ndarray, line: list[Any], options: dict[str, Any]
) -> None:
    done = command("dimension", rows, "--json", *line)
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    found = vr.analysis.dimension(vectors, **options)
    assert said["n"] == 200 and said["metric"] == options.get("metric", "l2") and "pointwise" not in said
    for own, each in zip(said["estimates"], found.values(), strict=True):
        assert own["value"] == each.value and own["k"] == each.k and own["method"] == each.method
        assert own["error"] == each.error and len(own["curve"]) == len(each.curve)


def test_files_of_the_table_and_of_pointwise_values(command: Command, vectors: np.ndarray, tmp_path: Path) -> None:
    X = np.vstack([vectors, np.zeros((1, 12), np.float32)])
    np.save(tmp_path / "some.npy", X)
    table, values = tmp_path / "table.csv", tmp_path / "lid.csv"
    line = ("dimension", tmp_path / "some.npy", "--metric", "cosine", "-k", "5,10")
    line = (*line, "--csv", table, "--pointwise", values)
    done = command(*line)
    assert done.code == 0 and "1 zero row vector under metric 'cosine'" in done.err
    with pytest.warns(UserWarning):
        found = vr.analysis.dimension(X, "all", k=(5, 10), metric="cosine")
    written = list(csv.DictReader(table.open()))
    assert [float(row["value"]) for row in written] == [each.value for each in found.values()]
    rows = list(csv.DictReader(values.open()))
    assert list(rows[0]) == ["row", "mle_k5", "mle_k10", "mom_k5", "mom_k10", "lpca_k5", "lpca_k10"]
    assert [row["row"] for row in rows] == [str(i) for i in range(201)] and rows[200]["mle_k5"] == ""
    np.testing.assert_array_equal([float(row["mle_k5"]) for row in rows[:200]], found["mle", 5].pointwise[:200])
    again = command(*line)
    assert again.code == 2 and "table.csv: is there already; give --force" in again.err
    assert command(*line, "--force").code == 0


def test_limit_takes_the_first_rows(command: Command, rows: Path, vectors: np.ndarray) -> None:
    said = json.loads(command("dimension", rows, "--limit", 50, "--method", "mom", "-k", 7, "--json").out)
    assert said["n"] == 50 and said["estimates"][0]["value"] == vr.analysis.dimension(vectors[:50], "mom", k=7).value


def test_the_metric_of_the_file_is_taken_unless_it_is_none(
    command: Command, vectors: np.ndarray, tmp_path: Path
) -> None:
    for metric in ("cosine", "ip"):
        write_hdf5(tmp_path / f"{metric}.hdf5", Dataset(rows=vectors, metric=metric))
    assert json.loads(command("dimension", tmp_path / "cosine.hdf5", "--json").out)["metric"] == "cosine"
    done = command("dimension", tmp_path / "ip.hdf5")
    assert done.code == 2 and "says that its metric is ip, which is no distance; give --metric cosine" in done.err
    assert json.loads(command("dimension", tmp_path / "ip.hdf5", "--metric", "l2", "--json").out)["metric"] == "l2"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["-k", "ten"], "-k is 'ten', expected a number, or several between commas"),
        (["-k", "2"], "k is 2, expected an integer of at least 3"),
        (["--method", "mle,best"], "method is 'best', expected one of 'mle', 'mom', 'twonn', 'gride', 'lpca'"),
        (["--method", "mom", "--convention", "unbiased"], "only method 'mle' takes"),
        (["--recall", "0.9"], "--recall is 0.9, but exact search finds all"),
        (["--metric", "ip"], "metric is 'ip', expected 'l2' or 'cosine'"),
        (["--limit", "0"], "--limit is 0"),
        (["--method", "twonn,gride", "--pointwise", "out.csv"], "no value for rows comes from twonn, gride; add mle"),
        (["--csv", "a.csv", "--pointwise", "a.csv"], "was given for two files to write"),
        (["--duplicates", "forget"], "'forget' is not one of"),
    ],
)
def test_wrong_lines_are_refused_in_one_line(command: Command, rows: Path, line: list[str], message: str) -> None:
    done = command("dimension", rows, *line)
    assert done.code == 2 and done.out == "" and message in done.err and done.err.count("\n") == 1


def test_files_that_hold_no_dense_rows_are_refused(command: Command, tmp_path: Path) -> None:
    write_csr(tmp_path / "sparse.csr", sp.random_array((9, 9), density=0.5, format="csr", dtype=np.float32))
    done = command("dimension", tmp_path / "sparse.csr")
    assert done.code == 2 and "holds sparse vectors, expected dense ones" in done.err
    np.save(tmp_path / "nan.npy", np.array([[1.0, np.nan]], np.float32))
    done = command("dimension", tmp_path / "nan.npy")
    assert done.code == 2 and f"{tmp_path / 'nan.npy'}: row 0, column 1 is nan" in done.err
    np.save(tmp_path / "few.npy", np.ones((4, 3), np.float32))
    done = command("dimension", tmp_path / "few.npy", "--duplicates", "error")
    assert done.code == 2 and "few.npy: row 1 is equal to row 0" in done.err
