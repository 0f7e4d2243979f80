"""Outer ids against a plain list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecrecall.errors import CorruptIndexError, IndexFileError
from vecrecall.ids import Ids


def grown(*parts: Any) -> Ids:
    ids = Ids()
    for part in parts:
        n_new = part if isinstance(part, int) else len(part)
        ids = ids.extended(ids.checked(None if isinstance(part, int) else part, n_new), n_new)
    return ids


KINDS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1).filter(lambda i: i != -1), unique=True),
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True),
)


@given(KINDS, st.lists(st.integers(0, 20), max_size=4))
def test_ids_behave_as_a_list(names: list[Any], cuts: list[int]) -> None:
    edges = [0, *sorted(min(c, len(names)) for c in cuts), len(names)]
    ids = grown(*[names[a:b] for a, b in zip(edges, edges[1:], strict=False) if b > a])
    assert ids.n == len(names)
    assert ids.outer(np.arange(len(names))).tolist() == names
    assert ids.slots(names[::-1]).tolist() == list(range(len(names)))[::-1]
    again = Ids.from_arrays(ids.kind, ids.n, ids.arrays())
    assert again.outer(np.arange(len(names))).tolist() == names
    ids.check()
    again.check()


def test_a_range_stores_nothing() -> None:
    ids = grown(3, 2)
    assert (ids.kind, ids.n, ids.arrays(), ids.nbytes()) == ("range", 5, {}, 0)
    assert ids.slots([4, 0]).tolist() == [4, 0]
    assert ids.outer(np.array([[4, -1]])).tolist() == [[4, -1]]


@pytest.mark.parametrize(
    ("given_", "kind"),
    [
        (np.array([3, 5], np.uint8), "int64"),
        (pd.Index([3, 5]), "int64"),
        (pd.Series(["a", "b"]), "str"),
        (np.array(["a", "bb"]), "str"),
        (np.array([3, 5], object), "int64"),
        ((np.int32(3), 5), "int64"),
        (iter(["a", "b"]), "str"),
    ],
)
def test_ids_of_many_types_are_taken(given_: Any, kind: str) -> None:
    checked = Ids().checked(given_, 2)
    assert Ids().extended(checked, 2).kind == kind


REFUSED = [
    ([1, 2, 1], ValueError, "holds 1 twice"),
    (["a", "b", "a"], ValueError, "holds 'a' twice"),
    ([1, 2], ValueError, "holds 2 ids, expected one for each of the 3 rows"),
    ([1, "a", 2], TypeError, "mixed kinds of ids, first 'a'"),
    ([1.0, 2.0, 3.0], TypeError, r"holds 1.0 \(float\)"),
    (np.array([1.0, 2.0, 3.0]), TypeError, r"holds 1.0 \(float\)"),
    ([True, False, 2], TypeError, r"holds True \(bool\)"),
    ([b"a", b"b", b"c"], TypeError, r"holds b'a' \(bytes\)"),
    ([None, 1, 2], TypeError, r"holds None"),
    ([1, 2, -1], ValueError, "holds -1"),
    ([1, 2, 2**63], ValueError, "holds 9223372036854775808"),
    (np.array([1, 2, 2**63], np.uint64), ValueError, "holds 9223372036854775808"),
    (["a", "b", "\ud800"], ValueError, "not valid Unicode"),
    ("abc", TypeError, "ids is 'abc'"),
    (7, TypeError, "ids is 7"),
    (np.arange(3)[:, None], ValueError, r"shape \(3, 1\)"),
]


@pytest.mark.parametrize(("given_", "error", "message"), REFUSED)
def test_wrong_ids_are_refused_by_name(given_: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Ids().checked(given_, 3)


def test_clashes_and_mixtures_are_refused() -> None:
    with pytest.raises(ValueError, match="holds 7, which is in the index already"):
        grown([5, 7]).checked([8, 7], 2)
    with pytest.raises(TypeError, match="ids are str, expected int64"):
        grown([5, 7]).checked(["a"], 1)
    with pytest.raises(ValueError, match="ids is None, expected 2 ids"):
        grown([5, 7]).checked(None, 2)
    with pytest.raises(ValueError, match="the 3 rows of the index are numbered 0..2"):
        grown(3).checked([9], 1)


def test_unknown_ids_are_named() -> None:
    for ids, asked in [
        (grown(3), 3),
        (grown([5, 7]), 6),
        (grown(["a"]), "b"),
        (grown(3), "a"),
        (grown([5]), "x"),
    ]:
        with pytest.raises(KeyError, match=f"id {asked!r} is not in the index"):
            ids.slots([asked])


def test_a_version_does_not_see_what_later_ones_add() -> None:
    first = grown([5, 7])
    first.slots([5])  # the table is there and shared
    second = first.extended(first.checked([9], 1), 1)
    branch = first.extended(first.checked([11], 1), 1)
    third = second.extended(second.checked([11], 1), 1)
    assert (first.n, second.n, branch.n, third.n) == (2, 3, 3, 4)
    assert branch.outer(np.arange(3)).tolist() == [5, 7, 11]
    assert third.outer(np.arange(4)).tolist() == [5, 7, 9, 11]
    with pytest.raises(KeyError):
        first.slots([9])
    assert first.checked([9], 1) is not None


def test_missing_slots_have_no_id() -> None:
    assert grown([5]).outer(np.array([[-1, 0]])).tolist() == [[-1, 5]]
    assert grown(["a"]).outer(np.array([[-1, 0]])).tolist() == [[None, "a"]]
    assert Ids.from_arrays(
        "str",
        0,
        grown(["a"]).arrays() | {"ids_ends": np.empty(0, np.int64), "ids_bytes": np.empty(0, np.uint8)},
    ).outer(np.array([-1])).tolist() == [None]


DAMAGED: list[tuple[str, int, dict[str, np.ndarray]]] = [
    ("int64", 2, {}),
    ("int64", 3, {"ids": np.arange(2)}),
    ("int64", 2, {"ids": np.arange(2, dtype=np.int32)}),
    ("other", 2, {}),
    ("str", 2, {"ids_bytes": np.zeros(3, np.uint8), "ids_ends": np.array([5, 3])}),
    ("str", 2, {"ids_bytes": np.zeros(3, np.uint8), "ids_ends": np.array([-1, 3])}),
    ("str", 2, {"ids_bytes": np.zeros(3, np.uint8), "ids_ends": np.array([1, 4])}),
    ("str", 1, {"ids_bytes": np.full(1, 255, np.uint8), "ids_ends": np.array([1])}),
]


@pytest.mark.parametrize(("kind", "n", "arrays"), DAMAGED)
def test_damaged_arrays_are_refused(kind: str, n: int, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(IndexFileError):
        Ids.from_arrays(kind, n, arrays)


def test_check_finds_repeated_and_reserved_ids() -> None:
    for array in (np.array([3, 3]), np.array([3, -1])):
        with pytest.raises(CorruptIndexError):
            Ids.from_arrays("int64", 2, {"ids": array}).check()


class Plain:
    """Slots and what became of them, as lists: the slow twin of ids that are deleted and given again."""

    def __init__(self, numbered: bool) -> None:
        self.numbered, self.next = numbered, 0
        self.slots: list[Any] = []  # the id of each slot, dead ones included
        self.dead: set[int] = set()

    def add(self, names: list[Any]) -> None:
        if self.numbered:
            names = list(range(self.next, self.next + len(names)))
        self.next += len(names)
        self.slots += names

    def compact(self) -> None:
        self.slots, self.dead = [name for i, name in enumerate(self.slots) if i not in self.dead], set()

    def living(self) -> dict[Any, int]:
        return {name: slot for slot, name in enumerate(self.slots) if slot not in self.dead}


def agree(ids: Ids, plain: Plain) -> None:
    living = plain.living()
    assert (ids.n, ids.n_living) == (len(plain.slots), len(living))
    assert np.flatnonzero(ids.dead).tolist() == sorted(plain.dead) and len(ids.dead) == ids.n
    assert ids.outer(np.arange(ids.n)).tolist() == plain.slots
    assert ids.slots(list(living)).tolist() == list(living.values())
    for name in set(plain.slots) - set(living):
        with pytest.raises(KeyError, match=f"id {name!r} is not in the index"):
            ids.slots([name])
    ids.check()


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["range", "int64", "str"]), st.data())
def test_ids_that_are_deleted_and_given_again_behave_as_lists(kind: str, data: st.DataObject) -> None:
    ids, plain = Ids(), Plain(kind == "range")
    pool = [f"n{i}" if kind == "str" else 100 - i for i in range(12)]
    for step in data.draw(st.lists(st.sampled_from(["add", "delete", "compact", "file"]), min_size=2, max_size=9)):
        living = plain.living()
        if step == "add":
            free = [name for name in pool if name not in living]
            names = data.draw(st.lists(st.sampled_from(free), unique=True, max_size=4)) if free else []
            ids = ids.extended(ids.checked(None if plain.numbered else names, len(names)), len(names))
            plain.add(names)
        elif step == "delete" and living:
            slots = ids.slots(data.draw(st.lists(st.sampled_from(list(living)), unique=True)))
            ids = ids.without(slots)
            plain.dead |= set(slots.tolist())
        elif step == "compact" and plain.slots:
            ids = ids.living()
            plain.compact()
        elif step == "file":  # which slots are dead stands elsewhere in the file
            ids = Ids.from_arrays(ids.kind, ids.n, ids.arrays()).without(np.flatnonzero(ids.dead))
        agree(ids, plain)


def test_the_numbering_goes_on_behind_the_greatest_number_ever_given() -> None:
    ids = grown(5).without(np.array([1, 4]))
    assert ids.kind == "range" and ids.slots([0, 2, 3]).tolist() == [0, 2, 3] and ids.arrays() == {}
    left = ids.living()
    assert (left.kind, left.n, left.n_living) == ("numbered", 3, 3)
    assert left.outer(np.array([0, 1, 2, -1])).tolist() == [0, 2, 3, -1]
    more = left.extended(left.checked(None, 2), 2)
    assert more.outer(np.arange(5)).tolist() == [0, 2, 3, 5, 6]
    again = more.without(more.slots([6, 0])).living()
    again = again.extended(again.checked(None, 1), 1)
    assert again.outer(np.arange(4)).tolist() == [2, 3, 5, 7] and again.slots([7]).tolist() == [3]
    nothing = grown(3).without(np.arange(3)).living()
    assert (nothing.n, nothing.n_living) == (0, 0)
    assert nothing.extended(nothing.checked(None, 2), 2).outer(np.arange(2)).tolist() == [3, 4]


def test_numbered_rows_take_no_ids() -> None:
    for ids, last in ((grown(4).without(np.array([3])), 3), (grown(4).without(np.array([3])).living(), 3)):
        with pytest.raises(ValueError, match=f"the 3 rows of the index are numbered 0..{last}; leave ids out"):
            ids.checked([9], 1)
    with pytest.raises(ValueError, match="ids are given, but the 0 rows"):
        grown(2).without(np.arange(2)).living().checked([9], 1)
    with pytest.raises(ValueError, match="ids is None, expected 1 ids"):
        grown([5]).without(np.array([0])).checked(None, 1)


@pytest.mark.parametrize("names", [[5, 7, 9], ["a", "b", "c"]])
def test_an_id_that_was_deleted_may_be_given_again_and_means_the_new_slot(names: list[Any]) -> None:
    first, second, third = names
    ids = grown(names).without(np.array([1]))
    with pytest.raises(ValueError, match=f"holds {first!r}, which is in the index already; delete it first"):
        ids.checked([second, first], 2)
    ids = ids.extended(ids.checked([second], 1), 1)
    assert ids.slots([second, first]).tolist() == [3, 0] and ids.n_living == 3
    with pytest.raises(ValueError, match=f"holds {second!r}, which is in the index already"):
        ids.checked([second], 1)
    ids = ids.without(ids.slots([second]))
    with pytest.raises(KeyError):
        ids.slots([second])
    ids = ids.extended(ids.checked([second], 1), 1)
    assert ids.slots([second]).tolist() == [4]
    ids.check()
    left = ids.living()
    assert left.outer(np.arange(left.n)).tolist() == [first, third, second]


def test_a_version_does_not_see_what_later_ones_delete() -> None:
    for first in (grown([5, 7]), grown(["a", "b"]), grown(2)):
        name = first.outer(np.array([1])).tolist()
        first.slots(name)
        second = first.without(np.array([1]))
        assert first.slots(name).tolist() == [1] and first.n_living == 2 and second.n_living == 1
        with pytest.raises(KeyError):
            second.slots(name)
        third = second.without(np.array([0]))
        assert second.n_living == 1 and third.n_living == 0


def test_a_version_keeps_its_ids_where_a_later_one_gives_them_again() -> None:
    first = grown([5, 7])
    first.slots([5])  # the table is there and shared
    second = first.without(np.array([0]))
    third = second.extended(second.checked([5], 1), 1)
    assert third.slots([5]).tolist() == [2] and first.slots([5]).tolist() == [0]
    with pytest.raises(ValueError, match="holds 5, which is in the index already"):
        first.checked([5], 1)


DAMAGED_NUMBERS = [
    {},
    {"ids": np.array([0, 2])},
    {"ids": np.array([0, 2]), "ids_next": np.array([2])},
    {"ids": np.array([0, 2]), "ids_next": np.array([3, 4])},
    {"ids": np.array([0, 2]), "ids_next": np.array([3.0])},
    {"ids": np.array([0, 2]), "ids_next": np.array([2**62])},
    {"ids": np.array([-3, -2]), "ids_next": np.array([3])},
]


@pytest.mark.parametrize("arrays", DAMAGED_NUMBERS)
def test_damaged_numbers_are_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(IndexFileError):
        Ids.from_arrays("numbered", 2, arrays)
    good = Ids.from_arrays("numbered", 2, {"ids": np.array([0, 2]), "ids_next": np.array([3])})
    assert good.extended(None, 1).outer(np.arange(3)).tolist() == [0, 2, 3]


def test_check_looks_at_the_living_alone() -> None:
    twice = Ids.from_arrays("int64", 3, {"ids": np.array([3, 4, 3])})
    with pytest.raises(CorruptIndexError):
        twice.without(np.array([1])).check()
    twice.without(np.array([0])).check()
    twice.without(np.array([2])).check()
