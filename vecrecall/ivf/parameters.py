"""What a caller decides about an inverted file, checked once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil, sqrt
from typing import Any

from vecrecall.curve import MEASURED_AGAIN
from vecrecall.errors import IndexFileError
from vecrecall.inputs import as_choice, as_count, as_recall, as_reduce, as_seed, as_share

STORAGES = ("sq4", "sq8")
KEEPS = ("auto", "u8", "f16", "f32")
FEWEST = 1024  # below this many rows nothing is trained: a scan of the rows is as fast, and exact
ONE_LIST = 5000  # below this many rows all codes are scanned
_STEP = 32  # centroids in a block


def default_lists(n: int) -> int:
    """How many lists n rows are shared among: about 2 sqrt(n), in whole blocks of centroids; one below 5,000."""
    return 1 if n < ONE_LIST else max(_STEP, round(2 * sqrt(n) / _STEP) * _STEP)


@dataclass(frozen=True)
class Parameters:
    """Parameters of an inverted file. All survive save and load."""

    n_lists: int | None
    storage: str
    reduce: str | int | None
    keep: str | None
    target_recall: float
    seed: int

    @classmethod
    def checked(
        cls, *, n_lists: Any, storage: Any, reduce: Any, keep: Any, target_recall: Any, seed: Any
    ) -> Parameters:
        """Parameters, or an error that says what was given and what is allowed."""
        if n_lists is not None:
            n_lists = as_count(n_lists, "n_lists")
        storage = as_choice(storage, "storage", STORAGES)
        if keep is not None:
            keep = as_choice(keep, "keep", KEEPS)
        return cls(n_lists, storage, as_reduce(reduce), keep, as_recall(target_recall), as_seed(seed))

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return 4 if self.storage == "sq4" else 8

    def as_dict(self) -> dict[str, Any]:
        """For the file."""
        return asdict(self)


@dataclass(frozen=True)
class Chosen:
    """Settings that `tune` chose, the k, vectors and lists that it chose them for, and the recall they had."""

    nprobe: int
    rerank: int
    k: int
    n: int
    n_lists: int
    recall: float

    @classmethod
    def restored(cls, given: Any) -> Chosen:
        """What a file holds."""
        chosen = cls(**given)
        counts = (chosen.nprobe, chosen.rerank, chosen.k, chosen.n, chosen.n_lists)
        if any(type(count) is not int or not 1 <= count <= 2**31 for count in counts):
            raise IndexFileError(f"the settings that were tuned are {given!r}, expected numbers of lists and vectors")
        as_share(chosen.recall, "the recall of what was tuned", zero=True)
        return chosen

    def outdated(self, n: int) -> bool:
        """Whether n vectors are too many for what was measured; the index's own curve is measured again then too."""
        return n >= MEASURED_AGAIN * self.n

    def at(self, k: int, n_lists: int) -> tuple[int, int]:
        """(nprobe, rerank) for k answers out of so many lists: more for more answers, as a curve has it."""
        times = max(1.0, k / self.k)
        nprobe = ceil(self.nprobe * times * n_lists / self.n_lists)  # some may have been split since
        return min(nprobe, n_lists), max(k, ceil(self.rerank * times))
