"""The index as sections of a file, and back with every bound checked.

Block and row numbers are checked whatever ``verify`` says: a scan follows them without looking.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vecrecall.errors import IndexFileError
from vecrecall.file import File
from vecrecall.ivf.calibration import NAMES
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
        n = lists.n_blocks
        sections |= sections_of_axes(trained.axes)
        sections |= {
            "codec_shift": trained.shift, "centroids": content.centroids.values, "sizes": lists.sizes,
            "starts": lists.starts, "directory": lists.listed, "row_of": lists.row_of[:n],
            "codes": lists.blocks.codes[:n], "addends": lists.blocks.addends[:n], "scales": lists.blocks.scales[:n],
        }  # fmt: skip
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
        out["n_at_curve"] = curve.n
    return out


def counts_of(content: Content) -> dict[str, int]:
    """Sizes."""
    lists = content.lists
    return {"lists": content.n_lists, "blocks": 0 if lists is None else lists.n_blocks}


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
    return Content(
        n, space, kept, trained, Centroids(values, products=metric == "ip"),
        _restored_lists(file, n, width, parameters.bits), restored_curve(file, NAMES),
        int(file.parameters["n_since_training"]), error,
    )  # fmt: skip


def _restored_training(file: File, dim: int) -> Trained:
    about = file.parameters["codec"]
    axes = restored_axes(file, dim, about["p"])
    shift = section(file, "codec_shift", np.float32, (padded(axes.p, 16),))
    return Trained(axes, shift, int(about["n_trained"]), float(about["mean_error"]), int(about["n_clustered"]))


def _restored_lists(file: File, n: int, width: int, bits: int) -> Lists:
    n_lists, n_blocks = file.counts["lists"], file.counts["blocks"]
    sizes, starts = section(file, "sizes", np.int32, (n_lists,)), section(file, "starts", np.int32, (n_lists + 1,))
    row_of = section(file, "row_of", np.int32, (n_blocks, BLOCK))
    blocks = Blocks(
        section(file, "codes", np.uint8, (n_blocks, BLOCK * width * bits // 8)),
        section(file, "addends", np.float32, (n_blocks, BLOCK)),
        section(file, "scales", np.float32, (n_blocks, BLOCK)), width, bits,
    )  # fmt: skip
    n_of = np.diff(starts.astype(np.int64))
    if starts[0] != 0 or (sizes < 0).any() or not np.array_equal(n_of, -(-sizes.astype(np.int64) // BLOCK)):
        raise IndexFileError("sections 'sizes' and 'starts' do not agree")
    directory = section(file, "directory", np.int32, (int(starts[-1]),))
    if len(directory) == 0 or directory.min() < 0 or directory.max() >= n_blocks:
        raise IndexFileError("section 'directory' holds a block out of the index")
    if row_of.min() < -1 or row_of.max() >= n or (row_of[np.isfinite(blocks.addends)] < 0).any():
        raise IndexFileError("section 'row_of' holds a row out of the index")
    return Lists(blocks, row_of, n_blocks, sizes, starts, readable(directory))
