"""What engines share: the lock, and loading by kind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from vecrecall import file
from vecrecall.errors import IndexFileError
from vecrecall.exact.index import Exact
from vecrecall.index import ReadWriteLock
from vecrecall.loading import load


def test_searches_share_the_lock_and_a_change_is_alone() -> None:
    lock, inside, together = ReadWriteLock(), [0, 0], threading.Barrier(3)
    wrong: list[tuple[int, ...]] = []

    def search() -> None:
        together.wait(5)
        with lock.shared:
            together.wait(5)  # all three are inside at once, or this breaks
        for _ in range(200):
            with lock.shared:
                inside[0] += 1
                if inside[1]:
                    wrong.append(tuple(inside))
                inside[0] -= 1

    def change() -> None:
        for _ in range(200):
            with lock.alone:
                inside[1] += 1
                time.sleep(0)
                if inside[1] != 1:
                    wrong.append(tuple(inside))
                inside[1] -= 1

    threads = [threading.Thread(target=search) for _ in range(3)] + [threading.Thread(target=change) for _ in range(2)]
    # the searches meet first: with changes waiting they would rightly be held back
    for thread in threads[:3]:
        thread.start()
    time.sleep(0.05)
    for thread in threads[3:]:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert wrong == []


def test_a_waiting_change_goes_before_later_searches() -> None:
    lock, order = ReadWriteLock(), []

    def change() -> None:
        with lock.alone:
            order.append("change")

    def search() -> None:
        with lock.shared:
            order.append("search")

    with lock.shared:
        changing = threading.Thread(target=change)
        changing.start()
        time.sleep(0.02)
        searching = threading.Thread(target=search)
        searching.start()
        time.sleep(0.02)
        assert order == []
    changing.join(5)
    searching.join(5)
    assert order == ["change", "search"]


def test_an_error_gives_the_lock_back() -> None:
    lock = ReadWriteLock()
    for side in (lock.alone, lock.shared, lock.alone):
        with pytest.raises(KeyError), side:
            raise KeyError
    with lock.alone:
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("side", ["shared", "alone"])
def test_a_forked_child_has_a_free_lock(side: str) -> None:
    lock, held, done = ReadWriteLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with getattr(lock, side):
            held.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    child = os.fork()
    if child == 0:
        with lock.alone, lock._mutex:
            os._exit(7)
    deadline = time.monotonic() + 10
    while (status := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    done.set()
    holder.join(5)
    if status == (0, 0):
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status[1]) == 7


def test_a_file_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    file.write(tmp_path / "i.vr", kind="tree", parameters={}, counts={}, sections={})
    with pytest.raises(IndexFileError, match=r"i\.vr: holds an index of kind 'tree', expected one of 'exact'"):
        load(tmp_path / "i.vr")


GOOD = {"metric": "l2", "dim": 2, "ids": "range", "keep": "auto"}
WRONG = [
    ({"metric": "l3"}, {}, {}),
    ({"metric": None}, {}, {}),
    ({"dim": 0}, {}, {}),
    ({"dim": "2"}, {}, {}),
    ({"dim": 3}, {}, {}),
    ({"ids": "uuid"}, {}, {}),
    ({"ids": ["range"]}, {}, {}),
    ({"ids": "int64"}, {}, {}),
    ({"keep": "uint8"}, {}, {}),
    ({"keep": []}, {}, {}),
    ({}, {"n": 4}, {}),
    ({}, {"n": 2**62}, {}),
    ({}, {}, {"rows": np.zeros((3, 2), np.int64)}),
    ({}, {}, {"rows": np.zeros(6, np.float32)}),
    ({}, {}, {"other": np.zeros(6, np.float32)}),
]


@pytest.mark.parametrize(("parameters", "counts", "sections"), WRONG)
def test_a_file_whose_parts_disagree_is_refused(
    tmp_path: Path, parameters: dict[str, object], counts: dict[str, int], sections: dict[str, np.ndarray]
) -> None:
    file.write(
        tmp_path / "i.vr",
        kind="exact",
        parameters={**GOOD, **parameters},
        counts={"n": 3, **counts},
        sections=sections or {"rows": np.zeros((3, 2), np.float32)},
    )
    with pytest.raises(IndexFileError, match=r"i\.vr: .*"):
        load(tmp_path / "i.vr")


def test_verify_walks_the_index(tmp_path: Path) -> None:
    rows = np.array([[1, np.nan]], np.float32)
    file.write(tmp_path / "i.vr", kind="exact", parameters=GOOD, counts={"n": 1}, sections={"rows": rows})
    load(tmp_path / "i.vr")
    with pytest.raises(IndexFileError, match="column 1 is nan"):
        load(tmp_path / "i.vr", verify=True)


def test_repr_names_a_size_in_readable_units() -> None:
    for n, unit in [(1, "4 bytes"), (1024, "4.0 KiB"), (1 << 20, "4.0 MiB")]:
        index = Exact.build(np.full((n, 1), 0.1))
        assert repr(index).endswith(f"rows kept as float32, {unit}")
        assert repr(index).count("\n") == 1
