"""Settings for a recall on the user's own queries: the verb `tune` of the approximate engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.hits import Hits
from vecrecall.ids import Ids
from vecrecall.inputs import as_count, as_recall, as_seed, warn_user
from vecrecall.intervals import as_level, bootstrap
from vecrecall.matching import as_truth, refuse_beaten, shares_found
from vecrecall.threads import n_threads

SearchSettings = dict[str, Any]  # such as {"ef": 40}


@dataclass(frozen=True)
class Tuned:
    """What `tune` chose and how sure it is; the index searches with these settings from then on.

    Attributes
    ----------
    settings : dict
        Such as ``{"ef": 40}``; empty where every search compares all rows, so that there is nothing to choose.
    recall : float
        Mean recall@k over the queries.
    low, high : float
        Ends of the bootstrap interval of that mean, which allows for a query that none of those asked is like.
    level : float
        Of the interval.
    k, n_queries : int
    target : float
    by : {"distance", "id"}
        How answers were compared with the truth, see :func:`vecrecall.recall`.
    """

    settings: SearchSettings
    recall: float
    low: float
    high: float
    level: float
    k: int
    n_queries: int
    target: float
    by: str

    @property
    def reached(self) -> bool:
        """Whether the mean reaches the target."""
        return self.recall >= self.target

    @property
    def sure(self) -> bool:
        """Whether the whole interval does."""
        return self.low >= self.target

    def __repr__(self) -> str:
        what = in_words(self.settings) or "nothing to choose"
        verdict = "reached"
        if not self.reached:
            verdict = "not reached" + (", but inside the interval" if self.high >= self.target else "")
        elif not self.sure:
            verdict = "reached, but inside the interval: more queries would tell"
        return (
            f"Tuned: {what}, recall@{self.k} {self.recall:.4f} ({100 * self.level:g} % interval {self.low:.4f} "
            f"to {self.high:.4f}, {self.n_queries:,} queries), target {self.target:g} {verdict}"
        )


def in_words(settings: SearchSettings) -> str:
    """Return settings as one would type them.

    Examples
    --------
    >>> in_words({"query_cut": 1_234_567, "heap_factor": 0.90})
    'query_cut=1234567 heap_factor=0.9'
    """
    return " ".join(f"{name}={number(value)}" for name, value in settings.items())


def number(value: float) -> str:
    """Return the value of a setting in full: ``:g`` alone would round whole numbers of seven digits."""
    return str(value) if isinstance(value, int) else f"{value:g}"


class Tunable:
    """The verb `tune`, and what an engine has to say for it and for :func:`vecrecall.sweep`.

    Queries are in the engine's own form, as `_checked_queries` returns them; answers hold outer ids.
    """

    _lock: Any
    _ids: Ids

    def __len__(self) -> int:
        raise NotImplementedError

    def tune(
        self,
        Q: Any,
        target_recall: float = 0.95,
        *,
        k: int = 10,
        truth: Any = None,
        level: float = 0.95,
        threads: int | None = None,
        seed: int = 0,
    ) -> Tuned:
        """Choose the settings of search by recall on your own queries, and keep them as the defaults of the index.

        ``target_recall`` of `build` and `search` goes by queries that the index makes of its own rows; this goes by
        yours, which may be harder. The settings are saved with the index.

        Parameters
        ----------
        Q : as for :meth:`search`
            Queries that the index does not hold: real ones, or rows that were held out. Some hundred at least; the
            interval of the result says whether they are enough.
        target_recall : float, default 0.95
            Mean recall@k, above 0 and at most 1.
        k : int, default 10
            Answers that searches will ask for.
        truth : Hits, or (ids, distances), or ids alone, shape (q, at least k), optional
            From exact search over the rows of this index, nearest first. Default: computed, from the rows that the
            index keeps. Answers are compared by distance, or by id where the truth has no distances or the index
            keeps no rows; by id, all that it names have to be in the index.
        level : float in (0, 1), default 0.95
            Of the bootstrap interval of the recall.
        threads : int, optional
            Default: all that the process may use. The result is the same for any number.
        seed : int, default 0
            Of the bootstrap.

        Returns
        -------
        Tuned
            Settings, recall and its interval; ``reached`` and ``sure`` tell whether the mean and the whole interval
            reach the target.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as stated, the index is empty, the truth is of other rows, or there is neither a truth
            nor kept rows to compute it from; the index stays as it was.

        Warns
        -----
        UserWarning
            If no setting that was tried reached the target; the best is kept.

        Notes
        -----
        The settings tried are those of the index's own curve, in the order of its cost. Recall is taken to rise along
        them, so halves are searched: the one chosen reaches the target, and the next cheaper one does not. Adds wait
        meanwhile.

        References
        ----------
        Rubin (1981), The Bayesian Bootstrap, and Gaffke (2005): intervals, as ``docs/measuring.md`` has them.
        """
        target, k, level, seed = as_recall(target_recall), as_count(k, "k"), as_level(level), as_seed(seed)
        n_workers = n_threads(threads)
        queries, n_queries = self._checked_queries(Q)
        if n_queries == 0 or len(self) == 0:
            raise ValueError(
                f"there are {n_queries} queries and {len(self)} vectors in the index, expected some of both; "
                "give queries, and add vectors first"
            )
        with self._lock.shared:
            known, by = self._truth_of(queries, n_queries, truth, k, n_workers)
            ladder = self._ladder(queries, known, k, n_workers)
            settings, shares = self._climb(ladder, queries, known, k, by, target, n_workers)
            recall = float(shares.mean())
            if settings:
                self._take(settings, k, target, recall)
        low, high = bootstrap(shares, level, seed=seed)
        tuned = Tuned(settings, recall, low, high, level, k, n_queries, target, by)
        if not tuned.reached:
            warn_user(
                f"target_recall={target} was not reached by any settings that were tried on the queries given; the "
                f"best had {recall:.3f} and are kept; ask for a recall that is reached, or build with kept rows, more "
                "links or wider codes"
            )
        return tuned

    def _climb(
        self, ladder: list[SearchSettings], queries: Any, known: Any, k: int, by: str, target: float, n_workers: int
    ) -> tuple[SearchSettings, NDArray[np.float64]]:
        """(settings, recall of each query): the cheapest that reach a target, or else the best that were tried."""
        tried: dict[int, NDArray[np.float64]] = {}
        low, high = 0, len(ladder)  # the first that suffices is one of them; the last stands for none
        while low < high:
            at = (low + high) // 2
            hits = self._answer(queries, k, ladder[at], n_workers)
            if by == "distance":
                refuse_beaten(hits.distances, known[1])
            tried[at] = shares_found(hits, known, k=k, by=by)
            low, high = (low, at) if tried[at].mean() >= target else (at + 1, high)
        best = low if low < len(ladder) else max(tried, key=lambda at: (tried[at].mean(), -at))
        return ladder[best], tried[best]

    def _truth_of(
        self, queries: Any, n_queries: int, truth: Any, k: int, n_workers: int
    ) -> tuple[tuple[Any, Any], str]:
        """((ids, distances), "distance" or "id"): what was given, or what exact search finds."""
        if truth is None:
            truth = self._exact_answer(queries, k, n_workers)
            if truth is None:
                raise ValueError(
                    "no rows are kept to measure recall by; give truth from exact search over the rows of the index, "
                    "or build with keep='auto'"
                )
            return as_truth(truth, n_queries, k, by_distance=self._exact_distances())
        known, by = as_truth(truth, n_queries, k, by_distance=self._exact_distances())
        refuse_other_ids(self._ids, known[0], by)
        return known, by

    def _checked_queries(self, Q: Any) -> tuple[Any, int]:
        """Queries as the engine takes them, always a batch, and how many there are."""
        raise NotImplementedError

    def _exact_answer(self, queries: Any, k: int, n_workers: int) -> Hits | None:
        """The true answers among the rows of the index; None where it keeps none."""
        raise NotImplementedError

    def _exact_distances(self) -> bool:
        """Whether distances of answers are those of the rows, and not of codes."""
        raise NotImplementedError

    def _grid(self, k: int) -> list[SearchSettings]:
        """Settings worth a look, the cheapest first."""
        raise NotImplementedError

    def _ladder(self, queries: Any, truth: Any, k: int, n_workers: int) -> list[SearchSettings]:
        """Settings by what they cost on queries whose truth is known; [{}] where all rows are compared."""
        raise NotImplementedError

    def _answer(self, queries: Any, k: int, settings: SearchSettings, n_workers: int) -> Hits:
        """The answers with some settings."""
        raise NotImplementedError

    def _take(self, settings: SearchSettings, k: int, target: float, recall: float) -> None:
        """Make settings the defaults of search, which were chosen for a target recall@k and had that recall."""
        raise NotImplementedError


def refuse_other_ids(ids: Ids, named: NDArray[Any], by: str) -> None:
    """Refuse a truth that was given to compare answers with by id, and names ids that the index does not hold.

    It would make all answers wrong; by distance, ids do not count.
    """
    if by == "id":
        slots_of_truth(ids, named)


def slots_of_truth(ids: Ids, named: NDArray[Any]) -> NDArray[np.int64]:
    """Return the slots of true neighbours (q, k) by outer id, -1 where one is missing."""
    flat = named.reshape(-1)
    present = np.array([name is not None and name != -1 for name in flat.tolist()], bool)
    if not present.any():
        raise ValueError("truth names no neighbour at all; give the exact answers among the rows of the index")
    slots = np.full(len(flat), -1)
    try:
        slots[present] = ids.slots(flat[present])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"truth names an id that the index does not hold ({error.args[0]}); give the exact answers among its rows"
        ) from None
    return slots.reshape(named.shape)
