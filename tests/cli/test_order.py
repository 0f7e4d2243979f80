"""`vecrecall order`: the file it writes is the order that the library makes, and what it refuses before it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import vecrecall as vr
from tests.cli.conftest import Command
from vecrecall.analysis.orders import ORDERS
from vecrecall.io import Dataset, write_csr, write_hdf5


@pytest.fixture(scope="session")
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 5, 200)


@pytest.fixture
def labelled(tmp_path: Path, vectors: np.ndarray, labels: np.ndarray) -> Path:
    """A file of vectors, as `vecrecall data make clustered` writes them, and with labels of another kind besides."""
    words = np.array(["noun", "verb"])[labels % 2]
    data = Dataset(rows=vectors, metric="cosine", attributes={"train_category": labels, "kind": words})
    write_hdf5(tmp_path / "set.hdf5", data)
    return tmp_path / "set.hdf5"


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ([], {}),
        (["--seed", 4], {"seed": 4}),
        (["--by", "lid_desc", "-k", 20, "--metric", "cosine", "--threads", 1], {"k": 20, "metric": "cosine"}),
        (["--by", "cluster", "--n-clusters", 3], {"n_clusters": 3}),
        (["--by", "coreset", "--share", 0.1], {"share": 0.1}),
    ],
)
@pytest.mark.parametrize("ending", ["npy", "txt"])
def test_the_file_holds_the_order_of_the_library(
    command: Command, rows: Path, vectors: np.ndarray, tmp_path: Path, line: list[Any], options: dict, ending: str
) -> None:
    out = tmp_path / f"order.{ending}"
    done = command("order", rows, "--out", out, *line)
    assert (done.code, done.err) == (0, "")
    by = line[line.index("--by") + 1] if "--by" in line else "random"
    written = np.load(out) if ending == "npy" else np.loadtxt(out, int)
    assert written.dtype == np.int64
    np.testing.assert_array_equal(written, vr.analysis.order(vectors, by, **options))


def test_what_it_prints_can_be_run(command: Command, rows: Path, vectors: np.ndarray, tmp_path: Path) -> None:
    for name in ("order.npy", "order.txt"):
        done = command("order", rows, "--by", "norm_desc", "--out", tmp_path / name)
        first, key, use = done.out.splitlines()
        assert first == f"{tmp_path / name}: 200 rows in order norm_desc"
        norms = np.linalg.norm(vectors, axis=1)
        assert key == f"length: from {norms.min():.4g} to {norms.max():.4g}, median {np.median(norms):.4g}"
        call = use.removeprefix("to use it: vecrecall.HNSW.build(X, order=").partition(");")[0]
        loaded = eval(call, {"numpy": np})
        np.testing.assert_array_equal(loaded, vr.analysis.order(vectors, "norm_desc"))


def test_labels_come_from_the_file_of_vectors_or_from_one_of_their_own(
    command: Command, labelled: Path, vectors: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    out = tmp_path / "order.npy"
    np.save(tmp_path / "labels.npy", labels)
    (tmp_path / "labels.txt").write_text("\n".join(f"label {label}" for label in labels) + "\n")
    expected = vr.analysis.order(vectors, "category", labels=labels)
    for given in ([], ["--labels", tmp_path / "labels.npy"], ["--labels", tmp_path / "labels.txt"]):
        done = command("order", labelled, "--by", "category", "--out", out, "--force", *given)
        assert (done.code, done.err) == (0, "")
        sizes = np.bincount(labels)
        assert f"label: 5 groups of {sizes.min()} to {sizes.max()} rows" in done.out
        np.testing.assert_array_equal(np.load(out), expected)
    assert command("order", labelled, "--by", "round_robin", "--labels-key", "kind", "--out", out, "--force").code == 0
    np.testing.assert_array_equal(np.load(out), vr.analysis.order(vectors, "round_robin", labels=labels % 2))


def test_the_metric_is_that_of_the_file(command: Command, labelled: Path, vectors: np.ndarray, tmp_path: Path) -> None:
    done = command("order", labelled, "--by", "central_first", "--out", tmp_path / "order.npy", "--json")
    facts = json.loads(done.out)
    assert (facts["by"], facts["n"], facts["metric"], facts["key"]) == (
        "central_first", 200, "cosine", "distance to the mean",
    )  # fmt: skip
    expected = vr.analysis.order(vectors, "central_first", metric="cosine")
    np.testing.assert_array_equal(np.load(tmp_path / "order.npy"), expected)
    done = command("order", labelled, "--metric", "l2", "--out", tmp_path / "other.npy")
    assert done.code == 2
    assert "set.hdf5: says that its metric is cosine, but --metric is l2" in done.err


def test_help_names_every_order(command: Command) -> None:
    shown = command("order", "--help").out
    assert [name for name in ORDERS if name not in shown] == []


def test_an_empty_file_has_an_empty_order(command: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.empty((0, 3)))
    for by in ("random", "lid_desc", "cluster", "coreset"):
        done = command("order", tmp_path / "none.npy", "--by", by, "--out", tmp_path / "order.npy", "--force")
        assert (done.code, done.err) == (0, "")
        assert np.load(tmp_path / "order.npy").shape == (0,)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--by", "lid"], "--by is 'lid', expected one of 'random', 'given'"),
        (["-k", "5"], "-k is for lid_desc, lid_asc, dense_first, sparse_first, but --by is random; leave it out"),
        (["--by", "lid_asc", "--n-clusters", "5"], "--n-clusters is for cluster, cluster_round_robin, but"),
        (["--labels-key", "kind"], "--labels-key is for category, category_shuffled, round_robin, but --by is random"),
        (["--by", "coreset", "--share", "2"], "share is 2.0, expected a number above 0 and at most 1"),
        (["--by", "category"], "rows.npy: holds no array train_category"),
        (["--by", "category", "--labels-key", "kind"], "rows.npy: holds no array kind"),
        (["--by", "category", "--labels", "few.txt"], "few.txt: labels has shape (3,), expected (200,)"),
        (["--by", "category", "--labels", "few.txt", "--labels-key", "kind"], "--labels and --labels-key are both"),
        (["--by", "lid_desc", "--metric", "ip"], "order 'lid_desc' goes by distances, and metric is 'ip'"),
        (["--out", "order.csv"], "order.csv, expected a name that ends in .npy or .txt"),
        (["--out", "rows.npy", "--force"], "rows.npy: would replace what is read"),
        (["--out", "few.txt"], "few.txt: is there already; give --force to replace it"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_no_file(
    command: Command, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few.txt").write_text("a\nb\nc\n")
    before = sorted(tmp_path.iterdir())
    out = [] if "--out" in line else ["--out", "order.npy"]
    done = command("order", rows.name, *out, *line)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_sparse_vectors_and_nan_are_refused(command: Command, tmp_path: Path) -> None:
    write_csr(tmp_path / "rows.csr", sp.random_array((40, 25), density=0.3, rng=np.random.default_rng(1), format="csr"))
    done = command("order", tmp_path / "rows.csr", "--out", tmp_path / "order.npy")
    assert (done.code, "rows.csr: holds sparse vectors, expected dense ones" in done.err) == (2, True)
    np.save(tmp_path / "nan.npy", np.full((3, 2), np.nan))
    done = command("order", tmp_path / "nan.npy", "--out", tmp_path / "order.npy")
    assert done.code == 2
    assert "nan.npy: row 0, column 0 is nan" in done.err


def test_a_file_is_replaced_when_that_is_asked_for(command: Command, rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "order.npy"
    assert command("order", rows, "--out", out, "--by", "given").code == 0
    assert command("order", rows, "--out", out).code == 2
    assert np.load(out).tolist() == list(range(200))
    assert command("order", rows, "--out", out, "--force").code == 0
    assert np.load(out).tolist() != list(range(200))
