"""One model: what exact and approximate search make of its vectors, query by query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.orders import order as order_of
from vecrecall.analysis.studying.engines import Engine
from vecrecall.analysis.studying.measuring import answers_of
from vecrecall.exact.search import distances_of, nearest
from vecrecall.ids import Ids
from vecrecall.inputs import as_queries, as_rows
from vecrecall.matching import among, numbered, shares_found
from vecrecall.measure.ndcg import ndcg_of_queries
from vecrecall.measure.qrels import Judgements

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Build:
    """How every model's graph is built, and asked."""

    engine: Engine
    order: Any
    labels: Any
    seeds: tuple[int, ...]
    M: int
    ef_construction: int
    metric: str
    efs: tuple[int, ...]
    k: int
    threads: int


@dataclass(frozen=True, eq=False)
class Judged:
    """What the answers of one model are worth, by query: of those that were judged, but for recall, of all.

    Attributes
    ----------
    name : str
    dim : int
    exact : ndarray of float64, shape (judged,)
        nDCG@k of exact search.
    approximate : ndarray of float64, shape (len(efs), judged)
        nDCG@k by ef, mean over seeds.
    n_relevant : ndarray of float64, shape (judged,)
        Relevant answers among the k of exact search.
    n_lost : ndarray of float64, shape (len(efs), judged)
        Of these, the ones that approximate search does not find; mean over seeds.
    recall : ndarray of float64, shape (len(efs), q)
    """

    name: str
    dim: int
    exact: Doubles
    approximate: Doubles
    n_relevant: Doubles
    n_lost: Doubles
    recall: Doubles


class Model:
    """The vectors of a model, checked."""

    def __init__(self, name: str, vectors: Any, build: Build) -> None:
        if not isinstance(vectors, (tuple, list)) or len(vectors) != 2:
            raise TypeError(f"model {name!r} is a {type(vectors).__name__}, expected (X, Q): its rows and its queries")
        self._rows = as_rows(vectors[0], name=f"X of model {name!r}")
        queries, _ = as_queries(vectors[1], self._rows.dim, name=f"Q of model {name!r}")
        self.name, self.n, self.n_queries, self._build = name, self._rows.n, len(queries), build
        self._Q: Floats = np.ascontiguousarray(queries)
        if not self.n_queries or self.n < build.k:
            raise ValueError(
                f"model {name!r} has {self.n_queries} queries and {self.n} rows, expected queries and at least "
                f"k={build.k} rows"
            )

    def judged(self, judgements: Judgements, ids: Ids, advance: Callable[[], None]) -> Judged:
        """Search exactly, build the graphs, and judge what they answer."""
        build, kept = self._build, judgements.judged
        X: Floats = np.ascontiguousarray(self._rows.tile(0, self.n))
        slots, distances = nearest(
            X, self._Q, build.k, build.metric, np.full(self.n_queries, -1), build.threads
        )
        true = ids.outer(slots)
        relevant = judgements.gains(true) > 0
        per_seed = []
        for answers in self._answers(X, advance):
            found = [ids.outer(rows) for rows in answers]
            lost = [(relevant & ~among(*numbered(true, outer))).sum(axis=1)[kept] for outer in found]
            ndcg = [ndcg_of_queries(outer, judgements, build.k)[kept] for outer in found]
            reached = [distances_of(X, self._Q, rows, build.metric) for rows in answers]
            recall = [shares_found(each, (slots, distances)) for each in zip(answers, reached, strict=True)]
            per_seed.append((ndcg, lost, recall))
        ndcgs, losts, recalls = (np.mean([each[part] for each in per_seed], axis=0) for part in range(3))
        return Judged(
            self.name, X.shape[1], ndcg_of_queries(true, judgements, build.k)[kept], ndcgs,
            relevant.sum(axis=1)[kept].astype(np.float64), losts, recalls,
        )  # fmt: skip

    def _answers(self, X: Floats, advance: Callable[[], None]) -> Iterator[list[NDArray[np.int64]]]:
        """Rows found at each ef (q, k), seed by seed."""
        build = self._build
        given = {} if build.labels is None else {"labels": build.labels}
        for seed in build.seeds:
            rows = order_of(X, build.order, metric=build.metric, seed=seed, threads=build.threads, **given)
            built = build.engine.build(
                X, rows, metric=build.metric, M=build.M, ef_construction=build.ef_construction, seed=seed,
                threads=build.threads,
            )  # fmt: skip
            yield [answers_of(built, self._Q, build.k, ef, self.n, build.engine.name) for ef in build.efs]
            advance()
