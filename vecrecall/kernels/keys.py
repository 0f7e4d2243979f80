"""Keys of answers: 64-bit integers that order by score, the greatest first, and equal scores by number.

A key is the ordinal of minus the score above the number, so that the k best are the k least of distinct integers.
"""

from typing import Any

import numpy as np

from vecrecall.kernels.jit import inner, int64
from vecrecall.kernels.memory import load64, store64
from vecrecall.kernels.survivors import of_ordinal, ordinal

_SHORT = 24  # keys that are sorted by insertion


@inner
def key_of(score: Any, number: Any) -> Any:
    """The key of a float32 score (minus zero counts as zero) and a number from 0 to 2**32 - 1."""
    return (ordinal(np.float32(0) - score) << 32) | number


@inner
def score_of(key: Any) -> Any:
    """The score of a key."""
    return np.float32(0) - of_ordinal(key >> 32)


@inner
def partition(keys: Any, lo: Any, hi: Any) -> Any:
    """Split keys lo..hi, three at least, around one of them (Hoare): the place of the last low one, before hi - 1."""
    a, b, c = load64(keys, lo), load64(keys, (lo + hi) >> 1), load64(keys, hi - 1)
    pivot = max(min(a, b), min(max(a, b), c))
    i, j = lo - 1, hi
    while True:
        i += 1
        while load64(keys, i) < pivot:
            i += 1
        j -= 1
        while load64(keys, j) > pivot:
            j -= 1
        if i >= j:
            return j
        low = load64(keys, i)
        store64(keys, i, load64(keys, j))
        store64(keys, j, low)


@inner
def select_least(keys: Any, n: Any, k: Any) -> None:
    """Bring the k least of n distinct keys to the front, in no order."""
    lo, hi = int64(0), n
    while hi - lo > 2 and lo < k < hi:
        middle = partition(keys, lo, hi) + 1
        if k <= middle:
            hi = middle
        if k >= middle:
            lo = middle
    if hi - lo == 2 and k == lo + 1 and load64(keys, lo) > load64(keys, lo + 1):
        low = load64(keys, lo + 1)
        store64(keys, lo + 1, load64(keys, lo))
        store64(keys, lo, low)


@inner
def _insert(keys: Any, lo: Any, hi: Any) -> None:
    for i in range(lo + 1, hi):
        key = load64(keys, i)
        j = i - 1
        while j >= lo and load64(keys, j) > key:
            store64(keys, j + 1, load64(keys, j))
            j -= 1
        store64(keys, j + 1, key)


@inner
def sort_keys(keys: Any, n: Any, stack: Any) -> None:
    """Sort n keys, the least first; ``stack`` has room for n int64.

    The longer side waits on the stack, so that it holds no more than two numbers a halving.
    """
    lo, hi, depth = int64(0), n, int64(0)
    while True:
        while hi - lo > _SHORT:
            middle = partition(keys, lo, hi) + 1
            if middle - lo < hi - middle:
                store64(stack, depth, middle)
                store64(stack, depth + 1, hi)
                hi = middle
            else:
                store64(stack, depth, lo)
                store64(stack, depth + 1, middle)
                lo = middle
            depth += 2
        _insert(keys, lo, hi)
        if depth == 0:
            return
        depth -= 2
        lo, hi = load64(stack, depth), load64(stack, depth + 1)
