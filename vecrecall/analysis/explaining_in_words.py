"""An explanation of a miss in words: what was measured of the walk, and what would find the row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vecrecall.analysis.explaining import Explanation


def in_words(e: Explanation) -> str:
    """One paragraph."""
    at = f"{e.k} answers" + (f" at ef={e.ef}" if e.entered_at else ", all rows being compared")
    if e.reason == "found":
        suffices = "" if e.least_ef is None else f"; ef={e.least_ef} suffices"
        found = f"Row {e.id!r} was found: at place {e.found_at} of {at}, at distance {e.distance:.6g}."
        return f"{found} {_rank(e)}{suffices}."
    if e.reason == "not a neighbour":
        return f"Row {e.id!r} does not belong to {at}: {e.rank - 1:,} rows are nearer to the query."
    if e.reason == "tied":
        return f"Row {e.id!r} is not one of {at}, but all of them are as near to the query ({e.distance:.6g})."
    missed = f"Row {e.id!r} was missed at ef={e.ef}: {e.reason}. {_rank(e)}, at distance {e.distance:.6g}."
    return " ".join([missed, _walk(e), *_tried(e)])


def _rank(e: Explanation) -> str:
    return "It is the nearest to the query" if e.rank == 1 else f"It is number {e.rank:,} of the nearest to the query"


def _walk(e: Explanation) -> str:
    """What the walk did about the row."""
    walk = f"The walk entered at {' and '.join(repr(one) for one in e.entered_at)}, took {e.evals:,} distances"
    if e.place is not None:
        looked = f"the re-rank looks at {e.depth:,}" if e.depth < e.ef else f"{e.ef:,} are held"
        return f"{walk} and compared the row; by what is walked it is number {e.place:,} of those compared, {looked}."
    if e.nearest_met is not None:
        walk += f" and came as near to the row as {e.nearest_met_distance:.6g} (row {e.nearest_met!r})"
    if e.in_degree == 0:
        return f"{walk}; no row links to it."
    linking = "1 row links" if e.in_degree == 1 else f"{e.in_degree:,} rows link"
    return f"{walk}; {linking} to it, of which it compared {e.n_linking_compared:,} and expanded none."


def _tried(e: Explanation) -> list[str]:
    """What would find it, and what would not."""
    if e.reason == "disconnected":
        return ["No links lead to it from wherever a search can enter, so no ef finds it."]
    said = ["No ef that was tried finds it." if e.least_ef is None else f"ef={e.least_ef:,} finds it."]
    if e.exact_walk_finds:
        said.append("With exact distances the same walk finds it.")
    if e.reason in ("wrong entry", "poor graph") or (e.reason == "quantiser" and e.near_exact_walk_finds):
        start = f"that starts at row {e.near_start!r}, the nearest to the query but for this one"
        if e.near_start_finds:
            said.append(f"A walk {start}, finds it.")
        elif e.near_exact_walk_finds:
            said.append(f"A walk {start}, does not find it, but does with exact distances.")
        else:
            exactly = "" if e.near_exact_walk_finds is None else ", nor with exact distances"
            said.append(f"A walk {start}, does not find it either{exactly}.")
    return said
