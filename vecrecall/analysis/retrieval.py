"""What approximate search does to retrieval benchmarks: nDCG, relevant answers, and the ranking of models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vecrecall.analysis.ranks.judged import Build, Judged, Model
from vecrecall.analysis.ranks.result import RankShift as RankShift
from vecrecall.analysis.studying.arguments import as_counts, as_seeds
from vecrecall.analysis.studying.engines import Engine, engine_of
from vecrecall.ids import Ids
from vecrecall.inputs import as_choice, as_count, as_seed
from vecrecall.intervals import as_level
from vecrecall.measure.qrels import Judgements
from vecrecall.measure.retrieval import _warn_of_other_documents
from vecrecall.progress import progress_bar
from vecrecall.threads import n_threads
from vecrecall.vectors.spaces import METRICS


def rank_shift(
    models: Mapping[str, tuple[ArrayLike, ArrayLike]],
    qrels: Any,
    *,
    k: int = 10,
    ef: int | Iterable[int] = (10, 40, 128),
    M: int = 16,
    ef_construction: int = 128,
    metric: str = "cosine",
    engine: str | Engine = "hnswlib",
    order: str | ArrayLike = "random",
    labels: ArrayLike | None = None,
    seeds: int | Iterable[int] = 3,
    ids: ArrayLike | None = None,
    query_ids: Any = None,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = 1,
    progress: bool = False,
) -> RankShift:
    """Rank models by retrieval with exact search, and with HNSW at fixed parameters.

    Parameters
    ----------
    models : mapping of name to (X, Q)
        Vectors of one corpus and of the same queries, in the same order, by each model: (n, dim) and (q, dim). The
        dimensions of models may differ.
    qrels : mapping of query id to mapping of document id to relevance; or ints (or str), shape (q,)
        Judgements, as for :func:`vecrecall.ndcg`.
    k : int, default 10
        Depth of nDCG@k and recall@k.
    ef : int, or iterable of int, default (10, 40, 128)
        At least k.
    M, ef_construction : int
    metric : {"l2", "ip", "cosine"}, default "cosine"
    engine : str or Engine, default "hnswlib"
        As of :func:`vecrecall.analysis.study`.
    order : str, or array_like of int, shape (n,), default "random"
        Of insertion, as of :func:`vecrecall.analysis.order`, by each model's own vectors.
    labels : array_like, shape (n,), optional
        For the orders by category.
    seeds : int, or iterable of int, default 3
        How many graphs of each model, or their seeds; figures are means over them.
    ids : array_like of int or str, shape (n,), optional
        What `qrels` call the rows; default 0..n-1.
    query_ids : sequence, shape (q,), optional
        What a mapping calls the queries; default 0..q-1.
    level : float in (0, 1), default 0.95
        Of all intervals.
    seed : int, default 0
        Of the bootstrap.
    threads : int, optional
        As of :func:`vecrecall.analysis.study`.
    progress : bool, default False
        Show a progress bar on a terminal.

    Returns
    -------
    RankShift
        ``rows`` holds a `Shift` for each model and ef; its repr is a table; ``as_dicts()``, ``to_pandas()``,
        ``to_csv(path)``, ``to_parquet(path)``, ``table()`` as Markdown, ``plot(path)``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated, or the models differ in rows or queries.
    ImportError
        If the package of the engine is not installed.

    Warns
    -----
    UserWarning
        If the corpus does not hold half of the documents that qrels call relevant.

    Notes
    -----
    Ranks are resampled jointly: in a resample all models are judged by the same queries, so that what models have in
    common does not blur their order. An interval of a rank, or of the places moved, says where it lies in resamples;
    ``p_moved`` how often exact and approximate search disagree about it.

    nDCG falls faster than recall: see ``docs/measuring.md``.

    References
    ----------
    Elliott & Clark (2024), The Impacts of Data, Ordering, and Intrinsic Dimensionality on Recall in Hierarchical
    Navigable Small Worlds, arXiv 2405.17813: a leaderboard with HNSW in place of exact search.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, Q = rng.standard_normal((600, 16)), rng.standard_normal((50, 16))
    >>> relevant = (Q @ X.T / np.linalg.norm(X, axis=1)).argmax(axis=1)
    >>> shift = rank_shift({"half": (X[:, :8], Q[:, :8]), "full": (X, Q)}, relevant, ef=10, seeds=1,
    ...                    engine="sequential")
    >>> shift.models, [row.rank for row in shift.rows], shift.rows[0].ndcg_exact
    (('full', 'half'), [1, 2], 1.0)
    """
    build = Build(
        engine=engine_of(engine), order=order, labels=labels, seeds=as_seeds(seeds), M=as_count(M, "M", least=2),
        ef_construction=as_count(ef_construction, "ef_construction"), metric=as_choice(metric, "metric", METRICS),
        efs=as_counts(ef, "ef"), k=as_count(k, "k"), threads=n_threads(threads),
    )  # fmt: skip
    if build.efs[0] < build.k:
        raise ValueError(f"ef is {build.efs[0]}, expected at least k={build.k}: searches raise a smaller one to k")
    level, seed = as_level(level), as_seed(seed)
    if not isinstance(models, Mapping) or not models:
        raise TypeError(f"models is {models!r}, expected a mapping of names to (X, Q)")
    checked = [Model(str(name), vectors, build) for name, vectors in models.items()]
    first, judged = checked[0], list[Judged]()
    for model in checked:
        if (model.n, model.n_queries) != (first.n, first.n_queries):
            raise ValueError(
                f"model {model.name!r} has {model.n} rows and {model.n_queries} queries, model {first.name!r} "
                f"{first.n} and {first.n_queries}; expected the same corpus and queries for all"
            )
    names = Ids()
    names = names.extended(names.checked(ids, first.n), first.n)
    judgements = Judgements.of(qrels, names.outer(np.zeros((first.n_queries, 1), np.int64)), query_ids)
    _warn_of_other_documents(judgements, names)
    n_graphs = len(checked) * len(build.seeds)
    with progress_bar("graphs", n_graphs, progress) as show:
        done = iter(range(1, n_graphs + 1))
        for model in checked:
            judged.append(model.judged(judgements, names, lambda: show(next(done))))
    return RankShift(
        judged, build.efs, k=build.k, n=first.n, n_seeds=len(build.seeds), engine=build.engine.name, level=level,
        seed=seed,
    )  # fmt: skip
