"""The picture of a data set: recall and speed of everybody, as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from bench.report.curves import MODES, Curve, curves_of, modes_of, view_of
from bench.report.looks import Look
from bench.results import DataFacts, Results

DASHES = {"solid": "-", "dash": (0, (5, 2)), "dot": (0, (1, 1.5)), "dashdot": (0, (5, 1.5, 1, 1.5))}
MARKERS = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v", "cross": "P", "x": "X"
}  # fmt: skip
INK = "#333333"


def picture(results: Results, facts: DataFacts, looks: Mapping[str, Look]) -> bytes | None:
    """Return the PNG, a panel a mode; None where nothing was measured."""
    panels = {mode: curves_of(results, facts.name, mode) for mode in modes_of(results, facts.name)}
    if not panels:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(curve.name for curves in panels.values() for curve in curves))
    n_columns = 4 if len(panels) > 1 else 2
    height = 5.0 + 0.22 * -(-len(names) // n_columns)  # of the legend, a line is so many inches
    figure = Figure(figsize=(1.6 + 5.2 * len(panels), height), layout="constrained")
    FigureCanvasAgg(figure)
    handles: dict[str, Any] = {}
    for i, (mode, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), i + 1)
        _panel(axes, curves, looks, handles)
        axes.set_title(MODES.get(mode, mode), fontsize=10.5, color=INK, parse_math=False)
        axes.set_xlabel(f"recall@{facts.k}; up and to the right is better", color=INK)
        if i == 0:
            axes.set_ylabel("queries a second", color=INK)
    kind = "sparse" if facts.sparse else f"{facts.dim:,} dimensions"
    title = f"{facts.name}: {facts.n:,} rows, {kind}, {facts.metric}"
    figure.suptitle(title, fontsize=12, fontweight="bold", color=INK, parse_math=False)
    legend = figure.legend(
        [handles[name] for name in names], ["" for _ in names], loc="outside lower center", frameon=False, fontsize=9.5,
        ncols=n_columns, handlelength=3.2,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), names):
        # a name is no formula, and one that begins with _ is no wish to be hidden
        text.set_parse_math(False)
        text.set_text(name)
        text.set_fontweight("bold" if looks[name].width > 2 else "normal")
    file = BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def _panel(axes: Any, curves: list[Curve], looks: Mapping[str, Look], handles: dict[str, Any]) -> None:
    """Draw the curves of one mode; `handles` gathers a line a name for the legend."""
    from matplotlib.ticker import FixedLocator, LogLocator, MultipleLocator

    for curve in reversed(curves):  # what is faster is drawn over what is slower, and ours over all
        look = looks[curve.name]
        (line,) = axes.plot(
            *zip(*(measured.pair for measured in curve.front)),
            color=look.colour, marker=MARKERS[look.marker], markersize=_size(curve), zorder=4 if curve.ours else 2,
            linestyle=DASHES[look.dash] if len(curve.front) > 1 else "", linewidth=look.width * 0.75,
            markeredgecolor="white", markeredgewidth=0.6,
        )  # fmt: skip
        if curve.beaten:
            axes.plot(
                *zip(*(measured.pair for measured in curve.beaten)),
                color=look.colour, marker=MARKERS[look.marker], linestyle="", markersize=3, alpha=0.25, zorder=1,
                markeredgewidth=0,
            )  # fmt: skip
        handles.setdefault(curve.name, line)
    view = view_of(curves)
    axes.set(yscale="log", xlim=view.recall, ylim=view.qps)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:,.10g}")
    axes.yaxis.set_minor_locator(FixedLocator([]))
    if view.recall[0] > 0.7:
        axes.xaxis.set_major_locator(MultipleLocator(0.05))
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if view.left_out:
        axes.text(
            0.01, 0.01, "ends before this: " + ", ".join(view.left_out), transform=axes.transAxes, fontsize=8,
            color=INK, parse_math=False, wrap=True,
        )  # fmt: skip


def _size(curve: Curve) -> float:
    """Of the markers, in points; one alone has to be seen."""
    return 9 if len(curve.front) == 1 else 6.5 if curve.ours else 5
