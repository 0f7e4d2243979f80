"""One BLAS thread while exact searches run, whose own workers are the parallelism, and while codes are trained, whose
bytes must not depend on the number.
"""

import os
import threading
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


class _OneThread:
    """Holds BLAS at one thread from the first user that enters until the last one leaves.

    The number of threads is one setting of the whole process, so this is too: two that each put back
    what they found would leave it at one for ever.
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._mutex = threading.Lock()
        self._n_inside = 0
        self._limit: Any = None
        self._pid = os.getpid()

    def __enter__(self) -> None:
        if self._pid != os.getpid():  # searches of the parent do not run on in a forked child
            if self._limit is not None:
                self._limit.restore_original_limits()
            self._start()
        with self._mutex:
            if self._n_inside == 0:
                self._limit = _libraries().limit(limits=1, user_api="blas")
            self._n_inside += 1

    def __exit__(self, *error: object) -> None:
        with self._mutex:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._limit.restore_original_limits()
                self._limit = None


one_blas_thread = _OneThread()
