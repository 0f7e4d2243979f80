"""Whose index a file is, told by how it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vecrecall as vr
from tests.io.foreign.hnswlib_twin import random_twin
from vecrecall.io.foreign import FaissIndex, HnswlibFile, read_foreign


def test_a_file_of_hnswlib_needs_its_space(tmp_path: Path) -> None:
    path = tmp_path / "index.bin"
    path.write_bytes(random_twin().bytes())
    found = read_foreign(path, space="l2", dim=4)
    assert isinstance(found, HnswlibFile) and len(found) == 60
    with pytest.raises(ValueError, match=r"index\.bin: .*give space \(--space\).*'l2', 'ip' or 'cosine'"):
        read_foreign(path)
    with pytest.raises(vr.IndexFileError, match="dim is 3"):
        read_foreign(path, space="l2", dim=3)


def test_an_index_of_this_library_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "index.vr"
    vr.Exact.build(np.eye(3), metric="ip").save(path)
    assert isinstance(read_foreign(path), vr.Exact)
    assert read_foreign(path, dim=3, space="ip").dim == 3
    with pytest.raises(vr.IndexFileError, match=r"index\.vr: space is 'l2', but the file says 'ip'; leave space out"):
        read_foreign(path, space="l2")
    with pytest.raises(vr.IndexFileError, match="dim is 4, but the file says 3"):
        read_foreign(path, dim=4)


def test_an_index_of_faiss_is_read(tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    index, path = faiss.IndexHNSWFlat(3, 4), tmp_path / "index.faiss"
    index.add(np.eye(3, dtype=np.float32))
    faiss.write_index(index, str(path))
    assert isinstance(read_foreign(path, space="l2"), FaissIndex)
    with pytest.raises(vr.IndexFileError, match="space is 'cosine', but the file says 'l2'"):
        read_foreign(path, space="cosine")


@pytest.mark.parametrize("start", [b"", b"\0", b"\x93NUMPY\1\0", b"PK\3\4", bytes(7) + b"\1", b"{}"])
def test_anything_else_is_an_error_that_names_the_three(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "some.thing"
    path.write_bytes(start)
    with pytest.raises(vr.IndexFileError, match=r"some\.thing: begins with .*hnswlib.*faiss.*this library"):
        read_foreign(path, space="l2")


def test_odd_arguments_are_refused(tmp_path: Path) -> None:
    for arguments, words in (({"space": "euclid"}, "space is 'euclid'"), ({"dim": -1}, "dim is -1")):
        with pytest.raises(ValueError, match=words):
            read_foreign(tmp_path / "none", **arguments)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        read_foreign(tmp_path / "none")
