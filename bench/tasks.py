"""Tasks: which peers are measured on which data, with which builds and settings. A task is a TOML file.

::

    k = 10
    queries = 2000                  # half of them choose the settings, the other half are timed
    rounds = 5
    modes = ["batch", "single"]     # one call with all queries; one call a query; "100": calls of 100 queries
    data = ["fashion-mnist-784"]

    [[peer]]
    name = "hnswlib"                # a name of bench/peers
    build = [{ M = 16 }, { M = 24 }]
    search = { ef = [10, 20, 40] }  # every combination of the lists
    only = ["fashion-mnist-784"]    # optional: data sets that it is measured on; default: those of its kind
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent / "tasks"
MODES = ("batch", "single")  # beside numbers of queries in a call


def is_mode(mode: str) -> bool:
    """Whether a mode is known: one of `MODES`, or a number of queries above 1."""
    return mode in MODES or (mode.isdecimal() and int(mode) > 1)


@dataclass(frozen=True)
class Entry:
    """A peer with its grids."""

    name: str
    builds: tuple[dict[str, Any], ...]
    settings: tuple[dict[str, Any], ...]
    only: tuple[str, ...] = ()

    @property
    def ascends(self) -> bool:
        """Whether there is one setting, and its values ascend: then recall does, too."""
        values = [value for setting in self.settings for value in setting.values()]
        return all(len(setting) == 1 for setting in self.settings) and values == sorted(values)

    def takes(self, data: str) -> bool:
        """Whether it is measured on a set."""
        return not self.only or data in self.only


@dataclass(frozen=True)
class Task:
    """What is to be run."""

    name: str
    text: str  # of the file, kept in the record
    data: tuple[str, ...]
    entries: tuple[Entry, ...]
    k: int = 10
    n_queries: int = 2_000
    n_rounds: int = 5
    n_threads: int = 1
    modes: tuple[str, ...] = MODES
    lowest: float = 0.85  # settings below this recall are not timed, but for the best of them
    build_limit_s: float = 1_800


KEYS = {
    "data": "data", "k": "k", "queries": "n_queries", "rounds": "n_rounds", "threads": "n_threads", "modes": "modes",
    "lowest": "lowest", "build_limit_s": "build_limit_s",
}  # fmt: skip


def product(grid: dict[str, list[Any]]) -> tuple[dict[str, Any], ...]:
    """Every combination of the values of a grid."""
    return tuple(dict(zip(grid, values)) for values in itertools.product(*grid.values()))


def parse(name: str, text: str) -> Task:
    """The task that a text describes."""
    content = tomllib.loads(text)
    entries = []
    for peer in content.pop("peer", []):
        if "name" not in peer:
            raise ValueError(f"task {name}: peer {len(entries) + 1} has no name; `python -m bench peers` lists them")
        if unknown := set(peer) - {"name", "build", "search", "only"}:
            raise ValueError(f"task {name}: peer {peer.get('name')} has the unknown key {min(unknown)!r}")
        grids = peer.get("search", {})
        settings = [s for grid in (grids if isinstance(grids, list) else [grids]) for s in product(grid)]
        entries.append(
            Entry(peer["name"], tuple(peer.get("build", [{}])), tuple(settings), tuple(peer.get("only", [])))
        )
    if unknown := set(content) - set(KEYS):
        raise ValueError(f"task {name} has the unknown key {min(unknown)!r}; there are peer, {', '.join(KEYS)}")
    content |= {"modes": [str(mode) for mode in content.get("modes", MODES)]}
    least = {"k": 1, "queries": 4, "rounds": 1, "threads": 1}
    for key, fewest in least.items():
        if key in content and (type(content[key]) is not int or content[key] < fewest):
            raise ValueError(f"task {name} has {key} = {content[key]!r}, expected a whole number, {fewest} or more")
    values = {KEYS[key]: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    if wrong := [mode for mode in values.get("modes", MODES) if not is_mode(str(mode))]:
        raise ValueError(f"task {name} has the mode {wrong[0]!r}, expected {', '.join(MODES)} or a number above 1")
    if not entries or not values.get("data"):
        raise ValueError(f"task {name} names no {'peer' if values.get('data') else 'data'}; see bench/tasks.py")
    return Task(name=name, text=text, entries=tuple(entries), **values)


def read(name: str) -> Task:
    """A task of the folder bench/tasks by its name, or any file by its path."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.toml")))
        raise FileNotFoundError(f"there is no task {path}; give one of {known}, or the path of a TOML file")
    return parse(path.stem, path.read_text(encoding="utf-8"))
