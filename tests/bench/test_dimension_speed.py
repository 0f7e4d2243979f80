"""The benchmark of `dimension`: what it compares agrees, and who is not installed is said."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bench import dimension_speed
from vecrecall.io import Dataset, write_hdf5

ROWS = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)


def test_rows_are_different_and_as_many_as_wanted(tmp_path: Path) -> None:
    neighbours = np.zeros((1, 10), np.int32)
    whole = Dataset(rows=np.vstack([ROWS, ROWS]), queries=ROWS[:1], neighbors=neighbours, metric="l2")
    write_hdf5(tmp_path / "set.hdf5", whole)
    np.testing.assert_array_equal(dimension_speed.rows_of(tmp_path / "set.hdf5", 400), ROWS)
    assert len(dimension_speed.rows_of(tmp_path / "set.hdf5", 100)) == 100


def test_fits_agree_and_the_ratio_is_told() -> None:
    pytest.importorskip("skdim")
    lines = list(dimension_speed.against_fits(ROWS, 20))
    table = [line.split("|")[1:-1] for line in lines if line.startswith(("| m", "| t", "| g", "| l"))]
    assert [cells[0].strip() for cells in table] == ["mle", "mom", "twonn", "gride", "lpca"]
    assert all(float(cells[-1]) < 1e-6 for cells in table)
    assert lines[-1].endswith("times ours")


def test_the_search_is_compared_with_that_of_faiss() -> None:
    pytest.importorskip("faiss")
    assert any("times as long" in line for line in dimension_speed.against_faiss(ROWS, 10, 1.0))


def test_the_approximate_search_is_compared_with_the_exact_one() -> None:
    lines = list(dimension_speed.against_exact(ROWS, 20, 0.9))
    assert "recall of the neighbours" in lines[1] and lines[-1].startswith("| gride |")


@pytest.mark.parametrize(("package", "part"), [("skdim", "against_fits"), ("faiss", "against_faiss")])
def test_a_peer_that_is_not_installed_is_said_to_be(package: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    arguments = (ROWS, 10) if part == "against_fits" else (ROWS, 10, 1.0)
    assert "not installed" in next(iter(getattr(dimension_speed, part)(*arguments)))
