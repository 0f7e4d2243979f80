"""Every public name has a docstring and full annotations, its public members too."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import vecrecall as vr

PUBLIC = [(package, name) for package in (vr, vr.analysis) for name in package.__all__]


def functions_of(owner: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public methods and properties of a class by name, inherited ones included, builtin ones not."""
    for name in dir(owner):
        raw = inspect.getattr_static(owner, name)
        function = raw.fget if isinstance(raw, property) else getattr(raw, "__func__", raw)
        if not name.startswith("_") and inspect.isfunction(function):
            yield f"{owner.__name__}.{name}", function


def public_functions() -> list[tuple[str, Callable[..., Any]]]:
    found: list[tuple[str, Callable[..., Any]]] = []
    for package, name in PUBLIC:
        value = getattr(package, name)
        found += functions_of(value) if inspect.isclass(value) else [(name, value)]
    return found


def missing_annotations(function: Callable[..., Any]) -> list[str]:
    """Parameters without an annotation, and "return"."""
    signature = inspect.signature(function)
    missing = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is inspect.Parameter.empty and name not in ("self", "cls")
    ]
    return missing + (["return"] if signature.return_annotation is inspect.Signature.empty else [])


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_a_public_name_has_a_docstring_of_its_own(package: Any, name: str) -> None:
    assert (getattr(package, name).__doc__ or "").strip()


def documented(name: str, function: Callable[..., Any]) -> bool:
    """Whether there is a docstring; a property may stand among the attributes of its class instead."""
    owner, _, member = name.partition(".")
    home = vr if owner in vr.__all__ else vr.analysis
    attribute = re.search(rf"^ *{member} : ", getattr(home, owner).__doc__ or "", re.MULTILINE)
    return bool(inspect.getdoc(function) or (member and attribute))


def test_public_functions_have_docstrings() -> None:
    assert [name for name, function in public_functions() if not documented(name, function)] == []


def test_public_functions_are_fully_annotated() -> None:
    assert {name: m for name, function in public_functions() if (m := missing_annotations(function))} == {}


def test_public_functions_are_found() -> None:
    names = {name for name, _ in public_functions()}
    assert {"HNSW.build", "HNSW.search", "HNSW.add", "Exact.search", "Hits.scores", "load", "recall"} <= names


def test_a_missing_annotation_is_found() -> None:
    def search(self, q, k: int = 10):  # type: ignore[no-untyped-def]
        pass

    assert missing_annotations(search) == ["q", "return"]
