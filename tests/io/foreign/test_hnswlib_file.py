"""hnswlib's file: read as it is, written as it was, searched with hnswlib's own answers; damage is an error."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecrecall as vr
from tests.io.foreign.hnswlib_twin import HEADER, Twin, parsed, random_twin
from vecrecall.hnsw.check import check_levels, check_links
from vecrecall.hnsw.graph import MAX_LEVEL, Graph
from vecrecall.io.foreign import HnswlibFile, hnswlib_of, read_hnswlib, write_hnswlib

AT = {
    "offset_level0": 0, "max_elements": 8, "count": 16, "row_bytes": 24, "label_offset": 32, "data_offset": 40,
    "max_level": 48, "entry": 52, "maxM": 56, "maxM0": 64, "M": 72, "mult": 80, "ef": 88,
}  # fmt: skip
ROW = 4 + 4 * 6 + 4 * 4 + 8  # of random_twin(): M=3, four dimensions
FIRST, UPPER = 96, 96 + 60 * ROW


def saved(tmp_path: Path, twin: Twin) -> Path:
    path = tmp_path / "index.bin"
    path.write_bytes(twin.bytes())
    return path


def write_again(file: HnswlibFile, tmp_path: Path) -> bytes:
    write_hnswlib(file, tmp_path / "again.bin")
    return (tmp_path / "again.bin").read_bytes()


def lists_of(graph: Graph) -> list[list[list[int]]]:
    """The layers of all nodes of a graph, as a twin has them."""
    return [
        [
            graph.layer(level)[0][row][: graph.layer(level)[1][row]].tolist()
            for level, row in enumerate([i, *range(graph.upper_at[i], graph.upper_at[i] + graph.levels[i])])
        ]
        for i in range(graph.n)
    ]


TWINS = {
    "plain": random_twin(),
    "odd M, labels, deleted nodes, room": random_twin(
        41, 3, 5, seed=1, labels=list(range(1000, 1041))[::-1], deleted={0, 7, 40}, max_elements=99, ef_construction=17
    ),
    "one dimension, M=2": random_twin(30, 1, 2, seed=2),
    "one node": Twin(np.ones((1, 2), np.float32), [[[]]], labels=[2**63 + 4]),
    "one node above": Twin(np.ones((1, 2), np.float32), [[[], []]]),
    "no node": Twin(np.ones((0, 2), np.float32), [], max_elements=12),
    "higher than graphs of this library": Twin(
        np.eye(3, dtype=np.float32), [[[1, 2]], [[2], *[[2]] * 11], [[1, 0], *[[1]] * 11]], M=2, entry=1
    ),
}


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("name", TWINS)
def test_a_file_is_read_as_it_is_and_written_as_it_was(tmp_path: Path, name: str, mmap: bool) -> None:
    twin = TWINS[name]
    path, n = saved(tmp_path, twin), len(twin.layers)
    file = read_hnswlib(path, space="l2", mmap=mmap)
    assert (len(file), file.dim, file.M, file.metric) == (n, twin.vectors.shape[1], twin.M, "l2")
    assert (file.max_elements, file.ef_construction) == (twin.max_elements or n, twin.ef_construction)
    assert np.array_equal(file.vectors, twin.vectors) and file.vectors.dtype == np.float32
    assert file.labels.tolist() == (twin.labels or list(range(n))) and file.labels.dtype == np.uint64
    assert set(np.flatnonzero(file.deleted)) == twin.deleted
    assert file.lists.levels.tolist() == [len(layers) - 1 for layers in twin.layers]
    assert write_again(file, tmp_path) == path.read_bytes()


@pytest.mark.parametrize("name", TWINS)
def test_the_graph_holds_the_links_in_order(tmp_path: Path, name: str) -> None:
    twin = TWINS[name]
    file = read_hnswlib(saved(tmp_path, twin), space="l2")
    graph = file.graph()
    assert lists_of(graph) == [layers[: MAX_LEVEL + 1] for layers in twin.layers]
    assert np.array_equal(graph.n_kept, graph.n_links) and np.array_equal(graph.n_upper_kept, graph.n_upper_links)
    if graph.n:
        assert graph.entry == twin.entry
        check_levels(graph)
        check_links(graph)  # unused places hold the node itself
    before = file.lists.base.copy()
    graph.links[:] = 0
    assert np.array_equal(file.lists.base, before)


def test_a_link_that_stands_twice_is_taken_once(tmp_path: Path) -> None:
    twin = Twin(np.eye(4, dtype=np.float32), [[[2, 1, 2, 3, 1]], [[0, 0]], [[3]], [[]]])
    graph = read_hnswlib(saved(tmp_path, twin), space="l2").graph()
    assert lists_of(graph) == [[[2, 1, 3]], [[0]], [[3]], [[]]]
    check_links(graph)


@pytest.mark.parametrize("name", [n for n in TWINS if "higher" not in n])
def test_another_graph_is_written_into_a_file(tmp_path: Path, name: str) -> None:
    twin = TWINS[name]
    path = saved(tmp_path, twin)
    file, n = read_hnswlib(path, space="l2"), len(twin.layers)
    other = Twin(twin.vectors, [[[j for j in (i - 1, i + 1) if 0 <= j < n]] for i in range(n)], twin.M)
    if n > 2:  # other levels, another entry
        other.layers[2].append([1])
        other.layers[1] += [[2], []]
        other.entry = 1
    (tmp_path / "other.bin").write_bytes(other.bytes())
    write_hnswlib(file, path, graph=read_hnswlib(tmp_path / "other.bin", space="l2").graph())
    assert write_again(file, tmp_path) == twin.bytes(), "the file that was read is another one still"
    written = read_hnswlib(path, space="l2").lists
    for rows, counts in ((written.base, written.n_base), (written.upper, written.n_upper)):
        assert not rows[np.arange(rows.shape[1]) >= counts[:, None]].any(), "unused places hold 0"
    was, found = parsed(twin.bytes()), parsed(path.read_bytes())
    assert found["layers"] == other.layers
    for kept in ("vectors", "labels", "deleted", "max_elements", "ef_construction", "mult", "M", "n"):
        assert found[kept] == was[kept], kept
    if n:
        assert (found["entry"], found["top"]) == (other.entry, len(other.layers[other.entry]) - 1)


def test_a_graph_that_does_not_fit_the_file_is_refused_and_nothing_written(tmp_path: Path) -> None:
    path = saved(tmp_path, TWINS["plain"])
    raw, file = path.read_bytes(), read_hnswlib(path, space="l2")
    for other in ("one node", "odd M, labels, deleted nodes, room"):
        graph = read_hnswlib(saved(tmp_path, TWINS[other]), space="l2").graph()
        path.write_bytes(raw)
        with pytest.raises(ValueError, match="expected 60 with M=3, as in .*index.bin"):
            write_hnswlib(file, path, graph=graph)
    graph = file.graph()
    graph.links[5, 0] = 60
    with pytest.raises(ValueError, match="leads out of the index"):
        write_hnswlib(file, path, graph=graph)
    assert path.read_bytes() == raw and [p.name for p in tmp_path.iterdir()] == ["index.bin"]


@pytest.mark.parametrize("space", ["l2", "ip", "cosine"])
def test_a_file_is_made_of_vectors_and_a_graph(tmp_path: Path, space: str) -> None:
    twin = random_twin(space=space, labels=list(range(60, 120)), deleted={3})
    (tmp_path / "twin.bin").write_bytes(twin.bytes())
    graph = read_hnswlib(tmp_path / "twin.bin", space=space).graph()
    given = twin.vectors * 3 if space == "cosine" else twin.vectors
    file = hnswlib_of(
        given, graph, space=space, ef_construction=40, labels=twin.labels, deleted=np.arange(60) == 3, max_elements=70
    )
    write_hnswlib(file, tmp_path / "made.bin")
    found, expected = parsed((tmp_path / "made.bin").read_bytes()), parsed(twin.bytes())
    assert np.allclose(found.pop("vectors"), expected.pop("vectors"), atol=1e-6)
    assert found == expected | {"max_elements": 70}


def test_what_makes_no_file_is_refused(tmp_path: Path) -> None:
    twin = random_twin()
    graph = read_hnswlib(saved(tmp_path, twin), space="l2").graph()
    make = {"space": "l2", "ef_construction": 40}
    for changed, error, words in (
        ({"labels": ["a"] * 60}, TypeError, "expected integers"),
        ({"labels": np.arange(60) - 1}, ValueError, "-1, expected none below 0"),
        ({"labels": [3] * 60}, ValueError, "3 is the label of two"),
        ({"labels": [3]}, ValueError, "one label a vector"),
        ({"deleted": [True]}, ValueError, "one mark a vector"),
        ({"max_elements": 59}, ValueError, "max_elements is 59"),
        ({"space": "euclid"}, ValueError, "space is 'euclid'"),
    ):
        with pytest.raises(error, match=words):
            hnswlib_of(twin.vectors, graph, **make | changed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="60 nodes with 6 links, expected 59"):
        hnswlib_of(twin.vectors[:59], graph, **make)  # type: ignore[arg-type]


@pytest.mark.parametrize("space", ["l2", "cosine"])
def test_the_index_answers_by_labels(tmp_path: Path, space: str) -> None:
    labels = (np.arange(60) * 7 + 5).tolist()
    twin = random_twin(space=space, labels=labels, deleted={4})
    file = read_hnswlib(saved(tmp_path, twin), space=space)
    index = file.index()
    assert index.metric == space and index.ef_construction == 40
    assert index.search(twin.vectors, k=1, ef=60).ids[:, 0].tolist() == labels
    assert file.index(numbered=True).search(twin.vectors[9], k=1, ef=60).ids.tolist() == [9]
    assert read_hnswlib(saved(tmp_path, random_twin()), space="l2").ids is None


def test_labels_that_cannot_be_ids_are_refused_by_the_index_alone(tmp_path: Path) -> None:
    negative = random_twin(3, labels=[4, 2**64 - 2, 9])
    assert read_hnswlib(saved(tmp_path, negative), space="l2").ids.tolist() == [4, -2, 9]  # type: ignore[union-attr]
    minus_one = read_hnswlib(saved(tmp_path, random_twin(3, labels=[4, 2**64 - 1, 9])), space="l2")
    with pytest.raises(ValueError, match=r"index\.bin: the label of node 1 is -1.*numbered=True"):
        minus_one.index()
    assert len(minus_one.index(numbered=True)) == 3


def test_an_empty_index_becomes_one(tmp_path: Path) -> None:
    index = read_hnswlib(saved(tmp_path, TWINS["no node"]), space="ip").index()
    assert len(index) == 0 and index.search([1, 2], k=2).counts == 0


def test_another_dimension_or_space_is_not_called_damage(tmp_path: Path) -> None:
    path = saved(tmp_path, random_twin())
    assert read_hnswlib(path, space="ip", dim=4).dim == 4
    with pytest.raises(vr.IndexFileError, match=r"dim is 5, but .* have 4 dimensions; give dim=4") as caught:
        read_hnswlib(path, space="l2", dim=5)
    assert "damaged" not in str(caught.value)
    with pytest.raises(vr.IndexFileError, match=r"node 0 has length .*, expected 1.*'ip' or 'l2'") as caught:
        read_hnswlib(path, space="cosine")
    assert "damaged" not in str(caught.value)
    zero = random_twin(space="cosine")
    zero.vectors[7] = 0  # as hnswlib keeps a zero vector
    assert not read_hnswlib(saved(tmp_path, zero), space="cosine").vectors[7].any()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"space": "euclid"}, ValueError, "'l2', 'ip', 'cosine'"),
        ({"space": "l2", "dim": 0}, ValueError, "dim is 0"),
        ({"space": "l2", "dim": "4"}, TypeError, "dim is '4'"),
        ({"space": "l2", "mmap": 1}, TypeError, "mmap is 1"),
    ],
)
def test_odd_arguments_are_refused(tmp_path: Path, arguments: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        read_hnswlib(saved(tmp_path, TWINS["one node"]), **arguments)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_hnswlib(tmp_path / "none.bin", space="l2")
    with pytest.raises(OSError):
        read_hnswlib(tmp_path, space="l2")


DAMAGED = {
    "offset of level 0": (AT["offset_level0"], "<Q", 8, "links start at 8"),
    "room for fewer": (AT["max_elements"], "<Q", 59, "room for 59"),
    "room for the most": (AT["max_elements"], "<Q", 2**64 - 1, "at most 2"),
    "one row too many": (AT["count"], "<Q", 61, "room for 60"),
    "rows of no bytes": (AT["row_bytes"], "<Q", 0, "rows of 0 bytes"),
    "rows of the most bytes": (AT["row_bytes"], "<Q", 2**64 - 1, "rows of"),
    "a row without a vector": (AT["label_offset"], "<Q", 28, "the label at 28"),
    "vectors elsewhere": (AT["data_offset"], "<Q", 32, "vectors at 32"),
    "entry beyond": (AT["entry"], "<I", 60, "entry is node 60"),
    "no entry": (AT["entry"], "<I", 2**32 - 1, "entry is node -1"),
    "entry on another layer": (AT["entry"], "<I", 0, "the entry, node 0, stands on layer"),
    "another top": (AT["max_level"], "<i", 2, "expected both on 2"),
    "M of 0": (AT["M"], "<Q", 0, "M is 0"),
    "M of 1": (AT["maxM"], "<Q", 1, "maxM 1"),
    "the most links": (AT["maxM0"], "<Q", 2**64 - 1, "maxM0 18446744073709551615"),
    "mult NaN": (AT["mult"], "<d", float("nan"), "mult is nan"),
    "mult below 0": (AT["mult"], "<d", -1.0, "mult is -1"),
    "ef_construction of the most": (AT["ef"], "<Q", 2**63, "ef_construction is"),
    "too many links": (FIRST, "<H", 7, "base layer: node 0 has 7 neighbours, expected at most 6"),
    "an unknown mark": (FIRST + 2, "<B", 2, "marks that hnswlib does not know"),
    "a link beyond": (FIRST + 4, "<I", 60, "base layer: node 0 is linked to 60, expected a node below 60"),
    "a link far beyond": (FIRST + 4, "<I", 2**32 - 1, "linked to 4294967295"),
    "a link to itself": (FIRST + ROW + 4, "<I", 1, "node 1 is linked to 1, the node itself"),
    "a vector that is NaN": (FIRST + 28, "<f", float("nan"), "vector of node 0 holds NaN"),
    "a vector that is infinite": (FIRST + ROW + 28, "<f", float("inf"), "vector of node 1 holds NaN, inf"),
    "a vector that is too long": (FIRST + ROW + 28, "<f", 3e38, "vector of node 1"),
    "a label twice": (FIRST + ROW - 8, "<Q", 31, "31 is the label of two nodes"),
    "upper layers that go on": (UPPER, "<I", 2**32 - 4, "torn: the upper layers end before those of node 1"),
    "upper layers of odd size": (UPPER, "<I", 18, "upper layers"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named(tmp_path: Path, name: str) -> None:
    at, kind, value, words = DAMAGED[name]
    path = saved(tmp_path, random_twin(max_elements=60))
    raw = bytearray(path.read_bytes())
    struct.pack_into(kind, raw, at, value)
    path.write_bytes(raw)
    with pytest.raises(vr.IndexFileError, match=rf"index\.bin: .*{words}.*damaged, or not of hnswlib"):
        read_hnswlib(path, space="l2")


def test_a_link_to_a_node_that_does_not_stand_so_high_is_damage(tmp_path: Path) -> None:
    twin = random_twin()
    low = next(i for i, layers in enumerate(twin.layers) if len(layers) == 1)
    twin.layers[twin.entry][1] = [low]
    with pytest.raises(vr.IndexFileError, match=f"upper layers: node 30 is linked to {low}, which does not stand so"):
        read_hnswlib(saved(tmp_path, twin), space="l2")


def test_vectors_of_another_type_are_refused(tmp_path: Path) -> None:
    raw = bytearray(Twin(np.zeros((0, 2), np.float32), []).bytes())
    struct.pack_into("<QQ", raw, AT["row_bytes"], 4 + 24 + 6 + 8, 4 + 24 + 6)
    (tmp_path / "bytes.bin").write_bytes(raw)
    with pytest.raises(vr.IndexFileError, match="a vector has 6 bytes, expected 4 a dimension"):
        read_hnswlib(tmp_path / "bytes.bin", space="l2")


def test_every_truncation_is_an_error(tmp_path: Path) -> None:
    path = saved(tmp_path, random_twin(20))
    raw = path.read_bytes()
    for length in [*range(0, len(raw), 11), *range(len(raw) - 9, len(raw))]:
        path.write_bytes(raw[:length])
        with pytest.raises(vr.IndexFileError, match=r"index\.bin: "):
            read_hnswlib(path, space="l2")
    path.write_bytes(raw + bytes(4))
    with pytest.raises(vr.IndexFileError, match="upper layers take"):
        read_hnswlib(path, space="l2")


def test_what_a_file_claims_is_not_allocated(tmp_path: Path) -> None:
    header = list(struct.unpack(HEADER, random_twin().bytes()[:96]))
    path = tmp_path / "hostile.bin"
    for n, M, dim in ((2**40, 3, 4), (2**62, 10_000, 2**60), (2**31, 3, 1), (60, 10_000, 2**40)):
        header[1:6] = 2**32, n, 4 + 8 * M + 4 * dim + 8, 4 + 8 * M + 4 * dim, 4 + 8 * M
        header[8:11] = M, 2 * M, M
        header[1:6] = [min(value, 2**64 - 1) for value in header[1:6]]
        path.write_bytes(struct.pack(HEADER, *header) + bytes(4000))
        tracemalloc.start()
        with pytest.raises(vr.IndexFileError, match=r"hostile\.bin: "):
            read_hnswlib(path, space="l2")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


@pytest.mark.parametrize("space", ["l2", "cosine"])
def test_damage_is_found_or_leaves_a_sound_index(tmp_path: Path, space: str) -> None:
    path = saved(tmp_path, random_twin(space=space))
    raw, rng, n_found = path.read_bytes(), np.random.default_rng(5), 0
    for i in range(300):
        damaged = bytearray(raw)
        at = rng.integers(0, 96 if i % 3 == 0 else len(raw), rng.integers(1, 4))
        for place in at:
            damaged[place] = rng.choice([0, 1, 127, 128, 255, damaged[place] ^ 1 << rng.integers(8)])
        path.write_bytes(damaged)
        try:
            file = read_hnswlib(path, space=space)
        except vr.IndexFileError as error:
            assert str(path) in str(error)
            n_found += 1
            continue
        assert write_again(file, tmp_path) == damaged
        graph = file.graph()
        check_levels(graph)
        check_links(graph)
        if i % 30 == 0:
            assert len(file.index().search(file.vectors[:2], k=3, ef=8).ids) == 2
    assert n_found > 130


# ----------------------------------------------------------------------- beside hnswlib itself


def hnswlib_index(space: str, M: int, kind: str = "plain") -> tuple[Any, np.ndarray]:
    hnswlib = pytest.importorskip("hnswlib")
    rng = np.random.default_rng(M)
    X = rng.standard_normal((500, 12)).astype(np.float32)
    index = hnswlib.Index(space, 12)
    index.init_index(500, M=M, ef_construction=30, allow_replace_deleted=kind == "replaced")
    index.add_items(X, rng.permutation(2000)[:500], num_threads=1)
    if kind != "plain":
        gone = rng.choice(index.get_ids_list(), 60, replace=False)
        for label in gone:
            index.mark_deleted(int(label))
    if kind == "replaced":
        index.add_items(X[:40] + 1, np.arange(5000, 5040), replace_deleted=True, num_threads=1)
    if kind == "resized":
        index.resize_index(900)
        index.add_items(X[:50] - 1, np.arange(5000, 5050), num_threads=1)
    return index, rng.standard_normal((40, 12)).astype(np.float32)


@pytest.mark.parametrize(
    ("space", "M", "kind"),
    [("l2", 5, "plain"), ("ip", 8, "plain"), ("cosine", 7, "plain"), ("l2", 4, "replaced"), ("cosine", 5, "resized"),
     ("ip", 6, "deleted")],
)  # fmt: skip
def test_a_graph_written_back_answers_in_hnswlib_as_before(tmp_path: Path, space: str, M: int, kind: str) -> None:
    index, Q = hnswlib_index(space, M, kind)
    path = tmp_path / "index.bin"
    index.save_index(str(path))
    file = read_hnswlib(path, space=space, dim=12)
    assert (file.M, file.ef_construction, file.max_elements) == (M, 30, index.max_elements)
    assert set(file.labels.tolist()) == set(index.get_ids_list()) and len(file) == index.element_count
    assert int(file.deleted.sum()) == {"plain": 0, "deleted": 60, "replaced": 20, "resized": 60}[kind]
    for label in file.labels[file.deleted]:
        with pytest.raises(RuntimeError, match="already deleted"):
            index.mark_deleted(int(label))
    assert write_again(file, tmp_path) == path.read_bytes()
    write_hnswlib(file, tmp_path / "written.bin", graph=file.graph())
    import hnswlib

    written = hnswlib.Index(space, 12)
    written.load_index(str(tmp_path / "written.bin"))
    for ef in (10, 25, 80):
        index.set_ef(ef), written.set_ef(ef)
        for before, after in zip(index.knn_query(Q, 10, num_threads=1), written.knn_query(Q, 10, num_threads=1)):
            assert np.array_equal(before, after)


@pytest.mark.parametrize(("space", "M"), [("l2", 5), ("ip", 8), ("cosine", 7)])
def test_the_index_answers_as_hnswlib_does(tmp_path: Path, space: str, M: int) -> None:
    index, Q = hnswlib_index(space, M)
    index.save_index(str(tmp_path / "index.bin"))
    ours = read_hnswlib(tmp_path / "index.bin", space=space).index()
    for ef in (10, 25, 80):
        index.set_ef(ef)
        labels, _ = index.knn_query(Q, 10, num_threads=1)
        assert (ours.search(Q, 10, ef=ef).ids == labels).mean() > 0.995, ef  # 1.0 but for sums that round otherwise


def test_a_mended_graph_loads_in_hnswlib_and_searches(tmp_path: Path) -> None:
    hnswlib = pytest.importorskip("hnswlib")
    index, Q = hnswlib_index("l2", 6)
    index.save_index(str(tmp_path / "index.bin"))
    file = read_hnswlib(tmp_path / "index.bin", space="l2")
    built = vr.HNSW.build(file.vectors, M=6, storage="f32", schedule="sequential", ef_construction=60, seed=3)
    write_hnswlib(file, tmp_path / "built.bin", graph=built._content.graph)  # other links, levels and entry
    loaded = hnswlib.Index("l2", 12)
    loaded.load_index(str(tmp_path / "built.bin"))
    loaded.set_ef(500)
    labels, _ = loaded.knn_query(Q, 10, num_threads=1)
    truth = vr.Exact.build(file.vectors, ids=file.labels.astype(np.int64)).search(Q, 10)
    assert np.array_equal(labels, truth.ids)
    loaded.resize_index(600)
    loaded.add_items(Q, np.arange(9000, 9040))  # hnswlib goes on with it
    assert loaded.knn_query(Q, 1)[0][:, 0].tolist() == list(range(9000, 9040))
