"""A target recall in place of ``ef``: chosen from the curve of the index, stored, kept up to date."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vecrecall as vr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4_000, 32)).astype(np.float32)
Q = RNG.normal(size=(300, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def index() -> vr.HNSW:
    return vr.HNSW.build(X)


@pytest.mark.parametrize("target", [0.8, 0.95, 0.99])
def test_a_target_is_reached_by_new_queries(index: vr.HNSW, target: float) -> None:
    truth = vr.Exact.build(X).search(Q)
    assert vr.recall(index.search(Q, target_recall=target), truth) >= target  # 0.906, 0.972, 0.995


def test_a_higher_target_costs_more_evaluations(index: vr.HNSW) -> None:
    low, high = (index.search(Q, target_recall=target).evals.mean() for target in (0.8, 0.99))
    assert low < high


def test_without_a_target_ef_is_used(index: vr.HNSW) -> None:
    assert index.target_recall is None
    assert np.array_equal(index.search(Q).evals, index.search(Q, ef=index.ef).evals)


def test_a_target_of_the_build_is_the_default_of_searches_and_is_saved(tmp_path: Path) -> None:
    index = vr.HNSW.build(X, target_recall=0.9)
    assert "ef for recall 0.9" in repr(index)
    wanted = index.search(Q)
    assert np.array_equal(wanted.evals, index.search(Q, target_recall=0.9).evals)
    index.save(tmp_path / "index.vr")
    loaded = vr.load(tmp_path / "index.vr", verify=True)
    assert loaded.target_recall == 0.9
    assert np.array_equal(loaded.search(Q).evals, wanted.evals)
    loaded.save(tmp_path / "again.vr")
    assert (tmp_path / "again.vr").read_bytes() == (tmp_path / "index.vr").read_bytes()


def test_setting_ef_ends_a_target_and_setting_a_target_is_checked() -> None:
    index = vr.HNSW.build(X[:1500], target_recall=0.9)
    index.ef = 30
    assert index.target_recall is None and "ef=30" in repr(index)
    with pytest.raises(ValueError, match="target_recall is 2"):
        index.target_recall = 2
    index.target_recall = 0.8
    assert index.target_recall == 0.8 and "ef for recall 0.8" in repr(index)


def test_the_curve_is_measured_again_when_the_index_has_doubled() -> None:
    index = vr.HNSW.build(X[:1500], target_recall=0.9)
    before = index._curve
    index.add(X[1500:1600])
    index.search(Q[:3])
    assert index._curve is before
    index.add(X[1600:])
    index.search(Q[:3])
    assert index._curve is not before and index._curve.n == 4_000


def test_a_damaged_curve_is_refused(tmp_path: Path) -> None:
    index = vr.HNSW.build(X[:1500], target_recall=0.9)
    index._curve.table[0, 3] = -1
    index.save(tmp_path / "index.vr")
    with pytest.raises(vr.IndexFileError, match="section 'curve'"):
        vr.load(tmp_path / "index.vr")


def test_a_target_that_no_ef_reaches_warns() -> None:
    index = vr.HNSW.build(X[:1500], M=2, ef_construction=1, fill=False)
    with pytest.warns(UserWarning, match=r"target_recall=1\.0 was not reached by any ef") as warned:
        index.search(Q, target_recall=1)
    assert warned[0].filename == __file__


def test_few_rows_are_scanned_whatever_the_target() -> None:
    index = vr.HNSW.build(X[:300], target_recall=0.5)
    assert vr.recall(index.search(Q), vr.Exact.build(X[:300]).search(Q)) == 1


@pytest.mark.parametrize("where", ["build", "search"])
def test_a_target_beside_ef_is_refused(index: vr.HNSW, where: str) -> None:
    with pytest.raises(ValueError, match="target_recall=0.9 was given with ef=20, which it chooses; leave one out"):
        if where == "build":
            vr.HNSW.build(X, ef=20, target_recall=0.9)
        else:
            index.search(Q, ef=20, target_recall=0.9)


def test_without_rows_there_is_nothing_to_measure_by() -> None:
    words = "no rows are kept to measure recall by; give ef, or build with keep='auto'"
    with pytest.raises(ValueError, match=words):
        vr.HNSW.build(X[:1500], keep=None, target_recall=0.9)
    index = vr.HNSW.build(X[:1500], keep=None)
    with pytest.raises(ValueError, match=words):
        index.search(Q, target_recall=0.9)
    with pytest.raises(ValueError, match=words):
        index.target_recall = 0.9
    index.search(Q)


class _SetByAnother(vr.HNSW):
    """A graph whose target another thread ends at once after it was looked at."""

    _set: float | None = None

    @property
    def _target(self) -> float | None:  # type: ignore[override]
        target, self._set = self._set, None
        return target

    @_target.setter
    def _target(self, value: float | None) -> None:
        self._set = value


def test_a_target_that_another_thread_ends_meanwhile_breaks_no_search() -> None:
    index = _SetByAnother.build(X[:1500])
    index.target_recall = 0.9
    assert len(index.search(Q).ids) == len(Q)
    index.target_recall = 0.9
    assert "ef for recall 0.9" in repr(index)
    assert "ef=64" in repr(index)


def test_a_curve_that_is_measured_while_the_index_is_saved_spoils_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = vr.HNSW.build(X[:1500])
    parameters = index._parameters

    def measured_just_now() -> dict:
        index._ef_for(10, 0.9, 1)
        return parameters()

    monkeypatch.setattr(index, "_parameters", measured_just_now)
    index.save(tmp_path / "index.vr")
    assert vr.load(tmp_path / "index.vr", verify=True).search(Q).ids.tolist() == index.search(Q).ids.tolist()
