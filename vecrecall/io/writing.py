"""Writing a file of any format."""

from __future__ import annotations

import os
from typing import Any

from vecrecall.io.dataset import Dataset, refuse_others
from vecrecall.io.formats import FORMATS, Format, check_options, ending_in, format_named

_MATRICES = ("rows", "queries", "neighbors")


def write(path: str | os.PathLike[str], data: Any, *, format: str | None = None, **options: Any) -> None:
    """Write vectors, truth, texts, judgements or a run in the format that the path ends in.

    The file appears whole or not at all.

    Parameters
    ----------
    path : path-like
    data : Dataset, or a matrix
        A matrix, dense or sparse, is written as rows. A format that has no room for a part of the dataset refuses it;
        formats without names for things (the bare matrices) leave metric and attributes out.
    format : str, optional
        Name of the format, one of `vecrecall.io.FORMATS`. Default: as the path ends.
    **options
        Of the format's own function: `split` (beir), `tag` (run).

    Raises
    ------
    TypeError, ValueError
        If the path ends in no format, the format has no room for the data, or has not such an option.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> import vecrecall as vr
    >>> path = os.path.join(tempfile.mkdtemp(), "points.fvecs")
    >>> vr.io.write(path, [[0.5, 1.0]])
    >>> vr.io.read(path).rows
    array([[0.5, 1. ]], dtype=float32)
    """
    each = _format_of(path) if format is None else format_named(format)
    check_options(options, each, each.write_options)
    dataset = data if isinstance(data, Dataset) else Dataset(rows=data)
    each.writer(path, *_arguments(dataset, each), **each.settings, **options)


def _format_of(path: str | os.PathLike[str]) -> Format:
    found = ending_in(path)
    if not found:
        raise ValueError(f"{os.fspath(path)} does not end in a known format; give format=, one of {', '.join(FORMATS)}")
    return found[0]


def _arguments(dataset: Dataset, each: Format) -> list[Any]:
    """Return what the writer of a format takes, after checking that it takes all there is."""
    what = f"a file of format {each.name!r}"
    if each.writes == ("dataset",):
        return [dataset]
    if each.writes != ("matrix",):
        refuse_others(dataset, each.writes, what)
        values = [getattr(dataset, name) for name in each.writes]
        if any(value is None for value in values):
            raise ValueError(f"the dataset lacks {' or '.join(each.writes)}, expected both for {what}")
        return values
    parts = dataset.parts()
    matrices = [name for name in _MATRICES if name in parts]
    if len(parts) != 1 or not matrices:
        raise ValueError(f"the dataset has {', '.join(parts) or 'no parts'}, expected one matrix for {what}; "
                         "write each to a file of its own")  # fmt: skip
    return [parts[matrices[0]]]
