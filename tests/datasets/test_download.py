"""Downloads: whole and checked, or not there; what was broken off goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.datasets.conftest import HDF5, Server
from vecrecall.datasets import download, transfer
from vecrecall.datasets.download import data_folder, get, sha256_of
from vecrecall.datasets.registry import find_recipe


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def break_off(server: Server, folder: Path, at: int) -> Path:
    """Leave the first bytes of a download, as an interrupt would, and the server as it was."""
    cuts, tries = server.cuts, transfer._TRIES
    server.cuts, transfer._TRIES = [at, 0], 1
    try:
        with pytest.raises(ConnectionError, match=f"{at:,} bytes are kept"):
            get(server.recipe(), folder)
    finally:
        server.cuts, transfer._TRIES = cuts, tries
    server.asked.clear()
    assert (folder / "set.hdf5.part").stat().st_size == at
    return folder / "set.hdf5"


# ---------------------------------------- whole


def test_a_file_arrives_whole_with_its_digest_beside_it(server: Server, tmp_path: Path) -> None:
    path, files = get(server.recipe(), tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "set.hdf5"
    assert path.read_bytes() == server.content
    assert [(f.path, f.sha256, f.loaded, f.certain) for f in files] == [(path, server.sha256, True, False)]
    assert names(path.parent) == ["set.hdf5", "set.hdf5.sha256"]
    done = subprocess.run(["sha256sum", "-c", "set.hdf5.sha256"], cwd=path.parent, capture_output=True)
    assert done.returncode == 0


def test_a_known_checksum_is_certain(server: Server, tmp_path: Path) -> None:
    path, (file,) = get(server.recipe(sha256=server.sha256), tmp_path)
    assert file.certain and file.sha256 == sha256_of(path) == server.sha256
    assert names(tmp_path) == ["set.hdf5"]


def test_several_files_have_a_folder_of_their_own(server: Server, tmp_path: Path) -> None:
    path, files = get(server.recipe("a.gt", "b.hdf5"), tmp_path)
    assert path == tmp_path / "some-set"
    assert [file.path for file in files] == [path / "a.gt", path / "b.hdf5"]


def test_what_is_there_is_not_loaded_again(server: Server, tmp_path: Path) -> None:
    get(server.recipe(), tmp_path)
    server.asked.clear()
    _, (file,) = get(server.recipe(), tmp_path)
    assert server.asked == []
    assert (file.loaded, file.sha256) == (False, server.sha256)
    _, (file,) = get(server.recipe(), tmp_path, force=True)
    assert file.loaded and len(server.asked) == 1


def test_a_file_put_there_by_hand_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.hdf5").write_bytes(server.content)
    _, (file,) = get(server.recipe(sha256=server.sha256), tmp_path)
    assert (file.loaded, file.certain, server.asked) == (False, True, [])
    get(server.recipe(), tmp_path)
    assert names(tmp_path) == ["set.hdf5", "set.hdf5.sha256"]


@pytest.mark.parametrize("known", [True, False], ids=["known checksum", "checksum seen"])
def test_a_file_that_changed_since_is_refused(server: Server, tmp_path: Path, known: bool) -> None:
    recipe = server.recipe(sha256=server.sha256 if known else None)
    path, _ = get(recipe, tmp_path)
    path.write_bytes(server.content[:-1] + b"x")
    with pytest.raises(ValueError, match="changed or damaged.*--force") as caught:
        get(recipe, tmp_path)
    assert str(path) in str(caught.value) and server.sha256 in str(caught.value)
    get(recipe, tmp_path, force=True)
    assert path.read_bytes() == server.content


def test_a_server_that_says_no_length_is_believed(server: Server, tmp_path: Path) -> None:
    server.says_length = False
    path, _ = get(server.recipe(), tmp_path)
    assert path.read_bytes() == server.content


# ---------------------------------------- broken off


def test_a_broken_download_goes_on_where_it_ended(server: Server, tmp_path: Path) -> None:
    path = break_off(server, tmp_path, 1_500_000)
    assert names(tmp_path) == ["set.hdf5.part", "set.hdf5.part.version"]
    get(server.recipe(), tmp_path)
    assert server.starts() == [1_500_000]
    assert path.read_bytes() == server.content
    assert names(tmp_path) == ["set.hdf5", "set.hdf5.sha256"]


def test_the_time_of_the_last_change_will_do_for_a_version(server: Server, tmp_path: Path) -> None:
    server.etag, server.last_modified = None, "Sun, 09 Jun 2024 10:00:00 GMT"
    path = break_off(server, tmp_path, 99)
    get(server.recipe(), tmp_path)
    assert server.starts() == [99] and path.read_bytes() == server.content


def test_a_connection_that_breaks_is_taken_up_at_once(server: Server, tmp_path: Path) -> None:
    server.cuts = [1_000_000, 0, 1_000_000, 0, 0]
    path, _ = get(server.recipe(), tmp_path)
    assert server.starts() == [0, 1_000_000, 1_000_000, 2_000_000, 2_000_000, 2_000_000]
    assert path.read_bytes() == server.content


def test_a_connection_that_brings_nothing_any_more_is_given_up(server: Server, tmp_path: Path) -> None:
    server.cuts = [7, 0, 0, 0]
    with pytest.raises(ConnectionError, match=r"broke \(it ended at 7 of 3,072,008 bytes\); 7 bytes are kept"):
        get(server.recipe(), tmp_path)
    assert len(server.asked) == 4
    assert names(tmp_path) == ["set.hdf5.part", "set.hdf5.part.version"]


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    path = break_off(server, tmp_path, 1_000)
    server.ranges = False
    get(server.recipe(), tmp_path)
    assert path.read_bytes() == server.content


def test_a_server_that_names_no_version_starts_over(server: Server, tmp_path: Path) -> None:
    server.etag = None
    (tmp_path / "set.hdf5.part").write_bytes(b"of whatever version")
    path, _ = get(server.recipe(), tmp_path)
    assert server.starts() == [0] and path.read_bytes() == server.content


def test_two_versions_are_never_joined(server: Server, tmp_path: Path) -> None:
    path = break_off(server, tmp_path, 1_000)
    server.content, server.etag = HDF5 + b"another file" * 1_000, '"second"'
    get(server.recipe(), tmp_path)
    assert path.read_bytes() == server.content


def test_an_interrupt_keeps_what_came(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def interrupting(label: str, wanted: bool) -> Iterator[Callable[[int, int | None], None]]:
        def report(have: int, total: int | None) -> None:
            if have > 1_000_000:
                raise KeyboardInterrupt

        yield report

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(download, "_bytes_bar", interrupting)
        get(server.recipe(), tmp_path)
    came = (tmp_path / "set.hdf5.part").stat().st_size
    assert 1_000_000 < came < len(server.content)
    path, _ = get(server.recipe(), tmp_path)
    assert server.starts() == [0, came] and path.read_bytes() == server.content


def test_an_interrupt_at_the_end_keeps_the_whole(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, calls = transfer.os.fsync, []

    def interrupted(descriptor: int) -> None:
        calls.append(descriptor)
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer.os, "fsync", interrupted)  # at the end: the whole file came, but has no name yet
    with pytest.raises(KeyboardInterrupt):
        get(server.recipe(), tmp_path)
    assert calls and names(tmp_path) == ["set.hdf5.part", "set.hdf5.part.version"]
    monkeypatch.setattr(transfer.os, "fsync", sync)
    path, _ = get(server.recipe(), tmp_path)
    assert server.starts() == [0, len(server.content)]  # nothing is beyond: that answer says that it is whole
    assert path.read_bytes() == server.content


# ---------------------------------------- refused


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (404, FileNotFoundError, "answered 404"),
        (410, FileNotFoundError, "answered 410"),
        (403, ConnectionError, "answered 403"),
        (503, ConnectionError, "answered 503"),
    ],
)
def test_what_a_server_refuses_is_said(
    server: Server, tmp_path: Path, status: int, kind: type[Exception], message: str
) -> None:
    server.status = status
    with pytest.raises(kind, match=message) as caught:
        get(server.recipe(), tmp_path)
    assert f"{server.address}/set.hdf5" in str(caught.value)
    assert f"put it at {tmp_path / 'set.hdf5'}" in str(caught.value)
    assert names(tmp_path) == [] and len(server.asked) == 1


def test_a_busy_server_is_asked_again_for_the_rest(server: Server, tmp_path: Path) -> None:
    break_off(server, tmp_path, 1_000)
    server.status = 503
    with pytest.raises(ConnectionError, match="answered 503"):
        get(server.recipe(), tmp_path)
    assert server.starts() == [1_000] * 3
    assert (tmp_path / "set.hdf5.part").stat().st_size == 1_000


def test_a_server_that_says_no_is_not_asked_again(server: Server, tmp_path: Path) -> None:
    break_off(server, tmp_path, 1_000)
    server.status = 404
    with pytest.raises(FileNotFoundError, match="answered 404"):
        get(server.recipe(), tmp_path)
    assert len(server.asked) == 1


def test_without_a_network_the_address_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(ConnectionError, match=r"cannot reach 127\.0\.0\.1 .*is there a network\?.*put it at"):
        get(Server("http://127.0.0.1:9").recipe(), tmp_path)  # the port of "discard", on which nobody listens
    assert names(tmp_path) == []


def test_a_wrong_checksum_is_not_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"SHA-256 {server.sha256}, expected {'0' * 64}; it was not kept.*the source"):
        get(server.recipe(sha256="0" * 64), tmp_path)
    assert names(tmp_path) == []


def test_a_wrong_download_leaves_what_was_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.hdf5").write_bytes(b"old")
    with pytest.raises(ValueError, match="SHA-256"):
        get(server.recipe(sha256="0" * 64), tmp_path, force=True)
    assert (tmp_path / "set.hdf5").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("set.hdf5", b"<!DOCTYPE html><p>please log in", r"gave no \.hdf5 file: it begins with b'<!DOCTYPE html>"),
        ("base.csr.gz", b"\x89HDF\r\n\x1a\n", r"gave no \.gz file"),
        ("base.gt", b"", "gave an empty file"),
    ],
)
def test_what_is_plainly_no_such_file_is_not_kept(
    server: Server, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    server.content = content
    with pytest.raises(ValueError, match=message):
        get(server.recipe(name), tmp_path)
    assert names(tmp_path) == []


def test_a_set_that_is_made_is_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="clustered is not downloaded: it is made of random .*`vecrecall data make"):
        get("clustered", tmp_path)
    with pytest.raises(ValueError, match="it is made in a checkout .*`python -m bench.make_data DIR sift-images"):
        get(find_recipe("sift-images-128"), tmp_path)
    with pytest.raises(ValueError, match="did you mean sift-128-euclidean"):
        get("sift-128", tmp_path)


# ---------------------------------------- where


def test_the_folder_is_the_users_cache_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VECRECALL_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder() == tmp_path / ".cache" / "vecrecall" / "data"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache" / "vecrecall" / "data"
    monkeypatch.setenv("VECRECALL_DATA", str(tmp_path / "mine"))
    assert data_folder() == tmp_path / "mine"


def test_the_folder_of_the_environment_is_used(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VECRECALL_DATA", str(tmp_path / "mine"))
    assert get(server.recipe())[0] == tmp_path / "mine" / "set.hdf5"
