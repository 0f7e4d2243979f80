"""Synthetic learned-sparse collections with the published statistics of SPLADE on MS MARCO.

Vocabulary 30,522; about 119 non-zeros a document and 43 a query; the ten heaviest entries of a query hold about
75 % of its L1 mass (the concentration that Bruch et al. 2024 build Seismic on), and so do the fifty heaviest of a
document. Frequencies of terms follow Zipf's law. Documents stand in groups, groups in topics, topics in fields, each
with terms of its own; a query is what a noisy eye keeps of one document and adds from its group, topic and field.

Answering by the 2, 3, 5 or 8 heaviest terms of a query alone finds about as much here as it does on real SPLADE vectors
(of WordNet's glosses): that, beside the statistics, decided the constants.

Every document and every query draws from a stream of its own, so the same arguments give the same collection, and
what is drawn for a row does not depend on the rows before it. A million documents take 40 seconds and 1.6 GB.

The loops are compiled when they are first called: import this module only where a collection is wanted.
"""

# compiled functions carry no types of their own for mypy
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from vecrecall.inputs import as_count, as_seed
from vecrecall.progress import progress_bar

VOCABULARY = 30_522
GROUP_SIZE = 16  # documents in a group, mean
GROUPS_A_TOPIC = 20
TOPICS_A_FIELD = 20

# group, topic, field, and the language itself: share of the draws, size of the own vocabulary, strength of a term
SHARES = np.cumsum([0.25, 0.45, 0.20, 0.10])
N_TERMS = np.array([40, 110, 480, VOCABULARY])
STRENGTHS = np.array([0.9, 1.0, 0.6, 0.4])
FAME_SPREAD = 0.4  # standard deviations of the logarithm of a weight: what all documents of an owner see alike,
SPREAD = 0.65  # and what each sees by itself
HEAVIEST = 3.5  # log(1 + relu(x)) hardly goes beyond

DOCUMENT_TERMS, DOCUMENT_SPREAD = 112.0, 0.35  # log-normal: the mean is about 119
QUERY_TERMS, QUERY_SPREAD = 41.6, 0.25  # about 43
NOISE = 1.3  # of what a query sees of a weight, the standard deviation of the logarithm
OWN = 0.75  # share of a query's terms that its document has
BLOCK = 4_096  # documents drawn in one call of a kernel, which Ctrl-C waits for
DECAY = 7.1  # places of a query over which a weight falls by e


@njit(cache=True)
def _stream(seed: int, kind: int, row: int) -> NDArray[np.uint64]:
    """A stream of random numbers (its state: one word) for a row of the documents (kind 0) or queries (kind 1)."""
    state = np.zeros(1, np.uint64)
    for word in (seed, kind, row):
        state[0] ^= np.uint64(word)
        state[0] = _next(state)
    return state


@njit(cache=True)
def _next(state: NDArray[np.uint64]) -> Any:
    """The next 64 bits of a stream (splitmix64, Steele et al. 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    x = state[0]
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def _uniform(state: NDArray[np.uint64]) -> float:
    """A number in (0, 1)."""
    return (np.float64(_next(state) >> np.uint64(11)) + 0.5) * 2.0**-53


@njit(cache=True)
def _normal(state: NDArray[np.uint64]) -> float:
    """A standard normal number (Box & Muller)."""
    radius = np.sqrt(-2.0 * np.log(_uniform(state)))
    return radius * np.cos(2.0 * np.pi * _uniform(state))


@njit(cache=True)
def _size(state: NDArray[np.uint64], median: float, spread: float) -> int:
    """How many terms a row has: log-normal, at least 12, at most three times the median."""
    return int(min(max(median * np.exp(spread * _normal(state)), 12.0), 3.0 * median))


@njit(cache=True)
def _draw(state: NDArray[np.uint64], group: int, seed: int, zipf: NDArray, rarity: NDArray) -> tuple[int, float]:
    """Draw a term, and its weight, from the vocabulary of a group, its topic, its field, or the language."""
    u = _uniform(state)
    level = 0
    while level < 3 and u >= SHARES[level]:
        level += 1
    if level == 3:
        term, fame = np.searchsorted(zipf, _uniform(state)), 0.0
    else:
        owner = group
        if level >= 1:
            owner //= GROUPS_A_TOPIC
        if level >= 2:
            owner //= TOPICS_A_FIELD
        # an owner's terms are not stored: the place in its list names a stream, which gives the term and its fame
        place = int(N_TERMS[level] * _uniform(state) ** 2)
        own = _stream(seed, 2 + level, owner * N_TERMS[level] + place)
        term, fame = np.searchsorted(zipf, _uniform(own)), FAME_SPREAD * _normal(own)
    return term, min(HEAVIEST, STRENGTHS[level] * rarity[term] * np.exp(fame + SPREAD * _normal(state)))


@njit(cache=True)
def _group(state: NDArray[np.uint64], n_groups: int) -> int:
    """The group of a document; some are larger than others."""
    return int(n_groups * _uniform(state) ** 1.3)


@njit(cache=True)
def _document_sizes(n: int, seed: int, sizes: NDArray[np.int64]) -> None:
    for row in range(n):
        sizes[row] = _size(_stream(seed, 0, row), DOCUMENT_TERMS, DOCUMENT_SPREAD)


@njit(cache=True)
def _fill_documents(
    first: int,
    end: int,
    seed: int,
    n_groups: int,
    zipf: NDArray,
    rarity: NDArray,
    indptr: NDArray,
    terms: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> None:
    """Draw the terms of some documents, each term once, until each has as many as it wants."""
    last = np.full(VOCABULARY, -1, np.int64)  # the last document that took a term
    for row in range(first, end):
        state = _stream(seed, 0, row)
        _size(state, DOCUMENT_TERMS, DOCUMENT_SPREAD)
        group = _group(state, n_groups)
        at = indptr[row]
        while at < indptr[row + 1]:
            term, weight = _draw(state, group, seed, zipf, rarity)
            if last[term] != row:
                last[term] = row
                terms[at], weights[at] = term, weight
                at += 1


@njit(cache=True)
def _query(
    row: int,
    seed: int,
    n_groups: int,
    zipf: NDArray,
    rarity: NDArray,
    indptr: NDArray,
    doc_terms: NDArray[np.int32],
    doc_weights: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Terms and weights of a query, the heaviest first."""
    state = _stream(seed, 1, row)
    size = _size(state, QUERY_TERMS, QUERY_SPREAD)
    document = int((len(indptr) - 1) * _uniform(state))
    own = doc_terms[indptr[document] : indptr[document + 1]]
    seen = doc_weights[indptr[document] : indptr[document + 1]].astype(np.float64)
    for i in range(len(seen)):
        seen[i] *= np.exp(NOISE * _normal(state))
    best = np.argsort(-seen, kind="mergesort")[: int(OWN * size)]
    terms, strengths = np.empty(size, np.int64), np.empty(size)
    n = len(best)
    terms[:n], strengths[:n] = own[best], seen[best]
    taken = np.zeros(VOCABULARY, np.uint8)
    taken[own] = 1
    source = _stream(seed, 0, document)
    _size(source, DOCUMENT_TERMS, DOCUMENT_SPREAD)
    group = _group(source, n_groups)
    while n < size:
        term, weight = _draw(state, group, seed, zipf, rarity)
        if not taken[term]:
            taken[term] = 1
            terms[n], strengths[n] = term, weight
            n += 1
    order = np.argsort(-strengths, kind="mergesort")
    weights = np.empty(size)
    for place in range(size):  # weights fall by place: that gives the concentration of mass
        weights[place] = min(HEAVIEST, 2.4 * np.exp(-place / DECAY + 0.15 * _normal(state)) + 0.01)
    return terms[order], weights


def _laws() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(cumulative frequencies of the terms by Zipf's law, flattened at its head; weight of a term by its rarity)."""
    frequency = (np.arange(VOCABULARY) + 25.0) ** -0.85
    frequency /= frequency.sum()
    zipf = np.cumsum(frequency)
    zipf[-1] = 1.0
    commonness = np.clip(np.log(40 * frequency) / np.log(1e-3), 0, 1)
    return zipf, 0.45 + 0.55 * commonness


def _matrix(terms: NDArray, weights: NDArray, indptr: NDArray, names: NDArray[np.int32]) -> sparse.csr_array:
    """CSR with the columns by name, each row in their order."""
    indptr = indptr.astype(np.int32 if indptr[-1] < 2**31 else np.int64)
    matrix = sparse.csr_array((weights, names[terms], indptr), shape=(len(indptr) - 1, VOCABULARY))
    matrix.sort_indices()
    return matrix


def generate(
    n: int, n_queries: int = 1_000, seed: int = 7, *, progress: bool = False
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Generate documents and queries.

    Parameters
    ----------
    n : int
        Documents; with fewer than about 20,000 all of them are of one field, whose terms most of them share.
    n_queries : int, default 1,000
        Queries are made of documents of this collection, so they differ with `n`.
    seed : int, default 7
    progress : bool, default False
        Show a progress bar on a terminal.

    Returns
    -------
    documents, queries : csr_array of float32, shape (n, 30522) and (n_queries, 30522)
        Columns ascend, weights are above 0 and at most 3.5. About 119 and 43 entries a row.

    Raises
    ------
    TypeError, ValueError
        If a number is not as stated.

    Examples
    --------
    >>> documents, queries = generate(500, 20)
    >>> documents.shape, queries.shape
    ((500, 30522), (20, 30522))
    """
    n, n_queries, seed = as_count(n, "n"), as_count(n_queries, "n_queries"), as_seed(seed)
    zipf, rarity = _laws()
    # columns in no order of frequency, as in a vocabulary of word pieces
    names = np.random.default_rng(seed).permutation(VOCABULARY).astype(np.int32)
    n_groups = max(8, n // GROUP_SIZE)
    indptr = np.zeros(n + 1, np.int64)
    _document_sizes(n, seed, indptr[1:])
    np.cumsum(indptr, out=indptr)
    terms, weights = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    with progress_bar("documents", n, progress) as show:
        for first in range(0, n, BLOCK):
            end = min(first + BLOCK, n)
            _fill_documents(first, end, seed, n_groups, zipf, rarity, indptr, terms, weights)
            show(end)
    rows = [_query(row, seed, n_groups, zipf, rarity, indptr, terms, weights) for row in range(n_queries)]
    query_indptr = np.cumsum([0, *(len(row[0]) for row in rows)])
    query_terms = np.concatenate([row[0] for row in rows])
    query_weights = np.concatenate([row[1] for row in rows]).astype(np.float32)
    return (
        _matrix(terms, weights, indptr, names),
        _matrix(query_terms, query_weights, query_indptr, names),
    )


def mass_of_heaviest(matrix: sparse.csr_array, n_entries: int) -> float:
    """Compute the share of its L1 mass that the heaviest entries of a row hold, mean over the rows.

    Examples
    --------
    >>> mass_of_heaviest(sparse.csr_array([[1.0, 3.0, 0.0], [0.0, 0.0, 2.0]]), 1)
    0.875
    """
    shares = []
    for first, end in zip(matrix.indptr[:-1], matrix.indptr[1:]):
        weights = np.sort(matrix.data[first:end])[::-1]
        shares.append(weights[:n_entries].sum() / weights.sum())
    return float(np.mean(shares))
