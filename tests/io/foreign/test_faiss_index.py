"""faiss's HNSW: read by faiss in another process, checked here, searched with faiss's own answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from vecrecall.hnsw.check import check_levels, check_links
from vecrecall.io.foreign import faiss_apart, from_faiss, read_faiss
from vecrecall.io.foreign.faiss_index import _index_of
from vecrecall.io.foreign.faiss_parts import Parts
from vecrecall.io.foreign.lists import Unsound

# Four nodes, two of them on layer 1 and one on layer 2; M=2, so a list of the base layer has four places.
LEVELS = [1, 3, 1, 2]
BASE = [[1, 2, -1, -1], [0, 2, 3, -1], [3, -1, 1, 0], [2, 1, 0, -1]]
UPPER = {(1, 1): [3, -1], (1, 2): [-1, -1], (3, 1): [1, -1]}


def made(**changed: Any) -> Parts:
    """The parts of that index; `changed` replaces numbers and arrays."""
    ends = np.array([0, 4, 6, 8, 10], np.int32)
    neighbors = [j for i, n in enumerate(LEVELS) for row in [BASE[i], *(UPPER[i, l] for l in range(1, n))] for j in row]
    numbers = {"d": 3, "ntotal": 4, "metric_type": 1, "entry_point": 1, "max_level": 2, "ef_construction": 40, "ef": 16}
    arrays = {
        "levels": np.array(LEVELS, np.int32),
        "offsets": np.concatenate([[0], np.cumsum(ends[LEVELS])]).astype(np.uint64),
        "ends": ends,
        "neighbors": np.array(neighbors, np.int32),
        "vectors": np.arange(12, dtype=np.float32),
    }
    parts = Parts(numbers, arrays)
    for name, value in changed.items():
        (parts.numbers if name in numbers else parts.arrays)[name] = value
    return parts


def put(array: np.ndarray, at: int, value: Any) -> np.ndarray:
    array = array.copy()
    array[at] = value
    return array


ARRAYS = made().arrays


def test_parts_become_an_index() -> None:
    found = _index_of("a.faiss", made(ids=np.array([5, -9, 7, 2**62])))
    assert repr(found) == "faiss index: 4 vectors of 3 dimensions, l2, M=2, ef_construction=40"
    assert found.lists.n_base.tolist() == [2, 3, 1, 3], "a list ends at its first -1"
    assert found.lists.levels.tolist() == [0, 2, 0, 1] and (found.lists.entry, found.lists.top) == (1, 2)
    graph = found.graph()
    assert graph.links[:4].tolist() == [[1, 2, 0, 0], [0, 2, 3, 1], [3, 2, 2, 2], [2, 1, 0, 3]]
    assert graph.upper[:3].tolist() == [[3, 1], [1, 1], [1, 3]]
    check_levels(graph)
    check_links(graph)
    index = found.index()
    assert (index.ef, index.ef_construction, index.metric) == (16, 40, "l2")
    assert index.search(found.vectors, k=1).ids[:, 0].tolist() == [5, -9, 7, 2**62]


def test_the_metric_is_the_one_that_faiss_numbers_so() -> None:
    assert _index_of("", made(metric_type=0)).metric == "ip"
    with pytest.raises(vr.IndexFileError, match=r"a\.faiss: its metric has the number 4"):
        _index_of("a.faiss", made(metric_type=4))


def test_an_index_of_nothing() -> None:
    nothing = np.zeros(0, np.int32)
    parts = made(ntotal=0, entry_point=-1, max_level=-1, levels=nothing, neighbors=nothing,
                 offsets=np.zeros(1, np.uint64), vectors=np.zeros(0, np.float32))  # fmt: skip
    index = _index_of("", parts).index()
    assert len(index) == 0 and index.dim == 3


def test_nodes_of_the_base_layer_alone() -> None:
    flat = np.array([1, -1, -1, -1, 0, 2, -1, -1, 1, -1, -1, -1], np.int32)
    parts = made(ntotal=3, max_level=0, levels=np.ones(3, np.int32), offsets=np.arange(4, dtype=np.uint64) * 4,
                 neighbors=flat, vectors=ARRAYS["vectors"][:9])  # fmt: skip
    found = _index_of("", parts)
    assert found.M == 2 and found.index().search(found.vectors, k=1).ids[:, 0].tolist() == [0, 1, 2]


def test_ids_that_are_no_ids_are_refused_by_the_index_alone() -> None:
    for ids, words in (([3, 3, 1, 2], "3 is the label of two nodes"), ([3, -1, 1, 2], "node 1 is -1")):
        found = _index_of("a.faiss", made(ids=np.array(ids)))
        with pytest.raises(ValueError, match=rf"a\.faiss: .*{words}.*numbered=True"):
            found.index()
        assert found.index(numbered=True).search(found.vectors[2], k=1).ids.tolist() == [2]


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ("expected those of 5 vectors of 3", {"ntotal": 5}),
        ("expected those of -1 vectors", {"ntotal": -1}),
        ("expected those of 4611686018427387904 vectors", {"ntotal": 2**62}),
        ("of 4 vectors of 0 dimensions", {"d": 0}),
        ("3 labels", {"ids": np.arange(3)}),
        ("efSearch 0", {"ef": 0}),
        ("efConstruction is -1", {"ef_construction": -1}),
        ("3 nodes have layers", {"levels": ARRAYS["levels"][:3]}),
        ("expected 4 with 1 to 4", {"levels": put(ARRAYS["levels"], 0, 0)}),
        ("expected 4 with 1 to 4", {"levels": put(ARRAYS["levels"], 0, 5)}),
        ("do not follow one another", {"levels": put(ARRAYS["levels"], 0, 2)}),
        ("do not follow one another", {"offsets": put(ARRAYS["offsets"], 2, 0)}),
        ("do not follow one another", {"offsets": put(ARRAYS["offsets"], 2, 2**64 - 1)}),
        ("do not follow one another", {"offsets": ARRAYS["offsets"][:4]}),
        ("do not follow one another", {"neighbors": ARRAYS["neighbors"][:-1]}),
        ("room for", {"ends": put(ARRAYS["ends"], 0, 2)}),
        ("room for", {"ends": put(ARRAYS["ends"], 1, 0)}),
        ("room for", {"ends": put(ARRAYS["ends"], 1, 2**31 - 1)}),
        ("room for", {"ends": put(ARRAYS["ends"], 2, 4)}),
        ("room for", {"ends": put(ARRAYS["ends"], 3, 9)}),
        ("room for", {"ends": np.array([0, 4, 4, 4, 4], np.int32)}),
        ("room for", {"ends": np.array([0, 2, 5, 8, 11], np.int32)}),
        ("4 with 1 to 0 each", {"ends": np.array([0], np.int32)}),
        ("entry is node 4", {"entry_point": 4}),
        ("entry is node -1", {"entry_point": -1}),
        ("the entry, node 3, stands on layer 1", {"entry_point": 3}),
        ("expected both on 1", {"max_level": 1}),
        ("base layer: node 0 is linked to 4", {"neighbors": put(ARRAYS["neighbors"], 0, 4)}),
        ("base layer: node 0 is linked to 0, the node itself", {"neighbors": put(ARRAYS["neighbors"], 0, 0)}),
        ("upper layers: node 1 is linked to 2, which", {"neighbors": put(ARRAYS["neighbors"], 8, 2)}),
        ("vector of node 1 holds NaN", {"vectors": put(ARRAYS["vectors"], 3, np.nan)}),
    ],
)
def test_parts_that_do_not_fit_are_named(words: str, changed: dict[str, Any]) -> None:
    with pytest.raises(Unsound, match=words):
        _index_of("a.faiss", made(**changed))


def test_without_faiss_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.faiss").write_bytes(b"IHNf" + bytes(40))
    monkeypatch.setattr("vecrecall.io.foreign.faiss_index.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="faiss is not installed.*pip install faiss-cpu"):
        read_faiss(tmp_path / "a.faiss")
    with pytest.raises(ImportError, match="faiss is not installed"):
        from_faiss(None)


@pytest.mark.parametrize("start", [b"", b"I", b"IHN", bytes(8), b"VECRECAL", b"I\0\0\0", b"xxxx"])
def test_what_is_not_of_faiss_never_gets_to_faiss(tmp_path: Path, start: bytes, monkeypatch: Any) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    (tmp_path / "a.faiss").write_bytes(start)
    with pytest.raises(vr.IndexFileError, match=r"a\.faiss: begins with"):
        read_faiss(tmp_path / "a.faiss")


READY = "import os, sys; os.write(1, b'ready\\n'); "


@pytest.mark.parametrize(
    ("program", "error", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", RuntimeError, "could not begin: it ended with"),
        ("raise ValueError('no faiss here')", RuntimeError, "could not begin: ValueError: no faiss here"),
        (READY + "os.abort()", vr.IndexFileError, "the process that tried ended with code -6; the file is damaged"),
        (READY + "sys.exit('stop')", vr.IndexFileError, r"ended with code 1 \(stop\)"),
        (READY + "os.write(1, b'{')", vr.IndexFileError, "ended with code 0"),
        (READY + "import time; time.sleep(60)", vr.IndexFileError, "needed more than 1 s"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="processes end otherwise there")
def test_a_process_that_does_not_survive_the_file_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, error: type, words: str
) -> None:
    (tmp_path / "a.faiss").write_bytes(b"IHNf" + bytes(40))
    monkeypatch.setattr("vecrecall.io.foreign.faiss_index._require_faiss", lambda: None)
    monkeypatch.setattr(faiss_apart, "_PROGRAM", program)
    if "sleep" in program:
        monkeypatch.setattr(faiss_apart, "_START_S", 0.6)
    with pytest.raises(error, match=rf"a\.faiss: .*{words}"):
        read_faiss(tmp_path / "a.faiss")


STAND_IN = """
import os, sys, types
import numpy as np

def read_index(path):
    os.write(1, b"what faiss prints")
    {}

faiss = sys.modules["faiss"] = types.ModuleType("faiss")
faiss.read_index = read_index
from vecrecall.io.foreign.faiss_apart import send
send(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("raise RuntimeError('Error in f(x) at /a/b.cpp:53: Error: it is torn')", "faiss refuses it: it is torn; the"),
        ("return np.ones(2**32, np.uint8)", "faiss refuses it: it claims more memory than its size allows; the file"),
        ("return 3", "is of the type int, expected IndexHNSWFlat"),
    ],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux only")
def test_what_the_process_says_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, words: str
) -> None:
    (tmp_path / "a.faiss").write_bytes(b"IHNf" + bytes(40))
    monkeypatch.setattr("vecrecall.io.foreign.faiss_index._require_faiss", lambda: None)
    monkeypatch.setattr(faiss_apart, "_PROGRAM", STAND_IN.format(does))
    with pytest.raises(vr.IndexFileError, match=rf"a\.faiss: {words}"):
        read_faiss(tmp_path / "a.faiss")


# ----------------------------------------------------------------------- beside faiss itself


def built(metric: str = "l2", M: int = 6, around: str = "", n: int = 400) -> tuple[Any, np.ndarray, np.ndarray]:
    """An index of faiss, queries, and the ids of its rows."""
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(M)
    X, ids = rng.standard_normal((n, 12)).astype(np.float32), rng.permutation(4 * n)[:n].astype(np.int64)
    index = faiss.IndexHNSWFlat(12, M, faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 30, 24
    inner = index
    if around:
        index = getattr(faiss, around)(inner)
        index.add_with_ids(X, ids)
    else:
        index.add(X)
        ids = np.arange(n)
    return index, rng.standard_normal((40, 12)).astype(np.float32), ids


@pytest.mark.parametrize(("metric", "around"), [("l2", "IndexIDMap2"), ("ip", "IndexIDMap"), ("l2", "")])
def test_a_file_is_read_as_faiss_has_it(tmp_path: Path, metric: str, around: str) -> None:
    index, _, ids = built(metric, 6, around)
    import faiss

    path = tmp_path / "a.faiss"
    faiss.write_index(index, str(path))
    inner = faiss.downcast_index(index.index) if around else index
    for found in (read_faiss(path), from_faiss(index)):
        assert (found.metric, found.M, found.ef_construction, found.ef, found.dim) == (metric, 6, 30, 24, 12)
        assert np.array_equal(found.labels, ids) and not found.deleted.any()
        assert np.array_equal(found.vectors, inner.reconstruct_n(0, 400))
        graph = found.graph()
        check_levels(graph)
        check_links(graph)
        neighbors, offsets = faiss.vector_to_array(inner.hnsw.neighbors), faiss.vector_to_array(inner.hnsw.offsets)
        for i in range(400):
            listed = neighbors[offsets[i] : offsets[i] + 12]
            assert graph.links[i][: graph.n_links[i]].tolist() == listed[listed >= 0].tolist()
    assert from_faiss(index).path == "" and read_faiss(path).path == str(path)


@pytest.mark.parametrize(("metric", "M"), [("l2", 6), ("ip", 5)])
def test_the_index_answers_as_faiss_does(metric: str, M: int) -> None:
    """faiss holds its candidates in a queue of the same size and stops by the same rule: equal but for rounding."""
    index, Q, ids = built(metric, M, "IndexIDMap2")
    import faiss

    ours = from_faiss(index).index()
    for ef in (10, 25, 80):
        faiss.cvar.hnsw_stats.reset()
        _, labels = index.search(Q, 10, params=faiss.SearchParametersHNSW(efSearch=ef))
        hits = ours.search(Q, 10, ef=ef)
        assert (hits.ids == labels).mean() > 0.995, ef
        assert abs(hits.evals.sum() - len(Q) - faiss.cvar.hnsw_stats.ndis) <= 4, "it does not count the entry"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_or_no_rows(tmp_path: Path, n: int) -> None:
    index, _, _ = built(n=n)
    import faiss

    faiss.write_index(index, str(tmp_path / "a.faiss"))
    found = read_faiss(tmp_path / "a.faiss")
    assert len(found) == n and len(found.index()) == n
    assert found.index().search(np.ones(12), k=3).counts == n


def test_other_indexes_are_refused_by_their_names(tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    cases = {
        "IndexFlatL2": faiss.IndexFlatL2(4),
        "IndexHNSWSQ": faiss.IndexHNSWSQ(4, faiss.ScalarQuantizer.QT_fp16, 4),
        "IndexIDMap around IndexFlatL2": faiss.IndexIDMap(faiss.IndexFlatL2(4)),
        "IndexPreTransform": faiss.index_factory(4, "L2norm,HNSW4"),
    }
    for name, index in cases.items():
        with pytest.raises(TypeError, match=f"index is of the type {name}, expected IndexHNSWFlat"):
            from_faiss(index)
        faiss.write_index(index, str(tmp_path / "a.faiss"))
        with pytest.raises(vr.IndexFileError, match=rf"a\.faiss: is of the type {name}, expected"):
            read_faiss(tmp_path / "a.faiss")
    with pytest.raises(TypeError, match="of the type int"):
        from_faiss(3)


def test_damaged_files_are_errors_or_sound_indexes(tmp_path: Path) -> None:
    index, _, _ = built(n=40, around="IndexIDMap2")
    import faiss

    path = tmp_path / "a.faiss"
    faiss.write_index(index, str(path))
    raw, rng, n_found = path.read_bytes(), np.random.default_rng(2), 0
    places = [("cut", length) for length in (40, len(raw) - 1)]
    places += [("changed", at) for at in (8, 45, 85, 160, 300, 400, 1000)]
    for how, at in places:
        damaged = bytearray(raw[:at] if how == "cut" else raw)
        if how == "changed":
            damaged[at] ^= 1 << rng.integers(8)
            damaged[at + 5] = 255
        path.write_bytes(damaged)
        try:
            check_links(read_faiss(path).graph())
        except vr.IndexFileError as error:
            assert str(path) in str(error) and "/project/" not in str(error)
            n_found += 1
    assert n_found >= 6
