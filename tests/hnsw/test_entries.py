"""Entries of a search: farthest first, in groups around heads, and found through the two nearest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vecrecall import IndexFileError, load
from vecrecall.hnsw.entries import FEWEST, MOST, ROWS_EACH, Entries, choose_entries, n_entries
from vecrecall.hnsw.index import HNSW
from vecrecall.threads import Workers
from vecrecall.vectors.spaces import Space
from vecrecall.vectors.walked import FloatRows

RNG = np.random.default_rng(0)


def points(n: int) -> np.ndarray:
    """Whole numbers, so that squared distances are exact in float32."""
    return RNG.integers(-50, 50, (n, 6)).astype(np.float32)


def chosen_of(X: np.ndarray, first: int) -> Entries:
    walked = FloatRows.empty("f32", Space("l2", X.shape[1])).with_room(len(X))
    forms = walked.no_forms().grown(len(X))
    walked.write(X, 0, forms, Workers(1))
    entries = choose_entries(walked, forms, len(X), first)
    assert entries is not None
    return entries


def slow_farthest_first(X: np.ndarray, first: int, wanted: int) -> list[int]:
    squares = ((X[:, None] - X[None]) ** 2).sum(2)
    chosen = [first]
    while len(chosen) < wanted:
        chosen.append(int(squares[chosen].min(0).argmax()))
    return chosen


@pytest.mark.parametrize(("n", "first"), [(FEWEST * ROWS_EACH, 17), (FEWEST * ROWS_EACH + 700, 1500)])
def test_they_are_farthest_first_and_stand_by_the_nearest_of_the_heads(n: int, first: int) -> None:
    X = points(n)
    entries = chosen_of(X, first)
    wanted = n // ROWS_EACH
    expected = slow_farthest_first(X, first, wanted)
    heads = expected[: int(wanted**0.5)]
    assert sorted(entries.slots.tolist()) == sorted(expected)
    assert len(entries.sizes) == len(heads) and entries.slots[0] == first
    ends = np.cumsum(entries.sizes)
    for i, (head, lo, hi) in enumerate(zip(heads, ends - entries.sizes, ends, strict=True)):
        members = entries.slots[lo:hi]
        assert members[0] == head
        to_heads = ((X[members][:, None] - X[heads][None]) ** 2).sum(2)
        assert (to_heads[:, i] == to_heads.min(1)).all()
    assert (entries.copies.rows[: len(X[entries.slots]), :6] == X[entries.slots]).all()


def test_the_lists_are_whole_fours_of_the_places_they_name() -> None:
    entries = chosen_of(points(5000), 3)
    ends, starts = np.cumsum(entries.sizes), entries.starts
    parts = np.split(entries.listed, starts[:-1])
    assert all(len(part) % 4 == 0 for part in parts) and starts[-1] == len(entries.listed)
    expected = [ends - entries.sizes, *np.split(np.arange(len(entries.slots)), ends[:-1])]
    for part, places in zip(parts, expected, strict=True):
        assert part[: len(places)].tolist() == places.tolist()
        assert set(part[len(places) :]) <= {places[-1]}


@pytest.mark.parametrize(
    ("n", "row_bytes", "expected"),
    [
        (FEWEST * ROWS_EACH - 1, 64, 0),
        (FEWEST * ROWS_EACH, 64, FEWEST),
        (10**6, 64, MOST),
        (10**6, 256, 128),
        (10**6, 4096, 0),
    ],
)
def test_how_many_there_are(n: int, row_bytes: int, expected: int) -> None:
    assert n_entries(n, row_bytes) == expected


def test_a_search_compares_heads_and_two_groups_before_it_walks(tmp_path: Path) -> None:
    X = points(6000)
    index = HNSW.build(X, M=4, storage="f32")
    entries = index._content.entries
    assert entries is not None
    lengths = np.diff(entries.starts)
    least, most = np.sort(lengths)[:2].sum(), np.sort(lengths)[-2:].sum()
    evals = index.search(X[:300], k=1, ef=1).evals - entries.starts[0]
    assert evals.min() >= least and np.median(evals) < most + 60
    index.save(tmp_path / "entries.vr")
    again = load(tmp_path / "entries.vr")._content.entries
    for name in ("slots", "sizes", "listed", "starts"):
        assert (getattr(again, name) == getattr(entries, name)).all()


@pytest.mark.parametrize("sizes", [[], [5], [0, 70], [-1, 71], [1, 2, 3]])
def test_groups_that_do_not_divide_the_entries_are_refused(
    sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = HNSW.build(points(5000), M=4, storage="f32")
    entries = index._content.entries
    assert entries is not None
    object.__setattr__(entries, "sizes", np.array(sizes, np.int32))
    index.save(tmp_path / "broken.vr")
    with pytest.raises(IndexFileError, match="entry_groups"):
        load(tmp_path / "broken.vr")
