"""When codes are trained and trained again, and what the data say about parameters that were left open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vecrecall.blas import one_blas_thread
from vecrecall.hnsw.parameters import Parameters
from vecrecall.threads import Workers
from vecrecall.vectors.axes import sample_slots
from vecrecall.vectors.codes import Codec, train
from vecrecall.vectors.spaces import Space
from vecrecall.vectors.walked import CodedRows

FEWEST = 1024  # below this many rows codes are not trained: a scan of the rows is as fast as a walk, and exact
LIMIT_ROOM = 16.0  # under ip, keys have room for rows this much longer than the longest at training

EF_LOW, EF_HIGH = 64, 128  # ef_construction where the intrinsic dimension is low, high
LID_HIGH = 20.0
_NEIGHBOURS, _ASKING = 50, 256
_SHOWN = {10: 30, 3: 9}  # fidelity: how many of the nearest are among so many by codes; of small groups 30 are all
FAITHFUL = 0.97  # codes that show fewer are no guide

Take = Callable[[np.ndarray | slice], np.ndarray]  # rows by slot, as float32 (m, dim)


class Sample:
    """A sample of n rows as they ask, and how near its rows are to some of them.

    ``take`` gives rows by slot as float32.
    """

    def __init__(self, space: Space, take: Take, n: int) -> None:
        slots = sample_slots(n)
        self.space = space
        self.rows = np.ascontiguousarray(space.asking(take(slots), slots)[:, : space.dim])
        self.asking = np.arange(0, len(slots), max(1, len(slots) // _ASKING))[:_ASKING]
        with one_blas_thread:  # its sums depend on the number
            self.squares = squared_distances(self.rows, self.asking)
        k = min(_NEIGHBOURS, len(slots) - 1)
        self.neighbours = np.sqrt(np.sort(np.partition(self.squares, k, axis=1)[:, : k + 1], axis=1)[:, 1:])

    def codec(self, parameters: Parameters) -> Codec | None:
        """Train a codec; None where ``storage="auto"`` finds that codes cannot tell near rows from others.

        "auto" is 4 bits, or 8 where 4 are too coarse, or else floats: clusters that stand far from each other for their
        size, rows of very different lengths.
        """
        codec = None
        for storage in ("sq4", "sq8") if parameters.storage == "auto" else (parameters.storage,):
            codec = self._trained(storage, parameters)
            if codec.fidelity >= FAITHFUL:
                return codec
        return None if parameters.storage == "auto" else codec

    def _trained(self, storage: str, parameters: Parameters) -> Codec:
        rng = np.random.Generator(np.random.PCG64(parameters.seed))
        with one_blas_thread:
            codec = train(self.rows, storage, parameters.reduce, rng, products=self.space.metric == "ip")
            return replace(codec, fidelity=self._fidelity(codec))

    def _fidelity(self, codec: Codec) -> float:
        """Share of the nearest rows of the sample that are among so many by codes, the least of what is asked."""
        n, most = len(self.rows), max(_SHOWN.values())
        if n <= most + 1:
            return 1.0
        walked = CodedRows.empty(self.space, codec).with_room(n)
        forms = walked.no_forms().grown(n)
        walked.write(self.rows, 0, forms, Workers(1))
        codes = walked.codes
        dots = forms.forms[self.asking].view(np.int8).astype(np.float32) @ codes.unpacked(codec.storage)[:n].T
        keys = codes.bias[:n] - dots
        if self.space.metric == "ip":  # directions of one length: the greatest product is the least distance
            keys = -dots
        by_codes = np.argpartition(keys, most, axis=1)[:, : most + 1]  # with the row itself
        ranked = np.argsort(np.take_along_axis(keys, by_codes, axis=1), axis=1, kind="stable")
        squares = np.take_along_axis(self.squares, np.take_along_axis(by_codes, ranked, axis=1), axis=1)
        nearest = np.sort(np.partition(self.squares, max(_SHOWN), axis=1)[:, : max(_SHOWN) + 1], axis=1)
        shares = []
        for near, shown in _SHOWN.items():
            found = (squares[:, : shown + 1] <= nearest[:, near : near + 1]).sum(1) - 1
            shares.append(np.minimum(found, near).clip(0).mean() / near)
        return float(min(shares))

    def ef_construction(self) -> int:
        """A wider search at build where the intrinsic dimension is high: there the graph loses the last points.

        Elsewhere it would only lengthen the build.
        """
        return EF_HIGH if mean_lid(self.neighbours) > LID_HIGH else EF_LOW


def squared_distances(sample: np.ndarray, asking: np.ndarray) -> np.ndarray:
    """Squared distances of some rows of a sample, by number, to all of it."""
    sample = sample - sample.mean(0)
    squares = np.einsum("ij,ij->i", sample, sample)
    return np.maximum(squares[asking, None] + squares - 2 * (sample[asking] @ sample.T), 0)


def mean_lid(neighbours: np.ndarray) -> float:
    """Mean local intrinsic dimension by maximum likelihood (Levina & Bickel 2004) from distances to neighbours."""
    neighbours = neighbours[neighbours[:, 0] > 0] if neighbours.size else neighbours
    if not neighbours.size:
        return 0.0
    ratios = np.log(neighbours[:, -1:] / neighbours[:, :-1]).mean(1) if neighbours.shape[1] > 1 else np.zeros(1)
    ratios = ratios[ratios > 0]
    return float((1 / ratios).mean()) if len(ratios) else 0.0
