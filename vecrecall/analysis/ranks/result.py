"""What approximate search does to a ranking of models: tables, files, a picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.analysis.files import Path, csv_of, parquet_of, save
from vecrecall.analysis.ranks.judged import Judged
from vecrecall.analysis.resampling import Resamples
from vecrecall.analysis.studying.tables import markdown
from vecrecall.intervals import bootstrap
from vecrecall.measure.findings import require

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """One model at one ef. Every ``_low`` and ``_high`` are the ends of an interval over the queries.

    Attributes
    ----------
    model : str
    dim, ef : int
    ndcg_exact, ndcg : float
        nDCG@k of exact search, and of the answers at the ef.
    loss : float
        Share of the nDCG of exact search that is missing; negative where approximate answers happen to be better.
    recall : float
        recall@k, by distance.
    lost : float
        Share of the relevant answers among the k of exact search that are not found. NaN where it has none.
    rank_exact, rank : int
        Place of the model by nDCG, 1 the best; equal ones share the better place.
    moved : int
        Places towards the top, negative towards the bottom: rank_exact - rank.
    p_moved : float
        Share of the resamples of the queries in which the two ranks differ.
    """

    model: str
    dim: int
    ef: int
    ndcg_exact: float
    ndcg_exact_low: float
    ndcg_exact_high: float
    ndcg: float
    ndcg_low: float
    ndcg_high: float
    loss: float
    loss_low: float
    loss_high: float
    recall: float
    recall_low: float
    recall_high: float
    lost: float
    lost_low: float
    lost_high: float
    rank_exact: int
    rank_exact_low: int
    rank_exact_high: int
    rank: int
    rank_low: int
    rank_high: int
    moved: int
    moved_low: int
    moved_high: int
    p_moved: float


class RankShift:
    """How HNSW in place of exact search ranks models; made by :func:`vecrecall.analysis.rank_shift`.

    Attributes
    ----------
    rows : list of Shift
        For each ef, models from the best by exact search.
    models : tuple of str
        The best by exact search first.
    efs : tuple of int
    k, n, n_queries, n_judged, n_seeds : int
    engine : str
    level : float
        Of all intervals.
    """

    def __init__(
        self, judged: list[Judged], efs: tuple[int, ...], *, k: int, n: int, n_seeds: int, engine: str, level: float,
        seed: int,
    ) -> None:  # fmt: skip
        self.efs, self.k, self.n, self.n_seeds, self.engine, self.level = efs, k, n, n_seeds, engine, level
        self.n_queries, self.n_judged = judged[0].recall.shape[1], len(judged[0].exact)
        self.rows = _shifts(judged, efs, level, seed)
        self.models = tuple(row.model for row in self.rows if row.ef == efs[0])

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return a flat record for each model and ef."""
        return [asdict(row) for row in self.rows]

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, one row a model and ef."""
        from pandas import DataFrame

        return DataFrame(self.as_dicts())

    def to_csv(self, path: Path) -> None:
        """Write the table as CSV; the old file or the new one is there, never half."""
        save(path, csv_of(self.as_dicts()))

    def to_parquet(self, path: Path) -> None:
        """Write the table as Parquet, by pyarrow; the old file or the new one is there, never half.

        Raises
        ------
        ImportError
            Where pyarrow is not installed.
        """
        save(path, parquet_of(self.as_dicts()))

    def table(self) -> str:
        """Return the ranking as Markdown: exact nDCG, then by ef nDCG, loss, recall and relevant answers lost."""
        of_ef: dict[str, Callable[[Shift], str]] = {
            "nDCG": lambda row: f"{row.ndcg:.4f} ({-100 * row.loss:+.1f} %)",
            "recall": lambda row: f"{row.recall:.3f}",
            "relevant lost": lambda row: "-" if isnan(row.lost) else f"{100 * row.lost:.1f} %",
        }
        ranks = " / ".join(["exact", *map(str, self.efs)])
        headings = [
            "model", f"exact nDCG@{self.k}", *(f"ef = {ef}: {name}" for ef in self.efs for name in of_ef),
            f"rank {ranks}", "rank moves in",
        ]  # fmt: skip
        lines = []
        for model in self.models:
            own = [row for row in self.rows if row.model == model]
            first = own[0]
            lines.append([
                model, f"{first.ndcg_exact:.4f} ({first.ndcg_exact_low:.4f}..{first.ndcg_exact_high:.4f})",
                *(words(row) for row in own for words in of_ef.values()),
                " / ".join(str(rank) for rank in (first.rank_exact, *(row.rank for row in own))),
                " / ".join(f"{100 * row.p_moved:.0f} %" for row in own),
            ])  # fmt: skip
        return markdown(headings, lines)

    def plot(self, path: Path) -> None:
        """Draw the ranks by exact search and at each ef, and the nDCG behind them with intervals; by matplotlib.

        Parameters
        ----------
        path : path-like
            Of a suffix that matplotlib knows: ".svg", ".pdf", ".png".

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        ValueError
            For a suffix that it does not know.
        """
        require("matplotlib", "plot")
        from vecrecall.analysis.ranks.drawing import drawn_ranks

        save(path, drawn_ranks(self, os.fspath(path)))

    def headline(self) -> str:
        """Return what was compared, in a line."""
        return (
            f"{len(self.models)} models of {self.n:,} rows, {self.n_judged:,} of {self.n_queries:,} queries judged; "
            f"{self.engine}, {self.n_seeds} {'seed' if self.n_seeds == 1 else 'seeds'}, intervals of "
            f"{100 * self.level:g} %"
        )

    def __repr__(self) -> str:
        return f"Ranks of {self.headline()}\n{self.table()}"


def _shifts(judged: list[Judged], efs: tuple[int, ...], level: float, seed: int) -> list[Shift]:
    """A row for each ef and model, the best by exact search first."""
    resamples = Resamples(len(judged[0].exact), seed=seed)
    of_exact = np.stack([model.exact for model in judged], axis=1)
    exact, drawn_exact = ranks_of(of_exact.mean(axis=0)), ranks_of(resamples.means(of_exact))
    best_first = sorted(range(len(judged)), key=lambda at: exact[at])
    rows = []
    for place, ef in enumerate(efs):
        of_ef = np.stack([model.approximate[place] for model in judged], axis=1)
        ranks, drawn = ranks_of(of_ef.mean(axis=0)), ranks_of(resamples.means(of_ef))
        for at in best_first:
            placed = {
                **_ranked("rank_exact", exact[at], drawn_exact[:, at], level),
                **_ranked("rank", ranks[at], drawn[:, at], level),
                **_ranked("moved", exact[at] - ranks[at], drawn_exact[:, at] - drawn[:, at], level),
                "p_moved": float((drawn_exact[:, at] != drawn[:, at]).mean()),
            }
            rows.append(_shift(judged[at], place, ef, level, seed, placed))
    return rows


def _shift(model: Judged, place: int, ef: int, level: float, seed: int, placed: dict[str, Any]) -> Shift:
    missing, ones = model.exact - model.approximate[place], np.ones(len(model.exact))
    parts = {  # each a ratio of two sums over queries
        "ndcg_exact": (model.exact, ones),
        "ndcg": (model.approximate[place], ones),
        "loss": (missing, model.exact),
        "recall": (model.recall[place], np.ones(model.recall.shape[1])),
        "lost": (model.n_lost[place], model.n_relevant),
    }
    figures: dict[str, float] = {}
    for name, (part, whole) in parts.items():
        figures[name] = float(part.sum() / whole.sum()) if whole.sum() else float("nan")
        figures[f"{name}_low"], figures[f"{name}_high"] = bootstrap(part, level, wholes=whole, seed=seed)
    return Shift(**{field.name: figures.get(field.name, placed.get(field.name)) for field in fields(Shift)}
                 | {"model": model.name, "dim": model.dim, "ef": ef})  # type: ignore[arg-type] # fmt: skip


def ranks_of(values: Doubles) -> NDArray[np.int64]:
    """Places along the last axis, 1 the greatest; equal values share the better place.

    >>> ranks_of(np.array([0.1, 0.4, 0.4, 0.2])).tolist()
    [4, 1, 1, 3]
    """
    return 1 + (values[..., None, :] > values[..., :, None]).sum(axis=-1)


def _ranked(name: str, value: Any, drawn: NDArray[np.int64], level: float) -> dict[str, int]:
    """A whole number, and the interval of its resamples."""
    ends = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2), method="inverted_cdf")
    return {name: int(value), f"{name}_low": int(ends[0]), f"{name}_high": int(ends[1])}
