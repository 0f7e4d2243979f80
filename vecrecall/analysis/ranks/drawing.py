"""The picture of a ranking: places by exact search and at each ef, and the nDCG behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib import colormaps
from matplotlib.figure import Figure

from vecrecall.analysis.studying.drawing import rendered

if TYPE_CHECKING:
    from vecrecall.analysis.ranks.result import RankShift

_STILL = "#9a9a9a"


def drawn_ranks(shift: RankShift, path: str) -> bytes:
    """The slopes of the ranks, beside them nDCG with intervals."""
    figure = Figure(figsize=(11, 1.8 + 0.32 * len(shift.models)), layout="constrained")
    slopes, figures = figure.subplots(1, 2, width_ratios=(1.1, 1))
    _slopes(slopes, shift)
    _ndcg(figures, shift)
    figure.suptitle(shift.headline(), fontsize=9)
    return rendered(figure, path)


def _slopes(ax: Any, shift: RankShift) -> None:
    """A line for each model; those whose place changes have a colour."""
    at = ["exact", *(f"ef = {ef}" for ef in reversed(shift.efs))]
    ends: dict[int, list[str]] = {}
    for number, model in enumerate(shift.models):
        own = [row for row in reversed(shift.rows) if row.model == model]
        ranks = [own[0].rank_exact, *(row.rank for row in own)]
        moves = len(set(ranks)) > 1
        colour = colormaps["tab10"](number % 10) if moves else _STILL
        ax.plot(range(len(at)), ranks, marker="o", ms=4, lw=1.8 if moves else 1, color=colour)
        ends.setdefault(ranks[-1], []).append(model)
    _name_places(ax, shift)
    for rank, models in ends.items():
        ax.annotate(", ".join(models), (len(at) - 1, rank), xytext=(6, 0), textcoords="offset points", va="center",
                    fontsize=7, annotation_clip=False)  # fmt: skip
    ax.set_xticks(range(len(at)), at)
    ax.set_ylim(len(shift.models) + 0.5, 0.5)
    ax.set_xlim(-0.1, len(at) - 0.4)
    ax.set(ylabel=f"rank by nDCG@{shift.k}", title="rank")
    ax.spines[["top", "right"]].set_visible(False)


def _name_places(ax: Any, shift: RankShift) -> None:
    """Names at the left, by the rank of exact search; equal ones stand in one place."""
    names: dict[int, list[str]] = {}
    for row in shift.rows:
        if row.ef == shift.efs[0]:
            names.setdefault(row.rank_exact, []).append(row.model)
    ax.set_yticks(list(names), [f"{', '.join(models)}  {rank}" for rank, models in names.items()], fontsize=7)


def _ndcg(ax: Any, shift: RankShift) -> None:
    """nDCG of each model, exact and by ef, with intervals."""
    series = ["exact", *reversed(shift.efs)]
    for number, name in enumerate(series):
        rows = [row for row in shift.rows if row.ef == (shift.efs[0] if name == "exact" else name)]
        dodge = 0.6 * ((number + 0.5) / len(series) - 0.5)
        prefix = "ndcg_exact" if name == "exact" else "ndcg"
        middle, low, high = ([getattr(row, prefix + end) for row in rows] for end in ("", "_low", "_high"))
        bars = [[max(0.0, m - end) for m, end in zip(middle, low, strict=True)],
                [max(0.0, end - m) for m, end in zip(middle, high, strict=True)]]  # fmt: skip
        ax.errorbar(
            middle, [y + dodge for y in range(len(rows))], xerr=bars, fmt="o", ms=3.5, lw=1.1, capsize=1.5,
            color=colormaps["viridis"](number / len(series)), label=name if name == "exact" else f"ef = {name}",
        )  # fmt: skip
    ax.set_yticks(range(len(shift.models)), shift.models, fontsize=7)
    ax.set_ylim(len(shift.models) - 0.5, -0.5)
    ax.set(xlabel=f"nDCG@{shift.k}", title="nDCG")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(fontsize=8, loc="lower right")  # where the best stand at the top there is room
