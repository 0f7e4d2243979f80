"""Intrinsic dimension: in how many directions the data spread, around each row and on the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from vecrecall.analysis.estimating.jackknife import interval
from vecrecall.analysis.estimating.methods import METHODS, Estimates, Task, harmonic, mean, median, summary_of
from vecrecall.analysis.estimating.results import Dimension, Dimensions, Key
from vecrecall.analysis.neighbouring.compared import Doubles
from vecrecall.analysis.neighbouring.lists import Lists
from vecrecall.analysis.neighbours import Neighbours, neighbours_of
from vecrecall.analysis.pointwise import CONVENTIONS
from vecrecall.inputs import as_choice, as_count
from vecrecall.threads import n_threads

K = 100
_LEAST_K = 3  # two neighbours make one ratio
_CONVENTION = "levina-bickel"


@overload
def dimension(
    X: ArrayLike,
    method: Literal["mle", "mom", "twonn", "gride", "lpca"] = ...,
    *,
    k: int | None = ...,
    metric: str = ...,
    duplicates: str = ...,
    neighbours: Any = ...,
    exact: bool = ...,
    recall: float | None = ...,
    convention: str | None = ...,
    seed: int = ...,
    threads: int | None = ...,
    progress: bool = ...,
) -> Dimension: ...
@overload
def dimension(
    X: ArrayLike,
    method: str | Sequence[str] = ...,
    *,
    k: int | Sequence[int] | None = ...,
    metric: str = ...,
    duplicates: str = ...,
    neighbours: Any = ...,
    exact: bool = ...,
    recall: float | None = ...,
    convention: str | None = ...,
    seed: int = ...,
    threads: int | None = ...,
    progress: bool = ...,
) -> Dimension | Dimensions: ...
def dimension(
    X: ArrayLike,
    method: str | Sequence[str] = "mle",
    *,
    k: int | Sequence[int] | None = None,
    metric: str = "l2",
    duplicates: str = "merge",
    neighbours: Any = None,
    exact: bool = True,
    recall: float | None = None,
    convention: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Dimension | Dimensions:
    """Estimate intrinsic dimension from the nearest neighbours of each row.

    ======= ========================================== ============================ ==================================
    method  estimates                                  .value                       scikit-dimension 0.5
    ======= ========================================== ============================ ==================================
    mle     (k - 1) / sum of ln(r_k / r_j), j < k      harmonic mean over points    ``MLE().fit(X, n_neighbors=k)``
    mom     m / (r_k - m), m the mean of r_1 .. r_k    mean over points             ``MOM().fit(X, n_neighbors=k)``
    twonn   slope of a line, from all r_2 / r_1        that slope                   ``TwoNN()``
    gride   likelihood of all r_2n1 / r_n1             at n1 = 1; see ``.curve``    ``GRIDE(multiscale=True)``
    lpca    directions of the k neighbours' spread     mean over points             ``asPointwise(X, lPCA(), ...)``
    ======= ========================================== ============================ ==================================

    r_1 <= r_2 <= ... are the distances of a row to its nearest others. An estimate holds for its method, k and n only:
    of data of many dimensions all read too few, the more so the greater k is, and the fewer rows there are. "LID"
    mostly means ``.mean`` or ``.pointwise`` of mle.

    Parameters
    ----------
    X : array_like of real numbers, shape (n, dim)
        n may be 0. Compared in float64, as they were given.
    method : str or sequence of str, default "mle"
        Of the table, or "all". Several share one search for neighbours.
    k : int or sequence of int, optional
        Neighbours of each row, at least 3, for all methods but twonn; gride goes up to the greatest. Fewer where there
        are not so many: ``.k`` tells. Default 100.
    metric : {"l2", "cosine"}
        Cosine compares rows at length 1 by their chord, sqrt(2 - 2 cos). On 1 - cos, half the squared chord, estimates
        would be half as large. Inner products are no distances, and refused.
    duplicates : {"merge", "drop", "keep", "error"}, default "merge"
        Equal rows, under cosine those of one direction (but for rounding), are at distance 0, of which there
        is no logarithm. Merge: they count as one row, each has its value. Drop: each row keeps its neighbours at other
        places, which may be several at one place. Keep: distances of 0 count, and leave mle undefined. Error: refuse.
    neighbours : Hits, (ids, distances), or sparse graph, optional
        Neighbours of the rows among each other that were found elsewhere, a list for each row: as `vecrecall.Hits` of
        all rows, two arrays of shape (n, w), or the graph of `vecrecall.knn_graph`. Ids number rows from 0; -1 is a
        missing place. A row in its own list is passed over. Form and range are checked, distances are computed anew
        (most have to agree with those given, which are as in `Hits`), and some rows are searched exactly.
    exact : bool, default True
        Compare every row with every other; False takes `vecrecall.knn_graph`, whose distances are float32, and measures
        its error on 500 rows.
    recall : float, optional
        Share of the neighbours to find, beside ``exact=False``. Default 0.99.
    convention : {"levina-bickel", "unbiased", "amsaleg"}, optional
        Numerator of mle: k - 1 (default), k - 2, or k; with the last, ``.value`` is the mean.
    seed : int, default 0
        Of the approximate search, and of the rows that measure one.
    threads : int, optional
        Default all the process may use. Results do not depend on it.
    progress : bool, default False
        Whether to show bars for what takes long, on a terminal only.

    Returns
    -------
    Dimension or Dimensions
        One method at one k; or of several a mapping by method, or by (method, k) where several k were asked for (of
        twonn and gride by method).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as stated or is of no use beside the others; X holds NaN or infinity; for "error", naming
        two equal rows; for given neighbours that are of other rows.

    Warns
    -----
    UserWarning
        Once, with their count, if rows are zero under cosine: they have no direction, so they are left out, and NaN.

    Notes
    -----
    What says nothing is NaN, is left out of all figures, and counts in ``.n_undefined``: rows with fewer than three
    neighbours, and those whose neighbours are all as far. No estimate is 0 or infinite.

    Rows that nearly repeat others are no duplicates, but have a neighbour much nearer than the rest: where the curve of
    gride rises from n1 = 1, there are many.

    The 95 % interval is that of the figure over sets of n rows like this one; how far it is from the true dimension, it
    does not say. It leaves each row out in turn, which errs to the wide side; for lpca it takes points as independent,
    which errs to the narrow one. The standard errors on the curve are those of the paper, which takes ratios as
    independent.

    Memory: 16 n k bytes for the lists; a copy of the rows in the narrowest dtype that holds them, n * dim * (1, 2 or 4)
    bytes, where they are not float32 already or some are merged; 65 MB a thread. An approximate search builds an index
    (`vecrecall.IVF`). Nothing has n * n elements.

    References
    ----------
    Levina & Bickel (2005), "Maximum likelihood estimation of intrinsic dimension", NIPS 17 (2004). MacKay & Ghahramani
    (2005), comments on it. Amsaleg et al. (2015), "Estimating local intrinsic dimensionality", KDD; (2018),
    "Extreme-value-theoretic estimation of local intrinsic dimensionality", DMKD 32. Facco et al. (2017), "Estimating
    the intrinsic dimension of datasets by a minimal neighborhood information", Scientific Reports 7. Denti et al.
    (2022), "The generalized ratios intrinsic dimension estimator", Scientific Reports 12. Fukunaga & Olsen (1971), "An
    algorithm for finding intrinsic dimensionality of data", IEEE Transactions on Computers C-20.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((2000, 3)) @ np.random.default_rng(1).normal(size=(3, 8))
    >>> found = dimension(X, k=20)
    >>> round(found.value, 1), found.k, found.pointwise.shape
    (2.9, 20, (2000,))
    >>> several = dimension(X, ["mle", "gride"], k=20)
    >>> [scale.n1 for scale in several["gride"].curve]
    [1, 2, 4, 8]
    """
    names, many = _methods(method)
    ks, many_k = _neighbour_counts(k, names)
    if convention is not None:
        as_choice(convention, "convention", tuple(CONVENTIONS))
        if "mle" not in names:
            raise ValueError(f"convention is {convention!r}, which only method 'mle' takes; leave it out")
    found = neighbours_of(
        X, max(ks) + 1, metric=metric, duplicates=duplicates, given=neighbours, exact=exact, recall=recall, seed=seed,
        threads=threads, progress=progress,
    )  # fmt: skip
    convention, workers = convention or _CONVENTION, n_threads(threads)
    by_key: dict[Key, Dimension] = {}
    for name in names:
        for_each_k = METHODS[name].pointwise
        for each in ks if for_each_k else ks[-1:]:
            task = Task(found.points, min(each, found.k), convention, workers, progress)
            by_key[(name, each) if many_k and for_each_k else name] = _dimension(name, task, found, duplicates)
    return Dimensions(by_key) if many or (many_k and METHODS[names[0]].pointwise) else next(iter(by_key.values()))


def _methods(method: Any) -> tuple[list[str], bool]:
    """(names, whether several were asked for)."""
    if isinstance(method, str):
        as_choice(method, "method", (*METHODS, "all"))
        return (list(METHODS), True) if method == "all" else ([method], False)
    names = list(dict.fromkeys(as_choice(name, "method", tuple(METHODS)) for name in method))
    if not names:
        raise ValueError(f"method is empty, expected some of {', '.join(map(repr, METHODS))}")
    return names, True


def _neighbour_counts(k: Any, names: list[str]) -> tuple[list[int], bool]:
    """(numbers of neighbours, ascending; whether several were asked for)."""
    if k is not None and not any(METHODS[name].takes_k for name in names):
        raise ValueError(f"k is {k!r}, but method 'twonn' always takes 2 neighbours; leave it out")
    several = np.ndim(k) > 0
    ks = sorted({as_count(each, "k", least=_LEAST_K) for each in (k if several else [K if k is None else k])})
    if not ks:
        raise ValueError("k is empty, expected numbers of neighbours such as (20, 100)")
    return ks, several


def _dimension(name: str, task: Task, found: Neighbours, duplicates: str) -> Dimension:
    """What a method says of the neighbours that were found."""
    method = METHODS[name]
    lists = Lists(found.ids, found.distances)
    estimates = method.estimate(lists, task)
    pointwise = found.by_row(estimates.by_point)
    figures = (mean, harmonic, median) if method.pointwise else ()
    error, pointwise_error = _errors(name, task, found, estimates)
    return Dimension(
        method=name,
        convention=task.convention if name == "mle" else None,
        value=estimates.value,
        summary=summary_of(name, task.convention),
        interval=interval(estimates.value, method.error(lists, task, estimates)),
        **dict(zip(("mean", "harmonic", "median"), [of(estimates.by_point) for of in figures] or 3 * [float("nan")])),
        pointwise=pointwise if method.pointwise else None,
        curve=estimates.curve,
        k=estimates.k,
        n=found.n,
        n_duplicates=found.n_duplicates,
        n_undefined=int(np.isnan(pointwise).sum()),
        metric=found.points.metric,
        duplicates=duplicates,
        neighbours=found.source,
        recall=found.sample.recall if found.sample else None,
        error=error,
        pointwise_error=pointwise_error,
    )


def _errors(name: str, task: Task, found: Neighbours, estimates: Estimates) -> tuple[float | None, float | None]:
    """(how much too large the value is, how far pointwise values are off), relative, on rows with exact neighbours."""
    if found.sample is None:
        return None, None
    places = found.sample.places
    estimate = METHODS[name].estimate
    true = estimate(Lists(found.sample.ids, found.sample.distances), task)
    own = estimate(Lists(found.ids, found.distances).take(places), task)
    error = own.value / true.value - 1
    if not METHODS[name].pointwise:
        return error, None
    return error, _median_off(own.by_point, true.by_point)


def _median_off(values: Doubles, true: Doubles) -> float:
    return median(np.abs(values / true - 1))
