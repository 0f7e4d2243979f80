"""Torn, damaged and hostile files are errors that name the path; nothing is allocated by what a file claims."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import vecrecall as vr
from tests.io.samples import FILES, MARKLESS, SAMPLES, SPARSE

BINARY = [*MARKLESS, "npy", "npz"]


@pytest.mark.parametrize("name", BINARY)
def test_every_truncation_is_an_error(tmp_path: Path, name: str) -> None:
    raw = SAMPLES[name].write(tmp_path, name).read_bytes()
    torn = tmp_path / f"torn{os.path.splitext(SAMPLES[name].name)[1]}"
    row = {"fvecs": 16, "ivecs": 12, "bvecs": 7}.get(name, len(raw))  # vecs do not say how many rows there are
    for length in range(len(raw)):
        torn.write_bytes(raw[:length])
        for format in (name, None):
            if length and length % row == 0:
                assert len(next(iter(vr.io.read(torn, format=format).parts().values()))) == length // row
                continue
            with pytest.raises(vr.DataFileError, match=r"torn\."):
                vr.io.read(torn, format=format)


@pytest.mark.parametrize("name", BINARY)
def test_bytes_after_the_end_are_an_error(tmp_path: Path, name: str) -> None:
    path = SAMPLES[name].write(tmp_path, name)
    path.write_bytes(path.read_bytes() + b"\0")
    if name != "npz":  # an archive ends with its table of contents
        with pytest.raises(vr.DataFileError, match="expected"):
            vr.io.read(path, format=name)


@pytest.mark.parametrize("name", ["csr", "jsonl", "qrels", "run"])
def test_torn_gzip_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{SAMPLES[name].name}.gz"
    vr.io.write(path, SAMPLES[name].data)
    raw = path.read_bytes()
    for length in range(3, len(raw)):
        path.write_bytes(raw[:length])
        for format in (name, None):
            with pytest.raises(vr.DataFileError, match=r"\.gz: "):
                vr.io.read(path, format=format)


@pytest.mark.parametrize("name", [n for n in FILES if n != "hdf5"])
def test_damage_is_found_or_leaves_readable_data(tmp_path: Path, name: str) -> None:
    path = SAMPLES[name].write(tmp_path, name)
    raw = path.read_bytes()
    rng = np.random.default_rng(3)
    n_found = 0
    for _ in range(400):
        damaged = bytearray(raw)
        for at in rng.integers(0, min(len(raw), 256), rng.integers(1, 4)):
            damaged[at] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
        path.write_bytes(damaged)
        try:
            for part in vr.io.read(path, format=name).parts().values():
                assert part is not None and repr(part)
        except vr.DataFileError as error:
            assert str(path) in str(error)
            n_found += 1
    assert n_found > 20


DAMAGED_HDF5 = """
import sys
import numpy as np
import vecrecall as vr

path, seed = sys.argv[1], int(sys.argv[2])
raw = open(path, "rb").read()
places = np.flatnonzero(np.frombuffer(raw, np.uint8))  # where the descriptions are
rng = np.random.default_rng(seed)
n_found = 0
for _ in range(400):
    damaged = bytearray(raw)
    for at in rng.choice(places[8:], rng.integers(1, 4)):
        damaged[at] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
    open(path, "wb").write(damaged)
    try:
        vr.io.read(path, format="hdf5")
    except vr.DataFileError:
        n_found += 1
print(n_found)
"""


@pytest.mark.parametrize("chunked", [False, True])
def test_a_damaged_hdf5_file_does_not_take_the_process_down(tmp_path: Path, chunked: bool) -> None:
    path = SAMPLES["hdf5"].write(tmp_path, "hdf5")
    if chunked:
        import h5py

        with h5py.File(path, "w") as file:
            rows = np.arange(60, dtype=np.float32).reshape(20, 3)
            file.create_dataset("train", data=rows, chunks=(8, 3), compression="gzip", shuffle=True, fletcher32=True)
            file.create_dataset("test", data=rows[:4], chunks=(2, 3), compression="lzf")
            file.attrs["distance"] = "euclidean"
    done = subprocess.run(
        [sys.executable, "-c", DAMAGED_HDF5, str(path), "5"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 50


def test_every_truncation_of_hdf5_is_an_error(tmp_path: Path) -> None:
    path = SAMPLES["hdf5"].write(tmp_path, "hdf5")
    raw = path.read_bytes()
    for length in range(8, len(raw), 97):
        path.write_bytes(raw[:length])
        with pytest.raises(vr.DataFileError, match=r"a\.hdf5: "):
            vr.io.read(path)


def npy(shape: tuple[int, ...], descr: str = "<f4", order: bool = False) -> bytes:
    words = str({"descr": descr, "fortran_order": order, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(words)) + words.encode()


def archive(name: str, content: bytes, claimed: int | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    raw = buffer.getvalue()
    if claimed is None:
        return raw
    return raw.replace(struct.pack("<II", len(content), len(name))[:4], struct.pack("<I", claimed))


HOSTILE = {
    "fbin of 2**31 rows": ("fbin", struct.pack("<II", 2**31, 128) + bytes(100)),
    "fbin of the most rows and columns": ("fbin", struct.pack("<II", 2**32 - 1, 2**32 - 1)),
    "u8bin of no columns": ("u8bin", struct.pack("<II", 5, 0)),
    "fvecs of negative length": ("fvecs", struct.pack("<i", -3) + bytes(12)),
    "fvecs of length 0": ("fvecs", bytes(16)),
    "fvecs of 2**31 - 1 values": ("fvecs", struct.pack("<i", 2**31 - 1) + bytes(100)),
    "fvecs whose row 1 is shorter": ("fvecs", struct.pack("<iffif", 2, 1, 1, 1, 1) + bytes(4)),
    "ivecs of negative neighbours": ("ivecs", struct.pack("<iii", 2, -5, 1)),
    "truth of 2**31 queries": ("ground-truth", struct.pack("<II", 2**31, 100)),
    "truth that falls and grows": ("ground-truth", struct.pack("<II4i4f", 2, 2, 0, 1, 0, 1, 1, 2, 2, 1)),
    "truth that is NaN": ("ground-truth", struct.pack("<IIif", 1, 1, 0, np.nan)),
    "truth of row -7": ("ground-truth", struct.pack("<IIif", 1, 1, -7, 0)),
    "csr of 2**60 rows": ("csr", struct.pack("<qqqq", 2**60, 5, 0, 0)),
    "csr of -1 rows": ("csr", struct.pack("<qqqq", -1, 5, 0, 0)),
    "csr of -1 values": ("csr", struct.pack("<qqqqq", 1, 5, -1, 0, 0)),
    "csr of no columns": ("csr", struct.pack("<qqqqq", 1, 0, 0, 0, 0)),
    "csr of 2**40 columns": ("csr", struct.pack("<qqqqq", 1, 2**40, 0, 0, 0)),
    "csr whose starts fall": ("csr", struct.pack("<qqq4qif", 3, 5, 1, 0, 1, 0, 1, 2, 0.5)),
    "csr whose starts begin at 1": ("csr", struct.pack("<qqq2qif", 1, 5, 1, 1, 1, 2, 0.5)),
    "csr of column 5 of 5": ("csr", struct.pack("<qqq2qif", 1, 5, 1, 0, 1, 5, 0.5)),
    "csr of column -1": ("csr", struct.pack("<qqq2qif", 1, 5, 1, 0, 1, -1, 0.5)),
    "packed csr of 2**40 rows": ("csr", gzip.compress(struct.pack("<qqqq", 2**40, 5, 0, 0))),
    "packed csr that goes on": ("csr", gzip.compress(struct.pack("<qqqqqq", 1, 5, 0, 0, 0, 0))),
    "npy of 2**40 rows": ("npy", npy((2**40, 128))),
    "npy of 2**62 by 2**62": ("npy", npy((2**62, 2**62))),
    "npy of -1 rows": ("npy", npy((-1, 4))),
    "npy of one dimension": ("npy", npy((4,)) + bytes(16)),
    "npy of no columns": ("npy", npy((4, 0))),
    "npy of objects": ("npy", npy((1, 1), "|O") + bytes(8)),
    "npy of complex numbers": ("npy", npy((1, 1), "<c8") + bytes(8)),
    "npy of nested brackets": ("npy", npy((1, 1)).replace(b"{'descr'", b"((((((((")),
    "npz of 2**40 rows": ("npz", archive("rows.npy", npy((2**40, 128)))),
    "npz that claims 4 GB": ("npz", archive("rows.npy", npy((1, 4)) + bytes(16), 2**32 - 2)),
    "npz of objects": ("npz", archive("rows.npy", npy((1, 1), "|O") + bytes(8))),
    "npz of no array": ("npz", archive("rows.txt", b"hello")),
    "jsonl of a list": ("jsonl", b'[{"id": 1, "vector": {}}]'),
    "jsonl without a vector": ("jsonl", b'{"id": 1}'),
    "jsonl of a word as weight": ("jsonl", b'{"id": 1, "vector": {"a": "b"}}'),
    "jsonl of true as weight": ("jsonl", b'{"id": 1, "vector": {"a": true}}'),
    "jsonl of weight 1e39": ("jsonl", b'{"id": 1, "vector": {"a": 1e39}}'),
    "jsonl of weight NaN": ("jsonl", b'{"id": 1, "vector": {"a": NaN}}'),
    "jsonl without an id": ("jsonl", b'{"vector": {"a": 1}}'),
    "jsonl of one id twice": ("jsonl", b'{"id": 1, "vector": {}}\n{"id": 1, "vector": {}}'),
    "jsonl of deep brackets": ("jsonl", b'{"id": 1, "vector": ' + b"[" * 100_000),
    "jsonl of bytes": ("jsonl", b'{"id": "\xff", "vector": {}}'),
    "jsonl of no lines": ("jsonl", b"\n\n"),
    "qrels of words": ("qrels", b"q1 0 d1 much\n"),
    "qrels of five fields": ("qrels", b"q1 0 d1 1\nq1 0 d2 1 1\n"),
    "qrels of two minds": ("qrels", b"q1 0 d1 1\nq1 0 d1 0\n"),
    "qrels of no lines": ("qrels", b""),
    "run of NaN": ("run", b"q1 Q0 d1 1 nan x\n"),
    "run without a tag": ("run", b"q1 Q0 d1 1 0.5\n"),
    "run of one document twice": ("run", b"q1 Q0 d1 1 0.5 x\nq1 Q0 d1 2 0.4 x\n"),
    "run of bytes": ("run", b"q1 Q0 \xff 1 0.5 x\n"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_content_is_refused_before_memory_is_taken(tmp_path: Path, case: str) -> None:
    format, raw = HOSTILE[case]
    path = tmp_path / "hostile"
    path.write_bytes(raw)
    tracemalloc.start()
    try:
        with pytest.raises(vr.DataFileError, match="hostile"):
            vr.io.read(path, format=format)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_message_names_the_first_row_that_is_wrong(tmp_path: Path) -> None:
    vr.io.write(tmp_path / "a.fvecs", np.zeros((5, 2)))
    raw = bytearray((tmp_path / "a.fvecs").read_bytes())
    raw[3 * 12] = 9
    (tmp_path / "a.fvecs").write_bytes(raw)
    with pytest.raises(vr.DataFileError, match="row 3 has length 9, expected 2"):
        vr.io.read(tmp_path / "a.fvecs")
    vr.io.write(tmp_path / "a.csr", SPARSE)
    raw = bytearray((tmp_path / "a.csr").read_bytes())
    raw[24 + 4 * 8 + 3 * 4] = 77
    (tmp_path / "a.csr").write_bytes(raw)
    with pytest.raises(vr.DataFileError, match="row 2 names column 77, expected 0 to 3"):
        vr.io.read(tmp_path / "a.csr")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_the_systems_own_error(tmp_path: Path, name: str) -> None:
    for format in (name, None):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            vr.io.read(tmp_path / f"nowhere.{name}", format=format)


def test_a_damaged_file_is_a_value_error_of_the_package() -> None:
    assert issubclass(vr.DataFileError, ValueError) and issubclass(vr.DataFileError, vr.VecrecallError)
