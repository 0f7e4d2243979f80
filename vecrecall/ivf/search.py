"""Search: queries find their lists, lists are scanned by all queries that want them, kept rows decide.

A slice of a batch goes through four steps together. Its queries are brought into the form of codes and compared with
all centroids. Then each scans its nearest list: what it finds there sets a limit, so that most of what the other lists
hold is passed over by one comparison. Then pairs of query and list are sorted by list, and each list is scanned once,
eight queries at a time. Last, the best candidates of each query are ranked by kept rows.

What a query finds does not depend on the others: its lists are scanned in the same order and to the same estimates,
alone or in a batch.
"""

import numpy as np

from vecrecall.ivf.plan import (
    ADDENDS, BLOCK_BYTES, CENTROID_ADDENDS, CENTROID_BYTES, CENTROID_SCALES, CENTROID_VIEW, CENTROIDS, COARSE_1,
    COARSE_8, CODES, CONSTANTS, DIM, DIRECTORY, METRIC, N, N_LISTS, NUMBERS_LISTED, PADDED_DIM, ROTATION, ROW_OF,
    ROWS_KEPT, ROWS_VIEW, SCALES, SHIFT, SIZES, STARTS, TILE_1, TILE_4, TILE_8, TOP, WIDTH,
)  # fmt: skip
from vecrecall.ivf.scratch import (
    ASKED, BASES, BEST, BLOCK_BASES, BLOCKS, CAPACITY, COUNTS, DOTS, ESTIMATE_BYTES, ESTIMATES, FLOATS, FORMS, FOUND,
    KEYS, LENGTHS, LEVELS, LIMITS, LIMITS_OF_TILE, LISTED, NEXT, NO_LIMITS, NUMBERS_KEPT, NUMBERS_OF, NUMBERS_OF_TILE,
    OFFSETS, ORDER, PAIR_BASES, PAIRS, PROBES, QUERIES, RESTS, SLOTS, STOPPED, Z,
)  # fmt: skip
from vecrecall.kernels.call import call
from vecrecall.kernels.distances import distances
from vecrecall.kernels.encode import rotate, squared_length
from vecrecall.kernels.jit import inlined, inner, int64, kernel
from vecrecall.kernels.memory import (
    address, float_of_bits, load32, load64, load_f32, load_rotation_view, load_row_view, prefetch,
    root32, store32, store64, store_f32,
)  # fmt: skip
from vecrecall.kernels.pool import insert_sorted, row_of
from vecrecall.kernels.survivors import append_survivors, cut, greatest, of_ordinal, ordinal
from vecrecall.kernels.tile_queries import write_tile_form
from vecrecall.kernels.tiles import FACTOR, FOUND as _MASKS, NUMBERS, READ_BEHIND, START
from vecrecall.vectors.ranking import estimated_distance, exact_distance, keep_nearest
from vecrecall.vectors.spaces import METRIC_CODES

_L2, _IP = METRIC_CODES["l2"], METRIC_CODES["ip"]
_ZERO, _ONE, _TWO, _INFINITY = np.float32(0), np.float32(1), np.float32(2), np.float32(np.inf)
_COARSE_START = 2  # of a query: its start among centroids, whose codes have 8 bits, stands behind the other
_SHARED = 2  # fewer pairs of query and list than so many times the lists: each query scans its lists alone
_ROUNDING = np.float32(2.0**-22)
_AHEAD = 8  # candidates whose rows are asked for before they are needed
_LINES = 16  # cache lines of a row that are asked for


@inlined
def prepare(plan, scratch, i, q):
    """Bring query i into the form that rows are compared with and the one of codes; False when it is not finite."""
    dim, padded_dim, metric = load64(plan, DIM), load64(plan, PADDED_DIM), load64(plan, METRIC)
    constants, dots, width = load64(plan, CONSTANTS), load64(scratch, DOTS), load64(plan, WIDTH)
    compared = load64(scratch, FLOATS) + 4 * padded_dim * i
    for j in range(dim):
        store_f32(compared, j, load_f32(q, j))
    square = squared_length(compared, int64(0), padded_dim >> 4, constants, dots)
    if not square < _INFINITY:
        return False
    asked, length = compared, root32(square)
    store_f32(load64(scratch, LENGTHS), i, length)
    if metric != _L2:
        factor = _ONE / length if length > _ZERO else _ZERO
        if metric == _IP:
            asked = load64(scratch, ASKED)
        for j in range(dim):
            store_f32(asked, j, load_f32(compared, j) * factor)
    if load64(plan, N_LISTS) == 0:
        return True
    z, shift = load64(scratch, Z) + 4 * width * (i & 7), load64(plan, SHIFT)
    rotation = load_rotation_view(plan + 8 * ROTATION)
    rotate(rotation, asked, load64(scratch, LEVELS), dots, z)
    if load64(plan, ROWS_KEPT) == 0:  # the part of the distance that codes do not see
        lost = squared_length(asked, rotation[5], padded_dim >> 4, constants, dots)
        lost -= squared_length(z, int64(0), width >> 4, constants, dots)
        store_f32(load64(scratch, RESTS), i, lost if lost > _ZERO and metric != _IP else _ZERO)
    if metric == _IP:
        for j in range(width):
            store_f32(z, j, load_f32(z, j) + load_f32(shift, j))
    step, total = write_tile_form(z, width, load64(scratch, FORMS) + width * i)
    numbers = load64(scratch, NUMBERS_OF) + 4 * NUMBERS_KEPT * i
    store_f32(numbers, FACTOR, -step if metric == _IP else -_TWO * step)
    store32(numbers, START, -((load64(plan, TOP) * total) >> 1))
    store32(numbers, _COARSE_START, -((255 * total) >> 1))
    return True


@inner
def seat(plan, scratch, query, start, place):
    """Give a query its place in a tile; ``start``: which of its two, of codes or of centroids."""
    own, numbers = load64(scratch, NUMBERS_OF) + 4 * NUMBERS_KEPT * query, load64(scratch, NUMBERS_OF_TILE)
    store64(load64(scratch, QUERIES), place, load64(scratch, FORMS) + load64(plan, WIDTH) * query)
    store32(numbers, NUMBERS * place + FACTOR, load32(own, FACTOR))
    store32(numbers, NUMBERS * place + START, load32(own, start))


@inlined
def compare_with_centroids(plan, scratch, first, n):
    """Estimates of queries first..first + n, at most eight, to all centroids, in ESTIMATES."""
    step, function = int64(1), load64(plan, COARSE_8)
    if n == 1:
        step, function = int64(4), load64(plan, COARSE_1)
    for t in range(8 if n > 1 else 1):
        seat(plan, scratch, first + min(t, n - 1), int64(_COARSE_START), t)
    n_blocks = (load64(plan, N_LISTS) + 31) >> 5
    for block in range(0, n_blocks, step):
        call(function, (
            load64(plan, CENTROIDS), load64(plan, CENTROID_BYTES), load64(plan, NUMBERS_LISTED), block, block + 1,
            load64(plan, WIDTH) >> 3, load64(scratch, QUERIES), load64(scratch, NUMBERS_OF_TILE),
            load64(scratch, NO_LIMITS), load64(plan, CENTROID_ADDENDS), load64(plan, CENTROID_SCALES),
            load64(scratch, ESTIMATES) + 128 * block, load64(scratch, ESTIMATE_BYTES), load64(scratch, STOPPED),
        ))  # fmt: skip


@inlined
def choose_lists(plan, scratch, i, n_probes):
    """The lists of query i in PROBES, the nearest first and the others in order, with exact distances to centroids in
    BASES; returns how many codes they hold."""
    n_lists, listed, keys = load64(plan, N_LISTS), load64(scratch, LISTED), load64(scratch, KEYS)
    for j in range(n_lists):
        store32(listed, j, j)
    estimates = load64(scratch, ESTIMATES) + load64(scratch, ESTIMATE_BYTES) * (i & 7)
    cut(estimates, listed, n_lists, n_probes, int64(0))
    z = load64(scratch, Z) + 4 * load64(plan, WIDTH) * (i & 7)
    distances(load_row_view(plan + 8 * CENTROID_VIEW), z, 0, listed, n_probes, keys)
    nearest = int64(0)
    for j in range(1, n_probes):
        if load32(keys, j) < load32(keys, nearest):
            nearest = j
    probes, bases = load64(scratch, PROBES) + 4 * n_probes * i, load64(scratch, BASES) + 4 * n_probes * i
    sizes, products, n_codes = load64(plan, SIZES), load64(plan, METRIC) == _IP, int64(0)
    for j in range(n_probes):
        place = 0 if j == nearest else j + 1 if j < nearest else j
        number, key = load32(listed, j), load32(keys, j)
        store32(probes, place, number)
        store_f32(bases, place, of_ordinal(key) if products else float_of_bits(key))
        n_codes += load32(sizes, number)
    return n_codes


@inner
def surplus(depth):
    """Entries that a cut may leave over, so that fewer steps find a limit; buffers (``Scratch``) have room for them."""
    return 2 + (depth >> 3)


@inner
def take_survivors(scratch, query, base, block, estimates, mask, depth):
    """Add what one query found in one block of a list at distance ``base`` to its buffer."""
    capacity, counts = load64(scratch, CAPACITY), load64(scratch, COUNTS)
    found = load64(scratch, FOUND) + 4 * capacity * query
    slots = load64(scratch, SLOTS) + 4 * capacity * query
    n = load32(counts, query)
    if n > capacity - 64:
        n = cut_buffer(scratch, query, depth, surplus(depth))
    store32(counts, query, append_survivors(estimates, base, block << 5, mask, found, slots, n))


@inner
def cut_buffer(scratch, query, depth, more):
    """Cut a query's buffer to its candidates, and up to ``more``; what is farther than all of them is out from now on.

    Returns how many they are. The nearest ``depth`` of all that came are among them, whenever and however often it was
    cut; without more there are no others.
    """
    capacity, counts = load64(scratch, CAPACITY), load64(scratch, COUNTS)
    found, n = load64(scratch, FOUND) + 4 * capacity * query, load32(counts, query)
    if n > depth:
        n = cut(found, load64(scratch, SLOTS) + 4 * capacity * query, n, depth, more)
        store_f32(load64(scratch, LIMITS), query, greatest(found, n))
        store32(counts, query, n)
    return n


@inner
def limit_in_list(scratch, query, base):
    """A query's limit as estimates of a list at distance ``base`` are compared with it, rounded up: what is kept is the
    rounded sum of estimate and base, and no path to it may drop what another keeps."""
    limit = load_f32(load64(scratch, LIMITS), query)
    return limit - base + _ROUNDING * (abs(limit) + abs(base))


@inner
def run_tile(plan, scratch, function, blocks, place, end):
    """Compare the queries of a tile with blocks place..end of those listed; the place of the first survivors."""
    call(function, (
        load64(plan, CODES), load64(plan, BLOCK_BYTES), blocks, place, end, load64(plan, WIDTH) >> 3,
        load64(scratch, QUERIES), load64(scratch, NUMBERS_OF_TILE), load64(scratch, LIMITS_OF_TILE),
        load64(plan, ADDENDS), load64(plan, SCALES), load64(scratch, ESTIMATES), int64(128), load64(scratch, STOPPED),
    ))  # fmt: skip
    return load64(load64(scratch, STOPPED), int64(0))


@inner
def scan_list(plan, scratch, number, pairs, bases, n_pairs, depth):
    """Compare the queries of n pairs with all codes of a list, up to eight at a time."""
    limits, masks = load64(scratch, LIMITS_OF_TILE), load64(scratch, STOPPED) + _MASKS
    estimates, directory, starts = load64(scratch, ESTIMATES), load64(plan, DIRECTORY), load64(plan, STARTS)
    end = load32(starts, number + 1)
    for first in range(0, n_pairs, 8):
        n = min(n_pairs - first, 8)
        size, function = (int64(8), load64(plan, TILE_8)) if n > 4 else (int64(4), load64(plan, TILE_4))
        for t in range(size):
            query = load32(pairs, first + min(t, n - 1))
            seat(plan, scratch, query, int64(START), t)
            limit = limit_in_list(scratch, query, load_f32(bases, first + min(t, n - 1)))
            store_f32(limits, t, limit if t < n else -_INFINITY)  # nothing survives in an idle place
        place = run_tile(plan, scratch, function, directory, load32(starts, number), end)
        while place < end:
            for t in range(n):
                mask = load32(masks, t)
                if mask != 0:
                    query, base = load32(pairs, first + t), load_f32(bases, first + t)
                    take_survivors(scratch, query, base, load32(directory, place), estimates + 128 * t, mask, depth)
                    store_f32(limits, t, limit_in_list(scratch, query, base))
            place = run_tile(plan, scratch, function, directory, place + 1, end)


@inner
def set_limits(scratch, query, lo, n):
    """Limits of blocks lo..n of those that a query scans alone."""
    limits, bases = load64(scratch, LIMITS_OF_TILE), load64(scratch, BLOCK_BASES)
    for j in range(lo, n):
        store_f32(limits, j, limit_in_list(scratch, query, load_f32(bases, j)))


@inlined
def scan_blocks(plan, scratch, query, n, depth):
    """Compare the seated query with the n blocks in BLOCKS, four at a time; bases of their lists are in BLOCK_BASES."""
    blocks, bases, masks = load64(scratch, BLOCKS), load64(scratch, BLOCK_BASES), load64(scratch, STOPPED) + _MASKS
    limits, estimates = load64(scratch, LIMITS_OF_TILE), load64(scratch, ESTIMATES)
    set_limits(scratch, query, int64(0), n)
    for j in range(n, n + READ_BEHIND):
        store32(blocks, j, load32(blocks, int64(0)))
        store_f32(limits, j, -_INFINITY)
    place = run_tile(plan, scratch, load64(plan, TILE_1), blocks, int64(0), n)
    while place < n:
        limit = load_f32(load64(scratch, LIMITS), query)
        for j in range(4):
            mask = load32(masks, j)
            if mask != 0:
                base, block = load_f32(bases, place + j), load32(blocks, place + j)
                take_survivors(scratch, query, base, block, estimates + 128 * j, mask, depth)
        if load_f32(load64(scratch, LIMITS), query) < limit:
            set_limits(scratch, query, place + 4, n)
        place = run_tile(plan, scratch, load64(plan, TILE_1), blocks, place + 4, n)


@inner
def scan_alone(plan, scratch, query, n_probes, depth):
    """Scan the lists of one query: the nearest, then the blocks of all others."""
    probes, bases = load64(scratch, PROBES) + 4 * n_probes * query, load64(scratch, BASES) + 4 * n_probes * query
    directory, starts = load64(plan, DIRECTORY), load64(plan, STARTS)
    blocks, block_bases = load64(scratch, BLOCKS), load64(scratch, BLOCK_BASES)
    seat(plan, scratch, query, int64(START), int64(0))
    n = int64(0)
    for p in range(n_probes):
        number, base = load32(probes, p), load_f32(bases, p)
        for place in range(load32(starts, number), load32(starts, number + 1)):
            store32(blocks, n, load32(directory, place))
            store_f32(block_bases, n, base)
            n += 1
        if p == 0 or p == n_probes - 1:
            scan_blocks(plan, scratch, query, n, depth)
            cut_buffer(scratch, query, depth, surplus(depth))
            n = int64(0)


@inlined
def scan_by_list(plan, scratch, n, n_probes, p_lo, p_hi, depth, evals, lo):
    """Scan places p_lo..p_hi of the chosen lists of n queries: pairs are sorted by list, each list is scanned once."""
    n_lists, offsets, probes = load64(plan, N_LISTS), load64(scratch, OFFSETS), load64(scratch, PROBES)
    pairs, pair_bases = load64(scratch, PAIRS), load64(scratch, PAIR_BASES)
    for number in range(n_lists + 1):
        store32(offsets, number, 0)
    for i in range(n):
        if evals[lo + i] >= 0:
            for p in range(p_lo, p_hi):
                number = load32(probes, n_probes * i + p)
                store32(offsets, number, load32(offsets, number) + 1)
    total = int64(0)
    for number in range(n_lists):
        count = load32(offsets, number)
        store32(offsets, number, total)
        total += count
    for i in range(n):
        if evals[lo + i] >= 0:
            for p in range(p_lo, p_hi):
                number = load32(probes, n_probes * i + p)
                at = load32(offsets, number)
                store32(offsets, number, at + 1)
                store32(pairs, at, i)
                store_f32(pair_bases, at, load_f32(load64(scratch, BASES), n_probes * i + p))
    first = int64(0)
    for number in range(n_lists):
        end = load32(offsets, number)
        if end > first:
            scan_list(plan, scratch, number, pairs + 4 * first, pair_bases + 4 * first, end - first, depth)
        first = end
    return total


@inner
def ask_for_row(view, row):
    """Prefetch a kept row."""
    start, n_lines = view[0] + row * view[1], min((view[1] + 63) >> 6, _LINES)
    for line in range(n_lines):
        prefetch(start + 64 * line)


@inlined
def list_candidates(plan, scratch, query, listed):
    """The rows of a query's candidates in ``listed``; the first are asked for. Returns how many there are."""
    if load64(plan, N_LISTS) == 0:
        for row in range(load64(plan, N)):
            store32(listed, row, row)
        return load64(plan, N)
    slots, rows = load64(scratch, SLOTS) + 4 * load64(scratch, CAPACITY) * query, load64(plan, ROW_OF)
    n = load32(load64(scratch, COUNTS), query)
    for j in range(n):
        store32(listed, j, load32(rows, load32(slots, j)))
    if load64(plan, ROWS_KEPT) == 1:
        for j in range(min(n, _AHEAD)):
            ask_for_row(load_row_view(plan + 8 * ROWS_VIEW), load32(listed, j))
    return n


@inlined
def rank_by_rows(plan, scratch, query, listed, n, k):
    """The k nearest of n listed rows by exact keys, in BEST; returns how many."""
    view, metric, best = load_row_view(plan + 8 * ROWS_VIEW), load64(plan, METRIC), load64(scratch, BEST)
    floats, keys = load64(scratch, FLOATS) + 4 * load64(plan, PADDED_DIM) * query, load64(scratch, KEYS)
    m = int64(0)
    for j in range(0, n, 4):
        for ahead in range(j + _AHEAD, min(j + _AHEAD + 4, n)):
            ask_for_row(view, load32(listed, ahead))
        some = min(n - j, 4)
        distances(view, floats, 0, listed + 4 * j, some, keys)
        m = keep_nearest(view, metric, listed + 4 * j, keys, some, best, m, k)
    return m


@inlined
def rank_by_estimates(scratch, query, listed, n, k):
    """The k nearest of n candidates by their estimates, in BEST; returns how many."""
    found, best = load64(scratch, FOUND) + 4 * load64(scratch, CAPACITY) * query, load64(scratch, BEST)
    m = int64(0)
    for j in range(n):
        entry = (ordinal(load_f32(found, j)) << 32) | (load32(listed, j) << 1)
        if m < k:
            insert_sorted(best, m, entry)
            m += 1
        elif entry < load64(best, k - 1):
            insert_sorted(best, k - 1, entry)
    return m


@inlined
def answer(plan, scratch, query, listed, n, k, i, slots, found):
    """Rank the listed candidates of a query and write its answer to row i of ``slots`` and ``found``."""
    metric, best = load64(plan, METRIC), load64(scratch, BEST)
    length = load_f32(load64(scratch, LENGTHS), query)
    if load64(plan, ROWS_KEPT) == 1:
        m = rank_by_rows(plan, scratch, query, listed, n, k)
        for j in range(m):
            found[i * k + j] = exact_distance(metric, length, load64(best, j) >> 32)
    else:
        m = rank_by_estimates(scratch, query, listed, n, k)
        rest = load_f32(load64(scratch, RESTS), query)
        for j in range(m):
            found[i * k + j] = estimated_distance(metric, length, of_ordinal(load64(best, j) >> 32) + rest)
    for j in range(m):
        slots[i * k + j] = row_of(load64(best, j))
    for j in range(m, k):
        slots[i * k + j] = -1
        found[i * k + j] = _INFINITY


@kernel
def search_kernel(plan, queries, lo, hi, n_probes, depth, k, scratch, slots, found, evals):
    """Answer queries lo..hi of (q, dim) float32 into slots, found (flat, k a query) and evals (-1: not finite)."""
    n, n_lists = hi - lo, load64(plan, N_LISTS)
    q, q_bytes = int64(address(queries)), 4 * queries.shape[1]
    counts, limits, order = load64(scratch, COUNTS), load64(scratch, LIMITS), load64(scratch, ORDER)
    for first in range(0, n, 8):
        some = min(n - first, 8)
        for i in range(first, first + some):
            finite = prepare(plan, scratch, i, q + (lo + i) * q_bytes)
            evals[lo + i] = load64(plan, N) if finite else -1
            store32(counts, i, 0)
            store_f32(limits, i, _INFINITY)
            store32(order, i, i)
        if n_lists > 0:
            compare_with_centroids(plan, scratch, first, some)
            for i in range(first, first + some):
                if evals[lo + i] >= 0:
                    evals[lo + i] = n_lists + choose_lists(plan, scratch, i, n_probes)
    n_answered = n
    if 0 < n_lists and n * n_probes < _SHARED * n_lists:
        for i in range(n):
            if evals[lo + i] >= 0:
                scan_alone(plan, scratch, i, n_probes, depth)
    elif n_lists > 0:
        n_answered = scan_by_list(plan, scratch, n, n_probes, int64(0), int64(1), depth, evals, lo)
        for i in range(n_answered):  # queries of one list follow each other, since they share candidates
            store32(order, i, load32(load64(scratch, PAIRS), i))
            cut_buffer(scratch, load32(order, i), depth, surplus(depth))
        scan_by_list(plan, scratch, n, n_probes, int64(1), n_probes, depth, evals, lo)
    listed, following = load64(scratch, LISTED), load64(scratch, NEXT)
    n_following = int64(0)
    for o in range(n_answered + 1):
        n_candidates = n_following
        if o < n_answered:
            query = load32(order, o)
            if n_lists > 0:
                cut_buffer(scratch, query, depth, int64(0))
            n_following = list_candidates(plan, scratch, query, following)
        if o > 0:
            query = load32(order, o - 1)
            answer(plan, scratch, query, listed, n_candidates, k, lo + query, slots, found)
        listed, following = following, listed
