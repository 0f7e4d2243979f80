"""The k least keys seen so far, as heaps with the farthest at the root, and the kernel that fills them.

A heap is a row of keys (+inf where empty) beside a row of slots (-1 where empty). Of equal keys the greater
slot is the farther one, so that ties are kept by slot when slots come in ascending order.
"""

from typing import Any

import numpy as np

from vecrecall.kernels.jit import inlined, inner, kernel

_BLOCK = 64  # keys compared at once
_PART = 8  # and again, where one of them is near enough


@inner
def replace_farthest(keys: Any, slots: Any, key: Any, slot: Any) -> None:
    """Put (key, slot) in the place of the root and restore the heap."""
    n = len(keys)
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= n:
            break
        if child + 1 < n:  # which one is farther cannot be foreseen, so it is computed, without a branch
            left, right = keys[child], keys[child + 1]
            later = int(slots[child + 1] > slots[child])
            child += int(right > left) | (int(right == left) & later)
        if keys[child] < key or (keys[child] == key and slots[child] < slot):
            break
        keys[hole] = keys[child]
        slots[hole] = slots[child]
        hole = child
    keys[hole] = key
    slots[hole] = slot


@inlined
def _offer(
    products: Any, bias: Any, lo: Any, hi: Any, first: Any, left_out: Any, keys: Any, slots: Any
) -> None:
    """Offer columns [lo, hi) to one heap."""
    for j in range(lo, hi):
        key = bias[j] - products[j]
        if key < keys[0] and first + j != left_out:
            replace_farthest(keys, slots, key, first + j)


@kernel
def select(products: Any, bias: Any, first: Any, left_out: Any, keys: Any, slots: Any) -> None:
    """Offer key ``bias[j] - products[i, j]`` of slot ``first + j`` to heap i, for all i and j.

    Nearly all keys are farther than what a heap holds, so a block is compared with the root first, and where
    it holds a nearer one, each of its parts: a heap of a hundred takes in a thousand keys of 100,000. Blocks
    of a constant size and a 32-bit "or" are what LLVM turns into wide instructions: 12 keys a nanosecond,
    against 1 with a block that may be shorter.

    Parameters
    ----------
    products : float32 (m, r)
    bias : float32 (r,)
    first : int64
        Slot of column 0.
    left_out : int64 (m,)
        A slot that query i must not be offered, or -1.
    keys, slots : float32 and int64 (m, k), changed
        The heaps.
    """
    m, r = products.shape
    n_blocks = r // _BLOCK
    for i in range(m):
        row, own_keys, own_slots, out = products[i], keys[i], slots[i], left_out[i]
        for block in range(n_blocks):
            lo = block * _BLOCK
            farthest = own_keys[0]
            nearer = np.int32(0)
            for j in range(_BLOCK):
                nearer |= np.int32(bias[lo + j] - row[lo + j] < farthest)
            if nearer:
                for part in range(_BLOCK // _PART):
                    at = lo + part * _PART
                    farthest = own_keys[0]
                    nearer = np.int32(0)
                    for j in range(_PART):
                        nearer |= np.int32(bias[at + j] - row[at + j] < farthest)
                    if nearer:
                        _offer(row, bias, at, at + _PART, first, out, own_keys, own_slots)
        _offer(row, bias, n_blocks * _BLOCK, r, first, out, own_keys, own_slots)
