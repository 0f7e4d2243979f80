"""The formats there are: names, endings, and which functions read and write them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes
    ----------
    name : str
    module : str
        Where in this package its functions `read_...` and `write_...` are.
    functions : str
        What those are called after `read_` and `write_`.
    endings : tuple of str
        Of the names of such files.
    writes : tuple of str
        What the writer takes: "dataset" whole, the one "matrix" of a dataset, or parts of it by name.
    settings : dict
        What both functions are told besides.
    options, write_options : tuple of str
        What callers may tell them.
    """

    name: str
    module: str
    functions: str
    endings: tuple[str, ...]
    writes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    write_options: tuple[str, ...] = ()

    @property
    def reader(self) -> Callable[..., Any]:
        """The function that reads such a file, imported now."""
        return self._function("read")

    @property
    def writer(self) -> Callable[..., Any]:
        """The function that writes such a file, imported now."""
        return self._function("write")

    def _function(self, verb: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(
            import_module(f"vecrecall.io.{self.module}"), f"{verb}_{self.functions}"
        )
        return function


def _kinds(module: str, functions: str, names: tuple[str, ...]) -> list[Format]:
    return [Format(name, module, functions, (f".{name}",), ("matrix",), {"kind": name}) for name in names]


_ALL = [
    Format("hdf5", "hdf5", "hdf5", (".hdf5", ".h5"), ("dataset",)),
    Format("npy", "npy", "npy", (".npy",), ("matrix",)),
    Format("npz", "npz", "npz", (".npz",), ("dataset",)),
    *_kinds("vecs", "vecs", ("fvecs", "ivecs", "bvecs")),
    *_kinds("bins", "bin", ("fbin", "f16bin", "u8bin", "i8bin", "ibin")),
    Format(
        "ground-truth",
        "ground_truth",
        "ground_truth",
        (".gt", ".ibin"),  # the truth of some sets is called so
        ("neighbors", "distances"),
        options=("squared",),
    ),
    Format("csr", "csr", "csr", (".csr", ".csr.gz"), ("matrix",), options=("dim",)),
    Format("jsonl", "jsonl", "jsonl", (".jsonl", ".jsonl.gz"), ("dataset",), options=("vocabulary",)),
    Format("beir", "beir", "beir", (), ("dataset",), options=("split",), write_options=("split",)),
    Format("sparse-set", "sparse_set", "sparse_set", (), ("dataset",)),
    Format("qrels", "trec", "qrels", (".qrels", ".qrels.gz", ".tsv", ".tsv.gz"), ("qrels",)),
    Format("run", "trec", "run", (".run", ".run.gz", ".trec", ".trec.gz"), ("run",), write_options=("tag",)),
]
FORMATS: Mapping[str, Format] = {each.name: each for each in _ALL}


def ending_in(path: str | os.PathLike[str]) -> list[Format]:
    """Return the formats whose files are called like this, by the last ending that is one of theirs.

    >>> [each.name for each in ending_in("base.fbin.crop_nb_1000")]
    ['fbin']
    """
    words = os.path.basename(os.fspath(path)).lower().split(".")
    for last in range(len(words), 1, -1):
        for first in (last - 2, last - 1):
            ending = "." + ".".join(words[max(first, 1) : last])
            found = [each for each in FORMATS.values() if ending in each.endings]
            if found:
                return found
    return []


def format_named(name: str) -> Format:
    """Return a format by its name."""
    if name not in FORMATS:
        raise ValueError(f"format is {name!r}, expected one of {', '.join(map(repr, FORMATS))}")
    return FORMATS[name]


def check_options(options: Mapping[str, Any], each: Format, allowed: tuple[str, ...]) -> None:
    """Raise a TypeError for an option that a format does not have."""
    for name in options:
        if name not in allowed:
            has = f"options {', '.join(allowed)}" if allowed else "no options"
            raise TypeError(f"option {name!r} does not belong to format {each.name!r}, which has {has}; leave it out")
