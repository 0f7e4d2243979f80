"""What a caller decides about a graph, checked once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from vecrecall.inputs import as_choice, as_count, as_reduce, as_seed

STORAGES = ("auto", "sq4", "sq8", "f16", "f32")
KEEPS = ("auto", "u8", "f16", "f32")
SCHEDULES = ("parallel", "sequential")
ORDERS = ("random", "given")
M_MOST = 512
FLOAT_BYTES = {"f16": 2, "f32": 4}
WIDE = 2048  # bytes of a float row


def default_links(storage: str, dim: int) -> int:
    """M where none is given: 24 over codes; 16 over floats and 12 over wide ones.

    More links find more at a smaller ``ef``, but each step compares more: that pays where a comparison is cheap.
    """
    if storage not in FLOAT_BYTES:
        return 24
    return 16 if dim * FLOAT_BYTES[storage] < WIDE else 12


@dataclass(frozen=True)
class Parameters:
    """Parameters of a graph; what ``None`` and "auto" stand for is decided by rules on the data, at build."""

    M: int
    ef_construction: int | None
    storage: str
    reduce: str | int | None
    keep: str | None
    order: str
    schedule: str
    fill: bool
    seed: int

    @property
    def coded(self) -> bool:
        """Whether rows are walked as trained codes."""
        return self.storage in ("auto", "sq4", "sq8")

    @classmethod
    def checked(
        cls, *, M: Any, ef_construction: Any, storage: Any, reduce: Any, keep: Any, order: str, schedule: Any,
        fill: Any, seed: Any,
    ) -> Parameters:  # fmt: skip
        """Check every value by itself and the combinations; raise what a caller reads."""
        M = as_count(M, "M", least=2)
        if M > M_MOST:
            raise ValueError(f"M is {M}, expected 2 to {M_MOST}; 16 to 48 serve nearly all data")
        storage = as_choice(storage, "storage", STORAGES)
        schedule = as_choice(schedule, "schedule", SCHEDULES)
        reduce = as_reduce(reduce)
        if reduce not in (None, "auto") and storage in ("f16", "f32"):
            raise ValueError(
                f"reduce={reduce} was given with storage={storage!r}, which walks all dimensions; "
                "leave reduce out or use codes: storage='auto', 'sq4' or 'sq8'"
            )
        if ef_construction is not None:
            ef_construction = as_count(ef_construction, "ef_construction")
        if keep is not None:
            keep = as_choice(keep, "keep", KEEPS)
        if fill is None:
            fill = schedule == "parallel"
        if not isinstance(fill, bool):
            raise TypeError(f"fill is {fill!r}, expected True, False or None (True for schedule='parallel')")
        if fill and schedule == "sequential":
            raise ValueError("fill=True was given with schedule='sequential', the textbook insertion; leave fill out")
        return cls(M, ef_construction, storage, reduce, keep, order, schedule, fill, as_seed(seed))

    def as_dict(self) -> dict[str, Any]:
        """For the file."""
        return asdict(self)
