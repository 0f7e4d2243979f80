"""The result of a study: tables, files, pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from vecrecall.analysis.files import Path, csv_of, parquet_of, save
from vecrecall.analysis.studying import tables
from vecrecall.analysis.studying.arguments import as_evals
from vecrecall.analysis.studying.engines import NAMES
from vecrecall.analysis.studying.equal_evals import chosen_levels
from vecrecall.analysis.studying.findings import RANDOM, Finding, Graphs, Point, Way
from vecrecall.analysis.studying.measuring import Measured
from vecrecall.analysis.studying.packed import Header
from vecrecall.analysis.studying.record import read_records
from vecrecall.inputs import as_choice, as_count, as_number, as_seed
from vecrecall.intervals import as_level
from vecrecall.measure.findings import require

TABLES = ("orders", "seeds", "lid", "spreads")
_ALIKE = 1.1  # an engine that takes more evaluations at its smallest ef does not shift the levels of the others


class Study:
    """Recall by insertion order, engine and parameters; made by :func:`vecrecall.analysis.study` or :meth:`read`.

    Attributes
    ----------
    name : str
        Of the data, as given.
    n, dim, n_queries, k : int
    metric : {"l2", "ip", "cosine"}
    engines, orders : tuple of str
    efs : tuple of int
        Efs that recall is reported at.
    evals : tuple of float
        Numbers of evaluations that it is reported at: equal ones for all.
    level : float
        Of all intervals.
    lid : float
        Mean local intrinsic dimension of the queries (maximum likelihood, from the nearest 100 rows).
    """

    def __init__(
        self, header: Header, measured: Sequence[Measured], *, evals: Iterable[float] | float | None = None,
        level: float = 0.95, seed: int = 0,
    ) -> None:  # fmt: skip
        if not measured:
            raise ValueError("the study holds no graph yet; let it run on")
        self.level, self._seed = as_level(level), as_seed(seed)
        self._header, self._graphs = header, Graphs(header, list(measured))
        self.name, self.metric = header.name, header.metric
        self.n, self.dim, self.n_queries, self.k = header.n, header.dim, header.n_queries, header.k
        self.engines = tuple(dict.fromkeys(way.engine for way in self._graphs.ways))
        self.orders, self.efs = self._graphs.orders, header.efs
        self.evals = self._suitable_evals() if evals is None else as_evals(evals)

    @classmethod
    def read(
        cls, *paths: Path, evals: Iterable[float] | float | None = None, level: float = 0.95, seed: int = 0
    ) -> Study:
        """Read one record or more of one study, such as those of several processes that shared its engines.

        Parameters
        ----------
        *paths : path-like
            As given for ``record=``. A graph that several hold is taken from the first. Engines that have a name
            stand in the order of that list.
        evals, level, seed :
            As of :func:`vecrecall.analysis.study`.

        Raises
        ------
        DataFileError, ValueError, OSError
            For files that are no records, damaged, of different studies, or hold no graph yet.
        """
        header, measured = read_records(paths)
        place = {name: number for number, name in enumerate(NAMES)}  # whichever process was the first to write
        measured = sorted(measured, key=lambda each: place.get(each.cell.engine, len(NAMES)))
        return cls(header, measured, evals=evals, level=level, seed=seed)

    @property
    def points(self) -> list[Point]:
        """Where recall is looked at: the efs, then the numbers of evaluations."""
        return [*(Point(ef=ef) for ef in self.efs), *(Point(evals=evals) for evals in self.evals)]

    @cached_property
    def rows(self) -> list[Finding]:
        """A `Finding` for each engine with its parameters, point and order."""
        return self._graphs.findings(self.points, self.level, self._seed)

    @property
    def lid(self) -> float:
        known = self._header.lid[np.isfinite(self._header.lid)]
        return float(known.mean()) if len(known) else float("nan")

    def as_dicts(self, table: str = "orders") -> list[dict[str, Any]]:
        """Return a table as flat records.

        Parameters
        ----------
        table : {"orders", "seeds", "lid", "spreads"}
            "orders": over the seeds, with intervals and paired differences to random order. "seeds": each graph by
            itself. "lid": by tenth of the queries' own LID. "spreads": the smallest and the largest recall of all
            orders. In each, ``ef`` or ``evals`` says where recall was looked at, the other is None; ``difference`` is
            a share, not points; NaN is what there is not.
        """
        as_choice(table, "table", TABLES)
        if table == "orders":
            return tables.records_by_order(self._graphs, self.rows)
        if table == "spreads":
            return tables.records_of_spreads(self._graphs, self.rows)
        if table == "seeds":
            return tables.records_by_seed(self._graphs, self.points)
        return [record for point in self.points for record in self._graphs.by_lid(point, self.level, self._seed)]

    def to_pandas(self, table: str = "orders") -> Any:
        """Return a table as a pandas DataFrame."""
        from pandas import DataFrame

        return DataFrame(self.as_dicts(table))

    def to_csv(self, path: Path, table: str = "orders") -> None:
        """Write a table as CSV; the old file or the new one is there, never half."""
        save(path, csv_of(self.as_dicts(table)))

    def to_parquet(self, path: Path, table: str = "orders") -> None:
        """Write a table as Parquet, by pyarrow; the old file or the new one is there, never half.

        Raises
        ------
        ImportError
            Where pyarrow is not installed.
        """
        save(path, parquet_of(self.as_dicts(table)))

    def table(
        self, *, engine: str | None = None, ef: int | None = None, evals: float | None = None, M: int | None = None,
        ef_construction: int | None = None,
    ) -> str:  # fmt: skip
        """Return a table of recall as Markdown, orders down.

        Parameters
        ----------
        engine : str, optional
            All points of one engine across, and its degrees; with M and ef_construction, where the study has several.
        ef : int, optional
            In place of engine: all engines across, at one ef.
        evals : float, optional
            In place of engine: at a number of evaluations, one of ``evals``.

        Returns
        -------
        str
            Cells such as "0.8545 (+2.48: +2.00..+3.00)": recall, and the difference to random order in points with
            its interval; of random order the standard deviation over seeds.
        """
        given = [name for name, value in (("engine", engine), ("ef", ef), ("evals", evals)) if value is not None]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given) or 'nothing'} was given, expected one of engine, ef and evals")
        if engine is not None:
            return tables.markdown_of_way(self._graphs, self.rows, self._way(engine, M, ef_construction))
        if M is not None or ef_construction is not None:
            raise ValueError("M or ef_construction was given without engine; all are shown side by side")
        point = Point(ef=ef, evals=None if evals is None else as_number(evals, "evals"))
        if point not in self.points:
            raise ValueError(f"there is no {point} in this study, expected one of {', '.join(map(str, self.points))}")
        return tables.markdown_at(self._graphs, self.rows, point)

    def spreads(self) -> str:
        """Return, as Markdown, the smallest and the largest recall of all orders, by engine and point."""
        return tables.markdown_of_spreads(self._graphs, self.rows, self.points)

    def gaps(self, engine: str, other: str) -> list[dict[str, Any]]:
        """Compare what orders do to two engines.

        Parameters
        ----------
        engine, other : str
            Each of one set of parameters.

        Returns
        -------
        list of dict
            For each point and order but random: ``difference`` of the engine to its random order and
            ``other_difference`` of the other to its own, and ``gap``, the first less the second, with its interval
            ``gap_low``, ``gap_high`` over the queries: an interval that holds 0 says that both show the same effect.
        """
        ways = self._way(engine, None, None), self._way(other, None, None)
        return list(self._graphs.gaps(*ways, self.points, self.level, self._seed))

    def plot(self, path: Path, *, differences: bool = False, ef: int | None = None) -> None:
        """Draw recall by order with intervals, at equal ef beside equal evaluations; by matplotlib.

        Parameters
        ----------
        path : path-like
            Of a suffix that matplotlib knows: ".svg", ".pdf", ".png".
        differences : bool, default False
            Draw differences to random order, in points, in place of recall.
        ef : int, optional
            Draw this ef only, and the evaluations that the first engine takes there.

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        ValueError
            For a suffix that it does not know.
        """
        require("matplotlib", "plot")
        from vecrecall.analysis.studying.drawing import drawn_orders

        efs = self.efs if ef is None else (self._known_ef(ef),)
        save(path, drawn_orders(self, os.fspath(path), differences, efs))

    def plot_lid(self, path: Path, *, ef: int | None = None, engine: str | None = None) -> None:
        """Draw recall by tenth of the queries' own LID, a panel an engine, a line an order; by matplotlib.

        Parameters
        ----------
        path : path-like
            As of :meth:`plot`.
        ef : int, optional
            Default: the smallest of the study.
        engine : str, optional
            Draw this engine only.
        """
        require("matplotlib", "plot")
        from vecrecall.analysis.studying.drawing import drawn_deciles

        point = Point(ef=self.efs[0] if ef is None else self._known_ef(ef))
        if engine is not None:
            as_choice(engine, "engine", self.engines)
        ways = [way for way in self._graphs.ways if engine in (None, way.engine)]
        save(path, drawn_deciles(self, os.fspath(path), point, ways))

    @staticmethod
    def plot_dimension(
        studies: Mapping[float, Study] | Iterable[Study], path: Path, *, engine: str | None = None
    ) -> None:
        """Draw recall against intrinsic dimension, a panel an ef, a line an order; by matplotlib.

        Parameters
        ----------
        studies : mapping of float to Study, or iterable of Study
            By dimension, where it is known, as of synthetic sets; else the mean LID of the queries is taken.
        path : path-like
            As of :meth:`plot`.
        engine : str, optional
            Default: the first of the first study.
        """
        require("matplotlib", "plot")
        from vecrecall.analysis.studying.drawing import drawn_dimensions

        pairs = list(studies.items()) if isinstance(studies, Mapping) else [(each.lid, each) for each in studies]
        if len(pairs) < 2:
            raise ValueError(f"{len(pairs)} studies were given, expected two or more, one for each set of vectors")
        save(path, drawn_dimensions(pairs, os.fspath(path), engine or pairs[0][1].engines[0]))

    def headline(self) -> str:
        """Return what was studied, in a line."""
        name = f"{self.name}: " if self.name else ""
        lid = "" if np.isnan(self.lid) else f", mean LID of the queries {self.lid:.1f}"
        return (
            f"{name}{self.n:,} vectors of {self.dim} dimensions, metric {self.metric}; {self.n_queries:,} queries, "
            f"recall@{self.k}, intervals of {100 * self.level:g} %{lid}"
        )

    def __repr__(self) -> str:
        words = [f"Study of {self.headline()}"]
        for way in self._graphs.ways:
            words += ["", str(way), tables.markdown_of_way(self._graphs, self.rows, way)]
        return "\n".join(words)

    def _known_ef(self, ef: int) -> int:
        if as_count(ef, "ef") not in self.efs:
            raise ValueError(f"ef is {ef}, expected one of the study's: {', '.join(map(str, self.efs))}")
        return ef

    def _way(self, engine: str, M: int | None, ef_construction: int | None) -> Way:
        found = [
            way for way in self._graphs.ways
            if way.engine == engine and M in (None, way.M) and ef_construction in (None, way.ef_construction)
        ]  # fmt: skip
        if len(found) != 1:
            asked = f"engine={engine!r}, M={M}, ef_construction={ef_construction}"
            raise ValueError(
                f"{asked} fits {len(found)} of the ways to build, expected one of "
                f"{'; '.join(map(str, self._graphs.ways))}"
            )
        return found[0]

    def _suitable_evals(self) -> tuple[float, ...]:
        """Levels out of the first way that has random order and shows evaluations, for all that take about as many."""
        graphs, places = self._graphs, [self._header.ladder.index(ef) for ef in self.efs]
        ladders = {
            way: [graph.evals for order in graphs.orders_of(way) for graph in graphs.of(way, order)]
            for way in graphs.ways
        }
        shown = [way for way, every in ladders.items() if np.isfinite(every).all()]
        if not shown:
            return ()
        first = next((way for way in shown if graphs.of(way, RANDOM)), shown[0])
        reference = [graph.evals for graph in graphs.of(first, RANDOM)] or ladders[first]
        most = _ALIKE * np.max(ladders[first], axis=0)[0]
        alike = [every for every in (ladders[way] for way in shown) if np.max(every, axis=0)[0] <= most]
        return chosen_levels(reference, places, [evals for every in alike for evals in every])
