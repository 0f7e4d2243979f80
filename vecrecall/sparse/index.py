"""The public class of the sparse inverted file."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from vecrecall.csr import Csr, as_csr, as_sparse_queries
from vecrecall.curve import Curve, refuse_beside, warn_of_missed_target
from vecrecall.errors import CorruptIndexError
from vecrecall.file import File
from vecrecall.hits import Hits
from vecrecall.ids import Ids
from vecrecall.index import Index, restore_shared
from vecrecall.inputs import as_count, as_flag, as_recall
from vecrecall.progress import progress_bar
from vecrecall.sections import restored_curve
from vecrecall.sparse import stored
from vecrecall.sparse.calibration import LADDER, NAMES, measured_curve
from vecrecall.sparse.check import check_content
from vecrecall.sparse.content import MOST, Content
from vecrecall.sparse.parameters import DEFAULTS, Parameters, Settings
from vecrecall.sparse.searcher import Searcher
from vecrecall.threads import Workers, n_threads
from vecrecall.tuning import SearchSettings, Tunable

_CSR = (sp.csr_matrix, sp.csr_array)
_INT32, _FLOAT32 = np.dtype(np.int32), np.dtype(np.float32)


class SparseIndex(Index, Tunable):
    """Inverted file over sparse vectors, learned (SPLADE) or lexical (BM25), ranked by inner product.

    Posting lists hold 8-bit impacts, the greatest first. A search adds the prefixes that matter into accumulators, and
    scores the documents that reach a share of the k-th greatest sum by the forward rows; or, with ``exact=True``, all
    that upper bounds cannot exclude, so that the answer is the true one.

    Made by :meth:`build`, or by ``vecrecall.load``. Searches may run in any number of threads at once, also while the
    index changes: each answers for the moment it began.

    References
    ----------
    Bruch, Nardini, Rulli & Venturini (2024), "Efficient inverted indexes for approximate retrieval over learned sparse
    representations" (Seismic), SIGIR: pruned lists, blocks, summaries, ``query_cut`` and ``heap_factor``. Anh & Moffat
    (2006), "Pruned query evaluation using pre-computed impacts", SIGIR: lists in the order of quantised impacts.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> import vecrecall as vr
    >>> docs = sp.csr_array([[0.0, 1.5, 0.5], [2.0, 0.0, 0.0], [0.5, 1.0, 0.0]])
    >>> index = vr.SparseIndex.build(docs)
    >>> hits = index.search({1: 2.0, 0: 1.0}, k=2)
    >>> hits.ids, hits.scores
    (array([0, 2]), array([3. , 2.5], dtype=float32))
    """

    kind = "sparse"

    def __init__(self, content: Content, ids: Ids, parameters: Parameters) -> None:
        super().__init__(content.dim, "ip", ids)
        self._parameters_given = parameters
        self._searcher = Searcher(content, ids)
        self._curve: Curve | None = None
        self._defaults = DEFAULTS  # of searches; `tune` chooses others

    @classmethod
    def build(
        cls,
        D: Any,
        *,
        ids: Any = None,
        layout: str | None = None,
        n_postings: int | None = None,
        alpha: float = 1.0,
        block_size: int | None = None,
        summary_energy: float | None = None,
        keep: str = "f24",
        k: int = 10,
        seed: int = 0,
        threads: int | None = None,
        progress: bool = False,
    ) -> SparseIndex:
        """Build an index.

        Parameters
        ----------
        D : scipy sparse matrix or array of real numbers, shape (n, columns)
            Of any format and dtype, with up to 2**31 columns; weights may be negative. See the notes for what is put
            right. Not kept: what is needed is copied.
        ids : sequence of int or str, optional
            Unique; default 0..n-1.
        layout : {None, "impact", "blocked"}
            "impact": lists of single documents. "blocked": documents that share their heaviest terms become
            neighbours, and lists hold blocks of them, by the greatest weights of each block. Default: the faster one
            for the number of documents and k, "blocked" from 300,000 times the root of k on.
        n_postings : int, optional
            Longest posting list kept: the heaviest postings stay. Default: all.
        alpha : float, default 1.0
            Posting lists hold the heaviest entries of a document, up to this share of the sum of its weights. Below 1
            lists are shorter, and exact search has looser bounds.
        block_size : int, default 4
            Documents in a block, of layout "blocked".
        summary_energy : float, default 1.0
            The same as alpha of a block's greatest weights, of layout "blocked".
        keep : {"f24", "f32"}
            Weights as codes of 8 bits and residuals of 16: scores are then those of float32 weights to 1e-6 (relative
            to the sum of the absolute products). Weights below 2**-23 of the greatest of their row (2**-14 where any
            weight is negative) are known to 2**-39 (2**-30) of it; documents that are merged with others of another
            kind (signed or not, equal or not) are rounded again. Or as float32: scores are exact, for two bytes more
            an entry.
        k : int, default 10
            Answers that most searches will ask for, which the layout is chosen for; any k may be asked for.
        seed : int, default 0
            Of the queries that the curve of recall is measured with; nothing of a build is random.
        threads : int, optional
            Default: all that the process may use. The result is the same for any number.
        progress : bool, default False
            Show a progress bar on a terminal.

        Returns
        -------
        SparseIndex

        Raises
        ------
        ValueError, TypeError
            Input or parameters that are refused, saying why; nothing is built.

        Notes
        -----
        ============================================ =========================================================
        of D                                         what happens
        ============================================ =========================================================
        columns unsorted, or twice in a row          sorted; their values are added
        explicit zeros                               dropped
        rows without entries                         kept; they are no answer to any query
        bool, integers, float16, float64             rounded to float32
        all weights equal                            no weights are stored
        negative weights                             accepted, in queries too
        NaN, infinity, beyond float32                `ValueError` naming row and column
        dense, complex or object matrices            `TypeError`
        ============================================ =========================================================

        Memory: about 8 bytes an entry (5 of them in the file: posting lists are made when it is loaded), 12 a document,
        and 8 for each column and 32,768 documents. A build needs about 25 bytes an entry more while it runs.
        """
        n_workers = n_threads(threads)
        csr = as_csr(D)
        parameters = Parameters.checked(
            layout=layout, n_postings=n_postings, alpha=alpha, block_size=block_size, summary_energy=summary_energy,
            keep=keep, seed=seed, k=k,
        )  # fmt: skip
        index = cls(Content((), csr.dim), Ids(), parameters)
        index._grow(csr, ids, n_workers, progress)
        return index

    def add(self, D: Any, ids: Any = None, *, threads: int | None = None, progress: bool = False) -> None:
        """Add documents; all of them or, when this raises, none.

        Parameters
        ----------
        D : scipy sparse matrix, shape (m, columns)
        ids : sequence, optional
            Of the kind the index has: none where it numbers documents itself, else new and unique ones.
        threads, progress :
            As for :meth:`build`.

        Notes
        -----
        New documents become a segment of their own, and segments are merged when the last has grown to half the length
        of the one before: an add costs what it adds, and now and then a merge. :meth:`compact` leaves one segment.
        """
        n_workers = n_threads(threads)
        csr = as_csr(D, dim=self._dim)
        with self._lock.alone:
            self._grow(csr, ids, n_workers, progress)

    def _grow(self, csr: Csr, ids: Any, n_workers: int, progress: bool) -> None:
        """Add rows; nothing of the index changes before all is done."""
        checked = self._ids.checked(ids, csr.n)
        if self._ids.n + csr.n >= MOST:
            raise ValueError(f"{self._ids.n + csr.n} documents, expected fewer than 2**31; use several indexes")
        with Workers(n_workers) as workers, progress_bar("adding", csr.n, progress) as advance:
            content = self._content.extended(csr, self._parameters_given, workers)
            advance(csr.n)
        self._change(content, self._ids.extended(checked, csr.n))

    def _change(self, content: Content, ids: Ids) -> None:
        """Take another content. Searches look at the searcher only, which is set last and at once."""
        searcher = Searcher(content, ids)
        self._ids, self._searcher = ids, searcher

    @property
    def _content(self) -> Content:
        return self._searcher.content

    def delete(self, ids: Any) -> None:
        """Delete documents: searches no longer find them, and their ids may be given again.

        Their memory stays in use until :meth:`compact`; a search passes over them at a small cost.

        Parameters
        ----------
        ids : sequence of int or str

        Raises
        ------
        KeyError
            Naming the first id that is not in the index; nothing is deleted.

        Examples
        --------
        >>> index = SparseIndex.build(sp.eye_array(3).tocsr())
        >>> index.delete([1])
        >>> index.search({1: 1.0}, k=1).counts, len(index)
        (0, 2)
        """
        with self._lock.alone:
            slots = np.unique(self._ids.slots(ids))
            if len(slots):
                self._change(self._content.without(slots), self._ids.without(slots))

    def compact(self, *, threads: int | None = None) -> None:
        """Merge all segments into one, without the documents that were deleted; the memory they used is given back.

        The index is then byte for byte what :meth:`build` makes of the remaining documents, if all were added with
        weights of one kind (with or without signs, equal or not). Numbering of documents goes on where it was.
        """
        n_workers = n_threads(threads)
        with self._lock.alone:
            if len(self._content.segments) <= 1 and self._ids.n == self._ids.n_living:
                return
            with Workers(n_workers) as workers:
                content = self._content.compacted(self._parameters_given, workers)
            ids = self._ids if self._ids.n == self._ids.n_living else self._ids.living()
            self._change(content, ids)

    def search(
        self,
        Q: Any,
        k: int = 10,
        *,
        query_cut: int | None = None,
        heap_factor: float | None = None,
        impact_cut: float | None = None,
        exact: bool = False,
        target_recall: float | None = None,
        threads: int | None = None,
    ) -> Hits:
        """Find the k documents of greatest inner product with each query.

        The defaults of the first three settings are those below, until :meth:`tune` chooses others.

        Parameters
        ----------
        Q : scipy sparse matrix, shape (q, columns); or one query
            One query is a sparse array of shape (columns,), ``{column: weight}``, or ``(columns, weights)``. What holds
            of documents (see :meth:`build`) holds of queries.
        k : int, default 10
        query_cut : int, optional
            Posting lists that candidates are looked for in: those that can contribute most. All terms count in the
            scores. Default: 32.
        heap_factor : float, optional
            A candidate is scored if its partial sum reaches this share of the k-th greatest. Default: 0.9.
        impact_cut : float, optional
            Postings that contribute less than this share of the greatest possible contribution are passed over while
            candidates are looked for: this share for a term that one document in a hundred has, more for frequent terms
            and less for rare ones. Default: 0.06.
        exact : bool, default False
            Give the k best for certain, equal scores by insertion. Not beside the three above.
        target_recall : float, optional
            Recall@k for which the three are taken from the index's own curve; not beside any of them, nor beside exact.
            The first such search measures the curve, on queries made of its documents against exact search; so does one
            after the index has doubled.
        threads : int, optional
            Threads over the queries of a batch. Default: all that the process may use.

        Returns
        -------
        Hits
            Shapes (k,) for one query, (q, k) for a matrix, one row for each of its rows. ``scores`` are inner products
            as precise as the index keeps weights. Answers are documents that share a column with the query, so there
            may be fewer than k. ``evals`` counts the documents that were fully scored.

        Raises
        ------
        ValueError, TypeError
            For queries with other columns, NaN or infinity, for settings out of range, and for a target_recall beside
            what it chooses.

        Warns
        -----
        UserWarning
            If no settings reached the target on the queries it was measured on; the best are taken.
        """
        k, exact = as_count(k, "k"), as_flag(exact, "exact")
        if target_recall is not None:
            refuse_beside(
                target_recall, query_cut=query_cut, heap_factor=heap_factor, impact_cut=impact_cut, exact=exact or None
            )
            settings = self._chosen(k, as_recall(target_recall), n_threads(threads))
        elif query_cut is None and heap_factor is None and impact_cut is None:
            settings = self._defaults
        else:
            _refuse_settings_beside_exact(exact, query_cut, heap_factor, impact_cut)
            settings = Settings.checked(query_cut, heap_factor, impact_cut, self._defaults)
        searcher = self._searcher
        usual = threads is None or (type(threads) is int and threads > 0)  # one query is answered by one thread anyway
        if usual and searcher.n_living > 0 and type(Q) in _CSR and _is_one_row(Q, self._dim):
            ids, distances, evals = searcher.answer_one(Q.indices, Q.data, k, settings, exact)
            if evals[0] >= 0:  # else it is not in order
                return Hits(ids, distances, evals, "ip")
        queries, single = as_sparse_queries(Q, self._dim)
        n_workers = 1 if queries.n == 1 and threads is None else n_threads(threads)
        if single:
            ids, distances, evals = searcher.answer_one(queries.columns, queries.values, k, settings, exact)
            return Hits(ids[0], distances[0], int(evals[0]), "ip")
        return Hits(*searcher.answer(queries, k, settings, exact, n_workers), "ip")

    def _chosen(self, k: int, target: float, n_workers: int) -> Settings:
        """Settings for a recall@k; measures the curve if there is none of this size."""
        searcher, curve = self._searcher, self._curve
        if curve is None or curve.outdated(searcher.content.n):
            curve = self._curve = measured_curve(searcher, self._parameters_given.seed, n_workers)
        if curve is None:  # nothing to find
            return DEFAULTS
        setting, recall = curve.pick(k, target)
        warn_of_missed_target(target, recall, "settings")
        return LADDER[min(setting["step"], len(LADDER)) - 1]

    def settings(self, k: int = 10, target_recall: float | None = None) -> dict[str, float]:
        """Return the ``query_cut``, ``heap_factor`` and ``impact_cut`` of :meth:`search`, by default or for a recall.

        Examples
        --------
        >>> SparseIndex.build(sp.eye_array(3).tocsr()).settings()
        {'query_cut': 32, 'heap_factor': 0.9, 'impact_cut': 0.06}
        """
        if target_recall is None:
            return self._defaults._asdict()
        return self._chosen(as_count(k, "k"), as_recall(target_recall), n_threads(None))._asdict()

    def _checked_queries(self, Q: Any) -> tuple[Csr, int]:
        queries, _ = as_sparse_queries(Q, self._dim)
        return queries, queries.n

    def _exact_answer(self, queries: Csr, k: int, n_workers: int) -> Hits:
        return Hits(*self._searcher.answer(queries, k, DEFAULTS, True, n_workers), "ip")

    def _exact_distances(self) -> bool:
        return True

    def _grid(self, k: int) -> list[SearchSettings]:
        return [step._asdict() for step in LADDER]

    def _ladder(self, queries: Csr, truth: Any, k: int, n_workers: int) -> list[SearchSettings]:
        return self._grid(k)

    def _answer(self, queries: Csr, k: int, settings: SearchSettings, n_workers: int) -> Hits:
        return Hits(*self._searcher.answer(queries, k, Settings(**settings), False, n_workers), "ip")

    def _take(self, settings: SearchSettings, k: int, target: float, recall: float) -> None:
        self._defaults = Settings(**settings)

    def check(self) -> None:
        """Walk every invariant: rows, posting lists that hold them, impacts that bound their weights, segments.

        Raises
        ------
        CorruptIndexError
            Naming the first one broken.
        """
        with self._lock.shared:
            self._ids.check()
            check_content(self._content, self._parameters_given)
            dead = np.flatnonzero(self._ids.dead)
            if self._ids.n != self._content.n or not np.array_equal(dead, self._content.dead_slots()):
                raise CorruptIndexError("ids and segments do not have the same slots, or not the same dead ones")

    @property
    def layout(self) -> str:
        """The layout of the posting lists, "impact" or "blocked": as given, or that of the largest segment."""
        block = max(((segment.n, segment.block) for segment in self._content.segments), default=(0, 1))[1]
        return self._parameters_given.layout or ("blocked" if block > 1 else "impact")

    @property
    def n_segments(self) -> int:
        """Segments that a search goes through."""
        return len(self._content.segments)

    @property
    def nnz(self) -> int:
        """Entries of all documents, those deleted but not yet compacted included."""
        return sum(segment.rows.nnz for segment in self._content.segments)

    def memory(self) -> dict[str, int]:
        """Return the bytes held, by part; mapped parts count, though they may not be in memory yet.

        "rows" (forward), "postings", "ids" and "scratch" (of searches).
        """
        segments = self._content.segments
        return {
            "rows": sum(segment.rows.nbytes() for segment in segments),
            "postings": sum(segment.postings.nbytes() for segment in segments),
            "ids": self._ids.nbytes(),
            "scratch": self._searcher.nbytes(),
        }

    def _storage(self) -> str:
        segments = self._content.segments
        kept = f"weights kept as {self._parameters_given.keep}"
        if segments and not any(segment.rows.coded for segment in segments):
            kept = "equal weights"
        count = f", {len(segments)} segments" if len(segments) > 1 else ""
        deleted = self._ids.n - self._ids.n_living
        dead = f", {deleted:,} deleted" if deleted else ""
        tuned = "" if self._defaults == DEFAULTS else f", tuned to {_in_words(self._defaults)}"
        return f"layout {self.layout}, {self.nnz:,} entries, {kept}{count}{dead}{tuned}"

    def _parameters(self) -> dict[str, Any]:
        measured: dict[str, Any] = {} if self._curve is None else {"n_at_curve": self._curve.n}
        if self._defaults != DEFAULTS:
            measured["search"] = self._defaults._asdict()
        return {"sparse": self._parameters_given.as_dict(), **stored.parameters_of(self._content), **measured}

    def _counts(self) -> dict[str, int]:
        return {"segments": self.n_segments}

    def _sections(self) -> dict[str, NDArray[Any]]:
        measured = {} if self._curve is None else {"curve": self._curve.table}
        return stored.sections_of(self._content) | measured

    @classmethod
    def _restore(cls, file: File) -> SparseIndex:
        dim, _, ids = restore_shared(file)
        parameters = Parameters.restored(file.parameters["sparse"])
        content = stored.restored_content(file, dim, parameters)
        index = cls(content, ids.without(content.dead_slots()), parameters)
        index._curve = restored_curve(file, NAMES)
        if "search" in file.parameters:
            index._defaults = Settings.restored(file.parameters["search"])
        return index


def _in_words(settings: Settings) -> str:
    return " ".join(f"{name}={value:g}" for name, value in settings._asdict().items())


def _is_one_row(Q: Any, dim: int) -> bool:
    """Whether a CSR matrix is one row of arrays of the types that the kernel is compiled for."""
    columns, values, ends = Q.indices, Q.data, Q.indptr
    return (
        Q.shape == (1, dim) and values.dtype is _FLOAT32 and columns.dtype is _INT32
        and values.flags.carray and columns.flags.carray
        and ends.item(0) == 0 and ends.item(1) == values.size == columns.size
    )  # fmt: skip


def _refuse_settings_beside_exact(exact: bool, query_cut: Any, heap_factor: Any, impact_cut: Any) -> None:
    if exact:
        given = {"query_cut": query_cut, "heap_factor": heap_factor, "impact_cut": impact_cut}
        what = ", ".join(f"{name}={value}" for name, value in given.items() if value is not None)
        raise ValueError(f"exact=True was given with {what}, which only approximate search has; leave one out")
