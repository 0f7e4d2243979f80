"""The picture of a sweep, drawn by matplotlib without touching what the caller does with it."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from vecrecall.tuning import number

if TYPE_CHECKING:
    from vecrecall.measure.findings import Setting, Sweep

_ONE, _ALL = "#1f6f8b", "#d1702f"


def drawn(sweep: Sweep, path: str) -> bytes:
    """Return the picture in the format that the suffix of a path names."""
    timed = [row for row in sweep.rows if row.p95_us == row.p95_us]
    figure = Figure(figsize=(11 if timed else 6, 4.6), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    suffix = os.path.splitext(path)[1].lower().lstrip(".")
    known = canvas.get_supported_filetypes()
    if suffix not in known:
        raise ValueError(f"{path} ends in {suffix!r}, expected one of {', '.join(sorted(known))}")
    axes = figure.subplots(1, 2 if timed else 1, squeeze=False)[0]
    _speeds(axes[0], sweep)
    if timed:
        _curve(axes[1], timed, "p95_us", _ONE, "one query a call")
        axes[1].set(ylabel="microseconds, 95th percentile", title="latency of single queries", yscale="log")
    for ax in axes:
        ax.set_xlabel(f"recall@{sweep.k}, interval of {100 * sweep.level:g} %")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.grid(alpha=0.3)
    axes[0].legend()
    figure.suptitle(f"{sweep.index.partition(chr(10))[0]}; {sweep.n_queries:,} queries", fontsize=10)
    bytes_ = io.BytesIO()
    figure.savefig(bytes_, format=suffix, dpi=150)
    return bytes_.getvalue()


def _speeds(ax: Any, sweep: Sweep) -> None:
    _curve(ax, sweep.rows, "qps_1", _ONE, "1 thread")
    if sweep.threads > 1:
        _curve(ax, sweep.rows, "qps_all", _ALL, f"{sweep.threads} threads")
    ax.set(ylabel="queries a second", title="all queries in a call", yscale="log")
    for row in sweep.pareto:
        if row.settings:
            words = ", ".join(number(value) for value in row.settings.values())
            ax.annotate(
                words, (row.recall, row.qps_1), fontsize=6, alpha=0.8, textcoords="offset points", xytext=(4, 4)
            )


def _curve(ax: Any, rows: list[Setting], name: str, colour: str, label: str) -> None:
    """Recall by what an attribute of the settings says, in the order of recall."""
    rows = sorted(rows, key=lambda row: row.recall)
    recall = [row.recall for row in rows]
    bars = [[max(0.0, row.recall - row.low) for row in rows], [max(0.0, row.high - row.recall) for row in rows]]
    ax.errorbar(
        recall, [getattr(row, name) for row in rows], xerr=bars, marker="o", ms=4, lw=1.2, capsize=2, color=colour,
        label=label,
    )  # fmt: skip
