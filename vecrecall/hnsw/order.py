"""The order of insertion."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecrecall.hnsw.parameters import Parameters
from vecrecall.hnsw.training import FEWEST


def checked_order(order: Any, n: int, parameters: Parameters) -> np.ndarray | None:
    """Positions in X, each of 0..n-1 once, as int32; None where no array was given."""
    if order is None:
        return None
    if parameters.coded and n < FEWEST:
        raise ValueError(
            f"order was given as an array for {n} rows, but storage={parameters.storage!r} builds no graph of fewer "
            f"than {FEWEST}; use storage='f32'"
        )
    positions = np.asarray(order)
    if positions.dtype.kind not in "iu" or positions.shape != (n,):
        raise ValueError(
            f"order has dtype {positions.dtype} and shape {positions.shape}, expected 'random', 'given', or {n} "
            "integers: each position of X once"
        )
    if not np.array_equal(np.sort(positions), np.arange(n)):
        raise ValueError(f"order does not hold each position 0..{n - 1} once; numpy.argsort gives such an order")
    return positions.astype(np.int32)


def random_order(seed: int, slots: np.ndarray) -> np.ndarray:
    """A permutation of slots that depends on the seed and the first of them only."""
    first = int(slots[0]) if len(slots) else 0
    return np.random.Generator(np.random.PCG64([seed, first])).permutation(slots)
