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
    if not np.isfinite(content.centroids.values).all() or not np.isfinite(content.trained.shift).all():
        raise CorruptIndexError("a centroid or the shift holds values that are not finite")
    if len(content.centroids) != content.lists.n_lists:
        raise CorruptIndexError(f"there are {len(content.centroids)} centroids of {content.lists.n_lists} lists")
    check_lists(content.lists, content.n)


def check_lists(lists: Lists, n: int) -> None:
    """Lists share the rows, each has the blocks it needs, and no block is in two."""
    blocks = lists.listed
    if not np.array_equal(np.diff(lists.starts), -(-lists.sizes // BLOCK)) or len(blocks) != lists.starts[-1]:
        raise CorruptIndexError("a list has more or fewer blocks than its vectors need")
    if len(blocks) and (blocks.min() < 0 or blocks.max() >= lists.n_blocks):
        raise CorruptIndexError("a list has a block out of the index")
    if len(np.unique(blocks)) != len(blocks):
        raise CorruptIndexError("a block stands in two lists")
    check_places(lists, n)
    missing = np.setdiff1d(np.arange(n), lists.row_of[blocks][lists.used])
    if len(missing):
        raise CorruptIndexError(f"row {int(missing[0])} is in no list")


def check_places(lists: Lists, n: int) -> None:
    """What a scan relies on: used places name a row of n and have finite numbers, the others are at infinity."""
    if lists.sizes.sum() != n:
        raise CorruptIndexError(f"the lists hold {int(lists.sizes.sum())} vectors, expected {n}")
    used, rows = lists.used, lists.row_of[lists.listed]
    addends, scales = lists.blocks.addends[lists.listed], lists.blocks.scales[lists.listed]
    if (rows[used] < 0).any() or (rows[used] >= n).any():
        raise CorruptIndexError("a list names a row out of the index")
    if not np.isfinite(addends[used]).all() or not np.isfinite(scales[used]).all():
        raise CorruptIndexError("a code has an addend or a scale that is not finite")
    if (addends[~used] != np.inf).any() or not np.isfinite(scales[~used]).all() or (rows[~used] != -1).any():
        raise CorruptIndexError("a place behind the end of a list is not free")
