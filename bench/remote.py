"""A worker's process as the runner sees it."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

from bench.worker import Job, main

ASK_LIMIT_S = 600.0  # a command that takes longer ends the peer


class Gone(Exception):
    """A peer cannot go on; the message says why."""


class Remote:
    """Starts a worker and gives it commands."""

    def __init__(self, job: Job) -> None:
        self.job = job
        context = multiprocessing.get_context("spawn")
        self.pipe: Connection
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=main, args=(other, job), daemon=True)
        self.process.start()
        other.close()

    def call(self, name: str, limit_s: float = ASK_LIMIT_S, **arguments: Any) -> Any:
        """Give a command and wait for its result."""
        try:
            self.pipe.send((name, arguments))
            if not self.pipe.poll(limit_s):
                self.end()
                raise Gone(f"{name} took more than {limit_s:.0f} s")
            outcome, result = self.pipe.recv()
        except (EOFError, OSError) as error:
            self.process.join(5)
            raise Gone(f"its process ended during {name} ({self._how()})") from error
        if outcome == "left out":
            raise Gone(result)
        if outcome == "failed":
            raise Gone(f"{name}: {result}")
        return result

    @property
    def lives(self) -> bool:
        return self.process.is_alive()

    def _how(self) -> str:
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"signal {-code}{', an instruction that this processor does not have' if code == -4 else ''}"
        return f"exit code {code}"

    def end(self) -> None:
        """End the process, whatever it does."""
        self.pipe.close()
        self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
