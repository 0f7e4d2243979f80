"""Peers of a few lines: one that is honest, and one for each way of not being so."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import LeftOut, Peer


class Honest(Peer):
    """Finds what is nearest among every `step`-th row; notes its builds in a file, if one is named."""

    package = module = "numpy"

    def build(self, X: np.ndarray, diary: str = "") -> None:
        self.rows = X.copy()
        if diary:
            with open(diary, "a") as file:
                file.write("built\n")

    def set(self, step: int = 1) -> None:
        self.step = step

    def ask_one(self, q: np.ndarray) -> Any:
        ids, distances = self.ask_batch(q[None])
        return ids[0], distances[0]

    def ask_batch(self, Q: np.ndarray) -> Any:
        rows = self.rows[:: self.step].astype(float)
        distances = np.sqrt(((rows - Q[:, None].astype(float)) ** 2).sum(2))
        order = np.argsort(distances, axis=1, kind="stable")[:, : self.wanted.k]
        return order * self.step, np.take_along_axis(distances, order, 1)

    def answers(self, raw: Any) -> Any:
        return raw

    def save(self, path: Path) -> None:
        with open(path, "wb") as file:
            np.save(file, self.rows)

    def load(self, path: Path, X: np.ndarray, **parameters: Any) -> None:
        self.rows = np.load(path)


class Repeating(Honest):
    """Says its best answer twice."""

    def answers(self, raw: Any) -> Any:
        ids, distances = (np.array(part) for part in raw)
        ids[..., 1], distances[..., 1] = ids[..., 0], distances[..., 0]
        return ids, distances


class Empty(Honest):
    """Leaves the last two places empty."""

    def answers(self, raw: Any) -> Any:
        ids = np.array(raw[0])
        ids[..., -2:] = -1
        return ids, raw[1]


class Short(Honest):
    """Gives three answers."""

    has_batches = False

    def answers(self, raw: Any) -> Any:
        return raw[0][:3], raw[1][:3]


class Lying(Honest):
    """Gives distances that are too large."""

    def answers(self, raw: Any) -> Any:
        return raw[0], raw[1] + 1


class Inventing(Honest):
    """Gives a row that does not exist, at distance 0."""

    def answers(self, raw: Any) -> Any:
        ids, distances = (np.array(part) for part in raw)
        ids[..., 0], distances[..., 0] = len(self.rows), 0.0
        return ids, distances


class Ending(Honest):
    """Ends its process when it is asked."""

    def ask_batch(self, Q: np.ndarray) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


class Refusing(Honest):
    """Cannot be built."""

    def build(self, X: np.ndarray, **parameters: Any) -> None:
        raise RuntimeError("no room")


class Unwilling(Honest):
    """Takes no part."""

    def build(self, X: np.ndarray, **parameters: Any) -> None:
        raise LeftOut("not on Sundays")


class Absent(Honest):
    """Is not installed."""

    package = module = "no_such_library"


class Endless(Honest):
    """Is never built."""

    def build(self, X: np.ndarray, **parameters: Any) -> None:
        time.sleep(600)


class Choosy(Honest):
    """Refuses one setting of its grid."""

    def set(self, step: int = 1) -> None:
        if step == 2:
            raise ValueError("step 2 is not for me")
        self.step = step


class Forgetful(Honest):
    """Answers every second batch rightly, and the others anyhow."""

    n_batches = 0

    def ask_batch(self, Q: np.ndarray) -> Any:
        self.n_batches += len(Q) > 1
        if self.n_batches % 2 or len(Q) == 1:
            return super().ask_batch(Q)
        shape = (len(Q), self.wanted.k)
        return np.broadcast_to(np.arange(shape[1]), shape).copy(), np.zeros(shape)


class Hasty(Honest):
    """Answers five queries of a batch."""

    def ask_batch(self, Q: np.ndarray) -> Any:
        ids, distances = super().ask_batch(Q)
        return ids[:5], distances[:5]


class Vague(Honest):
    """Says ids as floats."""

    def answers(self, raw: Any) -> Any:
        return raw[0] + 0.4, raw[1]


class Unsaved(Honest):
    """Finds no room to be saved."""

    def save(self, path: Path) -> None:
        raise OSError(28, "No space left on device")
