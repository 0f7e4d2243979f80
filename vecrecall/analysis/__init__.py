"""Why recall is what it is: intrinsic dimension, insertion order, the health of a graph.

Names are loaded when they are first used, as those of :mod:`vecrecall` are.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecrecall.analysis.coresets import coreset
    from vecrecall.analysis.dimensions import dimension
    from vecrecall.analysis.health import graph
    from vecrecall.analysis.orders import order
    from vecrecall.analysis.retrieval import rank_shift
    from vecrecall.analysis.studies import Study, study

__all__ = ["Study", "coreset", "dimension", "graph", "order", "rank_shift", "study"]

_HOME = {
    "Study": "vecrecall.analysis.studies",
    "coreset": "vecrecall.analysis.coresets",
    "dimension": "vecrecall.analysis.dimensions",
    "graph": "vecrecall.analysis.health",
    "order": "vecrecall.analysis.orders",
    "rank_shift": "vecrecall.analysis.retrieval",
    "study": "vecrecall.analysis.studies",
}


def __getattr__(name: str) -> Any:
    """Import the module that holds a public name when the name is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'vecrecall.analysis' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
