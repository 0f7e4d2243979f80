"""Which settings a sweep goes through: those given, crossed with each other, or the engine's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import product
from typing import Any

from vecrecall.inputs import as_count, as_share
from vecrecall.tuning import SearchSettings, Tunable

_CHECKS: dict[str, Callable[[Any], Any]] = {
    "ef": partial(as_count, name="ef"),
    "nprobe": partial(as_count, name="nprobe"),
    "rerank": partial(as_count, name="rerank"),
    "query_cut": partial(as_count, name="query_cut"),
    "heap_factor": partial(as_share, name="heap_factor"),
    "impact_cut": partial(as_share, name="impact_cut", zero=True),
}
_OF_ENGINE = {
    "hnsw": ("ef",), "ivf": ("nprobe", "rerank"), "sparse": ("query_cut", "heap_factor", "impact_cut"),
}  # fmt: skip


def grid(index: Any, k: int, given: dict[str, Any]) -> list[SearchSettings]:
    """Return settings of an index for `search`, each a dict; what is None among the given was not.

    Raises
    ------
    ValueError, TypeError
        For settings that the engine does not have, none at all, and values out of range.

    Examples
    --------
    >>> class Lists:
    ...     kind = "ivf"
    >>> grid(Lists(), 10, {"nprobe": [1, 4], "rerank": 20})
    [{'nprobe': 1, 'rerank': 20}, {'nprobe': 4, 'rerank': 20}]
    """
    own = _OF_ENGINE.get(index.kind, ())
    lists = {name: _values(name, values) for name, values in given.items() if values is not None}
    foreign = [name for name in lists if name not in own]
    if foreign:
        has = f"has {', '.join(own)}" if own else "has no settings, it finds all"
        raise ValueError(f"{', '.join(foreign)} was given, but an index of kind {index.kind!r} {has}; leave it out")
    if lists:
        return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    return index._grid(k) if isinstance(index, Tunable) else [{}]


def _values(name: str, values: Any) -> list[Any]:
    """The different values of a setting, checked, in their order."""
    single = not isinstance(values, Iterable) or isinstance(values, (str, bytes, Mapping)) or _is_one_number(values)
    checked = [_CHECKS[name](value) for value in ([values] if single else values)]
    if not checked:
        raise ValueError(f"{name} is an empty list, expected at least one value")
    return list(dict.fromkeys(checked))


def _is_one_number(values: Any) -> bool:
    """Whether it is an array without dimensions, which is iterable by its type alone."""
    return getattr(values, "ndim", None) == 0
