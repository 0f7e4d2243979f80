"""The curve of an index on the user's own queries: recall, speed, latency, and what that means for retrieval."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from vecrecall.curve import ENOUGH
from vecrecall.hits import Hits
from vecrecall.index import Index
from vecrecall.inputs import as_count, as_flag, as_queries, as_seed, n_zero_rows, warn_of_zeros, warn_user
from vecrecall.intervals import as_level, bootstrap
from vecrecall.matching import refuse_beaten, shares_found
from vecrecall.measure.findings import Setting, Sweep
from vecrecall.measure.grids import grid
from vecrecall.measure.retrieval import Judged
from vecrecall.measure.timing import MOST_SINGLE, best_seconds, compile_seconds, single_query_us
from vecrecall.measure.truth import true_answers
from vecrecall.progress import progress_bar
from vecrecall.threads import n_threads
from vecrecall.tuning import SearchSettings

_SAME = 1e-6  # of the median distance: what is as near is the same vector
_AT_FIRST = 9  # queries of the batch that compiles

Counts = int | Iterable[int] | None
Shares = float | Iterable[float] | None


def sweep(
    index: Any,
    Q: Any,
    truth: Any = None,
    k: int = 10,
    *,
    ef: Counts = None,
    nprobe: Counts = None,
    rerank: Counts = None,
    query_cut: Counts = None,
    heap_factor: Shares = None,
    impact_cut: Shares = None,
    rows: Any = None,
    qrels: Any = None,
    query_ids: Any = None,
    threads: int | None = None,
    level: float = 0.95,
    rounds: int = 3,
    latency: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> Sweep:
    """Measure an index over its settings on your own queries: recall with intervals, speed, latency.

    Parameters
    ----------
    index : HNSW, IVF, SparseIndex or Exact
    Q : as for its `search`
        Queries that the index does not hold. Some hundred at least: the intervals say whether they are enough.
    truth : Hits, or (ids, distances), or ids alone, shape (q, at least k), optional
        The true answers, nearest first, from exact search over the rows of the index. Of ids alone, and where the index
        keeps no rows (its distances are then those of codes), answers are compared by id, so that ties may count as
        errors; else by distance. ``Sweep.by`` and ``Sweep.truth`` tell. Default: computed, over the rows that the
        index keeps, or over `rows`.
    k : int, default 10
    ef, nprobe, rerank, query_cut, heap_factor, impact_cut : number, or sequence of numbers, optional
        Settings of the index's `search`; several sequences are crossed. Default: values that are worth a look, up to
        the first that finds all but a thousandth.
    rows : array-like, shape (n, dim), optional
        All that the index was built of, in the order of insertion, to compute the truth of an index that keeps no rows.
    qrels : mapping of query id to mapping of document id to relevance; or ints, shape (q,), optional
        Judgements, as for :func:`vecrecall.ndcg`. Then each setting also has the nDCG@10 (or @k, if that is less) of
        its answers, the share of that of exact search that is missing, and the share of the relevant answers of exact
        search that were lost.
    query_ids : sequence, shape (q,), optional
        What `qrels` call the queries; default 0..q-1.
    threads : int, optional
        Of the second of two speeds; the first is that of one thread. Default: all that the process may use.
    level : float in (0, 1), default 0.95
        Of the bootstrap intervals over the queries.
    rounds : int, default 3
        How often all queries are timed in one call with each setting; the best counts. Rounds take the settings in
        turn.
    latency : bool, default True
        Whether queries are also timed one by one, up to 2,000 of them, spread over Q; each in the calling thread.
    seed : int, default 0
        Of the bootstrap.
    progress : bool, default False
        Show a progress bar on a terminal.

    Returns
    -------
    Sweep
        ``rows`` holds a `Setting` for each setting; its repr is a table with a suggestion; ``suggest(recall)``,
        ``pareto``, ``plot(path)``, ``to_pandas()``, ``to_csv(path)``, ``to_parquet(path)``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated, the index does not have a setting, there are no queries, or there is neither a
        truth nor rows to compute it from; or the truth names ids that the index does not hold, where answers are
        compared by id, or is beaten by the index, where they are by distance.

    Warns
    -----
    UserWarning
        If the index holds less than half of the documents that qrels call relevant, or if most queries are rows of it.

    Notes
    -----
    Speed is that of this machine at this moment: pin the process to idle cores, and compare only what was measured in
    one run. Nothing that is timed compiles: every kernel was used before (``Sweep.compile_s``).

    Recall understates the harm to retrieval: see ``docs/measuring.md``.

    References
    ----------
    Aumueller, Bernhardsson & Faithfull (2020), ANN-Benchmarks, section 2.1: recall by distance.
    Rubin (1981), The Bayesian Bootstrap, and Gaffke (2005): intervals, as ``docs/measuring.md`` has them.

    Examples
    --------
    >>> import numpy as np
    >>> import vecrecall as vr
    >>> rng = np.random.default_rng(0)
    >>> X, Q = rng.standard_normal((2000, 16)), rng.standard_normal((50, 16))
    >>> found = sweep(vr.HNSW.build(X), Q, ef=[10, 80], rounds=1)
    >>> [row.settings["ef"] for row in found.rows], found.rows[1].recall > 0.95
    ([10, 80], True)
    """
    if not isinstance(index, Index):
        raise TypeError(f"index is a {type(index).__name__}, expected an index of this package")
    k, rounds, seed, level = as_count(k, "k"), as_count(rounds, "rounds"), as_seed(seed), as_level(level)
    n_workers, latency = n_threads(threads), as_flag(latency, "latency")
    given = {
        "ef": ef, "nprobe": nprobe, "rerank": rerank, "query_cut": query_cut, "heap_factor": heap_factor,
        "impact_cut": impact_cut,
    }  # fmt: skip
    settings = grid(index, k, given)
    batch = _batch(index, Q)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zero queries, once a call
        true, by, source = true_answers(index, batch, truth, rows, k, n_workers, progress)
    if by == "distance" and index.metric != "ip":
        _warn_of_rows(true[1])
    judged = None if qrels is None else Judged(qrels, query_ids, true[0], index._ids, k, level, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measured = _Measured(index, batch, k, n_workers)
        total = len(settings) * (1 + rounds * (2 if n_workers > 1 else 1) + rounds * latency)
        with progress_bar("measuring", total, progress) as show:
            done = 0

            def advance() -> None:
                nonlocal done
                done += 1
                show(done)

            compile_s = measured.compile(settings[0])
            found: list[dict[str, Any]] = []
            for setting in settings:
                found.append(measured.answered(setting, true, by, judged, level, seed, advance))
                if found[-1]["recall"] >= ENOUGH and all(values is None for values in given.values()):
                    break  # dearer settings of the index's own grid find no more
            settings = settings[: len(found)]
            speeds = measured.speeds(settings, rounds, advance)
            latencies = measured.latencies(settings, rounds, advance) if latency else [{} for _ in settings]
    records = [
        Setting(setting, **(answers | speed | single))
        for setting, answers, speed, single in zip(settings, found, speeds, latencies, strict=True)
    ]
    of_exact = {} if judged is None else judged.of_exact()
    return Sweep(records, repr(index), k, batch.shape[0], n_workers, source, by, level, compile_s, **of_exact)


class _Measured:
    """An index and queries, and what is measured of them."""

    def __init__(self, index: Any, batch: Any, k: int, n_workers: int) -> None:
        self._search: Callable[..., Hits] = partial(index.search, k=k)
        self._batch, self._n_queries, self._n_workers = batch, batch.shape[0], n_workers

    def _single(self, i: int) -> Any:
        """A query as a caller with one has it: a vector, or a sparse matrix of one row."""
        return self._batch[i] if isinstance(self._batch, np.ndarray) else self._batch[i : i + 1]

    def compile(self, setting: SearchSettings) -> float:
        """Seconds that went into compiling; afterwards all that is timed has run once.

        A setting is given, since the defaults of an index may be a target, for which it would measure its own curve.
        """
        few, search = self._batch[:_AT_FIRST], partial(self._search, **setting)
        calls = [partial(search, few, threads=n) for n in sorted({1, self._n_workers})]
        return compile_seconds([*calls, partial(search, self._single(0))])

    def answered(
        self, setting: SearchSettings, true: tuple[Any, Any], by: str, judged: Judged | None, level: float, seed: int,
        advance: Callable[[], None],
    ) -> dict[str, Any]:  # fmt: skip
        """Recall, evaluations and what judgements say, by field of `Setting`."""
        hits = self._search(self._batch, threads=self._n_workers, **setting)
        if by == "distance":
            refuse_beaten(hits.distances, true[1])
        shares = shares_found(hits, true, by=by)
        low, high = bootstrap(shares, level, seed=seed)
        advance()
        return {
            "recall": float(shares.mean()), "low": low, "high": high, "evals": float(np.mean(hits.evals)),
            "retrieval": None if judged is None else judged.of(hits.ids),
        }  # fmt: skip

    def speeds(
        self, settings: list[SearchSettings], rounds: int, advance: Callable[[], None]
    ) -> list[dict[str, float]]:
        """Queries a second of each setting, on one thread and on all."""
        n_all = sorted({1, self._n_workers})
        calls = [partial(self._search, self._batch, threads=n, **setting) for setting in settings for n in n_all]
        best = np.reshape(best_seconds(calls, rounds, advance), (len(settings), len(n_all)))
        qps = self._n_queries / np.maximum(best, 1e-9)
        return [{"qps_1": float(of[0]), "qps_all": float(of[-1])} for of in qps]

    def latencies(
        self, settings: list[SearchSettings], rounds: int, advance: Callable[[], None]
    ) -> list[dict[str, float]]:
        """Percentiles of the time of one query, for each setting; a single query runs in the calling thread."""
        n = self._n_queries
        some = np.unique(np.linspace(0, n - 1, min(n, MOST_SINGLE)).astype(np.int64)).tolist()
        searches = [partial(self._search, **setting) for setting in settings]
        us = single_query_us(
            lambda query, setting: searches[setting](query), [self._single(i) for i in some], len(settings), rounds,
            advance,
        )  # fmt: skip
        names = ("p50_us", "p95_us", "p99_us")
        return [dict(zip(names, np.percentile(of, (50, 95, 99)).tolist(), strict=True)) for of in us]


def _warn_of_rows(distances: Any) -> None:
    """Warn if most of the nearest true neighbours are where the query is: any search finds a row that it starts at."""
    finite = distances[np.isfinite(distances)]
    n_same = int((np.abs(distances[:, 0]) <= _SAME * np.median(finite)).sum()) if len(finite) else 0
    if 2 * n_same > len(distances):
        warn_user(
            f"{n_same} of {len(distances)} queries have a neighbour at distance 0: they seem to be rows of the index, "
            "which are found more easily than others; give queries that it does not hold"
        )


def _batch(index: Index, Q: Any) -> Any:
    """All queries, checked, in the form that the index converts nothing of."""
    if index.kind in ("sparse", "exact-sparse"):
        from scipy.sparse import csr_array

        from vecrecall.csr import as_sparse_queries

        rows, _ = as_sparse_queries(Q, index.dim)
        ends = rows.indptr.astype(np.int32) if rows.indptr[-1] < 2**31 else rows.indptr
        batch: Any = csr_array((rows.values, rows.columns, ends), shape=(rows.n, index.dim))
    else:
        batch, _ = as_queries(Q, index.dim)
        batch = batch if batch.flags.carray else batch.copy()  # as of a mapped file; searches would copy it each time
        if index.metric == "cosine":
            warn_of_zeros(n_zero_rows(batch), "query")
    if batch.shape[0] == 0 or len(index) == 0:
        raise ValueError(
            f"there are {batch.shape[0]} queries and {len(index)} vectors in the index, expected some of both"
        )
    return batch
