"""The public class of the dense inverted file."""

from __future__ import annotations

from dataclasses import asdict, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.curve import Curve, refuse_beside, warn_of_missed_target
from vecrecall.dense import DenseIndex
from vecrecall.file import File
from vecrecall.hits import Hits
from vecrecall.ids import Ids
from vecrecall.index import restore_shared
from vecrecall.inputs import Rows, as_choice, as_count, as_recall, as_rows
from vecrecall.ivf import stored
from vecrecall.ivf.calibration import ladder, measured_curve
from vecrecall.ivf.check import check_content
from vecrecall.ivf.content import Content, empty
from vecrecall.ivf.growth import Growth
from vecrecall.ivf.parameters import FEWEST, Chosen, Parameters
from vecrecall.ivf.searcher import Searcher
from vecrecall.progress import progress_bar
from vecrecall.threads import Workers, n_threads
from vecrecall.tuning import SearchSettings, Tunable, slots_of_truth
from vecrecall.vectors.spaces import METRICS, Space


TARGET = 0.95
_PLACES = 10_000  # true neighbours that settings are laid out by, where `tune` is given more
_GRID = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)  # recalls, by the curve
_BEYOND = (2, 4, 8)  # times the lists of the last, for queries that are harder than those of the curve


class IVF(DenseIndex, Tunable):
    """Inverted file over compact codes, ranked by exact rows: the engine for batches.

    Vectors are shared among lists around centroids. A search compares a query with the centroids, scans the codes in
    the ``nprobe`` nearest lists, and ranks the ``rerank`` best of them by the kept rows. Queries of a batch that want
    the same list scan it together, from registers, so this engine is at its best with hundreds of queries in a call;
    it is built many times faster than a graph. How many lists and candidates a recall takes is measured at build, on
    the vectors themselves.

    Made by :meth:`build`, or by ``vecrecall.load``.

    References
    ----------
    Jégou, Douze & Schmid (2011), "Product quantization for nearest neighbor search", IEEE TPAMI (inverted file with
    residual codes and re-ranking). André, Kermarrec & Le Scouarnec (2015), "Cache locality is not enough", VLDB
    (blocks of interleaved codes that are scanned from registers).

    Examples
    --------
    >>> import numpy as np
    >>> import vecrecall as vr
    >>> X = np.random.default_rng(0).standard_normal((6000, 32), dtype=np.float32)
    >>> index = vr.IVF.build(X, metric="cosine")
    >>> hits = index.search(X[:3], k=5)
    >>> hits.ids[:, 0]
    array([0, 1, 2])
    """

    kind = "ivf"

    def __init__(self, content: Content, ids: Ids, parameters: Parameters) -> None:
        super().__init__(content.space.dim, content.space.metric, ids)
        self._content, self._settings = content, parameters
        self._searcher = Searcher()
        self._tuned: Chosen | None = None

    @classmethod
    def build(
        cls,
        X: Any,
        *,
        metric: str = "l2",
        ids: Any = None,
        n_lists: int | None = None,
        storage: str = "sq4",
        reduce: str | int | None = "auto",
        keep: str | None = "auto",
        target_recall: float | None = None,
        seed: int = 0,
        threads: int | None = None,
        progress: bool = False,
    ) -> IVF:
        """Build an index.

        Parameters
        ----------
        X : array-like, shape (n, dim)
            Numbers of any kind; held in float32 precision. Not kept: what is needed is copied.
        metric : {"l2", "ip", "cosine"}
        ids : sequence of int or str, optional
            Unique; default 0..n-1.
        n_lists : int, optional
            Lists that the vectors are shared among. Default: about 2 sqrt(n), and one below 5,000 vectors, which is
            then a scan of all codes. Lists that become far longer than the others are split.
        storage : {"sq4", "sq8"}
            Codes of 4 or 8 bits a dimension, of a vector's residual to the centroid of its list. Below 1,024 rows
            nothing is trained: rows are kept and a search scans them exactly.
        reduce : "auto", None or int
            Dimensions that codes are made of: "auto" takes the fewest blocks of 32 principal dimensions, 96 at least,
            that hold 92.5 % of the variance; None takes all. The energy of the others is in the codes' addends.
        keep : {"auto", "u8", "f16", "f32"} or None
            Rows kept to rank the candidates by: "auto" is the narrowest type that holds the given values without
            loss; a type that loses some is refused. None keeps none: distances are then those of the codes, and axes
            and lists cannot be made anew when the index grows.
        target_recall : float, optional
            Recall@k, above 0 and at most 1, that the defaults of :meth:`search` are chosen for, as measured on X.
            Default: 0.95, or as near to it as codes come where no rows are kept (the repr tells).
        seed : int, default 0
            Of every random choice.
        threads : int, optional
            Default: all that the process may use. The result is the same for any number.
        progress : bool, default False
            Show a progress bar on a terminal.

        Returns
        -------
        IVF

        Raises
        ------
        ValueError, TypeError
            Input or parameters that are refused, saying why; nothing is built.

        Warns
        -----
        UserWarning
            If a target_recall was given and no settings reached it on the data; the best are taken.

        Notes
        -----
        Memory of the index: about n * (p / 2 + 13) bytes for codes of p dimensions (sq8: p + 13) and lists, a tenth
        more for places that are free, plus the kept rows (n * dim * 1, 2 or 4). A build needs 4 n p bytes more while it
        runs.
        """
        metric = as_choice(metric, "metric", METRICS)
        n_workers = n_threads(threads)
        rows = as_rows(X)
        parameters = Parameters.checked(
            n_lists=n_lists, storage=storage, reduce=reduce, keep=keep,
            target_recall=TARGET if target_recall is None else target_recall, seed=seed,
        )  # fmt: skip
        index = cls(empty(Space(metric, rows.dim), parameters), Ids(), parameters)
        index._grow(rows, ids, n_workers, progress)
        if target_recall is not None:
            index._chosen(10, parameters.target_recall)  # warns
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
        An add costs what it adds, and a look at the directory of all lists. Where rows are kept, axes and lists are
        made anew whenever the index has become four times as large or the data have drifted, and the curve of recall is
        measured again when vectors or lists have doubled: such a call takes as long as a build. Searches wait while an
        add runs.
        """
        n_workers = n_threads(threads)
        rows = as_rows(X, dim=self._dim)
        with self._lock.alone:
            self._grow(rows, ids, n_workers, progress)

    def search(
        self,
        Q: Any,
        k: int = 10,
        *,
        nprobe: int | None = None,
        rerank: int | None = None,
        target_recall: float | None = None,
        threads: int | None = None,
    ) -> Hits:
        """Find the k nearest vectors of each query.

        Parameters
        ----------
        Q : array-like, shape (dim,) or (q, dim)
        k : int, default 10
        nprobe : int, optional
            Lists scanned for each query. Default: what `target_recall` takes.
        rerank : int, optional
            Candidates ranked by kept rows; raised to k where it is smaller. Default: what `target_recall` takes.
        target_recall : float, optional
            Recall@k for which nprobe and rerank are taken from the index's own curve; not beside either of them.
            Default: that of the build.
        threads : int, optional
            Threads over the queries of a batch. Default: all that the process may use.

        Returns
        -------
        Hits
            Shapes (k,) for one query, (q, k) for a batch. ``distances`` are exact where rows are kept. ``evals``
            counts the centroids and codes that a query was compared with.

        Raises
        ------
        ValueError, TypeError
            For queries of another dimension, with NaN or infinity, for k, nprobe or rerank below 1, and for a
            target_recall beside nprobe or rerank.

        Warns
        -----
        UserWarning
            If no settings reached the target on the rows that it was measured on; the best are taken.
        """
        k = as_count(k, "k")
        refuse_beside(target_recall, nprobe=nprobe, rerank=rerank)
        nprobe = None if nprobe is None else as_count(nprobe, "nprobe")
        rerank = None if rerank is None else as_count(rerank, "rerank")
        queries, single, n_workers = self._asked(Q, threads)
        with self._lock.shared:
            if nprobe is None or rerank is None:
                chosen = self._chosen(k, target_recall)
                nprobe, rerank = nprobe or chosen[0], rerank or chosen[1]
            answers = self._searcher.answer(self._content, queries, k, nprobe, rerank, n_workers)
            ids = self._ids
        return self._hits(queries, single, k, answers, ids)

    def _chosen(self, k: int, target_recall: float | None) -> tuple[int, int]:
        """(nprobe, rerank) for a recall@k."""
        content = self._content
        curve = content.curve
        target = self._settings.target_recall if target_recall is None else as_recall(target_recall)
        if curve is None:  # all rows are ranked
            return 1, k
        tuned = self._tuned  # another thread may set a target meanwhile
        if target_recall is None and tuned is not None and not tuned.outdated(content.n):
            return tuned.at(k, content.n_lists)
        setting, recall = curve.pick(k, target)
        if target_recall is not None:
            warn_of_missed_target(target, recall, "nprobe and rerank")
        return self._by_curve(setting, k)

    def _by_curve(self, setting: dict[str, int], k: int) -> tuple[int, int]:
        """(nprobe, rerank) of a point of the curve."""
        content = self._content
        nprobe = ceil(setting["nprobe"] * content.n_lists / content.n_lists_at_curve)  # some may have been split since
        return min(nprobe, content.n_lists), max(k, setting["rerank"])

    def _exact_answer(self, queries: Any, k: int, n_workers: int) -> Hits | None:
        from vecrecall.exact.kept import exact_hits  # its kernels are not needed otherwise, and loading them takes time

        kept = self._content.kept
        return None if kept is None else exact_hits(kept, self._ids, queries, k, self._metric, n_workers)

    def _grid(self, k: int) -> list[SearchSettings]:
        curve, n_lists = self._content.curve, self._content.n_lists
        if curve is None:
            return [{}]
        rungs = [self._by_curve(curve.pick(k, target)[0], k) for target in _GRID]
        rungs += [(min(rungs[-1][0] * times, n_lists), rungs[-1][1]) for times in _BEYOND]
        return [{"nprobe": nprobe, "rerank": rerank} for nprobe, rerank in dict.fromkeys(rungs)]

    def _ladder(self, queries: Any, truth: Any, k: int, n_workers: int) -> list[SearchSettings]:
        content = self._content
        if content.lists is None:
            return [{}]
        some = np.unique(np.linspace(0, len(queries) - 1, max(64, _PLACES // k)).astype(np.int64))
        slots = slots_of_truth(self._ids, truth[0][some, : min(k, content.n)])
        rungs = ladder(content, self._searcher, queries[some], slots, k, n_workers)
        return [{"nprobe": nprobe, "rerank": rerank} for nprobe, rerank in rungs]

    def _answer(self, queries: Any, k: int, settings: SearchSettings, n_workers: int) -> Hits:
        nprobe, rerank = (settings["nprobe"], settings["rerank"]) if settings else self._chosen(k, None)
        return self._plain_hits(self._searcher.answer(self._content, queries, k, nprobe, rerank, n_workers), k)

    def _take(self, settings: SearchSettings, k: int, target: float, recall: float) -> None:
        self.target_recall = target
        self._tuned = Chosen(**settings, k=k, n=self._content.n, n_lists=self._content.n_lists, recall=recall)

    def _grow(self, rows: Rows, ids: Any, n_workers: int, progress: bool) -> None:
        """Add rows; nothing of the index changes before all is done."""
        checked, dtype = self._admitted(rows, ids, self._settings.keep)
        if rows.n == 0:
            return
        with Workers(n_workers) as workers, progress_bar("adding", rows.n, progress) as advance:
            content = Growth(self._content, rows, dtype, self._settings, workers, advance).run()
        reranked = self._settings.keep is not None
        curve, n_lists = content.curve, content.n_lists
        if curve is None or curve.outdated(content.n) or curve.outdated(content.n, n_lists, content.n_lists_at_curve):
            measured = measured_curve(content, n_workers, reranked=reranked)
            if measured is not None:
                content = replace(content, curve=measured, n_lists_at_curve=n_lists)
        if not reranked and content.lists is not None:
            content = replace(content, kept=None)
        extended = self._ids.extended(checked, rows.n)
        self._content, self._ids = content, extended
        self._searcher = Searcher()  # what waits in the old one may not fit

    def check(self) -> None:
        """Walk every invariant: rows, lists that share the vectors, places and blocks, codes and centroids.

        Raises
        ------
        CorruptIndexError
            Naming the first one broken.
        """
        self._check(check_content)

    @property
    def n_lists(self) -> int:
        """Lists that the vectors are shared among; 0 while there are too few vectors."""
        return self._content.n_lists

    def settings(self, k: int = 10, target_recall: float | None = None) -> dict[str, int]:
        """Return the ``nprobe`` and ``rerank`` that :meth:`search` takes for a recall@k (default: that of the index).

        Examples
        --------
        >>> import numpy as np
        >>> index = IVF.build(np.random.default_rng(0).standard_normal((6000, 32)))
        >>> sorted(index.settings(k=10, target_recall=0.9))
        ['nprobe', 'rerank']
        """
        nprobe, rerank = self._chosen(as_count(k, "k"), target_recall)
        return {"nprobe": nprobe, "rerank": rerank}

    def by_list(self) -> NDArray[np.int64]:
        """Return all slots, those of one list after another, so that near vectors stand together."""
        lists = self._content.lists
        if lists is None:
            return np.arange(len(self))
        rows = lists.row_of[lists.listed].reshape(-1)
        return rows[rows >= 0].astype(np.int64)

    @property
    def target_recall(self) -> float:
        """Recall that the defaults of :meth:`search` are chosen for; saved with the index, and may be set.

        To set it ends what :meth:`tune` chose.
        """
        return self._settings.target_recall

    @target_recall.setter
    def target_recall(self, value: float) -> None:
        self._settings, self._tuned = replace(self._settings, target_recall=as_recall(value)), None

    @property
    def curve(self) -> NDArray[np.float64]:
        """What was measured at build, a copy: columns k, recall@k, cost by a model, nprobe, rerank; (0, 5) if nothing.

        For each k the settings worth taking, the cheapest first. A recall is the mean less its standard error.
        """
        curve = self._content.curve
        return np.zeros((0, 5)) if curve is None else curve.table.copy()

    def memory(self) -> dict[str, int]:
        """Return the bytes held, by part; mapped parts count, though they may not be in memory yet.

        "rows" (kept), "codes" (with their scales), "lists" (which row stands where), "centroids" (with the rotation),
        "ids" and "scratch" (of searches).
        """
        content = self._content
        parts = {"rows": 0 if content.kept is None else content.kept.nbytes(), "codes": 0, "lists": 0, "centroids": 0}
        if content.lists is not None:
            assert content.centroids is not None and content.trained is not None
            values, blocks = content.centroids.values, content.centroids.blocks
            parts |= content.lists.nbytes()
            parts["centroids"] = values.nbytes + blocks.codes.nbytes + 2 * blocks.addends.nbytes
            parts["centroids"] += content.trained.axes.rotation.nbytes
        return parts | {"ids": self._ids.nbytes(), "scratch": self._searcher.nbytes()}

    def _storage(self) -> str:
        content = self._content
        kept = "no rows kept" if content.kept is None else f"rows kept as {content.kept.name}"
        if content.lists is None:
            return f"{kept}, scanned until there are {FEWEST:,} to train codes on"
        assert content.trained is not None
        settings = ""
        if content.curve is not None:
            nprobe, rerank = self._chosen(10, None)
            settings = f", nprobe={nprobe} rerank={rerank}{self._aim(content.curve)}"
        return (
            f"n_lists={content.n_lists}{settings}, {self._settings.storage} codes of "
            f"{content.trained.axes.p} dimensions, {kept}"
        )

    def _aim(self, curve: Curve) -> str:
        """What the settings of searches are for, in words."""
        if self._tuned is not None and not self._tuned.outdated(self._content.n):
            return f" tuned for recall@{self._tuned.k} {min(self._tuned.recall, self.target_recall):.3g}"
        _, recall = curve.pick(10, self.target_recall)
        return f" for recall@10 {min(recall, self.target_recall):.3g}"

    def _parameters(self) -> dict[str, Any]:
        tuned = {} if self._tuned is None else {"tuned": asdict(self._tuned)}
        return {"lists": self._settings.as_dict(), **tuned, **stored.parameters_of(self._content)}

    def _counts(self) -> dict[str, int]:
        return stored.counts_of(self._content)

    def _sections(self) -> dict[str, NDArray[Any]]:
        return stored.sections_of(self._content)

    @classmethod
    def _restore(cls, file: File) -> IVF:
        dim, metric, ids = restore_shared(file)
        parameters = Parameters.checked(**file.parameters["lists"])
        index = cls(stored.restored_content(file, dim, metric, parameters), ids, parameters)
        if "tuned" in file.parameters:
            index._tuned = Chosen.restored(file.parameters["tuned"])
        return index
