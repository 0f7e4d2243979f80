"""What a sweep found: a record for each setting, as a table, as files, and the one to take."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from vecrecall.inputs import as_recall
from vecrecall.measure.retrieval import Retrieval
from vecrecall.replacing import replacing
from vecrecall.tuning import SearchSettings, in_words, number


@dataclass(frozen=True)
class Setting:
    """One setting of an index, and what was measured with it.

    Attributes
    ----------
    settings : dict
        Such as ``{"ef": 40}``; empty where there is nothing to set.
    recall, low, high : float
        Mean recall@k and its bootstrap interval, which allows for a query that none of those asked is like.
    evals : float
        Distance evaluations a query.
    qps_1, qps_all : float
        Queries a second in one call with all of them, on one thread and on all.
    p50_us, p95_us, p99_us : float
        Microseconds of a call with one query, on one thread: percentiles over queries. NaN where not measured.
    retrieval : Retrieval or None
        Where judgements were given.
    """

    settings: SearchSettings
    recall: float
    low: float
    high: float
    evals: float
    qps_1: float
    qps_all: float
    p50_us: float = float("nan")
    p95_us: float = float("nan")
    p99_us: float = float("nan")
    retrieval: Retrieval | None = None

    def __str__(self) -> str:
        return in_words(self.settings) or "the index as it is"


@dataclass(frozen=True)
class Suggestion:
    """The setting to take for a recall.

    Attributes
    ----------
    setting : Setting
    target : float
    reached : bool
        Whether the lower end of the setting's interval reaches the target; else it is the nearest.
    """

    setting: Setting
    target: float
    reached: bool

    def __repr__(self) -> str:
        setting = self.setting
        measured = f"{setting.recall:.3f}, interval {setting.low:.3f} to {setting.high:.3f}"
        if self.reached:
            return f"for recall {self.target:g} use {setting} ({measured})"
        short = "is not certain at" if setting.recall >= self.target else "is not reached by"
        return f"recall {self.target:g} {short} any setting; the nearest is {setting} ({measured})"


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """Recall, speed and latency of an index over its settings, as :func:`vecrecall.sweep` measured them.

    Attributes
    ----------
    rows : list of Setting
        In the order of the grid.
    index : str
        The index in words.
    k, n_queries, threads : int
        Threads are those of ``qps_all``.
    truth : str
        Where the true answers came from.
    by : {"distance", "id"}
        How answers were compared with them, see :func:`vecrecall.recall`.
    level : float
        Of all intervals.
    compile_s : float
        Seconds that the first searches took beyond the second: compiling, which no other figure holds.
    depth : int or None
        Of the nDCG, where judgements were given.
    exact_ndcg : float or None
        nDCG of exact search.
    n_judged : int or None
        Queries that judgements were given for.
    """

    rows: list[Setting]
    index: str
    k: int
    n_queries: int
    threads: int
    truth: str
    by: str
    level: float
    compile_s: float
    depth: int | None = None
    exact_ndcg: float | None = None
    n_judged: int | None = None

    @property
    def pareto(self) -> list[Setting]:
        """The settings that no other beats in both recall and speed (on one thread), recall rising."""
        front: list[Setting] = []
        for row in sorted(self.rows, key=lambda row: (-row.recall, -row.qps_1)):
            if not front or row.qps_1 > front[-1].qps_1:
                front.append(row)
        return front[::-1]

    def suggest(self, recall: float = 0.95) -> Suggestion:
        """Return the fastest setting (on one thread) whose recall is at least this, as sure as the level of the sweep.

        Parameters
        ----------
        recall : float, default 0.95
            Above 0 and at most 1. It is the lower end of a setting's interval that has to reach it, so that the mean
            over more queries is not likely to be below.

        Returns
        -------
        Suggestion
            Or, where no setting reaches the recall, the one with the greatest recall, saying so.
        """
        target = as_recall(recall, "recall")
        enough = [row for row in self.rows if row.low >= target]
        if enough:
            return Suggestion(max(enough, key=lambda row: row.qps_1), target, True)
        return Suggestion(max(self.rows, key=lambda row: (row.recall, row.qps_1)), target, False)

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return a flat record for each setting: its settings, then what was measured, by column."""
        return [self._record(row) for row in self.rows]

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, one row a setting."""
        from pandas import DataFrame

        return DataFrame(self.as_dicts())

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV; the old file or the new one is there, never half."""
        records = self.as_dicts()
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        _save(path, text.getvalue().encode())

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the table as Parquet, by pyarrow; the old file or the new one is there, never half.

        Raises
        ------
        ImportError
            Where pyarrow is not installed.
        """
        require("pyarrow", "parquet")
        import pyarrow
        import pyarrow.parquet

        bytes_ = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(self.as_dicts()), bytes_)
        _save(path, bytes_.getvalue())

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw recall against queries a second, and against latency, with intervals; by matplotlib.

        Parameters
        ----------
        path : path-like
            Of a suffix that matplotlib knows, such as ".png" or ".svg".

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        ValueError
            For a suffix that it does not know.
        """
        require("matplotlib", "plot")
        from vecrecall.measure.drawing import drawn

        _save(path, drawn(self, os.fspath(path)))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return (headings, a line of words for each setting)."""
        rows = self.rows
        columns: dict[str, Sequence[str]] = {
            name: [number(row.settings[name]) for row in rows] for name in rows[0].settings
        }
        columns[f"recall@{self.k}"] = [f"{row.recall:.4f}" for row in rows]
        columns["interval"] = [f"{row.low:.4f}-{row.high:.4f}" for row in rows]
        columns["evals"] = [f"{row.evals:,.0f}" for row in rows]
        columns["QPS 1 thread"] = [f"{row.qps_1:,.0f}" for row in rows]
        if self.threads > 1:
            columns[f"QPS {self.threads} threads"] = [f"{row.qps_all:,.0f}" for row in rows]
        if not isnan(rows[0].p50_us):
            for name in ("p50", "p95", "p99"):
                columns[f"{name} us"] = [f"{getattr(row, f'{name}_us'):,.1f}" for row in rows]
        judged = [row.retrieval for row in rows if row.retrieval is not None]
        if judged:
            columns[f"nDCG@{self.depth}"] = [f"{of.ndcg:.4f}" for of in judged]
            columns["loss"] = [_percents(of.loss, of.loss_low, of.loss_high) for of in judged]
            columns["relevant lost"] = [_percents(of.lost, of.lost_low, of.lost_high) for of in judged]
        return list(columns), [list(line) for line in zip(*columns.values(), strict=True)]

    def headline(self) -> str:
        """Return what was measured, and against what, in a sentence or two."""
        words = (
            f"{self.n_queries:,} queries, compared by {self.by} with {self.truth}; intervals of {100 * self.level:g} %"
            f"; compiling took {self.compile_s:.2f} s"
        )
        if self.exact_ndcg is not None:
            words += f"\nexact search has nDCG@{self.depth} {self.exact_ndcg:.4f} over {self.n_judged:,} judged queries"
        return words

    def __repr__(self) -> str:
        headings, lines = self.table()
        widths = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
        text = [self.index.partition("\n")[0], self.headline()]
        for line in (headings, *lines):
            text.append("  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)))
        return "\n".join([*text, repr(self.suggest())])

    def _record(self, row: Setting) -> dict[str, Any]:
        record: dict[str, Any] = {
            **row.settings, "k": self.k, "recall": row.recall, "recall_low": row.low, "recall_high": row.high,
            "evals": row.evals, "qps_1": row.qps_1, "threads": self.threads, "qps_all": row.qps_all,
        }  # fmt: skip
        if not isnan(row.p50_us):
            record |= {"p50_us": row.p50_us, "p95_us": row.p95_us, "p99_us": row.p99_us}
        of = row.retrieval
        if of is not None:
            record |= {
                "ndcg": of.ndcg, "ndcg_low": of.ndcg_low, "ndcg_high": of.ndcg_high, "exact_ndcg": self.exact_ndcg,
                "ndcg_loss": of.loss, "ndcg_loss_low": of.loss_low, "ndcg_loss_high": of.loss_high,
                "relevant_lost": of.lost, "relevant_lost_low": of.lost_low, "relevant_lost_high": of.lost_high,
            }  # fmt: skip
        return record


def require(package: str, extra: str) -> None:
    """Raise an ImportError that says how to get an optional package, where it is missing."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise ImportError(f"{package} is not installed, which this needs; pip install 'vecrecall[{extra}]'")


def _save(path: str | os.PathLike[str], content: bytes) -> None:
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(content)


def _percents(share: float, low: float, high: float) -> str:
    return "-" if isnan(share) else f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
