"""Arguments that stand for one value or several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vecrecall.analysis.studying.engines import Engine, engine_of
from vecrecall.inputs import as_count, as_number, as_seed


def as_engines(given: Any) -> dict[str, Engine]:
    """Engines by name."""
    listed = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    made = [engine_of(engine) for engine in listed]
    names = [engine.name for engine in made]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"engines are {', '.join(names) or 'none'}, expected one or more, each of a name of its own")
    return dict(zip(names, made, strict=True))


def as_counts(values: Any, name: str, *, least: int = 1) -> tuple[int, ...]:
    """Counts, ascending, each once."""
    listed = [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
    counts = tuple(sorted({as_count(value, name, least=least) for value in listed}))
    if not counts:
        raise ValueError(f"{name} is empty, expected one or more integers")
    return counts


def as_seeds(seeds: Any) -> tuple[int, ...]:
    """Seeds, from how many or which.

    >>> as_seeds(2), as_seeds([7, 3])
    ((0, 1), (7, 3))
    """
    if isinstance(seeds, Iterable) and not isinstance(seeds, str):
        chosen = tuple(dict.fromkeys(as_seed(seed) for seed in seeds))
        if not chosen:
            raise ValueError("seeds is empty, expected a number of seeds, or one seed or more")
        return chosen
    return tuple(range(as_count(seeds, "seeds")))


def as_evals(values: Any) -> tuple[float, ...]:
    """Levels of equal evaluations, ascending."""
    listed = [values] if np.ndim(values) == 0 else list(values)
    levels = sorted({as_number(value, "evals") for value in listed})
    if levels and not 0 < levels[0] <= levels[-1] < np.inf:
        raise ValueError(f"evals are {levels}, expected numbers above 0")
    return tuple(levels)
