"""The public class of the dense graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.curve import Curve, refuse_beside, warn_of_missed_target
from vecrecall.dense import DenseIndex
from vecrecall.exact.kept import exact_hits
from vecrecall.file import File
from vecrecall.hits import Hits
from vecrecall.hnsw import stored
from vecrecall.hnsw.building import Workbench
from vecrecall.hnsw.calibration import NAMES, efs, measured_curve
from vecrecall.hnsw.check import check_content
from vecrecall.hnsw.content import Content, empty
from vecrecall.hnsw.estimate import estimated_memory
from vecrecall.hnsw.growth import Growth
from vecrecall.hnsw.order import checked_order
from vecrecall.hnsw.parameters import ORDERS, Parameters, default_links
from vecrecall.hnsw.refining import Refining
from vecrecall.hnsw.training import FEWEST
from vecrecall.hnsw.walker import Walker
from vecrecall.ids import Ids
from vecrecall.index import restore_shared
from vecrecall.inputs import Rows, as_choice, as_count, as_recall, as_rows
from vecrecall.sections import restored_curve
from vecrecall.progress import progress_bar
from vecrecall.threads import Workers, n_threads
from vecrecall.tuning import SearchSettings, Tunable
from vecrecall.vectors.rows import refuse_beyond_half
from vecrecall.vectors.spaces import METRICS, Space
from vecrecall.vectors.walked import CodedRows

EF = 64


class HNSW(DenseIndex, Tunable):
    """Hierarchical navigable small world graph over compact codes, ranked by exact rows.

    Made by :meth:`build`, or by ``vecrecall.load``.

    Parameters of a graph (all of :meth:`build`) survive save and load, ``ef`` among them.

    References
    ----------
    Malkov & Yashunin (2018), "Efficient and robust approximate nearest neighbor search using hierarchical navigable
    small world graphs", IEEE TPAMI; arXiv 1603.09320.

    Examples
    --------
    >>> import numpy as np
    >>> import vecrecall as vr
    >>> X = np.random.default_rng(0).standard_normal((2000, 32), dtype=np.float32)
    >>> index = vr.HNSW.build(X, metric="cosine")
    >>> hits = index.search(X[:3], k=5)
    >>> hits.ids.shape
    (3, 5)
    >>> hits.ids[:, 0]
    array([0, 1, 2])
    """

    kind = "hnsw"

    def __init__(
        self, content: Content, ids: Ids, parameters: Parameters, ef: int, target_recall: float | None = None
    ) -> None:
        super().__init__(content.space.dim, content.space.metric, ids)
        self._content, self._settings, self._ef, self._target = content, parameters, ef, target_recall
        self._curve: Curve | None = None
        self._bench: Workbench | None = None
        self._walker = Walker()

    @classmethod
    def build(
        cls,
        X: Any,
        *,
        metric: str = "l2",
        ids: Any = None,
        M: int | None = None,
        ef_construction: int | None = None,
        storage: str = "auto",
        reduce: str | int | None = "auto",
        keep: str | None = "auto",
        order: str | NDArray[np.integer] = "random",
        schedule: str = "parallel",
        fill: bool | None = None,
        ef: int | None = None,
        target_recall: float | None = None,
        seed: int = 0,
        threads: int | None = None,
        progress: bool = False,
    ) -> HNSW:
        """Build an index.

        Parameters
        ----------
        X : array-like, shape (n, dim)
            Numbers of any kind; held in float32 precision. Not kept: what is needed is copied.
        metric : {"l2", "ip", "cosine"}
            "ip" builds the graph of Morozov & Babenko (2018): each row asks as the query of its own direction, so rows
            of any length are found; see :mod:`vecrecall.vectors.spaces`.
        ids : sequence of int or str, optional
            Unique; default 0..n-1.
        M : int, optional
            Links a node has in the upper layers; 2 M in the base layer. More links: more memory and time a query,
            higher recall at the same ``ef``. Default: 24; for storage "f16" and "f32", where a distance costs more, 16,
            and 12 where a row takes 2 KB or more.
        ef_construction : int, optional
            Candidates looked at for each new node. Default: 64, or 128 where the intrinsic dimension of the data is
            high (a mean LID above 20 in a sample).
        storage : {"auto", "sq4", "sq8", "f16", "f32"}
            What is walked: codes of 4 or 8 bits a dimension, or floats. "auto" takes 4 bits, or 8, or f32: the first
            that tells near rows of a sample from others. Codes are trained on a sample, and again when the index has
            outgrown it or the data have drifted. Below 1,024 rows nothing is trained: rows are kept and a search scans
            them exactly.
        reduce : "auto", None or int
            Dimensions that codes are made of: "auto" takes the fewest blocks of 128 (sq8: 64) principal dimensions
            that hold 95 % of the variance; None takes all. The energy of the others is in the codes' biases.
        keep : {"auto", "u8", "f16", "f32"} or None
            Rows kept to rank the candidates by: "auto" is the narrowest type that holds the given values without
            loss; a type that loses some is refused. None keeps none: distances are then those of the codes, and codes
            cannot be trained again.
        order : "random", "given" or array of int, shape (n,)
            The order of insertion: a seeded permutation, the order of X, or positions in X. Slots and ids stay in the
            order of X. An array serves this call; later adds use "random".
        schedule : {"parallel", "sequential"}
            "parallel": batches choose their links in a graph that stands still. "sequential": the textbook's
            insertion, one vector after another, on one thread and without fill.
        fill : bool, optional
            Give free places in a row of links to the nearest candidates that the heuristic rejected. Default: True
            for schedule="parallel".
        ef : int, optional
            Default of :meth:`search`. Default: 64.
        target_recall : float, optional
            Recall@k, above 0 and at most 1, for which :meth:`search` takes its ``ef`` from the index's own curve, which
            is then measured at once; in place of ``ef``.
        seed : int, default 0
            Of every random choice.
        threads : int, optional
            Default: all that the process may use. The result is the same for any number.
        progress : bool, default False
            Show a progress bar on a terminal.

        Returns
        -------
        HNSW

        Raises
        ------
        ValueError, TypeError
            Input or parameters that are refused, saying why; nothing is built.

        Notes
        -----
        Memory of the index: about n * (p / 2 + 8 * M + 24) bytes for codes of p dimensions and links, plus the kept
        rows (n * dim * 1, 2 or 4). A build needs n * (p + 8 * M) bytes more while it runs. See
        :meth:`estimate_memory`.
        """
        metric = as_choice(metric, "metric", METRICS)
        n_workers = n_threads(threads)
        positions = None if isinstance(order, str) else order
        rows = as_rows(X)
        parameters = Parameters.checked(
            M=default_links(storage, rows.dim) if M is None else M,
            ef_construction=ef_construction, storage=storage, reduce=reduce, keep=keep,
            order="random" if positions is not None else as_choice(order, "order", ORDERS),
            schedule=schedule, fill=fill, seed=seed,
        )  # fmt: skip
        refuse_beside(target_recall, ef=ef)
        ef = EF if ef is None else as_count(ef, "ef")
        target = None if target_recall is None else _checked_target(target_recall, keep)
        index = cls(empty(Space(metric, rows.dim), parameters), Ids(), parameters, ef)
        index._grow(rows, ids, checked_order(positions, rows.n, parameters), n_workers, progress)
        index._bench = None  # working memory of adds; a finished build does not hold it
        if target is not None:
            index._target = target
            index._ef_for(1, target, n_workers, warns=True)
        return index

    def add(self, X: Any, ids: Any = None, *, threads: int | None = None, progress: bool = False) -> None:
        """Add vectors; all of them or, when this raises, none.

        Parameters
        ----------
        X : array-like, shape (m, dim)
        ids : sequence, optional
            Of the kind the index has: none where it numbers rows itself, else new and unique ones.
        threads, progress :
            As for :meth:`build`.

        Notes
        -----
        Many small calls cost more than one large one: each ends with a look at what the entry reaches, which takes
        time in proportion to the index. Working memory of n * (p + 8 * M) bytes stays with the index after the
        first call (``memory()["growth"]``), but not in the file. Searches wait while an add runs.
        """
        n_workers = n_threads(threads)
        rows = as_rows(X, dim=self._dim)
        with self._lock.alone:
            self._grow(rows, ids, None, n_workers, progress)

    def refine(self, *, ef: int | None = None, threads: int | None = None, progress: bool = False) -> None:
        """Decide anew, on the vectors there are now, what a build decides: codes, and the links of every vector.

        For an index that was built with ``order="given"`` or streamed in small adds, in an order that shapes the graph:
        one group after another, the dense regions first. A build in its own random order has no need of it.

        Parameters
        ----------
        ef : int, optional
            Candidates held in the search for each vector. Default: ``ef_construction``, raised to 2 M.
        threads, progress :
            As for :meth:`build`.

        Notes
        -----
        Rows and ids stay as they are. Codes are trained again where rows are kept, and the upper layers built anew in a
        random order. Then each vector is searched for in the graph as it was, from its own links and from where the
        layers lead; the links found are pruned and filled as at build, offered back, and what the entry does not reach
        is reconnected. The old graph stands still meanwhile: the result does not depend on the number of threads, and
        a call that fails leaves the index as it was. Working memory: n * (2 * p + 24 * M) bytes. Searches wait, and
        the curve of recall (``target_recall``) is measured anew when it is next asked for.
        """
        n_workers = n_threads(threads)
        ef = None if ef is None else as_count(ef, "ef")
        with self._lock.alone:
            content = self._content
            if content.graph.top < 0:  # all rows are ranked: there is no graph yet
                return
            with Workers(n_workers) as workers, progress_bar("refining", content.n, progress) as advance:
                self._content, bench = Refining(content, self._settings, ef, workers, advance).run()
            self._bench = None if self._bench is None else bench
            self._curve, self._walker = None, Walker()

    def search(
        self, Q: Any, k: int = 10, *, ef: int | None = None, target_recall: float | None = None,
        threads: int | None = None,
    ) -> Hits:  # fmt: skip
        """Find the k nearest vectors of each query.

        Parameters
        ----------
        Q : array-like, shape (dim,) or (q, dim)
        k : int, default 10
        ef : int, optional
            Candidates held while walking: the knob between recall and speed. Default: the index's own. Raised to k
            where it is smaller.
        target_recall : float, optional
            Recall@k for which ``ef`` is taken from the curve of the index, in place of ``ef``. The first such search
            measures the curve, on rows of the index against exact search, and so does one after the index has
            doubled: 512 n dim multiplications. It is saved with the index, so it depends on when it was measured.
        threads : int, optional
            Threads over the queries of a batch. Default: all that the process may use.

        Returns
        -------
        Hits
            Shapes (k,) for one query, (q, k) for a batch. ``distances`` are exact where rows are kept. ``evals``
            counts the codes compared in the walk, ``hops`` the nodes expanded in the base layer; the re-rank compares
            max(30, 3 k, ef / 2) rows more, or ef where codes are coarse for the data.

        Raises
        ------
        ValueError, TypeError
            For queries of another dimension, with NaN or infinity, for k or ef below 1, for a target_recall beside ef,
            or where no rows are kept to measure it by.

        Warns
        -----
        UserWarning
            If no ``ef`` reached the target on the rows that it was measured on; the best is taken.
        """
        k = as_count(k, "k")
        refuse_beside(target_recall, ef=ef)
        queries, single, n_workers = self._asked(Q, threads)
        with self._lock.shared:
            if ef is not None:
                ef = as_count(ef, "ef")
            elif target_recall is not None:
                target = _checked_target(target_recall, self._settings.keep)
                ef = self._ef_for(k, target, n_workers, warns=True)
            else:
                ef = self._default_ef(k, n_workers)
            slots, found, evals, hops = self._walker.answer(self._content, queries, k, ef, n_workers)
            ids = self._ids
        return self._hits(queries, single, k, (slots, found, evals), ids, hops)

    def _grow(
        self, rows: Rows, ids: Any, order: np.ndarray | None, n_workers: int, progress: bool
    ) -> None:
        """Add rows; nothing of the index changes before all is done."""
        if self._settings.storage == "f16" and self._metric != "cosine":
            refuse_beyond_half(rows)
        checked, dtype = self._admitted(rows, ids, self._settings.keep)
        if rows.n == 0:
            return
        bench, self._bench = self._bench, None  # of no use when this fails
        with Workers(n_workers) as workers, progress_bar("inserting", rows.n, progress) as advance:
            growth = Growth(self._content, rows, dtype, self._settings, workers, advance)
            content, bench = growth.run(order, bench)
            extended = self._ids.extended(checked, rows.n)
            self._content, self._bench, self._ids = content, bench, extended
        self._walker = Walker()  # what waits in the old one may not fit

    def check(self) -> None:
        """Walk every invariant: rows, codes, degrees, links in range, no self loops, no duplicates, layers nested, and
        every vector reached from the entry.

        Raises
        ------
        CorruptIndexError
            Naming the first one broken.
        """
        self._check(check_content)

    @property
    def ef(self) -> int:
        """Default of :meth:`search`, where there is no target_recall; saved with the index. To set it ends a target."""
        return self._ef

    @ef.setter
    def ef(self, value: int) -> None:
        self._ef, self._target = as_count(value, "ef"), None

    @property
    def target_recall(self) -> float | None:
        """Recall@k that a search takes its ``ef`` for, in place of :attr:`ef`; saved with the index, and may be set."""
        return self._target

    @target_recall.setter
    def target_recall(self, value: float | None) -> None:
        self._target = None if value is None else _checked_target(value, self._settings.keep)

    def _default_ef(self, k: int, n_workers: int) -> int:
        target = self._target  # read once: another thread may tune or set ef meanwhile
        return self._ef if target is None else self._ef_for(k, target, n_workers)

    def _ef_for(self, k: int, target: float, n_workers: int, *, warns: bool = False) -> int:
        """``ef`` for a recall@k; measures the curve if there is none of this size."""
        content, curve = self._content, self._curve
        if curve is None or curve.outdated(content.n):
            curve = self._curve = measured_curve(content, n_workers)
        if curve is None:  # all rows are ranked
            return self._ef
        setting, recall = curve.pick(k, target)
        if warns:
            warn_of_missed_target(target, recall, "ef")
        return setting["ef"]

    def _exact_answer(self, queries: Any, k: int, n_workers: int) -> Hits | None:
        kept = self._content.kept
        return None if kept is None else exact_hits(kept, self._ids, queries, k, self._metric, n_workers)

    def _grid(self, k: int) -> list[SearchSettings]:
        ladder = self._ladder(None, None, k, 1)
        return [ladder[0], *ladder[1:-1:2], ladder[-1]] if len(ladder) > 2 else ladder

    def _ladder(self, queries: Any, truth: Any, k: int, n_workers: int) -> list[SearchSettings]:
        return [{}] if self._content.graph.top < 0 else [{"ef": ef} for ef in efs(k)]

    def _answer(self, queries: Any, k: int, settings: SearchSettings, n_workers: int) -> Hits:
        ef = settings.get("ef", self._ef)
        return self._plain_hits(self._walker.answer(self._content, queries, k, ef, n_workers)[:3], k)

    def _take(self, settings: SearchSettings, k: int, target: float, recall: float) -> None:
        self.ef = settings["ef"]

    @property
    def ef_construction(self) -> int:
        """Candidates looked at for each new node, as given or as decided by the data."""
        return self._content.ef_construction

    def memory(self) -> dict[str, int]:
        """Return the bytes held, by part; mapped parts count, though they may not be in memory yet.

        "rows" (kept), "walk" (codes or floats), "links", "ids", "growth" (working memory of adds) and "scratch" (of
        searches).
        """
        content = self._content
        return {
            "rows": 0 if content.kept is None else content.kept.nbytes(),
            "walk": 0 if content.walked is None else content.walked.nbytes(),
            "links": content.graph.nbytes(),
            "ids": self._ids.nbytes(),
            "growth": 0 if self._bench is None else self._bench.nbytes(),
            "scratch": self._walker.nbytes(),
        }

    @staticmethod
    def estimate_memory(
        n: int, dim: int, *, metric: str = "l2", M: int | None = None, storage: str = "sq4", p: int | None = None,
        keep: str | None = "f32",
    ) -> dict[str, int]:  # fmt: skip
        """Estimate the bytes of an index before it is built.

        Parameters
        ----------
        n, dim : int
        metric, M, storage :
            As for :meth:`build`; a storage must be named.
        p : int, optional
            Dimensions that codes are made of; default all, the most that ``reduce="auto"`` can take.
        keep : {"u8", "f16", "f32"} or None
            Type of the kept rows.

        Returns
        -------
        dict of int
            "rows", "walk", "links", their sum "index", and "build": the most that is held while it is built, the
            index included.

        Examples
        --------
        >>> HNSW.estimate_memory(1_000_000, 384, p=256)["index"] // 2**20
        1793
        """
        return estimated_memory(n, dim, metric=metric, M=M, storage=storage, p=p, keep=keep)

    def _storage(self) -> str:
        content, walked = self._content, self._content.walked
        kept = "no rows kept" if content.kept is None else f"rows kept as {content.kept.name}"
        if walked is None:
            return f"{kept}, scanned until there are {FEWEST:,} to train codes on"
        what = "f32" if self._settings.storage == "auto" else self._settings.storage
        if isinstance(walked, CodedRows):
            what = f"{walked.codec.storage} codes of {walked.codec.p} dimensions"
        return f"M={self._settings.M}, ef_construction={content.ef_construction}, {self._aim()}, {what}, {kept}"

    def _aim(self) -> str:
        """What searches take where nothing is given."""
        target = self._target  # read once, as for a search
        return f"ef={self._ef}" if target is None else f"ef for recall {target:g}"

    def _parameters(self) -> dict[str, Any]:
        chosen = {"ef": self._ef, "target_recall": self._target}
        if self._curve is not None:
            chosen["n_at_curve"] = self._curve.n
        return {"graph": self._settings.as_dict(), **chosen, **stored.parameters_of(self._content)}

    def _counts(self) -> dict[str, int]:
        return stored.counts_of(self._content)

    def _sections(self) -> dict[str, NDArray[Any]]:
        curve = {} if self._curve is None else {"curve": self._curve.table}
        return stored.sections_of(self._content) | curve

    @classmethod
    def _restore(cls, file: File) -> HNSW:
        dim, metric, ids = restore_shared(file)
        parameters = Parameters.checked(**file.parameters["graph"])
        content = stored.restored_content(file, dim, metric, parameters)
        target = file.parameters.get("target_recall")
        ef = as_count(file.parameters["ef"], "ef")
        index = cls(content, ids, parameters, ef, None if target is None else as_recall(target))
        index._curve = restored_curve(file, NAMES)
        return index


def _checked_target(target_recall: float, keep: str | None) -> float:
    """A target recall of an index that can measure it."""
    target = as_recall(target_recall)
    if keep is None:
        raise ValueError(
            f"target_recall={target} was given, but no rows are kept to measure recall by; "
            "give ef, or build with keep='auto'"
        )
    return target
