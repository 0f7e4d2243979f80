"""Sections of the file that several engines have: kept rows and trained axes, and how any section is taken out."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecrecall.curve import Curve
from vecrecall.errors import IndexFileError
from vecrecall.file import File
from vecrecall.vectors.axes import Axes, padded
from vecrecall.vectors.rows import TYPES, KeptRows
from vecrecall.vectors.spaces import Space

_AXES = ("rotation", "low", "inverse_range", "mean", "scale", "offset")


def section(file: File, name: str, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A section that has the dtype and shape that the counts promise."""
    array = file.sections.get(name)
    if array is None or array.dtype != np.dtype(dtype) or array.shape != shape:
        held = "missing" if array is None else f"{array.dtype} {array.shape}"
        raise IndexFileError(f"section {name!r} is {held}, expected {np.dtype(dtype)} {shape}")
    return array


def sections_of_rows(kept: KeptRows | None) -> dict[str, np.ndarray]:
    """Kept rows, and inverse lengths under cosine, cut to n rows."""
    if kept is None:
        return {}
    sections = {"rows": kept.values[: kept.n]}
    if kept.inverse is not None:
        sections["inverse_lengths"] = kept.inverse[: kept.n]
    return sections


def restored_rows(file: File, space: Space, n: int) -> KeptRows | None:
    """The kept rows of a file, None where it holds none."""
    if "rows" not in file.sections:
        return None
    dtype = file.sections["rows"].dtype
    if dtype not in TYPES.values():
        raise IndexFileError(f"rows are kept as {dtype}, expected one of {', '.join(map(str, TYPES.values()))}")
    values = section(file, "rows", dtype, (n, padded(space.dim, 16)))
    inverse = section(file, "inverse_lengths", np.float32, (n,)) if space.metric == "cosine" else None
    return KeptRows(values, inverse, space.dim, n)


def sections_of_axes(axes: Axes) -> dict[str, np.ndarray]:
    """The arrays of trained axes."""
    return {f"codec_{name}": getattr(axes, name) for name in _AXES}


def restored_axes(file: File, dim: int, p: Any) -> Axes:
    """Trained axes of p dimensions."""
    if type(p) is not int or not 1 <= p <= dim:
        raise IndexFileError(f"codes are made of {p!r} dimensions, expected 1 to {dim}")
    shapes = dict.fromkeys(_AXES, (dim,)) | {"rotation": (p, padded(dim, 64)), "scale": (p,), "offset": (p,)}
    arrays: dict[str, Any] = {
        name: section(file, f"codec_{name}", np.int8 if name == "rotation" else np.float32, shape)
        for name, shape in shapes.items()
    }
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise IndexFileError("the axes of codes hold values that are not finite")
    return Axes(dim, p, **arrays)


def restored_curve(file: File, names: tuple[str, ...]) -> Curve | None:
    """The curve of a file, None where it holds none."""
    if "curve" not in file.sections:
        return None
    return Curve.restored(names, file.sections["curve"], file.parameters["n_at_curve"])
