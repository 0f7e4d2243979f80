"""Why one query missed one row: the walk is taken again step by step, then with one thing changed at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vecrecall.analysis.counterfactuals import Case, Findings, Walked
from vecrecall.analysis.explaining_in_words import in_words
from vecrecall.analysis.graphs import as_graph_index, held_rows
from vecrecall.inputs import as_count, as_queries
from vecrecall.threads import n_threads

REASONS = (
    "found", "tied", "not a neighbour", "quantiser", "disconnected", "ef too small", "wrong entry", "poor graph",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why a search did, or did not, answer a query with a row; the repr says it in words.

    Attributes
    ----------
    reason : str
        The first of these that holds.

        - "found": the row is in the answer.
        - "not a neighbour": k rows are truly nearer.
        - "tied": all k answers are as near as the row, so nothing was missed.
        - "quantiser": the walk compared the row, but by their codes too many others were nearer. (Or it did not, and
          none of the next three holds, but with exact distances the same walk finds it, or one from the row nearest to
          the query.)
        - "disconnected": no links lead to it from wherever a search can enter; no ef finds it.
        - "ef too small": an ef up to four times as great finds it.
        - "wrong entry": none does, but from where this query entered no links lead to it at all, or the same ef finds
          it when the walk starts at the row nearest to the query (but for this one).
        - "poor graph": nothing of that finds it: the links near it lead elsewhere.
    id : int or str
    k, ef, depth : int
        ``ef`` as it was used (raised to k, and never more than there are rows), and how many of the candidates the
        re-rank looked at.
    distance : float
        Of the row to the query, exact, as of `Hits`.
    rank : int
        One more than there are rows truly nearer to the query.
    rank_by_code : int or None
        The same by what is walked; None without a graph.
    found_at : int or None
        Its place in the answer, from 1.
    met : bool
        Whether the walk compared it in the base layer, where answers come from.
    place : int or None
        Its place among those compared there, by what is walked, from 1; None where it is not one of them.
    least_ef : int or None
        The least ef that finds it, by doubling and bisection. None where none up to 16,384 does, and where it was not
        asked, since the row is no neighbour or tied.
    entered_at : tuple
        Ids that the walk entered the base layer at.
    hops, evals : int
        Nodes that the walk expanded there, and distances that it took in all.
    in_degree : int
        Rows with a link to this one.
    n_linking_compared, n_linking_expanded : int
        How many of those the walk compared and expanded; it meets a row when it expands one of them.
    nearest_met : int or str or None
        The compared row that is nearest to this one, itself not counted, and
    nearest_met_distance : float
        their distance; NaN where there is none.
    exact_walk_finds : bool or None
        Whether the same walk finds the row if its distances are exact; None where they are, and where it was not asked.
    near_start : int or str or None
        The row truly nearest to the query but for this one, and
    near_start_finds : bool or None
        whether the walk finds the row when it starts there; None where it was not asked, since the row was compared.
    near_exact_walk_finds : bool or None
        Whether it does when it starts there and its distances are exact; None as of the two before.
    """

    reason: str
    id: Any
    k: int
    ef: int
    depth: int
    distance: float
    rank: int
    rank_by_code: int | None
    found_at: int | None
    met: bool
    place: int | None
    least_ef: int | None
    entered_at: tuple[Any, ...]
    hops: int
    evals: int
    in_degree: int
    n_linking_compared: int
    n_linking_expanded: int
    nearest_met: Any
    nearest_met_distance: float
    exact_walk_finds: bool | None
    near_start: Any
    near_start_finds: bool | None
    near_exact_walk_finds: bool | None

    @property
    def text(self) -> str:
        """The explanation in words."""
        return in_words(self)

    def as_dict(self) -> dict[str, Any]:
        """Return all attributes by name, and the text; a distance that is not there is None."""
        distance = None if self.nearest_met is None else self.nearest_met_distance
        return {**asdict(self), "nearest_met_distance": distance, "text": self.text}

    def __repr__(self) -> str:
        return self.text


def explain(index: Any, query: Any, id: Any, *, k: int = 10, ef: int | None = None) -> Explanation:
    """Say why a search with one query did not answer with a row.

    Parameters
    ----------
    index : HNSW
        With rows kept, or walked as floats.
    query : array_like, shape (dim,) or (1, dim)
    id : int or str
        Of the row, as the index names it.
    k : int, default 10
        Answers that the search is asked for.
    ef : int, optional
        As for ``search``; default the index's own.

    Returns
    -------
    Explanation
        Its repr says it in words.

    Raises
    ------
    KeyError
        If the id is not in the index.
    TypeError, ValueError
        If the index is of a kind without a graph or holds codes alone, the query is not one vector of its dimension or
        is zero under "cosine" (which is at distance 1 from all), or a number is not as stated.

    Notes
    -----
    The query is compared with all rows, and walked with up to some thirty times. Memory: about n * (2 M + 90) bytes.
    Adds wait meanwhile. Several remedies may each help alone: a greater ``ef`` mends most misses, so it is the reason
    that is given where a moderate one does.

    Examples
    --------
    >>> import numpy as np
    >>> import vecrecall as vr
    >>> X = np.random.default_rng(0).standard_normal((2000, 8), dtype=np.float32)
    >>> explain(vr.HNSW.build(X), X[5], 5)
    Row 5 was found: at place 1 of 10 answers at ef=64, at distance 0. It is the nearest to the query; ef=10 suffices.
    """
    graph_index = as_graph_index(index)
    k = as_count(k, "k")
    queries, _ = as_queries(query, graph_index.dim, name="query")
    if len(queries) != 1:
        raise ValueError(f"query holds {len(queries)} vectors, expected one; explain them one by one")
    if graph_index.metric == "cosine" and not queries.any():
        raise ValueError("query is zero under metric 'cosine': at distance 1 from every row, so that none is nearer")
    with graph_index._lock.shared:
        ids, content = graph_index._ids, graph_index._content
        slot = int(ids.slots([id])[0])
        ef = graph_index._default_ef(k, n_threads(None)) if ef is None else as_count(ef, "ef")
        rows = held_rows(content)
        if rows is None:
            raise ValueError(
                "the index holds codes alone and no rows to compare exactly; build with keep='auto' to see why"
            )
        case = Case(content, rows, np.ascontiguousarray(queries), slot, k, min(max(ef, k), content.n))
        return _explained(case, ids)


def _explained(case: Case, ids: Any) -> Explanation:
    walked = Walked.of(case)
    found = np.flatnonzero(walked.answer == case.slot)
    findings = Findings.of(case, walked, len(found) > 0)
    linking, trace = case.linking(), walked.trace
    nearest, nearest_distance = case.nearest_of(walked.base)
    names = ids.outer(np.array([case.slot, nearest, case.near])).tolist()
    expanded = np.zeros(0, np.int32) if trace is None else trace.expanded[trace.levels == 0]
    depth, hops, evals = (case.ef, 0, case.content.n) if trace is None else (trace.depth, trace.hops, trace.evals)
    return Explanation(
        reason=findings.reason, id=names[0], k=case.k, ef=case.ef, depth=depth, distance=case.own, rank=case.rank,
        rank_by_code=walked.rank_by_code, found_at=int(found[0]) + 1 if len(found) else None,
        met=walked.place is not None, place=walked.place, least_ef=findings.least_ef,
        entered_at=tuple(ids.outer(walked.entered).tolist()), hops=hops, evals=evals, in_degree=len(linking),
        n_linking_compared=int(np.isin(linking, walked.base).sum()),
        n_linking_expanded=int(np.isin(linking, expanded).sum()),
        nearest_met=None if nearest < 0 else names[1], nearest_met_distance=nearest_distance,
        exact_walk_finds=findings.exact_walk_finds, near_start=None if case.near < 0 else names[2],
        near_start_finds=findings.near_start_finds, near_exact_walk_finds=findings.near_exact_walk_finds,
    )  # fmt: skip
