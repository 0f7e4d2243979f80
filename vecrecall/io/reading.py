"""Reading a file of any format."""

from __future__ import annotations

import os
from typing import Any

from vecrecall.io.dataset import Dataset
from vecrecall.io.formats import check_options, format_named
from vecrecall.io.recognising import recognise


def read(path: str | os.PathLike[str], *, format: str | None = None, **options: Any) -> Dataset:
    """Read vectors, truth, texts, judgements or a run, in whichever format they are.

    Parameters
    ----------
    path : path-like
        A file, or a folder as BEIR has them.
    format : str, optional
        Name of the format, one of `vecrecall.io.FORMATS`. Default: told by what is in the file; see `recognise`.
    **options
        Of the format's own function: `vocabulary` (jsonl), `split` (beir), `dim` (csr), `squared` (ground-truth).

    Returns
    -------
    Dataset
        A file of one matrix gives `rows`, be they to be indexed or to be searched for; one of 32-bit integers gives
        `neighbors`. Arrays are mapped where the format allows: they are read when touched, are read-only, and can
        be given to `build` as they are.

    Raises
    ------
    DataFileError
        If no format fits, or several, or the file is damaged; the message names the path and the reason.
    TypeError, ValueError
        If the format has not such a name, or not such an option.
    OSError
        As the operating system says.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import vecrecall as vr
    >>> path = os.path.join(tempfile.mkdtemp(), "points.bvecs")
    >>> vr.io.write(path, np.arange(6, dtype=np.uint8).reshape(2, 3))
    >>> vr.io.read(path)
    Dataset: rows (2, 3) uint8
    """
    each = format_named(recognise(path) if format is None else format)
    check_options(options, each, each.options)
    dataset: Dataset = each.reader(path, **each.settings, **options)
    return dataset
