"""How rows are added: read, rotated, given to lists and coded - all or nothing.

Growing gives a new :class:`Content`, which shares the memory that suffices and leaves the old one as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vecrecall.blas import one_blas_thread
from vecrecall.curve import Curve
from vecrecall.inputs import Rows
from vecrecall.ivf.content import Content, Trained
from vecrecall.ivf.lists import Lists
from vecrecall.ivf.parameters import FEWEST, Parameters, default_lists
from vecrecall.ivf.rotated import Rotated
from vecrecall.ivf.split import split_overfull
from vecrecall.threads import Workers
from vecrecall.vectors.axes import Axes, Reduction, heard, ordinary, outgrown, sample_slots, train_axes
from vecrecall.vectors.encoding import Rotation
from vecrecall.vectors.kmeans import PER_LIST, Centroids, kmeans
from vecrecall.vectors.rows import KeptRows

REDUCTION = Reduction(block=32, share=0.925, least=96)
_TILE = 4096  # rows brought into the space at a time
_AGAIN = 4  # lists are made anew when there are so many times the rows

Progress = Callable[[int], None]


class Growth:
    """One call that adds rows to a content."""

    def __init__(
        self, old: Content, rows: Rows, dtype: np.dtype, parameters: Parameters, workers: Workers, progress: Progress
    ) -> None:
        self.old, self.rows, self.parameters = old, rows, parameters
        self.workers, self.progress = workers, progress
        self.n = old.n + rows.n
        self.rng = np.random.Generator(np.random.PCG64([parameters.seed, self.n]))
        self.kept: KeptRows | None = None
        if old.kept is not None:
            self.kept = old.kept.extended(rows, dtype)

    def run(self) -> Content:
        """The grown content, with rows kept as the old one has them; its curve is the old one or to be measured."""
        old = self.old
        if old.trained is None:
            return self._made_anew() if self.n >= FEWEST else replace(old, n=self.n, kept=self.kept)
        if not self._outgrown(0, 0.0):
            content = self._grown()
            if not self._outgrown(content.n_since, content.error_since):
                return content
        return self._made_anew()

    def _outgrown(self, n_since: int, error_since: float) -> bool:
        """Whether axes and lists should be made anew; only where all rows can be had."""
        trained = self.old.trained
        if trained is None or self.kept is None:
            return False
        return self.n >= _AGAIN * trained.n_clustered or outgrown(
            trained.n, trained.mean_error, self.n, n_since, error_since
        )

    def _made_anew(self) -> Content:
        """Axes, centroids and lists from the rows."""
        axes, shift, n_sample = self._axes()
        rotation = Rotation(axes, products=self.old.space.metric == "ip")
        rotated = Rotated(self.old.space, rotation, shift, self.workers)
        z, rests, beyond = self._rotated(rotated, 0)
        k = self._n_lists()
        sample = np.sort(self.rng.choice(self.n, min(self.n, max(PER_LIST * k, FEWEST)), replace=False))
        values = kmeans(z[sample], k, self.rng, self.workers)
        lists = Lists.empty(k, rotation.padded_p, self.parameters.bits)
        lists, values, errors = self._placed(lists, values, z, rests, 0, rotated)
        trained = Trained(axes, shift, n_sample, float((errors + beyond).mean(dtype=np.float64)), self.n)
        return self._content(trained, rotation, values, lists, None, 0, 0.0)

    def _grown(self) -> Content:
        """The old lists with the new rows."""
        old = self.old
        assert old.trained is not None and old.rotation is not None
        assert old.lists is not None and old.centroids is not None
        rotated = Rotated(old.space, old.rotation, old.trained.shift, self.workers)
        z, rests, beyond = self._rotated(rotated, old.n)
        lists, values, errors = self._placed(old.lists, old.centroids.values, z, rests, old.n, rotated)
        errors = heard(errors + beyond, old.trained.mean_error)
        error = old.error_since + float(errors.sum(dtype=np.float64))
        n_since = old.n_since + self.rows.n
        return self._content(old.trained, old.rotation, values, lists, old.curve, n_since, error)

    def _n_lists(self) -> int:
        """As given, or by the rule for so many rows."""
        return min(self.parameters.n_lists or default_lists(self.n), self.n)

    def _axes(self) -> tuple[Axes, np.ndarray, int]:
        """(axes, shift, rows of the sample)."""
        space, reduce = self.old.space, self.parameters.reduce
        slots = sample_slots(self.n)
        sample = np.ascontiguousarray(space.asking(self._take(slots), slots)[:, : space.dim])
        rule = REDUCTION if reduce == "auto" else None if reduce is None else int(reduce)
        with one_blas_thread:
            axes, turn, _ = train_axes(sample[ordinary(sample)], rule, self.rng)
        shift = np.zeros(Rotation(axes).padded_p, np.float32)
        if space.metric == "ip":
            shift[: axes.p] = axes.mean @ turn
        return axes, shift, len(sample)

    def _take(self, slots: np.ndarray | slice) -> np.ndarray:
        """Rows by slot as float32: out of the kept ones, or where none are kept the caller's."""
        if self.kept is not None:
            return self.kept.take(slots)
        if isinstance(slots, slice):
            return self.rows.tile(slots.start - self.old.n, slots.stop - self.old.n)
        return self.rows.take(slots - self.old.n)

    def _rotated(self, rotated: Rotated, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """z, rests and how far outside (squared), of slots first..n."""
        z = np.empty((self.n - first, rotated.rotation.padded_p), np.float32)
        rests, beyond = np.empty(len(z), np.float32), np.empty(len(z), np.float32)
        for lo in range(first, self.n, _TILE):
            hi = min(lo + _TILE, self.n)
            at = slice(lo - first, hi - first)
            z[at], rests[at], beyond[at] = rotated(self._take(slice(lo, hi)), np.arange(lo, hi))
            self.progress(hi - self.old.n)
        return z, rests, beyond

    def _placed(
        self, lists: Lists, values: np.ndarray, z: np.ndarray, rests: np.ndarray, first: int, rotated: Rotated
    ) -> tuple[Lists, np.ndarray, np.ndarray]:
        """(lists with slots first..n in them, centroids, squared errors of codes and axes)."""
        numbers, _ = Centroids(values).nearest(z, self.workers)
        rows = np.arange(first, self.n, dtype=np.int32)

        def again(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return rotated(self._take(rows), rows)[:2]

        lists, values, z, rests, numbers, rows = split_overfull(
            lists, values, z, rests, numbers, rows, -(-self.n // self._n_lists()),
            None if self.kept is None else again, self.rng, self.workers,
        )  # fmt: skip
        lists, slots = lists.with_rows(numbers, rows)
        errors = lists.blocks.write(
            z, numbers, values, rests, slots, self.workers, products=self.old.space.metric == "ip"
        )
        return lists, values, (errors + rests)[: self.n - first]

    def _content(
        self, trained: Trained, rotation: Rotation, values: np.ndarray, lists: Lists, curve: Curve | None,
        n_since: int, error: float,
    ) -> Content:  # fmt: skip
        centroids = Centroids(values, products=self.old.space.metric == "ip")
        return Content(
            self.n, self.old.space, self.kept, trained, centroids, lists, curve, self.old.n_lists_at_curve, n_since,
            error, rotation,
        )  # fmt: skip
