"""The true answers that a sweep compares with: as given, or by exact search."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecrecall.hits import Hits
from vecrecall.index import Index
from vecrecall.inputs import as_rows
from vecrecall.matching import as_truth
from vecrecall.progress import progress_bar
from vecrecall.tuning import Tunable, refuse_other_ids

_BLOCK = 1_024  # queries that exact search is asked together: enough to share work, few enough to show progress


def true_answers(
    index: Index, batch: Any, truth: Any, rows: Any, k: int, n_workers: int, progress: bool = False
) -> tuple[tuple[Any, Any], str, str]:
    """((ids, distances), "distance" or "id", where they are from in words)."""
    exact_distances = index._exact_distances() if isinstance(index, Tunable) else True
    given = truth is not None
    if given:
        if rows is not None:
            raise ValueError("rows was given beside truth, which is computed from it; leave one out")
        source = "the truth given"
        if not isinstance(truth, (Hits, tuple)):
            source += ", of ids alone"
    elif rows is not None:
        truth, source = _over_rows(index, batch, rows, k, n_workers), "exact search over the rows given"
    elif not isinstance(index, Tunable):
        truth, source = index.search(batch, k, threads=n_workers), "exact search, which it is"  # type: ignore[attr-defined]
    else:
        truth, source = _by_blocks(index, batch, k, n_workers, progress), "exact search over the rows of the index"
        if truth is None:
            raise ValueError(
                "no rows are kept to compute the truth from; give truth, or rows that the index was built of"
            )
    if not exact_distances:
        source += " (the index keeps no rows, its distances are those of codes)"
    true, by = as_truth(truth, batch.shape[0], k, by_distance=exact_distances)
    if given:
        refuse_other_ids(index._ids, true[0], by)
    return true, by, source


def _by_blocks(index: Tunable, batch: Any, k: int, n_workers: int, progress: bool) -> tuple[Any, Any] | None:
    """(ids, distances) by exact search over the rows that an index keeps; None where it keeps none."""
    n, found = batch.shape[0], []
    with progress_bar("exact search", n, progress) as show:
        for first in range(0, n, _BLOCK):
            queries, _ = index._checked_queries(batch[first : first + _BLOCK])
            hits = index._exact_answer(queries, k, n_workers)
            if hits is None:
                return None
            found.append(hits)
            show(min(first + _BLOCK, n))
    return np.concatenate([hits.ids for hits in found]), np.concatenate([hits.distances for hits in found])


def _over_rows(index: Index, batch: Any, rows: Any, k: int, n_workers: int) -> Hits:
    """Exact answers over the rows that an index was built of, which are copied only if they are of another dtype."""
    if index.kind in ("sparse", "exact-sparse"):
        raise ValueError("rows was given for a sparse index, which has its own; leave it out")
    checked = as_rows(rows, name="rows", dim=index.dim)
    if checked.n != len(index):
        raise ValueError(
            f"rows holds {checked.n} vectors and the index {len(index)}; give all that it was built of, in that order"
        )
    from vecrecall.exact.index import Exact
    from vecrecall.exact.search import nearest

    values = np.asarray(rows)
    if values.dtype in (np.uint8, np.float16, np.float32):
        slots, distances = nearest(values, batch, k, index.metric, np.full(len(batch), -1), n_workers)
    else:
        hits = Exact.build(rows, metric=index.metric).search(batch, k, threads=n_workers)
        slots, distances = hits.ids, hits.distances
    return Hits(index._ids.outer(slots), distances, np.full(len(batch), checked.n), index.metric)
