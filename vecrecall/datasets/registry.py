"""The registry: which sets of vectors there are, where they come from, and how one gets them."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vecrecall.inputs import as_choice, as_count

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_REGISTRY = Path(__file__).with_name("registry.toml")
_KINDS = ("download", "synthetic", "checkout")
_METRICS = ("l2", "ip", "cosine")
_FORMATS = ("hdf5", "csr", "npz", "repository")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # no folder, nothing hidden
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("description", "licence", "source", "command", "needs")
_WANTED = ("kind", "description", "metric", "format", "n", "queries", "licence")
_ALSO = {"download": ("source", "files"), "synthetic": (), "checkout": ("command", "needs")}


@dataclass(frozen=True)
class SourceFile:
    """A file of a set: its address, and its checksum in hexadecimal where that is known."""

    url: str
    sha256: str | None = None

    @property
    def name(self) -> str:
        """Name of the file: the last part of its address."""
        return urlsplit(self.url).path.rpartition("/")[2]


@dataclass(frozen=True)
class Recipe:
    """A set of vectors: what it is, and how one comes by it.

    Attributes
    ----------
    name : str
    kind : {"download", "synthetic", "checkout"}
        Loaded over the network, made here of random numbers, or made in a checkout of the repository.
    description, licence : str
    metric : {"l2", "ip", "cosine"}
    format : {"hdf5", "csr", "npz", "repository"}
    n, queries : int
        Rows and queries; of a synthetic set the defaults.
    dim : int or None
        None where only the files say.
    source : str or None
        Page of those who made it.
    files : tuple of SourceFile
        Of a download.
    command, needs : str or None
        Of a checkout: what makes it, and out of what.
    """

    name: str
    kind: str
    description: str
    metric: str
    format: str
    n: int
    queries: int
    licence: str
    dim: int | None = None
    source: str | None = None
    files: tuple[SourceFile, ...] = field(default=())
    command: str | None = None
    needs: str | None = None

    @property
    def how(self) -> str:
        """The command that gets or makes it."""
        if self.kind == "checkout":
            return str(self.command)
        return f"vecrecall data {'get' if self.kind == 'download' else 'make'} {self.name}"

    @property
    def way(self) -> str:
        """How one comes by it, in words: the end of a sentence that begins with its name."""
        if self.kind == "checkout":
            return f"is made in a checkout of the repository, by `{self.how}` (needs: {self.needs})"
        return f"is {'downloaded' if self.kind == 'download' else 'made of random numbers'}, by `{self.how}`"


def load_registry(path: str | os.PathLike[str] | None = None) -> dict[str, Recipe]:
    """Read the registry, or a file of one's own in its form.

    Parameters
    ----------
    path : path-like, optional
        Default: the registry of the package.

    Returns
    -------
    dict of Recipe by name, in the order of the file

    Raises
    ------
    ValueError
        If the file is not TOML or a set in it lacks something, has something foreign, or names a file that would
        leave its folder; the message names the path and the set.
    OSError
        As the operating system says.

    Examples
    --------
    >>> recipe = load_registry()["sift-128-euclidean"]
    >>> recipe.n, recipe.dim, recipe.metric
    (1000000, 128, 'l2')
    """
    path = _REGISTRY if path is None else Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML ({error}); mend it as docs/datasets.md shows") from None
    recipes = {}
    for name, entry in content.items():
        try:
            recipes[name] = _recipe(name, entry)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, set {name!r}: {error}") from None
    return recipes


def find_recipe(name: str, registry: Mapping[str, Recipe] | None = None) -> Recipe:
    """Look up a set.

    Raises
    ------
    ValueError
        If there is no such set; the message names those with names like it.

    Examples
    --------
    >>> find_recipe("clustered").how
    'vecrecall data make clustered'
    """
    recipes = load_registry() if registry is None else registry
    if name not in recipes:
        raise ValueError(f"there is no data set {name!r}; {_hint(name, list(recipes))}")
    return recipes[name]


def _hint(name: str, known: list[str]) -> str:
    """Words on what may have been meant: close names, and names that begin alike."""
    lower = name.lower()
    close = [other for other in known if lower and (other.lower().startswith(lower) or lower.startswith(other.lower()))]
    close += difflib.get_close_matches(lower, known, n=3, cutoff=0.5)
    meant = list(dict.fromkeys(close))
    if meant:
        return f"did you mean {' or '.join(meant[:3])}?"
    return "`vecrecall data list` shows all of them"


def _recipe(name: str, entry: Any) -> Recipe:
    """Return a checked entry of the registry."""
    if not _FILE_NAME.fullmatch(name):
        raise ValueError("expected a name of letters, digits, '-', '_' and '.', since it names a folder")
    if not isinstance(entry, dict):
        raise TypeError(f"is {entry!r}, expected a table")
    kind = as_choice(entry.get("kind"), "kind", _KINDS)
    missing = [key for key in (*_WANTED, *_ALSO[kind]) if key not in entry]
    foreign = sorted(set(entry) - set(_WANTED) - set(_ALSO[kind]) - {"dim", "source"})
    if missing or foreign:
        fault = f"has no {missing[0]!r}" if missing else f"has {foreign[0]!r}, which a {kind} has not"
        raise ValueError(f"{fault}; a {kind} has {', '.join((*_WANTED, *_ALSO[kind]))}")
    for key in _TEXTS:
        if not isinstance(entry.get(key, ""), str):
            raise TypeError(f"{key} is {entry[key]!r}, expected text")
    as_choice(entry["metric"], "metric", _METRICS)
    as_choice(entry["format"], "format", _FORMATS)
    for key in ("n", "queries", "dim"):
        as_count(entry.get(key, 1), key)
    return Recipe(name, **{**entry, "files": _files(entry.get("files", []), kind)})


def _files(entries: Any, kind: str) -> tuple[SourceFile, ...]:
    """Return the checked files of a set."""
    if not isinstance(entries, list) or (kind == "download" and not entries):
        raise ValueError(f"files is {entries!r}, expected a list of {{ url = ..., sha256 = ... }}")
    files = tuple(_file(entry) for entry in entries)
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        raise ValueError(f"two files are called {max(names, key=names.count)!r}; give each a name of its own")
    return files


def _file(entry: Any) -> SourceFile:
    if not isinstance(entry, dict) or not set(entry) <= {"url", "sha256"} or not isinstance(entry.get("url"), str):
        raise ValueError(f"a file is {entry!r}, expected {{ url = ..., sha256 = ... }}")
    file = SourceFile(**entry)
    parts = urlsplit(file.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _FILE_NAME.fullmatch(file.name):
        raise ValueError(f"url is {file.url!r}, expected http(s)://HOST/FILE")
    if file.sha256 is not None and not (isinstance(file.sha256, str) and _SHA256.fullmatch(file.sha256)):
        raise ValueError(f"sha256 of {file.name} is {file.sha256!r}, expected 64 hexadecimal digits in lower case")
    return file
