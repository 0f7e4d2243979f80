"""A server of files on this machine, which can be told to misbehave."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from vecrecall.datasets import transfer
from vecrecall.datasets.registry import Recipe, SourceFile

HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass
class Server:
    """What is served, and how badly; `asked` keeps the headers of each request."""

    address: str = ""
    content: bytes = HDF5 + bytes(range(256)) * 12_000  # 3 MB: more than what is read at once
    etag: str | None = '"first"'
    last_modified: str | None = None
    ranges: bool = True
    says_length: bool = True
    status: int = 200
    cuts: list[int] = field(default_factory=list)  # after how many bytes of an answer the connection breaks, in turn
    asked: list[dict[str, str]] = field(default_factory=list)

    def recipe(self, *names: str, sha256: str | None = None) -> Recipe:
        """A set of these files."""
        files = tuple(SourceFile(f"{self.address}/{name}", sha256) for name in names or ("set.hdf5",))
        return Recipe("some-set", "download", "vectors", "l2", "hdf5", 1, 1, "CC0", source="the source", files=files)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def starts(self) -> list[int]:
        """The byte that each request began with."""
        return [int(re.match(r"bytes=(\d+)-", h.get("Range", "bytes=0-"))[1]) for h in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        server: Server = self.server.serving  # type: ignore[attr-defined]
        server.asked.append(dict(self.headers))
        if server.status != 200:
            self.send_error(server.status)
            return
        size, first, status = len(server.content), 0, 200
        version = server.etag or server.last_modified
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and server.ranges and self.headers.get("If-Range") == version:
            first, status = int(match[1]), 206
        self.send_response(416 if status == 206 and first >= size else status)
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.last_modified:
            self.send_header("Last-Modified", server.last_modified)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}" if first < size else f"bytes */{size}")
        if server.says_length or first >= size:
            self.send_header("Content-Length", str(size - first))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else size
        self.wfile.write(server.content[first : first + cut])
        if first + cut < size:
            self.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(transfer, "_PAUSE_S", 0.0)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    serving = Server(f"http://127.0.0.1:{http.server_address[1]}")
    http.serving = serving  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield serving
    http.shutdown()
    http.server_close()
    thread.join()
