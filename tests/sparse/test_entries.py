"""What is inverted: lists of signs, summaries of blocks, and what is pruned, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecrecall.csr import Csr
from vecrecall.sparse.entries import (
    Entries,
    by_heaviest_terms,
    entries_of,
    heaviest_by_list,
    heaviest_by_unit,
    summarised,
)
from vecrecall.sparse.rows import parted
from vecrecall.threads import Workers

F = np.float32
CALLER = Workers(1)
UNITS = st.lists(st.dictionaries(st.integers(0, 7), st.integers(1, 6)), max_size=14)  # weights: quarters


def entries_from(units: list[dict[int, float]]) -> Entries:
    """Entries of units; lists in no order, as those of blocks are."""
    flat = [(t, w) for unit in units for t, w in unit.items()]
    indptr = np.cumsum([0, *map(len, units)])
    return Entries(indptr, np.array([t for t, _ in flat], np.int32), np.array([w for _, w in flat], F), 8)


def units_of(entries: Entries) -> list[dict[int, float]]:
    pairs, ends = list(zip(entries.lists.tolist(), entries.weights.tolist())), entries.indptr.tolist()
    made = [dict(pairs[a:b]) for a, b in zip(ends, ends[1:])]
    assert [len(unit) for unit in made] == np.diff(ends).tolist()  # none twice
    return made


def quarters(units: list[dict[int, int]]) -> list[dict[int, float]]:
    return [{t: w / 4 for t, w in unit.items()} for unit in units]


@pytest.mark.parametrize("keep", ["f24", "f32"])
def test_a_column_has_a_list_and_a_second_one_for_negative_weights(keep: str) -> None:
    columns, ends = np.array([0, 2, 1, 2], np.int32), np.array([0, 2, 2, 4])
    plain = Csr(ends, columns, np.array([1, 0.5, 2, 4], F), 3)
    entries = entries_of(parted(plain, keep, CALLER).packed(CALLER))
    assert units_of(entries) == [{0: 1, 2: 0.5}, {}, {1: 2, 2: 4}] and entries.n_lists == 3
    assert entries.rows.tolist() == [0, 0, 2, 2]
    signed = Csr(ends, columns, np.array([1, -0.5, -2, 4], F), 3)
    entries = entries_of(parted(signed, keep, CALLER).packed(CALLER))
    assert units_of(entries) == [{0: 1, 5: 0.5}, {}, {3: 2, 4: 4}] and entries.n_lists == 6
    equal = Csr(ends, columns, np.full(4, -1.5, F), 3)
    assert units_of(entries_of(parted(equal, keep, CALLER).packed(CALLER)))[0] == {1: 1.5, 5: 1.5}
    many = Csr(ends, np.array([7, 70_000, 9, 70_000], np.int32), plain.values, 10**6)  # lists are of terms
    entries = entries_of(parted(many, keep, CALLER).packed(CALLER))
    assert units_of(entries) == [{0: 1, 2: 0.5}, {}, {1: 2, 2: 4}] and entries.n_lists == 3


@settings(max_examples=80, deadline=None)
@given(UNITS, st.integers(1, 6))
def test_blocks_hold_the_greatest_of_their_units(drawn: list[dict[int, int]], block: int) -> None:
    units = quarters(drawn)
    summary = summarised(entries_from(units), block)
    expected: list[dict[int, float]] = [{} for _ in range(-(-len(units) // block))]
    for i, unit in enumerate(units):
        for t, w in unit.items():
            expected[i // block][t] = max(w, expected[i // block].get(t, 0))
    assert units_of(summary) == expected and summary.n_lists == 8


@settings(max_examples=80, deadline=None)
@given(UNITS, st.sampled_from([0.01, 0.25, 0.5, 0.75, 0.9, 1.0]))
def test_the_heaviest_of_a_unit_hold_the_share_and_no_fewer_would(drawn: list[dict[int, int]], share: float) -> None:
    units = quarters(drawn)
    kept = units_of(entries_from(units).chosen(heaviest_by_unit(entries_from(units), share)))
    for unit, left in zip(units, kept):
        assert left.items() <= unit.items()
        gone = sorted(set(unit.items()) - set(left.items()), key=lambda pair: -pair[1])
        total, held = sum(unit.values()), sum(left.values())
        wanted = share * total  # of exactly as much either may be, sums are rounded
        assert held >= wanted * (1 - 1e-9) and (not left or held - min(left.values()) < wanted * (1 + 1e-9))
        assert left or not unit
        assert not gone or gone[0][1] <= min(left.values())


@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
def test_each_unit_is_pruned_by_itself_whatever_the_others_weigh(share: float) -> None:
    """Weights of units may differ by more than float64 has digits for."""
    units = [{0: 1.0, 1: 0.5, 2: 0.25}, {0: 2.0**100, 1: 2.0**99}, {0: 1.0, 1: 0.5, 2: 0.25}, {3: 2.0**-100}]
    alone = [units_of(entries_from([u]).chosen(heaviest_by_unit(entries_from([u]), share)))[0] for u in units]
    entries = entries_from(units)
    assert units_of(entries.chosen(heaviest_by_unit(entries, share))) == alone
    assert all(alone)


@settings(max_examples=80, deadline=None)
@given(UNITS, st.integers(1, 6))
def test_the_heaviest_of_a_list_are_kept_and_of_equal_ones_the_first(drawn: list[dict[int, int]], most: int) -> None:
    units = quarters(drawn)
    kept = units_of(entries_from(units).chosen(heaviest_by_list(entries_from(units), most)))
    expected: list[dict[int, float]] = [{} for _ in units]
    for t in range(8):
        holders = sorted((-unit[t], i) for i, unit in enumerate(units) if t in unit)
        for weight, i in holders[:most]:
            expected[i][t] = -weight
    assert kept == expected


def test_rows_that_share_their_heaviest_terms_become_neighbours() -> None:
    rng = np.random.default_rng(0)
    rows: list[dict[int, float]] = [
        {int(c): float(rng.choice([-1, 1]) * rng.integers(1, 9)) for c in rng.choice(6, rng.integers(0, 5), False)}
        for _ in range(200)
    ]
    flat = [(c, row[c]) for row in rows for c in sorted(row)]
    csr = Csr(
        np.cumsum([0, *map(len, rows)]), np.array([c for c, _ in flat], np.int32),
        np.array([w for _, w in flat], F), 6,
    )  # fmt: skip
    order = by_heaviest_terms(parted(csr, "f32", CALLER).packed(CALLER))
    assert sorted(order.tolist()) == list(range(200))

    def heaviest(i: int) -> list[int]:
        ranked = sorted(rows[i], key=lambda c: (-abs(rows[i][c]), c))[:3]
        return ranked + [-1] * (3 - len(ranked))

    assert order.tolist() == sorted(range(200), key=lambda i: (heaviest(i), i))
