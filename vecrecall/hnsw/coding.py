"""How rows become what is walked: codes that are trained on a sample of them, or floats."""

from __future__ import annotations

import numpy as np

from vecrecall.hnsw.parameters import Parameters
from vecrecall.hnsw.training import Sample, Take
from vecrecall.threads import Workers
from vecrecall.vectors.encoding import QueryForms
from vecrecall.vectors.spaces import Space
from vecrecall.vectors.walked import CodedRows, FloatRows, WalkedRows

_TILE = 4096  # rows brought into the space at a time


class Coding:
    """n rows, which ``take`` gives by slot as float32, and what a graph's parameters say about them."""

    def __init__(self, take: Take, n: int, parameters: Parameters, workers: Workers) -> None:
        self.n = n
        self._take, self._parameters, self._workers = take, parameters, workers
        self._drawn: Sample | None = None

    def sample(self, space: Space) -> Sample:
        """The sample that codes and ef_construction are decided by, drawn when first asked for."""
        self._drawn = self._drawn or Sample(space, self._take, self.n)
        return self._drawn

    def chosen(self, space: Space) -> WalkedRows:
        """Walked rows, none yet, in the form that the parameters name or the sample decides."""
        if not self._parameters.coded:
            return FloatRows.empty(self._parameters.storage, space)
        codec = self.sample(space).codec(self._parameters)
        return FloatRows.empty("f32", space) if codec is None else CodedRows.empty(space, codec)

    def write(self, walked: WalkedRows, forms: QueryForms, first: int = 0) -> np.ndarray:
        """Write walked rows and query forms of slots first..n; returns their squared errors."""
        errors = [np.zeros(0)]
        for lo in range(first, self.n, _TILE):
            rows = self._take(slice(lo, min(lo + _TILE, self.n)))
            errors.append(walked.write(rows, lo, forms, self._workers).astype(np.float64))
        return np.concatenate(errors)
