"""Run a task: build every peer in a process of its own, choose settings on one half of the queries, time the other.

Peers of a set stay alive side by side, asleep but for the one that is asked, so that rounds can take them in turn: a
machine that is busy for a while is busy for all of them. All that was measured goes into the record at once. A run that
was killed goes on where the record ends; indexes that were built are read from the folder beside it.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
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
from bench.remote import Gone, Remote
from bench.results import pareto_front
from bench.tasks import Entry, Task, parse
from bench.worker import Answer, Job

N_TIMED = 14  # settings of an index that are timed, at most
FEWEST_CHOOSING, MOST_CHOOSING = 3, 10  # rounds that settings are chosen by,
CHOOSING_NS = 100_000_000  # and what they should take together
MARGIN = 0.05  # of recall, below the lowest that is of interest
DISTURBED = 3.0  # a call may take so many times as long as it should
FULL = 0.9995  # recall after which a grid of one setting is not tried further


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
        self.refuse_other_task(task, records)
        for entry in task.entries:
            peer_class(entry.name)  # a name that is wrong is said before anything is built
        facts = machine.facts(self.core)
        before = records.fact("machine", facts)
        if changed := [name for name in facts if facts[name] != before.get(name)]:
            name = changed[0]
            raise ValueError(
                f"{records.path} was begun with another {name} ({before.get(name)}, now {facts[name]}), and figures of "
                "both do not belong together; measure anew with --fresh, or into another record with --out"
            )
        records.set_fact("task", task.text)
        records.set_fact("name", task.name)
        records.set_fact("command", command)
        records.set_fact("machine", facts)
        records.set_fact("finished", False)

    @staticmethod
    def refuse_other_task(task: Task, records: Records) -> None:
        """Raise a ValueError where a record was made of another task; how its file is laid out does not matter."""
        known = records.fact("task")
        if known is not None and replace(parse(task.name, known), text=task.text) != task:
            raise ValueError(
                f"{records.path} is the record of another task, or of an earlier state of this one; measure anew with "
                "--fresh, or into another record with --out"
            )

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
            "digest": data.digest(),
        }  # fmt: skip
        if self.records.fact(f"data {name}", facts) != facts:
            raise ValueError(
                f"{name} is not what it was when {self.records.path} was begun; bring it back, or measure anew with "
                "--fresh"
            )
        self.records.set_fact(f"data {name}", facts)
        say(f"{name}: {data.n:,} x {facts['dim']:,}, {data.metric}, {facts['n_timed']:,} queries timed")
        choosing, timed = (Judged(self.records, Judge(data, half, self.task.k)) for half in ("choosing", "timed"))
        stage(data, self.scratch / name)
        with self._candidates(data) as candidates:
            for candidate in list(candidates):
                self._guarded(candidates, candidate, partial(self._choose, judged=choosing))
            for number in range(self.task.n_rounds):
                for candidate in list(candidates):
                    self._guarded(candidates, candidate, partial(self._round, number=number, judged=timed))
                say(f"{name}: round {number + 1} of {self.task.n_rounds}")
        shutil.rmtree(self.scratch / name, ignore_errors=True)

    def _guarded(self, candidates: list[Candidate], one: Candidate, step: Callable[[Candidate], None]) -> None:
        """Let a candidate do its part; one that breaks off is out, whatever it did, and the record says why."""
        try:
            step(one)
        except Exception as reason:
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
            opened = remote.call("open")
            if known is not None and opened["version"] != facts["version"]:
                raise Gone(f"begun with version {facts['version']}, now {opened['version']}; measure anew with --fresh")
            if known is not None and path.exists():
                remote.call("load", self.task.build_limit_s, path=path, setting=setting)
            else:
                if known is not None:
                    self.records.forget_answers(known.number)  # another index may answer otherwise
                facts = opened | remote.call("warm", self.task.build_limit_s, setting=setting)
                facts |= remote.call("build", self.task.build_limit_s, path=path, setting=setting)
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
            refused = ""
            for setting in one.entry.settings or ({},):
                try:
                    answers = self._asked(one, setting, "choosing", mode, 0, judged)
                except Gone as reason:
                    if not one.remote.lives:
                        raise
                    refused = f"setting {setting} is not accepted: {reason}"
                    say(f"{one.label}: {refused}")
                    continue
                tried.append((float(judged.recall(answers).mean()), answers))
                if tried[-1][0] > FULL and one.entry.ascends:
                    break
            if not tried:
                raise Gone(refused)
            self._tell_apart(one, mode, tried, judged)
            points = [(recall, 1 / self._least_ns(answers), answers.setting) for recall, answers in tried]
            one.chosen[mode] = worth_timing(points, self.task.lowest)
        say(f"{one.label}: {', '.join(f'{len(c)} settings {mode}' for mode, c in one.chosen.items())}")

    def _tell_apart(
        self, one: Candidate, mode: str, tried: list[tuple[float, AnswersRow]], judged: Judged
    ) -> None:
        """Time again, in turn, what may be chosen: short calls oftener, since one disturbance spoils them."""
        points = [(recall, 1 / self._least_ns(answers)) for recall, answers in tried]
        wanted = {
            answers.number: min(MOST_CHOOSING, max(FEWEST_CHOOSING, -(-CHOOSING_NS // self._least_ns(answers))))
            for (_, answers), likely in zip(tried, may_be_chosen(points, self.task.lowest)) if likely
        }  # fmt: skip
        for number in range(1, max(wanted.values())):
            for _, answers in tried:
                if number < wanted.get(answers.number, 0):
                    self._asked(one, answers.setting, "choosing", mode, number, judged)

    def _least_ns(self, answers: AnswersRow) -> int:
        return int(self.records.times(answers.number)[0].min())

    def _round(self, one: Candidate, number: int, judged: Judged) -> None:
        for mode, settings in one.chosen.items():
            for setting in settings:
                self._asked(one, setting, "timed", mode, number, judged)

    def _asked(
        self, one: Candidate, setting: dict[str, Any], half: str, mode: str, round_: int, judged: Judged
    ) -> AnswersRow:
        """Ask at a setting, unless the record holds that round; answers are judged at once."""
        known = self.records.find_answers(one.number, setting, half, mode)
        if known is not None and round_ in self.records.rounds_done(known.number):
            return known
        answer: Answer = one.remote.call("ask", half=half, setting=setting, mode=mode)
        if known is not None and not np.array_equal(answer.ids, known.ids):
            judged.changed(known, answer)
        number = self.records.add_answers(one.number, setting, half, mode, answer.ids, answer.distances)
        self.records.add_times(number, round_, answer.each_ns, answer.total_ns)
        found = self.records.find_answers(one.number, setting, half, mode)
        assert found is not None
        judged.recall(found)
        return found


class Judged:
    """Verdicts, each kept in the record; equal answers are judged once."""

    def __init__(self, records: Records, judge: Judge) -> None:
        self.records, self.judge = records, judge
        self.seen: dict[bytes, Verdict] = {}

    def recall(self, answers: AnswersRow) -> np.ndarray:
        """Recall of each query."""
        if answers.recall is not None:
            return answers.recall
        verdict = self._verdict(answers)
        self.records.set_verdict(answers.number, verdict.recall, asdict(verdict.faults))
        return verdict.recall

    def changed(self, first: AnswersRow, later: Answer) -> None:
        """Note that a round found other ids than the first; of both the worse recall counts."""
        verdicts = [self._verdict(answers) for answers in (first, later)]
        worse = min(verdicts, key=lambda verdict: float(verdict.recall.mean()))
        if first.recall is not None and first.recall.mean() < worse.recall.mean():
            worse = worse._replace(recall=first.recall)  # of a round before this one
        n_changed = max(int((first.ids != later.ids).sum()), int(first.faults.get("changed", 0)))
        faults = replace(worse.faults, changed=n_changed)
        self.records.set_verdict(first.number, worse.recall, asdict(faults))

    def _verdict(self, answers: AnswersRow | Answer) -> Verdict:
        digest = hashlib.blake2b(answers.ids.tobytes())
        if answers.distances is not None:
            digest.update(answers.distances.tobytes())
        if digest.digest() not in self.seen:
            self.seen[digest.digest()] = self.judge.verdict(answers.ids, answers.distances)
        return self.seen[digest.digest()]


def may_be_chosen(points: list[tuple[float, float]], lowest: float) -> list[bool]:
    """Which points (recall, speed) a quieter moment may bring to the front: not those that are far below it."""
    least = min(lowest, max(recall for recall, _ in points)) - MARGIN
    return [
        recall >= least and DISTURBED * speed >= max(other for reached, other in points if reached >= recall)
        for recall, speed in points
    ]


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
