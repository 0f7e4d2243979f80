"""House rules that are read off the sources: imports point down only, and what no module may contain.

``fastmath=True`` lets the compiler assume that no infinity exists, and a missing neighbour is at infinity;
pickle runs what a file says; raw addresses belong to the kernels, the only place that has to be read with
them in mind.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import vecrecall

ROOT = Path(vecrecall.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))

# Lowest first. What stands on one line does not know one another.
LAYERS = (
    ("errors",),
    ("threads", "blas", "inputs", "progress", "csr", "replacing"),
    ("kernels",),
    ("vectors",),
    ("hits", "ids", "file", "curve", "intervals"),
    ("sections", "index", "fusing", "lexical", "matching"),
    ("dense", "tuning"),
    ("exact",),  # the truth, by which the others measure themselves
    ("hnsw", "ivf", "sparse"),
    ("loading", "graph", "choosing"),
    ("io",),
    ("measure",),
    ("datasets",),
    ("analysis",),
    ("cli", "adapters"),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# Outside vecrecall/kernels, who may take the address of an array: the owners of what kernels walk over. They
# keep the arrays alive while a kernel runs.


def layer_of(path: Path) -> str:
    """The first name below vecrecall/: a package or a module."""
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Every imported module of vecrecall as (line, dotted name), wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (start, node.module) if part)
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


def wrong_imports(source: str, layer: str, package: tuple[str, ...] = ("vecrecall",)) -> list[str]:
    """Imports of a module in `layer` that point up or sideways, one message each."""
    found = []
    for line, dotted in imported(ast.parse(source), package):
        parts = dotted.split(".")
        if parts[0] != "vecrecall" or dotted == "vecrecall.__version__":
            continue
        target = parts[1] if len(parts) > 1 else ""
        if target not in RANK:
            found.append(f"line {line} imports {dotted}: name the module that holds it")
        elif target != layer and RANK[target] >= RANK[layer]:
            found.append(f"line {line} imports {dotted}: {layer} does not stand above {target}")
    return found


def forbidden(source: str, *, addresses: bool) -> list[str]:
    """What no module may contain, one message each; `addresses` says whether raw addresses are allowed."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg in ("fastmath", "allow_pickle"):
            if isinstance(node.value, ast.Constant) and node.value.value is True:
                found.append(f"line {node.value.lineno}: {node.arg}=True")
        if isinstance(node, ast.Attribute) and node.attr in ("ctypes", "__array_interface__"):
            if not addresses:
                found.append(f"line {node.lineno}: .{node.attr} outside vecrecall/kernels")
    for line, dotted in imported(ast.parse(source), ("vecrecall",)):
        top = dotted.split(".")[0]
        if top in ("pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"):
            found.append(f"line {line}: imports {top}")
        if top in ("llvmlite", "ctypes", "cffi") and not addresses:
            found.append(f"line {line}: imports {top} outside vecrecall/kernels")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    layer = layer_of(path)
    if layer == "__init__":
        pytest.skip("the roof: it exports what the layers hold")
    assert layer in RANK, f"{name_of(path)} stands in no layer; add it to LAYERS in {Path(__file__).name}"
    package = ("vecrecall", *path.relative_to(ROOT).parent.parts)
    assert wrong_imports(path.read_text(encoding="utf-8"), layer, package) == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_forbidden_construct(path: Path) -> None:
    addresses = layer_of(path) == "kernels"
    assert forbidden(path.read_text(encoding="utf-8"), addresses=addresses) == []


def test_every_file_has_the_name_of_a_concept() -> None:
    vague = ("utils", "util", "common", "helpers", "helper", "misc", "tools", "core", "base")
    assert [name_of(p) for p in SOURCES if p.stem.strip("_") in vague or p.parent.name in vague] == []


@pytest.mark.parametrize(
    ("source", "layer"),
    [
        ("from vecrecall.hnsw.index import HNSW", "kernels"),
        ("import vecrecall.index", "ids"),
        ("from vecrecall import hits", "vectors"),
        ("def f():\n    from vecrecall.cli import main", "loading"),
        ("if TYPE_CHECKING:\n    from vecrecall.loading import load", "exact"),
        ("from importlib import import_module\nimport_module('vecrecall.exact.index')", "file"),
        ("from .. import load", "hnsw"),
        ("from vecrecall import HNSW", "measure"),
        ("import vecrecall", "index"),
        ("from vecrecall.hnsw.search import search", "exact"),
        ("from vecrecall.hnsw.search import search", "ivf"),
    ],
)
def test_an_import_that_points_up_is_found(source: str, layer: str) -> None:
    assert len(wrong_imports(source, layer, ("vecrecall", layer))) == 1


def test_an_import_that_points_down_is_accepted() -> None:
    source = "import numpy\nfrom vecrecall import __version__, file\nfrom . import b\nfrom ..vectors import a"
    assert wrong_imports(source, "hnsw", ("vecrecall", "hnsw")) == []


@pytest.mark.parametrize(
    "source",
    [
        "@njit(fastmath=True)\ndef f(): pass",
        "import pickle",
        "from pickle import loads",
        "np.load(path, allow_pickle=True)",
        "x.ctypes.data",
        "import llvmlite.ir as ir",
        "def f():\n    import ctypes",
    ],
)
def test_a_forbidden_construct_is_found(source: str) -> None:
    assert len(forbidden(source, addresses=False)) == 1
