"""What the graphs of a study say together: means over seeds, and paired differences to random order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.studying.contrasts import Contrast, estimates
from vecrecall.analysis.studying.equal_evals import weights_at
from vecrecall.analysis.studying.measuring import Measured
from vecrecall.analysis.studying.packed import Header

Doubles = NDArray[np.float64]
NAN = float("nan")
RANDOM = "random"


@dataclass(frozen=True, order=True)
class Way:
    """A way to build: an engine and its parameters. Orders are compared within one."""

    engine: str
    M: int
    ef_construction: int

    def __str__(self) -> str:
        return f"{self.engine}, M={self.M}, ef_construction={self.ef_construction}"


@dataclass(frozen=True)
class Point:
    """Where recall is looked at: an ef, or a number of evaluations a query."""

    ef: int | None = None
    evals: float | None = None

    def __str__(self) -> str:
        return f"ef = {self.ef}" if self.evals is None else f"{self.evals:,g} evaluations"


@dataclass(frozen=True)
class Finding:
    """Recall of one order in one way at one point, over the seeds.

    Attributes
    ----------
    way : Way
    order : str
    point : Point
    n_seeds : int
    recall, low, high : float
        Mean over queries and seeds, and its interval, which allows for other queries and, from two seeds on, for
        other graphs. NaN at evaluations that one of the graphs was not measured at.
    sd : float
        Standard deviation over seeds; NaN for one.
    difference, difference_low, difference_high : float
        To random order, the same way at the same point, paired by query; the interval as of recall. NaN for random
        order itself, and without it.
    evals, hops, agreement : float
        As of `Measured`; at the ef, or interpolated. NaN where an engine shows no graph.
    self_recall : float
        Of stored rows; NaN at a number of evaluations.
    """

    way: Way
    order: str
    point: Point
    n_seeds: int
    recall: float
    low: float
    high: float
    sd: float
    difference: float
    difference_low: float
    difference_high: float
    evals: float
    hops: float
    agreement: float
    self_recall: float


class Graphs:
    """All measured graphs of a study, by way and order."""

    def __init__(self, header: Header, measured: list[Measured]) -> None:
        self.header = header
        self.ways: tuple[Way, ...] = tuple(dict.fromkeys(_way(each) for each in measured))
        self.orders: tuple[str, ...] = tuple(dict.fromkeys(each.cell.order for each in measured))
        self._of: dict[tuple[Way, str], list[Measured]] = {}
        for each in sorted(measured, key=lambda each: each.cell.seed):
            self._of.setdefault((_way(each), each.cell.order), []).append(each)

    def of(self, way: Way, order: str) -> list[Measured]:
        """The graphs of one order in one way, by seed; none where it was not built."""
        return self._of.get((way, order), [])

    def orders_of(self, way: Way) -> list[str]:
        return [order for order in self.orders if self.of(way, order)]

    def weights(self, graph: Measured, point: Point) -> Doubles | None:
        """Weights of the ladder's efs that give what a graph has at a point; None where it was not measured there."""
        if point.evals is not None:
            return weights_at(graph.evals, point.evals)
        weights = np.zeros(len(self.header.ladder))
        weights[self.header.ladder.index(point.ef or 0)] = 1
        return weights

    def recalls(self, graph: Measured, point: Point) -> Doubles | None:
        """Recall of each query, shape (q,)."""
        weights = self.weights(graph, point)
        return None if weights is None else weights @ graph.n_right / self.header.k

    def by_graph(self, way: Way, order: str, point: Point) -> Doubles | None:
        """Recall of each query in each graph, (graphs, q); None where one of these was not measured there."""
        each = [self.recalls(graph, point) for graph in self.of(way, order)]
        known = [values for values in each if values is not None]
        return np.stack(known) if known and len(known) == len(each) else None

    def recall(self, way: Way, order: str, point: Point) -> Contrast | None:
        """Recall over the seeds; None where one of the graphs was not measured there."""
        own = self.by_graph(way, order, point)
        return None if own is None else Contrast((own,))

    def difference(self, way: Way, order: str, point: Point) -> Contrast | None:
        """Recall less that of random order; None where there is none to compare with."""
        own, random = self.by_graph(way, order, point), self.by_graph(way, RANDOM, point)
        return None if order == RANDOM or own is None or random is None else Contrast((own,), (random,))

    def findings(self, points: list[Point], level: float, seed: int) -> list[Finding]:
        """A finding for each way, order and point."""
        asked = [
            (way, order, point) for way in self.ways for point in points for order in self.orders_of(way)
        ]  # fmt: skip
        means = estimates([self.recall(*each) for each in asked], level, seed)
        differences = estimates([self.difference(*each) for each in asked], level, seed)
        return [
            Finding(
                way, order, point, len(self.of(way, order)), mean.mean, mean.low, mean.high,
                self._sd(way, order, point), difference.mean, difference.low, difference.high,
                **self._means(way, order, point),
            )
            for (way, order, point), mean, difference in zip(asked, means, differences, strict=True)
        ]  # fmt: skip

    def gaps(self, way: Way, other: Way, points: list[Point], level: float, seed: int) -> Iterator[dict[str, Any]]:
        """A record for each point and order that two ways share: by how much their effects of the order differ."""
        shared = [order for order in self.orders_of(way) if order != RANDOM and self.of(other, order)]
        asked = [(point, order) for point in points for order in shared]
        pairs = [[self.difference(each, order, point) for each in (way, other)] for point, order in asked]
        ones, others = (estimates([pair[at] for pair in pairs], level, seed) for at in range(2))
        gaps = estimates([_less(*pair) for pair in pairs], level, seed)
        for (point, order), one, two, gap in zip(asked, ones, others, gaps, strict=True):
            yield {
                **asdict(point), "order": order, "difference": one.mean, "other_difference": two.mean,
                "gap": gap.mean, "gap_low": gap.low, "gap_high": gap.high,
            }  # fmt: skip

    def _sd(self, way: Way, order: str, point: Point) -> float:
        own = self.by_graph(way, order, point)
        return NAN if own is None or len(own) < 2 else float(own.mean(axis=1).std(ddof=1))

    def _means(self, way: Way, order: str, point: Point) -> dict[str, float]:
        """Evaluations and the like, over seeds."""
        graphs = self.of(way, order)
        found = {"self_recall": NAN}
        for name in ("evals", "hops", "agreement"):
            each = [self.weighted(getattr(graph, name), graph, point) for graph in graphs]
            found[name] = float(np.mean(each))
        if point.ef is not None:
            at = self.header.efs.index(point.ef)
            found["self_recall"] = float(np.mean([graph.self_recall[at] for graph in graphs]))
        return found

    def weighted(self, values: Doubles, graph: Measured, point: Point) -> float:
        weights = self.weights(graph, point)
        return NAN if weights is None else float(weights[weights > 0] @ values[weights > 0])

    def structure(self, way: Way, order: str) -> dict[str, float]:
        """Build time and degrees, means over seeds."""
        graphs = self.of(way, order)
        rows = [{"build_s": graph.build_s, **asdict(graph.structure)} for graph in graphs]
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def deciles(self) -> list[NDArray[np.int64]]:
        """Queries by tenth of their own LID, the lowest first; those without one are in none."""
        known = np.flatnonzero(np.isfinite(self.header.lid))
        ranked = known[np.argsort(self.header.lid[known], kind="stable")]
        return [part for part in np.array_split(ranked, 10) if len(part)]

    def by_lid(self, point: Point, level: float, seed: int) -> Iterator[dict[str, Any]]:
        """A record for each way, order and tenth of LID: recall, and the difference to random order."""
        asked = [(way, order) for way in self.ways for order in self.orders_of(way)]
        for number, queries in enumerate(self.deciles(), start=1):
            lid = self.header.lid[queries]
            means = estimates([_of(self.recall(*each, point), queries) for each in asked], level, seed)
            differences = estimates([_of(self.difference(*each, point), queries) for each in asked], level, seed)
            for (way, order), mean, difference in zip(asked, means, differences, strict=True):
                yield {
                    **asdict(way), "order": order, **asdict(point), "lid_decile": number, "lid_from": float(lid[0]),
                    "lid_to": float(lid[-1]), "n_queries": len(queries), "recall": mean.mean, "recall_low": mean.low,
                    "recall_high": mean.high, "difference": difference.mean, "difference_low": difference.low,
                    "difference_high": difference.high,
                }  # fmt: skip


def _way(measured: Measured) -> Way:
    cell = measured.cell
    return Way(cell.engine, cell.M, cell.ef_construction)


def _of(contrast: Contrast | None, queries: NDArray[np.int64]) -> Contrast | None:
    """The same of some queries."""
    if contrast is None:
        return None
    return Contrast(*(tuple(recalls[:, queries] for recalls in part) for part in (contrast.plus, contrast.minus)))


def _less(one: Contrast | None, other: Contrast | None) -> Contrast | None:
    """What one contrast is more than another."""
    if one is None or other is None:
        return None
    return Contrast(one.plus + other.minus, one.minus + other.plus)
