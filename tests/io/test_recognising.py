"""The format of a file is told by its content; its name decides only where that leaves several."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

import vecrecall as vr
from tests.io.samples import FILES, SAMPLES, assert_equal
from vecrecall.io import Dataset, read, recognise, write

AMBIGUOUS = {
    "fvecs": "fvecs or ivecs",
    "ivecs": "fvecs or ivecs",
    "fbin": "fbin or ibin",
    "ibin": "fbin or ibin",
    "u8bin": "u8bin or i8bin",
    "i8bin": "u8bin or i8bin",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_with_its_usual_name_is_recognised(tmp_path: Path, name: str) -> None:
    assert recognise(SAMPLES[name].write(tmp_path, name)) == name


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("other", ["noname", "a.bin", "a.data.7"])
def test_a_file_without_a_telling_name_is_recognised_or_refused(tmp_path: Path, name: str, other: str) -> None:
    path = SAMPLES[name].write(tmp_path, name).rename(tmp_path / other)
    if name not in AMBIGUOUS:
        assert recognise(path) == name
        return
    with pytest.raises(vr.DataFileError, match=f"may be {AMBIGUOUS[name]}; name the format with format="):
        vr.io.read(path)
    assert_equal(vr.io.read(path, format=name), SAMPLES[name].data)


@pytest.mark.parametrize("name", ["hdf5", "npy", "npz", "jsonl", "qrels", "run"])
@pytest.mark.parametrize("other", ["a.fbin", "a.csv", "a.fvecs", "a.csr"])
def test_content_with_a_mark_counts_for_more_than_the_name(tmp_path: Path, name: str, other: str) -> None:
    path = SAMPLES[name].write(tmp_path, name).rename(tmp_path / other)
    assert recognise(path) == name


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("fbin", "base.1B.fbin.crop_nb_10000000"),
        ("fvecs", "SIFT_BASE.FVECS"),
        ("ground-truth", "groundtruth.public.100K.ibin"),
        ("ibin", "groundtruth.neighbors.ibin"),
        ("hdf5", "glove-100-angular.h5"),
        ("qrels", "qrels.dev.tsv"),
        ("run", "results.trec"),
    ],
)
def test_names_of_known_sets_are_understood(tmp_path: Path, name: str, called: str) -> None:
    assert recognise(SAMPLES[name].write(tmp_path, name).rename(tmp_path / called)) == name


FOREIGN = {
    "an empty file": (b"", "is empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "of no known format"),
    "zeros": (bytes(1000), "of no known format"),
    "a saved index": (b"VECRECAL" + bytes(64), "open it with vecrecall.load"),
    "prose": (b"It was a dark and stormy night;\n", "text that begins with 'It was"),
    "a table of words": (b"id\ttext\n7\tstorm\n", "text that begins with"),
    "numbers in text": (b"0.5 0.25\n0.1 0.2\n", "text that begins with"),
    "JSON without vectors": (b'{"name": "x"}\n', "JSON with keys name, expected 'id' and 'vector'"),
    "broken JSON": (b'{"id": 7, "vector"\n', "line 1 is not JSON"),
    "a corpus of BEIR": (b'{"_id": "d1", "text": "a cat"}\n', "one file of a BEIR folder"),
    "a packed picture": (gzip.compress(b"\x89PNG" + bytes(range(256))), "of no known format"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_files_are_refused_with_the_way_out(tmp_path: Path, case: str) -> None:
    content, message = FOREIGN[case]
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(vr.DataFileError, match=message) as caught:
        vr.io.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["hdf5", "npy", "fbin", "fvecs", "ground-truth"])
def test_packed_files_of_formats_that_are_mapped_are_to_be_unpacked(tmp_path: Path, name: str) -> None:
    path = SAMPLES[name].write(tmp_path, name)
    packed = tmp_path / f"{path.name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(vr.DataFileError, match="packed by gzip, expected so of csr, jsonl, qrels, run only; unpack"):
        vr.io.read(packed)


def test_a_folder_without_a_corpus_is_refused_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(vr.DataFileError, match=r"neither corpus\.jsonl nor base\.csr.*there is notes\.txt"):
        vr.io.read(tmp_path)


@pytest.mark.parametrize("n", [0x0A31, 0x7B, 0x0A, 0x20, 0x0D0A, 0x23])
def test_counts_that_look_like_letters_do_not_make_a_text(tmp_path: Path, n: int) -> None:
    vr.io.write(tmp_path / "a.fbin", np.ones((n, 1)))
    assert recognise(tmp_path / "a.fbin") == "fbin"
    vr.io.write(tmp_path / "a.bvecs", np.ones((1, n)))
    assert recognise(tmp_path / "a.bvecs") == "bvecs"


def test_a_name_that_the_content_denies_leaves_the_reader_to_say_why(tmp_path: Path) -> None:
    path = tmp_path / "a.fbin"
    path.write_bytes(struct.pack("<II", 2, 4) + bytes(8))  # the size of a u8bin file: torn to a quarter
    with pytest.raises(vr.DataFileError, match="16 bytes, expected 40: the header says 2 rows of 4 values, as fbin"):
        vr.io.read(path)
    path = tmp_path / "a.npy"
    path.write_bytes(struct.pack("<II", 2, 4) + bytes(8))
    with pytest.raises(vr.DataFileError, match="named as npy, but no such file"):
        vr.io.read(path)


def test_a_first_line_longer_than_what_is_looked_at_is_json_all_the_same(tmp_path: Path) -> None:
    words = ", ".join(f'"Ä{i}": {i}' for i in range(1, 9000))
    for cut in range(4):  # wherever the letter of two bytes is cut
        path = tmp_path / "long.jsonl"
        path.write_text(f'{{"id": "{"x" * cut}", "vector": {{{words}}}}}', encoding="utf-8")
        assert path.stat().st_size > 1 << 16 and recognise(path) == "jsonl"
        assert vr.io.read(path).rows.nnz == 8999


def test_a_byte_order_mark_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf\r\n\n{"id": 1, "vector": {"a": 1}}\r\n\n')
    assert recognise(path) == "jsonl" and vr.io.read(path).ids.tolist() == [1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"format": "fvec"}, ValueError, "format is 'fvec', expected one of 'hdf5', 'npy'"),
        ({"vocabulary": {}}, TypeError, "'vocabulary' does not belong to format 'fbin', which has no options"),
        ({"kind": "ibin"}, TypeError, "'kind' does not belong to format 'fbin'"),
        ({"format": "csr", "split": "test"}, TypeError, "which has options dim"),
    ],
)
def test_formats_and_options_that_there_are_not_are_refused(
    tmp_path: Path, call: dict[str, object], error: type[Exception], message: str
) -> None:
    path = SAMPLES["fbin"].write(tmp_path, "fbin")
    with pytest.raises(error, match=message):
        vr.io.read(path, **call)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [35_615, 0x00088B1F])
def test_a_count_that_begins_as_gzip_does_is_a_count(tmp_path: Path, n: int) -> None:
    rows = np.arange(n, dtype=np.uint8)[:, None]
    write(tmp_path / "rows.u8bin", Dataset(rows=rows))
    assert (tmp_path / "rows.u8bin").read_bytes()[:2] == b"\x1f\x8b"
    assert np.array_equal(read(tmp_path / "rows.u8bin").rows, rows)
