"""check() names what is broken, and a damaged file is refused or answers as before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vecrecall.errors import CorruptIndexError, IndexFileError
from vecrecall.hnsw.index import HNSW
from vecrecall.loading import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1300, 20)).astype(np.float32)
Q = RNG.normal(size=(10, 20)).astype(np.float32)


def built(**parameters: object) -> HNSW:
    return HNSW.build(X, M=5, **parameters)


def first_upper(index: HNSW) -> tuple[int, int]:
    """(a node of layer 1, one of the base layer only)."""
    levels = index._content.graph.levels[: len(X)]
    return int(np.flatnonzero(levels == 1)[0]), int(np.flatnonzero(levels == 0)[0])


def set_entry(name: str, at: object, value: object) -> Callable[[HNSW], None]:
    def damage(index: HNSW) -> None:
        getattr(index._content.graph, name)[at] = value

    return damage


def link_to_itself(index: HNSW) -> None:
    index._content.graph.links[7, 0] = 7


def link_twice(index: HNSW) -> None:
    links = index._content.graph.links
    links[7, 0] = links[7, 1]


def link_beyond(index: HNSW) -> None:
    index._content.graph.links[7, 0] = len(X)


def unused_place(index: HNSW) -> None:
    graph = index._content.graph
    row = int(np.flatnonzero(graph.n_upper_links[: graph.n_upper] < 5)[0])
    graph.upper[row, -1] ^= 1


def upper_link_to_a_low_node(index: HNSW) -> None:
    high, low = first_upper(index)
    graph = index._content.graph
    graph.upper[graph.upper_at[high], 0] = low


def upper_link_to_itself(index: HNSW) -> None:
    high, _ = first_upper(index)
    graph = index._content.graph
    graph.upper[graph.upper_at[high], 0] = high


def other_entry(index: HNSW) -> None:
    index._content.graph.entry = first_upper(index)[1]


def unreached(index: HNSW) -> None:
    """All links to one node are turned to where the row has none yet."""
    graph, node = index._content.graph, (index._content.graph.entry + 1) % len(X)
    for row, place in zip(*np.nonzero(graph.links[: len(X)] == node)):
        if row != node:
            present = set(graph.links[row].tolist()) | {int(row)}
            graph.links[row, place] = next(other for other in range(len(X)) if other not in present and other != node)


def kept_not_finite(index: HNSW) -> None:
    index._content.kept.values[3, 2] = np.nan


def kept_behind_the_end(index: HNSW) -> None:
    index._content.kept.values[3, 25] = 1


def codec_not_finite(index: HNSW) -> None:
    index._content.walked.codec.axes.scale[0] = np.inf


def fewer_ids(index: HNSW) -> None:
    index._ids = index._ids.extended(None, 1)


DAMAGE = [
    (link_to_itself, "base layer: a node is linked to itself, first at slot 7"),
    (link_twice, "base layer: a link stands twice, first at slot 7"),
    (link_beyond, "base layer: a link leads out of the index, first at slot 7"),
    (set_entry("links", (9, 0), -1), "base layer: a link leads out of the index, first at slot 9"),
    (unused_place, "upper layers: an unused place does not hold the node itself"),
    (set_entry("n_links", 3, 11), "base layer: a node has more links than it has room for"),
    (set_entry("n_links", 3, -1), "base layer: a node has more links"),
    (set_entry("n_kept", 3, 11), "base layer: a node has more links"),
    (set_entry("n_kept", 3, -1), "base layer: a node has more links"),
    (set_entry("n_upper_links", 0, 6), "upper layers: a node has more links"),
    (upper_link_to_a_low_node, "upper layers: a link leads to a node that does not reach its layer"),
    (upper_link_to_itself, "upper layers: a node is linked to itself"),
    (set_entry("levels", 5, -1), "a node has a negative level"),
    (set_entry("levels", 5, 3), "the rows of the upper layers do not follow the levels"),
    (set_entry("upper_at", 900, 1), "the rows of the upper layers do not follow the levels"),
    (other_entry, "does not stand in the highest layer"),
    (unreached, "the entry does not reach 1 vectors"),
    (kept_not_finite, "kept row 3 is not finite"),
    (kept_behind_the_end, "a kept row is not filled up with zeros"),
    (codec_not_finite, "the codec holds values that are not finite"),
    (fewer_ids, "there are 1301 ids of 1300 vectors"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGE, ids=[words for _, words in DAMAGE])
def test_check_names_what_is_broken(damage: Callable[[HNSW], None], words: str) -> None:
    index = built()
    index.check()
    damage(index)
    with pytest.raises(CorruptIndexError, match=words):
        index.check()


@pytest.mark.parametrize("storage", ["sq4", "f32"])
def test_flipped_bytes_are_refused_or_change_no_answer(storage: str, tmp_path: Path) -> None:
    index = built(storage=storage)
    path = tmp_path / "i.vr"
    index.save(path)
    good, expected = path.read_bytes(), index.search(Q).ids.tolist()
    rng = np.random.default_rng(0)
    n_refused = 0
    for _ in range(120):
        data = bytearray(good)
        data[rng.integers(4000) if rng.random() < 0.3 else rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            loaded = load(path, verify=True)
        except IndexFileError as error:
            assert str(path) in str(error)
            n_refused += 1
        else:
            assert loaded.search(Q).ids.tolist() == expected  # a byte between two sections
    assert n_refused > 60


@pytest.mark.parametrize(
    "damage",
    [d for d in DAMAGE if d[0] in (link_beyond, upper_link_to_a_low_node, other_entry)]
    + [d for d in DAMAGE if d[1].startswith(("base layer: a link leads", "a node has a neg", "the rows of the upper"))],
    ids=lambda damage: damage[1],
)
def test_a_link_that_would_lead_a_walk_astray_is_refused_without_checksums(damage: tuple, tmp_path: Path) -> None:
    index = built()
    damage[0](index)
    index.save(tmp_path / "i.vr")
    for verify in (False, "header"):
        with pytest.raises(IndexFileError, match="restore the file or build the index again"):
            load(tmp_path / "i.vr", verify=verify)


def test_a_save_keeps_all_settings_and_the_caller_reads_them(tmp_path: Path) -> None:
    index = built(metric="ip", storage="sq8", reduce=9, keep="f32", ef=33, ef_construction=41, order="given", seed=5)
    index.ef = 34
    index.save(tmp_path / "i.vr")
    loaded = load(tmp_path / "i.vr")
    assert repr(loaded) == repr(index) and "ef=34" in repr(loaded) and "sq8 codes of 9 dimensions" in repr(loaded)
    assert (loaded.ef, loaded.ef_construction, loaded.metric, loaded.dim) == (34, 41, "ip", 20)
    assert loaded._settings == index._settings and loaded._parameters() == index._parameters()
    loaded.save(tmp_path / "j.vr")
    assert (tmp_path / "i.vr").read_bytes() == (tmp_path / "j.vr").read_bytes()


def test_an_empty_and_a_scanned_index_survive_a_file(tmp_path: Path) -> None:
    for n in (0, 1, 50):
        index = HNSW.build(X[:n], metric="cosine")
        index.save(tmp_path / "i.vr")
        loaded = load(tmp_path / "i.vr", verify=True)
        assert len(loaded) == n and loaded.search(Q).ids.tolist() == index.search(Q).ids.tolist()
        loaded.add(X[n:])
        assert (loaded.search(X[:50], k=1).ids[:, 0] == np.arange(50)).mean() == 1
