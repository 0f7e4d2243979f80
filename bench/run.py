"""Run a task: build every peer in a process of its own, choose settings on one half of the queries, time the other.

Peers of a set stay alive side by side, asleep but for the one that is asked, so that rounds can take them in turn: a
machine that is busy for a while is busy for all of them. All that was measured goes into the record at once. A run that
was killed goes on where the record ends; indexes that were built are read from the folder beside it.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine
from bench.contract import Wanted
from bench.data import Data, load, stage
from bench.judge import Judge, Verdict
from bench.peers import peer_class
from bench.pin import pin_threads
from bench.records import AnswersRow, Records, canonical
from bench.results import pareto_front
from bench.tasks import Entry, Task
from bench.worker import Answer, Job, main

ASK_LIMIT_S = 600.0  # a question that takes longer ends the peer
N_TIMED = 14  # settings of an index that are timed, at most
FEWEST_CHOOSING, MOST_CHOOSING = 3, 10  # rounds that settings are chosen by,
CHOOSING_NS = 100_000_000  # and what they should take together
MARGIN = 0.05  # of recall, below the lowest that is of interest
FULL = 0.9995  # recall after which a grid of one setting is not tried further


class Gone(Exception):
    """A peer cannot go on; the message says why."""


class Remote:
    """A worker's process as the runner sees it."""

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

    def _how(self) -> str:
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"signal {-code}{', an instruction that this processor does not have' if code == -4 else ''}"
        return f"exit code {code}"

    def end(self) -> None:
        self.pipe.close()
        self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@dataclass
class Candidate:
    """An index that takes part."""

    number: int  # in the record
    entry: Entry
    build: dict[str, Any]
    remote: Remote
    modes: tuple[str, ...]
    chosen: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # settings that are timed, by mode

    @property
    def label(self) -> str:
        return " ".join([self.entry.name, *(f"{name}={value}" for name, value in self.build.items())])


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


class Runner:
    """A task that is being run into a record."""

    def __init__(self, task: Task, records: Records, folder: Path, command: str) -> None:
        self.task, self.records, self.folder = task, records, folder
        self.scratch = records.path.with_name(records.path.name + ".indexes")
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self.core = cores[-1] if cores and task.n_threads == 1 else None
        if records.fact("task") not in (None, task.text):
            raise ValueError(f"{records.path} is the record of another task; give another --out, or remove it")
        records.set_fact("task", task.text)
        records.set_fact("name", task.name)
        records.set_fact("command", command)
        records.set_fact("machine", machine.facts(self.core))
        records.set_fact("finished", False)

    def run(self) -> None:
        """Measure every set that is not measured yet."""
        pin_threads(self.task.n_threads)
        done = self.records.fact("done", [])
        for name in self.task.data:
            if name not in done:
                self._measure(name)
                done.append(name)
                self.records.set_fact("done", done)
        self.records.set_fact("finished", True)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _measure(self, name: str) -> None:
        data = load(name, self.folder, self.task.n_queries)
        facts = {
            "n": data.n, "dim": int(data.X.shape[1]), "metric": data.metric, "sparse": data.is_sparse,
            "source": data.source, "n_choosing": len(data.half("choosing")[1]), "n_timed": len(data.half("timed")[1]),
        }  # fmt: skip
        self.records.set_fact(f"data {name}", facts)
        say(f"{name}: {data.n:,} x {facts['dim']:,}, {data.metric}, {facts['n_timed']:,} queries timed")
        stage(data, self.scratch / name)
        with self._candidates(data) as candidates:
            choosing = Judged(self.records, Judge(data, "choosing", self.task.k))
            for candidate in list(candidates):
                self._guarded(candidates, candidate, partial(self._choose, judged=choosing))
            for number in range(self.task.n_rounds):
                for candidate in list(candidates):
                    self._guarded(candidates, candidate, partial(self._round, number=number))
                say(f"{name}: round {number + 1} of {self.task.n_rounds}")
        timed = Judged(self.records, Judge(data, "timed", self.task.k))
        for row in self.records.built(name):
            for answers in self.records.answers(row.number, "timed"):
                timed.recall(answers)
        shutil.rmtree(self.scratch / name, ignore_errors=True)

    def _guarded(self, candidates: list[Candidate], one: Candidate, step: Callable[[Candidate], None]) -> None:
        """Let a candidate do its part; one that breaks off is out, and the record says why."""
        try:
            step(one)
        except Gone as reason:
            say(f"{one.label}: breaks off: {reason}")
            row = next(row for row in self.records.built() if row.number == one.number)
            self.records.add_built(row.data, row.peer, row.build, row.facts, str(reason))
            candidates.remove(one)
            one.remote.end()

    # ---------------------------------------- building

    @contextmanager
    def _candidates(self, data: Data) -> Iterator[list[Candidate]]:
        found: list[Candidate] = []
        try:
            for entry in self.task.entries:
                if peer_class(entry.name).sparse != data.is_sparse or not entry.takes(data.name):
                    continue
                for build in entry.builds:
                    candidate = self._started(data, entry, build)
                    if candidate is not None:
                        found.append(candidate)
            yield found
        finally:
            for candidate in found:
                candidate.remote.end()

    def _started(self, data: Data, entry: Entry, build: dict[str, Any]) -> Candidate | None:
        known = self.records.find_built(data.name, entry.name, build)
        if known is not None and known.problem:
            return None
        name = hashlib.sha256(canonical([entry.name, build]).encode()).hexdigest()[:16]
        folder = self.scratch / data.name
        wanted = Wanted(data.metric, self.task.k, self.task.n_threads)
        remote = Remote(Job(entry.name, build, wanted, folder, self.core, folder / f"{name}.log"))
        facts: dict[str, Any] = {} if known is None else known.facts
        setting = entry.settings[0] if entry.settings else {}
        label = " ".join([entry.name, *(f"{key}={value}" for key, value in build.items())])
        path = folder / f"{name}.index"
        try:
            facts = {**remote.call("open"), **facts}
            if known is not None and path.exists():
                remote.call("load", self.task.build_limit_s, path=path)
            else:
                facts |= remote.call("warm", self.task.build_limit_s, setting=setting)
                facts |= remote.call("build", self.task.build_limit_s, path=path)
                say(f"{label}: built in {facts['build_s']:.1f} s")
            number = self.records.add_built(data.name, entry.name, build, facts)
        except Gone as reason:
            say(f"{label}: left out: {reason}")
            self.records.add_built(data.name, entry.name, build, facts, str(reason))
            remote.end()
            return None
        batches = facts["batches"] and not data.is_sparse
        modes = tuple(mode for mode in self.task.modes if mode == "single" or batches)
        return Candidate(number, entry, build, remote, modes)

    # ---------------------------------------- choosing and timing

    def _choose(self, one: Candidate, judged: Judged) -> None:
        """Answer the one half at every setting; those on the front are timed on the other."""
        for mode in one.modes:
            tried: list[tuple[float, AnswersRow]] = []
            for setting in one.entry.settings or ({},):
                answers = self._asked(one, setting, "choosing", mode, 0)
                if answers is None:
                    continue
                tried.append((float(judged.recall(answers).mean()), answers))
                if tried[-1][0] > FULL and len(setting) == 1:
                    break
            if not tried:
                raise Gone("no setting of its grid is accepted")
            self._tell_apart(one, mode, tried)
            points = [(recall, 1 / self._least_ns(answers), answers.setting) for recall, answers in tried]
            one.chosen[mode] = worth_timing(points, self.task.lowest)
        say(f"{one.label}: {', '.join(f'{len(c)} settings {mode}' for mode, c in one.chosen.items())}")

    def _tell_apart(self, one: Candidate, mode: str, tried: list[tuple[float, AnswersRow]]) -> None:
        """Time again, in turn, what may be chosen: short calls oftener, since one disturbance spoils them."""
        least = min(self.task.lowest, max(recall for recall, _ in tried)) - MARGIN
        wanted = {
            answers.number: min(MOST_CHOOSING, max(FEWEST_CHOOSING, -(-CHOOSING_NS // self._least_ns(answers))))
            for recall, answers in tried if recall >= least
        }  # fmt: skip
        for number in range(1, max(wanted.values())):
            for _, answers in tried:
                if number < wanted.get(answers.number, 0):
                    self._asked(one, answers.setting, "choosing", mode, number)

    def _least_ns(self, answers: AnswersRow) -> int:
        return int(self.records.times(answers.number)[0].min())

    def _round(self, one: Candidate, number: int) -> None:
        for mode, settings in one.chosen.items():
            for setting in settings:
                self._asked(one, setting, "timed", mode, number)

    def _asked(
        self, one: Candidate, setting: dict[str, Any], half: str, mode: str, round_: int
    ) -> AnswersRow | None:
        """Ask at a setting, unless the record holds that round; None where the setting is refused."""
        known = self.records.find_answers(one.number, setting, half, mode)
        if known is not None and round_ in self.records.rounds_done(known.number):
            return known
        try:
            answer: Answer = one.remote.call("ask", half=half, setting=setting, mode=mode)
        except Gone as reason:
            if one.remote.process.is_alive() and half == "choosing":
                say(f"{one.label}: setting {setting} left out: {reason}")
                return None
            raise
        number = self.records.add_answers(one.number, setting, half, mode, answer.ids, answer.distances)
        self.records.add_times(number, round_, answer.each_ns, answer.total_ns)
        return self.records.find_answers(one.number, setting, half, mode)


class Judged:
    """Verdicts, each kept in the record; equal ids are judged once."""

    def __init__(self, records: Records, judge: Judge) -> None:
        self.records, self.judge = records, judge
        self.seen: dict[bytes, Verdict] = {}

    def recall(self, answers: AnswersRow) -> np.ndarray:
        """Recall of each query."""
        if answers.recall is not None:
            return answers.recall
        digest = hashlib.blake2b(answers.ids.tobytes())
        if answers.distances is not None:
            digest.update(answers.distances.tobytes())
        if digest.digest() not in self.seen:
            self.seen[digest.digest()] = self.judge.verdict(answers.ids, answers.distances)
        verdict = self.seen[digest.digest()]
        self.records.set_verdict(answers.number, verdict.recall, verdict.as_dict())
        return verdict.recall


def worth_timing(points: list[tuple[float, float, dict[str, Any]]], lowest: float) -> list[dict[str, Any]]:
    """Of points (recall, speed, setting) the front from the last one under `lowest` on, thinned to a few."""
    settings = {(recall, speed): setting for recall, speed, setting in points}
    front = pareto_front(list(settings))
    n_under = sum(recall < lowest for recall, _ in front)
    front = front[max(0, n_under - 1) :]
    if len(front) > N_TIMED:
        front = [front[i] for i in np.unique(np.linspace(0, len(front) - 1, N_TIMED).round().astype(int))]
    return [settings[point] for point in front]


def command_line() -> str:
    """How this run was asked for."""
    return "python -m bench " + shlex.join(sys.argv[1:])
