"""The file: what is kept, what is refused, and that a mapped index lives on without touching it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from vecrecall.errors import IndexFileError
from vecrecall.loading import load
from vecrecall.sparse.index import SparseIndex

Rows = Callable[..., sp.csr_array]
Built = Callable[..., SparseIndex]
KINDS: dict[str, dict[str, Any]] = {"positive": {}, "signed": {"signed": True}, "equal": {"equal": 2.0}}
BUILDS: list[dict[str, Any]] = [
    {}, {"keep": "f32"}, {"layout": "impact"}, {"layout": "blocked", "block_size": 4, "summary_energy": 0.8},
    {"alpha": 0.7, "n_postings": 50, "seed": 9},
]  # fmt: skip


@pytest.fixture(scope="module")
def D(rows: Rows) -> sp.csr_array:
    return rows(700, 30, 6)


@pytest.fixture(scope="module")
def Q(rows: Rows) -> sp.csr_array:
    return rows(12, 30, 5, seed=1)


@pytest.fixture(scope="module")
def built(D: sp.csr_array, rows: Rows) -> Built:
    """An index of two segments with some documents deleted."""

    def of(kind: str = "positive", columns: int = 30, **parameters: Any) -> SparseIndex:
        rows_of = D if kind == "positive" and columns == 30 else rows(700, columns, 6, **KINDS[kind])
        index = SparseIndex.build(rows_of[:600], **parameters)
        index.add(rows_of[600:])
        index.delete([3, 4, 650])
        return index

    return of


@pytest.mark.parametrize("build", BUILDS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [30, 2**31])
def test_a_save_keeps_everything(
    columns: int, kind: str, build: dict, rows: Rows, built: Built, tmp_path: Path, same: Callable
) -> None:
    Q = rows(12, columns, 5, seed=1)
    index = built(kind, columns, **build)
    index.save(tmp_path / "i.vr")
    for mmap in (True, False):
        for verify in (True, "header", False):
            loaded = load(tmp_path / "i.vr", mmap=mmap, verify=verify)
            assert type(loaded) is SparseIndex and repr(loaded).splitlines()[0] == repr(index).splitlines()[0]
            assert (len(loaded), loaded.dim, loaded.metric, loaded.layout) == (697, columns, "ip", index.layout)
            assert loaded.n_segments == 2 and loaded.nnz == index.nnz
            assert loaded._parameters() == index._parameters()
            for settings in ({}, {"exact": True}, {"query_cut": 2, "k": 700}):
                assert same(loaded.search(Q, **settings), index.search(Q, **settings))
            loaded.save(tmp_path / "j.vr")
            assert (tmp_path / "i.vr").read_bytes() == (tmp_path / "j.vr").read_bytes()


@pytest.mark.parametrize("n", [0, 1, 50])
def test_small_and_empty_indexes_survive_a_file(n: int, D: sp.csr_array, Q: sp.csr_array, tmp_path: Path) -> None:
    for layout in ("impact", "blocked"):
        index = SparseIndex.build(D[:n], layout=layout)
        index.save(tmp_path / "i.vr")
        loaded = load(tmp_path / "i.vr", verify=True)
        assert len(loaded) == n and loaded.search(Q).ids.tolist() == index.search(Q).ids.tolist()
        loaded.add(D[n:])
        loaded.check()
        whole = SparseIndex.build(D, layout=layout)
        assert loaded.search(Q, exact=True).ids.tolist() == whole.search(Q, exact=True).ids.tolist()


@pytest.mark.parametrize("layout", ["impact", "blocked"])
@pytest.mark.parametrize("mmap", [True, False])
def test_a_loaded_index_takes_every_change_and_its_file_stays(
    mmap: bool, layout: str, built: Built, rows: Rows, Q: sp.csr_array, tmp_path: Path, same: Callable
) -> None:
    index, more = built(layout=layout), rows(400, 30, 6, seed=5)
    index.save(tmp_path / "i.vr")
    before = (tmp_path / "i.vr").read_bytes()
    loaded = load(tmp_path / "i.vr", mmap=mmap)
    for one in (index, loaded):
        one.delete([1, 2, 680])
        one.check()
        one.add(more)
        one.check()
        one.delete([700, 5])
        one.check()
    assert same(loaded.search(Q), index.search(Q)) and same(loaded.search(Q, exact=True), index.search(Q, exact=True))
    for one in (index, loaded):
        one.compact()
        one.check()
    assert same(loaded.search(Q), index.search(Q))
    assert (tmp_path / "i.vr").read_bytes() == before
    loaded.save(tmp_path / "i.vr")  # over the file that is mapped
    assert same(load(tmp_path / "i.vr", verify=True).search(Q), index.search(Q))
    assert same(loaded.search(Q), index.search(Q))


@pytest.mark.parametrize("layout", ["impact", "blocked"])
@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes_are_refused_or_change_no_answer(
    kind: str, layout: str, built: Built, Q: sp.csr_array, tmp_path: Path
) -> None:
    index = built(kind, layout=layout)
    path = tmp_path / "i.vr"
    index.save(path)
    good, expected = path.read_bytes(), index.search(Q).ids.tolist()
    rng = np.random.default_rng(0)
    n_refused = 0
    for _ in range(60):
        data = bytearray(good)
        data[rng.integers(3000) if rng.random() < 0.3 else rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            loaded = load(path, verify=True)
        except IndexFileError as error:
            assert str(path) in str(error)
            n_refused += 1
        else:
            assert loaded.search(Q).ids.tolist() == expected  # a byte between two sections
    assert n_refused > 45


def test_a_file_cut_short_is_refused(built: Built, tmp_path: Path) -> None:
    path = tmp_path / "i.vr"
    built().save(path)
    good = path.read_bytes()
    for length in (0, 7, 20, 500, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        for mmap in (True, False):
            with pytest.raises(IndexFileError, match=f"{path.name}: "):
                load(path, mmap=mmap)


Change = Callable[[dict[str, np.ndarray]], None]


def put(name: str, at: Any, value: Any) -> Change:
    def change(sections: dict[str, np.ndarray]) -> None:
        sections[name][at] = value

    return change


def recast(name: str, array: Callable[[np.ndarray], np.ndarray]) -> Change:
    def change(sections: dict[str, np.ndarray]) -> None:
        sections[name] = array(sections[name])

    return change


def drop(name: str) -> Change:
    def change(sections: dict[str, np.ndarray]) -> None:
        del sections[name]

    return change


BLOCKED, F32, WIDE, EQUAL = {"layout": "blocked"}, {"keep": "f32"}, {"columns": 2**31}, {"kind": "equal"}
LEADS_ASTRAY: list[tuple[dict[str, Any], Change, str]] = [
    ({}, put("0_lengths", 5, 2**31), "section '0_residuals' is uint16"),
    ({}, put("0_lengths", slice(5, 15), 0), "section '0_residuals' is uint16"),
    ({}, recast("0_lengths", lambda a: a[:-1]), r"section '0_lengths' is uint32 \(599,\), expected uint32 \(600,\)"),
    ({}, recast("0_lengths", lambda a: a.astype(np.int32)), "section '0_lengths' is int32"),
    ({}, drop("0_lengths"), "section '0_lengths' is missing"),
    ({}, drop("1_lengths"), "section '1_lengths' is missing"),
    (EQUAL, put("0_lengths", 5, 2**30), "section '0_entries' is uint8"),
    ({}, drop("0_entries"), "section '0_entries' is missing, expected uint8"),
    ({}, recast("0_entries", lambda a: a[:-1]), r"section '0_entries' is uint8 \(\d+,\), expected uint8"),
    ({}, put("0_entries", slice(0, 40), 255), "section '0_entries' names a column out of range"),
    (EQUAL, put("0_entries", slice(0, 2), [30, 0]), "section '0_entries' names a column out of range"),
    (BLOCKED, put("1_entries", slice(0, 40), 255), "section '1_entries' names a column out of range"),
    (WIDE, put("0_entries", slice(0, 40), 255), "section '0_entries' names a column out of range"),
    (WIDE, put("0_terms", 0, -1), f"section '0_terms' does not hold ascending columns below {2**31}"),
    (WIDE, put("0_terms", 3, 0), "section '0_terms' does not hold ascending columns below"),
    (WIDE, recast("0_terms", lambda a: a[:-1]), "section '0_entries' names a column out of range"),
    (WIDE, recast("0_terms", lambda a: a.astype(np.int64)), "section '0_terms' is int64"),
    (WIDE, drop("0_terms"), "section '0_entries' is uint8"),
    ({}, put("0_exponents", 5, 1001), "section '0_exponents' holds an exponent beyond -1000 to 128"),
    ({}, put("0_exponents", 5, -1001), "section '0_exponents' holds an exponent beyond -1000 to 128"),
    ({}, put("0_exponents", slice(None), 129), "section '0_exponents' holds an exponent beyond"),
    ({}, drop("0_exponents"), "section '0_exponents' is missing"),
    ({}, recast("0_residuals", lambda a: a[:-1]), "section '0_residuals' is uint16"),
    ({}, recast("0_residuals", lambda a: a.astype(np.float64)), "section '0_residuals' is float64"),
    ({}, drop("0_residuals"), "the weight of segment 0 is 0.0, and signed False"),
    (F32, put("0_residuals", 5, 0x7F800000), "the weights of segment 0 are not finite"),
    (F32, put("0_residuals", 5, 0x7FC00000), "the weights of segment 0 are not finite"),
    (F32, put("0_residuals", 5, 0xBF800000), "not positive where they are said to be"),
    (F32, put("0_residuals", 5, 0), "not positive where they are said to be"),
    (BLOCKED, put("0_slots", 5, 600), "section '0_slots' does not hold every document once"),
    (BLOCKED, put("0_slots", 5, -1), "section '0_slots' does not hold every document once"),
    (BLOCKED, put("0_slots", slice(0, 2), 7), "section '0_slots' does not hold every document once"),
    (BLOCKED, recast("0_slots", lambda a: a[:-1]), r"section '0_slots' is int32 \(599,\), expected int32 \(600,\)"),
    ({}, put("0_dead", 5, 2), "section '0_dead' holds other values than 0 and 1"),
    ({}, recast("0_dead", lambda a: a[:-1]), r"section '0_dead' is uint8 \(599,\), expected uint8 \(600,\)"),
]


@pytest.mark.parametrize(("build", "change", "words"), LEADS_ASTRAY, ids=[words for *_, words in LEADS_ASTRAY])
def test_sections_that_would_lead_a_search_astray_are_refused_without_checksums(
    build: dict, change: Change, words: str, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = built(**build)
    sections = {name: array.copy() for name, array in index._sections().items()}
    change(sections)
    monkeypatch.setattr(index, "_sections", lambda: sections)
    index.save(tmp_path / "i.vr")
    for verify in (False, "header", True):
        for mmap in (True, False):
            with pytest.raises(IndexFileError, match=f"i.vr: .*{words}.*; restore the file or build the index again"):
                load(tmp_path / "i.vr", mmap=mmap, verify=verify)


def test_what_only_check_can_see_is_refused_by_verify(
    built: Built, Q: sp.csr_array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = built(kind="equal")
    sections = {name: array.copy() for name, array in index._sections().items()}
    row = int(np.flatnonzero(sections["0_lengths"] > 1)[0])
    at = 2 * int(sections["0_lengths"][:row].sum())
    sections["0_entries"][at : at + 4] = np.roll(sections["0_entries"][at : at + 4], 2)
    monkeypatch.setattr(index, "_sections", lambda: sections)
    index.save(tmp_path / "i.vr")
    with pytest.raises(IndexFileError, match="i.vr: the columns of a row do not ascend; restore the file"):
        load(tmp_path / "i.vr", verify=True)
    ids = load(tmp_path / "i.vr", verify=False).search(Q, k=700).ids
    assert ((ids >= -1) & (ids < 700)).all()


ABOUT = [
    ({"n": 599}, "section '0_lengths' is"),
    ({"n": 0}, "segment 0 is described by"),
    ({"n": 600.0}, "segment 0 is described by"),
    ({"n": 2**31}, "segment 0 is described by"),
    ({"block": 0}, "segment 0 is described by"),
    ({"block": -8}, "segment 0 is described by"),
    ({"block": True}, "segment 0 is described by"),
    ({"signed": 1}, "segment 0 is described by"),
    ({"weight": None}, "segment 0 is described by"),
    ({"weight": "1"}, "segment 0 is described by"),
]


@pytest.mark.parametrize(("change", "words"), ABOUT, ids=str)
def test_a_segment_that_is_described_wrongly_is_refused(
    change: dict, words: str, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = built()
    parameters = index._parameters()
    parameters["segments"][0] |= change
    monkeypatch.setattr(index, "_parameters", lambda: parameters)
    index.save(tmp_path / "i.vr")
    with pytest.raises(IndexFileError, match=f"i.vr: .*{words}"):
        load(tmp_path / "i.vr")


@pytest.mark.parametrize(
    ("weight", "signed"), [(2.0, True), (-2.0, False), (0.0, False)], ids=["signed", "negative", "zero"]
)
def test_the_weight_that_all_have_must_fit_its_sign(
    weight: float, signed: bool, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = built(kind="equal")
    parameters = index._parameters()
    parameters["segments"][0] |= {"weight": weight, "signed": signed}
    monkeypatch.setattr(index, "_parameters", lambda: parameters)
    index.save(tmp_path / "i.vr")
    with pytest.raises(IndexFileError, match=f"the weight of segment 0 is {weight}, and signed {signed}"):
        load(tmp_path / "i.vr")


WRONG_PARAMETERS = [
    ({"layout": "flat"}, "layout is 'flat'"),
    ({"keep": "f16"}, "keep is 'f16'"),
    ({"alpha": 0}, "alpha is 0"),
    ({"alpha": "x"}, "alpha is 'x'"),
    ({"n_postings": -1}, "n_postings is -1"),
    ({"seed": -4}, "seed is -4"),
    ({"seed": None}, "seed is None"),
]


@pytest.mark.parametrize(("change", "words"), WRONG_PARAMETERS, ids=str)
def test_parameters_that_cannot_be_are_refused(
    change: dict, words: str, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = built()
    parameters = index._parameters()
    parameters["sparse"] |= change
    monkeypatch.setattr(index, "_parameters", lambda: parameters)
    index.save(tmp_path / "i.vr")
    with pytest.raises(IndexFileError, match=f"i.vr: {words}"):
        load(tmp_path / "i.vr")


@pytest.mark.parametrize("missing", ["sparse", "segments", "keep", "alpha"])
def test_parameters_that_are_missing_are_refused(
    missing: str, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = built()
    parameters = index._parameters()
    (parameters if missing in parameters else parameters["sparse"]).pop(missing)
    monkeypatch.setattr(index, "_parameters", lambda: parameters)
    index.save(tmp_path / "i.vr")
    with pytest.raises(IndexFileError, match="i.vr: "):
        load(tmp_path / "i.vr")


@pytest.mark.parametrize(("counts", "words"), [
    ({"segments": 1}, "the file tells of 2 segments, expected 1"),
    ({"segments": 3}, "the file tells of 2 segments, expected 3"),
    ({"n": 701}, "the segments hold 700 documents, expected 701"),
])  # fmt: skip
def test_counts_that_do_not_agree_are_refused(
    counts: dict, words: str, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = built()
    monkeypatch.setattr(index, "_counts", lambda: {"segments": 2} | counts)
    index.save(tmp_path / "i.vr")
    with pytest.raises(IndexFileError, match=f"i.vr: {words}"):
        load(tmp_path / "i.vr")


def test_a_save_that_fails_leaves_the_old_file(
    built: Built, D: sp.csr_array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "i.vr"
    index = built()
    index.save(path)
    before = path.read_bytes()
    index.add(D[:50])
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="the disk is full"):
        index.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["i.vr"]
