"""What an index holds: rows, walked rows, graph, and the plan that tells kernels where all that is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vecrecall.hnsw import plan as plan_fields
from vecrecall.hnsw.entries import Entries
from vecrecall.hnsw.graph import Graph
from vecrecall.hnsw.parameters import Parameters
from vecrecall.hnsw.plan import PLAN_FIELDS
from vecrecall.hnsw.training import FAITHFUL
from vecrecall.kernels.memory import address
from vecrecall.vectors.encoding import constants_block
from vecrecall.vectors.rows import TYPES, KeptRows
from vecrecall.vectors.spaces import METRIC_CODES, Space
from vecrecall.vectors.walked import CodedRows, FloatRows, WalkedRows


@dataclass(frozen=True, eq=False)
class Content:
    """Rows, walked rows and graph of n vectors.

    ``entries`` is None where a search goes by the upper layers. ``walked`` is None (and the graph empty) while a coded
    index holds too few rows to train codes.
    """

    n: int
    space: Space
    kept: KeptRows | None
    walked: WalkedRows | None
    graph: Graph
    ef_construction: int
    n_decided: int = 0  # rows there were when ef_construction was decided
    n_since: int = 0  # rows added since the codes were trained, and the sum of their squared errors
    error_since: float = 0.0
    entries: Entries | None = None
    plan: np.ndarray = field(init=False)
    plan_address: int = field(init=False)
    constants: np.ndarray = field(init=False)  # the plan points there

    def __post_init__(self) -> None:
        plan, space, walked = np.zeros(PLAN_FIELDS, np.int64), self.space, self.walked
        object.__setattr__(self, "plan", plan)
        object.__setattr__(self, "plan_address", address(plan))
        coded = isinstance(walked, CodedRows)
        unit = walked.unit if isinstance(walked, CodedRows) else 1.0
        constants = constants_block(unit)
        object.__setattr__(self, "constants", constants)
        plan[:5] = self.graph.view()
        plan[[plan_fields.ENTRY, plan_fields.TOP]] = self.graph.entry, self.graph.top
        if walked is not None:
            plan[plan_fields.WALK_VIEW :][:6] = walked.view()
        if self.kept is not None:
            plan[plan_fields.ROWS_VIEW :][:6] = self.kept.view(space.metric)
        if isinstance(walked, CodedRows):
            plan[plan_fields.ROTATION :][:19] = walked.rotation.view
        plan[plan_fields.CODED :][:6] = (
            coded, self.kept is not None, METRIC_CODES[space.metric], space.dim, space.padded_dim, self.n,
        )  # fmt: skip
        if self.entries is not None:
            plan[plan_fields.ENTRY_VIEW :][:6] = self.entries.copies.view
            where = map(address, (self.entries.listed, self.entries.starts, self.entries.slots))
            plan[plan_fields.N_GROUPS :][:4] = len(self.entries.sizes), *where
        plan[plan_fields.CONSTANTS] = address(constants)

    @property
    def coarse(self) -> bool:
        """Whether codes that the caller chose are no guide among near rows."""
        return isinstance(self.walked, CodedRows) and self.walked.codec.fidelity < FAITHFUL

    @property
    def capacity(self) -> int:
        """Rows there is room for: no row number reaches it."""
        return max(self.n, len(self.graph.links))


def empty(space: Space, parameters: Parameters) -> Content:
    """The content of an index of no vectors."""
    walked = None if parameters.coded else FloatRows.empty(parameters.storage, space)
    kept = None
    if parameters.keep is not None or parameters.coded:
        dtype = TYPES["u8"] if parameters.keep in (None, "auto") else TYPES[parameters.keep]
        kept = KeptRows.empty(space.dim, space.metric == "cosine", dtype)
    return Content(0, space, kept, walked, Graph.empty(parameters.M), parameters.ef_construction or 0)
