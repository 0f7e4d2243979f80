"""The report as Markdown, for docs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bench.report import tables
from bench.report.curves import MODES, modes_of
from bench.report.tables import Table
from bench.results import Results

CELL = 300  # characters of a cell; what is longer is cut, the page has it whole


def document(results: Results, pictures: Mapping[str, str]) -> str:
    """The whole document; `pictures` maps a data set to the address of its picture."""
    return "\n".join(_lines(results, pictures)) + "\n"


def _lines(results: Results, pictures: Mapping[str, str]) -> Iterator[str]:
    yield from (f"# Benchmark: {escaped(results.task)}", "")
    yield from ("Written by `python -m bench report`; every figure comes out of the record of one run.", "")
    if not results.finished:
        yield from ("**The run is not finished: these are the figures up to where it was interrupted.**", "")
    for mode in modes_of(results):
        yield f"- {escaped(mode)}: {escaped(MODES.get(mode, mode))}"
    yield from ("", *_table(results, tables.headline(results), level=2))
    for facts in results.data:
        modes = modes_of(results, facts.name)
        yield from (f"## {escaped(facts.name)}", "")
        if facts.name in pictures:
            yield from (f"![Recall and speed on {escaped(facts.name)}]({pictures[facts.name]})", "")
        for mode in modes:
            yield from _table(results, tables.each_of_ours(results, facts, mode))
        yield from _table(results, tables.speeds(results, facts, modes))
        yield from _table(results, tables.latencies(results, facts))
        yield from _table(results, tables.builds(results, facts))
    for of_all in (tables.faults, tables.left_out, tables.data_facts, tables.versions, tables.machine):
        yield from _table(results, of_all(results), level=2)


def _table(results: Results, table: Table, level: int = 3) -> Iterator[str]:
    yield from (f"{'#' * level} {escaped(table.title)}", "")
    if not table.rows:
        yield from (escaped(table.empty), "")
        return
    yield _row([escaped(name) for name in table.columns])
    yield "|" + "|".join("---" if i < table.n_text else "---:" for i in range(len(table.columns))) + "|"
    for i, row in enumerate(table.rows):
        cells = [escaped(cell if len(cell) <= CELL else cell[:CELL] + " …") for cell in row]
        yield _row([f"**{cells[0]}**", *cells[1:]] if i in table.ours else cells)
    yield ""
    yield f"{escaped(table.note)} Command: {code(results.command)}".strip()
    yield ""


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line, and that ends no cell."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*|\[\]~])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)  # within a word it is only itself


def code(text: str) -> str:
    """Text as code, on one line; its own backticks end nothing."""
    text = " ".join(text.split()) or "not recorded"
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


