"""The estimators by name: what each makes of lists of neighbours, and how sure its figure is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from vecrecall.analysis.estimating.jackknife import (
    error_of_gride,
    error_of_mean,
    error_of_pointwise,
    error_of_twonn,
    on_harmonic,
    on_mean,
    without_mle,
    without_mom,
)
from vecrecall.analysis.gride import Scale, gride
from vecrecall.analysis.local_pca import local_pca
from vecrecall.analysis.neighbouring.compared import Compared, Doubles
from vecrecall.analysis.neighbouring.lists import Lists
from vecrecall.analysis.pointwise import mle, mom
from vecrecall.analysis.twonn import log_ratios, twonn


@dataclass(frozen=True, eq=False)
class Estimates:
    """What one method makes of some lists.

    Attributes
    ----------
    value : float
        The method's customary figure.
    by_point : ndarray of float64, shape (m,)
        Pointwise values, NaN where undefined; for a method that has none, the logarithm of the ratio that a point adds,
        NaN where it adds nothing.
    curve : tuple of Scale
    k : int
        Neighbours looked at.
    """

    value: float
    by_point: Doubles
    k: int
    curve: tuple[Scale, ...] = ()


@dataclass(frozen=True)
class Task:
    """What an estimate takes beside the lists."""

    points: Compared
    k: int
    convention: str
    n_threads: int
    progress: bool = False


@dataclass(frozen=True)
class Method:
    """An estimator.

    Attributes
    ----------
    title : str
    summary : str
        What its customary figure is.
    pointwise : bool
        Whether it has a value for each point.
    takes_k : bool
        Whether the number of neighbours is the caller's choice.
    estimate : callable
        (lists, task) to estimates.
    error : callable
        (lists, task, estimates of them) to the standard error of the figure.
    """

    title: str
    summary: str
    pointwise: bool
    takes_k: bool
    estimate: Callable[[Lists, Task], Estimates]
    error: Callable[[Lists, Task, Estimates], float]


def mean(values: Doubles) -> float:
    """Mean of the defined values; NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def harmonic(values: Doubles) -> float:
    """Harmonic mean of the defined values; NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(1 / (1 / known).mean()) if len(known) else float("nan")


def median(values: Doubles) -> float:
    """Median of the defined values; NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def summary_of(name: str, convention: str) -> str:
    """What the customary figure of a method is; LID, as Amsaleg and others have it, is averaged as it is."""
    return "mean" if name == "mle" and convention == "amsaleg" else METHODS[name].summary


def _mle(lists: Lists, task: Task) -> Estimates:
    values = mle(lists.distances[:, : task.k], task.convention)
    return Estimates(mean(values) if task.convention == "amsaleg" else harmonic(values), values, task.k)


def _mle_error(lists: Lists, task: Task, estimates: Estimates) -> float:
    without = partial(without_mle, convention=task.convention)
    if task.convention == "amsaleg":
        return _pointwise_error(lists, task.k, partial(mle, convention=task.convention), without, mean, on_mean)
    return _pointwise_error(lists, task.k, partial(mle, convention=task.convention), without, harmonic, on_harmonic)


def _mom(lists: Lists, task: Task) -> Estimates:
    values = mom(lists.distances[:, : task.k])
    return Estimates(mean(values), values, task.k)


def _mom_error(lists: Lists, task: Task, estimates: Estimates) -> float:
    return _pointwise_error(lists, task.k, mom, without_mom, mean, on_mean)


def _pointwise_error(
    lists: Lists, k: int, estimate: Callable[[Doubles], Doubles], without: Callable[[Doubles], Doubles],
    summary: Callable[[Doubles], float], influence: Callable[[float], Callable[[Doubles], Doubles]],
) -> float:  # fmt: skip
    """Error of a summary; from one neighbour fewer, where the next one is not known."""
    k = min(k, lists.ids.shape[1] - 1)
    if k < 1:
        return float("nan")
    own = estimate(lists.distances[:, :k])
    return error_of_pointwise(
        lists.ids[:, : k + 1], lists.distances[:, : k + 1], without, influence(summary(own)), own
    )


def _twonn(lists: Lists, task: Task) -> Estimates:
    x = log_ratios(lists.distances, 1, 2)
    return Estimates(twonn(np.sort(x[~np.isnan(x)])), _telling(x), 2)


def _telling(x: Doubles) -> Doubles:
    """Logarithms of ratios, NaN for those of 1, which say nothing of the dimension."""
    return np.where(x > 0, x, np.nan)


def _twonn_error(lists: Lists, task: Task, estimates: Estimates) -> float:
    return error_of_twonn(lists.ids, lists.distances, estimates.value)


def _gride(lists: Lists, task: Task) -> Estimates:
    curve = gride(lists.distances[:, : task.k])
    k = 2 * curve[-1].n1 if curve else task.k
    return Estimates(
        curve[0].estimate if curve else float("nan"), _telling(log_ratios(lists.distances, 1, 2)), k, curve
    )


def _gride_error(lists: Lists, task: Task, estimates: Estimates) -> float:
    return error_of_gride(lists.ids, lists.distances, estimates.curve[0]) if estimates.curve else float("nan")


def _lpca(lists: Lists, task: Task) -> Estimates:
    values = local_pca(task.points, lists.ids[:, : task.k], task.n_threads, progress=task.progress)
    return Estimates(mean(values), values, task.k)


def _lpca_error(lists: Lists, task: Task, estimates: Estimates) -> float:
    return error_of_mean(estimates.by_point)


METHODS = {
    "mle": Method("maximum likelihood", "harmonic mean", True, True, _mle, _mle_error),
    "mom": Method("method of moments", "mean", True, True, _mom, _mom_error),
    "twonn": Method("TwoNN", "line through the ratios", False, False, _twonn, _twonn_error),
    "gride": Method("GRIDE", "n1 = 1", False, True, _gride, _gride_error),
    "lpca": Method("local PCA", "mean", True, True, _lpca, _lpca_error),
}
