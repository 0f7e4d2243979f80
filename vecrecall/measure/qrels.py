"""Judgements of relevance (qrels), brought to the ids that answers hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.inputs import as_number


@dataclass(frozen=True, eq=False)
class Judgements:
    """What is relevant to each query of a batch.

    Attributes
    ----------
    by_query : list of (dict of id to relevance above 0, or None), length q
        None for a query that nobody judged. Ids are int or str, as in the answers.
    """

    by_query: list[dict[Any, float] | None]

    @classmethod
    def of(cls, qrels: Any, ids: NDArray[Any], query_ids: Any) -> Judgements:
        """Judgements for queries whose answers hold such ids (q, k).

        Parameters
        ----------
        qrels : mapping, or sequence of int or str, shape (q,)
            Query id -> document id -> relevance, with ids as int or str; or the single relevant id of each query, -1
            or None where there is none.
        ids : ndarray of int or str, shape (q, k)
        query_ids : sequence of length q, or None
            What a mapping calls the queries; default 0..q-1.
        """
        numbers, n_queries = ids.dtype.kind in "iu", len(ids)
        if isinstance(qrels, Mapping):
            names = range(n_queries) if query_ids is None else _as_names(query_ids, n_queries)
            by_name = {str(name): relevant for name, relevant in qrels.items()}
            by_query = [_graded(by_name.get(str(name)), str(name), numbers) for name in names]
        else:
            by_query = [_single(relevant, numbers) for relevant in _as_singles(qrels, query_ids, n_queries)]
        if n_queries and all(relevant is None for relevant in by_query):
            raise ValueError(
                f"qrels judge none of the {n_queries} queries; give query_ids, the names that qrels have for them"
            )
        return cls(by_query)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which queries somebody judged, shape (q,)."""
        return np.array([relevant is not None for relevant in self.by_query], bool)

    def relevant(self) -> set[Any]:
        """The documents that are relevant to any of the queries."""
        return set().union(*(relevant for relevant in self.by_query if relevant))

    def gains(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Relevance of each place of the answers (q, k); an id that an answer repeats gains once."""
        gains = np.zeros(ids.shape)
        for row, own, relevant in zip(gains, ids.tolist(), self.by_query, strict=True):
            if relevant:
                left = dict(relevant)
                row[:] = [left.pop(name, 0.0) for name in own]
        return gains

    def ideal(self, k: int) -> NDArray[np.float64]:
        """The k greatest relevances of each query, descending, zeros behind; shape (q, k)."""
        ideal = np.zeros((len(self.by_query), k))
        for row, relevant in zip(ideal, self.by_query, strict=True):
            best = sorted(relevant.values(), reverse=True)[:k] if relevant else []
            row[: len(best)] = best
        return ideal


def _as_names(query_ids: Any, n_queries: int) -> list[Any]:
    names = np.asarray(query_ids).tolist()
    if not isinstance(names, list) or len(names) != n_queries:
        raise ValueError(f"query_ids has shape {np.shape(query_ids)}, expected a name for each of {n_queries} queries")
    return names


def _as_singles(qrels: Any, query_ids: Any, n_queries: int) -> list[Any]:
    singles = np.asarray(qrels)
    if singles.dtype.kind not in "iuUO":
        raise TypeError(
            f"qrels is a {type(qrels).__name__} of {singles.dtype}, expected {{query id: {{document id: relevance}}}}, "
            "or the relevant id of each query"
        )
    if singles.shape != (n_queries,):
        raise ValueError(
            f"qrels has shape {singles.shape}, expected ({n_queries},), the relevant id of each query; give a mapping "
            "for graded or several judgements"
        )
    if query_ids is not None:
        raise ValueError("query_ids was given with qrels that stand in the order of the queries; leave one out")
    return singles.tolist()


def _single(relevant: Any, numbers: bool) -> dict[Any, float] | None:
    return None if relevant is None or relevant == -1 else {_as_id(relevant, numbers, "qrels"): 1.0}


def _graded(relevant: Any, query: str, numbers: bool) -> dict[Any, float] | None:
    if relevant is None:
        return None
    if not isinstance(relevant, Mapping):
        raise TypeError(
            f"qrels of query {query} are a {type(relevant).__name__}, expected a mapping of document id to relevance"
        )
    graded = {
        _as_id(name, numbers, f"qrels of query {query}"): _as_relevance(grade, query)
        for name, grade in relevant.items()
    }
    return {name: grade for name, grade in graded.items() if grade > 0}


def _as_relevance(grade: Any, query: str) -> float:
    relevance = as_number(grade, f"a relevance of query {query}")
    if not np.isfinite(relevance):
        raise ValueError(f"a relevance of query {query} is {grade!r}, expected a finite number")
    return relevance


def _as_id(name: Any, numbers: bool, where: str) -> Any:
    """A document's id in the kind that answers have; files of judgements hold all ids as text."""
    if not numbers:
        return str(name)
    try:
        return int(name) if isinstance(name, str) else index(name)
    except (ValueError, TypeError):
        raise ValueError(
            f"{where} name a document {name!r}, but the answers hold numbers; build the index with ids=, the names of "
            "its documents"
        ) from None
