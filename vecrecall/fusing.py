"""Several answers to the same queries become one: reciprocal rank fusion and weighted sums of scores."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecrecall.hits import Hits
from vecrecall.inputs import as_choice, as_count, as_number

RANK_CONSTANT = 60  # of the paper
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_TILE = 1 << 18  # places looked at together
_Gain = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def fuse(
    answers: Sequence[Hits],
    method: str = "rrf",
    k: int = 10,
    *,
    weights: Sequence[float] | None = None,
    rank_constant: float | None = None,
) -> Hits:
    """Fuse the answers of several searches for the same queries into one ranking.

    Parameters
    ----------
    answers : sequence of Hits, at least one
        All for one vector, or all for batches of equal length; row i of each answers query i. Their k and their
        metrics may differ, their ids must be of one kind and name the same documents.
    method : {"rrf", "linear"}, default "rrf"
        "rrf", reciprocal rank fusion: a document scores the sum of weight / (rank_constant + rank) over the answers
        that hold it, where rank counts from 1. Scores of the answers play no part.
        "linear": the sum of weight * normalised score, where the scores of each query in each answer are brought to
        [0, 1]: (score - lowest) / (highest - lowest). Where an answer holds one hit, or hits of equal score, all of
        them get 1. Hence the last hit of an answer of several scores gets 0, as does what an answer does not hold.
    k : int, default 10
        Answers wanted for each query.
    weights : sequence of float, one for each answer, optional
        At least 0, and one of them above. An answer of weight 0 is left out: it brings no hits. Default: 1 each.
    rank_constant : float above 0, optional
        Only for "rrf". The greater, the less the first ranks stand out. Default: 60. Beyond a million or so, float32
        scores cannot tell neighbouring ranks apart.

    Returns
    -------
    Hits, of shape (q, k), or (k,) for one vector
        Metric "ip": ``scores`` are the fused scores, ``distances`` minus them. Fewer documents than k leave missing
        places. The greatest float32 score stands first; of equal ones that document which is met first when the
        answers are read one after another, each from its best hit on: so the earliest answer decides, and in it the
        rank. ``evals`` are the sums over all answers.

    Raises
    ------
    TypeError
        If `answers` is not a sequence of `Hits`, ids are of two kinds, or a number is none.
    ValueError
        If the numbers of queries differ, weights do not fit, `k` or `rank_constant` is out of range, `method` is
        unknown, or `rank_constant` is given for "linear".

    Notes
    -----
    An id that one answer repeats (parts of a document that were given its id) counts there by its first place only.
    Answers without any hit fit ids of both kinds.

    References
    ----------
    Cormack, Clarke & Buettcher (2009), Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank Learning
    Methods, SIGIR.
    Bruch, Gai & Ingber (2023), An Analysis of Fusion Functions for Hybrid Retrieval, ACM TOIS 42(1), compare both
    methods.

    Examples
    --------
    >>> import numpy as np
    >>> dense = Hits(np.array([[7, 3, 5]]), np.array([[0.1, 0.2, 0.5]], "f4"), np.array([90]), "cosine")
    >>> terms = Hits(np.array([[3, 9, -1]]), np.array([[-4.0, -2.0, np.inf]], "f4"), np.array([40]), "ip")
    >>> fused = fuse([dense, terms], k=3)
    >>> fused.ids, fused.scores.round(4)
    (array([[3, 7, 9]]), array([[0.0325, 0.0164, 0.0161]], dtype=float32))
    >>> fuse([dense, terms], "linear", k=3, weights=[1, 2]).scores
    array([[2.75, 1.  , 0.  ]], dtype=float32)
    """
    as_choice(method, "method", ("rrf", "linear"))
    k = as_count(k, "k")
    constant = _as_rank_constant(rank_constant, method)
    answers = _as_answers(answers)
    shares = _as_weights(weights, len(answers))
    ids, names = _numbered(answers)
    gain = _min_max if constant is None else partial(_reciprocal_ranks, constant=constant)
    fused, distances = _ranking(answers, ids, shares, gain, k)
    outer = fused if names is None else names[fused + 1]
    evals = np.zeros(len(fused), np.int64) + sum(hits.evals for hits in answers)
    if answers[0].distances.ndim == 1:
        return Hits(outer[0], distances[0], int(evals[0]), "ip")
    return Hits(outer, distances, evals, "ip")


def _ranking(
    answers: Sequence[Hits], numbers: Sequence[NDArray[np.int64]], shares: list[float], gain: _Gain, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return ids and distances (q, k), the gains of each answer's scores being summed by its share."""
    used = [i for i, share in enumerate(shares) if share > 0]
    ids = np.concatenate([numbers[i] for i in used], axis=1)
    owner = np.repeat(used, [numbers[i].shape[1] for i in used])
    scores = [np.atleast_2d(hits.scores) for hits in answers]
    fused = np.full((len(ids), k), -1, np.int64)
    distances = np.full((len(ids), k), np.inf, np.float32)
    step = max(1, _TILE // max(1, ids.shape[1]))
    for lo in range(0, len(ids), step):
        rows = slice(lo, lo + step)
        gains = [shares[i] * gain(scores[i][rows]) for i in used]
        best, best_scores = _best(ids[rows], np.concatenate(gains, axis=1), owner, k)
        fused[rows, : best.shape[1]] = best
        distances[rows, : best.shape[1]] = 0 - best_scores  # not minus: that would turn 0 into -0
    return fused, distances


def _reciprocal_ranks(scores: NDArray[np.float32], constant: float) -> NDArray[np.float64]:
    """Return 1 / (constant + rank) of each place (q, width), ranks counting from 1."""
    return np.broadcast_to(1 / (constant + np.arange(1, scores.shape[1] + 1)), scores.shape)


def _min_max(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the scores (q, width) of each row brought to [0, 1]; 1 where they are equal, or missing."""
    found = np.isfinite(scores)
    wide = scores.astype(np.float64)
    low = wide.min(axis=1, where=found, initial=np.inf, keepdims=True)
    spread = wide.max(axis=1, where=found, initial=-np.inf, keepdims=True) - low
    return np.divide(wide - low, spread, out=np.ones(scores.shape), where=found & (spread > 0))


def _best(
    ids: NDArray[np.int64], gains: NDArray[np.float64], owner: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return ids and summed gains of the k best of each row, -1 and -inf where there are fewer.

    Places (q, width) stand answer by answer, of which `owner` (width,) is the number. All sorting is stable, so the
    first place of an id stands for it and settles ties.
    """
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, 1)
    first = np.ones(ids.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    gained = np.take_along_axis(gains, order, 1)
    gained[:, 1:][~first[:, 1:] & (owner[order[:, 1:]] == owner[order[:, :-1]])] = 0  # repeated within one answer
    sums = np.full(ids.shape, -np.inf, np.float32)
    sums[first] = np.bincount(np.cumsum(first) - 1, gained.reshape(-1))
    sums[ordered == -1] = -np.inf
    scores = np.empty_like(sums)
    np.put_along_axis(scores, order, sums, 1)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best_scores = np.take_along_axis(scores, best, 1)
    return np.where(best_scores > -np.inf, np.take_along_axis(ids, best, 1), -1), best_scores


def _numbered(answers: Sequence[Hits]) -> tuple[list[NDArray[np.int64]], NDArray[Any] | None]:
    """Return ids as integers (q, width), -1 where missing, and for strings the name of number i at place i + 1."""
    found = [np.isfinite(np.atleast_2d(hits.distances)) for hits in answers]
    held = [np.atleast_2d(hits.ids)[there] for hits, there in zip(answers, found, strict=True)]
    kinds = [_kind(ids, i) for i, ids in enumerate(held)]
    first = next((i for i, ids in enumerate(held) if len(ids)), 0)
    for i, ids in enumerate(held):
        if len(ids) and kinds[i] != kinds[first]:
            raise TypeError(
                f"answers[{first}] holds {kinds[first]} ids and answers[{i}] {kinds[i]} ids, expected one kind; "
                "give both indexes the same ids"
            )
    known: dict[Any, int] = {None: -1}
    numbers = [np.full(there.shape, -1, np.int64) for there in found]
    for places, there, ids in zip(numbers, found, held, strict=True):
        if len(ids):
            as_text = kinds[first] == "str"
            places[there] = [known.setdefault(name, len(known) - 1) for name in ids.tolist()] if as_text else ids
    return numbers, np.array(list(known), object) if kinds[first] == "str" else None


def _kind(ids: NDArray[Any], i: int) -> str:
    """Return "int64" or "str" after checking that the ids of hits are such."""
    if ids.dtype.kind in "iu":
        return "int64"
    if ids.dtype.kind == "U" or (ids.dtype == object and all(isinstance(name, str) for name in ids)):
        return "str"
    raise TypeError(f"answers[{i}] holds ids of {ids.dtype}, expected int64 or str; give the ids of an index")


def _as_answers(answers: Any) -> tuple[Hits, ...]:
    if isinstance(answers, Hits) or not hasattr(answers, "__iter__"):
        raise TypeError(f"answers is a {type(answers).__name__}, expected a sequence of Hits such as [dense, sparse]")
    given = tuple(answers)
    if not given:
        raise ValueError("answers is empty, expected at least one Hits; give those of a search")
    for i, hits in enumerate(given):
        if not isinstance(hits, Hits):
            raise TypeError(f"answers[{i}] is a {type(hits).__name__}, expected Hits; give what a search returned")
        if (hits.distances.ndim, len(hits)) != (given[0].distances.ndim, len(given[0])):
            raise ValueError(
                f"answers[0] answers {_queries(given[0])} and answers[{i}] {_queries(hits)}, expected the same "
                "queries; search with the same batch"
            )
    return given


def _queries(hits: Hits) -> str:
    return "one vector" if hits.distances.ndim == 1 else f"a batch of {len(hits)}"


def _as_weights(weights: Any, n: int) -> list[float]:
    if weights is None:
        return [1.0] * n
    if isinstance(weights, (str, dict)) or not hasattr(weights, "__len__") or getattr(weights, "ndim", 1) != 1:
        raise TypeError(f"weights is {weights!r}, expected a sequence of numbers, one for each of the {n} answers")
    numbers = [as_number(weight, f"weights[{i}]") for i, weight in enumerate(weights)]
    if len(numbers) != n:
        raise ValueError(f"weights holds {len(numbers)} numbers, expected one for each of the {n} answers")
    for i, number in enumerate(numbers):
        if not 0 <= number < math.inf:
            raise ValueError(f"weights[{i}] is {number}, expected a finite number of at least 0")
    if not 0 < sum(numbers) <= _FLOAT32_MAX:
        raise ValueError(f"weights sum to {sum(numbers)}, expected more than 0 and what float32 holds; scale them")
    return numbers


def _as_rank_constant(value: Any, method: str) -> float | None:
    """Return the constant of "rrf", or None for a method that has none."""
    if value is None:
        return RANK_CONSTANT if method == "rrf" else None
    if method != "rrf":
        raise ValueError(f"rank_constant={value!r} was given with method {method!r}, which has none; leave it out")
    constant = as_number(value, "rank_constant")
    if not 0 < constant < math.inf:
        raise ValueError(f"rank_constant is {constant}, expected a finite number above 0, such as {RANK_CONSTANT}")
    return constant
