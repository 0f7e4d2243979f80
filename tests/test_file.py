"""The index file: what comes back, what a writer that dies leaves, and what a damaged file is called."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from vecrecall import file
from vecrecall.errors import IndexFileError

SECTIONS = {
    "a": np.arange(5, dtype=np.int64),
    "none": np.zeros((0, 3), np.float32),
    "half": np.linspace(0, 1, 6).astype(np.float16).reshape(2, 3),
    "codes": np.arange(200, dtype=np.uint8).reshape(10, 20)[:, ::2],
    "scalar": np.array(2.5),
}


def write(path: Path, **changes: Any) -> Path:
    parts: dict[str, Any] = {"kind": "x", "parameters": {"p": 0.1}, "counts": {"n": 5}, "sections": SECTIONS}
    file.write(path, **{**parts, **changes})
    return path


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("verify", ["header", True, False])
def test_what_was_written_comes_back(tmp_path: Path, mmap: bool, verify: Any) -> None:
    found = file.read(write(tmp_path / "i.vr"), mmap=mmap, verify=verify)
    assert (found.version, found.kind, found.parameters, found.counts) == (1, "x", {"p": 0.1}, {"n": 5})
    assert list(found.sections) == list(SECTIONS)
    for name, array in found.sections.items():
        assert array.dtype == SECTIONS[name].dtype and array.flags.writeable is not mmap
        assert array.__array_interface__["data"][0] % 64 == 0 or array.size == 0
        np.testing.assert_array_equal(array, SECTIONS[name])


def test_the_layout_is_the_documented_one(tmp_path: Path) -> None:
    raw = write(tmp_path / "i.vr").read_bytes()
    magic, version, length, checksum = struct.unpack("<8sIIQ", raw[:24])
    header = raw[24 : 24 + length]
    assert (magic, version, checksum) == (b"VECRECAL", 1, xxhash.xxh3_64_intdigest(header))
    for entry in json.loads(header)["sections"]:
        part = raw[entry["offset"] : entry["offset"] + entry["length"]]
        expected = SECTIONS[entry["name"]]
        assert entry["offset"] % 64 == 0 and entry["dtype"] == expected.dtype.str
        assert part == expected.tobytes() and entry["checksum"] == xxhash.xxh3_64_hexdigest(part)


def test_an_index_without_sections_is_a_file_too(tmp_path: Path) -> None:
    assert file.read(write(tmp_path / "i.vr", sections={}), verify=True).sections == {}


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a").read_bytes() == write(tmp_path / "b").read_bytes()


def test_big_endian_arrays_are_written_little_endian(tmp_path: Path) -> None:
    found = file.read(write(tmp_path / "i.vr", sections={"a": np.arange(5, dtype=">i4")}))
    assert found.sections["a"].dtype.str == "<i4" and found.sections["a"].tolist() == [0, 1, 2, 3, 4]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "i.vr")
    before = path.read_bytes()
    with pytest.raises(TypeError, match="section 'o' has dtype object"):
        write(path, sections={"o": np.array([None])})
    with pytest.raises(TypeError):
        write(path, parameters={"p": {1, 2}})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(path, kind="y")
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["i.vr"]


def test_a_mapped_file_survives_being_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "i.vr")
    mapped = file.read(path).sections["a"]
    write(path, sections={"a": np.zeros(5, np.int64)})
    assert mapped.tolist() == [0, 1, 2, 3, 4] and not file.read(path).sections["a"].any()


def test_a_link_is_followed(tmp_path: Path) -> None:
    target, link = write(tmp_path / "i.vr"), tmp_path / "link.vr"
    link.symlink_to(target)
    write(link, kind="y")
    assert link.is_symlink() and file.read(target).kind == "y"


def test_every_truncation_is_an_error(tmp_path: Path) -> None:
    raw, path = write(tmp_path / "i.vr").read_bytes(), tmp_path / "torn.vr"
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        for mmap in (True, False):
            with pytest.raises(IndexFileError, match=r"torn\.vr: .*; restore the file"):
                file.read(path, mmap=mmap)
    path.write_bytes(raw + b"\0")
    with pytest.raises(IndexFileError, match="expected"):
        file.read(path)


def test_every_flipped_byte_is_found_or_harmless(tmp_path: Path) -> None:
    raw, path = write(tmp_path / "i.vr").read_bytes(), tmp_path / "bad.vr"
    n_found = 0
    for i in range(len(raw)):
        for bit in (1, 128):
            path.write_bytes(raw[:i] + bytes([raw[i] ^ bit]) + raw[i + 1 :])
            try:
                read = file.read(path, verify=True)
            except IndexFileError:
                n_found += 1
            else:  # a byte of the gap between two sections
                for name, array in SECTIONS.items():
                    np.testing.assert_array_equal(read.sections[name], array)
    assert n_found >= 2 * (len(raw) - 4 * 63)


def test_a_flipped_byte_of_a_section_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "i.vr")
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1  # within "scalar", the last section
    path.write_bytes(raw)
    file.read(path)
    with pytest.raises(IndexFileError, match=r"section 'scalar' has checksum \w+, expected \w+"):
        file.read(path, verify=True)


def forged(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Write a file whose header is changed and whose header checksum is right."""
    raw = write(path).read_bytes()
    length = struct.unpack("<I", raw[12:16])[0]
    manifest = json.loads(raw[24 : 24 + length])
    manifest = change(manifest) or manifest
    header = json.dumps(manifest).encode().ljust(length)
    prefix = struct.pack("<8sIIQ", b"VECRECAL", 1, len(header), xxhash.xxh3_64_intdigest(header))
    path.write_bytes(prefix + header + raw[24 + length :])
    return path


def first(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["sections"][0].update(changes)


def repeat(manifest: dict[str, Any]) -> None:
    manifest["sections"].append(manifest["sections"][0])


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "not a dict": (lambda m: [1], "no 'kind'"),
    "no kind": (lambda m: m.pop("kind") and None, "no 'kind'"),
    "kind of a wrong type": (lambda m: m.update(kind=3), "no 'kind'"),
    "counts of a wrong type": (lambda m: m.update(counts=[]), "no 'counts'"),
    "a negative count": (lambda m: m.update(counts={"n": -1}), "a count"),
    "a huge count": (lambda m: m.update(counts={"n": 2**63}), "a count"),
    "a count that is a float": (lambda m: m.update(counts={"n": 1.0}), "a count"),
    "a count that is a bool": (lambda m: m.update(counts={"n": True}), "a count"),
    "sections of a wrong type": (lambda m: m.update(sections=[3]), "a section in the header"),
    "a missing field": (lambda m: m["sections"][0].pop("shape") and None, "lacks a field"),
    "a foreign field": (first(more=1), "foreign"),
    "an object dtype": (first(dtype="|O"), "dtype"),
    "an unknown dtype": (first(dtype="f4,f4"), "dtype"),
    "a shape that is too large": (first(shape=[2**60]), "not its shape"),
    "a shape that wraps round": (first(shape=[2**62, 5]), "not its shape"),
    "a negative shape": (first(shape=[-5]), "non-negative"),
    "a shape of floats": (first(shape=[5.0]), "non-negative"),
    "too many axes": (first(shape=[5] + [1] * 40), "not its shape"),
    "a name of a wrong type": (first(name=3), "wrong type"),
    "an odd offset": (first(offset=8), "multiple of 64"),
    "an offset in the header": (first(offset=0), "overlaps"),
    "an offset beyond the end": (first(offset=2**40), "torn"),
    "a huge section": (first(length=2**50, shape=[2**47]), "torn|overlaps"),
    "two sections of one name": (repeat, "one name"),
    "two sections in one place": (
        lambda m: m["sections"].append({**m["sections"][0], "name": "b"}),
        "overlaps",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_is_refused_before_anything_is_allocated(tmp_path: Path, name: str) -> None:
    change, message = HOSTILE[name]
    with pytest.raises(IndexFileError, match=message):
        file.read(forged(tmp_path / "i.vr", change))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not an index file"),
        (b"\x93NUMPY" + bytes(99), "not an index file"),
        (struct.pack("<8sIIQ", b"VECRECAL", 2, 0, 0), "format version 2, expected 1"),
        (struct.pack("<8sIIQ", b"VECRECAL", 1, 2**32 - 1, 0), "torn"),
        (struct.pack("<8sIIQ", b"VECRECAL", 1, 2, 0) + b"{}", "header checksum"),
        (struct.pack("<8sIIQ", b"VECRECAL", 1, 2, xxhash.xxh3_64_intdigest(b"{,")) + b"{,", "not JSON"),
        (
            struct.pack("<8sIIQ", b"VECRECAL", 1, 200000, xxhash.xxh3_64_intdigest(b"[" * 200000)) + b"[" * 200000,
            "not JSON",
        ),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "i.vr").write_bytes(raw)
    with pytest.raises(IndexFileError, match=message):
        file.read(tmp_path / "i.vr")


def test_a_missing_file_and_a_wrong_option_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        file.read(tmp_path / "none.vr")
    with pytest.raises(ValueError, match="verify is 'all'"):
        file.read(write(tmp_path / "i.vr"), verify="all")  # type: ignore[arg-type]
