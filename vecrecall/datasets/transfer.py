"""One file over HTTP: what was broken off goes on where it ended, as long as the server still has the same file."""

from __future__ import annotations

import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from vecrecall import __version__

Report = Callable[[int, "int | None"], None]  # bytes there, bytes in all or None

_TRIES = 3  # connections in a row that brought nothing
_PAUSE_S = 1.0  # between them
_TIMEOUT_S = 60.0  # of silence
_BLOCK = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class _Broken(Exception):
    """The connection ended before the file did."""


def transfer(url: str, part: Path, report: Report) -> None:
    """Load a file into `part`, which after any error holds what came so far, for the next call to go on from.

    Parameters
    ----------
    url : str
    part : Path
        The server's name of its version (ETag, or the time of its last change) is kept beside it, so that two versions
        are never joined: where that is not known, or the server knows no ranges, the file is loaded from its start.
    report : callable
        Called with the bytes that are there and the bytes in all, or None where the server does not say.

    Raises
    ------
    FileNotFoundError
        If the server does not have the file.
    ConnectionError
        If the server cannot be reached, refuses, or the connection ends time and again.
    OSError
        As the operating system says, of writing.
    """
    tries = _TRIES
    while True:
        before = _size(part)
        try:
            _connect(url, part, report)
        except (_Broken, urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            if _is_final(error) or (before == 0 and not isinstance(error, _Broken)):
                raise _refused(url, part, error) from None
            tries = _TRIES if _size(part) > before else tries - 1
            if tries == 0:
                raise _refused(url, part, error) from None
            time.sleep(_PAUSE_S)
        else:
            return


def finish(part: Path, path: Path) -> None:
    """Give a whole file its name."""
    part.replace(path)
    discard(part)


def discard(part: Path) -> None:
    """Forget what came, and which version it was of."""
    part.unlink(missing_ok=True)
    _version_file(part).unlink(missing_ok=True)


def _connect(url: str, part: Path, report: Report) -> None:
    """Ask once for what is missing, and add it to `part`."""
    have, version = _size(part), _read_version(part)
    headers = {"User-Agent": f"vecrecall/{__version__}", "Accept-Encoding": "identity"}
    if have and version:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing beyond what is there
            if error.headers.get("Content-Range", "").endswith(f"/{have}"):
                return
            discard(part)
            raise _Broken("the file has another size now") from None
        raise
    with response:
        total, goes_on = _extent(response, have)
        if not goes_on:
            have = 0
            _write_version(part, response)
        with open(part, "ab" if goes_on else "wb") as file:
            _copy(response, file, have, total, report)


def _extent(response: Any, have: int) -> tuple[int | None, bool]:
    """Return the bytes of the whole file, if the server says, and whether the answer begins where `part` ends."""
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status == 206 and match and int(match[1]) == have:
        return int(match[2]), True
    if response.status != 200:
        raise http.client.HTTPException(f"the server answered {response.status}, which was not asked for")
    length = response.headers.get("Content-Length", "")
    return (int(length) if length.isdecimal() else None), False


def _copy(response: Any, file: IO[bytes], have: int, total: int | None, report: Report) -> None:
    report(have, total)
    while True:
        try:
            block = response.read1(_BLOCK)
        except (OSError, http.client.HTTPException) as error:  # of reading; what writing raises is for the caller
            raise _Broken(str(error)) from None
        if not block:
            break
        file.write(block)
        have += len(block)
        report(have, total)
    if total is not None and have != total:
        raise _Broken(f"it ended at {have:,} of {total:,} bytes")
    file.flush()
    os.fsync(file.fileno())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _version_file(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _read_version(part: Path) -> str | None:
    file = _version_file(part)
    text = file.read_text(encoding="latin-1").strip() if file.exists() else ""
    return text if text and text.isprintable() else None


def _write_version(part: Path, response: Any) -> None:
    """Keep what names this version of the file: a strong ETag, or else the time of its last change."""
    etag = response.headers.get("ETag", "")
    version = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    discard(part)  # first: bytes of one version never stand beside the name of another
    _version_file(part).write_text(version, encoding="latin-1")


def _is_final(error: Exception) -> bool:
    """Whether the server said no, rather than not now."""
    return isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code not in (408, 429)


def _refused(url: str, part: Path, error: Exception) -> OSError:
    """Return what to raise in the end: what happened, and what to do about it."""
    if isinstance(error, urllib.error.HTTPError):
        kind = FileNotFoundError if error.code in (404, 410) else ConnectionError
        return kind(f"{url}: the server answered {error.code} {error.reason}; {_by_hand(url, part)}")
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    if isinstance(error, _Broken) or _size(part):
        return ConnectionError(
            f"{url}: the connection broke ({reason}); {_size(part):,} bytes are kept, the next try goes on from there"
        )
    host = urlsplit(url).hostname
    return ConnectionError(f"{url}: cannot reach {host} ({reason}); is there a network? Or {_by_hand(url, part)}")


def _by_hand(url: str, part: Path) -> str:
    return f"load it by other means and put it at {part.with_suffix('')}"
