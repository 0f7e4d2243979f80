"""When codes are trained and trained again, and what the data say about parameters that were left open."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vecrecall.blas import one_blas_thread
from vecrecall.hnsw.parameters import Parameters
from vecrecall.vectors.codes import SAMPLE, Codec, train
from vecrecall.vectors.spaces import Space

FEWEST = 1024  # below this many rows codes are not trained: a scan of the rows is as fast as a walk, and exact
WORSE = 1.5  # codes of rows added since training may be this much worse than those of the sample
DRIFT_SHARE = 16  # fewer rows than this share count as so many: only far worse ones are heard
FAR_OUT = 64.0  # an added row counts as at most so many times worse than those of the sample
LIMIT_ROOM = 16.0  # under ip, keys have room for rows this much longer than the longest at training

EF_LOW, EF_HIGH = 64, 128  # ef_construction where the intrinsic dimension is low, high
LID_HIGH = 20.0
_NEIGHBOURS, _ASKING = 50, 256
COARSE = 0.3  # 4-bit codes coarser than this lose neighbours

Take = Callable[[np.ndarray], np.ndarray]


def sample_slots(n: int) -> np.ndarray:
    """Slots of the training sample: evenly spread, at most ``SAMPLE``."""
    return np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.int64))


class Sample:
    """A sample of n rows as they ask, and how near its rows are to each other.

    ``take`` gives rows by slot as float32.
    """

    def __init__(self, space: Space, take: Take, n: int) -> None:
        slots = sample_slots(n)
        self.rows = np.ascontiguousarray(space.asking(take(slots), slots)[:, : space.dim])
        self.products = space.metric == "ip"
        with one_blas_thread:  # its sums depend on the number
            self.neighbours = neighbour_distances(self.rows)

    def codec(self, parameters: Parameters) -> Codec:
        """Train a codec.

        ``storage="auto"`` is 4 bits, or 8 where steps of 4 bits are too coarse to tell neighbours apart (clusters that
        stand far from each other for their size).
        """
        storage = "sq4" if parameters.storage == "auto" else parameters.storage
        codec = self._trained(storage, parameters)
        if parameters.storage == "auto" and codec.coarseness > COARSE:
            codec = self._trained("sq8", parameters)
        return codec

    def _trained(self, storage: str, parameters: Parameters) -> Codec:
        rng = np.random.Generator(np.random.PCG64(parameters.seed))
        with one_blas_thread:
            return train(
                self.rows, storage, parameters.reduce, rng, products=self.products,
                neighbour_distance=tenth_neighbour(self.neighbours),
            )  # fmt: skip

    def ef_construction(self) -> int:
        """A wider search at build where the intrinsic dimension is high: there the graph loses the last points.

        On 100,000 rows sentence embeddings (LID 25) answered 1.3 times faster at recall 0.99 with 128; image
        descriptors (LID 17) and images (13) somewhat slower.
        """
        return EF_HIGH if mean_lid(self.neighbours) > LID_HIGH else EF_LOW


def tenth_neighbour(neighbours: np.ndarray) -> float:
    """Median distance to the tenth neighbour in the sample (the last, where there are fewer)."""
    return float(np.median(neighbours[:, min(10, neighbours.shape[1]) - 1])) if neighbours.size else 0.0


def outgrown(codec: Codec, n: int, n_since: int, error_since: float) -> bool:
    """Whether codes should be trained again for n rows.

    While the sample was all there was, at each doubling; and whenever the rows added since are coded clearly worse
    than the sample was (data have drifted): many somewhat worse, or a few that are far out.
    """
    if codec.n_trained < SAMPLE and n >= 2 * codec.n_trained:
        return True
    return error_since > WORSE * codec.mean_error * max(n_since, n / DRIFT_SHARE)


def neighbour_distances(sample: np.ndarray) -> np.ndarray:
    """Distances of some rows of a sample to their nearest other rows in it, ascending, shape (asking, k)."""
    sample = sample - sample.mean(0)
    asking = sample[:: max(1, len(sample) // _ASKING)][:_ASKING]
    squares = np.einsum("ij,ij->i", sample, sample)
    distances = np.einsum("ij,ij->i", asking, asking)[:, None] + squares - 2 * (asking @ sample.T)
    k = min(_NEIGHBOURS, len(sample) - 1)
    nearest = np.sqrt(np.maximum(np.partition(distances, k, axis=1)[:, : k + 1], 0))
    nearest.sort(axis=1)
    return nearest[:, 1:]  # without itself


def mean_lid(neighbours: np.ndarray) -> float:
    """Mean local intrinsic dimension by maximum likelihood (Levina & Bickel 2004) from distances to neighbours."""
    neighbours = neighbours[neighbours[:, 0] > 0] if neighbours.size else neighbours
    if not neighbours.size:
        return 0.0
    ratios = np.log(neighbours[:, -1:] / neighbours[:, :-1]).mean(1) if neighbours.shape[1] > 1 else np.zeros(1)
    ratios = ratios[ratios > 0]
    return float((1 / ratios).mean()) if len(ratios) else 0.0
