"""Scratch memory of walks: one set for each call in flight, sized by policy, handed to kernels as addresses."""

from __future__ import annotations

import numpy as np

from vecrecall.kernels.memory import address
from vecrecall.kernels.pool import FRONT
from vecrecall.vectors.memory import aligned_zeros

# Fields of a lane (int64 each); a lane is one query on its way.
(
    STAGE, QUERY, POOL, SEEN, LOG, FORM, FLOATS, WALKED, ASKED, BIAS, LENGTH, SIZE, POSITION, N_LOGGED, RAN_OVER,
    N_FRESH, LEVEL, NODE, KEY, EVALS, HOPS,
) = range(21)  # fmt: skip
LANE_FIELDS = 24
# Fields of the head: what all lanes share.
LOG_ROOM, SEEN_WORDS, KEYS, LISTED, BEST, LEVELS, DOTS, Z, STATE, OWN_LINKS, OWN_KEYS = range(11)
HEAD_FIELDS = 16
LOWEST = np.iinfo(np.int64).min


def _log_room(capacity: int, ef: int, width: int) -> int:
    """Rows a log holds: a walk that sees more clears the whole bitmap instead, which then costs less."""
    return max(4096, ef, capacity // 16) + 2 * width


def _lines(size: int) -> int:
    """Cache lines that a part takes at most, with the places in front of a pool."""
    return -(-size // 64) + 2


class Scratch:
    """Scratch for ``n_lanes`` walks with pools of ``ef`` over ``capacity`` rows of a graph ``width`` links wide."""

    def __init__(
        self, *, n_lanes: int, ef: int, capacity: int, width: int, padded_dim: int, form_bytes: int, level_bytes: int
    ) -> None:
        self.n_lanes, self.ef, self.capacity = n_lanes, ef, capacity
        listed = max(ef, width, 512) + 16
        words = (capacity >> 6) + 1
        log_room = _log_room(capacity, ef, width)
        lane_parts = {
            POOL: 8 * (ef + 16), SEEN: 8 * words, LOG: 4 * (log_room + 16), FORM: form_bytes + 64,
            FLOATS: 4 * padded_dim, WALKED: 4 * padded_dim,
        }  # fmt: skip
        head_parts = {
            KEYS: 4 * listed, LISTED: 4 * listed, BEST: 8 * (max(ef, width) + 16), LEVELS: level_bytes,
            DOTS: 4 * (form_bytes + 16), Z: 4 * (form_bytes + 16), STATE: 4 * listed,
            OWN_LINKS: 4 * listed, OWN_KEYS: 4 * listed,
        }  # fmt: skip
        n_words = sum(map(_lines, head_parts.values())) + n_lanes * sum(map(_lines, lane_parts.values()))
        self.memory = aligned_zeros((8 * n_words + HEAD_FIELDS + (n_lanes + 1) * LANE_FIELDS,), np.int64)
        self.address = address(self.memory)
        self._at = HEAD_FIELDS + n_lanes * LANE_FIELDS
        self.memory[[LOG_ROOM, SEEN_WORDS]] = log_room, words
        for part, size in head_parts.items():
            self.memory[part] = self._take(size, pool=part == BEST)
        for lane in range(n_lanes):
            fields = self.memory[HEAD_FIELDS + lane * LANE_FIELDS :]
            for part, size in lane_parts.items():
                fields[part] = self._take(size, pool=part == POOL)

    def _take(self, size: int, *, pool: bool) -> int:
        """Address of the next ``size`` bytes, on a line; a pool has its lowest values in front."""
        self._at = -(-self._at // 8) * 8
        start, n_words = self._at, -(-size // 8)
        if pool:
            self.memory[start : start + FRONT] = LOWEST
            start += FRONT
        self._at = start + n_words
        return self.address + 8 * start

    def serves(self, n_lanes: int, ef: int, capacity: int) -> bool:
        """Whether a call of this size fits."""
        return n_lanes <= self.n_lanes and ef <= self.ef and capacity <= self.capacity
