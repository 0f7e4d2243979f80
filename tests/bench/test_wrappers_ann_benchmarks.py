"""The wrapper for ann-benchmarks, dropped into a folder that has what it needs of theirs, and run as their runner does.

What stands here of their side is written from what it does: the base class, how a config becomes definitions, the
order of calls, and what is taken from the answers (`X_train[id]`, which reads the last row for -1 and says nothing).
"""

from __future__ import annotations

import importlib
import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr

ROOT = Path(__file__).parents[2]
WRAPPER = ROOT / "bench" / "wrappers" / "ann_benchmarks" / "vecrecall"
BASE = '''
class BaseANN:
    def done(self): pass
    def get_memory_usage(self): return 0.0
    def fit(self, X): raise NotImplementedError
    def query(self, q, n): raise NotImplementedError
    def batch_query(self, X, n): self.res = [self.query(q, n) for q in X]
    def get_batch_results(self): return self.res
    def get_additional(self): return {}
    def __str__(self): return self.name
'''
NAMES = ["vecrecall-hnsw", "vecrecall-ivf"]
CLASSES = {"vecrecall-hnsw": "VecrecallHNSW", "vecrecall-ivf": "VecrecallIVF"}
SETTINGS = {"vecrecall-hnsw": [[40], [200]], "vecrecall-ivf": [[4, 20], [32, 100]]}
RNG = np.random.default_rng(0)
X, Q = (RNG.normal(size=(n, 24)).astype(np.float32) for n in (2_000, 30))


def drop_in(folder: Path) -> None:
    """A clone of theirs, as far as the wrapper sees it, with the wrapper copied into it."""
    algorithms = folder / "ann_benchmarks" / "algorithms"
    (algorithms / "base").mkdir(parents=True)
    (algorithms / "base" / "module.py").write_text(BASE)
    shutil.copytree(WRAPPER, algorithms / "vecrecall")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("clone")
    drop_in(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "ann_benchmarks"]:
        del sys.modules[name]


def made(name: str, metric: str = "euclidean", **build: Any) -> Any:
    """An instance, imported and constructed as their definitions say."""
    module = importlib.import_module("ann_benchmarks.algorithms.vecrecall.module")
    return getattr(module, CLASSES[name])(metric, build)


def distance(metric: str, a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    if metric == "angular":
        return 1 - float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.linalg.norm(a - b))


def candidates(ids: Any, q: np.ndarray, rows: np.ndarray, metric: str, count: int) -> list[tuple[int, float]]:
    """What their runner makes of an answer, with all that it relies on checked."""
    assert len(ids) <= count and len(set(map(int, ids))) == len(ids)
    assert all(0 <= int(i) < len(rows) for i in ids)
    return [(int(i), distance(metric, q, rows[i])) for i in ids]


def run(algo: Any, rows: np.ndarray, queries: np.ndarray, settings: list[list[int]], metric: str, count: int,
        batch: bool) -> dict[str, list[list[tuple[int, float]]]]:  # fmt: skip
    """Their runner: fit once, then each setting, then each query or all; answers by the name of the run."""
    answers = {}
    before = algo.get_memory_usage()
    algo.fit(rows)
    assert algo.get_memory_usage() - before >= 0
    try:
        for setting in settings:
            algo.set_query_arguments(*setting)
            if batch:
                algo.batch_query(queries, count)
                found = algo.get_batch_results()
            else:
                found = [algo.query(q, count) for q in queries]
            assert isinstance(algo.get_additional(), dict)
            pairs = zip(found, queries, strict=True)
            answers[str(algo)] = [candidates(ids, q, rows, metric, count) for ids, q in pairs]
    finally:
        algo.done()
    return answers


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("metric", ["euclidean", "angular"])
@pytest.mark.parametrize("name", NAMES)
def test_a_run_gives_near_rows_that_exist_once_each(clone: Path, name: str, metric: str, batch: bool) -> None:
    answers = run(made(name, metric), X, Q, SETTINGS[name], metric, 10, batch)
    assert len(answers) == 2  # names tell settings apart: results are filed by them
    truth = vr.Exact.build(X, metric={"euclidean": "l2", "angular": "cosine"}[metric]).search(Q, k=10)
    recalls = []
    for found in answers.values():
        assert all(len(one) == 10 for one in found)
        distances = [[d for _, d in one] for one in found]
        assert all(sorted(one) == pytest.approx(one, rel=1e-5) for one in distances)  # the nearest first
        recalls.append(vr.recall(([[i for i, _ in one] for one in found], distances), truth))
    assert recalls[0] <= recalls[1] and recalls[1] > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_batches_and_single_queries_give_the_same_ids(clone: Path, name: str) -> None:
    single, batch = (run(made(name), X, Q, SETTINGS[name][:1], "euclidean", 7, batch) for batch in (False, True))
    assert list(single.values()) == list(batch.values())


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_where_fewer_rows_than_asked_for_exist_answers_are_shorter(clone: Path, name: str, batch: bool) -> None:
    answers = run(made(name), X[:6], Q, SETTINGS[name], "euclidean", 10, batch)
    assert all(sorted(i for i, _ in one) == list(range(6)) for found in answers.values() for one in found)


def test_an_inverted_file_that_looks_into_too_few_lists_gives_what_it_found(clone: Path) -> None:
    answers = run(made("vecrecall-ivf", n_lists=300), X, Q, [[1, 20]], "euclidean", 50, False)
    lengths = [len(one) for found in answers.values() for one in found]
    assert min(lengths) < 50 and min(lengths) > 0


def test_queries_before_any_setting_take_the_defaults(clone: Path) -> None:
    for name in NAMES:
        algo = made(name)
        algo.fit(X)
        assert len(candidates(algo.query(Q[0], 10), Q[0], X, "euclidean", 10)) == 10


def test_other_metrics_are_refused(clone: Path) -> None:
    with pytest.raises(ValueError, match="'jaccard', expected one of .*euclidean"):
        made("vecrecall-hnsw", "jaccard")


def test_what_was_set_is_what_a_search_takes(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    for name, engine, keys in (("vecrecall-hnsw", vr.HNSW, ["ef"]), ("vecrecall-ivf", vr.IVF, ["nprobe", "rerank"])):
        algo, search = made(name), engine.search
        algo.fit(X)

        def watched(index: Any, Q: Any, k: int, search: Any = search, **settings: Any) -> Any:
            asked.append(settings)
            return search(index, Q, k, **settings)

        monkeypatch.setattr(engine, "search", watched)
        algo.set_query_arguments(*SETTINGS[name][1])
        algo.query(Q[0], 10)
        algo.batch_query(Q, 10)
        assert asked == [dict(zip(keys, SETTINGS[name][1], strict=True))] * 2
        asked.clear()


# ---------------------------------------- the files beside it


def combinations(values: Any) -> list[Any]:
    """A list stands for the product of its elements, a dictionary for the product of its values."""
    if isinstance(values, dict):
        choices = [[(key, v) for v in (value if isinstance(value, list) else [value])] for key, value in values.items()]
        return [dict(chosen) for chosen in itertools.product(*choices)]
    return [list(chosen) for chosen in itertools.product(*(v if isinstance(v, list) else [v] for v in values))]


def definitions(metric: str) -> Iterator[tuple[str, str, str, list[Any], list[list[Any]]]]:
    """(name, module, constructor, arguments, query arguments) of every run that their config asks for."""
    yaml = pytest.importorskip("yaml")
    for algorithm in yaml.safe_load((WRAPPER / "config.yml").read_text())["float"]["any"]:
        for group in algorithm["run_groups"].values():
            given = [combinations(g) for g in group["arg_groups"]] if "arg_groups" in group else group["args"]
            for arguments in combinations(given):
                base = [metric if a == "@metric" else a for a in algorithm["base_args"]]
                where = algorithm["name"], algorithm["module"], algorithm["constructor"]
                yield *where, base + arguments, combinations(group["query_args"])


def test_every_run_of_the_config_can_be_constructed_built_and_asked(clone: Path) -> None:
    n_runs, names = 0, set()
    for name, module, constructor, arguments, settings in definitions("angular"):
        algo = getattr(importlib.import_module(f"{module}.module"), constructor)(*arguments)
        algo.fit(X[:1200])
        for setting in (settings[0], settings[-1]):
            algo.set_query_arguments(*setting)
            assert len(candidates(algo.query(Q[0], 10), Q[0], X[:1200], "angular", 10)) > 0
            names.add((name, str(algo)))
            n_runs += 1
    assert n_runs == len(names) > 10 and {name for name, _ in names} == set(NAMES)


def test_the_config_and_the_image_go_by_the_name_of_the_folder() -> None:
    yaml = pytest.importorskip("yaml")
    folder = WRAPPER.name
    for algorithm in yaml.safe_load((WRAPPER / "config.yml").read_text())["float"]["any"]:
        assert algorithm["docker_tag"] == f"ann-benchmarks-{folder}" and algorithm["disabled"] is False
        assert algorithm["module"] == f"ann_benchmarks.algorithms.{folder}"
    lines = (WRAPPER / "Dockerfile").read_text().splitlines()
    assert lines[0] == "FROM ann-benchmarks" and "RUN pip install vecrecall" in lines


COMPILING = """
import sys
import numpy as np
from numba.core import event

class Count(event.Listener):
    n = 0
    def on_start(self, event): Count.n += 1
    def on_end(self, event): pass

event.register("numba:compiler_lock", Count())  # held to compile a function, and to load it from the disk
from ann_benchmarks.algorithms.vecrecall import module

rng = np.random.default_rng(0)
X, Q = (rng.normal(size=(n, 24)).astype(np.float32) for n in (1500, 100))
for made, setting in ((module.VecrecallHNSW, [40]), (module.VecrecallIVF, [4, 20])):
    algo, before = made("euclidean", {}), Count.n
    algo.fit(X)
    fitted = Count.n
    algo.set_query_arguments(*setting)
    for n in (10, 100):
        algo.query(Q[0], n)
        algo.batch_query(Q, n)
        algo.get_batch_results()
    print(fitted - before, Count.n - fitted)
"""


def test_fit_compiles_all_that_queries_need(clone: Path) -> None:
    """In a process of its own, where nothing has been compiled or loaded."""
    child = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[str(clone), str(ROOT)]}\n{COMPILING}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    counts = [tuple(map(int, line.split())) for line in child.stdout.splitlines()]
    assert len(counts) == 2
    for while_fitting, while_asking in counts:
        assert while_fitting > 0 and while_asking == 0
