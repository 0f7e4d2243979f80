"""What an index holds: rows, axes, centroids, lists, and the plan that tells kernels where all that is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vecrecall.curve import Curve
from vecrecall.ivf import plan as fields
from vecrecall.ivf.lists import Lists
from vecrecall.ivf.parameters import Parameters
from vecrecall.kernels.forms import distance_function
from vecrecall.kernels.memory import address
from vecrecall.kernels.tile_functions import tile_function
from vecrecall.vectors.axes import Axes
from vecrecall.vectors.encoding import Rotation, constants_block
from vecrecall.vectors.kmeans import Centroids
from vecrecall.vectors.rows import TYPES, KeptRows
from vecrecall.vectors.spaces import METRIC_CODES, Space

_ONE = np.ones(4, np.float32)


@dataclass(frozen=True, eq=False)
class Trained:
    """What was learnt from a sample: axes, and under ip what brings z to a query; and how well codes fitted then."""

    axes: Axes
    shift: np.ndarray  # (width,) float32; zeros but under ip, where z is not moved by the mean
    n: int  # rows in the sample
    mean_error: float  # mean squared error of the codes of a fresh build
    n_clustered: int  # rows there were when the lists were made


@dataclass(frozen=True, eq=False)
class Content:
    """Rows and lists of n vectors. ``trained`` and what follows from it is None while there are too few rows."""

    n: int
    space: Space
    kept: KeptRows | None
    trained: Trained | None = None
    centroids: Centroids | None = None
    lists: Lists | None = None
    curve: Curve | None = None
    n_lists_at_curve: int = 0  # lists there were when the curve was measured
    n_since: int = 0  # rows added since training, and the sum of their squared errors
    error_since: float = 0.0
    rotation: Rotation | None = None
    plan: np.ndarray = field(init=False)
    plan_address: int = field(init=False)
    constants: np.ndarray = field(init=False)  # the plan points there

    def __post_init__(self) -> None:
        plan, space = np.zeros(fields.PLAN_FIELDS, np.int64), self.space
        object.__setattr__(self, "plan", plan)
        object.__setattr__(self, "plan_address", address(plan))
        object.__setattr__(self, "constants", constants_block(1.0))
        if self.trained is not None and self.rotation is None:
            object.__setattr__(self, "rotation", Rotation(self.trained.axes, products=space.metric == "ip"))
        plan[fields.METRIC :][:5] = (
            METRIC_CODES[space.metric], space.dim, space.padded_dim, self.n, self.kept is not None,
        )  # fmt: skip
        plan[fields.CONSTANTS] = address(self.constants)
        if self.kept is not None:
            plan[fields.ROWS_VIEW :][:6] = self.kept.view(space.metric)
        if self.lists is not None:
            self._plan_lists(plan)

    def _plan_lists(self, plan: np.ndarray) -> None:
        lists, centroids, trained, rotation = self.lists, self.centroids, self.trained, self.rotation
        assert lists is not None and centroids is not None and trained is not None and rotation is not None
        width, values, bits = rotation.padded_p, centroids.values, lists.blocks.bits
        form = distance_function("f32_ip" if self.space.metric == "ip" else "f32_l2")
        plan[fields.CENTROID_VIEW :][:6] = address(values), values.strides[0], width // 16, address(_ONE), form, 0
        plan[fields.ROTATION :][:19] = rotation.view
        plan[[fields.WIDTH, fields.SHIFT]] = width, address(trained.shift)
        plan[fields.N_LISTS :][:5] = (
            lists.n_lists, address(lists.sizes), address(lists.starts), address(lists.directory),
            address(lists.row_of),
        )  # fmt: skip
        codes, block_bytes, addends, scales, *_ = lists.blocks.view(0)
        plan[fields.CODES :][:5] = codes, block_bytes, (1 << bits) - 1, addends, scales
        codes, block_bytes, addends, scales, *_ = centroids.blocks.view(0)
        plan[fields.CENTROIDS :][:5] = codes, block_bytes, addends, scales, address(centroids.listed)
        plan[fields.TILE_8 :][:5] = (
            tile_function(8, bits), tile_function(4, bits), tile_function(1, bits), tile_function(8, 8),
            tile_function(1, 8),
        )  # fmt: skip

    @property
    def n_lists(self) -> int:
        return 0 if self.lists is None else self.lists.n_lists


def empty(space: Space, parameters: Parameters) -> Content:
    """The content of an index of no vectors."""
    dtype = TYPES["u8"] if parameters.keep in (None, "auto") else TYPES[parameters.keep]
    return Content(0, space, KeptRows.empty(space.dim, space.metric == "cosine", dtype))
