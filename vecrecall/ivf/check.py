"""Every invariant of an inverted file, walked in numpy."""

from __future__ import annotations

import numpy as np

from vecrecall.errors import CorruptIndexError
from vecrecall.ivf.content import Content
from vecrecall.ivf.lists import Lists
from vecrecall.kernels.tiles import BLOCK
from vecrecall.vectors.rows import check_kept


def check_content(content: Content) -> None:
    """Raise :class:`CorruptIndexError` naming the first invariant that is broken."""
    if content.kept is not None:
        check_kept(content.kept, content.n)
    if content.lists is None:
        if content.kept is None:
            raise CorruptIndexError("there are neither rows nor lists")
        return
    assert content.trained is not None and content.centroids is not None
    axes = content.trained.axes
    for name in ("low", "inverse_range", "mean", "scale", "offset"):
        if not np.isfinite(getattr(axes, name)).all():
            raise CorruptIndexError(f"the axes' {name} holds values that are not finite")
    if not np.isfinite(content.centroids.values).all():
        raise CorruptIndexError("a centroid is not finite")
    if len(content.centroids) != content.lists.n_lists:
        raise CorruptIndexError(f"there are {len(content.centroids)} centroids of {content.lists.n_lists} lists")
    check_lists(content.lists, content.n)


def check_lists(lists: Lists, n: int) -> None:
    """Lists share the rows; each has the blocks it needs, and no block is in two; places behind a list are free."""
    n_of = np.diff(lists.starts)
    if lists.sizes.sum() != n:
        raise CorruptIndexError(f"the lists hold {int(lists.sizes.sum())} vectors, expected {n}")
    if not np.array_equal(n_of, -(-lists.sizes // BLOCK)):
        raise CorruptIndexError("a list has more or fewer blocks than its vectors need")
    if len(np.unique(lists.listed)) != len(lists.listed):
        raise CorruptIndexError("a block stands in two lists")
    row_of, addends = lists.row_of[lists.listed], lists.blocks.addends[lists.listed]
    first = np.arange(len(row_of)) - np.repeat(lists.starts[:-1], n_of)
    left = np.repeat(lists.sizes, n_of) - BLOCK * first
    used = np.arange(BLOCK) < left[:, None]
    rows = np.sort(row_of[used])
    if not np.array_equal(rows, np.arange(n)):
        missing = np.setdiff1d(np.arange(n), rows)
        what = f"row {int(missing[0])} is in no list" if len(missing) else "a row is in two lists"
        raise CorruptIndexError(what)
    if not np.isfinite(addends[used]).all() or not np.isfinite(lists.blocks.scales[lists.listed][used]).all():
        raise CorruptIndexError("a code has an addend or a scale that is not finite")
    if np.isfinite(addends[~used]).any() or (row_of[~used] != -1).any():
        raise CorruptIndexError("a place behind the end of a list is not free")
