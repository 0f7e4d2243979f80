"""Which posting lists drive a search, how far down, and the factors that their impacts are multiplied by.

A query weight meets two lists where documents have negative weights: that of its own sign adds to scores, the other
takes off. The mass of a list is what it contributes at most: the query's weight times the list's greatest.
"""

from __future__ import annotations

import math

import numpy as np

from vecrecall.kernels.jit import inlined, inner, int64
from vecrecall.kernels.keys import key_of, select_least
from vecrecall.kernels.memory import load32, load64, load_f32, load_f64, store64, store_f64
from vecrecall.sparse.plan import GREATEST, LEFT, N, N_RANGES, SIGNED, STARTS
from vecrecall.sparse.scratch import FACTORS, FLOORS, KEYS, LEAST, LISTS, MASSES, ROUNDINGS, SIGNS, TERM_OF, WEIGHTS

NOTHING = 256  # a floor that no impact reaches
TOP8, TOP16 = 252.0, 65000.0  # greatest sums that are aimed at
_NEAREST, _UP = 128, 255
_LAST_KEY = 2**63 - 1
_USUAL = 0.01  # of all documents, in a list that impact_cut stands for
_STEPS = 24  # of bisection
_TINIEST = 3e-45  # scores that differ by less may be the same float32


@inner
def list_terms(plan, scratch, n_terms, all_lists):
    """Write lists, their masses and signs, of the terms of a query; returns how many have a mass.

    Lists that take off are left out, unless all are wanted, where units are blocks: what the greatest weight of a block
    takes off says nothing of its other documents.
    """
    terms, weights, greatest = load64(scratch, TERM_OF), load64(scratch, WEIGHTS), load64(plan, GREATEST)
    lists, masses, signs = load64(scratch, LISTS), load64(scratch, MASSES), load64(scratch, SIGNS)
    signed, n = load64(plan, SIGNED), int64(0)
    for j in range(n_terms):
        term = load32(terms, j)
        weight = load_f32(weights, term)
        for side in range(1 + signed):
            number = (term << signed) | side
            mass = abs(np.float64(weight)) * np.float64(load_f32(greatest, number))
            adds = (weight > 0) == (side == 0)
            if mass > 0.0 and (adds or all_lists):
                store64(lists, n, number)
                store_f64(masses, n, mass)
                store64(signs, n, int64(1) if adds else int64(-1))
                n += 1
    return n


@inner
def set_least(plan, scratch, n, impact_cut):
    """Write to LEAST what a posting of each of n lists has to contribute: a share of the greatest mass.

    The share is ``impact_cut`` for a list of one document in a hundred, more for longer ones and less for shorter ones,
    by the power 3 / 8 of the length: most documents with a frequent term are no answers, so its postings cost more than
    they tell.
    """
    lists, masses, least = load64(scratch, LISTS), load64(scratch, MASSES), load64(scratch, LEAST)
    starts, stride, most = load64(plan, STARTS), load64(plan, N_RANGES) + 1, 0.0
    for j in range(n):
        most = max(most, load_f64(masses, j))
    unit = _USUAL * np.float64(load64(plan, N))
    for j in range(n):
        at = load64(lists, j) * stride
        length = np.float64(load64(starts, at + stride - 1) - load64(starts, at))
        fourth = math.sqrt(math.sqrt(length / unit))
        store_f64(least, j, most * min(impact_cut * fourth * math.sqrt(fourth), 1.0))


@inlined
def _keep_lists(scratch, n, last):
    """Of n lists keep those that can contribute their least and whose keys are not after the last; returns how many."""
    lists, masses, signs, least = (
        load64(scratch, LISTS), load64(scratch, MASSES), load64(scratch, SIGNS), load64(scratch, LEAST),
    )  # fmt: skip
    m = int64(0)
    for j in range(n):
        mass, bar = load_f64(masses, j), load_f64(least, j)
        store64(lists, m, load64(lists, j))
        store64(signs, m, load64(signs, j))
        store_f64(masses, m, mass)
        store_f64(least, m, bar)
        m += int64(mass >= bar) & int64(key_of(np.float32(mass), j) <= last)
    return m


@inner
def keep_heaviest(scratch, n, cut):
    """Of n lists keep the ``cut`` of greatest mass, of equal ones the first; returns how many.

    Lists that cannot contribute their least go first: none of their postings would be added.
    """
    masses, keys, any_key = load64(scratch, MASSES), load64(scratch, KEYS), int64(_LAST_KEY)
    n = _keep_lists(scratch, n, any_key)
    if n <= cut:
        return n
    for j in range(n):
        store64(keys, j, key_of(np.float32(load_f64(masses, j)), j))
    select_least(keys, n, cut)
    last = load64(keys, int64(0))
    for j in range(1, cut):
        last = max(last, load64(keys, j))
    return _keep_lists(scratch, n, last)


@inner
def drive_approximately(scratch, n, top):
    """Factors for sums up to ``top``, and floors: what contributes less than the least of its list is left out.

    Returns the bias. A unit that holds the greatest impact of every list adds up to ``top`` at most, rounding included.
    """
    masses, factors, floors = load64(scratch, MASSES), load64(scratch, FACTORS), load64(scratch, FLOORS)
    signs, roundings, least = load64(scratch, SIGNS), load64(scratch, ROUNDINGS), load64(scratch, LEAST)
    total = 0.0
    for j in range(n):
        total += load_f64(masses, j)
    scale = top / max(total, 1e-300) * 256.0 / 255.0
    while True:
        worst, bias = int64(0), int64(0)
        for j in range(n):
            factor = int64(load_f64(masses, j) * scale)
            amount = (255 * factor + _NEAREST) >> 8
            worst += amount
            if load64(signs, j) < 0:
                bias += amount
            store64(factors, j, factor)
        if worst <= int64(top):
            break
        scale *= 0.97 * top / worst
    for j in range(n):
        factor, floor = load64(factors, j), int64(NOTHING)
        if factor > 0:  # an impact that would round to nothing is left out too
            floor = int64(math.ceil(load_f64(least, j) / load_f64(masses, j) * 255.0))
            floor = max(floor, (_NEAREST + factor - 1) // factor)
        store64(floors, j, floor)
        store64(roundings, j, int64(_NEAREST))
    return bias


@inner
def drive_safely(plan, scratch, n, share, theta):
    """Floors and factors whose sums of 16 bits bound scores from both sides: (bias, units, left, over).

    What is left out adds a share of all masses at most, or of a threshold theta where there is one, the more of a list
    the longer it is. Amounts that add are rounded up, and those that take off towards zero, so with ``left``, the most
    that is left out, a sum is an upper bound: score * units <= sum - bias + left. And score * units >= sum - bias -
    over, which counts what rounding adds, under an impact and two units a list, and what takes off and was left out.
    """
    lists, masses, factors = load64(scratch, LISTS), load64(scratch, MASSES), load64(scratch, FACTORS)
    floors, signs, roundings = load64(scratch, FLOORS), load64(scratch, SIGNS), load64(scratch, ROUNDINGS)
    starts, stride, pruned = load64(plan, STARTS), load64(plan, N_RANGES) + 1, load64(plan, LEFT)
    greatest = load64(plan, GREATEST)
    total, adding, high, left, over = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(n):
        number, mass = load64(lists, j), load_f64(masses, j)
        length = load64(starts, number * stride + stride - 1) - load64(starts, number * stride)
        store64(roundings, j, length + 1)
        total += mass
        if load64(signs, j) > 0:
            adding += mass
            high = max(high, mass / np.float64(length + 1))
        if pruned:
            out = mass * np.float64(load_f32(pruned, number)) / np.float64(load_f32(greatest, number))
            if load64(signs, j) > 0:
                left += out
            else:
                over += out
    room, low = share * (theta if theta > 0.0 else adding), 0.0
    for _ in range(_STEPS):
        cut, lost = 0.5 * (low + high), 0.0
        for j in range(n):
            if load64(signs, j) > 0:
                lost += min(load_f64(masses, j), cut * np.float64(load64(roundings, j)))
        if lost > room:
            high = cut
        else:
            low = cut
    scale = (TOP16 - 2.0 * np.float64(n)) / max(total, 1e-300)
    bias = int64(0)
    for j in range(n):
        mass, sign = load_f64(masses, j), load64(signs, j)
        factor = int64(mass * scale * 256.0 / 255.0)
        floor = int64(min(low * np.float64(load64(roundings, j)) / mass, 2.0) * 255.0) + 1
        out = mass if floor > 255 else mass * np.float64(floor - 1) / 255.0
        over += mass / 255.0 + 2.0 / scale
        if sign > 0:
            factor += 1
            left += out
            store64(roundings, j, int64(_UP))
        else:
            over += out
            bias += (254 * factor) >> 8
            store64(roundings, j, -factor)  # (impact - 1) * factor
        store64(factors, j, factor)
        store64(floors, j, floor)
    return bias, scale, (left + _TINIEST) * scale, over * scale


@inner
def drive_by_touch(scratch, n):
    """Every posting adds 1, so that sums tell which documents share a term with the query."""
    for j in range(n):
        store64(load64(scratch, FACTORS), j, int64(1))
        store64(load64(scratch, ROUNDINGS), j, int64(_UP))
        store64(load64(scratch, FLOORS), j, int64(1))
        store64(load64(scratch, SIGNS), j, int64(1))
