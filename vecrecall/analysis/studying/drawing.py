"""The pictures of a study, drawn by matplotlib without touching what the caller does with it."""

from __future__ import annotations

import io
import os
from math import isnan
from typing import TYPE_CHECKING, Any

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from vecrecall.analysis.studying.findings import RANDOM, Finding, Point, Way
from vecrecall.analysis.studying.tables import way_in_words

if TYPE_CHECKING:
    from vecrecall.analysis.studying.result import Study

_RANDOM = "#222222"
_WIDEST_DODGE = 0.7  # of the height of a line


def drawn_orders(study: Study, path: str, differences: bool, efs: tuple[int, ...]) -> bytes:
    """Recall by order: a row of panels an ef, beside it the evaluations that the first engine takes there."""
    ways, orders = study._graphs.ways, [order for order in study.orders if not (differences and order == RANDOM)]
    pairs = [(Point(ef=ef), _nearest_level(study, ef)) for ef in efs]
    height = 1.2 + len(pairs) * (0.7 + len(orders) * max(0.22, 0.09 * len(ways)))
    figure = Figure(figsize=(10, height), layout="constrained")
    panels = figure.subplots(len(pairs), 2, squeeze=False, sharey=True)
    for row, pair in zip(panels, pairs, strict=True):
        for ax, point in zip(row, pair, strict=True):
            if point is None:
                ax.set_visible(False)
                continue
            for number, way in enumerate(ways):
                shift = _WIDEST_DODGE * ((number + 0.5) / len(ways) - 0.5)
                found = {each.order: each for each in study.rows if each.way == way and each.point == point}
                label = way_in_words(study._graphs, way)
                _dots(ax, found, orders, shift, _colour(number, len(ways)), label, differences)
            what = f"recall@{study.k}"
            ax.set(xlabel=f"{what} less that of random order, points" if differences else what, title=f"at {point}")
            ax.set_yticks(range(len(orders)), orders)
            ax.grid(axis="x", alpha=0.3)
            if differences:
                ax.axvline(0, color=_RANDOM, lw=0.8)
        row[0].set_ylim(len(orders) - 0.5, -0.5)
    _legend(figure, panels.flat, len(ways))
    return _finished(figure, path, study)


def _dots(
    ax: Any, found: dict[str, Finding], orders: list[str], shift: float, colour: Any, label: str, differences: bool
) -> None:
    """A point with its interval for each order of one engine, and a line where its random order is."""
    xs, ys, below, above = [], [], [], []
    for y, order in enumerate(orders):
        one = found.get(order)
        value = float("nan") if one is None else one.difference if differences else one.recall
        if one is None or isnan(value):
            continue
        low, high = (one.difference_low, one.difference_high) if differences else (one.low, one.high)
        unit = 100 if differences else 1
        xs.append(unit * value)
        ys.append(y + shift)
        below.append(unit * max(0.0, value - low))
        above.append(unit * max(0.0, high - value))
    ax.errorbar(xs, ys, xerr=[below, above], fmt="o", ms=3.5, lw=1.1, capsize=1.5, color=colour, label=label)
    if not differences and RANDOM in found and not isnan(found[RANDOM].recall):
        ax.axvline(found[RANDOM].recall, color=colour, lw=0.8, ls=":")


def _nearest_level(study: Study, ef: int) -> Point | None:
    """The number of evaluations that is nearest to what the first engine takes at an ef, in random order if it can."""
    at_ef = [found for found in study.rows if found.point.ef == ef and not isnan(found.evals)]
    if not at_ef or not study.evals:
        return None
    usual = next((found.evals for found in at_ef if found.order == RANDOM), at_ef[0].evals)
    return Point(evals=min(study.evals, key=lambda level: abs(level - usual)))


def drawn_deciles(study: Study, path: str, point: Point, ways: list[Way]) -> bytes:
    """Recall by tenth of the queries' own LID: a panel an engine, a line an order."""
    records = list(study._graphs.by_lid(point, study.level, study._seed))
    if not records:
        raise ValueError("no query has a local intrinsic dimension; there is nothing to draw")
    n_across = min(3, len(ways))
    n_down = -(-len(ways) // n_across)
    figure = Figure(figsize=(1.5 + 4 * n_across, 0.6 + 3.6 * n_down), layout="constrained")
    panels = figure.subplots(n_down, n_across, squeeze=False, sharey=True).ravel()
    for ax in panels[len(ways) :]:
        ax.set_visible(False)
    for place, (ax, way) in enumerate(zip(panels, ways, strict=False)):
        own = [each for each in records if (each["engine"], each["M"], each["ef_construction"]) == _fields(way)]
        for number, order in enumerate(study.orders):
            line = [each for each in own if each["order"] == order and not isnan(each["recall"])]
            bars = [[max(0.0, each["recall"] - each["recall_low"]) for each in line],
                    [max(0.0, each["recall_high"] - each["recall"]) for each in line]]  # fmt: skip
            dodge = 0.3 * ((number + 0.5) / len(study.orders) - 0.5)
            ax.errorbar(
                [each["lid_decile"] + dodge for each in line], [each["recall"] for each in line], yerr=bars, marker="o",
                ms=3, lw=1.1, elinewidth=0.6, capsize=1.5, **_line(order, number, len(study.orders)),
            )  # fmt: skip
        ticks = {each["lid_decile"]: f"{each['lid_from']:.3g}-{each['lid_to']:.3g}" for each in own}
        lowest = place + n_across >= len(ways)
        ax.set_xticks(list(ticks), list(ticks.values()) if lowest else [], rotation=45, ha="right", fontsize=7)
        ax.set(xlabel="LID of the query, by tenth of the queries" if lowest else "")
        ax.set(ylabel=f"recall@{study.k} at {point}" if place % n_across == 0 else "")
        ax.set_title(way_in_words(study._graphs, way))
        ax.grid(alpha=0.3)
    _legend(figure, panels, len(study.orders))
    return _finished(figure, path, study)


def drawn_dimensions(studies: list[tuple[float, Study]], path: str, engine: str) -> bytes:
    """Recall against intrinsic dimension: a panel an ef, a line an order."""
    studies = sorted(studies, key=lambda pair: pair[0])
    first = studies[0][1]
    orders = list(dict.fromkeys(order for _, study in studies for order in study.orders))
    figure = Figure(figsize=(1.5 + 3.6 * len(first.efs), 4.2), layout="constrained")
    panels = figure.subplots(1, len(first.efs), squeeze=False, sharey=True)[0]
    for ax, ef in zip(panels, first.efs, strict=True):
        for number, order in enumerate(orders):
            points = [
                (dimension, found) for dimension, study in studies for found in study.rows
                if found.way.engine == engine and found.order == order and found.point == Point(ef=ef)
            ]  # fmt: skip
            bars = [[max(0.0, found.recall - found.low) for _, found in points],
                    [max(0.0, found.high - found.recall) for _, found in points]]  # fmt: skip
            ax.errorbar(
                [dimension for dimension, _ in points], [found.recall for _, found in points], yerr=bars, marker="o",
                ms=3.5, lw=1.1, capsize=2, **_line(order, number, len(orders)),
            )  # fmt: skip
        dimensions = [dimension for dimension, _ in studies]
        ax.set_xscale("log", base=2)
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:.3g}"))
        ax.set_xticks(dimensions)
        ax.set(xlabel="intrinsic dimension", title=f"ef = {ef}")
        ax.grid(alpha=0.3)
    panels[0].set_ylabel(f"recall@{first.k}, {engine}")
    _legend(figure, panels, len(orders))
    figure.suptitle(f"{first.n:,} vectors, metric {first.metric}; {first.n_queries:,} queries", fontsize=9)
    return rendered(figure, path)


def _fields(way: Any) -> tuple[str, int, int]:
    return way.engine, way.M, way.ef_construction


def _line(order: str, number: int, n: int) -> dict[str, Any]:
    if order == RANDOM:
        return {"color": _RANDOM, "label": order, "zorder": 3}
    return {"color": _colour(number, n), "label": order, "ls": ("-", "--")[number % 2]}


def _colour(number: int, n: int) -> Any:
    """A colour of its own for each of n."""
    return colormaps["tab10" if n <= 10 else "tab20"](number % 20)


def _legend(figure: Any, panels: Any, n: int) -> None:
    handles: dict[str, Any] = {}
    for ax in panels:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(6, max(1, n)), fontsize=8)


def _finished(figure: Any, path: str, study: Study) -> bytes:
    figure.suptitle(study.headline(), fontsize=9, wrap=True)
    return rendered(figure, path)


def rendered(figure: Any, path: str) -> bytes:
    """A figure in the format that the suffix of a path names."""
    canvas = FigureCanvasAgg(figure)
    suffix = os.path.splitext(path)[1].lower().lstrip(".")
    known = canvas.get_supported_filetypes()
    if suffix not in known:
        raise ValueError(f"{path} ends in {suffix!r}, expected one of {', '.join(sorted(known))}")
    bytes_ = io.BytesIO()
    figure.savefig(bytes_, format=suffix, dpi=150)
    return bytes_.getvalue()
