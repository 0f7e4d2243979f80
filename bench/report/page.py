"""The report as one page: HTML that holds its own program, style and figures, and asks nothing of a network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from bench.report import tables
from bench.report.chart import BEST, BUILDS, chart, has_builds
from bench.report.curves import MODES, curves_of, modes_of, view_of
from bench.report.looks import looks_of
from bench.report.tables import Table
from bench.results import DataFacts, Results

HERE = Path(__file__).parent
# The browser itself refuses whatever would leave the page, whoever wrote it into a record.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)


def page(results: Results) -> str:
    """The whole page."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Results) -> Iterator[str]:
    from plotly.offline import get_plotlyjs

    modes = modes_of(results)
    drawn = [facts for facts in results.data if modes_of(results, facts.name)]
    yield from (
        "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Benchmark: {escape(results.task)}</title>", '<link rel="icon" href="data:,">',
        f"<style>{(HERE / 'page.css').read_text(encoding='utf-8')}</style>", "</head>", "<body>",
    )  # fmt: skip
    yield from _head(results, modes)
    yield _navigation(results, modes)
    yield from _table(results, tables.headline(results))
    for i, facts in enumerate(results.data):
        yield from _data_set(results, facts, modes, i, facts in drawn)
    yield '<h2 id="all">Of all data sets</h2>'
    for of_all in (tables.faults, tables.left_out, tables.data_facts, tables.versions, tables.machine):
        yield from _table(results, of_all(results))
    if drawn:
        for i, facts in enumerate(results.data):
            if facts in drawn:
                yield _data(f"figure-{i}", chart(results, facts, looks_of(results, sparse=facts.sparse)))
        yield f"<script>{get_plotlyjs()}</script>"
    yield f"<script>{(HERE / 'page.js').read_text(encoding='utf-8')}</script>"
    yield from ("</body>", "</html>")


def _head(results: Results, modes: Sequence[str]) -> Iterator[str]:
    yield f"<h1>Benchmark: {escape(results.task)}</h1>"
    yield (
        "<p>Queries a second at equal recall, every index measured alike. Recall counts an answer that is as near as "
        "the k-th true neighbour, so ties count; it was computed from the ids that were returned, never taken from a "
        "peer. Settings were chosen on other queries than those that are timed.</p>"
    )
    for mode in modes:
        if mode in MODES:
            yield f'<p class="soft"><b>{escape(mode)}</b>: {escape(MODES[mode])}.</p>'
    yield f'<p class="soft">Command: <code>{escape(results.command)}</code></p>'
    if not results.finished:
        yield (
            '<p class="warning"><b>The run is not finished.</b> These are the figures up to where it was '
            "interrupted.</p>"
        )
    if not modes:
        yield '<p class="warning"><b>Nothing was measured</b>, so there are no curves.</p>'
    yield '<noscript><p class="warning">The curves need JavaScript; the tables do not.</p></noscript>'


def _navigation(results: Results, modes: Sequence[str]) -> str:
    parts = [f'<a href="#data-{i}">{escape(facts.name)}</a>' for i, facts in enumerate(results.data)]
    parts.append('<a href="#all">faults, left out, machine</a>')
    if len(modes) > 0:
        parts.append(_switch("mode", "mode", {mode: mode for mode in modes}, hidden=len(modes) == 1))
    if has_builds(results):
        parts.append(_switch("view", "curves", {BEST: "best of the builds", BUILDS: "each build"}))
    return f"<nav>{' '.join(parts)}</nav>"


def _switch(name: str, title: str, values: dict[str, str], hidden: bool = False) -> str:
    """A row of radio buttons, the first one chosen."""
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{escape(value)}"{" checked" if i == 0 else ""}>'
        f"{escape(text)}</label>"
        for i, (value, text) in enumerate(values.items())
    )
    return f"<fieldset{' hidden' if hidden else ''}><span>{escape(title)}</span>{buttons}</fieldset>"


def _data_set(results: Results, facts: DataFacts, modes: Sequence[str], i: int, drawn: bool) -> Iterator[str]:
    kind = "sparse" if facts.sparse else "dense"
    yield f'<section id="data-{i}">'
    yield f"<h2>{escape(facts.name)}</h2>"
    yield (
        f'<p class="soft">{facts.n:,} rows, {facts.dim:,} columns, {kind}, {escape(facts.metric)}, k = {facts.k}; '
        f"{facts.n_choosing:,} queries chose settings, {facts.n_timed:,} others were timed.</p>"
    )
    if drawn:
        yield f'<div class="chart" data-figure="figure-{i}"></div>'
        yield (
            '<p class="note">Up and to the right is better. Lines are Pareto fronts, faint points are beaten in both. '
            "Click a name to hide it, twice to see it alone; drag to zoom, double-click to go back.</p>"
        )
    else:
        modes = []
        yield "<p>Nothing was measured on this set.</p>"
    for mode in modes:
        yield f'<div data-mode="{escape(mode)}">'
        if mode not in modes_of(results, facts.name):
            yield f"<p>Nothing was measured on this set as {escape(mode)}.</p></div>"
            continue
        yield from _out_of_view(results, facts, mode)
        yield from _table(results, tables.each_of_ours(results, facts, mode))
        yield from _table(results, tables.speeds(results, facts, [mode]))
        yield "</div>"
    yield from _table(results, tables.latencies(results, facts))
    yield from _table(results, tables.builds(results, facts))
    yield "</section>"


def _out_of_view(results: Results, facts: DataFacts, mode: str) -> Iterator[str]:
    left_out = view_of(curves_of(results, facts.name, mode)).left_out
    if left_out:
        yield f'<p class="note">Ends before the left edge: {escape(", ".join(left_out))}.</p>'


def _table(results: Results, table: Table) -> Iterator[str]:
    """A table with its title, note and command."""

    def kind(column: int) -> str:
        return "" if column < table.n_text else ' class="figure"'

    yield f"<h3>{escape(table.title)}</h3>"
    if not table.rows:
        yield f"<p>{escape(table.empty)}</p>"
        return
    head = "".join(f'<th scope="col"{kind(i)}>{escape(name)}</th>' for i, name in enumerate(table.columns))
    yield f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>'
    for i, row in enumerate(table.rows):
        cells = "".join(f"<td{kind(j)}>{escape(cell)}</td>" for j, cell in enumerate(row))
        yield f"{'<tr class=ours>' if i in table.ours else '<tr>'}{cells}</tr>"
    yield "</tbody></table></div>"
    note = f"{escape(table.note)} " if table.note else ""
    yield f'<p class="note">{note}<code>{escape(results.command)}</code></p>'


def _data(name: str, content: object) -> str:
    """JSON for the page's own program; nothing in it can end the element."""
    text = json.dumps(content, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'
