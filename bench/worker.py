"""One peer with one build, in a process of its own: it builds, and answers what the runner asks over a pipe."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.contract import LeftOut, Peer, Wanted
from bench.data import staged
from bench.peers import peer_class
from bench.pin import pin_threads

N_WARM = 5_000  # rows of the small index that compiles what is compiled on first use
N_ASKED = 20  # queries of it


class Job(NamedTuple):
    """What a process is for."""

    peer: str
    build: dict[str, Any]
    wanted: Wanted
    data: Path  # folder of the staged set
    core: int | None  # to stay on
    log: Path  # where its error stream goes


class Answer(NamedTuple):
    """What one question took and brought."""

    ids: NDArray[np.int64]  # (q, k), missing places -1
    distances: NDArray[np.float64] | None  # the same shape, NaN where missing
    total_ns: int
    each_ns: NDArray[np.int64] | None  # by call, where there were several


def own_mib() -> float:
    """Memory that belongs to this process alone and is in RAM; 0 where the system does not tell.

    Mapped files do not count: the rows of the set are one, and shared by all.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    sizes = [int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")]
    return sizes[0] / 1024 if sizes else 0.0


def give_back() -> None:
    """Hand memory that was freed back to the system, so that what a build grows by is what it keeps."""
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def end_with_the_runner() -> None:
    """Have the system end this process when the runner is killed: none goes on measuring beside the next run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def nbytes(X: Any) -> int:
    """Bytes of rows, dense or sparse."""
    return X.nbytes if isinstance(X, np.ndarray) else X.data.nbytes + X.indices.nbytes + X.indptr.nbytes


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def padded(parts: list[tuple[NDArray, NDArray | None]], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """(ids, distances) of each query as arrays of k columns, -1 and NaN where an answer is short."""
    ids = np.full((len(parts), k), -1, np.int64)
    none = any(distances is None for _, distances in parts)
    found = None if none else np.full((len(parts), k), np.nan)
    for i, (own, distances) in enumerate(parts):
        own = np.ravel(own)[:k]
        if own.dtype.kind not in "iu" and len(own):
            raise TypeError(f"ids of dtype {own.dtype} came back, expected integers")
        ids[i, : len(own)] = own
        if found is not None:
            found[i, : len(own)] = np.ravel(distances)[:k]
    return ids, found


class Work:
    """The commands that the runner gives."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.peer: Peer
        self.forms: dict[tuple[str, str], Any] = {}

    def open(self) -> dict[str, Any]:
        """Import the library; what that took, and its version."""
        kind = peer_class(self.job.peer)
        if self.job.wanted.metric not in kind.metrics:
            raise LeftOut(f"it has no metric {self.job.wanted.metric} ({', '.join(kind.metrics)})")
        before = time.perf_counter()
        try:
            import_module(kind.module)
        except ImportError as error:
            raise LeftOut(f"not installed ({error})") from error
        took = time.perf_counter() - before
        try:
            number = version(kind.package)
        except PackageNotFoundError:  # a checkout that is not installed
            number = getattr(import_module(kind.module.partition(".")[0]), "__version__", "")
        self.X, self.Q = staged(self.job.data, "X"), staged(self.job.data, "Q")
        self.kind = kind
        return {
            "import_s": took, "version": number, "ours": kind.ours, "exact": kind.exact, "batches": kind.has_batches,
        }  # fmt: skip

    def warm(self, setting: dict[str, Any]) -> dict[str, Any]:
        """Use a small index twice; what the first time took beyond the second is compiling, or reading a cache."""
        if not self.kind.compiles:
            return {"compile_s": 0.0}

        def use() -> float:
            before = time.perf_counter()
            small = self.kind(self.job.wanted)
            small.build(self.X[:N_WARM], **self.job.build)
            small.set(**setting)
            small.ask_one(small.forms(self.Q[:1])[0])
            if self.kind.has_batches:
                small.ask_batch(small.batch_form(self.Q[:N_ASKED]))
            return time.perf_counter() - before

        try:
            return {"compile_s": max(0.0, use() - use())}
        except LeftOut:
            raise
        except Exception as error:  # a setting that the small index does not take says nothing of the large one
            return {"compile_s": float("nan"), "warm_problem": f"{type(error).__name__}: {error}"}

    def build(self, path: Path, setting: dict[str, Any]) -> dict[str, Any]:
        """Build and save the index; what it cost."""
        self.peer = self.kind(self.job.wanted)
        give_back()
        memory, wall, cpu = own_mib(), time.perf_counter(), time.process_time()
        self.peer.build(self.X, **self.job.build)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        give_back()
        memory = own_mib() - memory
        if self.kind.keeps_rows:
            memory += nbytes(self.X) / 2**20
        facts = {"build_s": wall, "build_cpu_s": cpu, "resident_mib": memory}
        facts |= self._saved(path)
        self._ask_once(setting)
        return facts

    def _saved(self, path: Path) -> dict[str, Any]:
        """Save the index; what cannot be saved is measured all the same."""
        unfinished = path.with_name(path.name + ".unfinished")
        try:
            self.peer.save(unfinished)
        except Exception as error:
            planned = isinstance(error, NotImplementedError)
            return {} if planned else {"save_problem": f"{type(error).__name__}: {error}"}
        unfinished.rename(path)
        return {"file_mib": size_of(path) / 2**20}

    def load(self, path: Path, setting: dict[str, Any]) -> None:
        """Restore an index that was built before."""
        self.peer = self.kind(self.job.wanted)
        self.peer.load(path, self.X, **self.job.build)
        self._ask_once(setting)

    def _ask_once(self, setting: dict[str, Any]) -> None:
        """Ask a few queries outside the clock: first calls fill caches. Who refuses will say so when it is timed."""
        for mode in ("batch", "single") if self.kind.has_batches else ("single",):
            try:
                self.peer.set(**setting)
                for form in self._forms("choosing", mode)[:N_ASKED]:
                    (self.peer.ask_one if mode == "single" else self.peer.ask_batch)(form)
            except Exception:
                continue

    def ask(self, half: str, setting: dict[str, Any], mode: str) -> Answer:
        """Ask the queries of a half: in one call, in calls of so many, or one by one."""
        forms = self._forms(half, mode)
        self.peer.set(**setting)
        clock, ask = time.perf_counter_ns, self.peer.ask_one if mode == "single" else self.peer.ask_batch
        raws, each = [None] * len(forms), np.empty(len(forms), np.int64)
        with quiet():
            for i, form in enumerate(forms):
                before = clock()
                raws[i] = ask(form)
                each[i] = clock() - before
        rows = [row for raw in raws for row in self._rows(raw, mode)]
        n_asked = len(range(0 if half == "choosing" else 1, self.Q.shape[0], 2))
        if len(rows) != n_asked:
            raise ValueError(f"{len(rows)} answers came back to {n_asked} queries")
        return Answer(*padded(rows, self.job.wanted.k), int(each.sum()), each if mode != "batch" else None)

    def _forms(self, half: str, mode: str) -> list[Any]:
        """What is asked, call by call, in the peer's own form."""
        if (half, mode) not in self.forms:
            Q = self.Q[0 if half == "choosing" else 1 :: 2]
            if isinstance(Q, np.ndarray):
                Q = np.ascontiguousarray(Q)
            size = Q.shape[0] if mode == "batch" else 1 if mode == "single" else int(mode)
            parts = (Q[first : first + size] for first in range(0, Q.shape[0], size))
            self.forms[half, mode] = self.peer.forms(Q) if mode == "single" else [*map(self.peer.batch_form, parts)]
        return self.forms[half, mode]

    def _rows(self, raw: Any, mode: str) -> list[tuple[NDArray, NDArray | None]]:
        """(ids, distances) of each query of a raw answer."""
        ids, distances = self.peer.answers(raw)
        if mode == "single":
            return [(ids, distances)]
        ids = np.atleast_2d(ids)  # some drop the axis of a batch of one
        found = [None] * len(ids) if distances is None else np.atleast_2d(distances)
        return list(zip(ids, found))


class quiet:
    """No collection of garbage while times are taken."""

    def __enter__(self) -> None:
        gc.collect()
        gc.disable()

    def __exit__(self, *error: object) -> None:
        gc.enable()


def main(pipe: Connection, job: Job) -> None:
    """Obey commands (name, arguments) until the pipe is closed; answer ("done" | "left out" | "failed", result)."""
    end_with_the_runner()
    log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)  # what compiled libraries print
    os.dup2(log, 2)
    if job.core is not None:
        os.sched_setaffinity(0, {job.core})
    pin_threads(job.wanted.n_threads)
    work = Work(job)
    while True:
        try:
            name, arguments = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        pipe.send(obeyed(getattr(work, name), arguments))


def obeyed(command: Callable[..., Any], arguments: dict[str, Any]) -> tuple[str, Any]:
    try:
        return "done", command(**arguments)
    except LeftOut as reason:
        return "left out", str(reason)
    except BaseException as error:
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
