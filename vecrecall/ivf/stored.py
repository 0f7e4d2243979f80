"""The index as sections of a file, and back with every bound checked.

Blocks are saved in the order of lists, without those that no list has. Sizes and row numbers are checked whatever
``verify`` says: a scan follows them without looking.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vecrecall.errors import IndexFileError
from vecrecall.file import File
from vecrecall.ivf.calibration import NAMES
from vecrecall.ivf.check import check_places
from vecrecall.ivf.content import Content, Trained
from vecrecall.ivf.lists import Lists, readable
from vecrecall.ivf.parameters import Parameters
from vecrecall.kernels.tiles import BLOCK
from vecrecall.sections import restored_axes, restored_curve, restored_rows, section, sections_of_axes, sections_of_rows
from vecrecall.vectors.axes import padded
from vecrecall.vectors.kmeans import Blocks, Centroids
from vecrecall.vectors.spaces import Space


def sections_of(content: Content) -> dict[str, np.ndarray]:
    """Arrays by name, cut to what is in use."""
    sections = sections_of_rows(content.kept)
    lists, trained = content.lists, content.trained
    if lists is not None and trained is not None and content.centroids is not None:
        sections |= sections_of_axes(trained.axes)
        sections |= {
            "codec_shift": trained.shift, "centroids": content.centroids.values, "sizes": lists.sizes,
            "row_of": lists.row_of[lists.listed],
        }  # fmt: skip
        sections |= {name: getattr(lists.blocks, name)[lists.listed] for name in ("codes", "addends", "scales")}
    if content.curve is not None:
        sections["curve"] = content.curve.table
    return sections


def parameters_of(content: Content) -> dict[str, Any]:
    """What is decided by the data and not an array."""
    trained, curve = content.trained, content.curve
    out: dict[str, Any] = {"n_since_training": content.n_since, "error_since_training": content.error_since}
    if trained is not None:
        out["codec"] = {
            "p": trained.axes.p, "n_trained": trained.n, "mean_error": trained.mean_error,
            "n_clustered": trained.n_clustered,
        }  # fmt: skip
    if curve is not None:
        out["n_at_curve"], out["n_lists_at_curve"] = curve.n, content.n_lists_at_curve
    return out


def counts_of(content: Content) -> dict[str, int]:
    """Sizes."""
    lists = content.lists
    return {"lists": content.n_lists, "blocks": 0 if lists is None else len(lists.listed)}


def restored_content(file: File, dim: int, metric: str, parameters: Parameters) -> Content:
    """The content a file holds."""
    n, space = file.counts["n"], Space(metric, dim)
    kept = restored_rows(file, space, n)
    if file.counts["lists"] == 0:
        if kept is None:
            raise IndexFileError("the file holds neither rows nor lists")
        return Content(n, space, kept)
    error = float(file.parameters["error_since_training"])
    trained = _restored_training(file, dim)
    width = len(trained.shift)
    values = section(file, "centroids", np.float32, (file.counts["lists"], width))
    if not np.isfinite(values).all() or not np.isfinite(error):
        raise IndexFileError("a centroid or a number among the parameters is not finite")
    curve = restored_curve(file, NAMES)
    if curve is None:
        raise IndexFileError("the file lacks the curve that settings are chosen by")
    n_lists_at_curve = file.parameters["n_lists_at_curve"]
    if type(n_lists_at_curve) is not int or n_lists_at_curve < 1:
        raise IndexFileError(f"the curve was measured with {n_lists_at_curve!r} lists, expected a number")
    return Content(
        n, space, kept, trained, Centroids(values, products=metric == "ip"),
        _restored_lists(file, n, width, parameters.bits), curve, n_lists_at_curve,
        int(file.parameters["n_since_training"]), error,
    )  # fmt: skip


def _restored_training(file: File, dim: int) -> Trained:
    about = file.parameters["codec"]
    axes = restored_axes(file, dim, about["p"])
    shift = section(file, "codec_shift", np.float32, (padded(axes.p, 16),))
    return Trained(axes, shift, int(about["n_trained"]), float(about["mean_error"]), int(about["n_clustered"]))


def _restored_lists(file: File, n: int, width: int, bits: int) -> Lists:
    n_lists, n_blocks = file.counts["lists"], file.counts["blocks"]
    sizes = section(file, "sizes", np.int32, (n_lists,))
    row_of = section(file, "row_of", np.int32, (n_blocks, BLOCK))
    blocks = Blocks(
        section(file, "codes", np.uint8, (n_blocks, BLOCK * width * bits // 8)),
        section(file, "addends", np.float32, (n_blocks, BLOCK)),
        section(file, "scales", np.float32, (n_blocks, BLOCK)), width, bits,
    )  # fmt: skip
    n_of = -(-sizes.astype(np.int64) // BLOCK)
    if (sizes < 0).any() or n_of.sum() != n_blocks:
        raise IndexFileError(f"section 'sizes' does not divide {n_blocks} blocks")
    starts = np.concatenate([[0], np.cumsum(n_of)]).astype(np.int32)
    lists = Lists(blocks, row_of, n_blocks, sizes, starts, readable(np.arange(n_blocks, dtype=np.int32)))
    check_places(lists, n)
    return lists
