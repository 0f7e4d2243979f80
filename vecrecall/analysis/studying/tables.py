"""Tables of a study: flat records, and markdown for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from math import isnan
from typing import Any

from vecrecall.analysis.studying.findings import RANDOM, Finding, Graphs, Point, Way

NONE = "-"


def records_by_order(graphs: Graphs, findings: list[Finding]) -> list[dict[str, Any]]:
    """A record for each finding, with the structure of its graphs."""
    return [
        {
            **asdict(found.way), "order": found.order, **asdict(found.point), "k": graphs.header.k,
            "n_seeds": found.n_seeds, "recall": found.recall, "recall_low": found.low, "recall_high": found.high,
            "recall_sd": found.sd, "difference": found.difference, "difference_low": found.difference_low,
            "difference_high": found.difference_high, "mean_evals": found.evals, "hops": found.hops,
            "agreement": found.agreement, "self_recall": found.self_recall,
            **graphs.structure(found.way, found.order),
        }
        for found in findings
    ]  # fmt: skip


def records_by_seed(graphs: Graphs, points: list[Point]) -> list[dict[str, Any]]:
    """A record for each graph and point."""
    return list(_by_seed(graphs, points))


def _by_seed(graphs: Graphs, points: list[Point]) -> Iterator[dict[str, Any]]:
    for way in graphs.ways:
        for point in points:
            for order in graphs.orders_of(way):
                for graph in graphs.of(way, order):
                    recalls = graphs.recalls(graph, point)
                    at = None if point.ef is None else graphs.header.efs.index(point.ef)
                    yield {
                        **asdict(way), "order": order, "seed": graph.cell.seed, **asdict(point), "k": graphs.header.k,
                        "recall": float("nan") if recalls is None else float(recalls.mean()),
                        **{name: graphs.weighted(getattr(graph, of), graph, point)
                           for name, of in (("mean_evals", "evals"), ("hops", "hops"), ("agreement", "agreement"))},
                        "self_recall": float("nan") if at is None else float(graph.self_recall[at]),
                        "build_s": graph.build_s, **asdict(graph.structure), "version": graph.version,
                    }  # fmt: skip


def records_of_spreads(graphs: Graphs, findings: list[Finding]) -> list[dict[str, Any]]:
    """A record for each way and point: the smallest and the largest recall of its orders; NaN where one is unknown."""
    by_place: dict[tuple[Way, Point], list[Finding]] = {}
    for found in findings:
        by_place.setdefault((found.way, found.point), []).append(found)
    records = []
    for (way, point), all_orders in by_place.items():
        recalls = [found.recall for found in all_orders]
        known = not any(map(isnan, recalls))
        worst, best = (pick(all_orders, key=lambda found: found.recall) for pick in (min, max))
        records.append({
            **asdict(way), **asdict(point), "k": graphs.header.k, "n_orders": len(recalls),
            "smallest": worst.recall if known else float("nan"), "smallest_order": worst.order if known else None,
            "largest": best.recall if known else float("nan"), "largest_order": best.order if known else None,
            "spread": best.recall - worst.recall if known else float("nan"),
        })  # fmt: skip
    return records


def markdown_of_spreads(graphs: Graphs, findings: list[Finding], points: list[Point]) -> str:
    """The spread over orders by way and point: smallest and largest recall, and points between them."""
    records = records_of_spreads(graphs, findings)
    lines = []
    for way in graphs.ways:
        own = [record for record in records if (record["engine"], record["M"], record["ef_construction"])
               == (way.engine, way.M, way.ef_construction)]  # fmt: skip
        cells = [
            NONE if isnan(record["spread"]) else
            f"{record['smallest']:.4f}..{record['largest']:.4f} ({100 * record['spread']:.2f})" for record in own
        ]  # fmt: skip
        lines.append([way_in_words(graphs, way), str(len(graphs.orders_of(way))), *cells])
    return markdown(["engine", "orders", *map(str, points)], lines)


def markdown_of_way(graphs: Graphs, findings: list[Finding], way: Way) -> str:
    """Recall by order at every point, beside what the graphs look like."""
    own = [found for found in findings if found.way == way]
    points = list(dict.fromkeys(found.point for found in own))
    headings = ["order", *map(str, points), "out-degree", "in-degree 1 %, 99 %, most", "unreachable", "self-recall"]
    lines = []
    for order in graphs.orders_of(way):
        cells = [in_words(found) for found in own if found.order == order]
        of = graphs.structure(way, order)
        spread = ", ".join(_digits(of[name], 0) for name in ("in_p1", "in_p99", "in_max"))
        selves = [found.self_recall for found in own if found.order == order and found.point.ef is not None]
        lines.append([
            _named(graphs, way, order), *cells, _digits(of["out_degree"], 1), spread, _digits(of["unreachable"], 1),
            ", ".join(_digits(value, 3) for value in selves),
        ])  # fmt: skip
    return markdown(headings, lines)


def markdown_at(graphs: Graphs, findings: list[Finding], point: Point) -> str:
    """Recall by order and way at one point."""
    by_place = {(found.order, found.way): found for found in findings if found.point == point}
    lines = []
    for order in graphs.orders:
        found = [by_place.get((order, way)) for way in graphs.ways]
        lines.append([order, *(NONE if one is None else in_words(one) for one in found)])
    return markdown(["order", *(way_in_words(graphs, way) for way in graphs.ways)], lines)


def markdown(headings: list[str], lines: list[list[str]]) -> str:
    """A table as Markdown takes it.

    >>> print(markdown(["order", "ef = 10"], [["random", "0.9"]]))
    | order | ef = 10 |
    |---|---|
    | random | 0.9 |
    """
    ruled = [headings, ["---"] * len(headings), *lines]
    return "\n".join(
        "|" + "|".join(line) + "|" if line is ruled[1] else "| " + " | ".join(line) + " |" for line in ruled
    )


def in_words(found: Finding) -> str:
    """Recall, and the difference to random order in points with its interval; of random order the sd over seeds."""
    if isnan(found.recall):
        return NONE
    recall = f"{found.recall:.4f}"
    if not isnan(found.difference):
        ends = "..".join(f"{100 * end:+.2f}" for end in (found.difference_low, found.difference_high))
        return f"{recall} ({100 * found.difference:+.2f}: {ends})"
    if found.order == RANDOM and not isnan(found.sd):
        return f"{recall} (sd {found.sd:.4f})"
    return recall


def way_in_words(graphs: Graphs, way: Way) -> str:
    """The engine, and what of its parameters differs within the study."""
    words = [way.engine]
    for name in ("M", "ef_construction"):
        if len({getattr(other, name) for other in graphs.ways}) > 1:
            words.append(f"{name}={getattr(way, name)}")
    return ", ".join(words)


def _named(graphs: Graphs, way: Way, order: str) -> str:
    n_seeds = len(graphs.of(way, order))
    return f"{order} x {n_seeds}" if n_seeds > 1 else order


def _digits(value: float, n: int) -> str:
    return NONE if isnan(value) else f"{value:,.{n}f}"
