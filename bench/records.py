"""The record of a run: one SQLite file that holds whatever was measured, written as it is measured.

Every repeat is kept, and the raw ids and distances that peers returned. A run that was killed goes on where its record
ends. What is here was not interpreted yet: recall is computed from it by `bench.judge`.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

APPLICATION = 0x76726263  # of SQLite files that are records
SCHEMA = """
create table if not exists facts (name text primary key, value text);
create table if not exists built (
    number integer primary key, data text, peer text, build text, facts text, problem text,
    unique (data, peer, build));
create table if not exists answers (
    number integer primary key, built integer references built, setting text, half text, mode text,
    n integer, k integer, ids blob, distances blob, recall blob, faults text,
    unique (built, setting, half, mode));
create table if not exists times (
    answers integer references answers, round integer, total_ns integer, each_ns blob,
    unique (answers, round));
"""


COLUMNS = "number, built, setting, half, mode, n, k, ids, distances, recall, faults"


def canonical(value: Any) -> str:
    """JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a record against other runs, where the system has locks."""
    with path.with_name(path.name + ".lock").open("w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ValueError(f"another run is writing {path}; wait for it, or give another --out") from None
        yield


def refuse_foreign(path: Path) -> None:
    """Raise a ValueError for a file that is no record."""
    with path.open("rb") as file:
        head = file.read(100)
    if head[:15] != b"SQLite format 3" or int.from_bytes(head[68:72], "big") != APPLICATION:
        raise ValueError(f"{path} is no record of a run; name one that `run` wrote, or another --out")


def remove(path: Path) -> None:
    """Remove a record, if it is there, and what SQLite keeps beside it."""
    if path.exists():
        refuse_foreign(path)
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def packed(array: NDArray | None) -> bytes | None:
    """Bytes of an array, the kind of its values first; ids take 32 bits where these suffice, distances always."""
    if array is None:
        return None
    if array.dtype == np.int64 and (array.size == 0 or np.abs(array).max() < 2**31):
        array = array.astype(np.int32)
    return array.dtype.str.encode() + zlib.compress(np.ascontiguousarray(array).tobytes(), 1)


def unpacked(blob: bytes | None, shape: tuple[int, ...]) -> NDArray | None:
    """The array again; whole numbers as int64, others as float64."""
    if blob is None:
        return None
    values = np.frombuffer(zlib.decompress(blob[3:]), np.dtype(blob[:3].decode()))
    return values.reshape(shape).astype(np.int64 if values.dtype.kind == "i" else np.float64)


@dataclass(frozen=True)
class BuiltRow:
    """An index: its facts (see `bench.worker`), or the problem that kept it from being one."""

    number: int
    data: str
    peer: str
    build: dict[str, Any]
    facts: dict[str, Any]
    problem: str


@dataclass(frozen=True, eq=False)
class AnswersRow:
    """What an index returned at a setting: ids padded with -1, distances with NaN (None if it gave none)."""

    number: int
    built: int
    setting: dict[str, Any]
    half: str
    mode: str
    ids: NDArray[np.int64]
    distances: NDArray[np.float64] | None
    recall: NDArray[np.float64] | None  # by query, once judged
    faults: dict[str, float]


class Records:
    """A record file, open for reading and writing."""

    def __init__(self, path: Path) -> None:
        """Open a record, or begin one; refuse a file that is something else."""
        if path.exists() and path.stat().st_size:
            refuse_foreign(path)
        self.path = path
        self.base = sqlite3.connect(path, isolation_level=None)
        self.base.execute(f"pragma application_id = {APPLICATION}")
        self.base.execute("pragma journal_mode = wal")
        self.base.executescript(SCHEMA)

    @classmethod
    def existing(cls, path: Path) -> Records:
        """Open a record that is there."""
        if not path.is_file():
            raise FileNotFoundError(f"there is no record {path}; `python -m bench run TASK` writes one")
        refuse_foreign(path)
        return cls(path)

    def close(self) -> None:
        self.base.close()

    # facts

    def set_fact(self, name: str, value: Any) -> None:
        self.base.execute("insert or replace into facts values (?, ?)", (name, canonical(value)))

    def fact(self, name: str, default: Any = None) -> Any:
        row = self.base.execute("select value from facts where name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    # indexes

    def add_built(self, data: str, peer: str, build: dict[str, Any], facts: dict[str, Any], problem: str = "") -> int:
        """Note an index, or that there is none; replaces an earlier note."""
        key = (data, peer, canonical(build))
        self.base.execute(
            "insert into built (data, peer, build, facts, problem) values (?, ?, ?, ?, ?) "
            "on conflict (data, peer, build) do update set facts = excluded.facts, problem = excluded.problem",
            (*key, canonical(facts), problem),
        )
        query = "select number from built where (data, peer, build) = (?, ?, ?)"
        return int(self.base.execute(query, key).fetchone()[0])

    def built(self, data: str | None = None) -> list[BuiltRow]:
        where, values = ("where data = ?", (data,)) if data else ("", ())
        query = f"select number, data, peer, build, facts, problem from built {where} order by number"
        rows = self.base.execute(query, values)
        return [BuiltRow(n, d, p, json.loads(b), json.loads(f), problem) for n, d, p, b, f, problem in rows]

    def find_built(self, data: str, peer: str, build: dict[str, Any]) -> BuiltRow | None:
        found = [row for row in self.built(data) if row.peer == peer and canonical(row.build) == canonical(build)]
        return found[0] if found else None

    # answers and times

    def forget_answers(self, built: int) -> None:
        """Drop what an index answered, and when: it is built anew."""
        self.base.execute("delete from times where answers in (select number from answers where built = ?)", (built,))
        self.base.execute("delete from answers where built = ?", (built,))

    def add_answers(
        self, built: int, setting: dict[str, Any], half: str, mode: str, ids: NDArray, distances: NDArray | None
    ) -> int:
        """Keep what was returned the first time; its number. Distances are kept of the queries that are timed."""
        key = (built, canonical(setting), half, mode)
        ids = np.asarray(ids, np.int64)
        found = None if distances is None or half == "choosing" else np.asarray(distances, np.float32)
        self.base.execute(
            "insert or ignore into answers (built, setting, half, mode, n, k, ids, distances) values (?,?,?,?,?,?,?,?)",
            (*key, *ids.shape, packed(ids), packed(found)),
        )
        query = "select number from answers where (built, setting, half, mode) = (?, ?, ?, ?)"
        return int(self.base.execute(query, key).fetchone()[0])

    def answers(self, built: int, half: str) -> Iterator[AnswersRow]:
        query = f"select {COLUMNS} from answers where (built, half) = (?, ?) order by number"
        for row in self.base.execute(query, (built, half)).fetchall():
            yield self._answers(*row)

    def find_answers(self, built: int, setting: dict[str, Any], half: str, mode: str) -> AnswersRow | None:
        query = f"select {COLUMNS} from answers where (built, setting, half, mode) = (?, ?, ?, ?)"
        row = self.base.execute(query, (built, canonical(setting), half, mode)).fetchone()
        return None if row is None else self._answers(*row)

    @staticmethod
    def _answers(
        number: int, built: int, setting: str, half: str, mode: str, n: int, k: int, *blobs: Any
    ) -> AnswersRow:
        ids, distances, recall, faults = blobs
        return AnswersRow(
            number, built, json.loads(setting), half, mode, unpacked(ids, (n, k)),
            unpacked(distances, (n, k)), unpacked(recall, (n,)), json.loads(faults or "{}"),
        )  # fmt: skip

    def set_verdict(self, number: int, recall: NDArray[np.float64], faults: dict[str, float]) -> None:
        """Keep what `bench.judge` found."""
        self.base.execute(
            "update answers set recall = ?, faults = ? where number = ?", (packed(recall), canonical(faults), number)
        )

    def add_times(self, number: int, round_: int, each_ns: NDArray[np.int64] | None, total_ns: int) -> None:
        """Keep the times of a round: of all its calls together, and of each where there were several."""
        self.base.execute(
            "insert or replace into times values (?, ?, ?, ?)", (number, round_, int(total_ns), packed(each_ns))
        )

    def rounds_done(self, number: int) -> set[int]:
        return {r for (r,) in self.base.execute("select round from times where answers = ?", (number,))}

    def times(self, number: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64] | None]]:
        """(total of each round, times of each call by round)."""
        rows = self.base.execute(
            "select total_ns, each_ns from times where answers = ? order by round", (number,)
        ).fetchall()
        return np.array([total for total, _ in rows], np.int64), [unpacked(each, (-1,)) for _, each in rows]
