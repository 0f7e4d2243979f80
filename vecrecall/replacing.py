"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the path of a file to be made; at the end it is flushed to the disk and takes the place of `path`.

    It lies in the same folder, and is gone after an error or an interrupt. Whoever has the old file mapped keeps it.
    A symbolic link is followed.
    """
    path = os.path.realpath(os.fspath(path))
    temporary = _beside(path)
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _flush(os.path.dirname(path))


@contextmanager
def making_folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield a folder to be filled; at the end it becomes `path`, which must not be there yet, or be empty.

    Raises
    ------
    FileExistsError
        If something is there: a folder cannot be replaced in one step.
    """
    path = os.path.realpath(os.fspath(path))
    if os.path.exists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        raise FileExistsError(errno.EEXIST, "is there already; name another folder, or remove it first", path)
    temporary = _beside(path)
    try:
        os.mkdir(temporary)
        yield temporary
        if os.path.isdir(path):
            os.rmdir(path)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _beside(path: str) -> str:
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "no such folder; make it first", folder)
    return os.path.join(folder, f".{name}.{secrets.token_hex(8)}.tmp")


def _flush(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
