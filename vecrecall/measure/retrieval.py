"""What approximate answers do to retrieval: nDCG, and relevant answers that exact search finds, beside those of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.ids import Ids
from vecrecall.inputs import warn_user
from vecrecall.intervals import bootstrap
from vecrecall.matching import among, numbered
from vecrecall.measure.ndcg import ndcg_of_queries
from vecrecall.measure.qrels import Judgements

_DEPTH = 10  # of the nDCG, where so many answers are looked at


@dataclass(frozen=True)
class Retrieval:
    """What a setting does to retrieval, by judgements of relevance; every interval is of the sweep's level.

    Attributes
    ----------
    ndcg, ndcg_low, ndcg_high : float
        Mean nDCG over the queries that were judged.
    loss, loss_low, loss_high : float
        Share of the nDCG of exact search that is missing: negative where approximate answers happen to be better.
    lost, lost_low, lost_high : float
        Share of the relevant answers among the k of exact search that are not among the k found. NaN where exact search
        has none.
    """

    ndcg: float
    ndcg_low: float
    ndcg_high: float
    loss: float
    loss_low: float
    loss_high: float
    lost: float
    lost_low: float
    lost_high: float


class Judged:
    """Judgements, and what exact search makes of them."""

    def __init__(
        self, qrels: Any, query_ids: Any, true: NDArray[Any], ids: Ids, k: int, level: float, seed: int
    ) -> None:
        self._judgements = Judgements.of(qrels, true, query_ids)
        _warn_of_other_documents(self._judgements, ids)
        self._judged = self._judgements.judged
        self._true, self._depth = true, min(_DEPTH, k)
        self._ndcg = ndcg_of_queries(true, self._judgements, self._depth)[self._judged]
        self._relevant = self._judgements.gains(true) > 0
        self._interval = partial(bootstrap, level=level, seed=seed)

    def of_exact(self) -> dict[str, Any]:
        """By field of `Sweep`."""
        return {"depth": self._depth, "exact_ndcg": float(self._ndcg.mean()), "n_judged": int(self._judged.sum())}

    def of(self, ids: NDArray[Any]) -> Retrieval:
        """What answers (q, k) are worth beside the exact ones."""
        values = ndcg_of_queries(ids, self._judgements, self._depth)[self._judged]
        true, found = numbered(self._true, ids)
        n_lost = (self._relevant & ~among(true, found)).sum(axis=1).astype(np.float64)
        n_relevant = self._relevant.sum(axis=1).astype(np.float64)
        missing = self._ndcg - values
        return Retrieval(
            float(values.mean()), *self._interval(values),
            _ratio(missing, self._ndcg), *self._interval(missing, wholes=self._ndcg),
            _ratio(n_lost, n_relevant), *self._interval(n_lost, wholes=n_relevant),
        )  # fmt: skip


def _warn_of_other_documents(judgements: Judgements, ids: Ids) -> None:
    """Warn, where an index does not hold half of the relevant documents: what it cannot return counts as missed."""
    relevant = judgements.relevant()
    n_held = sum(_holds(ids, name) for name in relevant)
    if 2 * n_held < len(relevant):
        warn_user(
            f"the index holds {n_held:,} of the {len(relevant):,} documents that qrels call relevant, and cannot "
            "return the others; index all that was judged, with ids= as qrels name them"
        )


def _holds(ids: Ids, name: Any) -> bool:
    try:
        ids.slots([name])
    except (KeyError, TypeError, ValueError):  # no id of this index, or none at all
        return False
    return True


def _ratio(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> float:
    return float(parts.sum() / wholes.sum()) if wholes.sum() else float("nan")
