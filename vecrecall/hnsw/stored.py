"""The index as sections of a file, and back with every bound checked.

Links are checked whatever ``verify`` says: a walk follows them without looking, so a damaged one must never get there.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np

from vecrecall.errors import IndexFileError
from vecrecall.file import File
from vecrecall.hnsw.content import Content, empty
from vecrecall.hnsw.entries import MOST, Entries
from vecrecall.hnsw.graph import MAX_LEVEL, Graph
from vecrecall.hnsw.parameters import Parameters
from vecrecall.sections import restored_axes, restored_rows, section, sections_of_axes, sections_of_rows
from vecrecall.vectors.axes import padded
from vecrecall.vectors.codes import BLOCK, Codec
from vecrecall.vectors.encoding import Codes, Rotation
from vecrecall.vectors.spaces import Space
from vecrecall.vectors.walked import CodedRows, Copies, FloatRows, WalkedRows

_CODEC_ARRAYS = ("shift", "steps")
_UPPER = ("upper", "n_upper_links", "n_upper_kept")
_BASE = ("links", "n_links", "n_kept", "levels", "upper_at")


def sections_of(content: Content) -> dict[str, np.ndarray]:
    """Arrays by name, cut to what is in use."""
    graph, kept, walked = content.graph, content.kept, content.walked
    sections = {name: getattr(graph, name)[: graph.n] for name in _BASE}
    sections |= {name: getattr(graph, name)[: graph.n_upper] for name in _UPPER}
    sections |= sections_of_rows(kept)
    if walked is not None:
        sections |= walked.sections()
    if content.entries is not None:
        sections["entries"] = content.entries.slots
        sections["entry_groups"] = content.entries.sizes
    if isinstance(walked, CodedRows):
        sections |= sections_of_axes(walked.codec.axes)
        sections |= {f"codec_{name}": getattr(walked.codec, name) for name in _CODEC_ARRAYS}
    return sections


def parameters_of(content: Content) -> dict[str, Any]:
    """What is decided by the data and not an array."""
    out: dict[str, Any] = {
        "limit": content.space.limit, "ef_construction_used": content.ef_construction,
        "n_decided": content.n_decided,
        "n_since_training": content.n_since, "error_since_training": content.error_since,
    }  # fmt: skip
    if isinstance(content.walked, CodedRows):
        codec = content.walked.codec
        out["codec"] = {
            "storage": codec.storage, "p": codec.p, "n_trained": codec.n_trained, "mean_error": codec.mean_error,
            "fidelity": codec.fidelity,
        }  # fmt: skip
    return out


def counts_of(content: Content) -> dict[str, int]:
    """Sizes and the entry. An empty graph has entry 0 and 0 layers."""
    graph, entries = content.graph, content.entries
    n_at_entries = 0 if entries is None else entries.n
    return {
        "nodes": graph.n, "upper_rows": graph.n_upper, "entry": graph.entry, "layers": graph.top + 1,
        "n_at_entries": n_at_entries,
    }  # fmt: skip


def restored_content(file: File, dim: int, metric: str, parameters: Parameters) -> Content:
    """The content a file holds."""
    n, nodes = file.counts["n"], file.counts["nodes"]
    if nodes not in (0, n) or n >= 2**31:
        raise IndexFileError(f"the graph has {nodes} nodes, expected {n}")
    numbers = [float(file.parameters[name]) for name in ("limit", "error_since_training")]
    if not np.isfinite(numbers).all() or not 0 <= file.parameters["ef_construction_used"] < 2**31:
        raise IndexFileError("a number among the parameters is out of range")
    space = Space(metric, dim, numbers[0])
    kept = restored_rows(file, space, n)
    walked: CodedRows | FloatRows | None = None
    if parameters.coded and "walked" not in file.sections:
        walked = _restored_codes(file, space, parameters, n) if "codes" in file.sections else None
    else:
        dtype = np.float16 if parameters.storage == "f16" else np.float32
        walked = FloatRows(space, section(file, "walked", dtype, (n, space.padded_dim)), n)
    if (walked is None and (kept is None or nodes)) or (walked is not None and nodes != n):
        raise IndexFileError("the file lacks the rows or the graph that its counts promise")
    start = empty(space, parameters)
    return Content(
        n, space, kept, walked, _restored_graph(file, parameters.M) if nodes else start.graph,
        int(file.parameters["ef_construction_used"]), int(file.parameters["n_decided"]),
        int(file.parameters["n_since_training"]), float(file.parameters["error_since_training"]),
        _restored_entries(file, walked, n),
    )  # fmt: skip


def _restored_codes(file: File, space: Space, parameters: Parameters, n: int) -> CodedRows:
    about, dim, storage = file.parameters["codec"], space.dim, file.parameters["codec"]["storage"]
    if storage not in BLOCK or parameters.storage not in ("auto", storage):
        raise IndexFileError(f"codes are {storage!r}, expected {parameters.storage!r}")
    axes = restored_axes(file, dim, about["p"])
    shift = section(file, "codec_shift", np.float32, (padded(axes.p, BLOCK[storage]),))
    steps = section(file, "codec_steps", np.float32, (5,))
    errors = float(about["mean_error"]), float(about["fidelity"])
    codec = Codec(storage, axes, int(about["n_trained"]), *errors, shift, steps)
    codes = Codes(
        section(file, "codes", np.uint8, (n, codec.code_bytes)), section(file, "bias", np.int32, (n,))
    )
    return CodedRows(space, codec, Rotation(axes, codec, products=space.metric == "ip"), codes, n)


def _restored_entries(file: File, walked: WalkedRows | None, n: int) -> Entries | None:
    if "entries" not in file.sections or walked is None:
        return None
    slots = section(file, "entries", np.int32, file.sections["entries"].shape[:1] or (0,))
    if len(slots) not in range(1, MOST + 1) or slots.min() < 0 or slots.max() >= n:
        raise IndexFileError("section 'entries' holds an entry out of the index")
    given = file.sections.get("entry_groups")
    sizes = section(file, "entry_groups", np.int32, (isqrt(len(slots)),) if given is None else given.shape[:1] or (0,))
    if len(sizes) < 2 or sizes.min() < 1 or sizes.sum() != len(slots):
        raise IndexFileError("section 'entry_groups' does not divide the entries")
    return Entries(slots, sizes, file.counts["n_at_entries"], Copies(walked, slots))


def _restored_graph(file: File, M: int) -> Graph:
    n, n_upper, entry, top = (file.counts[name] for name in ("nodes", "upper_rows", "entry", "layers"))
    top -= 1
    arrays = {name: section(file, name, np.int32, (n,)) for name in _BASE[1:]}
    arrays["links"] = section(file, "links", np.int32, (n, 2 * M))
    arrays["upper"] = section(file, "upper", np.int32, (n_upper, M))
    arrays |= {name: section(file, name, np.int32, (n_upper,)) for name in _UPPER[1:]}
    levels, starts = arrays["levels"], arrays["upper_at"]
    if levels.min() < 0 or levels.max() > MAX_LEVEL or entry >= n or not 0 <= top == levels[entry]:
        raise IndexFileError("levels or the entry are out of range")
    if not np.array_equal(starts, np.cumsum(levels) - levels) or levels.sum() != n_upper:
        raise IndexFileError("the rows of the upper layers do not follow the levels")
    for counts, kept, width in (("n_links", "n_kept", 2 * M), ("n_upper_links", "n_upper_kept", M)):
        if ((arrays[kept] < 0) | (arrays[kept] > arrays[counts]) | (arrays[counts] > width)).any():
            raise IndexFileError(f"section {counts!r} or {kept!r} holds a number of links out of range")
    owners = np.repeat(np.arange(n), levels)
    layer_of = np.arange(n_upper) - starts[owners] + 1
    for name in ("links", "upper"):
        links = arrays[name]
        if links.size and (links.min() < 0 or links.max() >= n):
            raise IndexFileError(f"section {name!r} holds a link out of the index")
    if (levels[arrays["upper"]] < layer_of[:, None]).any():
        raise IndexFileError("section 'upper' holds a link to a node that does not reach its layer")
    return Graph(**arrays, n=n, n_upper=n_upper, entry=entry, top=top)
