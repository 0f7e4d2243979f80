"""check() names the first invariant that is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from vecrecall.errors import CorruptIndexError
from vecrecall.ids import Ids
from vecrecall.loading import load
from vecrecall.sparse.content import Content
from vecrecall.sparse.index import SparseIndex
from vecrecall.sparse.searcher import Searcher

Rows = Callable[..., sp.csr_array]
Damage = Callable[[SparseIndex], None]
Built = Callable[..., SparseIndex]


@pytest.fixture(scope="module")
def built(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An index of two segments that may be broken, since each is loaded anew."""
    folder = tmp_path_factory.mktemp("built")
    parts = {kind: rows(700, 30, 6, **given) for kind, given in KINDS.items()}

    def of(kind: str, layout: str, **parameters: Any) -> SparseIndex:
        path = folder / "-".join(["i", kind, layout, *map(str, parameters.values())])
        if not path.exists():
            index = SparseIndex.build(parts[kind][:600], layout=layout, **parameters)
            index.add(parts[kind][600:])
            index.delete([3, 4, 650])
            index.save(path)
        return load(path, mmap=False)

    return of


KINDS: dict[str, dict[str, Any]] = {"positive": {}, "signed": {"signed": True}, "equal": {"equal": 2.0}}
everywhere = pytest.mark.parametrize(("kind", "layout"), [(k, l) for k in KINDS for l in ("impact", "blocked")])


def broken(array: np.ndarray, at: Any, value: Any) -> None:
    array.flags.writeable = True
    array[at] = value


def changed(segment_number: int = 0, part: str = "", **values: Any) -> Damage:
    """Give a segment, or its rows or postings, other fields."""

    def damage(index: SparseIndex) -> None:
        segments = list(index._content.segments)
        segment = segments[segment_number]
        new = {name: value(segment) if callable(value) else value for name, value in values.items()}
        if part:
            new = {part: replace(getattr(segment, part), **new)}
        segments[segment_number] = replace(segment, **new)
        index._searcher = Searcher(Content(tuple(segments), index.dim), index._ids)

    return damage


def postings(name: str, at: Any, value: Any) -> Damage:
    """Break one number of the posting lists."""

    def damage(index: SparseIndex) -> None:
        array = getattr(index._content.segments[0].postings, name)
        broken(array, at(array) if callable(at) else at, value(array) if callable(value) else value)

    return damage


def rows_of(name: str, at: Any, value: Any) -> Damage:
    def damage(index: SparseIndex) -> None:
        rows = index._content.segments[0].rows
        array = getattr(rows, name)
        broken(array, at(rows) if callable(at) else at, value(rows) if callable(value) else value)

    return damage


def first_long_row(rows: Any) -> int:
    """The byte at which the entries of the first row of two or more begin."""
    row = int(np.flatnonzero(np.diff(rows.indptr()) > 1)[0])
    return int(rows.indptr()[row]) * rows.entry_bytes


def swap_columns(rows: Any) -> np.ndarray:
    at = first_long_row(rows)
    pair = rows.entries[at : at + 4].copy()
    return np.concatenate([pair[2:], pair[:2]])


def same_column(rows: Any) -> np.ndarray:
    at = first_long_row(rows)
    return np.tile(rows.entries[at : at + 2], 2)


def a_stranger(index: SparseIndex) -> None:
    """Put a unit into the first list that holds nothing of it, in the place of one that does."""
    segment = index._content.segments[0]
    starts, units = segment.postings.starts, segment.postings.units
    number = int(np.flatnonzero(starts[:, -1] > starts[:, 0])[0])
    at = int(starts[number, -1]) - 1
    broken(units, at, np.setdiff1d(np.arange(70), units[starts[number, 0] : at + 1])[0])


def fewer_ids(index: SparseIndex) -> None:
    index._ids = Ids(index._ids.n - 1)


def other_dead(index: SparseIndex) -> None:
    index._ids = index._ids.without(np.array([7]))


def swapped_segments(index: SparseIndex) -> None:
    content = index._content
    index._searcher = Searcher(replace(content, segments=content.segments[::-1]), index._ids)


OF_EVERY_KIND = [
    (swapped_segments, "a segment starts at slot 600, expected 0, or has other columns"),
    (changed(1, first=601), "a segment starts at slot 601, expected 600, or has other columns"),
    (changed(1, "rows", dim=31), "a segment starts at slot 600, expected 600, or has other columns"),
    (rows_of("entries", lambda r: slice(first_long_row(r), first_long_row(r) + 2), 255), "names a column out of range"),
    (
        rows_of("entries", lambda r: slice(first_long_row(r), first_long_row(r) + 4), swap_columns),
        "the columns of a row do not ascend",
    ),
    (
        rows_of("entries", lambda r: slice(first_long_row(r), first_long_row(r) + 4), same_column),
        "the columns of a row do not ascend",
    ),
    (changed(0, "rows", entries=lambda s: s.rows.entries[:-1]), "rows do not follow each other"),
    (changed(dead=np.full(600, 2, np.uint8)), "the marks of dead documents are not 0 and 1, one a document"),
    (changed(dead=np.zeros(601, np.uint8)), "the marks of dead documents are not 0 and 1, one a document"),
    (postings("starts", (0, 0), 1), "posting lists do not follow each other"),
    (postings("starts", (3, 0), lambda starts: starts[3, 0] - 1), "posting lists do not follow each other"),
    (postings("starts", (3, 1), 0), "posting lists do not follow each other"),
    (changed(0, "postings", units=lambda s: s.postings.units[:-1]), "there are [0-9]+ postings in 1 ranges, expected"),
    (postings("units", 2, 600), "a posting names a unit out of the segment"),
    (postings("units", 1, lambda units: units[0]), "a unit stands twice in a posting list"),
    (postings("greatest", 2, 0.001), "an impact, or what is said of those left out, does not bound the weights"),
    (a_stranger, "an entry has no posting"),
    (fewer_ids, "ids and segments do not have the same slots, or not the same dead ones"),
    (other_dead, "ids and segments do not have the same slots, or not the same dead ones"),
]


@everywhere
@pytest.mark.parametrize(("damage", "words"), OF_EVERY_KIND, ids=[words for _, words in OF_EVERY_KIND])
def test_check_names_what_is_broken(kind: str, layout: str, damage: Damage, words: str, built: Built) -> None:
    index = built(kind, layout)
    index.check()
    damage(index)
    with pytest.raises(CorruptIndexError, match=words):
        index.check()


OF_IMPACTS = [
    (postings("impacts", slice(0, 2), [1, 255]), "the impacts of a posting list do not descend"),
    (
        lambda index: postings("impacts", slice(0, index._content.segments[0].postings.starts[0, -1]), 1)(index),
        "does not bound the weights",
    ),
]


@pytest.mark.parametrize("layout", ["impact", "blocked"])
@pytest.mark.parametrize(("damage", "words"), OF_IMPACTS, ids=[words for _, words in OF_IMPACTS])
def test_check_sees_impacts_out_of_order_or_too_small(layout: str, damage: Damage, words: str, built: Built) -> None:
    for kind in ("positive", "signed"):
        index = built(kind, layout)
        damage(index)
        with pytest.raises(CorruptIndexError, match=words):
            index.check()


def test_check_sees_slots_that_are_no_permutation(built: Built) -> None:
    index = built("positive", "blocked")
    slots = index._content.segments[0].slots
    broken(slots, 0, slots[1])
    with pytest.raises(CorruptIndexError, match="the places of a segment do not hold every slot once"):
        index.check()


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_check_sees_weights_that_cannot_be(value: float, built: Built) -> None:
    index = built("positive", "impact", keep="f32")
    residuals = index._content.segments[0].rows.residuals
    broken(residuals, 5, np.float32(value).view(np.uint32))
    with pytest.raises(CorruptIndexError, match="a weight is zero, not finite, or negative where none should be"):
        index.check()


@pytest.mark.parametrize("kind", KINDS)
def test_check_sees_a_posting_for_which_there_is_no_entry(kind: str, built: Built) -> None:
    index = built(kind, "impact", n_postings=200)
    index.check()
    a_stranger(index)
    postings("left", slice(None), 1000)(index)
    with pytest.raises(CorruptIndexError, match="a posting stands for no entry"):
        index.check()


def test_check_sees_postings_of_another_range(rows: Rows) -> None:
    D = sp.csr_array((np.ones(66_000, np.float32), np.zeros(66_000, np.int32), np.arange(66_001)), shape=(66_000, 2))
    index = SparseIndex.build(D)
    index.check()
    postings("starts", (0, 1), 600)(index)
    with pytest.raises(CorruptIndexError, match="unit|posting"):
        index.check()


@pytest.mark.parametrize(
    "parameters",
    [{"alpha": 0.5}, {"n_postings": 5}, {"layout": "blocked", "summary_energy": 0.5},
     {"layout": "blocked", "alpha": 0.5}, {"layout": "blocked", "n_postings": 5}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
def test_pruned_lists_are_sound_and_what_is_left_out_is_bounded(kind: str, parameters: dict, rows: Rows) -> None:
    index = SparseIndex.build(rows(600, 30, 6, **KINDS[kind]), **parameters)
    index.check()
    postings("left", slice(None), 0)(index)
    with pytest.raises(CorruptIndexError, match="does not bound the weights"):
        index.check()


def test_check_of_a_sound_index_of_any_kind_is_silent(rows: Rows, tmp_path: Path) -> None:
    for given in ({}, {"signed": True}, {"equal": -1.0}):
        for columns in (1, 30, 70_000, 2**31):
            for n in (0, 1, 9, 200):
                for layout in ("impact", "blocked"):
                    index = SparseIndex.build(rows(n, columns, 4, **given), layout=layout)
                    index.check()
                    index.delete(range(0, n, 2))
                    index.check()


@pytest.mark.parametrize("columns", [30, 70_000, 2**31])
def test_an_index_of_empty_rows_is_sound(columns: int, tmp_path: Path) -> None:
    for layout in ("impact", "blocked"):
        index = SparseIndex.build(sp.csr_array((5, columns), dtype=np.float32), layout=layout)
        index.check()
        index.save(tmp_path / "i.vr")
        assert len(load(tmp_path / "i.vr", verify=True)) == 5
