"""nDCG: how well the relevant documents are ranked, by judgements and not by nearness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from vecrecall.inputs import as_count, as_seed
from vecrecall.intervals import bootstrap
from vecrecall.matching import as_answers
from vecrecall.measure.qrels import Judgements


@dataclass(frozen=True, eq=False)
class NDCG:
    """nDCG with what was asked for beside the mean.

    Attributes
    ----------
    value : float
        Mean over the queries that were judged.
    per_query : ndarray of float64, shape (q,)
        NaN for a query that was not judged.
    low, high : float or None
        Ends of the bootstrap interval of the mean, if one was asked for.
    """

    value: float
    per_query: NDArray[np.float64]
    low: float | None = None
    high: float | None = None

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        interval = "" if self.low is None else f", interval {self.low:.4f} to {self.high:.4f}"
        return f"NDCG: {self.value:.4f} over {np.isfinite(self.per_query).sum():,} queries{interval}"


@overload
def ndcg(
    hits: Any,
    qrels: Any,
    k: int = ...,
    *,
    query_ids: Any = ...,
    per_query: Literal[False] = ...,
    interval: None = ...,
    n_resamples: int = ...,
    seed: int = ...,
) -> float: ...
@overload
def ndcg(
    hits: Any,
    qrels: Any,
    k: int = ...,
    *,
    query_ids: Any = ...,
    per_query: bool = ...,
    interval: float | None = ...,
    n_resamples: int = ...,
    seed: int = ...,
) -> float | NDCG: ...
def ndcg(
    hits: Any,
    qrels: Any,
    k: int = 10,
    *,
    query_ids: Any = None,
    per_query: bool = False,
    interval: float | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> float | NDCG:
    """Compute nDCG@k, the normalised discounted cumulative gain.

    As trec_eval's ndcg_cut: the document at rank r (from 1) gains its relevance divided by log2(1 + r), and the sum
    over the first k is divided by that of the best ranking there could be. (Others take 2**relevance - 1 for the gain;
    for relevances 0 and 1 that is the same.)

    Parameters
    ----------
    hits : Hits, or ids alone of shape (q, at least k), or (at least k,) for one query
        In the order in which they were answered. Missing places are id -1 or None; an id that an answer repeats gains
        once.
    qrels : mapping of query id to mapping of document id to relevance; or ints (or str), shape (q,)
        The ids may be int or str, whichever the index has (files hold them as text): 7 and "7" are one. A relevance of
        0 or below is none. Or the one relevant id of each query, -1 (or None) where there is none.
    k : int, default 10
    query_ids : sequence of int or str, shape (q,), optional
        What a mapping calls the queries; default 0..q-1.
    per_query : bool, default False
        Whether to return an `NDCG` with the value of each query.
    interval : float in (0, 1), optional
        Level, such as 0.95, of a bootstrap interval of the mean over the queries, which allows for a query that none of
        them is like; then an `NDCG` is returned.
    n_resamples : int, default 2000
    seed : int, default 0
        Of the bootstrap.

    Returns
    -------
    float or NDCG
        Mean over the queries that were judged; one that was judged to have nothing relevant counts 0, as in trec_eval.
        NaN without queries.

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit together, answers are narrower than k, qrels judge none of the queries, or name documents
        by words where the answers hold numbers.

    References
    ----------
    Jarvelin & Kekalainen (2002), Cumulated gain-based evaluation of IR techniques, ACM TOIS 20(4).

    Examples
    --------
    >>> ndcg(np.array([[4, 7, 9], [1, 2, 3]]), {0: {7: 1}, 1: {1: 2, 3: 1}}, k=3)
    0.7905...
    >>> ndcg(np.array([[4, 7], [1, 2]]), np.array([7, 1]), k=2)
    0.8154...
    """
    ids, _ = as_answers(hits, "hits", "id")
    k, seed, n_resamples = as_count(k, "k"), as_seed(seed), as_count(n_resamples, "n_resamples")
    if ids.shape[1] < k:
        raise ValueError(
            f"k is {k}, but hits hold {ids.shape[1]} places a query; search with k={k} or more, or give a smaller k"
        )
    values = ndcg_of_queries(ids, Judgements.of(qrels, ids, query_ids), k)
    judged = values[np.isfinite(values)]
    mean = float(judged.mean()) if len(judged) else float("nan")
    if interval is None:
        return NDCG(mean, values) if per_query else mean
    low, high = bootstrap(judged, interval, n_resamples=n_resamples, seed=seed)
    return NDCG(mean, values, low, high)


def ndcg_of_queries(ids: NDArray[Any], judgements: Judgements, k: int) -> NDArray[np.float64]:
    """Return nDCG@k of each query whose answers are ids (q, at least k), NaN where it was not judged."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained, ideal = judgements.gains(ids[:, :k]) @ discounts, judgements.ideal(k) @ discounts
    values = np.where(ideal > 0, gained / np.where(ideal > 0, ideal, 1), 0.0)
    return np.where(judgements.judged, values, np.nan)
