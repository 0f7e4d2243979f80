"""Estimates of dimension as they are told: each with its method, k and n, never as *the* dimension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

from vecrecall.analysis.files import Path, csv_of, save
from vecrecall.analysis.gride import Scale
from vecrecall.analysis.neighbouring.compared import Doubles

Key = str | tuple[str, int]


@dataclass(frozen=True, eq=False, repr=False)
class Dimension:
    """What one method says.

    Attributes
    ----------
    method : {"mle", "mom", "twonn", "gride", "lpca"}
    convention : str or None
        Of the numerator, for "mle".
    value : float
        The method's customary figure, NaN where nothing is defined.
    summary : str
        What that is: "harmonic mean", "mean", ...
    interval : tuple of float
        Ends of a 95 % interval of `value` over sets of rows like this one: see `vecrecall.analysis.dimension`.
    mean, harmonic, median : float
        Of the pointwise values that are defined, each distinct row once; NaN for a method without any.
    pointwise : ndarray of float64, shape (n,), or None
        A value for each row, equal rows the same, NaN where undefined. None: the method has none.
    curve : tuple of Scale
        For "gride": an estimate at each scale, as (n1, radius, estimate, standard_error, n_used).
    k : int
        Neighbours that were looked at: fewer than asked for, where there were not so many.
    n : int
        Rows of the matrix.
    n_duplicates : int
        Rows that are equal to an earlier one.
    n_undefined : int
        Rows without a pointwise value; for a method without any, those that add nothing to the estimate.
    metric, duplicates : str
        As asked for.
    neighbours : {"exact", "approximate", "given"}
    recall : float or None
        Share of the true neighbours that those which were not exact hold, on some rows.
    error, pointwise_error : float or None
        On the same rows: by how much `value` is too large, and the median of how far pointwise values are off, both
        relative.
    """

    method: str
    convention: str | None
    value: float
    summary: str
    interval: tuple[float, float]
    mean: float
    harmonic: float
    median: float
    pointwise: Doubles | None
    curve: tuple[Scale, ...]
    k: int
    n: int
    n_duplicates: int
    n_undefined: int
    metric: str
    duplicates: str
    neighbours: str
    recall: float | None
    error: float | None
    pointwise_error: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return all but the pointwise values by name; the curve as a list of dicts."""
        names = [name for name in self.__dataclass_fields__ if name not in ("pointwise", "interval", "curve")]
        record = {name: getattr(self, name) for name in names}
        low, high = self.interval
        return record | {"low": low, "high": high, "curve": [scale._asdict() for scale in self.curve]}

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return "\n".join([f"Dimension: {self._figures()}", *self._scales(), _facts(self)])

    def _figures(self) -> str:
        low, high = self.interval
        others = ", ".join(f"{name} {getattr(self, name):.4g}" for name in ("mean", "harmonic", "median"))
        convention = f" ({self.convention})" if self.convention else ""
        figure = f"{self.value:.4g} by {self.method}{convention}, k={self.k}, n={self.n:,} ({self.summary}"
        return f"{figure}, 95 % {low:.4g} to {high:.4g})" + ("" if isnan(self.mean) else f"; {others}")

    def _scales(self) -> list[str]:
        return [f"n1={s.n1}: {s.estimate:.4g} +- {s.standard_error:.2g}, radius {s.radius:.4g}" for s in self.curve]


class Dimensions(Mapping[Key, Dimension]):
    """What several methods say, by name, or by (name, k) where a method was asked for several k.

    All of them stand on the same neighbours.
    """

    def __init__(self, by_key: dict[Key, Dimension]) -> None:
        self._by_key = by_key

    def __getitem__(self, key: Key) -> Dimension:
        if key not in self._by_key:
            raise KeyError(f"no estimate {key!r}; there are {', '.join(map(repr, self._by_key))}")
        return self._by_key[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return a flat record for each estimate: all but pointwise values and curves (see `scales`)."""
        records = [each.as_dict() for each in self.values()]
        return [{name: value for name, value in record.items() if name != "curve"} for record in records]

    def scales(self) -> list[dict[str, Any]]:
        """Return a record for each scale of GRIDE's curve."""
        return [scale._asdict() for each in self.values() for scale in each.curve]

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, one row an estimate."""
        from pandas import DataFrame

        return DataFrame(self.as_dicts())

    def to_csv(self, path: Path) -> None:
        """Write the table as CSV; the old file or the new one is there, never half."""
        save(path, csv_of(self.as_dicts()))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return (headings, a line of words for each estimate)."""
        headings = ["method", "k", "value", "which is the", "95 % interval", "mean", "harmonic", "median", "undefined"]
        lines = [_line(each) for each in self.values()]
        if any(each.error is not None for each in self.values()):
            headings.append("error")
            for line, each in zip(lines, self.values()):
                line.append("" if each.error is None else f"{each.error:+.2%}")
        return headings, lines

    def headline(self) -> str:
        """Return what all estimates stand on, in a sentence."""
        return _facts(next(iter(self.values())), shared=True)

    def __repr__(self) -> str:
        headings, lines = self.table()
        widths = [max(map(len, column)) for column in zip(headings, *lines)]
        table = ["  ".join(word.rjust(width) for word, width in zip(line, widths)) for line in (headings, *lines)]
        curve = [f"GRIDE at {line}" for each in self.values() for line in each._scales()]
        return "\n".join([f"Dimensions: {self.headline()}", *table, *curve])


def _line(each: Dimension) -> list[str]:
    figures = (each.mean, each.harmonic, each.median)
    method = each.method + (f" ({each.convention})" if each.convention else "")
    low, high = each.interval
    return [
        method, str(each.k), f"{each.value:.4g}", each.summary, f"{low:.4g} to {high:.4g}",
        *("" if isnan(figure) else f"{figure:.4g}" for figure in figures), f"{each.n_undefined:,}",
    ]  # fmt: skip


def _facts(each: Dimension, shared: bool = False) -> str:
    """What an estimate stands on; `shared` by several."""
    words = f"n={each.n:,}, " if shared else ""
    words += f"metric {each.metric}, {each.neighbours} neighbours"
    if each.recall is not None:
        words += f" of recall {each.recall:.4f}"
        if not shared and each.error is not None:
            words += f", by which the value is {each.error:+.2%} off"
    words += f", {each.n_duplicates:,} duplicates ({_FATE[each.duplicates]})"
    return words if shared else f"{words}, {each.n_undefined:,} undefined"


_FATE = {"merge": "merged", "drop": "not counted as neighbours", "keep": "kept", "error": "refused"}
