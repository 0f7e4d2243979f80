"""Studies: recall by insertion order, engine and parameters, at equal ef and at equal evaluations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vecrecall.analysis.studying.arguments import as_counts, as_engines, as_evals, as_seeds
from vecrecall.analysis.studying.asked import Asked, Truth
from vecrecall.analysis.studying.engines import Engine
from vecrecall.analysis.studying.measuring import Cell, measure
from vecrecall.analysis.studying.ordering import Orders
from vecrecall.analysis.studying.packed import Header
from vecrecall.analysis.studying.record import Record
from vecrecall.analysis.studying.result import Study as Study
from vecrecall.inputs import as_choice, as_count, as_seed
from vecrecall.intervals import as_level
from vecrecall.progress import progress_bar
from vecrecall.threads import n_threads
from vecrecall.vectors.spaces import METRICS

Counts = int | Iterable[int]

_WARM = 1_100  # rows: enough for codes to be trained


def study(
    X: ArrayLike,
    Q: ArrayLike,
    *,
    orders: str | Iterable[str] | Mapping[str, Any] = ("random", "lid_desc", "lid_asc"),
    seeds: Counts = 3,
    engines: str | Engine | Iterable[str | Engine] = ("sequential", "default"),
    M: Counts = 16,
    ef_construction: Counts = 128,
    ef: Counts = (10, 40, 128),
    k: int = 10,
    metric: str = "l2",
    labels: ArrayLike | None = None,
    neighbours: Any = None,
    evals: float | Iterable[float] | None = None,
    level: float = 0.95,
    name: str = "",
    record: str | os.PathLike[str] | None = None,
    seed: int = 0,
    threads: int | None = 1,
    progress: bool = False,
) -> Study:
    """Build graphs of the same rows in several orders, and compare what they find.

    Parameters
    ----------
    X : array_like of real numbers, shape (n, dim)
        At least k rows.
    Q : array_like of real numbers, shape (q, dim)
        Queries that are not rows of X. A thousand or more: the intervals tell whether they are enough.
    orders : str, iterable of str, or mapping of name to array_like of int, shape (n,)
        Names of :func:`vecrecall.analysis.order`; in a mapping also permutations under names of your own, and None for
        a name of ours. With "random" among them, the others are compared with it.
    seeds : int, or iterable of int, default 3
        How many, or which. A seed decides the random orders *and* the levels that an engine draws, so that an order
        which is no matter of chance has a spread too.
    engines : str, Engine, or iterable of these
        ================= ==========================================================================================
        "sequential"      `HNSW` with schedule="sequential", storage="f32", in the order given
        "parallel"        `HNSW` with the default schedule and storage, in the order given
        "default"         `HNSW` as it is by default: rows come in the order, and are inserted in one of its own
        "streamed"        as "parallel", in adds of 100 rows
        "refined"         the same, with `refine` at the end
        "hnswlib"         hnswlib, one call, one thread
        "faiss"           faiss's IndexHNSWFlat, one call, in which it inserts in an order of its own
        "faiss-batches"   the same in calls of 100 rows
        ================= ==========================================================================================

        Or an object with ``name`` and ``build``, see `vecrecall.analysis.studying.engines.Engine`.
    M, ef_construction : int, or iterable of int
        Build parameters; several are crossed.
    ef : int, or iterable of int, default (10, 40, 128)
        Where recall is reported; at least k.
    k : int, default 10
        Answers of a query.
    metric : {"l2", "ip", "cosine"}, default "l2"
    labels : array_like of int or str, shape (n,), optional
        Category of each row, for the orders by category.
    neighbours : optional
        Of each row, for the orders by LID and density, as :func:`vecrecall.analysis.order` takes them. Default: exact
        search, when the first such order is built.
    evals : float, or iterable of float, optional
        Numbers of evaluations a query that recall is reported at, too. Default: what the first engine takes at the
        efs in random order, as far as each of its orders was measured there, and others between.
    level : float in (0, 1), default 0.95
        Of the bootstrap intervals over the queries.
    name : str, optional
        What tables and pictures call the data.
    record : path-like, optional
        A file that each graph is written to when it is measured. If it is there, what it holds is not built again: a
        study that was stopped goes on, and one that is asked for more orders, seeds, engines or parameters builds
        these only. Several processes can share a study, each with a record of its own: `Study.read` joins them.
    seed : int, default 0
        Of the bootstrap.
    threads : int, optional
        For exact search, searches, and builds whose result does not depend on it; others take one. Default 1, so that
        build times can be compared; None: all that the process may use.
    progress : bool, default False
        Show progress bars on a terminal.

    Returns
    -------
    Study
        ``as_dicts()``, ``to_pandas()``, ``to_csv(path)``, ``to_parquet(path)``, ``table(engine=)`` as Markdown,
        ``plot(path)``, ``plot_lid(path)``; its repr is a table for each engine.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated, an order needs labels that are not given, or the record is of another study.
    ImportError
        If the package of an engine is not installed; before anything is computed.
    DataFileError
        If the record is damaged, but for a last line that was not finished.

    Notes
    -----
    Recall is that of the library's own search, by distance, so that ties count. Evaluations and hops are those of our
    own walk in the very graph that the library built; `agreement` is the share of the library's answers that this walk
    gave too. They count distances to what is walked: codes for the engines with the default storage, whose rank of the
    last candidates by exact rows is not among them.

    **Equal ef misleads**: an order may fill lists of links better, and a step along a longer list takes more
    evaluations. So every graph is measured at a ladder of efs, and recall at a number of evaluations lies on the line
    between the two neighbouring efs, query by query.

    Differences are paired: each query with itself, mean over the seeds of the order less that of random order.
    Intervals resample the queries, with one that was not asked, as those of :func:`vecrecall.recall` do: a difference
    that is 0 in all of q queries has about 3.7 / q to either side. Where the graphs of several seeds differ by more
    than their queries explain (a graph in which a whole group cannot be found, say), that widens them by Welch's t; two
    or three seeds tell little about other graphs. With one seed an interval is of that very graph. ``recall_sd`` is the
    standard deviation over seeds.

    Self-recall is that of 1,000 stored rows: whether such a row, or one equal to it, is among the k answers to itself
    (under "ip", where others may be nearer to a row than itself, k of these will do).

    References
    ----------
    Elliott & Clark (2024), The Impacts of Data, Ordering, and Intrinsic Dimensionality on Recall in Hierarchical
    Navigable Small Worlds, arXiv 2405.17813. Levina & Bickel (2005), Maximum likelihood estimation of intrinsic
    dimension: LID of the queries. Rubin (1981), Gaffke (2005): intervals, as of `vecrecall.recall`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, Q = rng.standard_normal((500, 8)), rng.standard_normal((40, 8))
    >>> found = study(X, Q, orders=["random", "norm_asc"], engines="sequential", ef=10, seeds=2)
    >>> found.orders, [row.n_seeds for row in found.rows[:2]]
    (('random', 'norm_asc'), [2, 2])
    >>> record = found.as_dicts()[1]
    >>> record["order"], record["ef"], record["difference_low"] < record["difference"] < record["difference_high"]
    ('norm_asc', 10, True)
    """
    chosen = as_engines(engines)
    as_choice(metric, "metric", METRICS)
    k, level, seed, n_workers = as_count(k, "k"), as_level(level), as_seed(seed), n_threads(threads)
    efs, all_seeds = as_counts(ef, "ef"), as_seeds(seeds)
    parameters = product(as_counts(M, "M", least=2), as_counts(ef_construction, "ef_construction"))
    evals = None if evals is None else as_evals(evals)
    asked = Asked.of(X, Q, metric=metric, k=k, efs=efs, labels=labels)
    permutations = Orders(orders, asked, {} if neighbours is None else {"neighbours": neighbours}, n_workers, progress)
    cells = [
        Cell(engine, links, width, order, number)
        for (links, width), number, order, engine in product(parameters, all_seeds, permutations.names, chosen)
    ]
    work = _Work(asked, chosen, permutations, n_workers, progress, str(name), record)
    return Study(work.header, work.measured(cells), evals=evals, level=level, seed=seed)


class _Work:
    """The graphs that there are, and those that are still to be built."""

    def __init__(
        self, asked: Asked, engines: dict[str, Engine], orders: Orders, n_workers: int, progress: bool, name: str,
        record: str | os.PathLike[str] | None,
    ) -> None:  # fmt: skip
        self._asked, self._engines, self._orders = asked, engines, orders
        self._n_workers, self._progress = n_workers, progress
        self._warmed: set[str] = set()
        self._truth = Truth(asked, n_workers, progress)
        self.header = Header(
            asked.fingerprint(), name, len(asked.X), asked.X.shape[1], len(asked.Q), asked.k, asked.metric, asked.efs,
            asked.ladder, self._truth.lid,
        )  # fmt: skip
        self._record = None if record is None else Record(record, self.header)

    def measured(self, cells: list[Cell]) -> list[Any]:
        """What was measured of some graphs; those that the record does not hold are built."""
        known = {} if self._record is None else dict(self._record.measured)
        for cell in cells:
            if cell in known and known[cell].order_digest != self._orders.digests.get(cell.order, ""):
                raise ValueError(f"the record has another permutation under the name {cell.order!r}; rename this one")
        missing = [cell for cell in cells if cell not in known]
        with progress_bar("graphs", len(missing), self._progress) as show:
            for done, cell in enumerate(missing, start=1):
                known[cell] = self._build(cell)
                show(done)
        return [known[cell] for cell in cells]

    def _build(self, cell: Cell) -> Any:
        self._warm(cell)
        order = self._orders.rows(cell.order, cell.seed)
        digest = self._orders.digests.get(cell.order, "")
        found = measure(cell, self._engines[cell.engine], self._asked, self._truth, order, self._n_workers, digest)
        if self._record is not None:
            self._record.add(found)
        return found

    def _warm(self, cell: Cell) -> None:
        """Build a few rows before the first graph of an engine that compiles, so that no build time holds that."""
        engine = self._engines[cell.engine]
        if cell.engine in self._warmed or getattr(engine, "package", "") != "vecrecall":
            return
        few = self._asked.X[:_WARM]
        engine.build(
            few, np.arange(len(few)), metric=self._asked.metric, M=cell.M, ef_construction=cell.ef_construction,
            seed=0, threads=self._n_workers,
        )  # fmt: skip
        self._warmed.add(cell.engine)
