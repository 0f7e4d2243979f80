"""Downloads: the files of a set, whole and checked, in a folder."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vecrecall.datasets.registry import Recipe, SourceFile, find_recipe
from vecrecall.datasets.transfer import Report, discard, finish, transfer

_BLOCK = 1 << 22
_BEGINNINGS = {".hdf5": b"\x89HDF\r\n\x1a\n", ".gz": b"\x1f\x8b"}


@dataclass(frozen=True)
class Fetched:
    """A file that was got.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of the file as it lies there.
    loaded : bool
        False if it was there already.
    certain : bool
        Whether the checksum is that of the registry. If not, it is what was seen at the first download.
    """

    path: Path
    sha256: str
    loaded: bool
    certain: bool


def data_folder() -> Path:
    """Where sets lie unless told otherwise: ``$VECRECALL_DATA``, or ``vecrecall/data`` in the user's cache folder."""
    chosen = os.environ.get("VECRECALL_DATA")
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "vecrecall" / "data"


def set_path(recipe: Recipe, folder: Path) -> Path:
    """Where a set lies in a folder: its one file, or a folder of its own for several."""
    return folder / (recipe.files[0].name if len(recipe.files) == 1 else recipe.name)


def get(
    name: str | Recipe,
    folder: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
    progress: bool = False,
) -> tuple[Path, list[Fetched]]:
    """Get a set: download what is not there, check what is.

    Parameters
    ----------
    name : str or Recipe
        A name of the registry, or a recipe of one's own (`load_registry` reads them from a file).
    folder : path-like, optional
        Default: :func:`data_folder`. Made if it is not there.
    force : bool, default False
        Whether to download again what is there.
    progress : bool, default False
        Whether to show a bar, on a terminal only.

    Returns
    -------
    path : Path
        The file, or the folder of several, for `vecrecall.io.read`.
    files : list of Fetched

    Raises
    ------
    ValueError
        If there is no such set, it is none to download, or a file is not what it should be: by its checksum, or since
        it does not begin as its kind does. A download that is wrong is not kept.
    FileNotFoundError, ConnectionError, OSError
        If the server does not have a file, cannot be reached, or the disk refuses. What came so far stays in
        NAME.part, and the next call goes on from there.

    Notes
    -----
    A file appears whole or not at all. Where the registry knows no checksum, that of the first download is written
    beside the file (NAME.sha256, as ``sha256sum -c`` reads it), and later calls check against it.
    """
    recipe = name if isinstance(name, Recipe) else find_recipe(name)
    if recipe.kind != "download":
        raise ValueError(f"{recipe.name} is not downloaded: it {recipe.way}")
    folder = data_folder() if folder is None else Path(folder)
    path = set_path(recipe, folder)
    place = path.parent if len(recipe.files) == 1 else path
    place.mkdir(parents=True, exist_ok=True)
    return path, [_get_file(recipe, file, place / file.name, force, progress) for file in recipe.files]


def _get_file(recipe: Recipe, source: SourceFile, path: Path, force: bool, progress: bool) -> Fetched:
    """Get one file, or check the one that is there."""
    if path.exists() and not force:
        return _checked(source, path)
    part = path.with_name(path.name + ".part")
    with _bytes_bar(path.name, progress) as report:
        transfer(source.url, part, report)
    fault = _fault(source, part)
    if fault:
        discard(part)
        raise ValueError(f"{source.url} {fault}; it was not kept: try again, or see {recipe.source}")
    digest = sha256_of(part)
    if source.sha256 is None:
        _digest_file(path).write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    finish(part, path)
    return Fetched(path, digest, loaded=True, certain=source.sha256 is not None)


def sha256_of(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _fault(source: SourceFile, part: Path) -> str:
    """Words on what is wrong with a download; empty if nothing is."""
    suffix = Path(source.name).suffix
    wanted = _BEGINNINGS.get(suffix, b"")
    with open(part, "rb") as file:
        beginning = file.read(16)
    if not beginning:
        return "gave an empty file"
    if not beginning.startswith(wanted):
        return f"gave no {suffix} file: it begins with {beginning!r} (does the network ask for a log-in?)"
    if source.sha256 is not None:
        digest = sha256_of(part)
        if digest != source.sha256:
            return f"gave a file of SHA-256 {digest}, expected {source.sha256}"
    return ""


def _checked(source: SourceFile, path: Path) -> Fetched:
    """Check a file that is there against the registry, or against what was seen when it was loaded."""
    digest = sha256_of(path)
    expected = source.sha256 or _digest_seen(path)
    if expected is None:  # put there by hand
        _digest_file(path).write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    elif digest != expected:
        raise ValueError(
            f"{path} has SHA-256 {digest}, expected {expected}: it was changed or damaged; "
            "get it again with --force (force=True)"
        )
    return Fetched(path, digest, loaded=False, certain=source.sha256 is not None)


def _digest_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _digest_seen(path: Path) -> str | None:
    file = _digest_file(path)
    words = file.read_text(encoding="utf-8", errors="replace").split() if file.exists() else []
    return words[0] if words else None


@contextmanager
def _bytes_bar(label: str, wanted: bool) -> Iterator[Report]:
    """Yield a function that takes the bytes that are there and all of them; it shows a bar on a terminal."""
    if not wanted or sys.stderr is None or not sys.stderr.isatty():
        yield lambda have, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn(label), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda have, total: bar.update(task, completed=have, total=total)
