"""check() names what is broken, and a damaged file is refused or answers as before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecrecall.errors import CorruptIndexError, IndexFileError
from vecrecall.ivf.index import IVF
from vecrecall.loading import load
from vecrecall.vectors.kmeans import Centroids

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1300, 20)).astype(np.float32)
Q = RNG.normal(size=(10, 20)).astype(np.float32)
Damage = Callable[[IVF], None]
Built = Callable[..., IVF]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An index that may be broken, since each is loaded anew."""
    folder = tmp_path_factory.mktemp("built")

    def of(**parameters: Any) -> IVF:
        path = folder / "-".join(["i", *map(str, parameters.values())])
        if not path.exists():
            index = IVF.build(X[:1200], n_lists=12, **parameters)
            index.add(X[1200:])
            index.save(path)
        return load(path, mmap=False)

    return of


def broken(array: np.ndarray, at: Any, value: Any) -> None:
    array.flags.writeable = True
    array[at] = value


def set_entry(path: str, at: Any, value: Any) -> Damage:
    """Break one number of an array of the content."""

    def damage(index: IVF) -> None:
        array: Any = index._content
        for name in path.split("."):
            array = getattr(array, name)
        broken(array, at, value)

    return damage


def used_place(index: IVF) -> tuple[int, int]:
    return int(index._content.lists.listed[3]), 2


def free_place(index: IVF) -> tuple[int, int]:
    lists = index._content.lists
    number = int(np.flatnonzero(lists.sizes % 32)[0])
    return int(lists.listed[lists.starts[number + 1] - 1]), 31


def set_place(which: Callable[[IVF], tuple[int, int]], name: str, value: float) -> Damage:
    def damage(index: IVF) -> None:
        lists = index._content.lists
        broken(lists.row_of if name == "row_of" else getattr(lists.blocks, name), which(index), value)

    return damage


def one_block_twice(index: IVF) -> None:
    directory = index._content.lists.directory
    broken(directory, 1, directory[0])


def one_row_twice(index: IVF) -> None:
    slots, rows = index._content.lists.rows(0)
    broken(index._content.lists.row_of, divmod(int(slots[0]), 32), rows[1])


def sizes_that_fit_no_blocks(index: IVF) -> None:
    sizes = index._content.lists.sizes
    broken(sizes, slice(0, 2), sizes[:2] + [40, -40])


def one_row_less(index: IVF) -> None:
    sizes = index._content.lists.sizes
    number = int(np.flatnonzero(sizes % 32 > 1)[0])
    broken(sizes, number, sizes[number] - 1)


def fewer_centroids(index: IVF) -> None:
    content = index._content
    index._content = replace(content, centroids=Centroids(content.centroids.values[:-1]))


def fewer_ids(index: IVF) -> None:
    index._ids = index._ids.extended(None, 1)


AXES = [
    (set_entry(f"trained.axes.{name}", 1, np.nan), f"the axes' {name} holds values that are not finite")
    for name in ("low", "inverse_range", "mean", "scale", "offset")
]
DAMAGE = [
    *AXES,
    (set_entry("lists.sizes", 0, 0), "a list has more or fewer blocks than its vectors need"),
    (one_row_less, "the lists hold 1299 vectors, expected 1300"),
    (sizes_that_fit_no_blocks, "a list has more or fewer blocks than its vectors need"),
    (set_entry("lists.starts", 1, 1), "a list has more or fewer blocks than its vectors need"),
    (one_block_twice, "a block stands in two lists"),
    (one_row_twice, "row [0-9]+ is in no list"),
    (set_place(used_place, "row_of", 1300), "a list names a row out of the index"),
    (set_place(used_place, "row_of", -1), "a list names a row out of the index"),
    (set_place(used_place, "addends", np.inf), "a code has an addend or a scale that is not finite"),
    (set_place(used_place, "scales", np.nan), "a code has an addend or a scale that is not finite"),
    (set_place(free_place, "addends", 0), "a place behind the end of a list is not free"),
    (set_place(free_place, "addends", -np.inf), "a place behind the end of a list is not free"),
    (set_entry("lists.directory", 1, 10**6), "a list has a block out of the index"),
    (set_entry("lists.directory", 1, -1), "a list has a block out of the index"),
    (set_entry("trained.shift", 1, np.nan), "a centroid or the shift holds values that are not finite"),
    (set_place(free_place, "row_of", 5), "a place behind the end of a list is not free"),
    (set_entry("centroids.values", (3, 2), np.inf), "a centroid or the shift holds values that are not finite"),
    (fewer_centroids, "there are 11 centroids of 12 lists"),
    (set_entry("kept.values", (3, 2), np.nan), "kept row 3 is not finite"),
    (set_entry("kept.values", (3, 25), 1), "a kept row is not filled up with zeros"),
    (fewer_ids, "there are 1301 ids of 1300 vectors"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGE, ids=[words for _, words in DAMAGE])
@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_check_names_what_is_broken(metric: str, damage: Damage, words: str, built: Built) -> None:
    index = built(metric=metric)
    index.check()
    damage(index)
    with pytest.raises(CorruptIndexError, match=words):
        index.check()


def test_check_sees_an_inverse_length_that_is_none(built: Built) -> None:
    index = built(metric="cosine")
    set_entry("kept.inverse", 1, np.nan)(index)
    with pytest.raises(CorruptIndexError, match="the inverse length of a kept row is not a number"):
        index.check()


@pytest.mark.parametrize("storage", ["sq4", "sq8"])
def test_flipped_bytes_are_refused_or_change_no_answer(storage: str, built: Built, tmp_path: Path) -> None:
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


ROW, PLACE = "a list names a row out of the index", "a place behind the end of a list is not free"
LEADS_ASTRAY = [  # section, what to break, value, words
    ("row_of", "used", 1300, ROW),
    ("row_of", "used", 2**31 - 1, ROW),
    ("row_of", "used", -1, ROW),
    ("row_of", "used", -2, ROW),
    ("row_of", "free", 5, PLACE),
    ("addends", "free", 0, PLACE),
    ("addends", "free", -np.inf, PLACE),
    ("addends", "used", np.nan, "a code has an addend or a scale that is not finite"),
    ("scales", "free", np.inf, PLACE),
    ("sizes", 0, -5, "section 'sizes' does not divide"),
    ("sizes", 0, 10**6, "section 'sizes' does not divide"),
    ("centroids", (3, 2), np.inf, "is not finite"),
    ("curve", (0, 3), 0, "section 'curve' does not hold recall by settings"),
    ("codec_scale", 1, np.nan, "the axes of codes hold values that are not finite"),
    ("codec_offset", 1, np.inf, "the axes of codes hold values that are not finite"),
]


def test_a_file_without_the_curve_is_refused(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = built()
    sections = {name: array for name, array in index._sections().items() if name != "curve"}
    monkeypatch.setattr(index, "_sections", lambda: sections)
    index.save(tmp_path / "i.vr")
    with pytest.raises(IndexFileError, match="the file lacks the curve that settings are chosen by"):
        load(tmp_path / "i.vr", verify=False)


@pytest.mark.parametrize(("name", "where", "value", "words"), LEADS_ASTRAY)
def test_what_would_lead_a_scan_astray_is_refused_without_checksums(
    name: str, where: Any, value: float, words: str, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = built()
    sections = {name: array.copy() for name, array in index._sections().items()}
    taken = sections["row_of"] >= 0
    at = tuple(np.argwhere(taken if where == "used" else ~taken)[0]) if isinstance(where, str) else where
    sections[name][at] = value
    monkeypatch.setattr(index, "_sections", lambda: sections)
    index.save(tmp_path / "i.vr")
    for verify in (False, "header"):
        with pytest.raises(IndexFileError, match=f"{words}.*; restore the file or build the index again"):
            load(tmp_path / "i.vr", verify=verify)


FLOATS = ("addends", "scales", "codec_low", "codec_inverse_range", "codec_mean", "codec_scale", "codec_offset", "rows")


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("name", FLOATS)
def test_numbers_without_meaning_lead_to_rows_of_the_index_or_to_none(
    name: str, metric: str, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (np.nan, np.inf, 3e38):
        loaded = built(metric=metric)
        sections = {section: array.copy() for section, array in loaded._sections().items()}
        sections[name].reshape(-1)[5] = value
        monkeypatch.setattr(loaded, "_sections", lambda sections=sections: sections)
        loaded.save(tmp_path / "j.vr")
        try:
            damaged = load(tmp_path / "j.vr", verify=False)
        except IndexFileError:
            continue
        for queries in (Q, Q[:1]):
            ids = damaged.search(queries, k=20).ids
            assert ((ids >= -1) & (ids < 1300)).all()


def test_a_save_keeps_all_settings_and_the_caller_reads_them(built: Built, tmp_path: Path) -> None:
    index = built(metric="ip", storage="sq8", reduce=9, keep="f32", target_recall=0.8, seed=5)
    index.target_recall = 0.7
    index.save(tmp_path / "i.vr")
    loaded = load(tmp_path / "i.vr")
    assert repr(loaded).splitlines()[0] == repr(index).splitlines()[0]
    assert "recall@10 0.7, sq8 codes of 9 dimensions, rows kept as f32" in repr(loaded)
    assert (loaded.target_recall, loaded.metric, loaded.dim, loaded.n_lists) == (0.7, "ip", 20, 12)
    assert loaded._settings == index._settings and loaded._parameters() == index._parameters()
    assert np.array_equal(loaded.curve, index.curve) and loaded.settings(30) == index.settings(30)
    loaded.save(tmp_path / "j.vr")
    assert (tmp_path / "i.vr").read_bytes() == (tmp_path / "j.vr").read_bytes()


def test_an_empty_and_a_scanned_index_survive_a_file(tmp_path: Path) -> None:
    for keep in ("auto", None):
        for n in (0, 1, 50):
            index = IVF.build(X[:n], metric="cosine", keep=keep)
            index.save(tmp_path / "i.vr")
            loaded = load(tmp_path / "i.vr", verify=True)
            assert len(loaded) == n and loaded.search(Q).ids.tolist() == index.search(Q).ids.tolist()
            loaded.add(X[n:])
            loaded.check()
            assert (loaded.search(X[:50], k=1).ids[:, 0] == np.arange(50)).mean() > 0.95
