"""What an examination found: the figures, the faults among them, and a verdict."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vecrecall.analysis.doctor.asking import Questions
from vecrecall.analysis.doctor.measuring import Recalls
from vecrecall.analysis.doctor.patients import Patient
from vecrecall.analysis.health import Health
from vecrecall.analysis.self_recall import SelfRecall

if TYPE_CHECKING:
    from vecrecall.analysis.doctor.repair import Repair

TARGETS = (0.95, 0.99)  # recalls that an ef is told for


@dataclass(frozen=True)
class Finding:
    """Something that a rule found.

    Attributes
    ----------
    name : str
        What it is, in a few words; the same for the same rule.
    severity : {"fault", "advice"}
        A fault costs answers; advice is about what is merely worth knowing.
    text : str
        It, with the figures.
    remedy : str
        What to do.
    """

    name: str
    severity: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Copies:
    """Rows that are equal to others.

    Attributes
    ----------
    n : int
        Rows equal to an earlier one.
    largest : int
        Rows of the largest group of equal ones.
    """

    n: int
    largest: int


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """An index, examined; made by :func:`vecrecall.doctor`. Its repr is a report.

    Attributes
    ----------
    source : str
        The path, or what was in memory.
    library : {"vecrecall", "hnswlib", "faiss"}
        Who built it.
    n, n_deleted, dim : int
        Vectors, those that are marked as deleted among them; dimensions.
    metric : {"l2", "ip", "cosine"}
    M, ef_construction, k : int
    health : Health or None
        Degrees, reachability, components, lengths of links, self-recall; see :func:`vecrecall.analysis.graph`. Deleted
        nodes are part of the graph, and ask for nothing. None while every search compares all rows.
    self_recall : SelfRecall or None
        Rows that find themselves, none of them deleted. None where codes alone are held.
    recalls : Recalls or None
        Recall of the queries at a ladder of efs. None where codes alone are held.
    copies : Copies or None
        Equal rows, under cosine those of one direction. None where codes alone are held.
    n_repeated : int
        Rows whose label an earlier one has, which faiss allows.
    queries : str
        Which they are.
    findings : list of Finding
        Faults first.
    """

    source: str
    library: str
    n: int
    n_deleted: int
    dim: int
    metric: str
    M: int
    ef_construction: int
    k: int
    health: Health | None
    self_recall: SelfRecall | None
    recalls: Recalls | None
    copies: Copies | None
    n_repeated: int
    queries: str
    findings: list[Finding] = field(default_factory=list)
    patient: Patient = field(kw_only=True)
    questions: Questions = field(kw_only=True)

    @property
    def faults(self) -> list[Finding]:
        """The findings that cost answers."""
        return [finding for finding in self.findings if finding.severity == "fault"]

    @property
    def healthy(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    @cached_property
    def verdict(self) -> str:
        """The result in one sentence."""
        from vecrecall.analysis.doctor.words import verdict_of

        return verdict_of(self)

    @cached_property
    def ef_for(self) -> dict[float, int | None]:
        """The least ef measured whose whole interval reaches recall 0.95, and 0.99; None where none does."""
        return {target: None if self.recalls is None else self.recalls.ef_for(target) for target in TARGETS}

    @cached_property
    def recall(self) -> list[dict[str, float]]:
        """A record for each ef of the ladder: ``ef``, ``recall``, ``low``, ``high``, ``evals``, ``hops``, ``nothing``.

        Intervals are of 95 %, ``evals`` and ``hops`` means of a query; ``nothing`` is the share of the queries that
        found none of their neighbours.
        """
        return [] if self.recalls is None else [self.recalls.record(ef) for ef in self.recalls.efs]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return (headings, a line of words for each ef that was asked for or is suggested)."""
        from vecrecall.analysis.doctor.words import recall_table

        return recall_table(self)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, text, lists and dicts, as JSON takes them; arrays by row are left out."""
        recall = self.self_recall
        names = ("source", "library", "n", "n_deleted", "dim", "metric", "M", "ef_construction", "k", "n_repeated")
        return {
            **{name: getattr(self, name) for name in names},
            "graph": None if self.health is None else self.health.as_dict(),
            "copies": None if self.copies is None else asdict(self.copies),
            "self_recall": [] if recall is None else recall.shares,
            "queries": self.queries, "recall": self.recall,
            "ef_for": {f"{target:g}": ef for target, ef in self.ef_for.items()},
            "findings": [asdict(finding) for finding in self.findings], "healthy": self.healthy,
            "verdict": self.verdict,
        }  # fmt: skip

    def fix(
        self, out: str | os.PathLike[str], *, format: str | None = None, ef_construction: int | None = None,
        force: bool = False, seed: int = 0, threads: int | None = None, progress: bool = False,
    ) -> Repair:  # fmt: skip
        """Write an index of the same vectors with another graph, and examine that as this one was.

        The graph is built in a random order, whatever the order was that the vectors came in, and refined.

        Parameters
        ----------
        out : path-like
            The file to write. What was examined is never changed.
        format : {"vecrecall", "hnswlib"}, optional
            Default: the format of the source, and that of this library for an index of faiss. In hnswlib's, vectors,
            labels, deleted marks and room are kept as they are, and hnswlib loads it as it loaded the old one. In that
            of this library deleted rows are left out, and rows are walked as codes, as ``HNSW.build`` does by itself.
        ef_construction : int, optional
            Default: that of the source.
        force : bool, default False
            Replace `out` if it is there.
        seed : int, default 0
            Of the order and the levels.
        threads : int, optional
            Default: all that the process may use. The file is the same for any number.
        progress : bool, default False
            Show progress bars on a terminal.

        Returns
        -------
        Repair
            Both examinations, side by side in its repr. It tells what was measured, for better or worse.

        Raises
        ------
        ValueError
            If `out` is the source or there already, or the format cannot hold what is there: labels that occur twice
            or are words or negative; if no vectors are held, for hnswlib; if there is no graph to mend.
        OSError
            As the operating system says; no file is left half written.

        Notes
        -----
        An index of this library is built again with its own parameters, but by the parallel schedule; one that keeps no
        vectors is refined, on its codes. Memory: the vectors twice, and that of a build.
        """
        from vecrecall.analysis.doctor.repair import repaired

        return repaired(
            self, out, format=format, ef_construction=ef_construction, force=force, seed=seed, threads=threads,
            progress=progress,
        )  # fmt: skip

    def __repr__(self) -> str:
        from vecrecall.analysis.doctor.words import in_words

        return in_words(self)
