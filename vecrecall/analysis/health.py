"""The health of a graph: its links in numbers, what they lead to, and whether rows find themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.degrees import Degrees, degrees
from vecrecall.analysis.edge_lengths import EdgeLengths, edge_lengths
from vecrecall.analysis.graphs import as_graph_index, content_with_graph, held_rows
from vecrecall.analysis.health_in_words import in_words
from vecrecall.analysis.hubness import SAMPLE, Hubness, k_occurrences
from vecrecall.analysis.labels import groups_of_labels
from vecrecall.analysis.reachability import Reachability, components
from vecrecall.analysis.self_recall import SelfRecall, find_themselves, insertion_tenths
from vecrecall.hnsw.content import Content
from vecrecall.inputs import as_choice, as_count, as_seed
from vecrecall.progress import progress_bar
from vecrecall.threads import n_threads

_LISTED = 10  # sizes of components that a dict holds


@dataclass(frozen=True, eq=False, repr=False)
class Health:
    """The graph of an index, looked at.

    Attributes
    ----------
    n, M : int
    metric : {"l2", "ip", "cosine"}
    layers : tuple of int
        Nodes of each layer, the base layer first.
    out_degree, in_degree : Degrees
        Links that leave each node of the base layer, and that lead to it.
    full : float
        Share of the nodes whose 2 M places are all in use.
    n_upper_links : int
        Links in the layers above.
    reachability : Reachability
        By slot: what links of the base layer lead to, from the entry and from wherever a search can enter.
    unreached_from_entry : ndarray
        Ids that no links of the base layer lead to from the graph's entry.
    unreachable : ndarray
        Ids that nothing leads to from wherever a search can enter the base layer: no search finds them.
    weak, strong : ndarray of int64
        Sizes of the weakly and strongly connected components of the base layer, the largest first.
    hubness : Hubness or None
        None where it was not asked for, where only codes are held, and for fewer than two rows.
    edge_lengths : EdgeLengths or None
        None under "ip" and where only codes are held.
    self_recall : SelfRecall or None
        None where only codes are held.
    """

    n: int
    M: int
    metric: str
    layers: tuple[int, ...]
    out_degree: Degrees
    in_degree: Degrees
    full: float
    n_upper_links: int
    reachability: Reachability
    unreached_from_entry: NDArray[Any]
    unreachable: NDArray[Any]
    weak: NDArray[np.int64]
    strong: NDArray[np.int64]
    hubness: Hubness | None
    edge_lengths: EdgeLengths | None
    self_recall: SelfRecall | None

    def as_dict(self) -> dict[str, Any]:
        """Return all figures as plain numbers, lists and dicts, as JSON takes them; arrays by row are left out."""
        recall = self.self_recall
        return {
            "n": self.n, "M": self.M, "metric": self.metric, "layers": list(self.layers),
            "n_links": int(self.out_degree.values.sum()), "n_upper_links": self.n_upper_links,
            "out_degree": {**self.out_degree.as_dict(), "full": self.full}, "in_degree": self.in_degree.as_dict(),
            "unreached_from_entry": len(self.unreached_from_entry), "unreachable": len(self.unreachable),
            "hops_mean": self.reachability.hops_mean, "hops_max": self.reachability.hops_max,
            "n_entries": len(self.reachability.entries),
            "weak_components": _sizes_as_dict(self.weak), "strong_components": _sizes_as_dict(self.strong),
            "hubness": None if self.hubness is None else self.hubness.as_dict(),
            "edge_lengths": None if self.edge_lengths is None else self.edge_lengths.as_dict(),
            "self_recall": None if recall is None else {
                "k": recall.k, "insertion": recall.insertion, "shares": recall.shares, "by_tenth": recall.by_tenth,
                "by_group": recall.by_group,
            },
        }  # fmt: skip

    def __repr__(self) -> str:
        return in_words(self)


def graph(
    index: Any,
    *,
    labels: Any = None,
    order: Any = None,
    sample: int = 1000,
    ef: int | Iterable[int] = (10, 128),
    k: int = 10,
    hubness: str | None = "sample",
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Health:
    """Look at the graph of an index: degrees, reachability, components, hubness, lengths of links, self-recall.

    Parameters
    ----------
    index : HNSW
        Of any storage and metric, also one around another library's graph.
    labels : array_like of int or str, shape (n,), optional
        A group for each row, in the order in which rows were given; the share of rows that find themselves is then
        told by group too.
    order : "given", "random" or array of int, shape (n,), optional
        The order of insertion, as it was given to the build. Default: what the index says of itself. An index whose
        rows came in several calls, or by an array of positions, does not know it: for many small calls "given" is
        near the truth, for positions give the same array.
    sample : int, default 1000
        Rows that are searched for and whose links are measured; all where there are fewer.
    ef : int or several, default (10, 128)
        At which rows are searched for.
    k : int, default 10
        Answers asked for, and nearest neighbours counted for hubness.
    hubness : {"sample", "all", None}, default "sample"
        Count k-occurrences among 5,000 rows that ask for each other, or among all rows (n * n * dim
        multiplications), or not.
    seed : int, default 0
        Of the samples.
    threads : int, optional
        Default: all that the process may use. The result is the same for any number.
    progress : bool, default False
        Show a progress bar on a terminal.

    Returns
    -------
    Health
        Its repr is a report; ``as_dict()`` has the figures.

    Raises
    ------
    TypeError, ValueError
        If the index is of a kind without a graph, has none yet (fewer than 1,024 rows under coded storage), or an
        argument is not as stated.

    Notes
    -----
    What is exact: degrees, reachability and components are those of the whole graph; hubness, lengths and self-recall
    those of the sampled rows, by exact distances. Memory beside the index: about n * (50 M + 60) bytes. Adds wait
    meanwhile.

    References
    ----------
    Malkov & Yashunin (2018), arXiv 1603.09320: the graph. Radovanovic, Nanopoulos & Ivanovic (2010): hubness.

    Examples
    --------
    >>> import vecrecall as vr
    >>> X = np.random.default_rng(0).standard_normal((2000, 8), dtype=np.float32)
    >>> health = graph(vr.HNSW.build(X), sample=200)
    >>> len(health.unreachable), health.in_degree.n_zero, len(health.weak)
    (0, 0, 1)
    >>> [row["found"] for row in health.self_recall.shares]
    [1.0, 1.0]
    """
    graph_index = as_graph_index(index)
    sample, k, seed, n_workers = as_count(sample, "sample"), as_count(k, "k"), as_seed(seed), n_threads(threads)
    efs = _as_efs(ef)
    if hubness is not None:
        as_choice(hubness, "hubness", ("sample", "all"))
    with graph_index._lock.shared, progress_bar("looking at the graph", 4 + len(efs), progress) as advance:
        content = content_with_graph(graph_index)
        if labels is not None:
            groups_of_labels(labels, content.n)
        rng = np.random.Generator(np.random.PCG64(seed))
        slots = _sampled(rng, content.n, sample)
        tenth, known = insertion_tenths(order, slots, content.n, graph_index._settings)
        leaving, arriving = degrees(content.graph)
        reachability = Reachability.of(content)
        advance(1)
        weak, strong = components(content.graph)
        advance(2)
        rows, metric = held_rows(content), content.space.metric
        hubs = lengths = recall = None
        if rows is not None:
            if hubness is not None:
                asked = _sampled(rng, content.n, SAMPLE if hubness == "sample" else content.n)
                hubs = k_occurrences(rows, metric, k, asked, n_workers)
            advance(3)
            lengths = edge_lengths(content.graph, rows, metric, slots, n_workers)
            advance(4)
            found = []
            for at, one in enumerate(efs):
                found.append(find_themselves(content, slots, one, k, n_workers))
                advance(5 + at)
            recall = SelfRecall(slots, efs, np.array(found), k, tenth, known, _labels_of(labels, slots))
        ids = graph_index._ids
        return Health(
            content.n, graph_index._settings.M, metric, _layers(content), leaving, arriving,
            float((leaving.values == content.graph.links.shape[1]).mean()),
            int(content.graph.n_upper_links[: content.graph.n_upper].sum()), reachability,
            ids.outer(reachability.unreached_from_entry), ids.outer(reachability.unreachable), weak, strong, hubs,
            lengths, recall,
        )  # fmt: skip


def structure(index: Any) -> dict[str, float]:
    """Tell of a graph what takes no search: degrees and what is unreachable, as a flat dict of numbers.

    Parameters
    ----------
    index : HNSW

    Returns
    -------
    dict
        "n", "n_links"; "out_mean", "out_min", "out_max", "full" (share of nodes without a free place); "in_zero",
        "in_p1", "in_median", "in_p99", "in_max", "in_skew"; "unreached_from_entry" and "unreachable" (rows, as of
        :class:`Health`); "hops_mean", "hops_max". All of the base layer.

    Raises
    ------
    TypeError, ValueError
        As :func:`graph`.

    Examples
    --------
    >>> import vecrecall as vr
    >>> X = np.random.default_rng(0).standard_normal((2000, 8), dtype=np.float32)
    >>> structure(vr.HNSW.build(X, M=8))["unreachable"]
    0
    """
    graph_index = as_graph_index(index)
    with graph_index._lock.shared:
        content = content_with_graph(graph_index)
        leaving, arriving = degrees(content.graph)
        reachability = Reachability.of(content)
        return {
            "n": content.n, "n_links": int(leaving.values.sum()), "out_mean": leaving.mean, "out_min": leaving.min,
            "out_max": leaving.max, "full": float((leaving.values == content.graph.links.shape[1]).mean()),
            "in_zero": arriving.n_zero, "in_p1": arriving.percentile(1), "in_median": arriving.median,
            "in_p99": arriving.percentile(99), "in_max": arriving.max, "in_skew": arriving.skew,
            "unreached_from_entry": len(reachability.unreached_from_entry),
            "unreachable": len(reachability.unreachable), "hops_mean": reachability.hops_mean,
            "hops_max": reachability.hops_max,
        }  # fmt: skip


def _as_efs(ef: Any) -> tuple[int, ...]:
    """One ef or several, checked, ascending, each once."""
    several = [ef] if isinstance(ef, str) or not isinstance(ef, Iterable) else list(ef)
    if not several:
        raise ValueError("ef is empty, expected a number or several, such as (10, 128)")
    return tuple(sorted({as_count(one, "ef") for one in several}))


def _sampled(rng: np.random.Generator, n: int, sample: int) -> NDArray[np.int64]:
    """So many slots of 0..n-1, or all, ascending."""
    return np.arange(n) if sample >= n else np.sort(rng.choice(n, sample, replace=False))


def _labels_of(labels: Any, slots: NDArray[np.int64]) -> list[Any] | None:
    if labels is None:
        return None
    listed = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    return [listed[slot] for slot in slots.tolist()]


def _layers(content: Content) -> tuple[int, ...]:
    levels = content.graph.levels[: content.n]
    return tuple(int((levels >= level).sum()) for level in range(content.graph.top + 1))


def _sizes_as_dict(sizes: NDArray[np.int64]) -> dict[str, Any]:
    return {"n": len(sizes), "largest": sizes[:_LISTED].tolist()}
