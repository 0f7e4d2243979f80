"""The interactive chart of a data set, as plotly takes it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from bench.report.curves import Curve, Measured, curves_of, latency_of, modes_of, settings_text, view_of
from bench.report.looks import Look, dash_of_build
from bench.report.tables import interval, number
from bench.results import LEVELS, DataFacts, Results

BEST, BUILDS = "best", "builds"  # a curve a peer, or one for each of its builds
INK, GRID = "#333333", "#e4e4e4"


def chart(results: Results, facts: DataFacts, looks: Mapping[str, Look]) -> dict[str, Any]:
    """Return {"figure": what plotly draws, "ranges": ends of both axes by mode}, in JSON's own types.

    Every trace says in `meta` to which mode and views it belongs; those of the first mode and view are shown.
    """
    from plotly import graph_objects as go

    figure = go.Figure(layout=_layout(facts))
    ranges = {}
    modes = modes_of(results, facts.name)
    for mode in modes:
        curves = curves_of(results, facts.name, mode)
        view = view_of(curves)
        ranges[mode] = {"x": list(view.recall), "y": [math.log10(qps) for qps in view.qps]}
        # what is faster is drawn over what is slower, and ours over all; the legend has the fastest first
        ranks = {curve.name: rank for rank, curve in enumerate(curves, 1)}
        for curve in sorted(curves, key=lambda curve: (curve.ours, -ranks[curve.name])):
            for trace in _traces(curve, mode, looks[curve.name]):
                trace["legendrank"] = ranks[curve.name]
                trace["visible"] = mode == modes[0] and BEST in trace["meta"]["views"]
                figure.add_trace(go.Scatter(trace))
    if modes:
        figure.update_xaxes(range=ranges[modes[0]]["x"])
        figure.update_yaxes(range=ranges[modes[0]]["y"])
    return {"figure": json.loads(figure.to_json()), "ranges": ranges}


def has_builds(results: Results) -> bool:
    """Whether any peer was built in several ways, so that there is something to draw apart."""
    return any(
        len(curve.by_build()) > 1
        for facts in results.data
        for mode in modes_of(results, facts.name)
        for curve in curves_of(results, facts.name, mode)
    )


def _layout(facts: DataFacts) -> dict[str, Any]:
    axis = {"gridcolor": GRID, "zeroline": False, "linecolor": INK, "ticks": "outside", "tickcolor": GRID}
    return {
        "template": "none",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": INK},
        "hovermode": "closest",
        "showlegend": True,  # of a single curve too
        "hoverlabel": {"align": "left"},
        "margin": {"l": 90, "r": 20, "t": 20, "b": 60},
        "legend": {"itemclick": "toggle", "itemdoubleclick": "toggleothers", "tracegroupgap": 0},
        "xaxis": dict(title={"text": f"recall@{facts.k}"}, tickformat=".5~f", **axis),
        "yaxis": dict(
            title={"text": "queries a second", "standoff": 12}, type="log", dtick="D2", tickformat=",~g", **axis
        ),
        "shapes": [
            {"type": "line", "x0": level, "x1": level, "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
                 "line": {"color": "#bbbbbb", "width": 1, "dash": "dot"}}
            for level in LEVELS
        ],
    }  # fmt: skip


def _traces(curve: Curve, mode: str, look: Look) -> Iterator[dict[str, Any]]:
    """The front of a peer as a line, and the points that it beats, faint; for its builds apart the same."""
    parts = curve.by_build()
    if len(parts) == 1:
        yield from _line_and_beaten(curve, curve.name, mode, look, look.dash, [BEST, BUILDS])
        return
    yield from _line_and_beaten(curve, curve.name, mode, look, look.dash, [BEST])
    for nth, part in enumerate(parts.values()):
        own = part.points[0].built.build
        differing = {name: own[name] for name in own if not _is_same_everywhere(name, curve)}
        name = f"{curve.name} {settings_text(differing or own)}"
        yield from _line_and_beaten(part, name, mode, look, dash_of_build(nth), [BUILDS])


def _is_same_everywhere(parameter: str, curve: Curve) -> bool:
    """Whether all builds of a peer have a parameter and agree on it, so that it tells none from another."""
    values = [measured.built.build.get(parameter, _is_same_everywhere) for measured in curve.points]
    return all(value == values[0] for value in values)


def _line_and_beaten(
    curve: Curve, name: str, mode: str, look: Look, dash: str, views: list[str]
) -> Iterator[dict[str, Any]]:
    shown = plain(name)
    both = {"legendgroup": shown, "name": shown, "hoverinfo": "text", "type": "scatter"}
    meta = {"mode": mode, "views": views, "ours": curve.ours}
    alone = len(curve.front) == 1
    yield both | dict(
        **_places(curve.front),
        meta=meta | {"beaten": False},
        name=f"<b>{shown}</b>" if curve.ours else shown,
        mode="markers" if alone else "lines+markers",
        line={"color": look.colour, "dash": dash, "width": look.width},
        marker={
            "color": look.colour, "symbol": look.marker, "size": 13 if alone else 9 if curve.ours else 7,
            "line": {"color": "white", "width": 1},
        },
    )  # fmt: skip
    if curve.beaten:
        yield both | dict(
            **_places(curve.beaten),
            meta=meta | {"beaten": True},
            mode="markers",
            showlegend=False,
            marker={"color": look.colour, "symbol": look.marker, "size": 5},
            opacity=0.25,
        )


def _places(points: tuple[Measured, ...]) -> dict[str, list[Any]]:
    return {
        "x": [measured.point.recall for measured in points],
        "y": [measured.qps for measured in points],
        "text": [hover(measured) for measured in points],
    }


def hover(measured: Measured) -> str:
    """What stands beside a point that the mouse is on."""
    built, point = measured.built, measured.point
    lines = [
        f"<b>{plain(built.peer)}</b>" + (f" {plain(built.version)}" if built.version else ""),
        f"build: {plain(settings_text(built.build))}",
        f"setting: {plain(settings_text(point.setting))}",
        f"recall {interval(measured)}",
        f"{number(measured.qps)} queries a second" + _rounds(measured),
    ]
    latency = latency_of(measured)
    if latency:
        percentiles = (f"{name} {number(us)}" for name, us in latency.items() if name != "mean")
        lines.append(f"one query, µs: {plain(', '.join(percentiles))}")
    if str(point.faults):
        lines.append(f"<b>faults: {plain(str(point.faults))}</b>")
    return "<br>".join(lines)


def _rounds(measured: Measured) -> str:
    """How far the rounds of that mode lie apart."""
    rounds = [qps for qps in measured.point.rounds.get(measured.mode, []) if math.isfinite(qps)]
    if len(rounds) < 2:
        return ""
    return f" ({len(rounds)} rounds, {number(min(rounds))} to {number(max(rounds))})"


def plain(text: str) -> str:
    """Text without markup or places to fill in, as plotly reads it; it knows no entity for quotes and needs none."""
    return escape(text, quote=False).replace("%{", "&#37;{")
