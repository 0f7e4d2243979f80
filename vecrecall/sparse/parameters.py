"""What a caller decides about a sparse index, and about a search of it, checked once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from vecrecall.inputs import as_choice, as_count, as_seed, as_share

LAYOUTS = ("impact", "blocked")
KEEPS = ("f24", "f32")
BLOCK_SIZE = 4
MANY = 300_000  # times the root of k: documents from which on blocks are faster, by bench.sparse_layouts


@dataclass(frozen=True)
class Parameters:
    """Parameters of a sparse index. All survive save and load."""

    layout: str | None
    n_postings: int | None
    alpha: float
    block_size: int
    summary_energy: float
    keep: str
    seed: int
    k: int

    @classmethod
    def checked(
        cls, *, layout: Any, n_postings: Any, alpha: Any, block_size: Any, summary_energy: Any, keep: Any, seed: Any,
        k: Any,
    ) -> Parameters:
        """Parameters, or an error that says what was given and what is allowed."""
        if layout is not None:
            layout = as_choice(layout, "layout", LAYOUTS)
        if n_postings is not None:
            n_postings = as_count(n_postings, "n_postings")
        if layout != "blocked" and (block_size is not None or summary_energy is not None):
            raise ValueError(
                f"block_size and summary_energy are of layout='blocked', but layout is {layout!r}; leave them out"
            )
        block_size = BLOCK_SIZE if block_size is None else as_count(block_size, "block_size", least=2)
        if block_size > 256:
            raise ValueError(f"block_size is {block_size}, expected at most 256 documents")
        return cls(
            layout, n_postings, as_share(alpha, "alpha"), block_size,
            1.0 if summary_energy is None else as_share(summary_energy, "summary_energy"),
            as_choice(keep, "keep", KEEPS), as_seed(seed), as_count(k, "k"),
        )  # fmt: skip

    @classmethod
    def restored(cls, given: dict[str, Any]) -> Parameters:
        """Parameters out of a file."""
        of_blocks = given["layout"] == "blocked"
        sizes = {name: given[name] if of_blocks else None for name in ("block_size", "summary_energy")}
        return cls.checked(**({"k": 10} | given | sizes))

    def block_of(self, n: int) -> int:
        """Documents in a unit of the posting lists of n documents."""
        blocked = self.layout == "blocked" or (self.layout is None and n**2 >= MANY**2 * self.k)
        return self.block_size if blocked else 1

    @property
    def prunes(self) -> bool:
        """Whether posting lists may lack entries."""
        return self.n_postings is not None or self.alpha < 1 or self.summary_energy < 1

    def as_dict(self) -> dict[str, Any]:
        """For the file."""
        return asdict(self)


class Settings(NamedTuple):
    """How far an approximate search looks."""

    query_cut: int
    heap_factor: float
    impact_cut: float

    @classmethod
    def checked(cls, query_cut: Any, heap_factor: Any, impact_cut: Any, defaults: Settings | None = None) -> Settings:
        """Settings, the default for what is None, or an error that says what was given and what is allowed."""
        defaults = defaults or DEFAULTS
        try:
            return _checked(query_cut, heap_factor, impact_cut, defaults)
        except TypeError:  # refused, or no key of the cache, which the check says better
            pass
        return _checked.__wrapped__(query_cut, heap_factor, impact_cut, defaults)

    @classmethod
    def restored(cls, given: dict[str, Any]) -> Settings:
        """Settings out of a file."""
        return cls.checked(*(given[name] for name in cls._fields))


@lru_cache(maxsize=256, typed=True)  # a search takes microseconds, and most have the settings of the one before
def _checked(query_cut: Any, heap_factor: Any, impact_cut: Any, defaults: Settings) -> Settings:
    return Settings(
        defaults.query_cut if query_cut is None else min(as_count(query_cut, "query_cut"), 2**31),
        defaults.heap_factor if heap_factor is None else as_share(heap_factor, "heap_factor"),
        defaults.impact_cut if impact_cut is None else as_share(impact_cut, "impact_cut", zero=True),
    )


DEFAULTS = Settings(query_cut=32, heap_factor=0.9, impact_cut=0.06)
