"""What an index holds at a moment: segments, one after another, and how they grow and shrink.

A content never changes: adding and deleting give a new one that shares the segments that stay. Segments are merged when
the last has become half as long as the one before it, so there are few, and a row is merged a logarithmic number of
times (Bentley & Saxe 1980, "Decomposable searching problems", the logarithmic method).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vecrecall.csr import Csr
from vecrecall.sparse.parameters import Parameters
from vecrecall.sparse.rows import joined, parted
from vecrecall.sparse.segment import Segment, arranged, one_segment
from vecrecall.threads import Workers

MOST = 2**31  # slots fit 32 bits with a sign


@dataclass(frozen=True, eq=False)
class Content:
    """Segments of consecutive slots, and the columns of their rows."""

    segments: tuple[Segment, ...]
    dim: int

    @property
    def n(self) -> int:
        """Slots, those of dead documents included."""
        return sum(segment.n for segment in self.segments)

    def dead_slots(self) -> np.ndarray:
        """Slots of dead documents, int64, ascending."""
        return np.concatenate([np.empty(0, np.int64), *(segment.dead_slots() for segment in self.segments)])

    def extended(self, csr: Csr, parameters: Parameters, workers: Workers) -> Content:
        """With the rows of a matrix in the slots that follow."""
        if csr.n == 0:
            return self
        added = arranged(parted(csr, parameters.keep, workers), self.n, parameters, workers)
        segments = [*self.segments, added]
        while len(segments) > 1 and 2 * segments[-1].n >= segments[-2].n:
            segments[-2:] = [one_segment(segments[-2:], parameters, workers)]
        return replace(self, segments=tuple(segments))

    def without(self, slots: np.ndarray) -> Content:
        """With some slots dead."""
        segments = []
        for segment in self.segments:
            mine = slots[(slots >= segment.first) & (slots < segment.first + segment.n)]
            segments.append(segment.without(mine) if len(mine) else segment)
        return replace(self, segments=tuple(segments))

    def compacted(self, parameters: Parameters, workers: Workers) -> Content:
        """One segment of the living documents, whose slots become 0, 1, 2, ..."""
        if not self.segments:
            return self
        living = [segment.parts().chosen(~segment.dead_by_slot()) for segment in self.segments]
        parts = joined(living, parameters.keep, workers)
        if parts.n == 0:
            return replace(self, segments=())
        return replace(self, segments=(arranged(parts, 0, parameters, workers),))
