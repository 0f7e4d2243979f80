"""The wrappers for big-ann-benchmarks, dropped into a folder that has what they need of theirs, and run as there.

What stands here of their side is written from what it does: base classes, data sets by name, the order of calls, how
a config becomes definitions, what a runbook's steps mean, and result files that hold k ids a query.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

ROOT = Path(__file__).parents[2]
WRAPPERS = ROOT / "bench" / "wrappers" / "big_ann"
SOURCES = {
    "benchmark/algorithms/base.py": '''
class BaseANN:
    def done(self): pass
    def track(self): raise NotImplementedError
    def fit(self, dataset): raise NotImplementedError
    def load_index(self, dataset): raise NotImplementedError
    def set_query_arguments(self, query_args): raise NotImplementedError
    def query(self, X, k): raise NotImplementedError
    def get_results(self): return self.res
    def get_additional(self): return {}
    def get_memory_usage(self): return 0.0
    def __str__(self): return self.name
''',
    "benchmark/datasets.py": "DATASETS = {}\n",
    "neurips23/sparse/base.py": '''
from benchmark.algorithms.base import BaseANN

class BaseSparseANN(BaseANN):
    def track(self): return "sparse"
''',
    "neurips23/streaming/base.py": '''
from benchmark.algorithms.base import BaseANN

class BaseStreamingANN(BaseANN):
    def track(self): return "stream"
    def setup(self, dtype, max_pts, ndims): raise NotImplementedError
    def insert(self, X, ids): raise NotImplementedError
    def delete(self, ids): raise NotImplementedError
    def load_index(self, dataset): return False
''',
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clone of theirs, as far as the wrappers see it, with the wrappers copied into it."""
    folder = tmp_path_factory.mktemp("clone")
    for name, source in SOURCES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    for track in ("sparse", "streaming"):
        shutil.copytree(WRAPPERS / track / "vecrecall", folder / "neurips23" / track / "vecrecall")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] in ("benchmark", "neurips23")]:
        del sys.modules[name]


def assert_kept(results: np.ndarray, n_queries: int, k: int) -> None:
    """What their result files need: k ids of each query as int32, and none twice or missing."""
    assert results.shape == (n_queries, k)
    np.testing.assert_array_equal(results.astype(np.int32), results)
    assert results.min(initial=0) >= 0
    assert all(len(set(row)) == k for row in results.tolist())


# ---------------------------------------- configs


def definitions(track: str) -> Iterator[tuple[str, str, str, list[Any], list[dict[str, Any]]]]:
    """(name, module, constructor, arguments but for the metric, query arguments) of every process that is run."""
    yaml = pytest.importorskip("yaml")
    for name, algorithm in yaml.safe_load((WRAPPERS / track / "vecrecall" / "config.yaml").read_text())["any"].items():
        assert algorithm["base-args"] == ["@metric"]
        for group in algorithm["run-groups"].values():
            for build in json.loads(group["args"]):
                settings = json.loads(group["query-args"])
                yield name, algorithm["module"], algorithm["constructor"], [build], settings


@pytest.mark.parametrize("track", ["sparse", "streaming"])
def test_config_and_image_go_by_the_names_of_track_and_folder(track: str) -> None:
    yaml = pytest.importorskip("yaml")
    folder = WRAPPERS / track / "vecrecall"
    for algorithm in yaml.safe_load((folder / "config.yaml").read_text())["any"].values():
        assert algorithm["docker-tag"] == f"neurips23-{track}-vecrecall"
        assert algorithm["module"] == f"neurips23.{track}.vecrecall.vecrecall"
    lines = (folder / "Dockerfile").read_text().splitlines()
    assert lines[0] == "FROM neurips23" and any(line.startswith("RUN pip3 install vecrecall") for line in lines)


# ---------------------------------------- the sparse track


class SparseSet:
    """A data set of theirs, by name: rows in blocks that map a file, queries, and what they say about themselves."""

    def __init__(self, folder: Path, rows: sp.csr_matrix, queries: sp.csr_matrix, kind: str = "sparse") -> None:
        self.folder, self.rows, self.queries, self.nb, self.kind = folder, rows, queries, rows.shape[0], kind

    def __call__(self) -> SparseSet:
        return self

    def data_type(self) -> str:
        return self.kind

    def get_dataset(self) -> None:
        raise AssertionError("refuses sets of more than a million rows")

    def get_dataset_iterator(self, bs: int = 512) -> Iterator[sp.csr_matrix]:
        parts = []
        for name, dtype in (("data", np.float32), ("indices", np.int32), ("indptr", np.int64)):
            getattr(self.rows, name).astype(dtype).tofile(self.folder / name)
            parts.append(np.memmap(self.folder / name, dtype, mode="r"))
        mapped = sp.csr_matrix(tuple(parts), shape=self.rows.shape)
        for lo in range(0, self.nb, bs):
            yield mapped[lo : lo + bs, :]


def drawn_rows(n: int, columns: int, per_row: int, seed: int) -> sp.csr_matrix:
    rng = np.random.default_rng(seed)
    M = sp.random(n, columns, density=per_row / columns, format="csr", dtype=np.float32, random_state=rng)
    M.data += np.float32(0.1)
    return sp.csr_matrix(M)


def sparse_run(clone: Path, folder: Path, rows: sp.csr_matrix, queries: sp.csr_matrix, settings: list[dict[str, Any]],
               k: int = 10, **build: Any) -> dict[str, np.ndarray]:  # fmt: skip
    """Their runner: load or fit once, then each setting on all queries; results by the name of the run."""
    datasets = importlib.import_module("benchmark.datasets")
    datasets.DATASETS["tiny"] = SparseSet(folder, rows, queries)
    algo = importlib.import_module("neurips23.sparse.vecrecall.vecrecall").VecrecallSparse("ip", build)
    assert algo.track() == "sparse" and not algo.load_index("tiny")
    algo.fit("tiny")
    results = {}
    for setting in settings:
        algo.set_query_arguments(setting)
        algo.query(queries, k)
        results[str(algo)] = np.array(algo.get_results())
        assert_kept(results[str(algo)], queries.shape[0], k)
        assert results[str(algo)].max(initial=0) < rows.shape[0]
    algo.done()
    return results


def products(rows: sp.csr_matrix, queries: sp.csr_matrix) -> np.ndarray:
    return np.asarray((queries.astype(np.float64) @ rows.astype(np.float64).T).todense())


def test_sparse_rows_of_greatest_inner_product_are_found(clone: Path, tmp_path: Path) -> None:
    rows, queries = drawn_rows(2_000, 400, 40, 0), drawn_rows(25, 400, 12, 1)
    settings = [{"query_cut": 4, "heap_factor": 0.9, "impact_cut": 0.15}, {"query_cut": 60}, {"exact": True}]
    results = sparse_run(clone, tmp_path, rows, queries, settings)
    assert len(results) == 3
    scores = products(rows, queries)
    best = -np.sort(-scores, axis=1)[:, :10]
    of_found = [np.take_along_axis(scores, found, 1) for found in results.values()]
    np.testing.assert_allclose(of_found[2], best, rtol=1e-5)
    shares = [(found >= best[:, -1:] * (1 - 1e-6)).mean() for found in of_found]
    assert shares[0] < shares[1] and shares[1] > 0.9


@pytest.mark.parametrize("exact", [False, True])
def test_sparse_answers_go_on_with_rows_that_share_nothing(clone: Path, tmp_path: Path, exact: bool) -> None:
    """Queries that 0, 1 and 3 rows answer, and one that all do."""
    rows = sp.csr_matrix(np.array([[0, 1, 0, 1], [0, 2, 0, 1], [5, 3, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1.0]]))
    queries = sp.csr_matrix(np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0], [0, 0, 0, 0]]))
    for k in (1, 2, 4, 5):
        (found,) = sparse_run(clone, tmp_path, rows, queries, [{"exact": exact}], k).values()
        scores = np.take_along_axis(products(rows, queries), found, 1)
        np.testing.assert_allclose(scores, -np.sort(-products(rows, queries), axis=1)[:, :k])
    assert found[0].tolist() == [0, 1, 2, 3, 4] and found[1].tolist() == [2, 0, 1, 3, 4]
    assert found[2].tolist() == [2, 1, 0, 3, 4]


@pytest.mark.parametrize("columns", [300, 500])
def test_sparse_queries_may_have_fewer_or_more_columns_than_rows(clone: Path, tmp_path: Path, columns: int) -> None:
    rows, queries = drawn_rows(500, 400, 40, 0), drawn_rows(20, columns, 20, 1)
    (found,) = sparse_run(clone, tmp_path, rows, queries, [{"exact": True}]).values()
    same = sp.csr_matrix(np.pad(queries.toarray(), ((0, 0), (0, 200)))[:, :400])
    scores = products(rows, same)
    np.testing.assert_allclose(np.take_along_axis(scores, found, 1), -np.sort(-scores, axis=1)[:, :10], rtol=1e-5)


def test_every_setting_of_the_sparse_config_is_taken(clone: Path, tmp_path: Path) -> None:
    rows, queries = drawn_rows(500, 400, 40, 0), drawn_rows(20, 400, 20, 1)
    ((name, _, constructor, (build,), settings),) = definitions("sparse")
    assert (name, constructor) == ("vecrecall", "VecrecallSparse") and len(settings) <= 10  # what the track allows
    assert len(sparse_run(clone, tmp_path, rows, queries, settings, **build)) == len(settings)


def test_what_the_sparse_track_cannot_answer_is_refused(clone: Path, tmp_path: Path) -> None:
    wrapper = importlib.import_module("neurips23.sparse.vecrecall.vecrecall").VecrecallSparse
    with pytest.raises(ValueError, match="'euclidean', expected 'ip'"):
        wrapper("euclidean", {})
    rows = drawn_rows(5, 40, 4, 0)
    with pytest.raises(ValueError, match="k is 10, but there are only 5 rows"):
        sparse_run(clone, tmp_path, rows, rows, [{}])
    importlib.import_module("benchmark.datasets").DATASETS["dense"] = SparseSet(tmp_path, rows, rows, "dense")
    with pytest.raises(ValueError, match="dense is dense, expected a sparse data set"):
        wrapper("ip", {}).fit("dense")


# ---------------------------------------- the streaming track

ENGINES = [("IVF", {"target_recall": 0.95}), ("HNSW", {"ef": 100})]
on_each_engine = pytest.mark.parametrize(("engine", "setting"), ENGINES, ids=["IVF", "HNSW"])
Step = dict[str, Any]


def insert(start: int, end: int) -> Step:
    return {"operation": "insert", "start": start, "end": end}


def delete(start: int, end: int) -> Step:
    return {"operation": "delete", "start": start, "end": end}


def replace(tags: tuple[int, int], ids: tuple[int, int]) -> Step:
    return {
        "operation": "replace", "tags_start": tags[0], "tags_end": tags[1], "ids_start": ids[0], "ids_end": ids[1],
    }  # fmt: skip


SEARCH: Step = {"operation": "search"}


def streaming(clone: Path, metric: str = "euclidean", **params: Any) -> Any:
    return importlib.import_module("neurips23.streaming.vecrecall.vecrecall").VecrecallStreaming(metric, params)


def nearness(metric: str, Q: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Of each query and row, smaller is nearer, in float64."""
    Q, rows = Q.astype(np.float64), rows.astype(np.float64)
    if metric == "ip":
        return -Q @ rows.T
    return ((Q[:, None] - rows) ** 2).sum(axis=2)


def play(algo: Any, runbook: list[Step], data: np.ndarray, Q: np.ndarray, setting: dict[str, Any], *, k: int = 10,
         metric: str = "euclidean") -> list[float]:  # fmt: skip
    """Their runner: set up, set the arguments, take each step; the recall of each search.

    A tag names a vector; inserting gives a vector the tag that is its number, replacing gives tags to other vectors.
    """
    assert algo.track() == "stream" and not algo.load_index("tiny")
    algo.setup(data.dtype.name, len(data), data.shape[1])
    algo.set_query_arguments(setting)
    recalls, number_of = [], {}
    for step in runbook:
        if step["operation"] == "insert":
            ids = np.arange(step["start"], step["end"], dtype=np.uint32)
            algo.insert(data[step["start"] : step["end"]], ids)
            number_of.update(zip(ids.tolist(), ids.tolist(), strict=True))
        elif step["operation"] == "delete":
            ids = np.arange(step["start"], step["end"], dtype=np.uint32)
            algo.delete(ids)
            for tag in ids.tolist():
                del number_of[tag]
        elif step["operation"] == "replace":
            tags = np.arange(step["tags_start"], step["tags_end"], dtype=np.uint32)
            algo.replace(data[step["ids_start"] : step["ids_end"]], tags)
            number_of.update(zip(tags.tolist(), range(step["ids_start"], step["ids_end"]), strict=True))
        else:
            algo.query(Q, k)
            results = algo.get_results()
            assert_kept(results, len(Q), k)
            living = np.array(sorted(number_of))
            assert np.isin(results, living).all()
            keys = nearness(metric, Q, data[[number_of[tag] for tag in living.tolist()]])
            last = np.sort(keys, axis=1)[:, k - 1 : k]
            found = np.take_along_axis(keys, np.searchsorted(living, results), 1)
            recalls.append(float((found <= last + 1e-6 * np.abs(last)).mean()))
    attributes = {"name": str(algo), **algo.get_additional()}
    assert all(isinstance(value, (str, int)) for value in attributes.values())
    algo.done()
    return recalls


def drawn(n: int, dim: int = 16, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Vectors in ten clusters, one after another, as the clustered runbooks have them."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(30, 90, (10, dim))
    return (np.repeat(centres, -(-n // 10), axis=0)[:n] + rng.normal(0, 8, (n, dim))).astype(dtype)


QUERIES = drawn(40, seed=0) + np.random.default_rng(1).normal(0, 2, (40, 16)).astype(np.float32)

RUNBOOKS = {
    "inserted, half deleted, inserted again": [
        insert(0, 3000), SEARCH, delete(0, 1500), SEARCH, insert(0, 1500), SEARCH,
    ],
    "cluster by cluster": [
        *(step for lo in range(0, 3000, 300) for step in (insert(lo, lo + 300), SEARCH)),
        *(step for lo in range(0, 2700, 300) for step in (delete(lo, lo + 150), SEARCH)),
    ],
    "a window that slides": [
        insert(0, 1500), SEARCH,
        *(step for lo in range(0, 1500, 100) for step in (delete(lo, lo + 100), insert(lo + 1500, lo + 1600), SEARCH)),
    ],
    "replaced": [
        insert(0, 2000), SEARCH, replace((0, 200), (2000, 2200)), SEARCH, replace((100, 300), (2200, 2400)), SEARCH,
        delete(150, 400), SEARCH, insert(150, 400), SEARCH, replace((0, 100), (300, 400)), SEARCH,
    ],
    "all deleted": [insert(0, 1200), SEARCH, delete(0, 1200), insert(600, 1800), SEARCH, delete(600, 1800)],
    "down to ten": [insert(0, 1200), delete(0, 1100), SEARCH, delete(1110, 1200), SEARCH],
}  # fmt: skip


@on_each_engine
@pytest.mark.parametrize("runbook", RUNBOOKS.values(), ids=list(RUNBOOKS))
def test_runbooks_are_answered_by_near_living_ids(
    clone: Path, runbook: list[Step], engine: str, setting: dict[str, Any]
) -> None:
    recalls = play(streaming(clone, engine=engine), runbook, drawn(3000), QUERIES, setting)
    # queries of clusters that are not there are the hardest: least 0.878, mean 0.904, where all was deleted
    assert len(recalls) == runbook.count(SEARCH) and min(recalls) > 0.85 and np.mean(recalls) > 0.88


@on_each_engine
@pytest.mark.parametrize("seed", range(2))
def test_runbooks_drawn_at_random(clone: Path, seed: int, engine: str, setting: dict[str, Any]) -> None:
    """Ranges that are whole or not at all living, as the runner's are; whatever share is allowed to be dead."""
    rng, runbook = np.random.default_rng(seed), [insert(0, 500)]
    living = {0: True} | dict.fromkeys(range(1, 12), False)  # blocks of 100 from 400 on: the first 500 stay
    for _ in range(25):
        block = int(rng.integers(1, 12))
        lo, other = 400 + 100 * block, 2_000 + 100 * int(rng.integers(0, 10))
        if not living[block]:
            runbook.append(insert(lo, lo + 100))
            living[block] = True
        elif rng.random() < 0.5:
            runbook.append(delete(lo, lo + 100))
            living[block] = False
        else:
            runbook.append(replace((lo, lo + 100), (other, other + 100)))
        runbook.append(SEARCH)
    share = float(rng.choice([0.0, 0.2, 0.9]))
    recalls = play(streaming(clone, engine=engine, max_dead=share), runbook, drawn(3000), QUERIES, setting)
    assert min(recalls) > 0.85


@pytest.mark.parametrize("tile", [64, 1 << 16])
@on_each_engine
def test_a_query_among_tombstones_alone_is_answered_exactly(
    clone: Path, engine: str, setting: dict[str, Any], tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of ten clusters is deleted, which is not enough for a rebuild, and asked for."""
    data = drawn(3000)
    algo = streaming(clone, engine=engine)
    monkeypatch.setattr(sys.modules[type(algo).__module__], "TILE", tile)
    runbook = [insert(0, 1200), insert(1200, 3000), delete(0, 300), SEARCH]
    assert play(algo, runbook, data, data[:25], setting) == [1.0]
    assert algo.get_additional() == {"rebuilds": 0, "exact_queries": 25}


def test_an_inverted_file_that_looks_into_too_few_lists_still_gives_k(clone: Path) -> None:
    algo = streaming(clone, n_lists=200)
    (recall,) = play(algo, [insert(0, 3000), SEARCH], drawn(3000), QUERIES, {"nprobe": 1, "rerank": 60}, k=60)
    assert 0.3 < recall and algo.get_additional()["exact_queries"] > 0


@on_each_engine
def test_tombstones_are_cleared_away_when_they_are_many(clone: Path, engine: str, setting: dict[str, Any]) -> None:
    data = drawn(2000)
    algo = streaming(clone, engine=engine, max_dead=0.25)
    algo.setup("float32", 2000, 16)
    algo.insert(data, np.arange(2000))
    algo.delete(np.arange(0, 500))
    assert len(algo._index) == 2000 and algo.get_additional()["rebuilds"] == 0
    algo.delete(np.arange(500, 501))
    assert len(algo._index) == 1499 and algo.get_additional()["rebuilds"] == 1
    algo.set_query_arguments(setting)
    algo.query(data[600:640], 1)
    assert algo.get_results()[:, 0].tolist() == list(range(600, 640))


@pytest.mark.parametrize("metric", ["euclidean", "ip"])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_types_and_metrics_of_the_track(clone: Path, dtype: str, metric: str) -> None:
    data = drawn(2500, dtype=dtype) if dtype != "int8" else (drawn(2500) - 60).astype("int8")
    queries = QUERIES if dtype != "int8" else QUERIES - 60
    runbook = [insert(0, 2500), SEARCH, delete(500, 700), SEARCH, delete(700, 1500), SEARCH]
    setting = {"target_recall": 0.95}
    recalls = play(streaming(clone, metric), runbook, data, queries.astype(dtype), setting, metric=metric)
    assert min(recalls) > 0.85


def test_vectors_that_map_a_file_are_not_copied_and_others_are(clone: Path, tmp_path: Path) -> None:
    data = drawn(1500)
    data.tofile(tmp_path / "data")
    mapped = np.memmap(tmp_path / "data", np.float32, mode="r", shape=data.shape)
    algo = streaming(clone, max_dead=0.1)
    algo.setup("float32", 1500, 16)
    algo.insert(mapped[:1000], np.arange(1000))
    algo.insert(data[1000:], np.arange(1000, 1500))
    data[:] = 0
    (first, _), (second, _) = algo._slots._blocks
    assert np.shares_memory(first, mapped) and not np.shares_memory(second, data)
    algo.delete(np.arange(700, 1200))
    assert len(algo._index) == 1000  # built anew of both
    algo.query(mapped[[650, 1250]], 1)
    assert algo.get_results().tolist() == [[650], [1250]]


def noted(algo: Any, data: np.ndarray) -> tuple[int, list[list[int]]]:
    algo.query(data[:20], 5)
    return algo._slots.n_living, algo.get_results().tolist()


REFUSED = [
    ("insert", (slice(5, 8), [900, 3, 901]), ValueError, "id 3 is inserted, but is living"),
    ("insert", (slice(5, 8), [900, 901, 900]), ValueError, "900 twice"),
    ("insert", (slice(5, 8), [900, 901]), ValueError, r"shape \(2,\).*expected 3 integers"),
    ("insert", (slice(5, 6), [2**31]), ValueError, "expected 0 to 2"),
    ("insert", (slice(5, 6), [-1]), ValueError, "expected 0 to 2"),
    ("insert", (slice(5, 6), [0.5]), ValueError, "float64, expected 1 integers"),
    ("delete", ([3, 900],), KeyError, "id 900 is not living"),
    ("delete", ([250],), KeyError, "id 250 is not living"),
    ("delete", ([3, 3],), ValueError, "3 twice"),
    ("replace", (slice(5, 7), [3, 900]), KeyError, "id 900 is not living"),
    ("replace", (slice(5, 7), [3]), ValueError, "expected 2 integers"),
    ("query", (slice(5, 7), 100_000), ValueError, "k is 100000, but 798 vectors are living"),
]


@pytest.mark.parametrize(("verb", "arguments", "error", "words"), REFUSED, ids=[f"{r[0]}: {r[3]}" for r in REFUSED])
def test_a_step_that_cannot_be_is_refused_and_changes_nothing(
    clone: Path, verb: str, arguments: tuple[Any, ...], error: type[Exception], words: str
) -> None:
    data, algo = drawn(800), streaming(clone)
    algo.setup("float32", 800, 16)
    algo.insert(data, np.arange(800))
    algo.delete(np.array([250, 251]))
    before = noted(algo, data)
    arguments = tuple(data[a] if isinstance(a, slice) else np.array(a) if isinstance(a, list) else a for a in arguments)
    with pytest.raises(error, match=words):
        getattr(algo, verb)(*arguments)
    assert noted(algo, data) == before


def test_empty_steps_do_nothing_and_an_empty_index_answers_nothing(clone: Path) -> None:
    algo, none = streaming(clone), np.arange(0)
    algo.setup("float32", 10, 16)
    algo.insert(drawn(10)[:0], none)
    algo.delete(none)
    algo.replace(drawn(10)[:0], none)
    with pytest.raises(ValueError, match="0 vectors are living"):
        algo.query(drawn(10), 1)


def test_unknown_engines_and_metrics_are_refused(clone: Path) -> None:
    for metric, params in (("hamming", {}), ("euclidean", {"engine": "annoy"})):
        with pytest.raises(ValueError, match=r"expected one of \['angular', 'euclidean', 'ip'\] and one of"):
            streaming(clone, metric, **params)


def test_every_run_of_the_streaming_config_plays_a_runbook(clone: Path) -> None:
    names = set()
    for name, _, constructor, (build,), settings in definitions("streaming"):
        assert constructor == "VecrecallStreaming" and len(settings) == 1  # the next would meet what this one left
        algo = streaming(clone, **build)
        assert min(play(algo, RUNBOOKS["down to ten"], drawn(1200), QUERIES, settings[0])) > 0.85
        names.add((name, str(algo)))
    assert len(names) == 4


# ---------------------------------------- compiling

COMPILING = """
import numpy as np
import scipy.sparse as sp
from numba.core import event

class Count(event.Listener):
    n = 0
    def on_start(self, event): Count.n += 1
    def on_end(self, event): pass

event.register("numba:compiler_lock", Count())  # held to compile a function, and to load it from the disk
from benchmark.datasets import DATASETS
from neurips23.sparse.vecrecall.vecrecall import VecrecallSparse
from neurips23.streaming.vecrecall.vecrecall import VecrecallStreaming

rng = np.random.default_rng(0)
X = rng.integers(0, 200, (3000, 24)).astype(np.float32)  # whole numbers: not the type of rows that setup tries
M = sp.csr_matrix(np.maximum(rng.normal(size=(500, 50)), 0).astype(np.float32))

class Tiny:
    nb = 500
    def data_type(self): return "sparse"
    def get_dataset_iterator(self, bs): return iter([M])

DATASETS["tiny"] = Tiny
before = Count.n
algo = VecrecallSparse("ip", {})
algo.fit("tiny")
fitted = Count.n
for setting in ({}, {"query_cut": 5, "heap_factor": 1, "impact_cut": 0}, {"exact": True}):
    algo.set_query_arguments(setting)
    for n in (1, 400):
        algo.query(M[:n], 10)
print(fitted - before, Count.n - fitted)

for engine, build, setting in (("IVF", {"n_lists": 40}, {"nprobe": 1, "rerank": 30}), ("HNSW", {}, {"ef": 50})):
    before, asking = Count.n, 0
    algo = VecrecallStreaming("euclidean", {"engine": engine, **build})
    algo.setup("float32", 3000, 24)
    algo.set_query_arguments(setting)
    for verb, *arguments in (("insert", X[:200], np.arange(200)), ("insert", X[200:], np.arange(200, 3000)),
                             ("delete", np.arange(500)), ("delete", np.arange(500, 1500))):
        getattr(algo, verb)(*arguments)
        here = Count.n
        algo.query(X[:300], 10)
        algo.query(X[:1], 10)
        algo.query(X[:3], algo._slots.n_living)  # more than some lists hold: by exact search
        asking += Count.n - here
    assert algo.get_additional()["exact_queries"] > 0 or engine == "HNSW"
    print(Count.n - before - asking, asking)
"""


def test_fit_and_steps_compile_all_that_queries_need(clone: Path) -> None:
    """In a process of its own, where nothing has been compiled or loaded."""
    child = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[str(clone), str(ROOT)]}\n{COMPILING}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    counts = [tuple(map(int, line.split())) for line in child.stdout.splitlines()]
    assert len(counts) == 3
    for while_preparing, while_asking in counts:
        assert while_preparing > 0 and while_asking == 0
